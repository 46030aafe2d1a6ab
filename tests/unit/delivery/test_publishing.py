"""Receipts that cannot be published: nothing is posted that nobody could follow, and nobody is sent to twice for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.omni.errors import Effect, OmniInputError, OmniStorageError, OmniUnknownOutcomeError
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.stage import Stage, answered
from tests.unit.delivery.test_single_send import (
    AN_HOUR_AGO,
    LOST,
    NOT_SENT,
    A,
    B,
    counts,
    message_id,
    on_record,
    plan,
    send,
)

FAILS = OmniStorageError("no XCom", retryable=True)


def test_a_receipt_that_cannot_be_published_for_a_moment_is_published_again_and_the_send_goes_on() -> None:
    stage = Stage(publishes=[FAILS, FAILS, None])
    assert send(stage).error is None
    assert stage.posted == [[message_id(A)]]
    assert stage.published[0]["message_ids"] == [message_id(A)]


def test_a_receipt_counts_what_is_about_to_be_posted_as_unconfirmed() -> None:
    """A wait by that receipt takes nobody for unsent if the process dies right after its POST."""
    stage = Stage(posts=[NOT_SENT, answered(d27="refused")])
    end = send(stage, plan([A, B]))
    for each in map(Receipt.from_json, stage.published[:2]):
        assert (each.accepted, each.unsent) == (2, 0)
        assert sum(bulk.size for bulk in each.bulks) == 2
    assert counts(end) == {"requested": 2, "accepted": 1, "rejected": 1}


def test_what_cannot_be_published_is_not_posted_and_the_record_says_so() -> None:
    stage = Stage(publishes=[FAILS])
    end = send(stage, plan([A, B]))
    assert end.error is FAILS
    assert end.error.effect is Effect.NONE
    assert counts(end) == {"requested": 2}
    assert stage.posted == []
    assert on_record(stage) == {message_id(A): "not_sent", message_id(B): "not_sent"}
    stage.publishes = [None]
    begun = stage.clock.now()
    assert send(stage, plan([A, B]), first_try_at=AN_HOUR_AGO).error is None
    assert (stage.looks, stage.clock.now()) == ([], begun), "the logs need not be asked: nothing was posted"
    assert stage.posted == [[message_id(A), message_id(B)]]


def test_what_was_found_absent_and_cannot_be_published_is_asked_for_again_by_the_next_try() -> None:
    stage = Stage(posts=[LOST])
    assert isinstance(send(stage, until=lambda effect: bool(stage.looks)), type(None))
    stage.publishes = [FAILS]
    end = send(stage, first_try_at=AN_HOUR_AGO)
    assert end.error is FAILS
    assert len(stage.posted) == 1
    assert on_record(stage) == {message_id(A): "absent"}


def test_a_receipt_that_cannot_be_published_at_the_end_changes_nothing_about_the_end() -> None:
    stage = Stage(publishes=[None, FAILS])
    end = send(stage)
    assert (end.error, counts(end)) == (None, {"requested": 1, "accepted": 1})
    assert any("could not be published at the end" in note for note in stage.notes)
    stage = Stage(publishes=[None, FAILS], posts=[LOST], logs=[OmniStorageError("logs are down")])
    assert isinstance(send(stage).error, OmniUnknownOutcomeError)


def test_a_later_try_publishes_what_an_earlier_one_could_not_and_posts_nothing() -> None:
    stage = Stage(publishes=[None, FAILS])
    send(stage)
    stage.published.clear()
    stage.publishes = [None]
    assert send(stage, first_try_at=AN_HOUR_AGO).error is None
    assert stage.published[-1]["message_ids"] == [message_id(A)]
    assert len(stage.posted) == 1


class Shelf(list[dict[str, Any]]):
    """Takes receipts; those of these numbers not."""

    def __init__(self, *fails: int, all_from: int = 1_000_000) -> None:
        super().__init__()
        self.fails, self.all_from, self.asked = fails, all_from, 0

    def append(self, receipt: dict[str, Any]) -> None:
        self.asked += 1
        if self.asked in self.fails or self.asked >= self.all_from:
            raise FAILS
        super().append(receipt)


@pytest.mark.parametrize("ledger", [True, False])
def test_a_batch_whose_receipt_cannot_be_published_posts_nothing(tmp_path: Path, ledger: bool) -> None:
    world = World(tmp_path)
    world.published = Shelf(all_from=1)
    end = world.send(numbers(60), ledger=ledger)
    assert isinstance(end.error, OmniStorageError)
    assert (end.error.effect, end.error.retryable) == (Effect.NONE, True)
    assert world.posts == 0
    world.published = Shelf()
    assert world.send(numbers(60), ledger=ledger).error is None
    assert Counter(world.accepted()) == Counter(numbers(60))


def test_without_a_ledger_a_window_whose_receipt_cannot_be_published_is_written_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.published = Shelf(2, 3)
    assert world.send(numbers(60), ledger=False, policy={"connections": 1}).error is None
    assert Counter(world.accepted()) == Counter(numbers(60))


@pytest.mark.parametrize("after", [2, 3, 4])
def test_without_a_ledger_what_cannot_be_published_is_not_posted_and_what_is_under_way_is_heard(
    tmp_path: Path, after: int
) -> None:
    world = World(tmp_path)
    world.published = Shelf(all_from=after)
    end = world.send(numbers(600), ledger=False, policy={"connections": 4})
    assert isinstance(end.error, OmniStorageError)
    taken = len(world.accepted())
    assert end.receipt.counts.accepted == taken
    assert end.receipt.counts.unconfirmed == 0
    assert end.receipt.to_json()["counts"]["accepted"] == taken
    listed = {each["bulk_id"] for receipt in world.published for each in receipt["bulks"]}
    assert {each.bulk_id for each in world.simulator.record.acceptances} <= listed
    world.published = Shelf()
    begun = world.clock.now()
    assert world.send(numbers(600), ledger=False).error is None
    assert world.clock.now() - begun < 30.0, "the logs need not be asked: all is known"
    assert Counter(world.accepted()) == Counter(numbers(600))


def test_a_batch_is_green_though_its_last_receipt_could_not_be_published(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.published = Shelf(all_from=2)
    end = world.send(numbers(60))
    assert (end.error, end.receipt.counts.accepted) == (None, 60)


def test_a_try_that_cannot_begin_ends_with_its_own_error_though_no_receipt_can_be_published(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.send(numbers(20)).error is None
    world.published = Shelf(all_from=1)
    end = world.send(numbers(20), chunk_size=500)
    assert isinstance(end.error, OmniInputError)
    assert end.receipt.counts.accepted == 20
