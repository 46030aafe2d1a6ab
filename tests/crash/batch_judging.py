"""What is right for a batch, by the simulator's record: who got how many messages, and what its receipt may claim.

What became of each is `batch_outcomes.py`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.record import Acceptance
from tests.crash.batch_schedule import BatchSchedule
from tests.crash.batch_tasks import BatchPost, BatchTask
from tests.crash.judging import FROZEN, Judgement, posted_in_the_dark
from tests.crash.world import LATEST, READ_TIMEOUT

UNDER_WAY = READ_TIMEOUT + LATEST + 1.0
"""Seconds within which the vendor takes in what was posted, at the latest."""
REFUSED_AGAIN = 23
"""The status of an id that was seen before: it says nothing about the message that had it first."""


def judge_batch_send(schedule: BatchSchedule, simulator: Simulator, task: BatchTask) -> Judgement:
    """Count messages by person, and compare a green task's receipt with them."""
    judgement = Judgement()
    excepted = []
    for number in sorted({row["phone"] for rows in task.began_with.values() for row in rows}):
        found = sorted(simulator.record.messages_for(number), key=lambda each: each.at)
        if len(found) > 1:
            line = f"…{number[-7:]} got {len(found)} messages"
            is_excepted = schedule.guarantee == "B" and woken_meanwhile(found, task.posts)
            (excepted if is_excepted else judgement.twice).append(line)
    if excepted and not judgement.twice:
        judgement.twice, judgement.excepted = excepted, FROZEN
    judgement.wrong += posted_in_the_dark(task.posts)
    judgement.wrong += task.false_words
    if task.end is not None:
        judgement.never += _never(simulator, task)
        judgement.wrong += _false_claims(schedule, simulator, task)
    return judgement


def woken_meanwhile(accepted: list[Acceptance], posts: list[BatchPost]) -> bool:
    """Whether a try was frozen before its POST and woke up while, or after, another one was at it.

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


def _never(simulator: Simulator, task: BatchTask) -> Iterable[str]:
    assert task.end is not None
    people = {row["phone"] for row in task.rows}
    got = {number for number in people if simulator.record.messages_for(number)}
    never = people - got - refused_numbers(simulator)
    if never and not task.end.receipt.counts.unconfirmed:
        yield f"{len(never)} got nothing, and the task is green"


def _false_claims(schedule: BatchSchedule, simulator: Simulator, task: BatchTask) -> Iterable[str]:
    assert task.end is not None
    counts = task.end.receipt.counts
    people = {row["phone"] for row in task.rows}
    got = {number for number in people if simulator.record.messages_for(number)}
    if counts.accepted > len(got | (people & refused_numbers(simulator))):
        yield f"the receipt says that {counts.accepted} were accepted, the vendor has {len(got)}"
    known = counts.accepted + counts.unconfirmed
    if schedule.settings.refused_in == "nothing" and known < len(got):
        yield f"the receipt knows of {known} messages, the vendor has {len(got)}"


def refused_numbers(simulator: Simulator) -> set[str]:
    """Everybody whom the vendor has refused at some time."""
    return {refusal.to for refusal in simulator.record.refusals if refusal.status_id != REFUSED_AGAIN}
