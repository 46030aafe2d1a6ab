"""The receipt of a sending task as its `return_value`, and its delivery report beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from airflow_provider_omni.delivery.messages.delivery_report import REPORT_EVERY, SendState
from airflow_provider_omni.delivery.outbox.send_report import report_of_error, report_of_send
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.storage.delivery_reports import Reporter
from airflow_provider_omni.storage.receipts import publisher


class SendReports:
    """Publishes receipts, and a delivery report with each; at the end of the `with` block that of the end.

    :param ti: the context's task instance.
    :param log: the task's log.
    :param clock: gives seconds since the epoch.
    """

    def __init__(self, ti: Any, log: Any, clock: Callable[[], float] = time.time) -> None:
        self.report = Reporter(ti, log)
        self.receipt: dict[str, Any] | None = None
        """The latest receipt."""
        self._publish = publisher(ti)
        self._clock = clock
        self._begun_at = clock()
        self._reported_at = float("-inf")

    def publish(self, receipt: dict[str, Any]) -> None:
        """Push a receipt. Raises OmniStorageError. A report follows, at most every `REPORT_EVERY` seconds."""
        self._publish(receipt)
        self.receipt = receipt
        now = self._clock()
        if now - self._reported_at >= REPORT_EVERY:
            self._reported_at = now
            self.report.show(lambda: report_of_send(receipt, "sending", now, begun_at=self._begun_at))

    def __enter__(self) -> SendReports:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        now, receipt = self._clock(), self.receipt
        known = error if isinstance(error, OmniError) else None
        if receipt is not None:
            state: SendState = "sent" if error is None else "failed"
            self.report.show(lambda: report_of_send(receipt, state, now, begun_at=self._begun_at, error=known))
        elif error is not None:
            self.report.show(lambda: report_of_error(known, now, begun_at=self._begun_at))
