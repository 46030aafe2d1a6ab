"""A batch in shards on two workers and two triggerers, of which one each is lost, judged by the simulator's record."""

from __future__ import annotations

from collections import Counter

import pytest

from dev.distributed import TRIGGERERS, WORKERS
from tests.distributed.people import PEOPLE, expected, expected_counts, number_of
from tests.distributed.story import SHARDS, Story

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(600)]

REFUSED = sum(count for (outcome, _), count in expected_counts().items() if outcome == "refused")


def test_run_succeeds(story: Story) -> None:
    assert story.state == "success", story.described


def test_everybody_gets_exactly_one_message(story: Story) -> None:
    sent = Counter(accepted["to"] for accepted in story.record["acceptances"])

    assert set(sent.values()) == {1}
    assert set(sent) == {number for number in map(number_of, range(PEOPLE)) if not number.endswith("06")}


def test_shards_of_the_lost_worker_are_finished_by_the_other(story: Story) -> None:
    (lost,) = {task.hostname for task in story.lost_sends}
    (other,) = set(WORKERS) - {lost}

    finished = {task.map_index: (task.hostname, task.try_number > 1) for task in story.sends}
    assert {finished[task.map_index] for task in story.lost_sends} == {(other, True)}, story.described


def test_sensors_of_the_lost_triggerer_go_on_without_the_reports_that_it_had_taken(story: Story) -> None:
    (lost,) = {task.triggerer_host for task in story.lost_waits}

    assert lost in TRIGGERERS
    assert story.lost_reports > 0
    assert {task.state for task in story.waits} == {"success"}


def test_receipts_count_everybody(story: Story) -> None:
    counts: Counter[str] = Counter()
    for receipt in story.receipts:
        counts.update(receipt["counts"])

    assert len(story.receipts) == SHARDS
    assert +counts == {"requested": PEOPLE, "accepted": PEOPLE - REFUSED, "rejected": REFUSED}


def test_summaries_hold_every_outcome(story: Story) -> None:
    by_channel: Counter[str] = Counter()
    for summary in story.summaries:
        by_channel.update(summary["by_channel"])

    wanted = expected_counts()
    assert sum(summary["total"] for summary in story.summaries) == PEOPLE - REFUSED
    assert sum(summary["pending"] for summary in story.summaries) == 0
    assert sum(summary["failed"] for summary in story.summaries) == wanted["failed", "SMS"]
    assert by_channel == {"LINE": wanted["delivered", "LINE"], "SMS": wanted["delivered", "SMS"]}


def test_ledger_has_one_row_with_the_right_outcome_for_everybody(story: Story) -> None:
    told = {
        row.recipient: ("refused", None) if row.state == "refused" else (row.outcome, row.channel)
        for row in story.outcomes
    }

    assert len(story.outcomes) == PEOPLE
    assert told == expected()


def test_no_log_holds_a_phone_number(story: Story) -> None:
    assert story.telling_logs == []
