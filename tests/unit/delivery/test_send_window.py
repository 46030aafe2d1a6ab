"""Hours of the day in which messages may go out."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_omni.delivery.outbox.send_window import CLOSING, SPREAD, SendWindow

DAY = SendWindow(time(9), time(20), "Asia/Bangkok")
NIGHT = SendWindow(time(20), time(2), "UTC")


def at(text: str, zone: str = "Asia/Bangkok") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize("now", ["2026-11-28 09:00", "2026-11-28 12:00", "2026-11-28 19:57:59"])
def test_within_the_hours_a_message_goes_out_at_once(now: str) -> None:
    assert DAY.opening(at(now)) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-28 08:59:59", "2026-11-28 09:00"),
        ("2026-11-28 00:00", "2026-11-28 09:00"),
        ("2026-11-28 20:00", "2026-11-29 09:00"),
        ("2026-11-28 23:59", "2026-11-29 09:00"),
        ("2026-12-31 21:00", "2027-01-01 09:00"),
    ],
)
def test_outside_of_them_it_waits_for_the_next(now: str, expected: str) -> None:
    assert DAY.opening(at(now)) == at(expected)


def test_just_before_their_end_it_waits_because_a_request_takes_its_time() -> None:
    end = at("2026-11-28 20:00")
    assert DAY.opening(end - CLOSING) == at("2026-11-29 09:00")
    assert DAY.opening(end - CLOSING - 1) is None


def test_hours_may_go_over_midnight() -> None:
    assert NIGHT.opening(at("2026-11-28 23:59", "UTC")) is None
    assert NIGHT.opening(at("2026-11-28 01:00", "UTC")) is None
    assert NIGHT.opening(at("2026-11-28 01:59", "UTC")) == at("2026-11-28 20:00", "UTC")
    assert NIGHT.opening(at("2026-11-28 02:00", "UTC")) == at("2026-11-28 20:00", "UTC")


def test_a_recipients_own_zone_counts_for_that_recipient() -> None:
    now = at("2026-11-28 12:00")
    assert DAY.opening(now) is None
    assert DAY.opening(now, "America/New_York") == at("2026-11-28 09:00", "America/New_York")


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"], ids=["clocks go forward", "clocks go back"])
def test_hours_begin_by_the_clock_there_however_long_the_night_is(day: str) -> None:
    window = SendWindow(time(9), time(20), "Europe/Berlin")
    opening = window.opening(at(f"{day} 21:00", "Europe/Berlin"))
    assert opening is not None
    assert datetime.fromtimestamp(opening, ZoneInfo("Europe/Berlin")).time() == time(9)
    assert opening - at(f"{day} 21:00", "Europe/Berlin") == (11 if "03" in day[5:7] else 13) * 3600.0


def test_hours_that_begin_at_a_time_that_there_is_not_begin_when_the_clock_has_passed_it() -> None:
    window = SendWindow(time(2, 30), time(20), "Europe/Berlin")
    opening = window.opening(at("2026-03-28 21:00", "Europe/Berlin"))
    assert opening == datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp()


def test_the_latest_is_that_of_all_zones() -> None:
    now = at("2026-11-28 12:00")
    assert DAY.latest(now, [None]) is None
    assert DAY.latest(now, [None, "America/New_York"]) == at("2026-11-28 09:00", "America/New_York")


def test_another_process_whose_clock_was_ahead_may_have_asked_for_the_next_day() -> None:
    now = at("2026-11-28 19:30")
    assert DAY.latest(now, [None]) is None
    assert DAY.latest_of_others(now, [None]) == at("2026-11-29 09:00") + SPREAD


def test_that_holds_for_a_short_night_too() -> None:
    short = SendWindow(time(20, 10), time(20), "UTC")
    assert short.latest_of_others(at("2026-11-28 19:30", "UTC"), [None]) == at("2026-11-28 20:10", "UTC") + SPREAD
    assert short.latest_of_others(at("2026-11-28 20:15", "UTC"), [None]) == at("2026-11-28 20:10", "UTC") + SPREAD
    assert short.latest_of_others(at("2026-11-28 12:00", "UTC"), [None]) is None


def test_what_others_have_asked_for_is_over_once_the_hours_are_well_begun() -> None:
    assert DAY.latest_of_others(at("2026-11-28 12:00"), [None]) is None
