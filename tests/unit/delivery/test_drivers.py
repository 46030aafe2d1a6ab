"""Both drivers carry out the same machine alike: one set of tests drives both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_omni.delivery.drivers import arun, run
from airflow_provider_omni.delivery.effects import CallApi, Done, Gather, Load, Log, Publish, Save, Sleep, Steps, Submit
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait import DeliveryWait
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniBusyError, OmniRateLimitError, OmniServerError, OmniStorageError
from airflow_provider_omni.omni.models import Rows
from airflow_provider_omni.omni.rate_limits import WindowLimiter
from tests.unit.delivery.stage import START, report

LOOK = api.get_logs(message_ids=("m",))


class World:
    """Everything that a driver is given, in its sync and its async form. `answer` is what every call gets."""

    def __init__(self, answer: Any = None, stored: Any = None) -> None:
        self.answer = answer
        self.stored = stored
        self.done: list[Any] = []
        self.now = START

    def execute(self, call: Any) -> Any:
        self.done.append(call.path)
        return _given(self.answer)

    def load(self, key: str) -> Any:
        self.done.append(("load", key))
        return _given(self.stored)

    def save(self, key: str, value: Any) -> None:
        self.done.append(("save", key, value))
        if isinstance(self.stored, Exception):
            raise self.stored

    def sleep(self, seconds: float) -> None:
        self.done.append(("sleep", seconds))
        self.now += seconds


class AsyncWorld:
    def __init__(self, world: World) -> None:
        self.world = world

    async def execute(self, call: Any) -> Any:
        return self.world.execute(call)

    async def load(self, key: str) -> Any:
        return self.world.load(key)

    async def save(self, key: str, value: Any) -> None:
        self.world.save(key, value)

    async def sleep(self, seconds: float) -> None:
        self.world.sleep(seconds)


def _given(answer: Any) -> Any:
    answer = answer.pop(0) if isinstance(answer, list) and answer and isinstance(answer[0], list) else answer
    if isinstance(answer, Exception):
        raise answer
    return answer


Drive = Callable[..., Any]


def sync_drive(steps: Steps[Any], world: World, budget: WindowLimiter | None = None) -> Any:
    world.memory = world  # type: ignore[attr-defined]
    return run(steps, client=world, memory=_memory(world), budget=budget, sleep=world.sleep)


def async_drive(steps: Steps[Any], world: World, budget: WindowLimiter | None = None) -> Any:
    twin = AsyncWorld(world)
    return asyncio.run(arun(steps, client=twin, memory=_memory(twin), budget=budget, sleep=twin.sleep))


def _memory(world: Any) -> Any:
    world.durable = True
    return world


@pytest.fixture(params=[sync_drive, async_drive], ids=["worker", "triggerer"])
def drive(request: pytest.FixtureRequest) -> Drive:
    return request.param  # type: ignore[no-any-return]


def test_each_effect_is_carried_out_and_its_result_sent_in(drive: Drive) -> None:
    def machine() -> Steps[Any]:
        loaded = yield Load("key")
        rows = yield CallApi(LOOK)
        yield Save("key", {"rows": rows})
        yield Sleep(3.0)
        yield Log("done")
        return loaded, rows

    world = World(answer="rows", stored="loaded")
    assert drive(machine(), world) == ("loaded", "rows")
    assert world.done == [("load", "key"), "/omni/1/logs", ("save", "key", {"rows": "rows"}), ("sleep", 3.0)]


@pytest.mark.parametrize("error", [OmniServerError("down"), OmniStorageError("full")])
def test_our_errors_are_thrown_into_the_machine_which_may_go_on(drive: Drive, error: Any) -> None:
    def machine() -> Steps[str]:
        try:
            yield CallApi(LOOK) if isinstance(error, OmniServerError) else Save("key", 1)
        except type(error) as caught:
            return f"met {caught}"
        return "met nothing"

    assert drive(machine(), World(answer=error, stored=error)) == f"met {error}"


def test_other_exceptions_end_the_machine_without_asking_it(drive: Drive) -> None:
    closed = []

    def machine() -> Steps[None]:
        try:
            yield CallApi(LOOK)
        except Exception:  # noqa: BLE001
            closed.append("asked")
        finally:
            closed.append("closed")

    with pytest.raises(ZeroDivisionError):
        drive(machine(), World(answer=ZeroDivisionError()))
    assert closed == ["closed"]


def test_a_machines_own_error_comes_out(drive: Drive) -> None:
    def machine() -> Steps[None]:
        yield Sleep(0.0)
        raise OmniServerError("mine")

    with pytest.raises(OmniServerError, match="mine"):
        drive(machine(), World())


def full_budget(world: World) -> WindowLimiter:
    budget = WindowLimiter(per_minute=1, clock=lambda: world.now, jitter=lambda: 0.0)
    budget.try_take()
    return budget


def machine_with_patience(patience: float | None) -> Steps[Any]:
    return (yield CallApi(LOOK, patience=patience))


def test_a_place_in_the_budget_is_waited_for_as_long_as_there_is_patience(drive: Drive) -> None:
    world = World(answer="rows")
    assert drive(machine_with_patience(90.0), world, full_budget(world)) == "rows"
    assert world.now - START >= 60.0


def test_without_patience_the_machine_is_told_that_it_is_busy(drive: Drive) -> None:
    world = World(answer="rows")
    with pytest.raises(OmniBusyError):
        drive(machine_with_patience(0.0), world, full_budget(world))
    assert world.done == []


def test_a_call_without_patience_does_not_count_against_the_budget(drive: Drive) -> None:
    world = World(answer="rows")
    assert drive(machine_with_patience(None), world, full_budget(world)) == "rows"


def test_after_a_429_all_calls_of_the_budget_are_held_back(drive: Drive) -> None:
    def machine() -> Steps[Any]:
        try:
            yield CallApi(LOOK, patience=90.0)
        except OmniRateLimitError:
            world.answer = "rows"
        return (yield CallApi(LOOK, patience=90.0))

    world = World(answer=OmniRateLimitError("too many"))
    budget = WindowLimiter(clock=lambda: world.now, jitter=lambda: 0.0)
    assert drive(machine(), world, budget) == "rows"
    assert world.done == ["/omni/1/logs", ("sleep", 10.0), "/omni/1/logs"]


def test_a_429_of_a_call_that_is_not_of_the_budget_holds_nobody_back(drive: Drive) -> None:
    world = World(answer=OmniRateLimitError("too many"))
    budget = WindowLimiter(clock=lambda: world.now, jitter=lambda: 0.0)
    with pytest.raises(OmniRateLimitError):
        drive(machine_with_patience(None), world, budget)
    assert budget.try_take() == 0.0


def test_a_whole_wait_goes_the_same_way_in_both(drive: Drive) -> None:
    world = World(answer=[[], [], [report("m")], []])
    machine = DeliveryWait(Watch((Bulk(None, 1, ("m",)),), START + 3600.0), lambda: world.now, jitter=lambda: 0.5)
    assert drive(machine.until_decided(), world).verdict is Verdict.SUCCESS
    assert [each if isinstance(each, str) else each[0] for each in world.done] == [
        "load",
        "/omni/1/reports",
        "/omni/1/logs",
        "sleep",
        "/omni/1/reports",
        "load",
        "save",
    ] + (["/omni/1/logs"] if world.done[-1] == "/omni/1/logs" else [])


def test_notes_reach_the_log_with_their_level(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    def machine() -> Steps[None]:
        yield Log("quiet")
        yield Log("loud", warning=True)

    with caplog.at_level(logging.INFO):
        drive(machine(), World())
    assert [(record.levelname, record.message) for record in caplog.records if record.message in ("quiet", "loud")] == [
        ("INFO", "quiet"),
        ("WARNING", "loud"),
    ]


def test_receipts_are_published_where_there_is_a_way_to_and_dropped_elsewhere(drive: Drive) -> None:
    def machine() -> Steps[None]:
        yield Publish({"bulks": []})

    published: list[Any] = []

    async def publish(receipt: Any) -> None:
        published.append(receipt)

    world, twin = World(), AsyncWorld(World())
    run(machine(), client=world, memory=_memory(world), publish=published.append)
    asyncio.run(arun(machine(), client=twin, memory=_memory(twin), publish=publish))
    assert published == [{"bulks": []}] * 2
    assert drive(machine(), World()) is None


def gathered(count: int) -> Steps[dict[int, Done]]:
    ended: dict[int, Done] = {}
    while len(ended) < count:
        ended |= {done.tag: done for done in (yield Gather())}
    return ended


def test_effects_that_are_submitted_run_one_after_the_other_and_their_end_is_gathered(drive: Drive) -> None:
    def machine() -> Steps[Any]:
        yield Submit(7, (Save("key", 1), CallApi(LOOK)))
        return (yield from gathered(1))

    world = World(answer="rows")
    assert drive(machine(), world) == {7: Done(7, (None, "rows"))}
    assert world.done == [("save", "key", 1), "/omni/1/logs"]


def test_the_first_error_ends_what_was_submitted_and_not_what_runs_beside_it(drive: Drive) -> None:
    failed = OmniStorageError("full")

    def machine() -> Steps[Any]:
        yield Submit(1, (Save("key", 1), CallApi(LOOK)))
        yield Submit(2, (CallApi(LOOK),))
        return (yield from gathered(2))

    world = World(answer="rows", stored=failed)
    assert drive(machine(), world) == {1: Done(1, (), failed), 2: Done(2, ("rows",))}
    assert world.done.count("/omni/1/logs") == 1


def test_a_bug_in_what_was_submitted_ends_the_machine(drive: Drive) -> None:
    def machine() -> Steps[None]:
        yield Submit(1, (CallApi(LOOK),))
        yield Gather()

    with pytest.raises(ZeroDivisionError):
        drive(machine(), World(answer=ZeroDivisionError()))


async def test_a_call_that_is_cancelled_from_elsewhere_ends_the_machine() -> None:
    class Shared(AsyncWorld):
        async def execute(self, call: Any) -> Any:
            raise asyncio.CancelledError

    def machine() -> Steps[None]:
        yield Submit(1, (CallApi(LOOK),))
        yield Gather()

    twin = Shared(World())
    task = asyncio.create_task(arun(machine(), client=twin, memory=_memory(twin)))
    for _ in range(10):
        await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_a_machine_that_is_cancelled_leaves_nothing_under_way() -> None:
    class Slow(AsyncWorld):
        ended: str = ""

        async def execute(self, call: Any) -> Any:
            try:
                await asyncio.sleep(3600.0)
            except asyncio.CancelledError:
                self.ended = "cancelled"
                raise

    def machine() -> Steps[None]:
        yield Submit(1, (CallApi(LOOK),))
        yield Gather()

    twin = Slow(World())
    task = asyncio.create_task(arun(machine(), client=twin, memory=_memory(twin)))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert twin.ended == "cancelled"


async def test_a_trigger_that_is_cancelled_closes_its_machine() -> None:
    closed = []

    def machine() -> Steps[None]:
        try:
            yield Sleep(3600.0)
        finally:
            closed.append(True)

    twin = AsyncWorld(World())
    task = asyncio.create_task(arun(machine(), client=twin, memory=_memory(twin)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]


def test_rows_that_cannot_be_read_are_mentioned_once(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    page = Rows([report("m")])
    page.skipped = 3

    def machine() -> Steps[int]:
        first = yield CallApi(LOOK)
        second = yield CallApi(LOOK)
        return len(first) + len(second)

    with caplog.at_level(logging.INFO):
        assert drive(machine(), World(page)) == 2
    (line,) = [record.getMessage() for record in caplog.records if "could not be read" in record.getMessage()]
    assert line.startswith("3 row(s) of an answer to GET /omni/1/logs")
