"""The stores for the record of a batch, and the fences on them: a ledger, or the task's own state in Airflow.

Both give the engine three things: a replay of the earlier tries' record, effects that write intents (the fence)
together with outcomes, and a check of the results. `messages/intent_log.py` knows the meaning of the lines,
`ledger/integrity.py` what a folder must hold to be believed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from airflow_provider_omni.delivery.effects import (
    CallApi,
    Json,
    Label,
    ListParts,
    ReadPart,
    Save,
    Steps,
    WritePart,
    list_parts,
    load,
    read_part,
)
from airflow_provider_omni.delivery.ledger.integrity import (
    PARTS,
    Standing,
    check_integrity,
    key_field_of,
    owner_of,
    whole_lines,
)
from airflow_provider_omni.delivery.ledger.parts import (
    ENDS,
    OUTCOMES,
    PLAN,
    QUARANTINE,
    SENT,
    TRIES,
    VERSION,
    TryId,
    compress,
    own_parts,
    pack,
    unpack,
)
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import Attempt, Origin
from airflow_provider_omni.delivery.outbox.policy import CONCURRENT_INTENT_WRITES
from airflow_provider_omni.omni.errors import OmniInputError, OmniStaleTryError, OmniStorageError

INDEX = "omni_batch"
FENCE = "omni_batch_fence"

Writes: TypeAlias = tuple[CallApi | Save | WritePart | ReadPart | ListParts, ...]


class IntentStore(Protocol):
    """Keeps the record of one batch.

    :param writers: the number of `writes` that may be under way at one time.
    :param flow: the scenario's channels, which are kept, too. If this try does not know them, `enter` takes those on
        record.
    :param steps: the steps that this try has content for.
    :param here: account and scenario that this try posts from.
    """

    writers: int
    flow: tuple[str, ...] | None
    steps: tuple[str, ...]
    here: Origin

    @property
    def saved(self) -> int:
        """The number of times that intents were written, in all tries."""
        ...

    def enter(self, known: IntentLog, *, dry_run: bool) -> Steps[None]:
        """Say that this try begins, and replay the record of earlier ones. A dry run only reads."""
        ...

    def writes(
        self, intents: Sequence[Attempt], outcomes: Sequence[dict[str, Any]], labels: Sequence[dict[str, str]]
    ) -> Writes:
        """Return effects that write these intents (the fence) and the outcomes learned since the last write.

        :param outcomes: lines about requests (`outcome_line`).
        :param labels: for each intent, the names of its recipients in outcomes, by message id.
        """
        ...

    def written(self, intents: Sequence[Attempt], results: Sequence[Any]) -> None:
        """Check the results of `writes`. Raises OmniStaleTryError if another try has taken over: then nothing may be
        posted.
        """
        ...

    def not_written(self, intents: Sequence[Attempt]) -> None:
        """Note that the writes of these intents failed: they may be written or not."""
        ...

    def changed(self) -> str:
        """Return a sentence about changed settings for the error message, or ''. It begins with a space."""
        ...


def intent_line(attempt: Attempt, labels: dict[str, str]) -> dict[str, Any]:
    """Return the intent to post a request, as a line.

    :param labels: names of recipients in outcomes, by message id, for those who are not named by that id.
    """
    line: dict[str, Any] = {"bulk": attempt.bulk_id, "at": round(attempt.intent_at, 3), "ids": list(attempt.messages)}
    if attempt.scheduled_at is not None:
        line["scheduled"] = attempt.scheduled_at
    if attempt.not_before is not None:
        line["not_before"] = round(attempt.not_before, 3)
    if not attempt.bulk_id_conclusive:
        line["bulk_id_conclusive"] = False
    if labels:
        line["who"] = labels
    return line


class LedgerStore:
    """Keeps the record in a ledger: one immutable part for each window.

    The ledger is a fence of its own, which does not need Airflow ≥ 3.3. A try first writes its own file under `tries/`
    and then reads what was sent; before each window's POSTs it writes the window's intents and then looks into
    `tries/`. So of two tries that overlap, either the older sees the newer and stops, or the newer sees the older's
    intents.

    :param token: tells this try from all others; lower-case hex.
    :param about: the content of the try's file: hashes of key and shard, the fingerprint, names of fields.
    :param fenced: write into the task's state besides, so that Airflow refuses a stale try.
    """

    writers = CONCURRENT_INTENT_WRITES
    """Several at one time, since parts do not touch each other."""

    def __init__(self, token: str, about: dict[str, Any], *, fenced: bool = True) -> None:
        self.about = about
        self.here = _origin_of(about)
        self.fenced = fenced
        self.flow: tuple[str, ...] | None = None
        self.steps: tuple[str, ...] = ()
        self._key_field: Any = about.get("key_field")
        self._try = TryId(1, token)
        self._sequence = 0
        self._standing = Standing()
        """Parts of `sent/` that this try has found, or written for certain."""
        self._part_of: dict[str, str] = {}
        """The part that a request's intent is being written into, by bulk id."""
        self._alone: str | None = None
        """The part without intents that was put together last."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of this try's content."""
        return str(self.about["fingerprint"])

    @property
    def saved(self) -> int:
        """The number of parts of `sent/` that stand."""
        return self._standing.count

    def part(self, kind: str) -> str:
        """Return a name for this try's next part."""
        self._sequence += 1
        return self._try.part(kind, self._sequence)

    def enter(self, known: IntentLog, *, dry_run: bool) -> Steps[None]:
        """Write the try's file, then read what all tries have sent."""
        # This order matters: a try writes its file before it sends, so that none is seen to have sent without one.
        there = own_parts((yield from list_parts("")))
        tries = own_parts((yield from list_parts(TRIES)))
        sent = [name for name in there if name.startswith(SENT)]
        check_integrity(tries, sent, [name for name in there if name.startswith((PLAN, QUARANTINE, ENDS, OUTCOMES))])
        yield from self._check_owner(tries, there)
        if self.fenced:
            yield from self._check_memory(dry_run=dry_run)
        newest = max((each.generation for each in map(TryId.of, tries) if each is not None), default=0)
        self._try = TryId(newest + 1, self._try.token)
        if not dry_run:
            about = {"v": VERSION} | self.about
            yield WritePart(self._try.part(TRIES), lambda: pack([about]), label="taken over")
            yield from self._check_nobody_else_has_begun(tries)
        yield from self._read_ends([name for name in there if name.startswith(ENDS)])
        for name in own_parts((yield from list_parts(SENT))):
            data = yield from read_part(name)
            header: dict[str, Any] = {}
            for line in whole_lines(data, name, self._standing):
                if isinstance(line, dict) and "v" in line:
                    header = line
                    if line["v"] != VERSION:
                        raise OmniStorageError(
                            f"The ledger's part {name} was written by another version of this provider, which this one "
                            "cannot read. Nothing was sent.",
                            retryable=False,
                        )
                    self.flow = self.flow or _flow(line)
                    continue
                known.replay(line, header.get("fingerprint"), origin=header.get("origin"), steps=header.get("steps"))
        self._standing.check("Nothing was sent: what they say may have been sent already.", retryable=False)
        known.keep_one_attempt()

    def _read_ends(self, names: Sequence[str]) -> Steps[None]:
        """Read the last words of tries about the parts that stand."""
        for name in names:
            data = yield from read_part(name)
            for line in unpack(data, name):
                self._standing.claim(line)

    def ends(self) -> WritePart | None:
        """Return the write of the list of parts that stand; None if none does. By it a later try notices that one is
        gone.
        """
        stands = self._standing.to_json()
        if not stands:
            return None
        return WritePart(self._try.part(ENDS), lambda: pack([{"v": VERSION, PARTS: stands}]), label="end written")

    def stands(self, name: str) -> None:
        """Note that a part of `sent/` was written for certain."""
        self._standing.stands(name)

    def changed(self) -> str:
        """Return a sentence about a changed `key_field`, or ''.

        Another `key_field` makes other ids for everybody, which is hard to guess from "other content".
        """
        before, now = self._key_field, self.about.get("key_field")
        return "" if before == now else f" The key_field has changed: it was {before!r} and is {now!r}."

    def check_current(self) -> Steps[None]:
        """Raise OmniStaleTryError if another try has taken over."""
        self.written((), [(yield from list_parts(TRIES))])

    def _check_memory(self, *, dry_run: bool) -> Steps[None]:
        """Refuse a ledger that is not the one of earlier tries, as far as the task's state tells.

        The write of the fence shows that this try is the current one, before its file under `tries/` stops any other.
        """
        if (yield from _was_kept(INDEX, "bulks")) is not None:
            raise _kept_elsewhere("an earlier try of this task had none, and kept its record in Airflow")
        last: Any = yield from _was_kept(FENCE, "part")
        ours = last is not None and last.get("send") == self.about["send"]
        if ours and last["part"] not in (yield from list_parts(SENT)):
            raise _kept_elsewhere("what an earlier try of this task has sent is not in it")
        if ours:
            self._standing.claim_part(last["part"])
        if not dry_run:
            yield Save(FENCE, self._fence(last["part"] if ours else None))

    def _fence(self, part: str | None) -> dict[str, Json]:
        return {"v": VERSION, "part": part, "send": self.about["send"]}

    def _check_owner(self, tries: Sequence[str], there: Sequence[str]) -> Steps[None]:
        """Refuse the ledger of another send: another key or shard in one folder would mix two sends.

        If two sends have begun in it, it belongs to the one that has gone on. If none has, it belongs to nobody (see
        `_check_nobody_else_has_begun`). So all files are read.
        """
        own: set[TryId | None] = set()
        others: set[TryId | None] = set()
        for name in tries:
            data = yield from read_part(name)
            owner = owner_of(data, name)
            if owner == self.about["send"]:
                if not own:
                    self._key_field = key_field_of(data, name)
                own.add(TryId.of(name))
            elif owner is not None:
                others.add(TryId.of(name))
        gone_on = {TryId.of(name) for name in there if not name.startswith(TRIES)}
        if others and not (own & gone_on and not others & gone_on):
            raise _of_another_send(at_once=bool(own))
        if not own and any(name.startswith(SENT) for name in there):
            # A try whose file was not finished has sent nothing, so the parts of `sent/` are somebody else's.
            raise OmniStorageError(
                "The ledger does not tell whose it is: no file in tries/ can be read, and yet something was sent. "
                "Nothing was sent by this try: without the record a message could be sent twice.",
                retryable=False,
            )

    def _check_nobody_else_has_begun(self, before: Sequence[str]) -> Steps[None]:
        """Look again, now that this try's file is there: another send may have found the ledger empty, too.

        Of two sends, at least the one that writes its file later sees that of the other, and goes on no further. So a
        send that goes on is alone, and whoever has written more than the file in `tries/` is the owner.

        :param before: the names in `tries/` when this try checked the owner.
        """
        names = yield from list_parts(TRIES)
        for name in own_parts(names):
            if name in before or name == self._try.part(TRIES):
                continue
            data = yield from read_part(name)
            if owner_of(data, name) not in (None, self.about["send"]):
                raise _of_another_send(at_once=True)
        self.written((), [names])

    def writes(
        self, intents: Sequence[Attempt], outcomes: Sequence[dict[str, Any]], labels: Sequence[dict[str, str]]
    ) -> Writes:
        """Return the write of one part; with intents also Airflow's own fence, and a look for a newer try."""
        header = {"v": VERSION, "fingerprint": self.fingerprint, "flow": list(self.flow or ())}
        header |= {"steps": list(self.steps)}
        header |= {"lines": len(outcomes) + len(intents), PARTS: self._standing.to_json(), "origin": list(self.here)}
        name = self.part(SENT)
        if intents:
            self._part_of |= {attempt.bulk_id: name for attempt in intents}
        else:
            self._alone = name
        said = list(outcomes)
        frozen = [intent_line(attempt, label) for attempt, label in zip(intents, labels, strict=True)]
        label: Label = "intent written" if intents else "outcome written"
        writes: Writes = (WritePart(name, lambda: pack([header, *said, *frozen]), label=label),)
        if intents and self.fenced:
            writes += (Save(FENCE, self._fence(name), label="fence checked"),)
        if intents:
            writes += (ListParts(TRIES, label="fence checked"),)
        return writes

    def not_written(self, intents: Sequence[Attempt]) -> None:
        """Note that it is not known whether these intents are there. They are written anew, under another name."""
        for attempt in intents:
            self._part_of.pop(attempt.bulk_id, None)

    def written(self, intents: Sequence[Attempt], results: Sequence[Any]) -> None:
        """Raise OmniStaleTryError if a newer try has begun. Of two that began at once, the greater token stays.

        Raises OmniStorageError if the ledger does not show this try's own file.
        """
        for attempt in intents:
            if (name := self._part_of.pop(attempt.bulk_id, None)) is not None:
                self._standing.stands(name)
        if not intents and not results and self._alone is not None:
            self._standing.stands(self._alone)
        if not results or not isinstance(results[-1], list):
            return
        names = results[-1]
        if self._try.part(TRIES) not in names:
            raise OmniStorageError(
                "The ledger does not show what was just written into it. Nothing was posted after that: it may not "
                "show other tries either.",
                retryable=True,
            )
        newer = [each for each in map(TryId.of, names) if each is not None and each > self._try]
        if newer:
            raise OmniStaleTryError(
                "Another try of this send has begun on the same ledger, so this one stops here. It sent nothing "
                "after that.",
                retryable=True,
            )

    def private(self, lines: str) -> WritePart:
        """Return the write of a part of `plan/`, whose lines are JSON already."""
        return WritePart(self.part(PLAN), lambda: compress(lines.encode() + b"\n"), label="plan written")

    def left_out(self, lines: Sequence[Any]) -> WritePart:
        """Return the write of a part of `quarantine/`."""
        kept = list(lines)
        return WritePart(self.part(QUARANTINE), lambda: pack(kept), label="plan written")


def _of_another_send(*, at_once: bool) -> OmniInputError:
    """Return the error for a ledger that belongs to another send.

    :param at_once: True if another send has begun in it at the moment at which this one did, so that neither was the
        first.
    """
    found = (
        "another send has begun in it at the same moment, and it is not known to be this one's"
        if at_once
        else "its send has another idempotency_key (or shard, or id_secret)"
    )
    return OmniInputError(
        "Nothing was sent: the ledger belongs to another send",
        problems=(
            f"ledger_path: {found}; name run, task, where mapped {{{{ ti.map_index }}}} and in a loop "
            "{{ loop.index }} in the path, such as …/{{ run_id }}/{{ ti.task_id }}; "
            "keep the try number and the time out of the key",
        ),
    )


class TaskStateStore:
    """Keeps the record in the task's state: one entry for each request, and an index that names them. For up to 100
    requests.

    An entry counts once the index names it, so the write of the index is the fence.
    """

    writers = 1
    """One at a time: an index that is written late must not undo a newer one."""

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
        self.here = _origin_of(about)
        self.saved = 0
        self.told = False
        """True if the record is complete, once it has been read."""
        self._expects = expects
        self.flow: tuple[str, ...] | None = None
        self.steps: tuple[str, ...] = ()
        self._bulks: list[str] = []
        self._entries: dict[str, dict[str, Any]] = {}
        self._kept: set[str] = set()
        self._inside: set[str] = set()
        """Requests whose entries stand in the index itself."""
        self._one_request = one_request
        self._recalled = False
        self._origins: list[Origin] = []
        """Origins from which earlier tries were about to post; of a plan of one request."""
        self._flow_before: tuple[Json, Json] | None = None
        """The flow on record, and the scenario that it belongs to, if what was sent came from elsewhere."""

    def recall(self, known: IntentLog) -> Steps[None]:
        """Read the index and the entries that it names, and replay them. `enter` does it, unless it was done."""
        index: Any = yield from load(INDEX, label="record read")
        if not self._one_request and (yield from _was_kept(FENCE, "part")) is not None:
            raise _kept_elsewhere("an earlier try of this task had one, and its record is there")
        if index is not None:
            yield from self._read(index, known)
        self.told = self._expects is not None and self.saved >= self._expects
        if self._one_request and not self.told and (yield from _was_kept(FENCE, "part")) is not None:
            # Its ids may be made of a `key_field`, so that the logs show nothing by those of this try.
            raise _kept_elsewhere("an earlier try of this task had one, as a batch, and its record is there")
        self._recalled = True

    def enter(self, known: IntentLog, *, dry_run: bool) -> Steps[None]:
        """Recall, then write the index, which shows that this try is the current one."""
        if not self._recalled:
            yield from self.recall(known)
        if self._flow_before is None:  # else this try posts nothing
            self._origins = list(dict.fromkeys((*(() if self.told else self._origins), self.here)))
        if not dry_run:
            yield Save(INDEX, self.to_json(), label="taken over")

    @property
    def unrecorded_from(self) -> Origin:
        """Account and scenario that messages may have been posted from of which the record does not know."""
        elsewhere = [] if self.told else [each for each in self._origins if each != self.here]
        return elsewhere[-1] if elsewhere else self.here

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
            self.flow = self.flow or _flow(index)
            return
        elsewhere = bool(known.elsewhere(self.here)[1])  # then this try posts nothing
        if elsewhere:
            self._flow_before = index.get("flow"), index.get("flow_of")
        if elsewhere or index.get("flow_of") in (None, self.here.scenario):
            self.flow = self.flow or _flow(index)

    def _add(self, attempt: Attempt) -> dict[str, Any]:
        """Note a request with its intent. It stands last, since its messages leave those in which they were before."""
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


def _origin_of(about: Mapping[str, Any]) -> Origin:
    return Origin(str(about.get("account") or ""), str(about.get("scenario_key") or ""))


def _flow(kept: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the channels that a header or an index names; None if its writer did not know them."""
    flow = kept.get("flow")
    return tuple(map(str, flow)) if isinstance(flow, list) and flow else None


def _was_kept(key: str, what: str) -> Steps[Any]:
    """Return an entry of the task's state that says that something was sent; None if it says nothing."""
    entry: Any = yield from load(key)
    return entry if isinstance(entry, dict) and entry.get(what) else None


def _kept_elsewhere(why: str) -> OmniInputError:
    return OmniInputError(
        "Nothing was sent: this is not where the record of this send is kept",
        problems=(
            f"ledger_path: {why}; restore the one that was used, since it must stay the same in all tries of a task "
            "(no try number and no time of now in it)",
        ),
    )


def _key(bulk: str) -> str:
    return f"{INDEX}_{bulk}"


def _is_whole(entry: Any) -> bool:
    """Return True if an entry names its messages. Without them they would look as if they had never been posted."""
    intent = entry.get("intent") if isinstance(entry, dict) else None
    return isinstance(intent, dict) and "ids" in intent and isinstance(entry.get("learned"), list)


def _copy(entry: dict[str, Any]) -> Json:
    """Return the entry as of now: a later outcome must not slip into a write that is under way."""
    return {"intent": entry["intent"], "learned": list(entry["learned"])}
