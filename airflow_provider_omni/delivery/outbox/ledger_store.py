"""The record of a batch in its ledger, and the fence there. `ledger/integrity.py` says what a folder must hold to be
believed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import Json, Label, ListParts, Save, Steps, WritePart, list_parts, read_part
from airflow_provider_omni.delivery.ledger.integrity import (
    PARTS,
    Inventory,
    check_integrity,
    key_field_of,
    send_of,
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
from airflow_provider_omni.delivery.messages.states import Attempt
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.send_limits import CONCURRENT_INTENT_WRITES
from airflow_provider_omni.delivery.outbox.stores import (
    FENCE,
    INDEX,
    ManifestStore,
    Writes,
    flow_in,
    intent_line,
    kept_in_another_store,
    origin_of,
    was_kept,
)
from airflow_provider_omni.omni.errors import OmniInputError, OmniStaleTryError, OmniStorageError
from airflow_provider_omni.omni.problems import unexpected


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
    complete = True
    """Parts that are gone are missed: `ledger/integrity.py`."""
    amendable = None

    def __init__(self, token: str, about: dict[str, Any], *, fenced: bool = True) -> None:
        self.about = about
        self.here = origin_of(about)
        self.fenced = fenced
        self.flow: tuple[str, ...] | None = None
        self.steps: tuple[str, ...] = ()
        self._key_field: Any = about.get("key_field")
        self._try = TryId(1, token)
        self._sequence = 0
        self._inventory = Inventory()
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
        return self._inventory.count

    @property
    def manifest(self) -> ManifestStore:
        """Return this store: a ledger has a folder for people."""
        return self

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
            for line in whole_lines(data, name, self._inventory):
                if isinstance(line, dict) and "v" in line:
                    header = line
                    if line["v"] != VERSION:
                        raise OmniStorageError(
                            f"The ledger's part {name} was written by another version of this provider, which this one "
                            "cannot read. Nothing was sent.",
                            retryable=False,
                        )
                    self.flow = self.flow or flow_in(line)
                    continue
                known.replay(line, header.get("fingerprint"), origin=header.get("origin"), steps=header.get("steps"))
        self._inventory.check("Nothing was sent: what they say may have been sent already.", retryable=False)
        known.keep_one_attempt()

    def _read_ends(self, names: Sequence[str]) -> Steps[None]:
        """Read the last words of tries about the parts that stand."""
        for name in names:
            data = yield from read_part(name)
            for line in unpack(data, name):
                self._inventory.claim(line)

    def ends(self) -> WritePart | None:
        """Return the write of the list of parts that stand; None if none does. By it a later try notices that one is
        gone.
        """
        stands = self._inventory.to_json()
        if not stands:
            return None
        return WritePart(self._try.part(ENDS), lambda: pack([{"v": VERSION, PARTS: stands}]), label="end written")

    def forget(self, message_ids: Collection[str]) -> None:
        """Do nothing: parts are not changed."""

    def stands(self, name: str) -> None:
        """Note that a part of `sent/` was written for certain."""
        self._inventory.stands(name)

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
        if (yield from was_kept(INDEX, "bulks")) is not None:
            raise kept_in_another_store("an earlier try of this task had none, and kept its record in Airflow")
        last: Any = yield from was_kept(FENCE, "part")
        ours = last is not None and last.get("send") == self.about["send"]
        if ours and last["part"] not in (yield from list_parts(SENT)):
            raise kept_in_another_store("what an earlier try of this task has sent is not in it")
        if ours:
            self._inventory.claim_part(last["part"])
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
            owner = send_of(data, name)
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
            if safety.is_of_another_send(send_of(data, name), str(self.about["send"])):
                raise _of_another_send(at_once=True)
        self.written((), [names])

    def writes(
        self, intents: Sequence[Attempt], outcomes: Sequence[dict[str, Any]], labels: Sequence[dict[str, str]]
    ) -> Writes:
        """Return the write of one part; with intents also Airflow's own fence, and a look for a newer try."""
        header = {"v": VERSION, "fingerprint": self.fingerprint, "flow": list(self.flow or ())}
        header |= {"steps": list(self.steps)}
        header |= {"lines": len(outcomes) + len(intents), PARTS: self._inventory.to_json(), "origin": list(self.here)}
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
                self._inventory.stands(name)
        if not intents and not results and self._alone is not None:
            self._inventory.stands(self._alone)
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
        "a ledger in which another send has begun at the same moment, so that it is not known to be this one's"
        if at_once
        else "the ledger of another send: of another task, run or mapped copy, or with another idempotency_key, shard "
        "or id_secret"
    )
    expected = (
        "a ledger of its own: name run, task, where mapped {{ ti.map_index }} and in a loop {{ loop.index }} in the "
        "path, such as …/{{ run_id }}/{{ ti.task_id }}. With a key of your own, keep the try number and the time out "
        "of it"
    )
    return OmniInputError(
        "Nothing was sent: the ledger belongs to another send",
        problems=(unexpected("ledger_path", found, expected),),
    )
