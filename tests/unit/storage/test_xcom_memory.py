"""XComs as a trigger's memory, on each of the three ways in which Airflow's versions reach them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from airflow_provider_omni.omni.errors import OmniStorageError
from airflow_provider_omni.storage import xcom as module
from airflow_provider_omni.storage.xcom import TaskKey, XComMemory, write_first

KEY = TaskKey("dag", "run", "task", 3)


class ThreadedXCom:
    """The XCom class of Airflow 2.11 to 3.2, which blocks."""

    entries: dict[tuple[Any, ...], Any]
    threads: set[int]

    def __init_subclass__(cls) -> None:
        cls.entries = {}
        cls.threads = set()

    @classmethod
    def set(cls, *, key: str, value: Any, dag_id: str, run_id: str, task_id: str, map_index: int) -> None:
        cls.threads.add(threading.get_ident())
        cls.entries[dag_id, run_id, task_id, map_index, key] = value

    @classmethod
    def get_one(cls, *, key: str, dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
        cls.threads.add(threading.get_ident())
        return cls.entries.get((dag_id, run_id, task_id, map_index, key))


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> type[ThreadedXCom]:
    class Fresh(ThreadedXCom):
        pass

    monkeypatch.setattr(module, "_xcom_class", lambda: Fresh)
    return Fresh


async def test_another_copy_of_the_trigger_loads_what_was_saved(threaded: type[ThreadedXCom]) -> None:
    await XComMemory(KEY).save("journal", {"v": 1})
    assert await XComMemory(KEY).load("journal") == {"v": 1}


async def test_each_mapped_task_has_its_own_entries(threaded: type[ThreadedXCom]) -> None:
    await XComMemory(KEY).save("journal", {"v": 1})
    assert await XComMemory(TaskKey("dag", "run", "task", 4)).load("journal") is None


async def test_blocking_xcoms_are_kept_off_the_event_loop(threaded: type[ThreadedXCom]) -> None:
    await XComMemory(KEY).save("journal", {"v": 1})
    assert threading.get_ident() not in threaded.threads


async def test_an_access_that_fails_is_a_storage_error_without_the_value(
    threaded: type[ThreadedXCom], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("4179302672 is in here")

    monkeypatch.setattr(threaded, "set", fail)
    with pytest.raises(OmniStorageError) as caught:
        await XComMemory(KEY).save("journal", {"v": 1})
    assert "4179" not in str(caught.value)


async def test_an_access_that_is_never_answered_ends_with_its_time_out(
    threaded: type[ThreadedXCom], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(threaded, "get_one", lambda **_: release.wait(20))
    with pytest.raises(OmniStorageError, match="TimeoutError"):
        await XComMemory(KEY, timeout=0.05).load("journal")
    release.set()


async def test_a_write_that_timed_out_cannot_undo_a_later_one(
    threaded: type[ThreadedXCom], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    order: list[int] = []

    def slow(*, value: int, **_: Any) -> None:
        if value == 1:
            release.wait(20)
        order.append(value)

    monkeypatch.setattr(threaded, "set", slow)
    memory = XComMemory(KEY, timeout=0.05)
    with pytest.raises(OmniStorageError):
        await memory.save("journal", 1)
    memory._timeout = 20
    later = asyncio.create_task(memory.save("journal", 2))
    await asyncio.sleep(0)
    release.set()
    await later
    assert order == [1, 2]


class AsyncXCom:
    """The XCom class of Airflow 3.3."""

    entries: dict[str, Any]

    @staticmethod
    def serialize_value() -> None: ...

    @classmethod
    async def aset(cls, *, key: str, value: Any, **_: Any) -> None:
        cls.entries[key] = value

    @classmethod
    async def aget_one(cls, *, key: str, **_: Any) -> Any:
        return cls.entries.get(key)


async def test_airflow_3_3_is_asked_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    AsyncXCom.entries = {}
    monkeypatch.setattr(module, "_xcom_class", lambda: AsyncXCom)
    monkeypatch.setattr(module, "_speaks_async", lambda _: True)
    await XComMemory(KEY).save("journal", {"v": 2})
    assert await XComMemory(KEY).load("journal") == {"v": 2}


class Comms:
    """The triggerer's end of the wire to its supervisor."""

    async def asend(self, message: Any) -> None: ...


def test_a_custom_xcom_backend_is_kept_off_the_event_loop_because_it_may_block(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import task_runner

    class Remote(BaseXCom):
        @staticmethod
        def serialize_value(value: Any, **_: Any) -> str:
            return "s3://…"

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(), raising=False)
    assert module._speaks_async(BaseXCom)
    assert not module._speaks_async(Remote)


def test_in_a_dag_test_nothing_answers_the_async_half(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import task_runner

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    assert not module._speaks_async(BaseXCom)


class TaskInstance:
    def __init__(self, try_number: int, broken: bool = False) -> None:
        self.try_number = try_number
        self.broken = broken
        self.entries: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        if self.broken:
            raise ConnectionError
        self.entries[key] = value


@pytest.fixture
def airflow_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_xcom_class", lambda: type("XCom", (), {"__module__": "airflow.sdk.bases.xcom"}))


@pytest.mark.usefixtures("airflow_3")
def test_a_first_try_writes_the_entries_before_anybody_reads_them() -> None:
    ti = TaskInstance(1)
    write_first(ti, {"journal": {"v": 1}})
    assert ti.entries == {"journal_try_1": {"v": 1}}


@pytest.mark.usefixtures("airflow_3")
def test_a_worker_that_wakes_in_a_later_try_cannot_empty_what_that_try_has_written() -> None:
    frozen, ti = TaskInstance(1), TaskInstance(2)
    write_first(ti, {"journal": {"read": []}})
    ti.entries["journal_try_2"] = {"read": ["m"]}
    frozen.entries = ti.entries  # they are two tries of one task instance
    write_first(frozen, {"journal": {"read": []}})
    assert ti.entries["journal_try_2"] == {"read": ["m"]}


@pytest.mark.usefixtures("airflow_3")
def test_nothing_is_written_if_the_try_is_not_known() -> None:
    ti = TaskInstance(0)
    write_first(ti, {"journal": {"v": 1}})
    assert ti.entries == {}


async def test_a_trigger_of_an_earlier_try_cannot_write_into_the_journal_of_a_later_one(
    threaded: type[ThreadedXCom],
) -> None:
    earlier, later = XComMemory(KEY, try_number=1), XComMemory(KEY, try_number=2)
    await later.save("journal", {"v": 2})
    await earlier.save("journal", {"v": 1})
    assert await XComMemory(KEY, try_number=2).load("journal") == {"v": 2}


@pytest.mark.usefixtures("airflow_3")
def test_entries_that_cannot_be_written_first_do_not_end_the_wait() -> None:
    write_first(TaskInstance(1, broken=True), {"journal": {"v": 1}})


def test_airflow_2_says_nothing_about_absent_xcoms_and_gets_no_entries(threaded: type[ThreadedXCom]) -> None:
    ti = TaskInstance(1)
    write_first(ti, {"journal": {"v": 1}})
    assert ti.entries == {}
