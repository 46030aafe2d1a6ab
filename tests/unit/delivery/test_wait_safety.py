"""The decisions that keep an outcome from being lost or told wrong, each at its edge."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_omni.delivery.tracking.safety import (
    answered_by_list,
    is_bulk_id_doubted,
    is_due,
    is_heard,
    is_left_to_samples,
    is_written_down,
    may_be_contradicted,
    may_be_followed_singly,
    may_be_forgotten,
    may_be_overruled,
    may_begin_anew,
    must_be_followed_singly,
    on_older_words,
    proves_lists,
    rests_on_words,
    samples_from,
)
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.watch import Bulk
from airflow_provider_omni.omni.models import Report, Rows
from tests.unit.delivery.stage import report


def source(**more: Any) -> Subscription:
    """A request of two messages that was looked for, read and written down, with nothing open but their outcomes."""
    counts = DeliveryCounts(total=2)
    given = {"counts": counts, "journal_loaded": True, "logs_due": False, "looked_at": 100.0, "samples": ("a", "b")}
    return Subscription(Bulk("bulk", 2, ("a", "b")), 2, **given | more)


@pytest.mark.parametrize(
    ("more", "closing", "written"),
    [
        ({}, False, True),
        ({"dirty": True}, False, False),
        ({"dirty": True}, True, False),
        ({"journal_loaded": False}, False, False),
        ({"journal_loaded": False}, True, True),
    ],
)
def test_nothing_is_decided_from_what_is_not_written_down(
    more: dict[str, Any], *, closing: bool, written: bool
) -> None:
    assert is_written_down(source(**more), closing=closing) is written


def test_a_wait_does_not_begin_anew_while_something_that_was_read_is_not_written_down() -> None:
    assert may_begin_anew([])
    assert may_begin_anew([source(), source()])
    assert not may_begin_anew([source(), source(dirty=True)])


@pytest.mark.parametrize("overlooked", [False, True])
@pytest.mark.parametrize("marked", [False, True])
def test_messages_are_followed_singly_if_this_copy_or_another_has_seen_the_need(
    *, overlooked: bool, marked: bool
) -> None:
    assert must_be_followed_singly(overlooked=overlooked, marked=marked) is (overlooked or marked)


def test_reports_are_heard_once_a_short_page_was_read_whole() -> None:
    spoilt = Rows[Report]([])
    spoilt.skipped = 1
    full = Rows[Report]([report("a"), report("b")])
    assert is_heard(Rows[Report]([]), 2)
    assert not is_heard(full, 2)
    assert is_heard(full, 3)
    assert not is_heard(spoilt, 2)
    assert not is_heard(None, 2)


def test_a_failure_may_be_contradicted_while_reports_are_unread_and_in_time_windows_always() -> None:
    assert may_be_contradicted(source(reports_unread=True))
    assert not may_be_contradicted(source(reports_unread=False))
    assert may_be_contradicted(source(reports_unread=False, by_time_window=True))


def test_a_wait_that_begins_asks_the_logs() -> None:
    begun = Subscription(Bulk("bulk", 2, ("a", "b")), 2)
    assert is_due(begun, 0.0, closing=False)


def test_the_logs_are_asked_when_due_while_the_size_is_unknown_and_in_the_last_round() -> None:
    assert not is_due(source(), 0.0, closing=False)
    assert is_due(source(logs_due=True), 0.0, closing=False)
    assert is_due(_of_unknown_size(), 0.0, closing=False)
    assert is_due(source(), 100.1, closing=False)
    assert not is_due(source(), 100.0, closing=False)
    assert is_due(source(), 0.0, closing=True)


def _of_unknown_size() -> Subscription:
    made = source()
    made.expected = None
    return made


def test_a_bulk_id_is_doubted_while_nothing_was_seen_or_heard_by_it_and_something_is_open() -> None:
    assert is_bulk_id_doubted(source(unseen=True))
    assert not is_bulk_id_doubted(source())
    assert not is_bulk_id_doubted(source(unseen=True, heard=True))
    assert not is_bulk_id_doubted(source(unseen=True, samples=()))
    assert not is_bulk_id_doubted(source(unseen=True, counts=DeliveryCounts(total=2, delivered=2)))


def test_messages_stand_for_their_request_in_turn() -> None:
    assert ["".join(samples_from(turn, ("a", "b", "c"))) for turn in range(4)] == ["abc", "bca", "cab", "abc"]


def test_a_success_on_operators_words_is_looked_at_once_more_unless_it_was_in_this_poll() -> None:
    words = DeliveryCounts(total=2, operator_only=1)
    assert rests_on_words(source(counts=words), 100.1)
    assert not rests_on_words(source(counts=words), 100.0)
    assert not rests_on_words(source(), 100.1)


def test_words_are_asked_about_again_after_news_of_others_but_not_of_their_own() -> None:
    words = DeliveryCounts(total=2, operator_only=1)
    other, mine = source(changed_at=100.0), source(counts=words, changed_at=101.0)
    assert on_older_words([other, mine], 99.0) == []
    assert on_older_words([other, mine], 100.5) == [mine]
    other.changed_at = 100.5
    assert on_older_words([other, mine], 99.0) == [mine]


def test_a_failure_after_another_step_may_be_overruled_until_the_logs_were_asked() -> None:
    assert may_be_overruled(source(failed_after_others=True, heard_since_logs=True))
    assert not may_be_overruled(source(failed_after_others=True))
    assert not may_be_overruled(source(heard_since_logs=True))
    assert not may_be_overruled(source(failed_after_others=True, heard_since_logs=True, evicted=True))


def test_where_the_logs_can_be_asked_about_all_a_failure_is_forgotten_only_after_that() -> None:
    of_all = DeliveryCounts(total=2, delivered=1, failed=1)
    unasked = source(counts=of_all, failed_after_others=True, heard_since_logs=True)
    assert not may_be_forgotten(unasked, few=True)
    assert may_be_forgotten(unasked, few=False)
    assert may_be_forgotten(source(counts=of_all, failed_after_others=True), few=True)


def test_messages_are_followed_singly_once_later_copies_are_told() -> None:
    assert may_be_followed_singly(marked=True)
    assert not may_be_followed_singly(marked=False)


def test_a_request_is_forgotten_when_each_outcome_is_final() -> None:
    assert not may_be_forgotten(source(counts=DeliveryCounts(total=2, delivered=1)), few=False)
    assert not may_be_forgotten(source(counts=DeliveryCounts(total=2, delivered=1, operator_only=1)), few=False)
    assert may_be_forgotten(source(counts=DeliveryCounts(total=2, delivered=1, failed=1)), few=False)
    assert not may_be_forgotten(_of_unknown_size(), few=False)


def test_a_list_is_proven_to_be_read_by_two_of_its_ids() -> None:
    assert [proves_lists(shown) for shown in range(4)] == [False, False, True, True]


def test_a_list_tells_of_what_it_shows_and_of_what_was_asked_alone_and_once_lists_are_read_of_all() -> None:
    found: dict[str, list[int]] = {"shown": [1], "alone": [], "neither": []}
    assert answered_by_list(found, {"alone"}, lists_read=False) == ["shown", "alone"]
    assert answered_by_list(found, {"alone"}, lists_read=True) == ["shown", "alone", "neither"]


def test_a_request_is_left_to_its_samples_while_its_bulk_id_is_doubted() -> None:
    assert is_left_to_samples(source())
    assert not is_left_to_samples(source(heard=True))
    assert not is_left_to_samples(source(samples=()))
    assert not is_left_to_samples(Subscription(Bulk(None, 1, ("a",)), 1, samples=("a",)))
