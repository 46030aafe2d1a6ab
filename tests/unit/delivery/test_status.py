"""Knowledge of a message does not depend on the order or the repetition of what told it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.messages.status import (
    LOG_LAG,
    NEVER,
    MessageStatus,
    Outcome,
    StatusUpdate,
    Tracker,
    merged,
    status_label,
)
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.omni.models import Price, ReportError
from airflow_provider_omni.omni.statuses import Status, StepState
from tests.unit.delivery.stage import START, report, row
from tests.unit.delivery.updates import MESSAGES, flows, held, stories, updates

NOW = START + 50_000.0
P, OP, D, F = Outcome.PENDING, Outcome.OPERATOR, Outcome.DELIVERED, Outcome.FAILED


def tracked(story: Iterable[StatusUpdate], flow: tuple[str, ...] = ("LINE", "SMS")) -> Tracker:
    tracker = Tracker(flow)
    for update in story:
        tracker.observe(update)
    return tracker


def summary(tracker: Tracker, *, closing: bool) -> dict[str, Any]:
    counts = DeliveryCounts(total=len(MESSAGES))
    for message_id in MESSAGES:
        counts.add(message_id, tracker.status_of(message_id, NOW, closing=closing), tracker.steps(message_id), "group")
    return counts.summary()


@given(stories, st.randoms(use_true_random=False))
def test_what_is_known_does_not_depend_on_order_or_repetition(story: list[StatusUpdate], random: Any) -> None:
    again = story + random.sample(story, len(story) // 2)
    random.shuffle(again)
    assert held(tracked(story)) == held(tracked(again))


@given(updates, updates, updates)
def test_two_sightings_of_a_step_are_joined_like_in_a_semilattice(
    one: StatusUpdate, two: StatusUpdate, three: StatusUpdate
) -> None:
    one, two, three = (replace(each, message_id="m", channel="SMS") for each in (one, two, three))
    assert one.merge(one) == one
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))


@given(stories, flows, st.booleans(), st.randoms(use_true_random=False))
def test_the_outcome_does_not_depend_on_order_or_repetition(
    story: list[StatusUpdate], flow: tuple[str, ...], closing: bool, random: Any
) -> None:
    again = story + random.sample(story, len(story) // 2)
    random.shuffle(again)
    assert summary(tracked(story, flow), closing=closing) == summary(tracked(again, flow), closing=closing)


@given(stories, flows)
def test_nothing_new_is_told_twice(story: list[StatusUpdate], flow: tuple[str, ...]) -> None:
    tracker = tracked(story, flow)
    assert not any(tracker.observe(update) for update in story)


@given(stories, stories, flows)
def test_a_step_only_moves_forward(
    before: list[StatusUpdate], after: list[StatusUpdate], flow: tuple[str, ...]
) -> None:
    ranks = [StepState.PENDING, StepState.OPERATOR, StepState.FAILED, StepState.HANDSET]
    tracker = tracked(before, flow)
    known = {(m, c): step.state for m, steps in held(tracker).items() for c, step in steps.items()}
    for update in after:
        tracker.observe(update)
    for (message_id, channel), state in known.items():
        assert ranks.index(held(tracker)[message_id][channel].state) >= ranks.index(state)


@given(stories, flows, st.booleans())
def test_a_handset_delivery_is_never_undone(story: list[StatusUpdate], flow: tuple[str, ...], closing: bool) -> None:
    told = {update.message_id for update in story if update.state is StepState.HANDSET}
    tracker = tracked(story, flow)
    assert all(tracker.status_of(each, NOW, closing=closing).outcome is D for each in told)


SEEN = [
    # what was seen by channel, in the flow LINE → SMS, and what it means: while waiting, and at the deadline
    ({}, P, P),
    ({"LINE": "enroute"}, P, P),
    ({"LINE": "handset"}, D, D),
    ({"LINE": "operator"}, OP, OP),
    ({"LINE": "failed"}, P, F),
    ({"LINE": "failed", "SMS": "enroute"}, P, P),  # under way is not failed
    ({"LINE": "failed", "VIBER": "enroute"}, P, P),  # a channel that the flow does not have may be a step all the same
    ({"LINE": "failed", "SMS": "operator"}, OP, OP),
    ({"LINE": "failed", "SMS": "handset"}, D, D),
    ({"LINE": "failed", "SMS": "failed"}, F, F),
    ({"SMS": "failed"}, F, F),
    ({"LINE": "operator", "SMS": "failed"}, F, F),
    ({"LINE": "handset", "SMS": "failed"}, D, D),
    ({"LINE": "operator", "SMS": "enroute"}, OP, OP),
    ({"LINE": "operator", "SMS": "handset"}, D, D),
]


@pytest.mark.parametrize(("seen", "waiting", "closing"), SEEN, ids=[str(each[0]) for each in SEEN])
def test_what_is_seen_means(seen: dict[str, str], waiting: Outcome, closing: Outcome) -> None:
    tracker = tracked(StatusUpdate.of(report("m", state, channel)) for channel, state in seen.items())
    assert tracker.status_of("m", NOW).outcome is waiting
    assert tracker.status_of("m", NOW, closing=True).outcome is closing


@pytest.mark.parametrize(
    ("seen", "flow", "closing"),
    [
        ({"LINE": "failed", "VIBER": "enroute"}, ("LINE", "VIBER", "SMS"), P),
        ({"LINE": "failed", "VIBER": "failed", "SMS": "enroute"}, ("LINE", "VIBER", "SMS"), P),
        ({"LINE": "failed", "VIBER": "failed"}, ("LINE", "VIBER", "SMS"), F),
        ({"LINE": "enroute", "VIBER": "failed"}, ("LINE", "VIBER", "SMS"), F),  # the flow has left LINE behind
        ({"LINE": "failed", "SMS": "enroute"}, (), P),
        ({"LINE": "failed", "SMS": "enroute"}, ("SMS", "LINE", "SMS"), P),
    ],
)
def test_at_the_deadline_whoever_was_heard_of_as_under_way_is_pending_in_any_flow(
    seen: dict[str, str], flow: tuple[str, ...], closing: Outcome
) -> None:
    tracker = tracked((StatusUpdate.of(row("m", state, channel)) for channel, state in seen.items()), flow)
    assert tracker.status_of("m", NOW, closing=True).outcome is closing


def test_what_nobody_could_look_for_is_closed_by_no_time() -> None:
    tracker = Tracker((), settle_seconds=300.0)
    tracker.observe(StatusUpdate.of(report("m", "failed", done=10.0)))
    assert tracker.status_of("m", START + 3000.0, looked_at=NEVER).outcome is P
    assert tracker.status_of("m", NOW, closing=True, looked_at=NEVER).outcome is P


@pytest.mark.parametrize("flow", [("LINE", "SMS"), ("SMS", "LINE", "SMS"), ()], ids=["known", "twice", "unknown"])
def test_a_failure_that_was_younger_than_the_logs_lag_at_the_last_look_is_not_the_end(flow: tuple[str, ...]) -> None:
    tracker = tracked([StatusUpdate.of(report("m", "failed", "LINE", done=10.0))], flow)
    young, old = START + 10.0 + LOG_LAG - 1.0, START + 10.0 + LOG_LAG
    assert tracker.status_of("m", NOW, closing=True, looked_at=young).outcome is P
    assert tracker.status_of("m", NOW, closing=True, looked_at=old).outcome is F
    if flow != ("LINE", "SMS"):  # else no time but the deadline closes it
        assert tracker.status_of("m", NOW, looked_at=young).outcome is P
        assert tracker.status_of("m", NOW, looked_at=old).outcome is F


def test_the_failure_of_the_last_channel_is_the_end_however_young_it_is() -> None:
    tracker = tracked([StatusUpdate.of(report("m", "failed", "SMS", done=10.0))])
    assert tracker.status_of("m", START + 11.0, looked_at=NEVER).outcome is F


TWICE = ("SMS", "LINE", "SMS")
FIRST_SMS = StatusUpdate("m", "SMS", StepState.FAILED, "FAILED", sent_at=START, done_at=START + 60.0)
LINE_AFTER = StatusUpdate("m", "LINE", StepState.FAILED, "FAILED", sent_at=START + 60.0, done_at=START + 120.0)


def second_sms(state: StepState, sent: float = 120.0, done: float | None = None) -> StatusUpdate:
    return StatusUpdate(
        "m", "SMS", state, state.name, sent_at=START + sent, done_at=None if done is None else START + done
    )


@pytest.mark.parametrize("flow", [TWICE, (*TWICE, "VIBER"), ()], ids=["twice", "twice, then another", "unknown"])
@pytest.mark.parametrize("sent", [60.0, 120.0], ids=["at once", "later"])
def test_the_second_step_on_a_channel_does_not_hide_behind_the_failure_of_the_first(
    flow: tuple[str, ...], sent: float
) -> None:
    steps = [FIRST_SMS, LINE_AFTER, second_sms(StepState.PENDING, sent)]
    for story in (steps, steps[::-1]):
        tracker = tracked(story, flow)
        assert tracker.status_of("m", NOW, closing=True).outcome is P
        assert tracker.status_of("m", NOW).outcome is P  # nor does the settle time close it
        assert set(tracker.worth_keeping("m")) == set(steps)


@pytest.mark.parametrize(("state", "outcome"), [(StepState.FAILED, F), (StepState.HANDSET, D)])
def test_the_second_step_on_a_channel_ends_as_it_ends(state: StepState, outcome: Outcome) -> None:
    steps = [FIRST_SMS, LINE_AFTER, second_sms(StepState.PENDING), second_sms(state, done=180.0)]
    for story in (steps, steps[::-1]):
        assert tracked(story, TWICE).status_of("m", NOW, closing=True).outcome is outcome


@pytest.mark.parametrize("flow", [TWICE, (*TWICE, "VIBER"), ()], ids=["twice", "twice, then another", "unknown"])
def test_the_operators_word_on_the_second_step_does_not_hide_behind_the_failure_of_the_first(
    flow: tuple[str, ...],
) -> None:
    second = second_sms(StepState.OPERATOR, done=130.0)
    steps = [FIRST_SMS, LINE_AFTER, second_sms(StepState.PENDING), second]
    for story in (steps, steps[::-1]):
        tracker = tracked(story, flow)
        assert tracker.status_of("m", NOW, closing=True) == MessageStatus(OP, second)
        assert second in set(tracker.worth_keeping("m"))


@pytest.mark.parametrize("flow", [TWICE, ()], ids=["twice", "unknown"])
def test_the_operators_word_on_a_step_that_failed_then_says_and_costs_nothing(flow: tuple[str, ...]) -> None:
    failed = replace(FIRST_SMS, cost="0.03", currency="EUR")
    word = replace(failed, state=StepState.OPERATOR, status="DELIVERED", done_at=START + 5.0)
    for story in ([word, failed], [failed, word]):
        tracker = tracked(story, flow)
        assert tracker.status_of("m", NOW, closing=True).outcome is F
        assert list(tracker.steps("m")) == [failed]


@pytest.mark.parametrize("flow", [TWICE, ()], ids=["twice", "unknown"])
def test_that_a_step_was_under_way_before_it_failed_says_nothing_of_another_one(flow: tuple[str, ...]) -> None:
    was_running = replace(FIRST_SMS, state=StepState.PENDING, status="PENDING", done_at=None)
    for story in ([was_running, FIRST_SMS], [FIRST_SMS, was_running]):
        assert tracked(story, flow).status_of("m", NOW, closing=True).outcome is F


def test_where_a_channel_is_used_once_what_has_ended_is_not_under_way() -> None:
    """Clocks of reports and logs differ."""
    tracker = tracked([second_sms(StepState.PENDING, sent=90.0), FIRST_SMS], ("LINE", "SMS"))
    assert tracker.status_of("m", NOW).outcome is F


@given(updates, updates, updates, st.sampled_from([StepState.PENDING, StepState.OPERATOR]))
def test_what_is_kept_apart_is_joined_like_in_a_semilattice(
    one: StatusUpdate, two: StatusUpdate, three: StatusUpdate, state: StepState
) -> None:
    one, two, three = (replace(each, message_id="m", channel="SMS", state=state) for each in (one, two, three))
    join = partial(merged, apart=True)
    assert join(one, one) == one
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))


def test_that_a_later_step_is_under_way_is_worth_keeping_only_beside_a_failure() -> None:
    tracker = tracked([StatusUpdate.of(row("m", "enroute", "SMS"))])
    assert not list(tracker.worth_keeping("m"))
    tracker.observe(StatusUpdate.of(report("m", "failed", "LINE")))
    assert {step.channel for step in tracker.worth_keeping("m")} == {"LINE", "SMS"}


def test_where_the_flow_is_unknown_a_failure_closes_after_the_settle_time_and_says_so() -> None:
    tracker = Tracker((), settle_seconds=300.0)
    tracker.observe(StatusUpdate.of(report("m", "failed", done=10.0)))
    assert tracker.status_of("m", START + 309.0).outcome is P
    standing = tracker.status_of("m", START + 310.0)
    assert (standing.outcome, standing.closed_by_settle_time) == (F, True)


def test_where_the_flow_is_unknown_a_step_that_is_alive_keeps_the_message_open() -> None:
    tracker = Tracker((), settle_seconds=300.0)
    tracker.observe(StatusUpdate.of(report("m", "failed")))
    tracker.observe(StatusUpdate.of(row("m", "enroute", "SMS")))
    assert tracker.status_of("m", NOW).outcome is P


def test_a_failure_without_a_time_closes_only_at_the_deadline() -> None:
    tracker = Tracker(())
    tracker.observe(StatusUpdate.of(report("m", "failed", done=None)))
    assert tracker.status_of("m", NOW).outcome is P
    assert tracker.status_of("m", NOW, closing=True).outcome is F


@pytest.mark.parametrize(
    ("flow", "last"), [((), None), (("LINE", "SMS"), "SMS"), (("sms",), "SMS"), (("SMS", "LINE", "SMS"), None)]
)
def test_the_last_channel_is_known_where_the_flow_says_so(flow: tuple[str, ...], last: str | None) -> None:
    assert Tracker(flow).flow.last_channel == last


def test_the_refusal_of_a_repeated_id_says_nothing_about_the_message_that_had_it_first() -> None:
    tracker = tracked([StatusUpdate.of(report("m", "seen", "SMS"))], ("SMS",))
    assert tracker.status_of("m", NOW).outcome is P


def test_a_report_without_channel_or_details_still_counts() -> None:
    tracker = tracked([StatusUpdate.of(report("m", channel=None, done=None))])  # type: ignore[arg-type]
    assert tracker.status_of("m", NOW).outcome is D


def test_cost_is_price_times_parts_as_a_decimal_string() -> None:
    price = Price(price_per_message=Decimal("0.0500"), currency="EUR")
    assert StatusUpdate.of(report("m", price=price, message_count=3)).cost == "0.15"
    assert StatusUpdate.of(report("m", price=price)).cost == "0.05"
    assert StatusUpdate.of(report("m", price=Price(price_per_message=Decimal(100)))).cost == "100"
    assert StatusUpdate.of(report("m")).cost is None


def test_whether_an_error_is_permanent_is_three_valued_and_logs_do_not_say() -> None:
    for permanent in (True, False, None):
        assert StatusUpdate.of(report("m", error=ReportError(permanent=permanent))).permanent is permanent
    assert StatusUpdate.of(row("m", "failed")).permanent is None


def test_a_status_name_is_kept_short_and_without_numbers() -> None:
    odd = report("m").status.model_copy(update={"name": "DELIVERED to 41793026727 " + "x" * 99})
    label = StatusUpdate.of(report("m").model_copy(update={"status": odd})).status
    assert "41793026727" not in label
    assert len(label) <= 60


@pytest.mark.parametrize("later", [0.0, 0.001, 3600.0])
def test_a_row_of_the_logs_takes_nothing_from_what_a_report_has_told(later: float) -> None:
    price = Price(price_per_message=Decimal("0.07"), currency="EUR")
    told = report("m", "failed", "SMS", price=price, error=ReportError(permanent=True))
    logged = row("m", "failed", "SMS", done=10.0 + later)
    for story in ([told, logged], [logged, told], [logged, told, logged]):
        (step,) = tracked(StatusUpdate.of(each) for each in story).steps("m")
        assert (step.permanent, step.cost, step.currency) == (True, "0.07", "EUR")
        assert step.done_at == START + 10.0 + later


def test_what_was_told_of_an_earlier_state_is_not_about_a_later_one() -> None:
    price = Price(price_per_message=Decimal("0.07"), currency="EUR")
    handed_over = report("m", "operator", "SMS", price=price, error=ReportError(permanent=False))
    for story in ([handed_over, row("m", "failed", "SMS")], [row("m", "failed", "SMS"), handed_over]):
        (step,) = tracked(StatusUpdate.of(each) for each in story).steps("m")
        assert (step.state, step.permanent, step.cost) == (StepState.FAILED, None, None)


@pytest.mark.parametrize(
    "price",
    ["1E+99999", "1E-99999", "-1E+5000000", "1E+5000000", "0.00000000000000001", "1E300", "NaN", "sNaN", "Infinity"],
)
def test_a_price_that_nobody_pays_is_none(price: str) -> None:
    odd = Price.model_construct(price_per_message=Decimal(price), currency="EUR")
    update = StatusUpdate.of(report("m").model_copy(update={"price": odd}))
    assert (update.cost, update.currency) == (None, None)


def test_a_price_of_nothing_is_nothing_however_it_is_written() -> None:
    for zero in ("0", "0.00", "0E+99999", "0E-5000000"):
        assert StatusUpdate.of(report("m", price=Price(price_per_message=Decimal(zero)))).cost == "0"


def test_more_parts_than_anybody_pays_for_have_no_cost() -> None:
    price = Price(price_per_message=Decimal("0.05"), currency="EUR")
    assert StatusUpdate.of(report("m", price=price, message_count=10**4000)).cost is None


def test_a_channel_and_a_currency_are_kept_short_and_without_numbers() -> None:
    price = Price(price_per_message=Decimal(1), currency="to 41793026727 " + "x" * 99)
    update = StatusUpdate.of(report("m", channel="sms to 41793026727 " + "x" * 99, price=price))
    assert update.channel.startswith("SMS TO 4179…727 ")
    assert len(update.channel) == 60
    assert update.currency == "to 4179…72"


def test_nothing_seen_is_pending() -> None:
    assert Tracker().status_of("m", NOW) == MessageStatus(P)


@pytest.mark.parametrize(
    ("name", "group", "label"),
    [
        ("REJECTED_DND", "REJECTED", "REJECTED_DND"),
        (" Delivered ", None, "Delivered"),
        ("Dear Anna, your parcel", "REJECTED", "REJECTED"),
        ("Dear Anna", "Dear Anna", "(unknown)"),
        ("", "PENDING", "PENDING"),
        ("E_41793026727", None, "E_4179…727"),
        (None, None, "(unknown)"),
    ],
)
def test_a_status_that_is_a_text_rather_than_a_name_is_not_repeated(
    name: str | None, group: str | None, label: str
) -> None:
    assert status_label(Status(id=6, name=name or "", group_name=group or "")) == label
