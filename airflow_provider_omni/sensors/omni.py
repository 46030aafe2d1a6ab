"""The sensor that waits until messages are delivered. Thin: `delivery/` decides what to read and when to end."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_omni.hooks.connection import DEFAULT_CONN_ID
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.operators.failing import cause_below
from airflow_provider_omni.operators.keys import refuse_without_a_task
from airflow_provider_omni.operators.known_arguments import KnownArguments
from airflow_provider_omni.operators.linked import LinkedToDelivery
from airflow_provider_omni.operators.masked_fields import IdsField, MaskedFields, ReceiptField, unmask
from airflow_provider_omni.operators.slips import refuse_slips, time_slips, wait_slips

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_omni.delivery.effects import Memory
    from airflow_provider_omni.delivery.tracking.wait import Wait
    from airflow_provider_omni.delivery.tracking.watch import Watch

AIRFLOWS_OWN = timedelta(days=190)
"""Timeout that Airflow gets if no `timeout` is given. It is longer than any wait of ours, which may be for a message
that is scheduled 180 days ahead, and whose steps run for 48 hours each.
"""
TRIGGERER_GRACE = timedelta(minutes=10)
"""Time by which Airflow gives up later than the trigger, whose own end has the counts."""


class OmniDeliverySensor(LinkedToDelivery, MaskedFields, KnownArguments, BaseSensorOperator):
    """Waits until the outcomes of messages are known, and succeeds when enough of them were delivered.

    Returns a summary: how many messages were delivered, failed or are open, by channel and status, their cost and the
    time they took. It stands in XCom when the task fails or is skipped, too. The verdict falls as soon as it cannot
    change.

    :param receipt: the output of a send operator, or a list of outputs, such as that of a mapped operator: then there
        is one summary and one verdict over all. Give exactly one of `receipt`, `message_ids` and `bulk_ids`. A batch
        with a ledger is followed from its ledger, whatever its size, and its outcomes are written into the ledger. A
        list has up to 100 ledgers, and up to 1,000 requests with 5,000 message ids that are in none.
    :param message_ids: a message id, or a list of them.
    :param bulk_ids: a bulk id, or a list of them. The number of messages in a bulk is then read from the logs.
    :param success_when: `all` (default) messages delivered, `any` one, `finished` (every outcome is known, whichever it
        is), or a ratio such as 0.95 of the messages that the vendor accepted or may have accepted.
    :param delivered_means: `group` (default): a message that was handed to the operator counts as delivered while
        nothing final contradicts it. `handset`: only a confirmed handset counts.
    :param settle: wait for every outcome even when the verdict is clear. Default False.
    :param scenario_key: the scenario, if there is no receipt. It is read, to know which channel is the last.
    :param last_channel: the last channel, such as `SMS`; replaces `scenario_key` and saves its call. With neither, a
        failure counts as final when no other channel was heard of for five minutes.
    :param omni_conn_id: the connection. Default `omni_default`.
    :param deferrable: wait in the triggerer, without a worker. Default: `[operators] default_deferrable`.
    :param poke_interval: seconds between two polls, in every mode. Default 30.
    :param timeout: seconds. Default: the channels' validity periods and an hour, if the receipt knows them all, else 47
        hours: a step without a validity period runs up to 48 hours, and then reports and logs are gone. Airflow's
        `default_timeout` is not used.
    :param soft_fail: skip instead of failing, in all modes alike. Default False.
    :param mode: `poke` (default) or `reschedule`, if not deferrable.
    """

    template_fields: Sequence[str] = (
        "receipt",
        "message_ids",
        "bulk_ids",
        "scenario_key",
        "last_channel",
        "omni_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json"}
    ui_color = "#e8f5ec"

    receipt = ReceiptField()
    message_ids = IdsField()
    bulk_ids = IdsField()

    def __init__(
        self,
        *,
        receipt: Any = None,
        message_ids: Any = None,
        bulk_ids: Any = None,
        success_when: str | float = "all",
        delivered_means: str = "group",
        settle: bool = False,
        scenario_key: str | Mapping[str, Any] | None = None,
        last_channel: str | None = None,
        omni_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: timedelta | float = 30.0,
        timeout: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        from_airflow = AIRFLOWS_OWN if timeout is None else timeout
        slips = time_slips(poke_interval=poke_interval, timeout=from_airflow)
        times: dict[str, Any] = {} if slips else {"poke_interval": poke_interval, "timeout": from_airflow}
        super().__init__(**times, **kwargs)
        self.receipt = receipt
        self.message_ids = message_ids
        self.bulk_ids = bulk_ids
        self.success_when = success_when
        self.delivered_means = delivered_means
        self.settle = settle
        self.scenario_key = scenario_key
        self.last_channel = last_channel
        self.omni_conn_id = omni_conn_id
        self.deferrable = deferrable
        self.own_timeout = None if timeout is None else float(self.timeout)
        self._given = tuple(name for name in self.template_fields if getattr(self, name) is not None)
        self._wait: Wait | None = None
        self._started_at: float | None = None
        # A mistake shows when the DAG is read, and not after the send.
        refuse_slips(self, [*slips, *wait_slips(self)])

    def execute(self, context: Context) -> Any:
        """Wait here, or hand over to the triggerer."""
        with self._airflow_errors(context):
            refuse_without_a_task(context)
        self._wait = None
        self._started_at = time.time()
        if not self.deferrable:
            return super().execute(context)
        from airflow_provider_omni.delivery.tracking.journals import empty_entries
        from airflow_provider_omni.storage.xcom import try_of, write_first
        from airflow_provider_omni.triggers.omni import OmniDeliveryTrigger

        ti = context["ti"]
        with self._airflow_errors(context), OmniHook(self.omni_conn_id) as hook:
            watch = self._read_watch(hook)
        self._log_begin(watch)
        write_first(ti, empty_entries(watch))
        self.defer(
            trigger=OmniDeliveryTrigger(
                watch=watch.to_json(),
                omni_conn_id=self.omni_conn_id,
                dag_id=ti.dag_id,
                run_id=ti.run_id,
                task_id=ti.task_id,
                map_index=ti.map_index if ti.map_index is not None else -1,
                try_number=try_of(ti),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(watch.deadline - time.time(), 0.0)) + TRIGGERER_GRACE,
        )
        raise AssertionError("defer() raises")

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Read once everything there is to read; used in poke and reschedule mode."""
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.drivers import run
        from airflow_provider_omni.delivery.tracking.reported_wait import ReportedWait
        from airflow_provider_omni.delivery.tracking.wait_limits import REFUSALS
        from airflow_provider_omni.delivery.tracking.wait_together import wait_for
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.storage.delivery_reports import Reporter
        from airflow_provider_omni.storage.object_storage import watched_folder
        from airflow_provider_omni.storage.worker import worker_memory

        with self._airflow_errors(context):
            refuse_without_a_task(context)
        memory, report = worker_memory(context), Reporter(context["ti"], self.log)
        with self._airflow_errors(context), OmniHook(self.omni_conn_id) as hook:
            if self._wait is None:
                watch = self._read_watch(hook, context, memory)
                self._log_begin(watch)
                clock = steady_clock(time.time, time.monotonic)
                wait = wait_for(watch, clock, uuid.uuid4().hex, refusals=1 if self.reschedule else REFUSALS)
                self._wait = ReportedWait(wait, clock, one_poll=self.reschedule)
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
                    report=report,
                    log=cast("Any", self.log),
                    folder=folder,
                )
                if end is None and (late or time.time() < self._wait.watch.deadline):
                    return False
        return PokeReturnValue(True, self._finish(context, end.verdict.value, end.explanation, end.summary, end.report))

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Take over from the triggerer. The event is checked: an unknown event is never a success."""
        from airflow_provider_omni.omni import errors

        with self._airflow_errors(context):
            refuse_without_a_task(context)
        known = event if isinstance(event, dict) else {}
        status, message = known.get("status"), str(known.get("message", ""))
        if status in ("success", "failure", "timeout") and isinstance(known.get("summary"), dict):
            return self._finish(context, status, message, known["summary"], known.get("delivery"))
        with self._airflow_errors(context, known.get("delivery")):
            if status == "error":
                error = errors.error_class(known.get("error"))(message, retryable=bool(known.get("retryable")))
                raise error
            raise errors.OmniProtocolError(
                "The trigger ended with an event that this version does not know.", retryable=True
            )

    def _read_watch(self, hook: OmniHook, context: Context | None = None, memory: Memory | None = None) -> Watch:
        from airflow_provider_omni.hooks.scenarios import channels_of_flow, read_scenario
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.sensors.arguments import WatchArguments, read_watch
        from airflow_provider_omni.storage.reschedules import first_poke_at

        started_at = self._started_at or time.time()
        logs_only, again = False, False
        if context is not None and self.reschedule:
            if (first := first_poke_at(context, self.retries or 0)) is not None:
                started_at, again = first.timestamp(), True
            logs_only = memory is not None and not memory.durable
        problems: list[str] = []
        read_flow = None
        if self.scenario_key is not None and self.receipt is None:
            key, flow = read_scenario(self.scenario_key, None, problems)
            read_flow = lambda: channels_of_flow(flow) or [step.channel for step in hook.get_scenario(key).flow]  # noqa: E731
        account = Account.of(hook)
        return read_watch(
            started_at=started_at,
            read_flow=read_flow,
            logs_only=logs_only,
            account=account.config.account_mark,
            emptied=[name for name in self._given if getattr(self, name) is None],
            problems=problems,
            refuse=account.refuse,
            warn=(lambda _: None) if again else self.log.warning,
            timeout=self.own_timeout,
            poll_interval=self.poke_interval,
            **{
                name: unmask(getattr(self, name))
                for name in WatchArguments.model_fields
                if name not in ("timeout", "poll_interval")
            },
        )

    def _log_begin(self, watch: Watch) -> None:
        from airflow_provider_omni.delivery.tracking.wait_report import begin_line

        # A later poke of reschedule mode goes on with a wait that has begun before.
        if self._started_at is None or watch.begun_at >= self._started_at:
            self.log.info("%s", begin_line(watch))

    def _finish(
        self, context: Context, status: str, message: str, summary: dict[str, Any], delivery: Any = None
    ) -> dict[str, Any]:
        """End the task as the verdict says. The summary goes to XCom first, since a failed task returns nothing.

        :param delivery: the delivery report of the end; None from a trigger of an older version.
        """
        from airflow_provider_omni.omni.errors import OmniDeliveryTimeoutError, OmniUndeliveredError
        from airflow_provider_omni.storage.delivery_reports import Reporter

        context["ti"].xcom_push(key="return_value", value=summary)
        if isinstance(delivery, dict):
            Reporter(context["ti"], self.log)(delivery)
        if status == "timeout":
            self._fail_or_skip(AirflowSensorTimeout(str(OmniDeliveryTimeoutError(message))))
        if status != "success":
            self._fail_or_skip(AirflowFailException(str(OmniUndeliveredError(message))))
        self.log.info("%s", message)
        return summary

    @contextlib.contextmanager
    def _airflow_errors(self, context: Context, delivery: Any = None) -> Iterator[None]:
        """End the task for good, or skip it, at an error that no retry can mend. Other errors may be retried.

        :param delivery: the delivery report for an error, if the trigger has made one.
        """
        from airflow_provider_omni.delivery.tracking.wait_report import report_of_error
        from airflow_provider_omni.omni.errors import OmniError
        from airflow_provider_omni.storage.delivery_reports import Reporter

        try:
            yield
        except OmniError as error:
            known = (None, None) if self._wait is None else (self._wait.watch, self._wait.counts)
            ti = context.get("ti") if isinstance(context, Mapping) else None
            report, ended = Reporter(ti, self.log), error
            report.show(lambda: delivery if isinstance(delivery, dict) else report_of_error(ended, time.time(), *known))
            if error.retryable and not self.never_fail:
                raise
            self._fail_or_skip(AirflowFailException(str(error)), cause_below(error))

    def _fail_or_skip(self, failure: Exception, cause: BaseException | None = None) -> NoReturn:
        if self.soft_fail or self.never_fail:
            # In deferrable mode Airflow's own words replace ours on the way out.
            self.log.warning("%s", failure)
            raise AirflowSkipException(f"Skipped, since soft_fail or never_fail is set: {failure}") from cause
        raise failure from cause
