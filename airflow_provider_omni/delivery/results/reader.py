"""Read a ledger: outcomes and quarantine as rows, without phone numbers, one at a time whatever the batch's size."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.integrity import Inventory, whole_lines
from airflow_provider_omni.delivery.ledger.layout import used_ledgers
from airflow_provider_omni.delivery.ledger.parts import (
    ENDS,
    OUTCOMES,
    PLAN,
    PURGED,
    QUARANTINE,
    SENT,
    UNCONFIRMED,
    VERSION,
    TryId,
    own_parts,
    pack,
    unpack,
)
from airflow_provider_omni.delivery.messages.codec import update_of
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import MessageState
from airflow_provider_omni.delivery.messages.status import (
    Flow,
    MessageStatus,
    Outcome,
    StatusUpdate,
    Tracker,
    cost_of,
    is_permanent,
    tells_end,
)
from airflow_provider_omni.delivery.messages.step_table import StepTable
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.omni.errors import OmniStorageError


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The outcome of one recipient. docs/batches.md describes the columns.

    :param recipient: value of `key_field` if the batch had one, else the id of the recipient's first message, which is
        a hash.
    :param message_id: id of the recipient's last message.
    :param bulk_id: id of its request.
    :param state: the vendor's answer to the send: accepted, refused, unconfirmed, seen, absent, not_sent, or intent
        (not known).
    :param reason: status or error of a refusal.
    :param outcome: pending, operator, delivered or failed, as far as a wait has followed it; None if none has.
    :param channel: the step of the flow that decided the outcome.
    :param status: the status of that step.
    :param sent_at: time of the first step, in seconds since the epoch.
    :param done_at: end of the deciding step, in seconds since the epoch.
    :param cost: cost of all steps as the vendor reported it, a decimal string for each currency.
    :param permanent: True if the same message would fail again, False if not, as the vendor said; None if it did not
        say.
    :param error: the vendor's name for the error that ended that step, such as `EC_ABSENT_SUBSCRIBER`; None for none.
    """

    recipient: str
    message_id: str
    bulk_id: str
    state: str
    reason: str | None = None
    outcome: str | None = None
    channel: str | None = None
    status: str | None = None
    sent_at: float | None = None
    done_at: float | None = None
    cost: dict[str, str] | None = None
    permanent: bool | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a dict, for tables."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A row that was left out, with its place in the source and the reason.

    :param row: place of the row in the source.
    :param reason: reason for which it was left out.
    :param recipient: the user's own key, if it was readable.
    """

    row: int
    reason: str
    recipient: str | None = None


def read_outcomes(ledger: Any) -> Iterator[OutcomeRow]:
    """Yield every recipient for whom a POST was intended, of all shards, in no particular order.

    :param ledger: a local path, or an `ObjectStoragePath`.

    Raises OmniInputError at once if no batch has used it.
    """
    return chain.from_iterable(map(read_outcomes_of, used_ledgers(ledger)))


def read_outcomes_of(folder: Folder) -> Iterator[OutcomeRow]:
    """Yield the outcomes of one ledger's folder, as `read_outcomes` does."""
    with Workspace() as workspace:
        yield from Outcomes(folder, workspace).rows()


def read_quarantine(ledger: Any) -> Iterator[QuarantineRow]:
    """Yield the rows that the last try left out. Raises OmniInputError at once if no batch has used the ledger."""
    return chain.from_iterable(map(_quarantine_of, used_ledgers(ledger)))


def _quarantine_of(folder: Folder) -> Iterator[QuarantineRow]:
    names = own_parts(folder.list(QUARANTINE))
    last = max((each for each in map(TryId.of, names) if each is not None), default=None)
    for name in names:
        if TryId.of(name) == last:
            for line in unpack(folder.read(name), name):
                yield QuarantineRow(line["row"], line["reason"], line.get("recipient"))


def purge_plan(ledger: Any) -> int:
    """Remove the private half: phone numbers and the rows' fields. Returns the number of removed parts.

    After that the batch cannot be resent with `unreached`. A retry still sends nobody a message twice, and does not
    write the private half again. Purge when the send is over, because a send under way may go on writing.

    Raises OmniInputError if no batch has used the ledger.
    """
    removed = 0
    for folder in used_ledgers(ledger):
        # The mark is written first: if this process dies now, the next purge finds what is left, and no retry adds to
        # it.
        if not own_parts(folder.list(PURGED)):
            folder.write(TryId(0, uuid.uuid4().hex).part(PURGED), pack([{"v": VERSION, "at": round(time.time(), 3)}]))
        for name in folder.list(PLAN):
            folder.delete(name)
            removed += 1
    return removed


class Outcomes:
    """Outcomes of one ledger, gathered in a workspace."""

    def __init__(self, folder: Folder, workspace: Workspace) -> None:
        self._folder = folder
        self._workspace = workspace
        self._known = IntentLog(workspace)
        self._flow = Flow()
        self._other_flows: dict[str, Flow] = {}
        self._flow_known = False
        workspace.execute("CREATE TABLE closed (id TEXT PRIMARY KEY) WITHOUT ROWID")
        workspace.execute("CREATE TABLE unconfirmed (id TEXT PRIMARY KEY) WITHOUT ROWID")
        workspace.execute("CREATE TABLE confirmed (id TEXT PRIMARY KEY) WITHOUT ROWID")
        workspace.execute("CREATE TABLE gone (id TEXT PRIMARY KEY, suppressed INTEGER NOT NULL) WITHOUT ROWID")
        self._steps = StepTable(workspace)
        self._read_sent()
        self._read_seen()

    def _lines(self, kind: str, inventory: Inventory | None = None) -> Iterator[tuple[str, Any]]:
        """Yield the lines of all parts in a folder, each with the try that wrote it."""
        for name in own_parts(self._folder.list(kind)):
            writer, data = str(TryId.of(name)), self._folder.read(name)
            for line in unpack(data, name) if inventory is None else whole_lines(data, name, inventory):
                _check_version(line, name)
                yield writer, line

    def _read_sent(self) -> None:
        inventory = Inventory()
        for _, line in self._lines(ENDS):
            inventory.claim(line)
        steps: Any = None
        for writer, line in self._lines(SENT, inventory):
            if "v" in line:
                steps = line.get("steps")
                continue
            self._known.replay(line, None, writer, steps=steps)
            if "left" in line:
                self._note_left(line)
        self._known.keep_one_attempt(posts=False)
        inventory.check("What became of whom is not known in full.", retryable=False)
        steps, others = self._known.flows()
        self._flow, self._flow_known = Flow.of(steps or ()), steps is not None
        self._other_flows = {message_id: Flow.of(steps) for message_id, steps in others.items()}

    def _flow_of(self, message_id: str) -> Flow:
        return self._other_flows.get(message_id, self._flow)

    def _note_left(self, line: Any) -> None:
        if line.get("begins"):  # a later try says it anew
            self._workspace.execute("DELETE FROM gone")
        suppressed = frozenset(line.get("suppressed", ()))
        self._workspace.executemany(
            "INSERT OR IGNORE INTO gone (id, suppressed) VALUES (?, ?)",
            ((each, each in suppressed) for each in line["left"]),
        )

    def has_left(self, first_id: str) -> bool:
        """Return True if a planned recipient was missing from the source at the last try.

        :param first_id: the recipient's first message id.
        """
        return self._workspace.scalar("SELECT 1 FROM gone WHERE id = ?", first_id) is not None

    def is_suppressed(self, first_id: str) -> bool:
        """Return True if a planned recipient was on the suppression list at the last try.

        :param first_id: the recipient's first message id.
        """
        return self._workspace.scalar("SELECT 1 FROM gone WHERE id = ? AND suppressed", first_id) is not None

    def is_sent_later(self, message_id: str, now: float) -> bool:
        """Return True if the vendor was asked to send the message at a time that has not come yet."""
        found = self._workspace.scalar(
            "SELECT 1 FROM known JOIN attempt ON attempt.no = known.attempt "
            "WHERE known.id = ? AND attempt.scheduled > ?",
            message_id,
            now,
        )
        return found is not None

    def _read_seen(self) -> None:
        for _, line in self._lines(OUTCOMES):
            if "v" in line:
                if not self._flow_known:  # an older version wrote sent/: the wait has it from the receipt
                    self._flow = Flow.of(line.get("flow") or self._flow.steps)
                continue
            try:
                updates = [update_of(line["id"], step) for step in line["steps"]]
                apart = self._flow_of(line["id"]).kept_apart
                for update in updates:
                    self._steps.merge(update, apart=apart)
                if tells_end(updates, self._flow_of(line["id"])):
                    self._note_failure(line["id"], unconfirmed=bool(line.get(UNCONFIRMED)))
                if line.get("closed"):
                    self._workspace.execute("INSERT OR IGNORE INTO closed (id) VALUES (?)", line["id"])
            except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
                raise OmniStorageError(
                    "A part of the ledger's outcomes/ cannot be read (damaged, or written by something else).",
                    retryable=False,
                ) from None

    def _note_failure(self, message_id: str, *, unconfirmed: bool) -> None:
        table = "unconfirmed" if unconfirmed else "confirmed"
        self._workspace.execute(f"INSERT OR IGNORE INTO {table} (id) VALUES (?)", message_id)  # noqa: S608  constants

    def _is_unconfirmed(self, message_id: str) -> bool:
        """Return True if every line that tells the message's failure says that it is not confirmed."""
        found = self._workspace.scalar(
            "SELECT 1 FROM unconfirmed WHERE id = ? AND id NOT IN (SELECT id FROM confirmed)", message_id
        )
        return found is not None

    def rows(self) -> Iterator[OutcomeRow]:
        """Yield every recipient once, with the last message that was intended for them."""
        for row, _ in self.with_writers():
            yield row

    def with_writers(self) -> Iterator[tuple[OutcomeRow, str]]:
        """Yield the rows of `rows`, each with the try that intended to post its message."""
        for identifier, state, reason, bulk, writer, label in self._workspace.rows(
            "SELECT known.id, coalesce(known.state, attempt.state), known.reason, attempt.bulk, attempt.writer, "
            "known.label FROM known JOIN attempt ON attempt.no = known.attempt"
        ):
            message_id = identifier
            recipient = label or message_id
            if state == MessageState.REFUSED.value and self._known.has_another_attempt(message_id):
                continue
            steps = self._steps.of(identifier)
            row = OutcomeRow(recipient, message_id, bulk, state, reason)
            closed = self._workspace.scalar("SELECT 1 FROM closed WHERE id = ?", identifier) is not None
            unconfirmed = self._is_unconfirmed(message_id)
            flow = self._flow_of(message_id)
            yield _with_steps(row, steps, flow, closed=closed, unconfirmed=unconfirmed) if steps else row, writer


def _check_version(line: Any, name: str) -> None:
    """Raise OmniStorageError for a part that another version of this provider has written, with another format."""
    if isinstance(line, dict) and line.get("v", VERSION) != VERSION:
        raise OmniStorageError(
            f"The ledger's part {name} was written by another version of this provider, which this one cannot read.",
            retryable=False,
        )


def _with_steps(
    row: OutcomeRow, steps: list[StatusUpdate], flow: Flow, *, closed: bool, unconfirmed: bool
) -> OutcomeRow:
    """Return the row with the outcome that its steps give.

    :param closed: True if a wait has looked until its end, and has written that the failed steps are final.
    :param unconfirmed: True if no wait could rule out that an earlier step has delivered before the last one failed.
    """
    # Only a wait can tell how much time has passed without news, because a reader does not know if anybody has looked.
    tracker = Tracker(flow.steps, settle_seconds=math.inf)
    for step in steps:
        tracker.observe(step)
    found = tracker.status_of(row.message_id, 0.0, closing=closed)
    if unconfirmed and found.outcome is Outcome.FAILED and tracker.rests_on_last_step(row.message_id):
        found = MessageStatus(Outcome.PENDING, found.by)
    by = found.by
    return replace(
        row,
        outcome=found.outcome.value,
        channel=by.channel if by else None,
        status=by.status if by else None,
        sent_at=min((step.sent_at for step in steps if step.sent_at is not None), default=None),
        done_at=by.done_at if by else None,
        cost=cost_of(list(tracker.steps(row.message_id))),
        # A failed step that is not the last ended nothing: its error says nothing about the next step, which nobody
        # heard of.
        permanent=None if closed and by and by.channel != flow.last_channel else is_permanent(found),
        error=by.error if by else None,
    )
