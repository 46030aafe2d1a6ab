"""One sensor on the receipts of several sends: ledgers and none, in all three modes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_omni.ledger import read_outcomes
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.airflow.batchtask import BatchTask, numbers
from tests.integration.airflow.test_batch_waits import KEY, MINUTE, MODES, with_fate
from tests.integration.airflow.test_fates import Task, account, clock, task

__all__ = ["account", "clock", "task"]

TEXT = {"scenario_key": KEY, "line": {"type": "TEXT", **MINUTE}, "sms": MINUTE}


def batch(name: str, people: list[str], ledger: Path | None = None, **arguments: Any) -> dict[str, Any]:
    more = {"ledger_path": str(ledger / name)} if ledger else {}
    operator = OmniSendBatchOperator(task_id=name, recipients=people, chunk_size=20, **TEXT, **more, **arguments)
    return operator.execute(BatchTask().context(run_id=name))


def single(name: str, *to: str) -> dict[str, Any]:
    return OmniSendMessageOperator(task_id=name, to=list(to), **TEXT).execute(BatchTask().context(run_id=name))


def wait(task: Task, mode: str, receipts: Any, **arguments: Any) -> dict[str, Any]:
    kind: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
    getattr(task, mode)(OmniDeliverySensor(task_id="wait", receipt=receipts, poke_interval=2, **kind | arguments))
    return task.xcoms["return_value"]


@pytest.mark.parametrize("mode", MODES)
def test_one_summary_over_sends_with_ledgers_and_without(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    receipts = [
        batch("first", numbers(60), tmp_path),
        batch("second", [*with_fate(10, "40"), *with_fate(5, "43")], tmp_path),
        batch("without", numbers(30, 2000)),
        single("alone", "41793026727"),
        single("few", "41793026827", "41793026843"),
        batch("nobody", [], tmp_path),
    ]
    summary = wait(task, mode, receipts, success_when="finished")
    assert (summary["total"], summary["delivered"], summary["failed"], summary["pending"]) == (108, 102, 6, 0)
    assert summary["by_channel"] == {"LINE": 92, "SMS": 10}
    assert summary["ledger_path"] is None
    assert summary["ledger_paths"] == [str(tmp_path / name) for name in ("first", "second", "nobody")]
    assert Counter(row.outcome for row in read_outcomes(str(tmp_path / "second"))) == {"delivered": 10, "failed": 5}
    assert not any(number in json.dumps([task.events, task.xcoms, task.state]) for number in numbers(60))


@pytest.mark.parametrize("mode", MODES)
def test_one_failure_in_any_of_the_sends_ends_the_wait(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    receipts = [batch("first", numbers(3), tmp_path), batch("second", with_fate(1, "43"), tmp_path)]
    with pytest.raises(AirflowFailException, match=r"cannot be reached any more: \d of 4 delivered.*, 1 failed"):
        wait(task, mode, receipts)


@pytest.mark.parametrize("mode", MODES)
def test_the_ratio_is_of_all_sends_together(account: RunningSimulator, task: Task, tmp_path: Path, mode: str) -> None:
    receipts = [batch("first", numbers(9), tmp_path), batch("second", with_fate(1, "43"), tmp_path)]
    assert wait(task, mode, receipts, success_when=0.9, settle=True)["delivered"] == 9


@pytest.mark.parametrize("mode", MODES)
def test_under_way_in_one_of_the_sends_is_not_failed_when_the_time_is_up(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    receipts = [batch("first", numbers(3), tmp_path), batch("second", with_fate(2, "44"), tmp_path)]
    with pytest.raises(AirflowSensorTimeout, match=r"3 of 5 delivered \(.*\), 0 failed, 2 pending"):
        wait(task, mode, receipts, success_when="finished", timeout=30)
    assert {row.outcome for row in read_outcomes(str(tmp_path / "second"))} <= {"pending", None}


@pytest.mark.parametrize("mode", MODES)
def test_receipts_of_nobody_are_no_wait(account: RunningSimulator, task: Task, tmp_path: Path, mode: str) -> None:
    assert wait(task, mode, [])["total"] == 0
    assert wait(task, mode, [batch("a", [], tmp_path), batch("b", numbers(2), dry_run=True)])["total"] == 0


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_ledger_that_cannot_be_read_is_never_taken_for_delivered(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    receipts = [batch("first", numbers(3), tmp_path), batch("second", numbers(2, 900), tmp_path)]
    shutil.rmtree(tmp_path / "second")
    with pytest.raises(
        AirflowSensorTimeout, match=r"3 of 5 delivered \(.*\), 0 failed, 2 pending.* There is no ledger"
    ):
        wait(task, mode, receipts, success_when=0.5, timeout=30)
    assert wait(task, mode, receipts, success_when="any", timeout=30)["delivered"] >= 1


def test_a_batch_that_goes_on_sending_is_waited_for_to_its_end(
    account: RunningSimulator, task: Task, tmp_path: Path
) -> None:
    """The receipts are of the moment when the sensor began; another try of the second has sent more since."""
    receipts = [batch("first", numbers(3), tmp_path), batch("second", numbers(2, 900), tmp_path)]
    batch("second", numbers(4, 900), tmp_path)
    assert wait(task, "deferrable", receipts)["total"] == 7


def test_a_send_without_a_receipt_is_told_of(account: RunningSimulator, task: Task) -> None:
    wait(task, "deferrable", [single("alone", "41793026727"), None])
    (event,) = task.events
    told = "1 of 1 delivered (LINE 1), 0 failed, 0 pending; sends without a receipt, which are not counted: 1."
    assert told in event["message"]
