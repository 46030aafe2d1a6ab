"""Waiting on a batch: from its ledger, into its ledger, whatever dies on the way."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait_limits import TrackingLimits
from airflow_provider_omni.delivery.tracking.wait_together import wait_for
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.ledger import read_outcomes, unreached
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.waits import saying, wait
from tests.unit.delivery.updates import held

PERSONAL = saying("Dear {name}")
SHARED = saying("Hello")


def mixed(count: int) -> list[str]:
    """Numbers with several fates."""
    return [
        f"4179{index:05d}{fate}"
        for index, fate in zip(range(count), ("00", "40", "41", "43", "44") * count, strict=False)
    ]


def operators(count: int) -> list[Any]:
    """People of whom LINE fails, and whose SMS the operator takes; nothing more is heard."""
    return [{"phone": number[:-2] + "61", "name": number[4:9]} for number in numbers(count)]


def rows_of(world: World) -> Counter[tuple[str | None, str | None]]:
    return Counter((row.outcome, row.channel) for row in read_outcomes(str(world.folder.path)))


def test_a_batch_is_followed_from_its_ledger(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.send(mixed(200), content=SHARED).error is None
    end = wait(world, success_when="finished")
    assert end.verdict is Verdict.SUCCESS
    assert end.summary["total"] == 200
    assert (end.summary["delivered"], end.summary["failed"]) == (160, 40)
    assert end.summary["by_channel"] == {"LINE": 40, "SMS": 120}
    assert sum(rows_of(world).values()) == 200
    assert Counter(row.outcome for row in read_outcomes(str(world.folder.path))) == {"delivered": 160, "failed": 40}


def test_the_ledger_says_which_failure_is_final_whatever_flow_the_receipt_names(tmp_path: Path) -> None:
    """A try with another scenario may break off before it has read the ledger; its receipt then names its own flow."""
    world = World(tmp_path)
    world.send(operators(6), content=SHARED)
    end = wait(world, success_when="finished", flow=("SMS", "LINE"))
    assert end.summary["failed"] == 0
    assert {row.outcome for row in read_outcomes(str(world.folder.path))} == {"operator"}


@pytest.mark.parametrize("many", [1, 1000], ids=["in time windows", "each by its id"])
def test_each_message_is_judged_by_the_flow_that_it_was_posted_with(tmp_path: Path, many: int) -> None:
    """Later tries have another scenario, in which the failure of LINE is the end."""
    world = World(tmp_path)
    world.send(operators(6)[:4], content=PERSONAL)
    world.send(operators(6), content=PERSONAL, flow=("SMS", "LINE"))
    limits = TrackingLimits(many_single=many)
    end = wait(world, success_when="finished", flow=("SMS", "LINE"), limits=limits)
    assert (end.summary["delivered"], end.summary["failed"]) == (4, 2)
    assert rows_of(world) == {("operator", "SMS"): 4, ("failed", "LINE"): 2}


@pytest.mark.parametrize("after", [5.0, 40.0, 70.0])
def test_a_wait_that_was_killed_is_taken_up_by_another(tmp_path: Path, after: float) -> None:
    world = World(tmp_path)
    world.send(mixed(60), SHARED)
    with pytest.raises(KilledError):
        wait(world, until=world.clock.now() + after, success_when="finished", settle=True)
    end = wait(world, success_when="finished")
    assert (end.summary["total"], end.summary["delivered"], end.summary["failed"]) == (60, 48, 12)


def test_reports_that_somebody_else_reads_are_found_in_the_logs(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(mixed(60), SHARED)
    world.simulator.faults.clear()
    execute = world.execute
    from airflow_provider_omni.omni import api

    def stolen(call: Any) -> Any:
        if "reports" in call.path:
            execute(api.get_reports())
        return execute(call)

    world.execute = stolen  # type: ignore[method-assign]
    end = wait(world, success_when="finished")
    assert (end.summary["total"], end.summary["delivered"], end.summary["failed"]) == (60, 48, 12)


def test_many_personal_texts_are_followed_through_slices_of_the_logs(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [{"phone": number, "name": f"N{index}"} for index, number in enumerate(mixed(750))]
    world.fault = lambda post: world.clock.advance(0.01)  # type: ignore[func-returns-value]
    assert world.send(rows, PERSONAL).error is None
    world.calls.clear()
    end = wait(world, success_when="finished")
    assert (end.summary["total"], end.summary["delivered"], end.summary["failed"]) == (750, 600, 150)
    assert not [call for call in world.calls if "reports" in call.path]
    assert len(world.calls) < 200
    assert Counter(row.outcome for row in read_outcomes(str(world.folder.path))) == {"delivered": 600, "failed": 150}


def test_a_few_personal_texts_are_followed_one_by_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [{"phone": number, "name": f"N{index}"} for index, number in enumerate(mixed(50))]
    assert world.send(rows, PERSONAL).error is None
    end = wait(world, success_when="finished")
    assert (end.summary["total"], end.summary["delivered"], end.summary["failed"]) == (50, 40, 10)


@pytest.mark.parametrize("personal", [False, True], ids=["one request", "time windows"])
def test_a_row_that_cannot_be_read_hides_nobody_else(tmp_path: Path, personal: bool) -> None:
    world = World(tmp_path)
    rows = [{"phone": number, "name": f"N{index}"} for index, number in enumerate(mixed(110))]
    assert world.send(rows, PERSONAL if personal else SHARED, chunk_size=400).error is None
    handle = world.handle

    def spoiled(call: Any) -> Any:
        reply = handle(call)
        if not call.path.endswith(("logs", "reports")):
            return reply
        body = json.loads(reply.body)
        body["results"] += [{"messageId": None, "status": {"groupId": 3}, "channel": "SMS"}]
        for row in body["results"]:
            row["status"]["groupId"] = row["status"].pop("groupName", "x")
        return replace(reply, body=json.dumps(body).encode())

    world.handle = spoiled  # type: ignore[method-assign]
    end = wait(world, success_when="finished")
    assert (end.summary["total"], end.summary["delivered"], end.summary["failed"]) == (110, 88, 22)


def test_refused_recipients_are_not_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, refused_in="both")
    refused = [number[:-2] + "06" for number in numbers(5, start=500)]
    world.send([*numbers(45), *refused], SHARED, policy={"on_rejected": "ignore"})
    end = wait(world)
    assert (end.verdict, end.summary["total"], end.summary["delivered"]) == (Verdict.SUCCESS, 45, 45)


def test_memory_of_what_is_settled_is_released(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(300), SHARED)
    watch = Watch((), world.clock.now() + 7200, SuccessCriterion("finished"), ("LINE", "SMS"), ledger_path="x")
    machine = wait_for(watch, world.clock.now, "aa", lambda: 0.5)
    end = world.carry_out(machine.until_decided())
    assert end.summary["delivered"] == 300
    assert not held(machine.deliveries.tracker)


def test_the_unreached_of_a_followed_batch_are_those_whose_delivery_failed_for_now(tmp_path: Path) -> None:
    world = World(tmp_path)
    people = (
        numbers(10)
        + [number[:-2] + "42" for number in numbers(10, 100)]
        + [number[:-2] + "43" for number in numbers(10, 200)]
    )
    world.send(people, SHARED)
    end = wait(world, success_when="finished")
    assert (end.summary["delivered"], end.summary["failed"]) == (10, 20)
    again = {row.number for row in unreached(str(world.folder.path)).rows()}
    assert again == set(people[10:20])


def test_a_ledger_that_was_never_sent_with_is_an_error(tmp_path: Path) -> None:
    from airflow_provider_omni.omni.errors import OmniInputError

    with pytest.raises(OmniInputError, match="a folder that no batch has used"):
        wait(World(tmp_path))


def test_a_batch_that_had_nobody_to_send_to_is_over_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.send(numbers(3), allowed_recipients=frozenset({"41793026727"})).error is None
    assert wait(world).verdict is Verdict.SUCCESS


@pytest.mark.parametrize("given_bulk_id", ["dropped", "replaced"])
@pytest.mark.parametrize("people", [20, 250])
def test_a_batch_is_followed_although_the_vendor_does_not_keep_its_bulk_ids(
    tmp_path: Path, given_bulk_id: str, people: int
) -> None:
    world = World(tmp_path, given_bulk_id=given_bulk_id, report_bulk_id="empty")
    assert world.send(mixed(people), content=SHARED).error is None
    end = wait(world, success_when="finished")
    assert end.verdict is Verdict.SUCCESS
    assert (end.summary["delivered"], end.summary["failed"]) == (people * 4 // 5, people // 5)
    outcomes = Counter(row.outcome for row in read_outcomes(str(world.folder.path)))
    assert outcomes == {"delivered": people * 4 // 5, "failed": people // 5}


def test_that_the_bulk_ids_are_not_kept_is_written_down_for_a_wait_that_begins_when_the_logs_have_forgotten(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, given_bulk_id="dropped", retention_seconds=4 * 3600.0)
    assert world.send(numbers(20), content=saying("Hello", line=3, sms=3)).error is None
    with pytest.raises(KilledError):
        wait(world, until=world.clock.now() + 0.5)
    world.simulator.configure(log_lag_seconds=1e6)
    end = wait(world)
    assert end.verdict is Verdict.SUCCESS
