"""Carries out the machines of a batch in a worker: with its connections, its memory and its ledger, until Airflow ends
the task.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.hooks.metrics import observer_of_calls, recorder
from airflow_provider_omni.omni import rate_limits
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.operators.cancellation import CancellableClient, CancellationToken

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.effects import Folder, Memory, Steps
    from airflow_provider_omni.delivery.outbox.engine import Outbox, SendResult
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.storage.send_reports import SendReports

T = TypeVar("T")


@dataclass(frozen=True)
class BatchRun:
    """The worker's side of a batch: all that its machines need to be carried out.

    :param config: the connection.
    :param memory: memory of the task.
    :param folder: the ledger's folder. None if there is no ledger.
    :param reports: where receipts and delivery reports go.
    :param cancellation: set once Airflow ends the task.
    :param log: the task's log.
    """

    config: OmniConfig
    memory: Memory
    folder: Folder | None
    reports: SendReports
    cancellation: CancellationToken
    log: Any

    def carry_out(self, steps: Steps[T], connections: int = 1) -> T:
        """Do what a machine asks for, and return its result.

        :param connections: requests under way at the same time.
        """
        sleep = self.cancellation.sleep
        config = replace(self.config, max_connections=connections)
        with OmniClient(config, sleep=sleep, observe=observer_of_calls()) as client:
            return run(
                steps,
                client=CancellableClient(client, self.cancellation),
                memory=self.memory,
                budget=rate_limits.logs_budget(self.config.account),
                publish=self.reports.publish,
                report=self.reports.report,
                log=cast("Any", self.log),
                sleep=sleep,
                folder=self.folder,
                metrics=recorder(),
                connections=connections,
            )

    def send(self, outbox: Outbox) -> SendResult:
        """Carry out a send. If Airflow ends the task meanwhile, perhaps for a time-out, requests that wait in a thread
        are not posted any more, and the receipt lists everything paid for.
        """
        try:
            return self.carry_out(outbox.run(), outbox.policy.connections)
        except BaseException:
            self.cancellation.cancel()
            if not outbox.policy.dry_run:
                self._publish_at_last(outbox)
                if (metrics := recorder()) is not None:
                    metrics.record(outbox.measure())
            raise

    def _publish_at_last(self, outbox: Outbox) -> None:
        try:
            self.reports.publish(outbox.receipt().to_json())
        except Exception as error:  # noqa: BLE001  the error that ends the task counts more
            self.log.warning("The receipt could not be pushed (%s).", type(error).__name__)
