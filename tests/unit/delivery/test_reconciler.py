"""Asking the logs. Each condition for concluding absence has a test that fails without it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_omni.delivery.effects import CallApi, Sleep
from airflow_provider_omni.delivery.messages.states import HORIZON, Attempt, Control, MessageState
from airflow_provider_omni.delivery.outbox.policy import LookPolicy
from airflow_provider_omni.delivery.outbox.reconciler import BulkFilter, Reconciler
from airflow_provider_omni.omni.api import MAX_LIMIT
from airflow_provider_omni.omni.errors import OmniAuthenticationError, OmniBusyError, OmniRequestError, OmniServerError
from airflow_provider_omni.omni.models import Rows
from tests.unit.delivery.stage import START, Stage, row

S = MessageState
POLICY = LookPolicy(read_timeout=40.0, grace=30.0, patience=900.0)
PROVABLE = START + 70.0


def unknown(*ids: str, state: MessageState = S.IN_DOUBT, intent_at: float = START, **more: Any) -> Attempt:
    attempt = Attempt("bulk", intent_at, **more)
    attempt.messages = dict.fromkeys(ids or ("m",), state)
    return attempt


def resolve(attempt: Attempt, stage: Stage, policy: LookPolicy = POLICY) -> Reconciler:
    reconciler = Reconciler(policy, stage.clock.now, jitter=lambda: 0.0)
    stage.play(reconciler.resolve(attempt))
    return reconciler


def look_times(stage: Stage) -> list[float]:
    """The time of each look, in seconds after the start."""
    times, now = [], 0.0
    for effect in stage.effects:
        if isinstance(effect, Sleep):
            now += effect.seconds
        elif isinstance(effect, CallApi):
            times.append(round(now, 3))
    return times


def test_a_row_on_the_first_page_is_presence_without_any_waiting() -> None:
    attempt, stage = unknown(), Stage(logs=[[row("m")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ACCEPTED}
    assert look_times(stage) == [0.0]


def test_presence_counts_whatever_the_row_says() -> None:
    for state in ("enroute", "failed", "handset", "refused"):
        attempt, stage = unknown(), Stage(logs=[[row("m", state)]])
        resolve(attempt, stage)
        assert attempt.messages == {"m": S.ACCEPTED}


def test_absence_takes_two_looks_a_grace_time_apart_after_the_longest_call_and_a_grace_time() -> None:
    attempt, stage = unknown(), Stage()
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ABSENT}
    first, *counted = look_times(stage)
    assert first == 0.0
    assert counted == [75.0, 105.0]


@pytest.mark.parametrize("seconds", [60.0, 69.9])
def test_a_look_too_early_after_the_intent_proves_nothing(seconds: float) -> None:
    attempt, stage = unknown(), Stage(start=START + seconds, logs=[[], [], [row("m")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ACCEPTED}


def test_one_empty_look_proves_nothing() -> None:
    attempt, stage = unknown(), Stage(start=START + 500.0, logs=[[], [row("m")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ACCEPTED}


def test_the_grace_time_counts_from_the_first_answer_not_from_the_first_question() -> None:
    stage = Stage()

    def slow(call: Any) -> Any:
        stage.clock.advance(50.0)
        return []

    stage.logs = [slow, slow, []]
    resolve(unknown(), stage)
    # A look of 50 s; 25 s later one that counts and takes 50 s as well; the last one a grace time after its end.
    assert look_times(stage) == [0.0, 25.0, 55.0]


def test_a_full_page_proves_nothing() -> None:
    attempt, stage = unknown("m", "n"), Stage(start=START + 500.0, logs=[[row("n")] * MAX_LIMIT])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT, "n": S.ACCEPTED}
    assert len(stage.looks) == 1


def test_a_page_of_other_peoples_messages_proves_nothing() -> None:
    attempt, stage = unknown(), Stage(start=START + 500.0, logs=[[row("somebody else's")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}


def unread(*rows: Any) -> Rows[Any]:
    """A page of which one row could not be read."""
    page = Rows(rows)
    page.skipped = 1
    return page


def test_a_page_with_a_row_that_cannot_be_read_proves_nothing() -> None:
    attempt, stage = unknown(), Stage(start=START + 500.0, logs=[unread()])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}


def test_a_row_that_cannot_be_read_takes_nothing_from_the_presence_of_the_others() -> None:
    attempt, stage = unknown("m", "n"), Stage(start=START + 500.0, logs=[unread(row("m")), [row("m")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ACCEPTED, "n": S.ABSENT}


def test_a_page_that_is_full_with_its_unreadable_rows_proves_nothing() -> None:
    attempt, stage = unknown("m", "n"), Stage(start=START + 500.0, logs=[unread(*[row("n")] * (MAX_LIMIT - 1))])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT, "n": S.ACCEPTED}
    assert len(stage.looks) == 1


def test_an_intent_older_than_47_hours_proves_nothing() -> None:
    for age, state in ((HORIZON - 200.0, S.ABSENT), (HORIZON + 1.0, S.IN_DOUBT)):
        attempt, stage = unknown(), Stage(start=START + age)
        resolve(attempt, stage)
        assert attempt.messages == {"m": state}


def test_an_intent_that_may_be_older_than_47_hours_proves_nothing() -> None:
    attempt, stage = unknown(not_before=START - HORIZON), Stage(start=START + 500.0)
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}


def test_an_old_message_that_the_logs_still_show_is_found() -> None:
    attempt, stage = unknown(not_before=0.0), Stage(start=START + 500.0, logs=[[row("m")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ACCEPTED}


def test_a_message_scheduled_far_ahead_stays_unknown_at_once() -> None:
    attempt, stage = unknown(scheduled_at=START + 3600.0), Stage()
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}
    assert len(stage.looks) == 1


def test_a_message_scheduled_soon_is_proven_absent_only_after_its_time() -> None:
    attempt, stage = unknown(scheduled_at=START + 300.0), Stage()
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ABSENT}
    assert look_times(stage) == [0.0, 370.0, 400.0]


def test_looks_that_fail_are_repeated_and_prove_nothing() -> None:
    fails = OmniServerError("down")
    attempt, stage = unknown(), Stage(start=START + 500.0, logs=[fails, fails, [], fails, []])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ABSENT}
    times = look_times(stage)
    assert all(later - earlier >= 5.0 for earlier, later in itertools.pairwise(times))


def test_logs_that_never_answer_leave_it_unknown_within_the_patience() -> None:
    attempt, stage = unknown(), Stage(logs=[OmniServerError("down")])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}
    assert 800.0 < stage.clock.now() - START <= 900.0
    assert len(stage.looks) < 60


def test_a_login_without_the_right_to_read_logs_leaves_it_unknown_at_once() -> None:
    attempt, stage = unknown(), Stage(logs=[OmniAuthenticationError("no right", status=403)])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}
    assert len(stage.looks) == 1


def test_a_budget_that_is_used_up_is_waited_for() -> None:
    attempt, stage = unknown(), Stage(logs=[OmniBusyError("full"), [row("m")]])
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ACCEPTED}
    asks = [effect for effect in stage.effects if isinstance(effect, CallApi)]
    assert all(ask.patience and 0.0 < ask.patience <= POLICY.patience for ask in asks)


def test_messages_of_one_request_are_looked_for_together() -> None:
    attempt, stage = unknown("a", "b", "c"), Stage(logs=[[row("b")]])
    resolve(attempt, stage)
    assert attempt.messages == {"a": S.ABSENT, "b": S.ACCEPTED, "c": S.ABSENT}
    assert {look.get("bulkId") for look in stage.looks} == {"bulk"}


@pytest.mark.parametrize(
    "attempt",
    [
        unknown("m"),
        unknown("m", "n", bulk_id_conclusive=False),
        unknown("m", state=S.DUPLICATE_ID),
        unknown("m", "n", state=S.DUPLICATE_ID),
    ],
    ids=["alone", "perhaps in another request", "seen before", "several seen before"],
)
def test_where_the_bulk_id_may_not_find_a_message_it_is_looked_for_by_its_own(attempt: Attempt) -> None:
    stage = Stage()
    resolve(attempt, stage)
    assert all("bulkId" not in look for look in stage.looks)
    assert {look["messageId"] for look in stage.looks} == set(attempt.messages)


def test_one_id_is_asked_for_at_a_time() -> None:
    stage = Stage()
    resolve(unknown("m", "n", bulk_id_conclusive=False), stage)
    assert all("," not in look["messageId"] for look in stage.looks)


def test_the_bulk_that_the_logs_name_is_kept() -> None:
    reconciler = resolve(unknown("m", bulk_id_conclusive=False), Stage(logs=[[row("m", bulk_id="real")]]))
    assert reconciler.found_in == {"m": "real"}


def test_seen_before_without_a_row_is_unconfirmed_never_absent() -> None:
    attempt = unknown(state=S.DUPLICATE_ID)
    resolve(attempt, Stage())
    assert attempt.messages == {"m": S.UNCONFIRMED}


def test_seen_before_with_a_row_is_accepted() -> None:
    attempt = unknown(state=S.DUPLICATE_ID)
    resolve(attempt, Stage(logs=[[], [row("m")]]))
    assert attempt.messages == {"m": S.ACCEPTED}


def test_an_unconfirmed_message_is_looked_for_once_and_stays_so() -> None:
    attempt, stage = unknown(state=S.UNCONFIRMED), Stage(start=START + 500.0)
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.UNCONFIRMED}
    assert len(stage.looks) == 1


def test_nothing_unknown_asks_nothing() -> None:
    stage = Stage()
    resolve(unknown(state=S.ACCEPTED), stage)
    assert stage.effects == []


def by_their_ids(*present: str) -> Any:
    """Logs of a vendor who does not keep the callers' bulk ids: only message ids find something."""

    def logs(call: Any) -> Any:
        asked = dict(call.query).get("messageId", "").split(",")
        return [row(each) for each in asked if each in present]

    return logs


def by_their_first_id(*present: str) -> Any:
    """Logs that find no bulk ids, and read the first one of a list."""

    def logs(call: Any) -> Any:
        first = dict(call.query).get("messageId", "").split(",")[0]
        return [row(first)] if first in present else []

    return logs


MANY = tuple(f"m{index:03d}" for index in range(120))


def test_a_bulk_id_that_finds_nothing_proves_no_absence_before_the_messages_were_looked_for_by_their_own_ids() -> None:
    attempt, stage = unknown("a", "b"), Stage(logs=[by_their_ids("a", "b")])
    resolve(attempt, stage)
    assert attempt.messages == {"a": S.ACCEPTED, "b": S.ACCEPTED}
    assert not attempt.bulk_id_conclusive


def test_who_is_absent_is_told_from_who_is_not_where_the_bulk_id_is_not_kept() -> None:
    attempt, stage = unknown(*MANY), Stage(logs=[by_their_ids(*MANY[::2])])
    resolve(attempt, stage)
    assert set(attempt.in_state(S.ACCEPTED)) == set(MANY[::2])
    assert set(attempt.in_state(S.ABSENT)) == set(MANY[1::2])
    # Each of the absent was looked for alone, twice, a grace time apart.
    alone = [look.get("messageId") for look in stage.looks]
    assert all(alone.count(each) >= 2 for each in MANY[1::2])


def test_one_message_that_is_found_is_enough_to_disbelieve_the_bulk_id_of_a_large_request() -> None:
    for found in (MANY[0], MANY[61], MANY[-1]):
        attempt, stage = unknown(*MANY), Stage(logs=[by_their_ids(found)])
        resolve(attempt, stage)
        assert attempt.messages[found] is S.ACCEPTED


def test_where_lists_of_ids_are_refused_some_messages_are_looked_for_alone() -> None:
    def logs(call: Any) -> Any:
        asked = dict(call.query).get("messageId", "")
        return OmniRequestError("no lists", status=400) if "," in asked else [row(asked)] if asked == MANY[-1] else []

    attempt, stage = unknown(*MANY), Stage(logs=[logs])
    resolve(attempt, stage)
    assert attempt.messages[MANY[-1]] is S.ACCEPTED


def test_where_nobody_is_found_by_any_id_all_are_absent() -> None:
    attempt, stage = unknown(*MANY), Stage()
    resolve(attempt, stage)
    assert set(attempt.messages.values()) == {S.ABSENT}
    assert len(stage.looks) == 3 + 20 + 3  # by the bulk id, alone, in lists


def test_of_a_small_request_each_message_is_looked_for_alone_since_the_others_may_have_been_refused() -> None:
    """The refused are in no log, and of a list of ids the logs may read the first one only."""
    for found in MANY[:100]:
        attempt, stage = unknown(*MANY[:100]), Stage(logs=[by_their_first_id(found)])
        resolve(attempt, stage)
        assert attempt.messages[found] is S.ACCEPTED


def test_where_the_bulk_id_shows_some_of_a_request_it_would_show_the_others() -> None:
    attempt, stage = unknown("a", "b"), Stage(logs=[[row("a")]])
    resolve(attempt, stage)
    assert attempt.messages == {"a": S.ACCEPTED, "b": S.ABSENT}
    assert {tuple(look) for look in stage.looks} == {("bulkId", "limit")}


def test_a_filter_that_finds_another_request_of_this_try_is_believed() -> None:
    def logs(call: Any) -> Any:
        return [row("c")] if dict(call.query).get("bulkId") == "control" else []

    attempt, stage = unknown(*MANY), Stage(logs=[logs])
    reconciler = Reconciler(POLICY, stage.clock.now, lambda: 0.0, BulkFilter([Control("control", ("c", "d"))]))
    stage.play(reconciler.resolve(attempt))
    assert set(attempt.messages.values()) == {S.ABSENT}
    assert len(stage.looks) == 4
    assert reconciler.bulk_filter.works


def test_a_filter_that_has_found_some_of_one_request_is_believed_about_another() -> None:
    stage = Stage(logs=[[row("c")]])
    shared = BulkFilter()
    stage.play(Reconciler(POLICY, stage.clock.now, lambda: 0.0, shared).resolve(unknown("c", "d")))
    assert shared.works
    stage.logs, attempt = [[]], unknown(*MANY)
    asked = len(stage.looks)
    stage.play(Reconciler(POLICY, stage.clock.now, lambda: 0.0, shared).resolve(attempt))
    assert set(attempt.messages.values()) == {S.ABSENT}
    assert not any("messageId" in look for look in stage.looks[asked:])


def test_where_messages_may_stand_in_other_requests_no_filter_proves_that_they_are_in_none() -> None:
    """The record was lost, and a try that is not on it may have sent them in requests of other ids."""

    def logs(call: Any) -> Any:
        query = dict(call.query)
        return [row("a")] if "bulkId" in query else [row(each) for each in ("a", "b") if each in query["messageId"]]

    stage, shared, attempt = Stage(logs=[logs]), BulkFilter([Control("bulk", ("a",))], sole=False), unknown("a", "b")
    stage.play(Reconciler(POLICY, stage.clock.now, lambda: 0.0, shared).resolve(attempt))
    assert attempt.messages == {"a": S.ACCEPTED, "b": S.ACCEPTED}
    assert not shared.works


def test_controls_that_are_not_found_are_looked_for_a_few_times_only() -> None:
    """However many requests are in doubt: they may be of another account, or the vendor keeps no bulk ids."""
    stage = Stage(logs=[[]])
    shared = BulkFilter([Control(f"control {index}", ("c",)) for index in range(5)])
    for _ in range(20):
        stage.play(shared.try_it(stage.clock.now, POLICY.grace))
    assert len(stage.looks) == 3
    for _ in range(20):
        stage.clock.advance(POLICY.grace)
        stage.play(shared.try_it(stage.clock.now, POLICY.grace))
    assert len(stage.looks) == 9
    assert not shared.works


def test_one_control_that_is_not_found_does_not_keep_the_next_from_being_looked_for() -> None:
    def logs(call: Any) -> Any:
        return [row("c")] if dict(call.query).get("bulkId") == "second" else []

    stage, shared = Stage(logs=[logs]), BulkFilter([Control("first", ("a",)), Control("second", ("c",))])
    stage.play(shared.try_it(stage.clock.now, POLICY.grace))
    assert shared.works


def test_a_control_that_shows_only_strangers_messages_is_not_believed() -> None:
    stage, shared = Stage(logs=[[row("stranger")]]), BulkFilter([Control("control", ("c", "d"))])
    stage.play(shared.try_it(stage.clock.now, POLICY.grace))
    assert not shared.works


def test_a_list_of_ids_that_is_refused_is_asked_for_one_by_one() -> None:
    """Lists are asked for where the logs were seen to read them; they may be shorter than this one."""

    def logs(call: Any) -> Any:
        if "," in dict(call.query)["messageId"]:
            return OmniRequestError("too many ids", status=400)
        return [row("a")] if dict(call.query)["messageId"] == "a" else []

    attempt, stage = unknown("a", "b", "c", bulk_id_conclusive=False), Stage(logs=[logs])
    read = BulkFilter()
    read.have_shown(["x", "y"], [row("x"), row("y")])
    stage.play(Reconciler(POLICY, stage.clock.now, jitter=lambda: 0.0, bulk_filter=read).resolve(attempt))
    assert attempt.messages == {"a": S.ACCEPTED, "b": S.ABSENT, "c": S.ABSENT}


def test_an_answer_with_strangers_does_not_prove_that_lists_are_read() -> None:
    """The logs may have passed over the ids, and have shown whatever is there."""
    read = BulkFilter()
    read.have_shown(["x", "y"], [row("x"), row("y"), row("stranger")])
    assert not read.lists_read


def test_one_message_of_a_list_that_is_shown_does_not_prove_that_lists_are_read() -> None:
    read = BulkFilter()
    read.have_shown(["x", "y"], [row("x")])
    assert not read.lists_read


def test_a_look_by_ids_that_fails_leaves_the_messages_unknown() -> None:
    def logs(call: Any) -> Any:
        return OmniServerError("down", status=503) if "messageId" in dict(call.query) else []

    attempt, stage = unknown("a", "b"), Stage(logs=[logs])
    resolve(attempt, stage)
    assert attempt.messages == {"a": S.IN_DOUBT, "b": S.IN_DOUBT}


@pytest.mark.parametrize("off", [-7200.0, -1800.0, -60.0, 60.0, 1800.0])
def test_no_proof_rests_on_the_time_that_another_process_has_written_down(off: float) -> None:
    attempt, stage = unknown(intent_at=START + off), Stage()
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.ABSENT}
    assert look_times(stage) == [0.0, 75.0, 105.0]


def test_an_intent_from_far_ahead_was_written_by_a_clock_that_proves_nothing() -> None:
    attempt, stage = unknown(intent_at=START + 4000.0), Stage()
    resolve(attempt, stage)
    assert attempt.messages == {"m": S.IN_DOUBT}


@pytest.mark.parametrize(("asked_after", "looks"), [(2.0, [0.0, 68.0, 98.0]), (45.0, [0.0, 30.0, 60.0])])
def test_a_post_of_this_try_is_over_when_it_is_asked_about(asked_after: float, looks: list[float]) -> None:
    attempt, stage = unknown(ours=True), Stage(start=START + asked_after)
    resolve(attempt, stage)
    assert look_times(stage) == looks


def test_what_an_earlier_try_may_have_under_way_counts_from_when_this_one_took_over() -> None:
    stage = Stage(start=START + 60.0)
    reconciler = Reconciler(POLICY, stage.clock.now, jitter=lambda: 0.0, loaded_at=START)
    stage.play(reconciler.resolve(unknown()))
    assert look_times(stage) == [0.0, 15.0, 45.0]


def test_whether_a_scheduled_message_can_be_in_the_logs_the_vendors_own_clock_says() -> None:
    vendor_is_behind, stage = 300.0, Stage(start=START + 5.0)

    def logs(call: Any) -> Any:
        rows: Rows[Any] = Rows()
        rows.said_at = stage.clock.now() - vendor_is_behind
        return rows

    stage.logs = [logs]
    resolve(unknown(scheduled_at=START, ours=True), stage)
    counted = look_times(stage)[-2:]
    assert counted[0] + 5.0 >= 70.0 + vendor_is_behind
