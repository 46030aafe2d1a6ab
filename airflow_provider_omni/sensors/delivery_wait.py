"""The wait of a task for deliveries, in the worker or in the triggerer. The sensor waits with it, and so do send
operators with `wait_for_delivery`. Thin: `delivery/` decides what to read and when to end.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.operators.failing import cause_below
from airflow_provider_omni.operators.keys import refuse_without_a_task

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_omni.delivery.effects import Memory
    from airflow_provider_omni.delivery.metrics import Measurement
    from airflow_provider_omni.delivery.tracking.reported_wait import ReportedWait
    from airflow_provider_omni.delivery.tracking.watch import Watch
    from airflow_provider_omni.triggers.omni import OmniDeliveryTrigger

TRIGGERER_GRACE = timedelta(minutes=10)
"""Time by which Airflow gives up later than the trigger, whose own end has the counts."""


def raise_it(failure: Exception, cause: BaseException | None = None) -> NoReturn:
    """Fail the task."""
    raise failure from cause


class DeliveryWait:
    """Waits for what a task's arguments name, and ends the task as the verdict says.

    :param log: the task's log.
    :param conn_id: the connection.
    :param read_watch: reads the task's arguments. It gets the hook, and the worker's memory if the worker polls.
    :param fail: raises what the task fails with. It gets Airflow's exception and its cause.
    :param never_retry: True if an error that a retry could mend ends the task, too.
    :param one_poll: True if each process polls once.
    :param returned: makes the task's return value from the summary.
    :param sent: the part of the delivery report that tells of the send, if the same task has sent.
    :param receipt: the receipt of what the same task has sent; None if it has not.
    """

    def __init__(
        self,
        log: Any,
        conn_id: str,
        read_watch: Callable[[OmniHook, Context | None, Memory | None], Watch],
        *,
        fail: Callable[[Exception, BaseException | None], NoReturn] = raise_it,
        never_retry: bool = False,
        one_poll: bool = False,
        returned: Callable[[dict[str, Any]], dict[str, Any]] = lambda summary: summary,
        sent: Mapping[str, Any] | None = None,
        receipt: Mapping[str, Any] | None = None,
    ) -> None:
        self.receipt = receipt
        self.started_at = time.time()
        self._log = log
        self._conn_id = conn_id
        self._read_watch = read_watch
        self._fail = fail
        self._never_retry = never_retry
        self._one_poll = one_poll
        self._returned = returned
        self._sent = {} if sent is None else {"send": dict(sent)}
        self._wait: ReportedWait | None = None
        self.summary: dict[str, Any] | None = None
        """The summary, once the wait has ended."""

    def trigger(self, context: Context) -> tuple[OmniDeliveryTrigger, timedelta]:
        """Return the trigger that waits from now on, and the time after which Airflow gives it up."""
        from airflow_provider_omni.delivery.tracking.journals import empty_entries
        from airflow_provider_omni.storage.xcom import try_of, write_first
        from airflow_provider_omni.triggers.omni import OmniDeliveryTrigger

        ti = context["ti"]
        with self.airflow_errors(context), OmniHook(self._conn_id) as hook:
            watch = self._read_watch(hook, None, None)
        self._log_begin(watch)
        write_first(ti, empty_entries(watch))
        trigger = OmniDeliveryTrigger(
            watch=watch.to_json(),
            omni_conn_id=self._conn_id,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=ti.map_index if ti.map_index is not None else -1,
            try_number=try_of(ti),
            reported=self._sent,
        )
        return trigger, timedelta(seconds=max(watch.deadline - time.time(), 0.0)) + TRIGGERER_GRACE

    def poll(self, context: Context) -> dict[str, Any] | None:
        """Read once everything there is to read. Return the task's return value at the end, None before."""
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.drivers import run
        from airflow_provider_omni.delivery.tracking.reported_wait import ReportedWait
        from airflow_provider_omni.delivery.tracking.wait_limits import REFUSALS
        from airflow_provider_omni.delivery.tracking.wait_metrics import measure_wait
        from airflow_provider_omni.delivery.tracking.wait_together import wait_for
        from airflow_provider_omni.hooks.metrics import recorder, show_age
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.storage.object_storage import watched_folder
        from airflow_provider_omni.storage.worker import worker_memory

        with self.airflow_errors(context):
            refuse_without_a_task(context)
        memory, report, metrics = worker_memory(context), self._reporter(context), recorder()

        def shown(value: dict[str, Any]) -> None:
            report(value)
            if self._wait is not None:
                show_age(metrics, self._wait.watch.begun_at)

        with self.airflow_errors(context), OmniHook(self._conn_id) as hook:
            if self._wait is None:
                watch = self._read_watch(hook, context, memory)
                self._log_begin(watch)
                clock = steady_clock(time.time, time.monotonic)
                wait = wait_for(watch, clock, uuid.uuid4().hex, refusals=1 if self._one_poll else REFUSALS)
                self._wait = ReportedWait(wait, clock, one_poll=self._one_poll)
            self._wait.account = hook.config.account_mark  # the connection may have changed since the last look
            folder = watched_folder(self._wait.watch)
            end = None
            # Once more if the deadline has come meanwhile: the last round asks the logs about everything.
            while end is None:
                late = time.time() >= self._wait.watch.deadline
                end = run(
                    self._wait.poll(),
                    client=hook.get_conn(),
                    memory=memory,
                    budget=logs_budget(hook.config.account),
                    report=shown,
                    log=cast("Any", self._log),
                    folder=folder,
                    metrics=metrics,
                )
                if end is None and (late or time.time() < self._wait.watch.deadline):
                    return None
        measured = [] if metrics is None else measure_wait(end.counts)
        return self._end(context, end.verdict.value, end.explanation, end.summary, end.report, measured)

    def pause(self) -> float:
        """Return the seconds until the next poll, for who polls in a loop. The deadline is never slept over."""
        assert self._wait is not None  # it has polled
        watch = self._wait.watch
        left = watch.deadline - time.time()
        return min(watch.poll_interval, left) if left > 0 else watch.poll_interval

    def complete(self, context: Context, event: Any) -> dict[str, Any]:
        """Take over from the triggerer. The event is checked: an unknown event is never a success."""
        from airflow_provider_omni.delivery.metrics import from_json
        from airflow_provider_omni.omni import errors

        with self.airflow_errors(context):
            refuse_without_a_task(context)
        known = event if isinstance(event, dict) else {}
        status, message = known.get("status"), str(known.get("message", ""))
        if status in ("success", "failure", "timeout") and isinstance(known.get("summary"), dict):
            measured = from_json(known.get("metrics"))
            return self._end(context, status, message, known["summary"], known.get("delivery"), measured)
        with self.airflow_errors(context, known.get("delivery")):
            if status == "error":
                error = errors.error_class(known.get("error"))(message, retryable=bool(known.get("retryable")))
                raise error
            raise errors.OmniProtocolError(
                "The trigger ended with an event that this version does not know.", retryable=True
            )

    @contextlib.contextmanager
    def airflow_errors(self, context: Context, delivery: Any = None) -> Iterator[None]:
        """End the task for good at an error that no retry can mend. Other errors may be retried.

        :param delivery: the delivery report for an error, if the trigger has made one.
        """
        from airflow_provider_omni.delivery.tracking.wait_report import report_of_error
        from airflow_provider_omni.omni.errors import OmniError

        try:
            yield
        except OmniError as error:
            known = (None, None) if self._wait is None else (self._wait.watch, self._wait.counts)
            report, ended = self._reporter(context), error
            report.show(lambda: delivery if isinstance(delivery, dict) else report_of_error(ended, time.time(), *known))
            if error.retryable and not self._never_retry:
                raise
            self._fail(AirflowFailException(str(error)), cause_below(error))

    def _end(
        self,
        context: Context,
        status: str,
        message: str,
        summary: dict[str, Any],
        delivery: Any,
        measured: Sequence[Measurement],
    ) -> dict[str, Any]:
        """End the task as the verdict says. What it returns goes to XCom first, since a failed task returns nothing.

        :param delivery: the delivery report of the end; None from a trigger of an older version.
        :param measured: what the wait adds to metrics. The task counts it, since a trigger may run twice.
        """
        from airflow_provider_omni.hooks.metrics import recorder
        from airflow_provider_omni.omni.errors import OmniDeliveryTimeoutError, OmniUndeliveredError

        self.summary = summary
        value = self._returned(summary)
        context["ti"].xcom_push(key="return_value", value=value)
        if isinstance(delivery, dict):
            self._reporter(context)(delivery)
        if (metrics := recorder()) is not None:
            metrics.record(measured)
        if status == "timeout":
            self._fail(AirflowSensorTimeout(str(OmniDeliveryTimeoutError(message))), None)
        if status != "success":
            self._fail(AirflowFailException(str(OmniUndeliveredError(message))), None)
        self._log.info("%s", message)
        return value

    def _log_begin(self, watch: Watch) -> None:
        from airflow_provider_omni.delivery.tracking.wait_report import begin_line

        # A later poke of reschedule mode goes on with a wait that has begun before.
        if watch.begun_at >= self.started_at:
            self._log.info("%s", begin_line(watch))

    def _reporter(self, context: Any) -> Any:
        from airflow_provider_omni.storage.delivery_reports import Reporter

        ti = context.get("ti") if isinstance(context, Mapping) else None
        return Reporter(ti, self._log, self._sent)
