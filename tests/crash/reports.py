"""Delivery reports: where a task shows them, and what is promised of them.

A report never fails what it is about and never holds it up, never holds a number or a text, and that of an end counts
what the end itself counts. Whatever breaks this is noted in the world when it is seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.effects import Clock
from airflow_provider_omni.delivery.outbox.engine import SendResult
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.storage.delivery_reports import Reporter
from airflow_provider_omni.storage.send_reports import SendReports
from tests.crash.world import World

KEY = "omni_delivery"
STATES = {"success": "delivered", "failure": "undelivered", "timeout": "timeout"}
COUNTED = ("total", "delivered", "failed", "pending", "by_channel", "cost", "seconds_to_delivery", "failed_message_ids")


class NotWrittenError(Exception):
    """The API server did not take a report."""


class _NoLog:
    def warning(self, *_: object) -> None:
        """A report that was dropped: nobody need do anything."""


@dataclass
class TaskInstance:
    """The running task as those see it who push XComs.

    Its reports fail by a chance of their own, which changes nothing else in a schedule.
    """

    world: World
    name: str
    seed: int

    def __post_init__(self) -> None:
        self.last: dict[str, Any] = {}
        self._chance = random.Random(f"{self.seed}:reports of {self.name}")
        self._failures = self._chance.choice((0.0, 0.5, 1.0))
        self.log = _NoLog()
        self.reporter = Reporter(self, self.log)

    def xcom_push(self, key: str, value: Any) -> None:
        """Write a report."""
        assert key == KEY
        self.last = value
        self.world.shows(self.name, str(value))
        self.world.report_faults.update(f"{self.name}: {line}" for line in strange_counts(value))
        if self._chance.random() < self._failures:
            raise NotWrittenError


class SendingInstance(TaskInstance):
    """The running task of a send, with its receipts and reports, as operators have them. `put`: takes a receipt."""

    def __init__(self, world: World, name: str, seed: int, put: Callable[[dict[str, Any]], None], clock: Clock) -> None:
        super().__init__(world, name, seed)
        self._put = put
        self.reports = SendReports(self, self.log, clock)

    def xcom_push(self, key: str, value: Any) -> None:
        """Write a receipt, or a report."""
        if key == KEY:
            super().xcom_push(key, value)
        else:
            self._put(value)

    def end(self, end: SendResult | None, error: OmniError | None) -> None:
        """Do what is done at the end of a try."""
        if end is not None:
            self.reports.receipt, error = end.receipt.to_json(), end.error
        told(self.world, self.name, lambda: self.reports.__exit__(error and type(error), error, None))
        if end is not None:
            code = error and error.code
            strange = strange_end_of_send(self.last, end.receipt.to_json(), code)
            self.world.report_faults.update(f"{self.name}: {line}" for line in strange)


def told(world: World, name: str, tell: Callable[[], None]) -> None:
    """Do what may write a report."""
    try:
        tell()
    except NotWrittenError:
        world.report_faults.add(f"{name} fails with a delivery report that cannot be written")


def strange_counts(report: Mapping[str, Any]) -> Iterable[str]:
    """Yield what is wrong within one report of a wait that knows counts."""
    if "total" not in report:
        return
    total, delivered, failed, pending = (report[name] for name in ("total", "delivered", "failed", "pending"))
    if total != delivered + failed + pending:
        yield f"a report counts {total} messages, and {delivered} + {failed} + {pending}"
    steps, reasons = report["steps"], report["reasons"]
    if steps and (steps[0]["asked"] != total or sum(each["delivered"] for each in steps) != delivered):
        yield "the steps of a report do not add up to its counts"
    if any(each["asked"] != each["delivered"] + each["failed"] + each["pending"] for each in steps):
        yield "a step of a report does not add up"
    if sum(each["count"] for each in reasons) > failed:
        yield "a report has more reasons than failures"
    if sum(each["count"] for each in report["delivery_times"]) > delivered:
        yield "a report has more times to delivery than deliveries"


def strange_end_of_wait(report: Mapping[str, Any], summary: Mapping[str, Any], verdict: str) -> Iterable[str]:
    """Yield what the report of a wait's end says otherwise than its summary and its verdict."""
    yield from strange_counts(report)
    if report.get("state") != STATES[verdict]:
        yield f"a report of the end says {report.get('state')!r}, the verdict is {verdict}"
    yield from (
        f"a report of the end and the summary differ in {name}: {report.get(name)} and {summary[name]}"
        for name in COUNTED
        if report.get(name) != summary[name]
    )


def strange_end_of_send(report: Mapping[str, Any], receipt: Mapping[str, Any], code: str | None) -> Iterable[str]:
    """Yield what the report of a try's end says otherwise than its receipt and its error, whose code is given."""
    state = "sent" if code is None else "failed"
    if report.get("state") != state or report.get("error", {}).get("code") != code:
        yield f"a report of the end says {report.get('state')!r}, and the try has {state}"
    if report.get("counts") != receipt["counts"]:
        yield f"a report of the end counts {report.get('counts')}, the receipt {receipt['counts']}"
