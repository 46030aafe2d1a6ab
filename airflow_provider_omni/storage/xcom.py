"""Memory of a trigger: XComs of the waiting task, which survive the triggerer and the return to a worker.

Airflow clears them when a fresh try starts, not when a deferred one resumes. Each release line of Airflow reaches them
in another way (async on 3.3, in a thread on 3.0 to 3.2, through the database on 2.11). A message that the triggerer's
supervisor does not know is never answered, so each access has a time-out of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.effects import Json
from airflow_provider_omni.omni.errors import OmniStorageError
from airflow_provider_omni.storage.threads import in_thread

TIMEOUT = 30.0
"""Seconds for one access, far above a healthy triggerer's. An unanswered access costs a poll, not the wait."""


@dataclass(frozen=True, slots=True)
class TaskKey:
    """The task instance whose XComs are used."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @property
    def names(self) -> dict[str, Any]:
        """The keyword arguments of the XCom class for this task, valid on all versions."""
        return {"dag_id": self.dag_id, "run_id": self.run_id, "task_id": self.task_id, "map_index": self.map_index}


class XComMemory:
    """Keeps entries as XComs of `task`, one XCom per key. Use it from an event loop.

    Accesses of one memory never overlap, even when one timed out and still runs in its thread: a late old write must
    not undo a newer one. Tries that may overlap never share an entry, if their `try_number` is given.

    :param task: the task instance.
    :param timeout: seconds for one access.
    :param try_number: the try whose entries are meant. Default None: the entries of the task, whichever its try.
    """

    durable = True

    def __init__(self, task: TaskKey, timeout: float = TIMEOUT, try_number: int | None = None) -> None:
        self._task = task
        self._timeout = timeout
        self._try_number = try_number
        self._running: asyncio.Future[Any] | None = None

    async def load(self, key: str) -> Json:
        """Return the value that any copy of the trigger saved under `key`, else None. Raises `OmniStorageError`."""
        xcom = _xcom_class()
        names, key = self._task.names, key_of_try(key, self._try_number)
        if _speaks_async(xcom):
            value: Json = await self._within(lambda: xcom.aget_one(key=key, **names), "read")
        else:
            value = await self._within(lambda: self._threaded(xcom.get_one, key=key, **names), "read")
        return value

    async def save(self, key: str, value: Json) -> None:
        """Write `value`. Returns only when it is stored. Raises `OmniStorageError`."""
        xcom = _xcom_class()
        names, key = self._task.names, key_of_try(key, self._try_number)
        if _speaks_async(xcom):
            await self._within(lambda: xcom.aset(key=key, value=value, **names), "written")
        else:
            await self._within(lambda: self._threaded(xcom.set, key=key, value=value, **names), "written")

    async def _within(self, access: Callable[[], Awaitable[Any]], what: str) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await access()
        except Exception as error:
            raise OmniStorageError(
                f"The task's XCom could not be {what} ({type(error).__name__}).", retryable=True
            ) from error

    async def _threaded(self, function: Callable[..., Any], **names: Any) -> Any:
        """Run a function in a thread, after the access before has come to its end: a time-out cannot stop a thread."""
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running])
        self._running = asyncio.ensure_future(in_thread(function, **names))
        # Shielded: the write goes on even if its caller stops waiting.
        return await asyncio.shield(self._running)


def key_of_try(key: str, try_number: int | None) -> str:
    """Return the XCom key of an entry that belongs to one try; `key` itself if the try is not known."""
    return key if try_number is None else f"{key}_try_{try_number}"


def write_first(ti: Any, entries: Mapping[str, Json]) -> None:
    """Write entries that say nothing, in a worker, before a trigger reads them: Airflow 3 logs an error for each XCom
    that is not there. Never raises: a trigger reads an entry that is not there as one that says nothing.

    The entries are those of this try only. A worker that is frozen here and wakes in a later try cannot empty what that
    try's trigger has written.

    :param ti: the context's task instance. Nothing is written if its try is not known.
    :param entries: the empty entries, each with its key.
    """
    if (number := try_of(ti)) is None or not _xcom_class().__module__.startswith("airflow.sdk."):
        return
    with contextlib.suppress(Exception):
        for key, entry in entries.items():
            ti.xcom_push(key=key_of_try(key, number), value=entry)


def try_of(ti: Any) -> int | None:
    """Return the number of the try that runs, from 1; None if Airflow does not tell."""
    number = getattr(ti, "try_number", None)
    return number if type(number) is int and number > 0 else None


def _xcom_class() -> Any:
    from airflow.providers.common.compat.sdk import XCom

    return XCom


def anybody_answers() -> bool:
    """Return True if a trigger can reach XComs at all. In `dag.test()` of Airflow 3.0 it cannot: there is no
    supervisor, and every access is an ImportError.
    """
    xcom = _xcom_class()
    if not xcom.__module__.startswith("airflow.sdk."):
        return True  # 2.11: through the database
    from airflow.sdk.execution_time import task_runner

    return hasattr(task_runner, "SUPERVISOR_COMMS")


def _speaks_async(xcom: Any) -> bool:
    """Return True if the async half can be used: it exists, something answers, and no custom backend would block."""
    if not hasattr(xcom, "aset"):
        return False
    from airflow.sdk.execution_time import task_runner

    if not hasattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "asend"):
        return False  # `dag.test()`
    from airflow.sdk.bases.xcom import BaseXCom

    return (xcom.serialize_value, xcom.deserialize_value) == (BaseXCom.serialize_value, BaseXCom.deserialize_value)
