"""Sends that wait for their own deliveries: one task in place of a send and a sensor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_omni.operators.asset_events import tell_assets
from airflow_provider_omni.operators.known_arguments import KnownArguments
from airflow_provider_omni.operators.lineage import Lineage, TellsLineage
from airflow_provider_omni.operators.slips import send_wait_slips

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_omni.sensors.delivery_wait import DeliveryWait
    from airflow_provider_omni.storage.send_reports import SendReports

POKE_INTERVAL = 30.0
"""Seconds between two polls, as the sensor has it."""


class WaitingSend(TellsLineage, KnownArguments, BaseOperator):
    """Base of operators that send and may then wait. A subclass sends.

    The receipt stands in XCom before the wait begins. A retry sends nothing again that was accepted: it finds out what
    earlier tries have sent, as every retry of a send does, and goes on waiting.

    :param wait_for_delivery: True: the task ends when enough messages were delivered, and fails if they cannot be. It
        then returns the receipt with the sensor's summary as the member `delivery`. False (default): it ends when the
        messages are sent. No template, like all that follow.
    :param deferrable: wait in the triggerer, without a worker. Default: `[operators] default_deferrable`.
    :param success_when: as for `OmniDeliverySensor`: `all` (default), `any`, `finished` or a ratio such as 0.95.
    :param poke_interval: seconds between two polls. Default 30.
    :param timeout: seconds of the wait. Default: the channels' validity periods and an hour, if all are known, else 47
        hours.
    """

    omni_conn_id: str
    _reports: SendReports | None = None
    """The reports of the send, which know the latest receipt. A subclass sets them when it begins to send."""
    _delivery: DeliveryWait | None = None

    arguments_elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("mode", "soft_fail", "delivered_means", "settle", "last_channel"), "only OmniDeliverySensor has it"
    )

    def __init__(
        self,
        *,
        wait_for_delivery: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        success_when: str | float = "all",
        poke_interval: timedelta | float = POKE_INTERVAL,
        timeout: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_delivery = wait_for_delivery
        self.deferrable = deferrable
        self.success_when = success_when
        self.poke_interval = poke_interval
        self.timeout = timeout

    def wait_slips(self) -> list[str]:
        """Return the mistakes in the arguments of the wait, for the constructor of a subclass."""
        return send_wait_slips(self)

    def send(self, context: Context) -> dict[str, Any]:
        """Send what is not yet sent, and return the receipt. It stands in XCom then."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, Any]:
        """Send what is not yet sent, wait if that is asked for, and return the receipt."""
        receipt = self.send(context)
        if not self.wait_for_delivery:
            tell_assets(self, context, receipt=receipt)
            return receipt
        # Airflow writes what a task returns when it ends: this one goes on.
        context["ti"].xcom_push(key="return_value", value=receipt)
        wait = self._wait(receipt)
        if self.deferrable:
            trigger, timeout = wait.trigger(context)
            self.defer(trigger=trigger, method_name="execute_complete", kwargs={"receipt": receipt}, timeout=timeout)
        while (value := wait.poll(context)) is None:
            time.sleep(wait.pause())
        return self._delivered(context, value)

    def execute_complete(
        self, context: Context, event: Any = None, receipt: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Take over from the triggerer. The event is checked: an unknown event is never a success.

        :param receipt: the receipt of what this task has sent.
        """
        wait = self._wait(_pushed_receipt(context) if receipt is None else receipt)
        return self._delivered(context, wait.complete(context, event))

    def _delivered(self, context: Context, value: dict[str, Any]) -> dict[str, Any]:
        tell_assets(self, context, receipt=value, summary=value["delivery"])
        return value

    def lineage(self) -> Lineage:
        """Return what is known of the send and of its wait. A subclass adds what it has read."""
        # In objects, and not as it is: who asks OpenLineage for all of an operator gets its attributes.
        followed = None if self._delivery is None else self._delivery.receipt
        receipt = followed or (None if self._reports is None else self._reports.receipt)
        ledger = receipt.get("ledger_path") if receipt and not receipt.get("dry_run") else None
        return Lineage(
            ledgers_written=() if ledger is None else (ledger,),
            receipt=receipt,
            summary=None if self._delivery is None else self._delivery.summary,
        )

    def _wait(self, receipt: Mapping[str, Any]) -> DeliveryWait:
        from airflow_provider_omni.delivery.outbox.send_report import send_within_wait
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.sensors.arguments import read_watch
        from airflow_provider_omni.sensors.delivery_wait import DeliveryWait

        def read(hook: Any, *_: Any) -> Any:
            account = Account.of(hook)
            return read_watch(
                started_at=wait.started_at,
                account=account.config.account_mark,
                refuse=account.refuse,
                warn=self.log.warning,
                receipt=receipt,
                success_when=self.success_when,
                poll_interval=_seconds(self.poke_interval),
                timeout=None if self.timeout is None else _seconds(self.timeout),
            )

        sent = None
        with contextlib.suppress(Exception):  # nothing depends on a report
            sent = send_within_wait(receipt)
        wait = DeliveryWait(
            self.log,
            self.omni_conn_id,
            read,
            returned=lambda summary: {**receipt, "delivery": summary},
            sent=sent,
            receipt=receipt or None,
        )
        self._delivery = wait
        return wait


def _pushed_receipt(context: Any) -> dict[str, Any]:
    """Return the receipt that stands in XCom since the wait began: `dag.test()` resumes a task with the event alone."""
    pushed: Any = None
    with contextlib.suppress(Exception):  # nothing depends on it: the trigger knows what it waits for
        ti = context["ti"]
        pushed = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
    return pushed if isinstance(pushed, dict) else {}


def _seconds(duration: timedelta | float) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
