"""Personal texts in great number: followed through time windows of the logs, and by ids where those leave gaps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.tracking import ledger_journal, single_messages, time_windows
from airflow_provider_omni.delivery.tracking.time_windows import LAG, TimeWindows, Window
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait_limits import FAILED_READS, TrackingLimits
from airflow_provider_omni.ledger import read_outcomes, unreached
from airflow_provider_omni.omni.errors import OmniServerError
from airflow_provider_omni.omni.failures import Failure, failure_error
from airflow_provider_omni.omni.models import Rows
from airflow_provider_omni.simulator import fates, outcomes
from airflow_provider_omni.simulator.fates import Fate, Moment, Since
from tests.harness.clock import SkippingClock
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.waits import machine_of, saying, wait

PERSONAL = saying("Dear {name}")
MANY = 110


def people(count: int, fate: str = "00") -> list[dict[str, str]]:
    return [{"phone": number[:-2] + fate, "name": f"N{index}"} for index, number in enumerate(numbers(count))]


# -- windows ---------------------------------------------------------------------------------------------------------


def test_slices_halve_until_a_page_is_not_full_and_close_when_nothing_can_change() -> None:
    made = TimeWindows(0.0)
    (whole,) = made.due(1000.0)
    assert made.full(whole) == (Window(0.0, 500.0), Window(500.0, 1000.0))
    assert made.full(Window(1.0, 1.001)) == ()
    for half, pending in ((Window(0.0, 500.0), True), (Window(500.0, 1000.0), False)):
        made.seen(half, 1000.0, pending=pending, rows=900)
    assert made.due(1000.0) == [Window(0.0, 500.0), Window(500.0, 1000.0)]
    made.seen(Window(0.0, 500.0), 1000.0 + LAG, pending=False, rows=900)
    made.seen(Window(500.0, 1000.0), 1000.0 + LAG, pending=False, rows=900)
    assert made.due(1000.0 + LAG) == [Window(1000.0, 1000.0 + LAG)]


def test_the_unread_and_the_failed_come_first_then_who_was_looked_at_longest_ago() -> None:
    made = TimeWindows(0.0)
    made.due(100.0)
    for since, at in ((0.0, 120.0), (100.0, 110.0)):
        made.due(since + 100.0)
        made.seen(Window(since, since + 100.0), at, pending=True, rows=600)
    made.due(300.0)
    assert made.due(300.0) == [Window(200.0, 300.0), Window(100.0, 200.0), Window(0.0, 100.0)]
    made.seen(Window(200.0, 300.0), 300.0, pending=True, rows=600)
    made.failed(Window(0.0, 100.0))
    assert made.due(300.0)[0] == Window(0.0, 100.0)
    assert made.unread() == [Window(0.0, 100.0)]


def test_neighbours_that_were_far_from_full_are_looked_at_together() -> None:
    made = TimeWindows(0.0)
    for until in (100.0, 130.0, 160.0):
        (window,) = made.due(until)
        assert window == Window(0.0, until)
        made.seen(window, until, pending=True, rows=100)


# -- the wait --------------------------------------------------------------------------------------------------------


def test_a_message_whose_first_step_failed_is_followed_until_its_last_has(tmp_path: Path, monkeypatch: Any) -> None:
    """LINE expires, is delivered late all the same, and the SMS fails later: nobody is told twice."""
    late = Fate(
        "late",
        chat=(Moment(2, outcomes.HANDSET, since=Since.EXPIRY),),
        sms=(Moment(4, outcomes.NOT_DELIVERED, outcomes.ABSENT_SUBSCRIBER),),
    )
    monkeypatch.setitem(fates.FATES, "90", late)
    monkeypatch.setattr(
        time_windows, "may_be_merged", lambda rows, page: False
    )  # which would keep the window open, too
    monkeypatch.setattr(single_messages.SingleMessageFollower, "look_by_id", lambda self, *, closing: iter(()))
    world = World(tmp_path, beat_seconds=600.0)
    world.send(people(MANY, "90"), saying("Dear {name}", 1, 120))
    end = wait(world, hours=5.0, success_when="finished")
    assert (end.summary["delivered"], end.summary["failed"]) == (MANY, 0)
    assert list(unreached(str(world.folder.path)).rows()) == []


def test_a_few_messages_cost_a_call_or_two_at_each_poll(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(people(MANY, "61"), PERSONAL)
    world.calls.clear()
    wait(world, hours=0.5, success_when="finished", delivered_means="handset")
    assert len(world.calls) <= 2 * 60 + 10


def test_while_the_budget_is_spent_nobody_starves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 4 stand for many more messages than a minute's calls can show."""
    monkeypatch.setattr(single_messages.SingleMessageFollower, "look_by_id", lambda self, *, closing: iter(()))
    world = World(tmp_path)
    world.fault = lambda post: world.clock.advance(1.0)  # type: ignore[func-returns-value]
    world.send([*people(320, "61"), *people(400)[320:]], PERSONAL, policy={"connections": 1})
    end = wait(
        world,
        hours=0.25,
        success_when="finished",
        delivered_means="handset",
        limits=TrackingLimits(page=4),
    )
    assert end.summary["by_status"] == {"DELIVERED_TO_HANDSET": 80, "DELIVERED_TO_OPERATOR": 320}


@pytest.mark.parametrize("failures", [1, 2])
def test_a_last_look_at_a_slice_that_fails_is_repeated(tmp_path: Path, monkeypatch: Any, failures: int) -> None:
    monkeypatch.setattr(single_messages.SingleMessageFollower, "look_by_id", lambda self, *, closing: iter(()))
    world = World(tmp_path)
    world.send(people(MANY), PERSONAL)
    world.clock.advance(3600.0)
    execute, looks = world.execute, Counter[str]()

    def flaky(call: Any) -> Any:
        looks[call.path] += 1
        if call.path.endswith("logs") and looks[call.path] <= failures:
            raise failure_error(call, Failure.BROKEN)
        return execute(call)

    world.execute = flaky  # type: ignore[method-assign]
    assert wait(world, hours=-0.001).verdict is Verdict.SUCCESS


def test_messages_on_a_page_that_cannot_be_cut_are_found_by_their_ids(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(people(MANY), PERSONAL)
    mine, world.folder = world.folder, LocalFolder(tmp_path / "other")
    for number in range(3):
        others = numbers(400, 10_000 + number * 1000)
        world.send(others, saying("Other"), identity=Identity(f"other-{number}"), chunk_size=400)
    world.folder = mine
    assert wait(world).verdict is Verdict.SUCCESS


@pytest.mark.parametrize("ahead", [120.0, 2 * 3600.0])
def test_a_workers_clock_that_is_wrong_hides_no_message(tmp_path: Path, ahead: float) -> None:
    world = World(tmp_path)
    real = world.clock

    class Ahead(SkippingClock):
        advance = real.advance  # type: ignore[assignment]

        def now(self) -> float:
            return real.now() + ahead

    world.clock = Ahead()
    world.send(people(MANY), PERSONAL)
    assert wait(world).verdict is Verdict.SUCCESS


def test_looks_by_id_before_the_deadline_are_few_and_go_round(tmp_path: Path) -> None:
    world = World(tmp_path, log_lag_seconds=10 * 3600.0)
    world.send(people(300), PERSONAL)
    asked = _asked_by_id(world)
    deadline = world.clock.now() + 3600.0
    wait(world, hours=1.0, limits=TrackingLimits(looks_by_id=4))
    before = [ids for at, ids in asked if at < deadline]
    assert len({each for ids in before for each in ids}) == 300
    assert len(before) < 70


def _asked_by_id(world: World) -> list[tuple[float, list[str]]]:
    """The looks by message ids from now on, each with its time."""
    asked: list[tuple[float, list[str]]] = []
    execute = world.execute

    def noted(call: Any) -> Any:
        if call.path.endswith("logs") and (ids := dict(call.query).get("messageId")):
            asked.append((world.clock.now(), ids.split(",")))
        return execute(call)

    world.execute = noted  # type: ignore[method-assign]
    return asked


def _shown_only(world: World, *shown: str, windows: bool) -> None:
    """The logs have rows of these messages only; `windows`: and can be read by time."""
    execute = world.execute

    def some(call: Any) -> Any:
        rows = execute(call)
        if not call.path.endswith("logs"):
            return rows
        if not windows and "messageId" not in dict(call.query):
            raise failure_error(call, Failure.BROKEN)
        return [each for each in rows if each.message_id in shown]

    world.execute = some  # type: ignore[method-assign]


def _ids(world: World) -> list[str]:
    return sorted(row.message_id for row in read_outcomes(str(world.folder.path)))


@pytest.mark.parametrize("lists", ["first", "none"])
def test_one_message_in_an_unread_slice_is_found_though_the_logs_have_none_of_the_others(
    tmp_path: Path, lists: str
) -> None:
    world = World(tmp_path, id_lists=lists)
    world.send(people(MANY), PERSONAL)
    _shown_only(world, _ids(world)[70], windows=False)
    assert wait(world, hours=-0.001).summary["delivered"] == 1


def test_two_that_were_seen_show_at_the_deadline_that_lists_are_read_and_nobody_unseen_is_asked_for_alone(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.send(people(300, "61"), PERSONAL)
    _shown_only(world, *_ids(world)[200:202], windows=True)
    asked = _asked_by_id(world)
    wait(world, hours=-0.001, delivered_means="handset")
    assert {each for _, ids in asked for each in ids} == set(_ids(world))
    assert len(asked) < 30


def test_a_failure_of_which_not_every_step_was_seen_to_fail_counts_once_its_report_was_read(tmp_path: Path) -> None:
    world = World(tmp_path, log_rows="last-step")
    world.send([*people(100, "48"), *people(150, "42")[100:]], PERSONAL)
    world.calls.clear()
    end = wait(world, hours=3.0, success_when="finished")
    assert (end.summary["delivered"], end.summary["failed"]) == (100, 50)
    assert sum("reports" in call.path for call in world.calls) <= 150


def test_a_failure_whose_steps_were_all_seen_to_fail_costs_no_report(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(people(MANY, "42"), PERSONAL)
    world.calls.clear()
    end = wait(world, success_when="finished")
    assert end.summary["failed"] == MANY
    assert not [call for call in world.calls if "reports" in call.path]


def test_whose_reports_cannot_be_read_fails_at_the_deadline_and_is_pending_in_the_ledger(tmp_path: Path) -> None:
    world = World(tmp_path, log_rows="last-step")
    world.send(people(MANY, "42"), PERSONAL)
    execute = world.execute

    def broken(call: Any) -> Any:
        if "reports" in call.path:
            raise failure_error(call, Failure.BROKEN)
        return execute(call)

    world.execute = broken  # type: ignore[method-assign]
    assert wait(world, hours=0.1, success_when="finished").summary["failed"] == MANY
    assert Counter(row.outcome for row in read_outcomes(str(world.folder.path))) == {"pending": MANY}


def _reads_fail(world: World, number: int) -> list[str]:
    """The first reads of reports are answered with 503. Nothing is handed out by these. Returns the ids asked for."""
    execute, asked = world.execute, list[str]()

    def flaky(call: Any) -> Any:
        if "reports" in call.path and len(asked) < number:
            asked.append(dict(call.query).get("messageId", ""))
            raise OmniServerError("down", status=503)
        return execute(call)

    world.execute = flaky  # type: ignore[method-assign]
    return asked


@pytest.mark.parametrize("hours", [1.0, -0.001], ids=["long before the deadline", "at the deadline"])
@pytest.mark.parametrize(
    ("people_", "content", "failures"), [(MANY, PERSONAL, 50), (5, PERSONAL, 5), (20, saying("Hello"), 5)]
)
def test_a_read_of_reports_that_fails_makes_nobody_failed_who_was_delivered(
    tmp_path: Path, people_: int, content: Any, failures: int, hours: float
) -> None:
    """The logs show that the SMS has failed; only a report tells of the delivery on LINE."""
    world = World(tmp_path, log_rows="last-step")
    world.send(people(people_, "48"), content)
    world.clock.advance(3600.0)
    _reads_fail(world, failures)
    end = wait(world, hours=hours, success_when="finished")
    assert (end.summary["delivered"], end.summary["failed"]) == (people_, 0)
    assert list(unreached(str(world.folder.path)).rows()) == []


def test_while_reads_of_reports_fail_a_poll_tries_a_few_and_the_next_one_tries_others(tmp_path: Path) -> None:
    world = World(tmp_path, log_rows="last-step")
    world.send(people(MANY, "48"), PERSONAL)
    world.clock.advance(600.0)
    asked = _reads_fail(world, 1_000_000)
    machine = machine_of(world)
    for poll in (1, 2):
        assert world.carry_out(machine.poll()) is None
        assert len(set(asked)) == len(asked) == poll * FAILED_READS
        world.clock.advance(60.0)


def test_a_failure_counts_after_one_whole_read_though_a_row_of_the_one_before_could_not_be_parsed(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, log_rows="last-step")
    world.send(people(MANY, "42"), PERSONAL)
    world.clock.advance(600.0)
    execute, asked = world.execute, Counter[str]()

    def spoilt(call: Any) -> Any:
        rows = execute(call)
        if "reports" in call.path:
            message_id = dict(call.query)["messageId"]
            asked[message_id] += 1
            if asked[message_id] == 1:
                rows = Rows([])
                rows.skipped = 1
        return rows

    world.execute = spoilt  # type: ignore[method-assign]
    assert wait(world, success_when="finished").summary["failed"] == MANY
    assert set(asked.values()) == {2}


def test_a_margin_of_an_hour_stands_before_the_first_intent() -> None:
    assert ledger_journal.WINDOW_MARGIN == 3600.0
    assert time_windows.LAG >= 600.0
