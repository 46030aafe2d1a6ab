"""Delivery reports in XCom: they never fail, and hold nothing up."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_provider_omni.delivery.messages.delivery_report import DELIVERY_KEY, REPORT_EVERY
from airflow_provider_omni.omni.errors import OmniRejectedError, OmniStorageError
from airflow_provider_omni.storage.delivery_reports import BackgroundReporter, Reporter
from airflow_provider_omni.storage.send_reports import SendReports
from tests.unit.delivery.test_send_report import receipt

LOG = logging.getLogger("reports")


class TaskInstance:
    """Keeps what is pushed, in order; keys in `broken` fail."""

    def __init__(self, *broken: str) -> None:
        self.pushed: list[tuple[str, Any]] = []
        self.broken = broken

    def xcom_push(self, key: str, value: Any) -> None:
        if key in self.broken:
            raise RuntimeError("Tell 41793026727")
        self.pushed.append((key, value))

    @property
    def states(self) -> list[str]:
        return [value["state"] for key, value in self.pushed if key == DELIVERY_KEY]


def test_a_report_that_cannot_be_written_is_told_once_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    report = Reporter(TaskInstance(DELIVERY_KEY), LOG)
    for _ in range(3):
        report({})
    assert len(caplog.records) == 1
    assert "RuntimeError" in caplog.text
    assert "41793026727" not in caplog.text


def test_a_report_that_cannot_be_made_fails_nothing() -> None:
    ti = TaskInstance()
    Reporter(ti, LOG).show(lambda: {}["missing"])
    assert ti.pushed == []


def test_a_send_reports_with_its_first_receipt_and_at_its_end() -> None:
    ti = TaskInstance()
    with SendReports(ti, LOG, lambda: 0.0) as reports:
        reports.publish(receipt())
        reports.publish(receipt())
    assert [key for key, _ in ti.pushed] == ["return_value", DELIVERY_KEY, "return_value", DELIVERY_KEY]
    assert ti.states == ["sending", "sent"]


def test_a_long_send_reports_again_after_ten_seconds() -> None:
    ti = TaskInstance()
    times = iter([0.0, 0.0, REPORT_EVERY - 1, REPORT_EVERY])  # begin, and a receipt at each of three times
    reports = SendReports(ti, LOG, lambda: next(times))
    for _ in range(3):
        reports.publish(receipt())
    assert ti.states == ["sending", "sending"]


def test_a_send_that_fails_reports_its_error_and_what_was_sent() -> None:
    ti = TaskInstance()
    reports = SendReports(ti, LOG, lambda: 0.0)
    reports.publish(receipt())
    with pytest.raises(OmniRejectedError), reports:
        raise OmniRejectedError("refused")
    last = ti.pushed[-1][1]
    assert (last["state"], last["error"]["code"]) == ("failed", OmniRejectedError.code)
    assert last["counts"]["accepted"] == 2


@pytest.mark.parametrize("error", [OmniRejectedError("refused"), KeyboardInterrupt()])
def test_a_send_that_fails_before_its_receipt_reports_that_it_has_failed(error: BaseException) -> None:
    ti = TaskInstance()
    with pytest.raises(type(error)), SendReports(ti, LOG, lambda: 0.0):
        raise error
    assert ti.states == ["failed"]


def test_a_receipt_that_cannot_be_published_is_an_error_and_no_report() -> None:
    ti = TaskInstance("return_value")
    with pytest.raises(OmniStorageError):
        SendReports(ti, LOG, lambda: 0.0).publish(receipt())
    assert ti.pushed == []


class Xcoms:
    """XComs that are written when `gate` opens."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = asyncio.Event()
        self.saved: list[Any] = []
        self.error = error

    async def save(self, key: str, value: Any) -> None:
        assert key == DELIVERY_KEY
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.saved.append(value["n"])


@pytest.mark.asyncio
async def test_a_triggers_report_holds_nothing_up_and_the_latest_of_those_that_wait_is_written() -> None:
    memory: Any = Xcoms()
    report = BackgroundReporter(memory, LOG)
    report({"n": 1})
    await asyncio.sleep(0)
    report({"n": 2})
    report({"n": 3})
    assert memory.saved == []
    memory.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert memory.saved == [1, 3]
    await report.close()
    assert memory.saved == [1, 3]


@pytest.mark.asyncio
async def test_the_end_waits_for_the_report_that_is_being_written_and_begins_no_other() -> None:
    memory: Any = Xcoms()
    report = BackgroundReporter(memory, LOG)
    report({"n": 1})
    await asyncio.sleep(0)
    report({"n": 2})
    asyncio.get_running_loop().call_soon(memory.gate.set)
    await report.close()
    assert memory.saved == [1]


@pytest.mark.asyncio
async def test_an_end_does_not_wait_long_for_a_report_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_omni.storage.delivery_reports.CLOSING", 0.01)
    memory: Any = Xcoms()
    report = BackgroundReporter(memory, LOG)
    report({"n": 1})
    await asyncio.sleep(0)
    await report.close()
    assert memory.saved == []


@pytest.mark.asyncio
async def test_a_triggers_report_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    memory: Any = Xcoms(OmniStorageError("The task's XCom could not be written", retryable=True))
    memory.gate.set()
    report = BackgroundReporter(memory, LOG)
    for number in range(3):
        report({"n": number})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await report.close()
    assert len(caplog.records) == 1


@pytest.mark.asyncio
async def test_where_no_xcom_can_be_reached_nothing_is_reported() -> None:
    report = BackgroundReporter(None, LOG)
    report({"n": 1})
    await report.close()
