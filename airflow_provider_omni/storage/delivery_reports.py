"""Delivery reports in the XCom `omni_delivery` of the task that they are about.

A report that cannot be written is dropped, with one line in the log: sends and waits go on. A worker writes it at once;
a triggerer writes it beside the wait, which never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.delivery.messages.delivery_report import DELIVERY_KEY

if TYPE_CHECKING:
    from airflow_provider_omni.storage.xcom import XComMemory

CLOSING = 5.0
"""Seconds that the end of a trigger waits for a report that is being written, so that it cannot overwrite the end's."""


class Reporter:
    """A worker's function that makes and writes reports. It never raises: nothing depends on a report.

    :param ti: the context's task instance; None without a running task: then nothing is written.
    :param log: the task's log.
    :param besides: members that each report has besides its own.
    """

    def __init__(self, ti: Any, log: Any, besides: Mapping[str, Any] | None = None) -> None:
        self._ti = ti
        self._log = log
        self._besides = besides or {}
        self._failed = False

    def __call__(self, value: dict[str, Any]) -> None:
        """Write a report."""
        self.show(lambda: value)

    def show(self, make: Callable[[], dict[str, Any]]) -> None:
        """Make a report and write it."""
        if self._ti is None:
            return
        try:
            self._ti.xcom_push(key=DELIVERY_KEY, value={**make(), **self._besides})
        except Exception as error:  # noqa: BLE001
            if not self._failed:
                self._failed = True
                self._log.warning(
                    "The delivery report was not written (%s): the page of deliveries is behind.", type(error).__name__
                )


class BackgroundReporter:
    """A triggerer's function that begins to write a report, and returns at once.

    While a report is being written, only the latest of those that come meanwhile is kept.

    :param memory: the XComs of the waiting task; None where they cannot be reached.
    :param log: the trigger's log.
    :param besides: members that each report has besides its own.
    """

    def __init__(self, memory: XComMemory | None, log: Any, besides: Mapping[str, Any] | None = None) -> None:
        self._memory = memory
        self._log = log
        self._besides = besides or {}
        self._waiting: dict[str, Any] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._failed = False

    def __call__(self, value: dict[str, Any]) -> None:
        """Begin to write a report. Call it from the event loop."""
        if self._memory is None:
            return
        self._waiting = value
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(self._memory))

    async def _write(self, memory: XComMemory) -> None:
        while (value := self._waiting) is not None:
            self._waiting = None
            try:
                await memory.save(DELIVERY_KEY, {**value, **self._besides})
            except Exception as error:  # noqa: BLE001  nothing depends on it
                if not self._failed:
                    self._failed = True
                    self._log.warning("A delivery report was not written: the page is behind. (%s)", error)

    async def close(self) -> None:
        """Let a report that is being written come to its end, for up to `CLOSING` seconds."""
        self._waiting = None
        if self._writing is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await self._writing
