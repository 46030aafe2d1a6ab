"""Measurements of sends and waits: bounded, without ids, each message once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.delivery.effects import CallApi, Measure, Steps
from airflow_provider_omni.delivery.metrics import (
    DELIVERIES,
    DELIVERY_SECONDS,
    LOG_BUDGET_WAIT,
    MOST_TIMES,
    Measurement,
    from_json,
    measure_refusals,
    representatives,
    to_json,
)
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.wait_metrics import measure_wait
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniBusyError
from airflow_provider_omni.omni.rate_limits import WindowLimiter
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers


def states(measured: Iterable[Measurement]) -> dict[str, float]:
    found: Counter[str] = Counter()
    for each in measured:
        found[each.tags.get("state") or each.tags.get("status") or each.metric.name] += int(each.values[0])
    return dict(found)


class Recorder:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.found: list[Measurement] = []

    def record(self, measurements: Iterable[Measurement]) -> None:
        self.found += measurements


def test_a_wait_counts_every_message_under_its_channel_and_outcome() -> None:
    counts = DeliveryCounts(
        total=10, delivered=4, failed=3, by_channel=Counter(LINE=3, SMS=1), failed_at=Counter(SMS=2),
        pending_at=Counter(LINE=1, Surprise=1), seconds={"LINE": [1.0, 2.0, 3.0], "SMS": [40.0]},
    )  # fmt: skip
    measured = measure_wait(counts)
    deliveries = {
        (each.tags["channel"], each.tags["outcome"]): each.values for each in measured if each.metric is DELIVERIES
    }
    assert deliveries == {
        ("LINE", "delivered"): (3,), ("SMS", "delivered"): (1,), ("SMS", "failed"): (2,), ("none", "failed"): (1,),
        ("LINE", "pending"): (1,), ("other", "pending"): (1,), ("none", "pending"): (1,),
    }  # fmt: skip
    assert sum(sum(values) for values in deliveries.values()) == counts.total
    times = {each.tags["channel"]: each.values for each in measured if each.metric is DELIVERY_SECONDS}
    assert times == {"LINE": (1.0, 2.0, 3.0), "SMS": (40.0,)}


def test_of_many_times_a_hundred_stand_for_all() -> None:
    found = representatives([float(each) for each in range(100_000)])
    assert len(found) == MOST_TIMES
    assert found[0] == 500.0
    assert found[49] == 49_500.0
    assert representatives([3.0, 1.0]) == (1.0, 3.0)


def test_measurements_pass_through_the_json_of_an_event_and_what_is_not_known_is_left_out() -> None:
    measured = measure_wait(DeliveryCounts(total=1, delivered=1, by_channel=Counter(LINE=1), seconds={"LINE": [1.5]}))
    event = json.loads(json.dumps(to_json(measured)))
    assert from_json(event) == measured
    assert from_json([["omni.of_a_newer_version", [1], {}], "x", [1, 2, 3], *event]) == measured
    assert from_json(None) == []


def test_refusals_are_named_by_the_vendors_registry_and_by_nothing_else() -> None:
    found = measure_refusals({"REJECTED_NOT_ENOUGH_CREDITS": 2, "BAD_REQUEST (41793026727)": 1, "HTTP 400": 3})
    assert [(each.tags["status"], each.values) for each in found] == [
        ("REJECTED_NOT_ENOUGH_CREDITS", (2,)),
        ("other", (4,)),
    ]


def test_a_driver_records_what_a_machine_measures_and_drops_it_where_nobody_records() -> None:
    def steps() -> Steps[None]:
        yield Measure((Measurement(LOG_BUDGET_WAIT, (1.0,), {}),))

    recorder, nothing = Recorder(), Any
    run(steps(), client=nothing, memory=nothing, metrics=recorder)  # type: ignore[arg-type]
    run(steps(), client=nothing, memory=nothing)  # type: ignore[arg-type]
    assert [each.values for each in recorder.found] == [(1.0,)]


class Answers:
    def execute(self, _call: Any) -> list[Any]:
        return []


def test_a_wait_for_the_log_budget_is_recorded_once_whole_and_also_where_it_would_be_too_long() -> None:
    now = [0.0]
    budget = WindowLimiter(1, clock=lambda: now[0], jitter=lambda: 0.0)

    def steps(patience: float) -> Steps[Any]:
        return (yield CallApi(api.get_logs(message_ids=["m"]), patience))

    def sleep(seconds: float) -> None:
        now[0] += seconds / 2 + 0.01  # it comes too early, and waits once more

    recorder = Recorder()
    given: Any = {"client": Answers(), "memory": None, "budget": budget, "sleep": sleep, "metrics": recorder}
    run(steps(600.0), **given)
    assert recorder.found == []
    run(steps(600.0), **given)
    with pytest.raises(OmniBusyError):
        run(steps(1.0), **given)
    whole, too_long = [each.values[0] for each in recorder.found]
    assert whole >= 60.0
    assert round(too_long) == 60


# -- sends: the engine, with its tries --------------------------------------------------------------------------------


def test_a_batch_counts_its_messages_and_rows_once_and_a_retry_none_of_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [*numbers(4), numbers(1)[0], {"phone": "none"}]
    assert states(world.send(rows, max_quarantined=1.0).measured) == {"accepted": 4, "quarantined": 1, "duplicate": 1}
    assert states(world.send(rows, max_quarantined=1.0).measured) == {}


def test_who_is_on_the_suppression_list_is_counted_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert states(world.send(numbers(3), suppress=numbers(1)).measured) == {"accepted": 2, "suppressed": 1}
    assert states(world.send(numbers(3), suppress=numbers(1)).measured) == {}


def test_a_batch_that_is_killed_is_counted_by_the_try_that_finds_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill-after" if post == 2 else None
    with pytest.raises(KilledError):
        world.send(numbers(4), chunk_size=1)
    world.fault = lambda post: None
    again = states(world.send(numbers(4), chunk_size=1).measured)
    assert 0 < again["accepted"] <= 4
    assert states(world.send(numbers(4), chunk_size=1).measured) == {}


def test_what_stays_unknown_is_counted_by_the_first_try_and_as_accepted_by_the_one_that_hears_of_it(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "reset-after"
    mend = world.failing("/logs")
    assert states(world.send(numbers(3)).measured) == {"unconfirmed": 3, "omni.unknown_outcomes": 3}
    assert states(world.send(numbers(3)).measured) == {}
    mend()
    assert states(world.send(numbers(3)).measured) == {"accepted": 3}
    assert states(world.send(numbers(3)).measured) == {}


def test_a_try_that_was_killed_has_counted_nothing_so_that_what_it_left_unknown_is_counted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill-after"
    with pytest.raises(KilledError):
        world.send(numbers(3))
    world.failing("/logs")
    killed = {"unaccounted": 1, "record_complete": False}
    assert states(world.send(numbers(3), policy=killed).measured) == {"unconfirmed": 3, "omni.unknown_outcomes": 3}


def test_a_dry_run_counts_nothing(tmp_path: Path) -> None:
    assert states(World(tmp_path).send(numbers(4), policy={"dry_run": True}).measured) == {}


def test_a_long_send_measures_on_the_way_what_is_on_record_and_the_rest_at_its_end(tmp_path: Path) -> None:
    world, recorder = World(tmp_path), Recorder()
    world.metrics = recorder
    world.fault = lambda post: world.clock.advance(4.0)
    end = world.send(numbers(12), chunk_size=1, policy={"connections": 1})
    on_the_way = states(recorder.found)["accepted"]
    assert 0 < on_the_way < 12
    assert states([*recorder.found, *end.measured]) == {"accepted": 12}
