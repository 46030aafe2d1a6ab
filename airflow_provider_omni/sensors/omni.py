"""The sensor that waits until messages are delivered. Thin: `delivery/` decides what to read and when to end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_omni.hooks.connection import DEFAULT_CONN_ID
from airflow_provider_omni.operators.asset_events import tell_assets
from airflow_provider_omni.operators.keys import refuse_without_a_task
from airflow_provider_omni.operators.known_arguments import KnownArguments
from airflow_provider_omni.operators.lineage import Lineage, TellsLineage
from airflow_provider_omni.operators.linked import LinkedToDelivery
from airflow_provider_omni.operators.masked_fields import IdsField, MaskedFields, ReceiptField, unmask
from airflow_provider_omni.operators.slips import refuse_slips, time_slips, wait_slips
from airflow_provider_omni.sensors.delivery_wait import DeliveryWait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_omni.delivery.effects import Memory
    from airflow_provider_omni.delivery.tracking.watch import Watch
    from airflow_provider_omni.hooks.omni import OmniHook

AIRFLOWS_OWN = timedelta(days=190)
"""Timeout that Airflow gets if no `timeout` is given. It is longer than any wait of ours, which may be for a message
that is scheduled 180 days ahead, and whose steps run for 48 hours each.
"""


class OmniDeliverySensor(LinkedToDelivery, MaskedFields, TellsLineage, KnownArguments, BaseSensorOperator):
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
        self._wait: DeliveryWait | None = None
        # A mistake shows when the DAG is read, and not after the send.
        refuse_slips(self, [*slips, *wait_slips(self)])

    def execute(self, context: Context) -> Any:
        """Wait here, or hand over to the triggerer."""
        self._wait = self._new_wait()
        with self._wait.airflow_errors(context):
            refuse_without_a_task(context)
        if not self.deferrable:
            return super().execute(context)
        trigger, timeout = self._wait.trigger(context)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)
        raise AssertionError("defer() raises")

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Read once everything there is to read; used in poke and reschedule mode."""
        self._wait = self._wait or self._new_wait()
        summary = self._wait.poll(context)
        if summary is None:
            return False
        tell_assets(self, context, summary=summary)
        return PokeReturnValue(True, summary)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Take over from the triggerer. The event is checked: an unknown event is never a success."""
        self._wait = self._new_wait()
        summary = self._wait.complete(context, event)
        tell_assets(self, context, summary=summary)
        return summary

    def lineage(self) -> Lineage:
        """Return the ledgers that are followed, which the wait reads and adds outcomes to, and the summary."""
        from airflow_provider_omni.sensors.arguments import ledgers_of

        ledgers = () if self.receipt is None else ledgers_of(unmask(self.receipt))
        summary = None if self._wait is None else self._wait.summary
        return Lineage(ledgers_read=ledgers, ledgers_written=ledgers, summary=summary)

    def _new_wait(self) -> DeliveryWait:
        return DeliveryWait(
            self.log,
            self.omni_conn_id,
            self._read_watch,
            fail=self._fail_or_skip,
            never_retry=self.never_fail,
            one_poll=self.reschedule,
        )

    def _read_watch(self, hook: OmniHook, context: Context | None = None, memory: Memory | None = None) -> Watch:
        from airflow_provider_omni.hooks.scenarios import channels_of_flow, read_scenario
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.sensors.arguments import WatchArguments, read_watch
        from airflow_provider_omni.storage.reschedules import first_poke_at

        started_at = time.time() if self._wait is None else self._wait.started_at
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

    def _fail_or_skip(self, failure: Exception, cause: BaseException | None = None) -> NoReturn:
        if self.soft_fail or self.never_fail:
            # In deferrable mode Airflow's own words replace ours on the way out.
            self.log.warning("%s", failure)
            raise AirflowSkipException(f"Skipped, since soft_fail or never_fail is set: {failure}") from cause
        raise failure from cause
