"""The decisions that keep a message from being sent twice, each at its edge."""

from __future__ import annotations

import pytest

from airflow_provider_omni.delivery.messages.states import CLOCKS, HORIZON, Attempt, MessageState, Origin
from airflow_provider_omni.delivery.outbox.policy import LookPolicy
from airflow_provider_omni.delivery.outbox.safety import (
    attempts_to_look_for,
    can_be_proven,
    is_fresh,
    is_sent_by_a_copy,
    may_be_asked_by_bulk,
    may_be_trusted,
    outdates_refusal,
    provable_at,
    proves_absence,
    seconds_too_early,
    shows_acceptance,
)
from airflow_provider_omni.delivery.outbox.send_limits import INTENT_TTL
from tests.unit.delivery.stage import status

_S = MessageState
HERE, THERE = Origin("ours", "scenario"), Origin("other", "scenario")
LOOK = LookPolicy(read_timeout=40.0, grace=30.0, patience=900.0)


def attempt(at: float = 1000.0, **more: object) -> Attempt:
    made = Attempt("bulk", at, origin=HERE, messages={"a": _S.IN_DOUBT, "b": _S.IN_DOUBT})
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_an_intent_is_fresh_for_as_long_as_its_post_may_begin() -> None:
    assert is_fresh(1000.0, 1000.0 + INTENT_TTL)
    assert not is_fresh(1000.0, 1000.1 + INTENT_TTL)


def test_absence_of_a_post_of_this_try_can_be_proven_once_its_call_and_the_lag_are_over() -> None:
    assert provable_at(attempt(ours=True), LOOK, asked_at=1001.0, taken_over_at=0.0) == 1000.0 + 40.0 + 30.0
    assert provable_at(attempt(ours=True), LOOK, asked_at=2000.0, taken_over_at=0.0) == 2000.0 + 30.0


def test_what_an_earlier_try_has_posted_is_measured_from_the_takeover_and_not_by_its_clock() -> None:
    for at in (-1e9, 1000.0, 1e9):
        assert provable_at(attempt(at), LOOK, asked_at=9.0, taken_over_at=500.0) == 500.0 + INTENT_TTL + 40.0 + 30.0


def test_a_scheduled_message_is_looked_for_when_its_time_has_come() -> None:
    assert provable_at(attempt(scheduled_at=5000.0), LOOK, asked_at=500.0, taken_over_at=500.0) == 5000.0 + 40.0 + 30.0


def test_the_vendors_own_clock_says_how_much_too_early_a_look_for_a_scheduled_message_is() -> None:
    ahead = attempt(scheduled_at=5000.0)
    assert seconds_too_early(ahead, LOOK, 4000.0) == 1000.0 + 40.0 + 30.0
    assert seconds_too_early(ahead, LOOK, None) == 0.0
    assert seconds_too_early(attempt(), LOOK, 4000.0) == 0.0


@pytest.mark.parametrize(
    ("made", "now", "at", "proven"),
    [
        (attempt(), 1100.0, 1100.0, True),
        (attempt(), 1100.0, 1100.0 + LOOK.patience, True),
        (attempt(), 1100.0, 1100.1 + LOOK.patience, False),
        (attempt(), 1000.0 + HORIZON - 1.0, 0.0, True),
        (attempt(), 1000.0 + HORIZON, 0.0, False),
        (attempt(), 1000.0 - CLOCKS - 1.0, 0.0, False),
        (attempt(origin=THERE), 1100.0, 1100.0, False),
        (attempt(origin=None), 1100.0, 1100.0, False),
        (attempt(origin=None, ours=True), 1100.0, 1100.0, True),
    ],
)
def test_absence_can_be_proven_of_what_was_posted_from_here_lately_and_soon(
    made: Attempt, now: float, at: float, *, proven: bool
) -> None:
    assert can_be_proven(made, LOOK, HERE, now, at) is proven


def test_absence_takes_two_empty_looks_a_grace_time_apart() -> None:
    assert not proves_absence(LOOK, 1000.0, None)
    assert not proves_absence(LOOK, 1029.9, 1000.0)
    assert proves_absence(LOOK, 1030.0, 1000.0)


def test_a_bulk_id_is_asked_for_several_messages_that_can_be_in_one_request_only() -> None:
    assert may_be_asked_by_bulk(attempt(), ["a", "b"])
    assert not may_be_asked_by_bulk(attempt(), ["a"])
    assert not may_be_asked_by_bulk(attempt(bulk_id_conclusive=False), ["a", "b"])


@pytest.mark.parametrize(
    ("states", "made", "trusted"),
    [
        ([_S.IN_DOUBT], attempt(), True),
        ([_S.REFUSED, _S.IN_DOUBT], attempt(), True),
        ([_S.DUPLICATE_ID, _S.IN_DOUBT], attempt(), False),
        ([_S.IN_DOUBT, _S.IN_DOUBT], attempt(), False),
        ([_S.DUPLICATE_ID], attempt(), False),
        ([_S.IN_DOUBT], attempt(origin=THERE), False),
        ([_S.IN_DOUBT], attempt(at=1100.0 - HORIZON), False),
        ([_S.IN_DOUBT], None, False),
    ],
)
def test_an_account_is_trusted_with_the_only_id_that_can_be_in_doubt(
    states: list[MessageState | None], made: Attempt | None, *, trusted: bool
) -> None:
    assert may_be_trusted(states, made, HERE, 1100.0) is trusted


def test_an_alert_that_is_in_doubt_was_sent_where_the_vendor_has_seen_all_of_it() -> None:
    assert is_sent_by_a_copy({"a", "b"}, {"a", "b", "c"})
    assert not is_sent_by_a_copy({"a", "b"}, {"a"})
    assert not is_sent_by_a_copy(set(), {"a"})


def test_under_a_shared_key_five_further_attempts_are_looked_for_after_those_that_are_known_to_be_refused() -> None:
    assert [attempts_to_look_for(refused, shared_key=True) for refused in range(3)] == [6, 7, 8]
    assert attempts_to_look_for(3, shared_key=False) == 0


def test_any_row_but_one_of_a_refusal_shows_that_another_task_has_sent_under_an_id_that_was_refused() -> None:
    told = {name: outdates_refusal(status(name), None) for name in ("enroute", "handset", "operator", "failed")}
    assert all(told.values())
    assert not any(outdates_refusal(status(name), None) for name in ("refused", "no credit", "seen"))
    assert not outdates_refusal(status("failed"), "UNDELIVERABLE_NOT_DELIVERED")


def test_a_message_was_taken_if_any_of_its_rows_is_not_that_of_a_refusal() -> None:
    assert shows_acceptance([status("refused"), status("handset")])
    assert shows_acceptance([status("enroute")])
    assert not shows_acceptance([status("refused")])
