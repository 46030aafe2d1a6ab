"""The outcomes of a batch's messages, by the simulator's record: the wait's end, each row of the ledger, the unreached.

A wait reads one request after the other, so each message may be seen as of another moment, as far as it may be behind.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.tracking.watch import Bulk
from airflow_provider_omni.ledger import OutcomeRow, read_outcomes, unreached
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.fates import Reporting
from airflow_provider_omni.simulator.messages import Message
from tests.crash.batch_checker import REFUSED_AGAIN
from tests.crash.batch_schedule import BatchSchedule
from tests.crash.batch_tasks import BatchTask
from tests.crash.checker import OLD, Truth, changes_of, right_verdict, standing_of, too_late, views_of
from tests.crash.fake_stores import Bucket
from tests.crash.waits import WaitTask

FOLLOWED = {"accepted", "in_doubt", "duplicate_id", "unconfirmed"}
"""States of a row in which its message may have reached its person."""
NEVER = {"not_sent", "absent"}
SETTLED = {"handset", "failed"}


@dataclass
class Case:
    """One wait of a batch, and what the vendor knows."""

    schedule: BatchSchedule
    simulator: Simulator
    send: BatchTask
    wait: WaitTask
    patience: float
    """Seconds that the wait may be behind."""

    def __post_init__(self) -> None:
        record, wait = self.simulator.record, self.wait
        self.known: dict[str, Message] = {message.message_id: message for message in record.messages}
        self.one_truth = len(self.known) == len(record.messages)
        self.refused = {each.message_id for each in record.refusals if each.status_id != REFUSED_AGAIN}
        self.shown_although_refused = self.schedule.settings.refused_in != "nothing"
        self.taken = self._taken_by_any_account()
        self.woken = {message_id for post in self.send.posts if post.woken for message_id in post.ids}
        self.posted_late = self.send.posted_since(wait.decided_from)
        self.unknown_at_first = self.send.posted_since(wait.began_at)
        """Messages that the first of the wait's processes may not follow: the user has cleared the send meanwhile."""
        self.ids_of_receipt = [each for bulk in wait.watch.bulks for each in self._ids_of(bulk)]
        self.views = views_of(self.schedule.settings, reports_kept=self.schedule.wait.reports_kept)
        trigger = self.schedule.wait.mode == "trigger"
        forgetful = wait.bucket is None and (wait.restored if trigger else self.schedule.airflow == "3.2")
        self.horizon = (wait.ended_at if forgetful else wait.began_at) - OLD
        self.since = wait.ended_at - self.patience

    def _taken_by_any_account(self) -> set[str]:
        """Also what only looks like it. The wait asks one account; the send may have posted from another one, too."""
        record = self.send.world.record
        refused = [each for each in record.refusals if each.status_id != REFUSED_AGAIN]
        seen = refused if self.shown_although_refused else []
        return {each.message_id for each in (*record.messages, *seen)}

    def _ids_of(self, bulk: Bulk) -> Iterable[str]:
        """The messages of a request; of one that lists none, whichever the vendor has taken, and "" for each other."""
        if bulk.message_ids:
            return bulk.message_ids
        taken = [message_id for message_id, each in self.known.items() if each.bulk_id == bulk.bulk_id]
        return taken + [""] * ((bulk.messages or 0) - len(taken))

    def at_any_time(self, message: Message) -> set[str]:
        """Every standing that was once true of a message, until the wait's end."""
        until = self.wait.ended_at
        moments = {message.accepted_at - 1.0, *(at for at in changes_of([message]) if at <= until)}
        return {standing_of(message, flow_of(message), at, view) for at in moments for view in self.views}

    def of_late(self, message: Message) -> set[str]:
        """Every standing in which the wait may see a message at its end. What is settled is not asked for again."""
        until, flow = self.wait.ended_at, flow_of(message)
        if self.since < self._followed_from(message):
            return self.at_any_time(message)  # it has not had the time yet
        moments = {self.since, until, *(at for at in changes_of([message]) if self.since <= at <= until)}
        late = {standing_of(message, flow, at, view) for at in moments for view in self.views}
        return late | (self.at_any_time(message) & {"failed"})

    def closed(self, message_id: str) -> bool:
        """True if the wait has said that a message counts as failed since nothing more was heard, and might say so."""
        wait, flow = self.wait, self.wait.watch.flow
        allowed = wait.ended_at >= wait.watch.deadline or not flow or flow.count(flow[-1]) > 1
        lines = wait.ledger.lines("outcomes/") if wait.ledger is not None and allowed else []
        return any(line.get("closed") and line["id"] == message_id for line in lines)

    def strangers_were_named(self) -> bool:
        """Return True if an answer was about messages that nobody had asked for."""
        return any(call.name == "reports" and call.fault == "foreign-ids" for call in self.simulator.record.calls)

    def went_on_since(self, moment: float) -> bool:
        """True if the send learned or posted anything after a process of the wait had asked what there is to follow."""
        ledger = self.wait.ledger
        written = ledger is not None and any(at >= moment for at in ledger.times("sent/"))
        return written or bool(self.send.posted_since(moment))

    def forgotten(self, message: Message) -> bool:
        """Return True if the vendor itself may have forgotten it, with nothing of it written down."""
        return message.accepted_at < max(self.horizon, self._followed_from(message) - OLD)

    def has_unread_delivery(self, message: Message) -> bool:
        """Return True if a report tells that it was delivered before its last step failed, and can still be read.

        One that another reader of the account has taken cannot.
        """
        last = flow_of(message)[-1]
        failed = [
            each.at for step in message.steps if step.channel == last for each in step.changes if each.status.failed
        ]
        until = min((self.wait.ended_at, *failed))
        unread = self.simulator.unread_reports_of(message)
        return message.reporting is not Reporting.NO_REPORTS and any(
            entry.change.status.on_handset and entry.change.at <= until for entry in unread
        )

    def unheard(self, message: Message) -> bool:
        """Return True if the logs show the last step only, and no report could be read since that failed."""
        moments = [each.at for step in message.steps for each in step.changes if each.status.failed]
        names = (message.message_id, message.bulk_id)
        read = (
            call
            for call in self.simulator.record.calls_of("reports")
            if call.effect and call.fault is None and any(name in call.query for name in names)
        )
        return self.schedule.settings.log_rows == "last-step" and not any(
            call.at >= max(moments, default=0.0) for call in read
        )

    def _followed_from(self, message: Message) -> float:
        """The time from which the wait surely follows it."""
        return self.wait.decided_from if message.message_id in self.unknown_at_first else self.wait.began_at


def flow_of(message: Message) -> tuple[str, ...]:
    """The steps of the scenario that it was sent with."""
    return tuple(step.channel for step in message.flow)


def judge_batch_wait(case: Case) -> tuple[list[str], str]:
    """Return the faults of a wait, and of what it has left in the ledger; and why its verdict was not judged, if so."""
    wrong: list[str] = []
    if case.send.spoilt_at is not None and case.send.spoilt_at <= case.wait.ended_at:
        # What such a wait and such a ledger say is judged by unit tests: that they say what is missing.
        return wrong, "parts of its ledger were taken away"
    rows = None if case.wait.ledger is None else list(read_outcomes(case.wait.ledger))
    if rows is not None:
        wrong += _judge_rows(case, rows)
        wrong += _judge_unreached(case, rows)
    reason = _why_not(case, rows)
    if reason:
        return wrong, reason
    if rows is None:
        ids = case.ids_of_receipt
    else:
        ids = [row.message_id for row in rows if row.state in FOLLOWED]
        if len(ids) < _count(case.wait.receipt, "accepted", "unconfirmed"):
            # Proven absent once, and doubted by the try that has made the receipt.
            ids += [row.message_id for row in rows if row.state == "absent"]
    wrong += _judge_end(case, ids)
    if rows is not None and case.wait.result is not None:
        wrong += _judge_written(case, rows)
    return wrong, ""


def _why_not(case: Case, rows: list[OutcomeRow] | None) -> str:
    """Return the reason why there is no one truth about the verdict of this wait."""
    wait, send = case.wait, case.send
    if wait.error is not None:
        unreadable = type(wait.error).__name__ == "OmniStorageError" and _reading_fails(case.schedule)
        return "the ledger could not be read until the deadline" if unreadable else ""
    if wait.result is not None and "before the ledger could be used" in wait.result.explanation:
        return "the ledger could not be read until the deadline" if _reading_fails(case.schedule) else ""
    if not case.one_truth:
        return "a message was sent twice"
    if case.woken:
        return "a frozen try woke up and posted"
    if case.went_on_since(wait.decided_from):
        return "the send went on"
    # Proven absent once and doubted since, they are followed too.
    ids = {row.message_id for row in rows or () if row.state in FOLLOWED or row.state == "absent"}
    ids |= set(case.ids_of_receipt)
    if case.shown_although_refused and ids & ({""} | case.refused - set(case.known)):
        return "a refusal whose answer was lost shows up like a message"
    if wait.ledger is None and not case.schedule.ids_listed and case.strangers_were_named():
        return "the receipt lists no ids, and an answer named a stranger's messages"
    if wait.ledger is None and not case.schedule.ids_listed and case.schedule.settings.given_bulk_id == "replaced":
        # Some are followed by the vendor's bulk, some by themselves, and nobody can tell who is counted twice.
        return "the receipt lists no ids, and the vendor has given requests other ones"
    if any(case.forgotten(case.known[each]) for each in ids if each in case.known):
        return "the vendor may have forgotten"
    if wait.ledger is None and any(post.at > wait.began_at for post in send.posts):
        return "the send went on"
    return ""


def _reading_fails(schedule: BatchSchedule) -> bool:
    return bool(schedule.store_failures or schedule.workspace_breaks.share)


def _judge_end(case: Case, ids: list[str]) -> Iterable[str]:
    wait, plan = case.wait, case.schedule.wait
    if wait.result is None:
        yield f"the wait ended with {type(wait.error).__name__}" if wait.error else "the wait never ended"
        return
    summary, verdict = wait.result.summary, wait.result.verdict.value
    closing = wait.ended_at >= wait.watch.deadline
    messages = [case.known.get(each) for each in ids]
    seen = [case.of_late(message) if message else {"open"} for message in messages]
    good = {"handset", "operator"} if plan.delivered_means == "group" else {"handset"}
    bad = {"failed", "half"} if closing else {"failed"}
    total, delivered, failed = summary["total"], summary["delivered"], summary["failed"]
    if total != len(ids):
        yield f"the wait follows {total} messages, right would be {len(ids)}"
        return
    for name, count, what in (("delivered", delivered, good), ("failed", failed, bad)):
        least, most = sum(each <= what for each in seen), sum(bool(each & what) for each in seen)
        if closing and name == "failed":
            least = sum(each <= {"failed"} for each in seen)
        if not least <= count <= most and not (closing and _nobody_could_look(case)):
            yield f"the wait says {count} {name}, right would be {least} to {most}"
    right = _right_verdicts(case, total, delivered, failed, seen, closing=closing)
    if verdict not in right:
        yield f"the wait says {verdict}, right would be {' or '.join(sorted(right))}"
    if len(case.views) == 1 and ids and not case.went_on_since(wait.began_at):
        yield from too_late(case.schedule, wait, messages, case.patience)


def _nobody_could_look(case: Case) -> bool:
    """Return True if the logs were down until the deadline."""
    began = min(call.at for call in case.simulator.record.calls)
    return case.wait.ended_at < began + case.schedule.network.logs_down[1] + case.patience


def _count(receipt: dict[str, Any], *names: str, but: tuple[str, ...] = ()) -> int:
    """Return the number of people in these members of a receipt's counts, `but` those of others."""
    counts = receipt["counts"]
    return sum(counts[name] for name in names) - sum(counts.get(name, 0) for name in but)


def _right_verdicts(
    case: Case, total: int, delivered: int, failed: int, seen: list[set[str]], *, closing: bool
) -> set[str]:
    """The verdicts that the criterion asks for, with these counts."""
    plan = case.schedule.wait
    # Somebody was to be sent to, and there is nobody to be followed.
    nobody = _count(case.wait.receipt, "requested", but=("quarantined", "duplicates", "suppressed"))
    if not total and nobody and plan.success_when != "finished":
        return {"failure"}
    operators = sum(each == {"operator"} for each in seen) if plan.delivered_means == "group" else 0
    truth = Truth(total, delivered - operators, operators, failed, 0)
    right = {right_verdict(truth, case.schedule, closing=False)}
    if closing:
        right |= {right_verdict(truth, case.schedule, closing=True)}
        right = {"timeout" if each == "open" else each for each in right}
    return right - {"open"}


def _judge_written(case: Case, rows: list[OutcomeRow]) -> Iterable[str]:
    """All that is counted was written down before."""
    assert case.wait.result is not None
    if case.wait.ended_at >= case.wait.watch.deadline:
        return  # nothing is waited for any more, not even a store that does not answer
    summary = case.wait.result.summary
    written = sum(row.outcome in ("delivered", "operator", "failed") for row in rows)
    if written < summary["delivered"] + summary["failed"]:
        yield f"{summary['delivered'] + summary['failed']} outcomes are counted, {written} are written down"


# -- the ledger's rows ---------------------------------------------------------------------------------------------

OUTCOMES = {None: {"open"}, "pending": {"open", "half"}, "operator": {"operator"}, "delivered": {"handset"}}
OUTCOMES |= {"failed": {"failed"}}
"""The meaning of an outcome of the ledger, in the words of `standing_of`."""


def _judge_rows(case: Case, rows: list[OutcomeRow]) -> Iterable[str]:
    """Every accepted person stands in one row, with an outcome that was true, and as fresh as it has to be."""
    for recipient, count in Counter(row.recipient for row in rows).items():
        if count > 1:
            yield f"{recipient[:12]} is listed {count} times"
    by_id = {row.message_id: row for row in rows}
    for message_id, message in case.known.items():
        if message_id in case.woken or not case.one_truth or message.accepted_at >= case.wait.ended_at:
            continue
        row = by_id.get(message_id)
        if row is None or row.state not in FOLLOWED:
            yield f"{message_id[:8]} was accepted, the ledger says {row.state if row else 'nothing'}"
        else:
            yield from _judge_outcome(case, row, message)
    for row in rows:
        if row.message_id in case.known:
            continue
        if row.state == "accepted" and row.message_id not in case.taken:
            yield f"{row.message_id[:8]} was never accepted, the ledger says it was"
        if row.outcome is not None and row.message_id not in case.refused:
            yield f"{row.message_id[:8]} was never accepted, the ledger says {row.outcome}"


def _judge_outcome(case: Case, row: OutcomeRow, message: Message) -> Iterable[str]:
    said = OUTCOMES[row.outcome]
    if row.outcome == "failed" and case.closed(row.message_id):
        said = said | {"half"}
    if not said & (case.at_any_time(message) | {"open"}):
        yield f"{row.message_id[:8]} is {row.outcome} in the ledger, which was never true"
    if row.permanent and row.permanent not in _permanent(case, message):
        yield f"{row.message_id[:8]} fails for good in the ledger, the vendor did not say so of what ended it"
    unread = case.wait.error is not None or row.message_id in case.posted_late or case.forgotten(message)
    if case.wait.ledger is None or unread or _why_not(case, [row]):
        return
    if row.outcome == "pending" and case.unheard(message):
        return
    if not said & case.of_late(message):
        right = " or ".join(sorted(case.of_late(message)))
        yield f"{row.message_id[:8]} is {row.outcome} in the ledger at the wait's end, right would be {right}"


def _permanent(case: Case, message: Message) -> set[bool | None]:
    """Return the vendor's word on a failure that ended a message: for good or not."""
    steps = [step for step in message.steps if step.channel == flow_of(message)[-1]]
    failures = [each for step in steps for each in step.changes if each.at <= case.wait.ended_at and each.status.failed]
    return {None, *(each.error.permanent for each in failures)}


def _judge_unreached(case: Case, rows: list[OutcomeRow]) -> Iterable[str]:
    """A second send goes to whoever failed, was refused or never sent to; not to the delivered, nor those under way."""
    ledger = case.wait.ledger
    assert ledger is not None
    try:
        selected = Counter(str(row.number) for row in unreached("ledger").rows(ledger))
    except OmniError as error:
        yield f"the unreached cannot be read: {type(error).__name__}"
        return
    planned: dict[str, str] = {line.get("key") or line["id"]: line["to"] for line in ledger.lines("plan/")}
    by_number: Mapping[str, OutcomeRow] = {planned[row.recipient]: row for row in rows if row.recipient in planned}
    if len(by_number) != len(rows):
        yield f"{len(rows) - len(by_number)} rows of the ledger belong to nobody who was planned"
    said = max((name for name in ledger.list("sent/") if _begins(ledger, name)), default=None)
    there = [] if said is None else case.send.sources_since(said.split("-")[1])
    begun = ledger.written_at.get(_file_of_try(said), ledger.written_at[said]) if said is not None else 0.0
    planned_since = {
        line["to"]
        for name in ledger.list("plan/")
        if said is not None and ledger.written_at[name] > begun and _file_of_try(name) != _file_of_try(said)
        for line in _lines_of(ledger, name)
    }
    for number in sorted(set(planned.values()) | set(selected)):
        row = by_number.get(number)
        if row is not None and (row.message_id in case.woken or row.message_id in case.refused & set(case.known)):
            continue
        wanted = row is None or _is_unreached(row)
        if there and number not in there[0] and (row is None or row.state != "accepted"):
            if any(number in later for later in there[1:]) or number in planned_since:
                continue  # back again, and the try died before it could say so; or planned by a woken one since then
            wanted = False  # whoever took them out of the source did not want them to get it
        if said is not None and number in case.send.listed_by.get(said.split("-")[1], ()):
            if any(number in later for later in there[1:]) or number in planned_since:
                continue
            wanted = False  # whatever became of an earlier message
        message = case.known.get(row.message_id) if row is not None else None
        if selected[number] and message is not None and case.has_unread_delivery(message):
            yield f"…{number[-7:]} is among the unreached, and a report of the delivery is still to be read"
        if selected[number] != wanted:
            state = f"{row.state}, {row.outcome}" if row else "never tried"
            yield f"…{number[-7:]} ({state}) is {selected[number]} times among the unreached"
        if wanted and row is None and case.simulator.record.messages_for(number) and not case.woken | case.posted_late:
            yield f"…{number[-7:]} is unreached as if never tried, and has got a message"


def _file_of_try(part: str) -> str:
    """The file of the try that has written a part: tries/<generation>-<token>.jsonl.gz."""
    generation, token = part.split("/")[1].split(".")[0].split("-")[:2]
    return f"tries/{generation}-{token}.jsonl.gz"


def _begins(ledger: Bucket, name: str) -> bool:
    """Return True if a part says who has left the source."""
    return any(line.get("begins") for line in _lines_of(ledger, name))


def _lines_of(ledger: Bucket, name: str) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(ledger.parts[name]).decode().splitlines()]


def _is_unreached(row: OutcomeRow) -> bool:
    if row.outcome in ("delivered", "operator"):
        return False
    if row.outcome == "failed":
        return not row.permanent
    return row.state in NEVER or row.state == "refused"
