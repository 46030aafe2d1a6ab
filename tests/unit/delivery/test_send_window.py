"""Hours of the day in which messages may go out."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_omni.delivery.messages.states import CLOCKS
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


def test_a_line_tells_the_hours_and_when_what_is_posted_now_goes_out() -> None:
    assert DAY.told(at("2026-11-28 12:00")) == (
        "Hours 09:00 to 20:00, Asia/Bangkok: what is posted now goes out at once."
    )
    assert DAY.told(at("2026-12-31 21:00"), own_zones=True) == (
        "Hours 09:00 to 20:00, Asia/Bangkok: what is posted now goes out from 2027-01-01 09:00 on. "
        "Recipients with a time zone of their own: by its clock."
    )
    assert NIGHT.told(at("2026-11-28 12:00", "UTC")) == (
        "Hours 20:00 to 02:00 (over midnight), UTC: what is posted now goes out from 2026-11-28 20:00 on."
    )


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


def test_another_process_whose_clock_is_past_short_hours_may_have_asked_for_the_next_ones() -> None:
    """Its clock has left hours that have not begun by ours."""
    short = SendWindow(time(12, 50), time(13, 5), "Asia/Bangkok")
    assert short.latest_of_others(at("2026-11-28 12:20"), [None]) == at("2026-11-29 12:50") + SPREAD


@pytest.mark.parametrize("clock", [0.0, CLOCKS / 2, CLOCKS])
def test_that_holds_where_the_clocks_go_back_in_the_night(clock: float) -> None:
    window = SendWindow(time(9), time(20), "Antarctica/Troll")  # two hours back
    began = at("2026-10-24 20:30", "Antarctica/Troll")
    asked = window.opening(began)
    assert asked is not None
    latest = window.latest_of_others(began - clock, [None])
    assert latest is not None
    assert latest >= asked


@pytest.mark.parametrize(
    ("opens", "closes"), [("02:00", "02:15"), ("02:15", "03:15"), ("02:50", "03:20")], ids=["all", "most", "some"]
)
def test_short_hours_that_a_change_of_clocks_leaves_out_wait_for_the_day_after(opens: str, closes: str) -> None:
    window = SendWindow(time.fromisoformat(opens), time.fromisoformat(closes), "Europe/Berlin")
    assert window.opening(at("2026-03-28 12:00", "Europe/Berlin")) == at(f"2026-03-30 {opens}", "Europe/Berlin")


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Cairo", "Asia/Bangkok"]
CHANGES = [
    "2026-03-08",
    "2026-03-29",
    "2026-04-05",
    "2026-04-24",
    "2026-10-04",
    "2026-10-25",
    "2026-10-30",
    "2026-11-01",
]


def is_within(window: SendWindow, moment: float, zone: str) -> bool:
    clock = datetime.fromtimestamp(moment, ZoneInfo(zone)).time()
    if window.opens < window.closes:
        return window.opens <= clock < window.closes
    return clock >= window.opens or clock < window.closes


@pytest.mark.parametrize("zone", ZONES)
def test_around_changes_of_clocks_nobody_is_woken_and_no_other_process_is_overlooked(zone: str) -> None:
    chance = random.Random(zone)
    for _ in range(1500):
        opens = time(chance.randrange(24), chance.choice((0, 10, 30, 50)))
        minutes = chance.choice((15, 20, 60, 660, 1300, 1439))
        closes = (datetime.combine(date(2026, 1, 1), opens) + timedelta(minutes=minutes)).time()
        window = SendWindow(opens, closes, zone)
        now = at(f"{chance.choice(CHANGES)} 02:00", zone) + chance.uniform(-30, 30) * 3600
        begin = window.opening(now) or now
        told = window, zone, now
        assert all(is_within(window, begin + after, zone) for after in (0.0, CLOSING - 1)), told
        assert begin == now or is_within(window, begin + SPREAD, zone), told
        for ahead in (-CLOCKS, 0.0, CLOCKS):
            asked, latest = window.opening(now + ahead), window.latest_of_others(now, [None])
            if asked is not None and asked + SPREAD > now:
                assert latest is not None, told
                assert latest >= asked + SPREAD, told
