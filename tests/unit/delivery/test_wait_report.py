"""The delivery report of a wait, and its lines in the log."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.effects import Log, Offload, Report
from airflow_provider_omni.delivery.messages.status import StatusUpdate, Tracker
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.reported_wait import (
    LINE_EVERY,
    REPORT_UNCHANGED_EVERY,
    ReportedWait,
)
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Reason, Verdict, explain
from airflow_provider_omni.delivery.tracking.wait import WaitEnd
from airflow_provider_omni.delivery.tracking.wait_report import (
    begin_line,
    delivery_times,
    funnel,
    progress_line,
    report_of_error,
    report_of_wait,
)
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.errors import OmniAuthenticationError
from airflow_provider_omni.omni.models import ReportError
from tests.unit.delivery.stage import START, report
from tests.unit.delivery.updates import stories

WATCH = Watch((Bulk("b", 4),), deadline=START + 600, flow=("LINE", "SMS"), poll_interval=20.0, begun_at=START)
ABSENT = Reason("SMS", "UNDELIVERABLE_NOT_DELIVERED", "EC_ABSENT_SUBSCRIBER", permanent=False)


def counts_of(total: int, *stories: tuple[str, str, str]) -> DeliveryCounts:
    """Count messages of whom each story tells an id, a state and a channel."""
    tracker, counts = Tracker(WATCH.flow), DeliveryCounts(total=total)
    for message_id, state, channel in stories:
        tracker.observe(StatusUpdate.of(report(message_id, state, channel)))
    for message_id in sorted({each for each, _, _ in stories}):
        counts.add(message_id, tracker.status_of(message_id, START + 60), tracker.steps(message_id), "group")
    return counts


MIX = counts_of(
    5,
    ("a", "handset", "LINE"),
    ("b", "failed", "LINE"), ("b", "handset", "SMS"),
    ("c", "failed", "LINE"), ("c", "failed", "SMS"),
    ("d", "failed", "LINE"), ("d", "enroute", "SMS"),
)  # fmt: skip


def test_the_funnel_shows_who_came_to_each_channel_and_what_became_of_them_there() -> None:
    assert funnel(MIX, WATCH.flow) == [
        {"channel": "LINE", "asked": 5, "delivered": 1, "failed": 3, "pending": 1},
        {"channel": "SMS", "asked": 3, "delivered": 1, "failed": 1, "pending": 1},
    ]


def test_a_channel_that_is_not_in_the_flow_comes_last() -> None:
    counts = counts_of(1, ("a", "handset", "VIBER"))
    assert [each["channel"] for each in funnel(counts, WATCH.flow)] == ["LINE", "SMS", "VIBER"]


@given(stories, st.sampled_from([(), ("LINE", "SMS"), ("SMS", "LINE", "SMS")]), st.integers(0, 5))
def test_every_message_stands_in_the_funnel_once(story: list[StatusUpdate], flow: Any, unseen: int) -> None:
    tracker, seen = Tracker(flow), sorted({each.message_id for each in story})
    counts = DeliveryCounts(total=len(seen) + unseen)
    for update in story:
        tracker.observe(update)
    for message_id in seen:
        counts.add(message_id, tracker.status_of(message_id, START), tracker.steps(message_id), "group")
    rows = funnel(counts, flow)
    for row in rows:
        assert row["asked"] == row["delivered"] + row["failed"] + row["pending"]
        assert min(row["asked"], row["delivered"], row["failed"], row["pending"]) >= 0
    if rows:
        assert rows[0]["asked"] == counts.total
    assert sum(row["delivered"] for row in rows) == counts.delivered
    assert sum(row["pending"] for row in rows) == (counts.pending if rows else 0)
    made = report_of_wait(replace(WATCH, flow=flow), counts, "waiting", START)
    assert json.loads(json.dumps(made)) == made


def test_times_to_delivery_are_sorted_into_classes_without_empty_ones_at_the_end() -> None:
    assert delivery_times([4.0, 5.0, 61.0]) == [
        {"up_to": 5.0, "count": 2},
        {"up_to": 10.0, "count": 0},
        {"up_to": 30.0, "count": 0},
        {"up_to": 60.0, "count": 0},
        {"up_to": 300.0, "count": 1},
    ]
    assert delivery_times([1e9])[-1] == {"up_to": None, "count": 1}
    assert delivery_times([]) == []


def test_a_report_says_when_it_looks_again_and_why_messages_failed() -> None:
    counts = DeliveryCounts(total=2, failed=1, reasons=Counter({ABSENT: 1}), failed_message_ids=["m1"])
    made = report_of_wait(WATCH, counts, "waiting", START, next_look=START + 20)
    assert (made["at"], made["next_look"]) == ("2027-01-15T08:00:00+00:00", "2027-01-15T08:00:20+00:00")
    (reason,) = made["reasons"]
    assert reason["message_ids"] == []  # an older version has not kept which failed for what
    assert reason["words"].startswith("absent subscriber")
    assert (reason["status"], reason["permanent"], reason["count"]) == (ABSENT.status, False, 1)
    assert made["failed_message_ids"] == ["m1"]


def test_each_reason_names_the_messages_that_failed_for_it() -> None:
    made = report_of_wait(WATCH, MIX, "waiting", START)
    (reason,) = made["reasons"]
    assert (reason["channel"], reason["message_ids"]) == ("SMS", ["c"])
    both = DeliveryCounts()
    both.merge(MIX)
    both.merge(counts_of(2, ("x", "failed", "LINE"), ("x", "failed", "SMS"), ("y", "handset", "LINE")))
    (reason,) = report_of_wait(WATCH, both, "waiting", START)["reasons"]
    assert reason["message_ids"] == made["failed_message_ids"] + ["x"]


def test_a_wait_that_could_not_begin_reports_its_error_with_its_code() -> None:
    made = report_of_error(OmniAuthenticationError("wrong password", status=401), START)
    assert (made["state"], made["error"]["code"]) == ("error", OmniAuthenticationError.code)


def test_an_error_while_waiting_keeps_the_latest_counts() -> None:
    made = report_of_error(OmniAuthenticationError("wrong password"), START, WATCH, MIX)
    assert (made["state"], made["delivered"], made["total"]) == ("error", 2, 5)


def test_the_end_names_reasons_and_the_ids_of_the_first_failed() -> None:
    ids = [f"m{number}" for number in range(7)]
    counts = DeliveryCounts(total=7, failed=7, reasons=Counter({ABSENT: 7}), failed_message_ids=ids)
    said = explain(Verdict.FAILURE, counts, SuccessCriterion())
    assert "SMS UNDELIVERABLE_NOT_DELIVERED (absent subscriber" in said
    assert said.endswith("x 7. Their message ids: m0, m1, m2, m3, m4 and 2 more.")


def test_an_error_is_kept_with_its_step() -> None:
    told = StatusUpdate.of(report("m", "failed", "SMS", error=ReportError(name="EC_ABSENT_SUBSCRIBER")))
    assert told.error == "EC_ABSENT_SUBSCRIBER"


@pytest.mark.parametrize("name", ["NO_ERROR", "", None, "Tell 41793026727", "a text of the vendor's"])
def test_what_is_no_name_of_an_error_is_not_kept(name: str | None) -> None:
    assert StatusUpdate.of(report("m", "failed", "SMS", error=ReportError(name=name))).error is None


# -- lines and reports while it waits ---------------------------------------------------------------------------------


def test_a_wait_begins_with_how_many_by_which_channels_and_until_when() -> None:
    assert begin_line(WATCH) == (
        "Waiting for 4 messages by LINE -> SMS, until 2027-01-15 08:10:00 UTC (success_when='all'); a look every 20 s."
    )
    assert "4 messages" in begin_line(replace(WATCH, bulks=(), parts=(WATCH.as_part(),)))
    assert "these bulk_ids" in begin_line(replace(WATCH, bulks=(Bulk("b", None),)))
    assert "9 messages" in begin_line(replace(WATCH, ledger_path="/ledger", accepted=9))


def test_a_line_of_progress_has_the_channels_and_the_next_look() -> None:
    assert progress_line(MIX, START + 20) == (
        "2 of 5 delivered (LINE 1, SMS 1), 1 failed (SMS 1), 2 pending. Next look at 2027-01-15 08:00:20 UTC."
    )


class Scripted:
    """A wait whose polls have these counts, and which never ends by itself."""

    def __init__(self, *script: DeliveryCounts | WaitEnd | None) -> None:
        self.watch = WATCH
        self.account = ""
        self.counts: DeliveryCounts | None = None
        self._script = list(script)

    def poll(self) -> Any:
        told = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(told, WaitEnd):
            return told
        self.counts = told
        return None
        yield

    def until_decided(self) -> Any:
        raise NotImplementedError


def polled(wait: Scripted, times: list[float], *, one_poll: bool = False) -> list[tuple[float, Any]]:
    """Poll at these times, in seconds since the begin. Return what was told, each with its time."""
    now = START
    machine = ReportedWait(wait, lambda: now, one_poll=one_poll)
    told: list[tuple[float, Any]] = []
    for at in times:
        now = START + at
        steps, reply = machine.poll(), None
        try:
            while True:
                effect = steps.send(reply)
                told.append((at, effect))
                reply = effect.function() if isinstance(effect, Offload) else None
        except StopIteration:
            continue
    return told


def some(delivered: int, total: int = 100) -> DeliveryCounts:
    return DeliveryCounts(total=total, delivered=delivered)


def times_of(kind: type, told: list[tuple[float, Any]]) -> list[float]:
    return [at for at, effect in told if isinstance(effect, kind)]


def test_a_line_comes_once_a_minute_and_on_every_tenth_of_the_way() -> None:
    script = [some(0), some(9), some(10), some(19), some(35), some(35), some(35)]
    told = polled(Scripted(*script), [0, 10, 20, 30, 40, 50, 40 + LINE_EVERY])
    assert times_of(Log, told) == [20, 40, 40 + LINE_EVERY]


def test_a_report_comes_once_in_ten_seconds_while_the_counts_change() -> None:
    told = polled(Scripted(*map(some, range(9))), [0, 4, 9, 10, 12, 20, 21])
    assert times_of(Report, told) == [0, 10, 20]


def test_a_report_of_unchanged_counts_comes_every_ten_minutes() -> None:
    told = polled(Scripted(some(1)), [0, 30, 60, 300, REPORT_UNCHANGED_EVERY, REPORT_UNCHANGED_EVERY + 30])
    assert times_of(Report, told) == [0, REPORT_UNCHANGED_EVERY]


def test_a_wait_that_knows_no_counts_yet_reports_that_it_waits() -> None:
    ((_, told),) = polled(Scripted(None), [0])
    assert isinstance(told, Report)
    assert (told.value["state"], told.value.get("total")) == ("waiting", None)


def test_polls_in_processes_of_their_own_report_each_time_and_write_a_line_about_once_a_minute() -> None:
    told: list[tuple[float, Any]] = []
    for at in range(0, 180, 20):  # the poll interval
        told += polled(Scripted(some(1)), [at], one_poll=True)
    assert len(times_of(Report, told)) == 9
    assert len(times_of(Log, told)) == 3


def test_the_end_has_its_report_and_the_state_of_the_verdict() -> None:
    for verdict, state in (
        (Verdict.SUCCESS, "delivered"),
        (Verdict.FAILURE, "undelivered"),
        (Verdict.TIMEOUT, "timeout"),
    ):
        machine = ReportedWait(Scripted(WaitEnd(verdict, {}, "", some(3))), lambda: START)
        with pytest.raises(StopIteration) as ended:
            next(machine.poll())
        made = ended.value.value.report
        assert (made["state"], made["delivered"], made.get("next_look")) == (state, 3, None)


def test_many_messages_are_reported_beside_the_event_loop() -> None:
    effects = [type(effect).__name__ for _, effect in polled(Scripted(some(1, total=1_000)), [0])]
    assert "Offload" in effects
