"""The record of a send in its task's state in Airflow, whose refusal of a stale try's write is the fence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import Json, Save, Steps, WritePart, load
from airflow_provider_omni.delivery.ledger.parts import VERSION
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import Attempt, Origin
from airflow_provider_omni.delivery.outbox.stores import (
    FENCE,
    INDEX,
    AmendableStore,
    Writes,
    flow_in,
    intent_line,
    kept_in_another_store,
    origin_of,
    was_kept,
)
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError


class TaskStateStore:
    """Keeps the record in the task's state: one entry for each request, and an index that names them. For up to 100
    requests.

    An entry counts once the index names it, so the write of the index is the fence.
    """

    writers = 1
    """One at a time: an index that is written late must not undo a newer one."""
    manifest = None

    def __init__(self, about: Mapping[str, Any], expects: int | None = 0, *, one_request: bool = False) -> None:
        """Prepare an empty record.

        :param about: a hash of key and shard (`send`), the fingerprint, account and scenario.
        :param expects: the number of times that the index was written when the try before ended; None if that try has
            not said so.
        :param one_request: True for a plan of one request. The entries then stand in the index itself, so that each
            write is one; and what was sent under another key is taken over, too.
        """
        self.fingerprint = str(about["fingerprint"])
        self.send = str(about["send"])
        self.here = origin_of(about)
        self.saved = 0
        self.complete = False
        self._expects = expects
        self.flow: tuple[str, ...] | None = None
        self.steps: tuple[str, ...] = ()
        self._bulks: list[str] = []
        self._entries: dict[str, dict[str, Any]] = {}
        self._kept: set[str] = set()
        self._inside: set[str] = set()
        """Requests whose entries stand in the index itself."""
        self._one_request = one_request
        self._replayed = False
        self._origins: list[Origin] = []
        """Origins from which earlier tries were about to post; of a plan of one request."""
        self._flow_before: tuple[Json, Json] | None = None
        """The flow on record, and the scenario that it belongs to, if what was sent came from another."""

    def replay(self, known: IntentLog) -> Steps[None]:
        """Read the index and the entries that it names, and replay them. `enter` does it, unless it was done."""
        index: Any = yield from load(INDEX, label="record read")
        if not self._one_request and (yield from was_kept(FENCE, "part")) is not None:
            raise kept_in_another_store("an earlier try of this task had one, and its record is there")
        if index is not None:
            yield from self._read(index, known)
        self.complete = self._expects is not None and self.saved >= self._expects
        if self._one_request and not self.complete and (yield from was_kept(FENCE, "part")) is not None:
            # Its ids may be made of a `key_field`, so that the logs show nothing by those of this try.
            raise kept_in_another_store("an earlier try of this task had one, as a batch, and its record is there")
        self._replayed = True

    def enter(self, known: IntentLog, *, dry_run: bool) -> Steps[None]:
        """Replay the record, then write the index, which shows that this try is the current one."""
        if not self._replayed:
            yield from self.replay(known)
        if self._flow_before is None:  # else this try posts nothing
            self._origins = list(dict.fromkeys((*(() if self.complete else self._origins), self.here)))
        if not dry_run:
            yield Save(INDEX, self.to_json(), label="taken over")

    @property
    def amendable(self) -> AmendableStore:
        """Return this store: an entry is written anew when it changes."""
        return self

    @property
    def unrecorded_from(self) -> Origin:
        """The origin of messages that are missing from the record."""
        others = [] if self.complete else [each for each in self._origins if each != self.here]
        return others[-1] if others else self.here

    def register(self, attempt: Attempt, learned: Sequence[dict[str, Any]] = ()) -> None:
        """Put a request on the record that another try, or another task, may have posted. The next write has it.

        :param learned: what is known of it, as lines.
        """
        self._add(attempt)["learned"] += learned
        self.saved += 1

    def doubt(self, attempt: Attempt, line: dict[str, Any]) -> None:
        """Put on the record that messages of a request are in doubt again. The next write has it.

        :param line: what is known of them now.
        """
        entry = self._entries[attempt.bulk_id]
        entry["intent"]["bulk_id_conclusive"] = attempt.bulk_id_conclusive
        self._learn(entry, line)
        self.saved += 1

    def forget(self, message_ids: Collection[str]) -> None:
        """Take messages off the record that were never posted. The next write has it."""
        for bulk, entry in list(self._entries.items()):
            entry["intent"]["ids"] = [each for each in entry["intent"]["ids"] if each not in message_ids]
            if not entry["intent"]["ids"]:
                self._bulks.remove(bulk)
                self._inside.discard(bulk)
                del self._entries[bulk]

    def to_json(self) -> dict[str, Json]:
        """Return the index as JSON, as of now."""
        index: dict[str, Json] = {"v": VERSION, "send": self.send, "flow": list(self.flow or ()), "writes": self.saved}
        index |= {"bulks": list(self._bulks)}
        if self._inside:
            index["entries"] = {bulk: _copy(self._entries[bulk]) for bulk in self._bulks if bulk in self._inside}
        if not self._one_request:
            return index
        flow, flow_of = self._flow_before or (index["flow"], self.here.scenario)
        origins: Json = [list(each) for each in self._origins]
        return index | {"flow": flow, "flow_of": flow_of, "origins": origins}

    def _read(self, index: Any, known: IntentLog) -> Steps[None]:
        try:
            if index["v"] != VERSION:
                raise ValueError
            bulks, send = [str(each) for each in index["bulks"]], str(index["send"])
            self.saved = int(index.get("writes", len(bulks)))
            inside = dict(index.get("entries", {}))
            self._origins = [Origin(str(account), str(scenario)) for account, scenario in index.get("origins", ())]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise OmniStorageError(
                "The record of what was sent cannot be read (written by another version?). Nothing was sent: without "
                "it a message could be sent twice.",
                retryable=False,
            ) from None
        if bulks and send != self.send and not self._one_request:
            raise OmniInputError(
                "Nothing was sent: an earlier try of this task sent under another key",
                problems=(
                    "idempotency_key: (or shard, or id_secret) must stay the same in all tries of a task; name a "
                    "ledger_path where mapped shards may change places",
                ),
            )
        for bulk in bulks:
            entry: Any = inside[bulk] if bulk in inside else (yield from load(_key(bulk)))
            if not _is_whole(entry):
                raise OmniStorageError(
                    f"The record of request {bulk} is missing. Nothing was sent: without it a message could be sent "
                    "twice.",
                    retryable=True,
                )
            intent = entry["intent"]
            known.replay(intent, intent.get("fingerprint"), origin=intent.get("origin"), steps=intent.get("steps"))
            for line in entry["learned"]:
                known.replay(line, None)
            self._bulks.append(bulk)
            self._entries[bulk] = entry
            self._kept.add(bulk)
            self._inside |= {bulk} & inside.keys()
        self._take_over_flow_and_origins(index, known)

    def _take_over_flow_and_origins(self, index: Any, known: IntentLog) -> None:
        if not self._one_request:
            self.flow = self.flow or flow_in(index)
            return
        from_another = bool(known.from_another_origin(self.here)[1])  # then this try posts nothing
        if from_another:
            self._flow_before = index.get("flow"), index.get("flow_of")
        if from_another or index.get("flow_of") in (None, self.here.scenario):
            self.flow = self.flow or flow_in(index)

    def _add(self, attempt: Attempt) -> dict[str, Any]:
        """Append a request with its intent. Its messages no longer belong to earlier requests."""
        origin = attempt.origin or self.here
        intent = intent_line(attempt, {}) | {"fingerprint": self.fingerprint, "origin": list(origin)}
        entry = self._entries[attempt.bulk_id] = {"intent": intent | {"steps": list(self.steps)}, "learned": []}
        if self._one_request:
            self._inside.add(attempt.bulk_id)
        if attempt.bulk_id in self._bulks:
            self._bulks.remove(attempt.bulk_id)
        self._bulks.append(attempt.bulk_id)
        return entry

    @staticmethod
    def _learn(entry: dict[str, Any], line: dict[str, Any]) -> None:
        entry["learned"] = [each for each in entry["learned"] if "moved" in each] + [line]

    def writes(
        self,
        intents: Sequence[Attempt],
        outcomes: Sequence[dict[str, Any]],
        labels: Sequence[dict[str, str]],  # noqa: ARG002
    ) -> Writes:
        """Return the writes of entries first, that of the index last."""
        changed: dict[str, None] = {}
        for line in outcomes:
            entry = self._entries.get(line["bulk"])
            if entry is None:
                continue
            self._learn(entry, line)
            changed[line["bulk"]] = None
        for attempt in intents:
            self._add(attempt)
            changed[attempt.bulk_id] = None
        self.saved += bool(intents)
        # An entry counts once the index names it.
        saves = tuple(
            Save(_key(bulk), _copy(self._entries[bulk]), label="" if intents else "outcome written")
            for bulk in changed
            if bulk not in self._inside
        )
        if not intents and self._inside.isdisjoint(changed):
            return saves
        return (*saves, Save(INDEX, self.to_json(), label="intent written" if intents else "outcome written"))

    def check_current(self) -> Steps[None]:
        """Write the index once more: Airflow refuses a stale try's write."""
        yield Save(INDEX, self.to_json(), label="fence checked")

    def ends(self) -> WritePart | None:
        """Return None: each write of the index says what the record holds."""
        return None

    def changed(self) -> str:
        """Return '': the task's state has only one hash for content and `key_field` together."""
        return ""

    def written(self, intents: Sequence[Attempt], results: Sequence[Any]) -> None:  # noqa: ARG002
        """Note the entries as kept. There is nothing to check: Airflow itself refuses a stale try's write."""
        self._kept.update(attempt.bulk_id for attempt in intents)

    def not_written(self, intents: Sequence[Attempt]) -> None:
        """Keep the index from naming entries that may not be there."""
        for attempt in intents:
            if attempt.bulk_id not in self._kept:
                self._bulks.remove(attempt.bulk_id)
                del self._entries[attempt.bulk_id]


def _key(bulk: str) -> str:
    return f"{INDEX}_{bulk}"


def _is_whole(entry: Any) -> bool:
    """Return True if an entry names its messages. Without them they would look as if they had never been posted."""
    intent = entry.get("intent") if isinstance(entry, dict) else None
    return isinstance(intent, dict) and "ids" in intent and isinstance(entry.get("learned"), list)


def _copy(entry: dict[str, Any]) -> Json:
    """Return the entry as of now: a later outcome must not slip into a write that is under way."""
    return {"intent": entry["intent"], "learned": list(entry["learned"])}
