"""From counts to success, failure or "not yet"."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.status import StatusUpdate, Tracker
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.verdict import (
    DeliveryCounts,
    Verdict,
    evaluate,
    percentiles,
)
from airflow_provider_omni.omni.errors import OmniInputError
from tests.unit.delivery.stage import START, report
from tests.unit.delivery.updates import held

OPEN, SUCCESS, FAILURE, TIMEOUT = Verdict.OPEN, Verdict.SUCCESS, Verdict.FAILURE, Verdict.TIMEOUT

TABLE = [
    # success_when, total, delivered, failed: before the deadline, at the deadline
    ("all", 3, 3, 0, SUCCESS, SUCCESS),
    ("all", 3, 2, 0, OPEN, TIMEOUT),
    ("all", 3, 2, 1, FAILURE, FAILURE),
    ("all", 3, 0, 1, FAILURE, FAILURE),
    ("any", 3, 1, 0, SUCCESS, SUCCESS),
    ("any", 3, 0, 2, OPEN, TIMEOUT),
    ("any", 3, 0, 3, FAILURE, FAILURE),
    ("finished", 3, 0, 3, SUCCESS, SUCCESS),
    ("finished", 3, 2, 1, SUCCESS, SUCCESS),
    ("finished", 3, 2, 0, OPEN, TIMEOUT),
    (0.5, 4, 2, 0, SUCCESS, SUCCESS),
    (0.5, 4, 1, 2, OPEN, TIMEOUT),
    (0.5, 4, 1, 3, FAILURE, FAILURE),
    (0.95, 20, 19, 0, SUCCESS, SUCCESS),
    (0.95, 20, 18, 1, OPEN, TIMEOUT),
    (0.95, 20, 18, 2, FAILURE, FAILURE),
    (1.0, 2, 1, 0, OPEN, TIMEOUT),
    ("all", 0, 0, 0, SUCCESS, SUCCESS),
    ("finished", 0, 0, 0, SUCCESS, SUCCESS),
    (0.5, 0, 0, 0, SUCCESS, SUCCESS),
    ("any", 0, 0, 0, FAILURE, FAILURE),
]


@pytest.mark.parametrize(("success_when", "total", "delivered", "failed", "before", "at_the_deadline"), TABLE)
def test_the_verdict_falls_as_soon_as_it_cannot_change(
    success_when: Any, total: int, delivered: int, failed: int, before: Verdict, at_the_deadline: Verdict
) -> None:
    counts = DeliveryCounts(total=total, delivered=delivered, failed=failed)
    assert evaluate(counts, SuccessCriterion(success_when)) is before
    assert evaluate(counts, SuccessCriterion(success_when), deadline_passed=True) is at_the_deadline


@pytest.mark.parametrize(("success_when", "total", "delivered", "failed", "before", "at_the_deadline"), TABLE)
def test_settle_waits_for_the_rest_and_then_says_the_same(
    success_when: Any, total: int, delivered: int, failed: int, before: Verdict, at_the_deadline: Verdict
) -> None:
    counts = DeliveryCounts(total=total, delivered=delivered, failed=failed)
    expected = before if delivered + failed == total else OPEN
    assert evaluate(counts, SuccessCriterion(success_when, settle=True)) is expected
    assert evaluate(counts, SuccessCriterion(success_when, settle=True), deadline_passed=True) is at_the_deadline


@given(
    st.sampled_from(["all", "any", "finished", 0.25, 0.5, 0.95, 1.0]),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_a_verdict_that_has_fallen_stands_whatever_the_rest_turns_out_to_be(
    success_when: Any, delivered: int, failed: int, pending: int, more_delivered: int, more_failed: int
) -> None:
    total = delivered + failed + pending
    first = evaluate(DeliveryCounts(total=total, delivered=delivered, failed=failed), SuccessCriterion(success_when))
    delivered += min(more_delivered, pending)
    failed = min(failed + more_failed, total - delivered)
    if first is not OPEN:
        assert (
            evaluate(DeliveryCounts(total=total, delivered=delivered, failed=failed), SuccessCriterion(success_when))
            is first
        )


@pytest.mark.parametrize("wrong", ["most", 0, -0.5, 1.5, True, None, "0.5"])
def test_a_goal_that_cannot_be_meant_is_refused(wrong: Any) -> None:
    with pytest.raises(OmniInputError, match="success_when"):
        SuccessCriterion(wrong)


def test_every_problem_of_a_goal_is_named_at_once() -> None:
    with pytest.raises(OmniInputError) as raised:
        SuccessCriterion("most", "handsets")
    assert len(raised.value.problems) == 2


def counts_of(*reports: Any, means: str = "group", total: int | None = None) -> DeliveryCounts:
    tracker = Tracker(("LINE", "SMS"))
    for each in reports:
        tracker.observe(StatusUpdate.of(each))
    ids = sorted(held(tracker))
    counts = DeliveryCounts(total=len(ids) if total is None else total)
    for message_id in ids:
        standing = tracker.status_of(message_id, START + 1000.0)
        counts.add(message_id, standing, tracker.steps(message_id), means)
    return counts


@pytest.mark.parametrize(("means", "delivered", "pending"), [("group", 1, 0), ("handset", 0, 1)])
def test_an_operator_delivery_is_one_for_the_group_and_pending_for_the_handset(
    means: str, delivered: int, pending: int
) -> None:
    counts = counts_of(report("m", "operator"), means=means)
    assert (counts.delivered, counts.pending) == (delivered, pending)
    assert counts.unsettled == 1


def test_a_summary_is_what_the_design_says() -> None:
    counts = counts_of(
        report("a", "handset", done=4.0),
        report("b", "failed", "LINE"),
        report("b", "handset", "SMS", done=8.0),
        report("c", "failed", "SMS"),
        total=5,
    )
    assert counts.summary("ledger") == {
        "total": 5,
        "delivered": 2,
        "failed": 1,
        "pending": 2,
        "by_channel": {"LINE": 1, "SMS": 1},
        "by_status": {"DELIVERED_TO_HANDSET": 2, "(not seen)": 2, "UNDELIVERABLE_NOT_DELIVERED": 1},
        "cost": {},
        "seconds_to_delivery": {"p50": 4.0, "p95": 8.0, "max": 8.0},
        "failed_message_ids": ["c"],
        "closed_by_settle_time": 0,
        "ledger_path": "ledger",
    }


def test_costs_of_all_steps_are_added_by_currency_without_rounding() -> None:
    def priced(message_id: str, amount: str, currency: str, channel: str) -> Any:
        price = {"pricePerMessage": amount, "currency": currency}
        return report(message_id, channel=channel, price=price)

    reports = [priced(f"m{n}", "0.1", "EUR", "LINE") for n in range(3)] + [priced("m0", "0.05", "USD", "SMS")]
    assert counts_of(*reports).summary()["cost"] == {"EUR": "0.3", "USD": "0.05"}


def test_failed_ids_are_listed_up_to_a_hundred_whatever_the_order() -> None:
    counts_of_parts = [
        counts_of(*(report(f"m{n:03}", "failed", "SMS") for n in part)) for part in (range(90), range(90, 200))
    ]
    listed, by_reason = [], []
    for order in (counts_of_parts, counts_of_parts[::-1]):
        total = DeliveryCounts()
        for each in order:
            total.merge(each)
        assert total.failed == 200
        listed.append(total.summary()["failed_message_ids"])
        by_reason.append({reason.channel: sorted(ids) for reason, ids in total.failed_by_reason.items()})
    assert listed[0] == listed[1] == [f"m{n:03}" for n in range(100)]
    assert by_reason[0] == by_reason[1] == {"SMS": listed[0]}


def test_a_summary_stays_small_however_many_names_the_vendor_has() -> None:
    total = DeliveryCounts(total=1000)
    total.by_status.update({f"STATUS {n:03}": 1 for n in range(300)} | {"FREQUENT": 700})
    total.by_channel.update({f"CHANNEL {n:03}": 1 for n in range(300)})
    total.cost.update({f"C{n:03}": Decimal(1) for n in range(300)})
    summary = total.summary()
    assert summary["by_status"]["FREQUENT"] == 700
    assert summary["by_status"]["(other)"] == 201
    assert summary["by_channel"]["(other)"] == 200
    assert (len(summary["by_status"]), len(summary["by_channel"]), len(summary["cost"])) == (101, 101, 100)


def test_percentiles_are_nearest_rank_and_none_without_deliveries() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "max": None}
    assert percentiles([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p95": 95.0, "max": 100.0}
    assert percentiles([2.0]) == {"p50": 2.0, "p95": 2.0, "max": 2.0}


@pytest.mark.parametrize("success_when", ["all", "any", 0.95])
def test_a_gate_stays_shut_when_everybody_was_refused(success_when: str | float) -> None:
    assert evaluate(DeliveryCounts(), SuccessCriterion(success_when), unsent=3) is Verdict.FAILURE


def test_a_whole_number_is_no_ratio_since_it_reads_as_one_message() -> None:
    with pytest.raises(OmniInputError, match=r"success_when: got 1, expected 1\.0 for every message, or 'any' for one"):
        SuccessCriterion(1)
    assert SuccessCriterion(1.0).needed(7) == 7


def test_nobody_to_wait_for_is_a_success_when_nobody_was_meant_to_be_sent_to() -> None:
    assert evaluate(DeliveryCounts(), SuccessCriterion("all"), unsent=0) is Verdict.SUCCESS


def test_finished_asks_for_outcomes_only_so_refusals_open_it() -> None:
    assert evaluate(DeliveryCounts(), SuccessCriterion("finished"), unsent=3) is Verdict.SUCCESS
