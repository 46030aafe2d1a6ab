"""The promise for a batch, judged by the simulator's record: who got how many messages, and what its receipt may claim.

What became of each is `batch_outcomes.py`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_omni.simulator.record import Acceptance, Record
from tests.crash.batch_schedule import BatchSchedule
from tests.crash.batch_tasks import BatchPost, BatchTask
from tests.crash.checker import (
    FROZEN,
    UNDER_WAY,
    Judgement,
    counted_twice,
    hidden_by_refusals,
    lost_between,
    posted_in_the_dark,
    strange_receipts,
    switched,
    tries_overlap,
)
from tests.crash.clocks import Clocks
from tests.crash.world import World

STOPPED = 10.0
"""Seconds between a decision to post and the POST, above which the process must have been stopped."""
REFUSED_AGAIN = 23
"""The status of an id that was seen before: it says nothing about the message that had it first."""


def judge_batch_send(schedule: BatchSchedule, world: World, task: BatchTask) -> Judgement:
    """Count messages by person, whichever account has taken them, and compare a green task's receipt with them."""
    judgement, record = Judgement(), world.record
    excepted = []
    for number in sorted({row["phone"] for rows in task.began_with.values() for row in rows}):
        found = record.messages_for(number)
        if len(found) > 1:
            line = f"…{number[-7:]} got {len(found)} messages"
            why = None
            if not schedule.ledger and lost_between(found, task.task_state.lost_at, task.posts):
                why = switched(schedule, world, number)
            if why is None and schedule.guarantee == "B" and woken_meanwhile(found, task.posts):
                why = FROZEN
            if why is None:
                judgement.twice.append(line)
            else:
                excepted.append((line, why))
    if excepted and not judgement.twice:
        judgement.twice, judgement.excepted = [line for line, _ in excepted], excepted[0][1]
    judgement.wrong += posted_in_the_dark(task.posts)
    judgement.wrong += task.false_words
    judgement.wrong += in_shut_hours(schedule, world, task)
    lost = bool(task.spoilt_at or schedule.send.moved_at or not schedule.ledger)
    judgement.wrong += strange_receipts(world, task.ends, lost=lost)
    # Before Airflow 3.3 nothing tells a try that wakes up that another one has counted meanwhile.
    state_lost = schedule.airflow == "3.2" or (not schedule.ledger and bool(task.task_state.lost_at))
    judgement.wrong += counted_twice(
        world,
        task.posts,
        lost=bool(task.spoilt_at or schedule.send.moved_at or state_lost) or tries_overlap(schedule.send),
    )
    if len(world.simulators) == 1 and len(set(schedule.upheavals.secrets)) == 1:
        judgement.wrong += hidden_by_refusals(record, task.ends, schedule.settings.log_lag_seconds)
    if task.end is not None:
        judgement.never += _never(record, task)
        judgement.wrong += _false_claims(schedule, record, task)
    return judgement


def in_shut_hours(schedule: BatchSchedule, world: World, task: BatchTask) -> Iterable[str]:
    """Nobody is woken up: no message begins in hours in which none may, as far as the clocks are right. What a process
    that was stopped has decided before may come later.
    """
    shut = schedule.send.shut
    if shut is None or schedule.clocks != Clocks():
        return
    stopped = {each for post in task.posts if post.at - post.intended_at > STOPPED for each in post.ids}
    since, until = (world.start + each for each in shut)
    found = sum(
        since <= message.starts_at < until and message.message_id not in stopped
        for simulator in world.simulators.values()
        for message in simulator.record.messages
    )
    if found:
        yield f"{found} messages began in hours in which none may"


def woken_meanwhile(accepted: list[Acceptance], posts: list[BatchPost]) -> bool:
    """Return True if a try was frozen before its POST and woke up while, or after, another one was at it.

    A try that began after a message was taken could have found that out: for it there is no excuse.
    """
    senders = [
        [
            post
            for post in posts
            if each.message_id in post.ids and post.at - 0.001 <= each.at <= post.at + UNDER_WAY  # milliseconds
        ]
        for each in accepted
    ]
    if not any(post.woken for group in senders for post in group):
        return False
    return all(
        any(post.try_began_at <= accepted[0].at + UNDER_WAY or post.woken for post in group) for group in senders[1:]
    )


def _never(record: Record, task: BatchTask) -> Iterable[str]:
    assert task.end is not None
    people = {row["phone"] for row in task.rows}
    got = {number for number in people if record.messages_for(number)}
    never = people - got - refused_numbers(record) - task.listed
    if never and not task.end.receipt.counts.unconfirmed:
        yield f"{len(never)} got nothing, and the task is green"


def _false_claims(schedule: BatchSchedule, record: Record, task: BatchTask) -> Iterable[str]:
    assert task.end is not None
    counts = task.end.receipt.counts
    people = {row["phone"] for row in task.rows}
    got = {number for number in people if record.messages_for(number)}
    if counts.accepted > len(got | (people & refused_numbers(record))):
        yield f"the receipt says that {counts.accepted} were accepted, the vendor has {len(got)}"
    known = counts.accepted + counts.unconfirmed
    # Who is on the suppression list is nobody's business any more, but counts if an earlier try has sent to them.
    if schedule.settings.refused_in == "nothing" and known < len(got - task.listed):
        yield f"the receipt knows of {known} messages, the vendor has {len(got - task.listed)}"
    if (left_out := counts.suppressed or 0) > len(task.listed & people):
        yield f"the receipt says that {left_out} are on the suppression list, which has {len(task.listed & people)}"


def refused_numbers(record: Record) -> set[str]:
    """Everybody whom the vendor has refused at some time."""
    return {refusal.to for refusal in record.refusals if refusal.status_id != REFUSED_AGAIN}
