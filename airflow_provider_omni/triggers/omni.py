"""The half of the sensor that waits in the triggerer. Thin: `delivery/` decides what to read and when to end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_omni.hooks.connection import DEFAULT_CONN_ID
from airflow_provider_omni.hooks.omni import shared_async_client

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.effects import AsyncMemory
    from airflow_provider_omni.storage.xcom import XComMemory


EVENT_NOT_BEFORE = 5.0
"""Seconds after the trigger's start before which it fires no event.

Airflow 3.3.2 fails a task whose trigger fires before the scheduler has noticed that its worker is done: it finds the
task queued again, takes the worker's end for a kill from outside, and says "state mismatch" (seen on a loaded machine,
2.3 s after the deferral).
"""


class DeliveryEvent(TriggerEvent):
    """The event of the end of a wait. Airflow writes it into the task's log: there it is one line of words, without
    the ids in it.
    """

    def __init__(self, payload: dict[str, Any], **_: Any) -> None:
        super().__init__(payload)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"TriggerEvent<{self.payload['status']}: {self.payload['message']}>"

    __str__ = __repr__


class OmniDeliveryTrigger(BaseTrigger):
    """Waits until the verdict about some messages falls, and fires exactly one event.

    The event is `{"status": "success" | "failure" | "timeout" | "error", "message": …, "summary": {…}, "delivery":
    {…}}`: ids and counts, never a number or a text, since Airflow may write events to logs. `delivery` is the delivery
    report of the end. Meanwhile such reports stand in the task's XCom `omni_delivery`.

    A trigger may be run again from its first arguments at any time, and twice at once. Reports are handed out once. So
    everything read from them is written to a journal before anything is decided from it, and the journal is read back
    first thing. The journal stands in XComs of the waiting task; for a batch with a ledger, in the ledger. Deadlines
    are wall-clock times, so that another process understands them alike.

    :param watch: the messages to wait for, as plain JSON (`Watch.to_json()`).
    :param omni_conn_id: the connection. Default `omni_default`.
    :param dag_id: with `run_id`, `task_id` and `map_index`, the task whose XComs hold the journal. Without them the
        journal lives in memory, and outcomes that were read before a crash come from the logs.
    :param run_id: the run of that task.
    :param task_id: the id of that task.
    :param map_index: the map index of that task. Default -1: not mapped.
    :param try_number: the try that waits. Each try has a journal of its own, since Airflow removes XComs between tries,
        and a trigger of an earlier try may still run. Default None: from a version that did not tell.
    :param reported: members that each delivery report has besides the wait's own: `send`, if the task has sent, too.
        Default: none.
    """

    def __init__(
        self,
        watch: dict[str, Any],
        omni_conn_id: str = DEFAULT_CONN_ID,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        map_index: int = -1,
        try_number: int | None = None,
        reported: dict[str, Any] | None = None,
        **_: Any,  # what a newer or older version has written must not stop a wait that is under way
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.watch = watch
        self.omni_conn_id = omni_conn_id
        self.journal_dag_id = dag_id
        self.journal_run_id = run_id
        self.journal_task_id = task_id
        self.journal_map_index = map_index
        self.journal_try_number = try_number
        self.reported = reported or {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments: plain JSON, without numbers and texts."""
        return (
            "airflow_provider_omni.triggers.omni.OmniDeliveryTrigger",
            {
                "watch": self.watch,
                "omni_conn_id": self.omni_conn_id,
                "dag_id": self.journal_dag_id,
                "run_id": self.journal_run_id,
                "task_id": self.journal_task_id,
                "map_index": self.journal_map_index,
                "try_number": self.journal_try_number,
                "reported": self.reported,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire the event."""
        started_at = time.monotonic() if EVENT_NOT_BEFORE else 0.0
        event = await self._wait()
        if EVENT_NOT_BEFORE:
            await asyncio.sleep(max(0.0, EVENT_NOT_BEFORE - (time.monotonic() - started_at)))
        yield DeliveryEvent(event)

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.drivers import arun
        from airflow_provider_omni.delivery.metrics import to_json
        from airflow_provider_omni.delivery.tracking.reported_wait import ReportedWait
        from airflow_provider_omni.delivery.tracking.wait_limits import IN_A_THREAD
        from airflow_provider_omni.delivery.tracking.wait_metrics import measure_wait
        from airflow_provider_omni.delivery.tracking.wait_report import report_of_error
        from airflow_provider_omni.delivery.tracking.wait_together import wait_for
        from airflow_provider_omni.delivery.tracking.watch import Watch
        from airflow_provider_omni.hooks.metrics import OPEN_WAITS, recorder, show_age
        from airflow_provider_omni.omni.errors import OmniError
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.storage.delivery_reports import BackgroundReporter
        from airflow_provider_omni.storage.object_storage import watched_folder
        from airflow_provider_omni.storage.threads import in_thread

        memory, metrics = self._memory(), recorder()
        report = BackgroundReporter(self._xcoms(), self.log, self.reported)
        watch = wait = None

        def shown(value: dict[str, Any]) -> None:
            report(value)
            OPEN_WAITS.show(metrics)
            if watch is not None:
                show_age(metrics, watch.begun_at)

        try:
            watch = Watch.from_json(self.watch)
            # This reads a connection, and may import the package of a file system.
            folder = await in_thread(watched_folder, watch) if watch.ledger_paths else None
            with OPEN_WAITS.one(metrics):
                async with shared_async_client(self.omni_conn_id) as client:
                    clock, account = steady_clock(time.time, time.monotonic), client.config.account_mark
                    wait = ReportedWait(wait_for(watch, clock, uuid.uuid4().hex, account=account), clock)
                    end = await arun(
                        wait.until_decided(),
                        client=client,
                        memory=memory,
                        budget=logs_budget(client.config.account),
                        report=shown,
                        metrics=metrics,
                        log=cast("Any", self.log),
                        folder=folder,
                        in_thread=in_thread,
                    )
        except OmniError as error:
            kind = type(error).__name__
            return {
                "status": "error",
                "error": kind,
                "message": error.text,
                "retryable": error.retryable,
                "delivery": report_of_error(error, time.time(), watch, None if wait is None else wait.counts),
            }
        finally:
            await report.close()
        measured = []
        if metrics is not None:
            # In a thread: there may be a million times to sort.
            large = end.counts.total > IN_A_THREAD
            measured = await asyncio.to_thread(measure_wait, end.counts) if large else measure_wait(end.counts)
        return {
            "status": end.verdict.value,
            "message": end.explanation,
            "summary": end.summary,
            "delivery": end.report,
            "metrics": to_json(measured),
        }

    def _memory(self) -> AsyncMemory:
        from airflow_provider_omni.storage.process import AsyncProcessMemory

        if (xcoms := self._xcoms(self.journal_try_number)) is not None:
            return xcoms
        if self.journal_dag_id is not None:
            self.log.warning("No supervisor answers here (dag.test()): the journal lasts as long as this process.")
        return AsyncProcessMemory()

    def _xcoms(self, try_number: int | None = None) -> XComMemory | None:
        """Return the XComs of the waiting task, or of one try of it; None if they are not known, or out of reach."""
        from airflow_provider_omni.storage.xcom import TaskKey, XComMemory, anybody_answers

        if self.journal_dag_id is None or self.journal_run_id is None or self.journal_task_id is None:
            return None
        if not anybody_answers():
            return None
        return XComMemory(
            TaskKey(self.journal_dag_id, self.journal_run_id, self.journal_task_id, self.journal_map_index),
            try_number=try_number,
        )
