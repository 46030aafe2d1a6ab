"""The promise, judged by the simulator's record alone: who got how many messages, and what became of each.

Written without any code of `delivery/`: its tables are said again here, in other words.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.delivery.messages.status import LOG_LAG
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.messages import Message
from airflow_provider_omni.simulator.record import Acceptance, Record
from airflow_provider_omni.simulator.settings import Settings
from tests.crash.schedule import Schedule
from tests.crash.tasks import SendTask
from tests.crash.waits import WaitTask
from tests.crash.world import LATEST, READ_TIMEOUT, World

OLD = 40 * 3600.0
"""Messages that were accepted so long before the wait began are not judged: the vendor keeps 48 h."""
FORGOTTEN = 47 * 3600.0
"""Seconds after which the logs are not believed any more about what was accepted: the vendor keeps 48 h."""
UNDER_WAY = READ_TIMEOUT + LATEST + 1.0
"""Seconds within which the vendor takes in what was posted, at the latest."""
FROZEN = "frozen between its fence and its POST, awake after the next try had sent"
NO_FENCE = "tries overlapped on Airflow < 3.3 without a ledger"
SWITCHED = "another account or id_secret, and no record of the one before"
ANOTHER_SEND = "another task under the same key, two days later"


@dataclass
class Judgement:
    """The faults that were found. `excepted`: why the design excepts it, by what really happened."""

    twice: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    excepted: str | None = None

    @property
    def failed(self) -> bool:
        """Return True if a promise is broken."""
        return bool((self.twice and not self.excepted) or self.never or self.wrong)


def judge_send(schedule: Schedule, world: World, task: SendTask) -> Judgement:
    """Count messages by person, whichever account has taken them."""
    record = world.record
    judgement = Judgement()
    excepted = []
    for number in sorted({number for people in schedule.send.people for number in people}):
        accepted = record.messages_for(number)
        if len(accepted) > 1:
            line, why = f"…{number[-4:]} got {len(accepted)} messages", None
            lost_at = [*task.task_state.lost_at, *task.others_began_at]  # another task has no record of it
            if task.unrecorded or lost_between(accepted, lost_at, task.posts):
                why = switched(schedule, world, number)
            why = why or another_send(accepted, task.others_began_at)
            if why is None and (task.unrecorded or task.task_state.lost_at):
                why = another_send_after_a_switch(schedule, world, number, accepted, task.others_began_at)
            why = why or _exception(schedule, task, {each.message_id for each in accepted})
            if why is None:
                judgement.twice.append(line)
            else:
                excepted.append((line, why))
    if excepted and not judgement.twice:
        judgement.twice, judgement.excepted = [line for line, _ in excepted], excepted[0][1]
    if task.succeeded:
        judgement.never += _never(schedule, record, task)
    judgement.wrong += _false_claims(record, task)
    lost = bool(task.unrecorded or task.task_state.lost_at or task.others_began_at)
    judgement.wrong += strange_receipts(world, task.ends, lost=lost)
    judgement.wrong += posted_in_the_dark(task.posts)
    judgement.wrong += counted_twice(world, task.posts, lost=lost or tries_overlap(schedule.send))
    if len(world.simulators) == 1 and len(set(schedule.upheavals.secrets)) == 1:
        judgement.wrong += hidden_by_refusals(record, task.ends, schedule.settings.log_lag_seconds)
    return judgement


def tries_overlap(send: Any) -> bool:
    """Return True if a try may run on after Airflow has given it up, so that two hear of a message."""
    frozen = any(point is not None and point.frozen_for is not None for point in send.crash_points)
    return frozen or send.presumed_dead_after is not None


def counted_twice(world: World, posts: Iterable[Any], *, lost: bool) -> Iterable[str]:
    """A message is counted once as accepted, however many tries the send takes, unless two tries run at once and hear
    of it both. A refusal whose answer was lost shows up like a message.

    `lost`: what was written down may be gone.
    """
    if lost or any(post.stale for post in posts):
        return
    taken = len(world.record.acceptances) + sum(each.status_id != 23 for each in world.record.refusals)
    counted = sum(sum(each.values) for each in world.measured if each.tags.get("state") == "accepted")
    if counted > taken:
        yield f"metrics count {counted:.0f} accepted messages, the vendor has taken {taken}"


def hidden_by_refusals(record: Record, ends: Iterable[tuple[float, Mapping[str, Any]]], lag: float) -> Iterable[str]:
    """A reader who follows a refused message of somebody who has got another one is told of a failure, and sends again.

    `ends`: when tries have ended, and with which receipt. `lag`: of the logs, in seconds.
    """
    taken = {each.message_id for each in record.acceptances}
    refused = {each.message_id: each.to for each in record.refusals if each.status_id != 23}
    for at, receipt in ends:
        if receipt["counts"]["unconfirmed"]:
            continue  # it says itself that it does not know
        listed = set(receipt.get("message_ids", ()))
        for number in sorted({refused[each] for each in listed & refused.keys() - taken}):
            got = [each for each in record.messages_for(number) if at - OLD < each.at < at - UNDER_WAY - lag]
            if got and listed.isdisjoint(each.message_id for each in got):
                yield f"a receipt follows a refused message of …{number[-4:]}, who has got another one"


def posted_in_the_dark(posts: Iterable[Any]) -> Iterable[str]:
    """All that is paid for can be followed, whatever dies next: a receipt told of it before it was posted."""
    dark = sum(not post.followed and not post.stale for post in posts)
    if dark:
        yield f"{dark} requests were posted before a published receipt told of them"


def strange_receipts(world: World, ends: Iterable[tuple[float, Mapping[str, Any]]], *, lost: bool) -> Iterable[str]:
    """A wait asks the account that the receipt names, and goes by the steps that it names: those of messages
    that were taken.

    `ends`: when tries have ended, and with which receipt. `lost`: what was written down may be gone, so that what
    stands in the logs may have been sent with another scenario, and what does not, from another account.
    """
    for at, receipt in ends:
        ids = set(receipt.get("message_ids", ()))
        taken = [
            (name, each)
            for name, simulator in sorted(world.simulators.items())
            for each in simulator.record.acceptances
            if each.message_id in ids and each.at <= at
        ]
        account, holders = receipt.get("account"), {name for name, _ in taken}
        untold = account is None and receipt["ledger_path"]  # the ledger tells
        # Where nothing is known to be accepted, what nobody has taken may be what it names.
        sure = receipt["counts"]["accepted"] or not (lost or ids - {each.message_id for _, each in taken})
        if holders and account not in holders and not untold and sure:
            yield f"a receipt names {account}, its messages are in {', '.join(sorted(holders))}"
        flows = {world.flow_of(each.scenario_key) for _, each in taken}
        if flows and tuple(receipt["flow"]) not in flows and sure and not lost:
            yield f"a receipt names the steps {receipt['flow']}, its messages have others"


def lost_between(accepted: Sequence[Acceptance], lost_at: Sequence[float], posts: Iterable[Any]) -> bool:
    """True if the record of one of these messages may have been lost before another of them was posted. It is there
    from the intent on, which is long before the POST where the process was frozen between them.
    """
    known = list(posts)
    for one in accepted:
        by = [each for each in known if one.message_id in each.ids and each.at - 0.001 <= one.at <= each.at + UNDER_WAY]
        since = min([one.at - UNDER_WAY, *(each.intended_at for each in by)])
        last = max(each.at for each in accepted if each is not one)
        if any(since <= at <= last for at in lost_at):
            return True
    return False


def switched(schedule: Any, world: World, number: str, since: float = -math.inf, until: float = math.inf) -> str | None:
    """Return the reason why a second message from another account, or under another `id_secret`, is not against the
    promise where there is no record of the first. Within one account and under one secret it is.

    `since`, `until`: only messages of this time are looked at.
    """
    for simulator in world.simulators.values():
        ids = [each.message_id for each in simulator.record.messages_for(number) if since <= each.at < until]
        if len(ids) > 1 and (len(set(schedule.upheavals.secrets)) == 1 or len(set(ids)) < len(ids)):
            return None
    return SWITCHED


def another_send(accepted: Sequence[Acceptance], others_began_at: Iterable[float]) -> str | None:
    """Return the reason why a second message under a key that tasks share is not against the promise: such a key is one
    send for two days, and whoever sends under it after that sends anew.
    """
    times = sorted(each.at for each in accepted)
    anew = (
        before < began <= after and after - before > FORGOTTEN
        for before, after in itertools.pairwise(times)
        for began in others_began_at
    )
    return ANOTHER_SEND if any(anew) and len(times) == 2 else None


def another_send_after_a_switch(
    schedule: Any, world: World, number: str, accepted: Sequence[Acceptance], others_began_at: Iterable[float]
) -> str | None:
    """Return the reason if both are true: each of two sends under a shared key, days apart, is excused by itself."""
    for began in others_began_at:
        before = [each.at for each in accepted if each.at < began]
        after = [each.at for each in accepted if each.at >= began]
        if not before or not after or min(after) - max(before) <= FORGOTTEN:
            continue
        alone = (
            len(times) == 1 or switched(schedule, world, number, times[0], times[-1] + 1.0) for times in (before, after)
        )
        if all(alone):
            return ANOTHER_SEND
    return None


def _exception(schedule: Schedule, task: SendTask, message_ids: set[str]) -> str | None:
    """Return the reason why a second message keeps the promise: a try posted that Airflow had given up before."""
    if schedule.guarantee == "A":
        return None
    stale = [post for post in task.posts if post.stale and post.ids & message_ids]
    old = schedule.upheavals.old_until
    if stale and (schedule.airflow == "3.2" or any(post.try_number <= old for post in stale)):
        return NO_FENCE
    if any(post.fenced for post in stale):
        return FROZEN
    return schedule.outside[0] if schedule.outside else None


def _never(schedule: Schedule, record: Record, task: SendTask) -> Iterable[str]:
    refused = {refusal.to for refusal in record.refusals if refusal.status_id != 23}
    assert task.end is not None
    doubts = task.end.receipt.counts.unconfirmed if schedule.send.trust else 0
    for person in task.content_plan.recipients.people:
        number = person.address.phone_number or ""
        excused = number in refused and (schedule.send.on_rejected == "ignore" or _shown_as_rejected(schedule))
        if not record.messages_for(number) and not excused and not doubts:
            yield f"…{number[-4:]} got nothing, and the task is green"


def _shown_as_rejected(schedule: Schedule) -> bool:
    """Return True if a refusal stands in the logs like a message that was taken and failed on its first channel."""
    return schedule.settings.refused_in in ("logs", "both")


def _false_claims(record: Record, task: SendTask) -> Iterable[str]:
    if task.end is None:
        return
    people = [person.address.phone_number or "" for person in task.content_plan.recipients.people]
    refused = {refusal.to for refusal in record.refusals if refusal.status_id != 23}
    possible = sum(bool(record.messages_for(number)) or number in refused for number in people)
    claimed = task.end.receipt.counts.accepted
    if claimed > possible:
        yield f"the receipt says that {claimed} were accepted, the vendor has {possible}"


def wrong_account(world: World, task: WaitTask, accepted: int = 0) -> Iterable[str]:
    """A receipt that has accepted messages names an account that has them: whoever waits for it asks no other one.

    `accepted`: those that an earlier receipt of the same ledger has told of. If this one does not know of them (the
    ledger could not be read), it names no account.
    """
    account, accepted = task.receipt.get("account"), max(accepted, task.receipt["counts"]["accepted"])
    if account and accepted:
        record = world.account(account).record
        if not record.messages and not record.refusals:
            yield f"the receipt of {accepted} accepted messages names an account that has none of them"


# -- the wait ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """The number of followed messages in each standing at a moment."""

    total: int
    handset: int
    operator: int
    failed: int
    half_failed: int
    """A step failed that is not the last, nothing was delivered, and no later step has begun: nothing can be heard of
    as under way.
    """


class View(enum.Enum):
    """The part of the truth that a client can see, where the vendor's documents leave that open."""

    ALL = "all"
    NO_STEP_FAILURES = "no step failures"
    """Reports are final only: that a step before the last failed after its operator delivery is told by no report."""
    LAST_STEP = "last step"
    """Logs have the latest step's row only: what a report told about an earlier one, and got lost, is nowhere."""


def views_of(settings: Settings, *, reports_kept: bool = False) -> list[View]:
    """Return the views that a client may have of such an account. `reports_kept`: no report was lost."""
    views = [View.ALL]
    if settings.reports == "final":
        views.append(View.NO_STEP_FAILURES)
    if settings.log_rows == "last-step" and not reports_kept:
        views.append(View.LAST_STEP)
    return views


def truth_at(messages: Sequence[Message | None], flow: Sequence[str], moment: float, view: View = View.ALL) -> Truth:
    """Look into the simulator's plans for the messages (None: it never took that one)."""
    return truth_of([standing_of(message, flow, moment, view) for message in messages])


def seen_to_fail(
    messages: Sequence[Message | None], flow: Sequence[str], moment: float, view: View, since: float
) -> Truth:
    """Standings if whoever had failed for good on the last step, while it was waited for, was not looked at again:
    that an earlier or a later word is of a delivery after all, a wait need not notice.
    """
    moments = [at for at in changes_of(messages) if since <= at <= moment]
    failed = [any(standing_of(each, flow, at, view) == "failed" for at in moments) for each in messages]
    now = (standing_of(each, flow, moment, view) for each in messages)
    return truth_of(["failed" if gone else standing for gone, standing in zip(failed, now, strict=True)])


def as_logs_show_each(
    messages: Sequence[Message | None], flow: Sequence[str], ended_at: float, view: View, lag: float
) -> Truth:
    """The best that logs which lag behind may still show of each message. Where each is followed by its own id, and a
    read of one's reports takes those of all others, what takes an operator's word back is in the logs only.
    """
    moments = [ended_at - lag - LAST_CALLS, *(at for at in changes_of(messages) if at <= ended_at)]
    order = ("handset", "operator", "open", "half", "failed")
    seen = [{standing_of(each, flow, at, view) for at in moments if at >= moments[0]} for each in messages]
    return truth_of([min(standings, key=order.index) for standings in seen])


LAST_CALLS = 10.0
"""Seconds that the calls after the last look may take."""


def truth_of(standings: Sequence[str]) -> Truth:
    """Count them."""
    counts = Counter(standings)
    return Truth(len(standings), counts["handset"], counts["operator"], counts["failed"], counts["half"])


def before_late_logs(
    messages: Sequence[Message | None], flow: Sequence[str], ended_at: float, view: View, lag: float
) -> Truth:
    """The truth of the end for a wait whose logs lag behind by more than it reckons with: steps under way that no
    report has told of have not begun for it. docs/waiting.md says by how much logs may lag.
    """
    logged = ended_at - lag if lag > LOG_LAG else math.inf
    return truth_of([standing_of(message, flow, ended_at, view, logged=logged) for message in messages])


def standing_of(
    message: Message | None, flow: Sequence[str], moment: float, view: View = View.ALL, logged: float = math.inf
) -> str:
    """The state of a message at a moment: handset, operator, failed, half (a step, not the last), or open. Whoever has
    begun another step since, which has not ended, is open: under way is not failed.

    `logged`: steps that began later count only if something has become of them.
    """
    if message is None:
        return "open"
    steps = {}
    begun = [
        step
        for step in message.steps
        if step.started_at <= moment and (step.started_at <= logged or step.at(moment) is not None)
    ]
    for step in begun[-1:] if view is View.LAST_STEP else begun:
        so_far = [change.status for change in step.changes if change.at <= moment]
        if any(status.id == 5 for status in so_far):
            return "handset"
        operator = any(status.group_id == 3 for status in so_far)
        if operator and view is View.NO_STEP_FAILURES and step.channel != flow[-1]:
            steps[step.channel] = "operator"
        elif any(status.failed for status in so_far):
            steps[step.channel] = "failed"
        elif any(status.group_id == 3 for status in so_far):
            steps[step.channel] = "operator"
        else:
            steps[step.channel] = "running"
    if flow and steps.get(flow[-1]) == "failed":
        return "failed"
    if "operator" in steps.values():
        return "operator"
    return "half" if "failed" in steps.values() and "running" not in steps.values() else "open"


def right_verdict(truth: Truth, schedule: Schedule, *, closing: bool) -> str:
    """The verdict that the criterion asks for: open, success or failure; at the deadline half failed ones fail."""
    wait = schedule.wait
    group = wait.delivered_means == "group"
    delivered = truth.handset + (truth.operator if group else 0)
    failed = truth.failed + (truth.half_failed if closing else 0)
    pending = truth.total - delivered - failed
    if wait.settle and not closing and pending + (truth.operator if group else 0):
        return "open"
    if wait.success_when == "finished":
        return "open" if pending else "success"
    needed = {"all": truth.total, "any": min(1, truth.total)}.get(str(wait.success_when))
    if needed is None:
        needed = math.ceil(float(wait.success_when) * truth.total)
    if wait.success_when == "any" and not truth.total:
        return "failure"
    if delivered >= needed:
        return "success"
    return "failure" if truth.total - failed < needed else "open"


def judge_wait(schedule: Schedule, simulator: Simulator, task: WaitTask, patience: float) -> list[str]:
    """Compare the wait's end with the truth. `patience`: seconds that the wait may be behind it."""
    known = {message.message_id: message for message in simulator.record.messages}
    ids = [message_id for bulk in task.watch.bulks for message_id in bulk.message_ids]
    refused = {refusal.message_id for refusal in simulator.record.refusals if refusal.status_id != 23}
    if set(ids) & refused - set(known) or len(known) != len(simulator.record.messages):
        return []  # followed although refused (its answer was lost), or sent twice: there is no one truth
    messages = [known.get(each) for each in ids]
    if _posted_elsewhere(task, known):
        return []  # the receipt is older than what was sent in the end, to other people in another request
    # A clear takes what a trigger has kept.
    forgetful = task.restored if schedule.wait.mode == "trigger" else schedule.airflow == "3.2"
    horizon = (task.ended_at if forgetful else task.began_at) - OLD
    if any(message and message.accepted_at < horizon for message in messages):
        return []  # the vendor itself may have forgotten, and nobody wrote it down
    flow = task.watch.flow
    if any(message and flow != tuple(step.channel for step in message.flow) for message in messages):
        return []  # sent by a try of which nothing is known any more, with another scenario
    if task.result is None:
        if task.error is None:
            return ["the wait never ended"]
        return [f"the wait ended with {type(task.error).__name__}"]
    verdict, ended_at = task.result.verdict.value, task.ended_at
    # The logs may show now what was true before the wait began.
    since = max(ended_at - patience, task.began_at - schedule.settings.log_lag_seconds)
    moments = sorted({since, ended_at, *(at for at in changes_of(messages) if since <= at <= ended_at)})
    closing = ended_at >= task.watch.deadline
    views = views_of(schedule.settings, reports_kept=schedule.wait.reports_kept)
    truths = [truth_at(messages, flow, at, view) for at in moments for view in views]
    truths += [seen_to_fail(messages, flow, at, view, since=task.began_at) for at in moments for view in views]
    if schedule.settings.filtered_read == "all" and schedule.settings.given_bulk_id != "kept":
        truths += [
            as_logs_show_each(messages, flow, ended_at, view, schedule.settings.log_lag_seconds) for view in views
        ]
    right = {right_verdict(truth, schedule, closing=closing) for truth in truths}
    if closing:
        lag = schedule.settings.log_lag_seconds
        truths += [before_late_logs(messages, flow, ended_at, view, lag) for view in views]
        right |= {right_verdict(truth, schedule, closing=True) for truth in truths}
        right |= {right_verdict(truth, schedule, closing=False) for truth in truths}
        right = {"timeout" if each == "open" else each for each in right}
        if ended_at < simulator_start(simulator) + schedule.network.logs_down[1] + patience:
            right.add("timeout")  # nobody could look before giving up
    wrong = []
    if verdict not in right:
        wrong.append(f"the wait says {verdict}, right would be {' or '.join(sorted(right))}")
    # Each message may be seen as of another moment: the page that contradicts one may have been lost meanwhile.
    ever = [{standing_of(message, flow, at, view) for at in moments for view in views} for message in messages]
    if task.result.summary["delivered"] > sum(bool(each & {"handset", "operator"}) for each in ever):
        wrong.append("the summary has deliveries that did not happen")
    if len(views) == 1:
        wrong += too_late(schedule, task, messages, patience)
    return wrong


def _posted_elsewhere(task: WaitTask, known: Mapping[str, Message]) -> bool:
    """Return True if a message is followed by a bulk id that it was not posted with: a clear with another `to`."""
    return any(
        message_id in known and known[message_id].bulk_id not in ("", bulk.bulk_id)
        for bulk in task.watch.bulks
        if not bulk.alone
        for message_id in bulk.message_ids
    )


def simulator_start(simulator: Simulator) -> float:
    """The time at which the schedule began."""
    return min((call.at for call in simulator.record.calls), default=0.0)


def too_late(schedule: Schedule, task: WaitTask, messages: Sequence[Message | None], patience: float) -> Iterable[str]:
    """Return True if the truth was decided long before the wait said so.

    What was seen to fail for good on the last step need not be looked at any more: that an earlier step delivers after
    that, a wait need not notice. It may have noticed it of some of them, and not of others.
    """
    flow, last = task.watch.flow, min(task.ended_at, task.watch.deadline)
    decided = None
    gone: set[int] = set()
    for at in sorted({task.began_at, *(each for each in changes_of(messages) if task.began_at <= each <= last)}):
        standings = [standing_of(message, flow, at) for message in messages]
        gone |= {index for index, standing in enumerate(standings) if standing == "failed"}
        if any(right_verdict(each, schedule, closing=False) == "open" for each in truths_seen(standings, gone)):
            decided = None
        elif decided is None:
            decided = at
    if decided is not None and last - decided > patience:
        yield f"the wait ended {last - decided:.0f} s after it was decided, allowed {patience:.0f} s"


def truths_seen(standings: Sequence[str], gone: Collection[int]) -> Iterable[Truth]:
    """All that may be seen of messages of which each that is `gone` (by its place) may still be taken for failed."""
    sure = Counter(standing for index, standing in enumerate(standings) if index not in gone)
    unsure = Counter(standing for index, standing in enumerate(standings) if index in gone)
    for numbers in itertools.product(*(range(count + 1) for count in unsure.values())):
        noticed = Counter(dict(zip(unsure, numbers, strict=True)))
        failed = Counter({"failed": unsure.total() - noticed.total()})
        yield truth_of([*(sure + noticed + failed).elements()])


def changes_of(messages: Sequence[Message | None]) -> set[float]:
    """The times at which something happens to these messages."""
    found = [message for message in messages if message is not None]
    return {change.at for message in found for step in message.steps for change in step.changes}
