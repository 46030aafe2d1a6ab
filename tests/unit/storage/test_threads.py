"""Blocking calls of a trigger reach Airflow's supervisor as Airflow 3.0 and 3.1 ask it: by `async_to_sync`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from airflow_provider_omni.delivery.drivers import arun
from airflow_provider_omni.delivery.effects import ListParts
from airflow_provider_omni.hooks import connection
from airflow_provider_omni.storage import threads
from airflow_provider_omni.storage import xcom as xcom_module
from airflow_provider_omni.storage.threads import in_thread
from airflow_provider_omni.storage.xcom import TaskKey, XComMemory

KEY = TaskKey("dag", "run", "task")


class Supervisor:
    """The triggerer's channel of Airflow 3.0 and 3.1: of one loop, asked from threads."""

    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.asked_in: set[int] = set()

    async def asend(self) -> None:
        self.loops.append(asyncio.get_running_loop())

    def send(self, *_: Any, **__: Any) -> None:
        self.asked_in.add(threading.get_ident())
        async_to_sync(self.asend)()


def assert_asked_on_this_loop(supervisor: Supervisor) -> None:
    assert supervisor.loops
    assert set(supervisor.loops) == {asyncio.get_running_loop()}
    assert threading.get_ident() not in supervisor.asked_in


async def test_the_journal_asks_the_supervisor_on_the_triggers_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor()
    blocking = type("BlockingXCom", (), {"get_one": supervisor.send, "set": supervisor.send})
    monkeypatch.setattr(xcom_module, "_xcom_class", lambda: blocking)

    await XComMemory(KEY).save("journal", {"v": 1})
    await XComMemory(KEY).load("journal")

    assert_asked_on_this_loop(supervisor)


async def test_the_masker_tells_the_supervisor_on_the_triggers_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_MASKED", "omni://demo:a-long-password@127.0.0.1:1/http")
    monkeypatch.setattr(connection, "mask_secret", supervisor.send)

    await connection.read_connection_async("omni_masked")

    assert_asked_on_this_loop(supervisor)


async def test_a_ledger_asks_for_its_connection_on_the_triggers_own_loop() -> None:
    supervisor = Supervisor()

    class Remote:
        """A folder of an object store, which reads its credentials when it is first used."""

        def list(self, _: str) -> list[str]:
            supervisor.send()
            return []

    def steps() -> Any:
        return (yield ListParts("sent"))

    unused: Any = None
    folder: Any = Remote()
    assert await arun(steps(), client=unused, memory=unused, folder=folder, in_thread=in_thread) == []

    assert_asked_on_this_loop(supervisor)


async def test_a_call_that_hangs_does_not_hold_up_the_others() -> None:
    release = threading.Event()
    hanging = [asyncio.ensure_future(in_thread(release.wait, 20)) for _ in range(threads.THREADS - 1)]
    try:
        call: Callable[[], str] = lambda: "answered"  # noqa: E731
        assert await asyncio.wait_for(in_thread(call), 5) == "answered"
    finally:
        release.set()
        await asyncio.gather(*hanging)
