"""The sensor on a batch's receipt: followed from its ledger, outcomes into its ledger, in all three modes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.ledger import read_outcomes, unreached
from airflow_provider_omni.operators.omni import OmniSendBatchOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.triggers.omni import OmniDeliveryTrigger
from tests.harness.clock import SkippingClock
from tests.integration.airflow.batchtask import BatchTask, numbers
from tests.integration.airflow.test_fates import Task, account, clock, task

__all__ = ["account", "clock", "task"]

KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
MINUTE = {"text": "Hello", "validityPeriod": 1}
MODES = ["poke", "reschedule", "deferrable"]


def send(ledger: Path, people: list[Any], **arguments: Any) -> dict[str, Any]:
    operator = OmniSendBatchOperator(
        **{
            "task_id": "send",
            "scenario_key": KEY,
            "recipients": people,
            "ledger_path": str(ledger),
            "chunk_size": 50,
            "line": {"type": "TEXT", **MINUTE},
            "sms": MINUTE,
            **arguments,
        }
    )
    return operator.execute(BatchTask().context())


def wait(task: Task, mode: str, receipt: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    kind: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
    getattr(task, mode)(OmniDeliverySensor(task_id="wait", receipt=receipt, poke_interval=2, **kind | arguments))
    return task.xcoms["return_value"]


def with_fate(count: int, fate: str) -> list[str]:
    return [number[:-2] + fate for number in numbers(count, int(fate) * 100)]


@pytest.mark.parametrize("mode", MODES)
def test_every_outcome_of_a_batch_is_in_its_ledger(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    people = [*numbers(120), *with_fate(30, "40"), *with_fate(20, "43")]
    receipt = send(tmp_path / "ledger", people)
    summary = wait(task, mode, receipt, success_when="finished")
    assert (summary["total"], summary["delivered"], summary["failed"]) == (170, 150, 20)
    assert summary["by_channel"] == {"LINE": 120, "SMS": 30}
    assert summary["ledger_path"] == receipt["ledger_path"]
    rows = list(read_outcomes(receipt["ledger_path"]))
    assert Counter(row.outcome for row in rows) == {"delivered": 150, "failed": 20}
    assert not any(number in json.dumps([task.events, task.xcoms, task.state]) for number in people)


def test_a_batch_of_more_requests_than_a_receipt_lists_is_followed_with_small_arguments(
    account: RunningSimulator, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = send(tmp_path, numbers(204), chunk_size=2)
    assert receipt["bulks"] == []
    written: list[Any] = []
    serialize = OmniDeliveryTrigger.serialize

    def kept(trigger: OmniDeliveryTrigger) -> Any:
        written.append(serialize(trigger))
        return written[-1]

    monkeypatch.setattr(OmniDeliveryTrigger, "serialize", kept)
    assert wait(task, "deferrable", receipt)["delivered"] == 204
    assert len(json.dumps(written[0])) < 1000


@pytest.mark.parametrize("mode", MODES)
def test_personal_texts_are_followed_without_a_call_for_each(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    people = [{"phone": number, "name": f"n{index}"} for index, number in enumerate(numbers(250))]
    receipt = send(tmp_path, people, sms=MINUTE | {"text": "Hi {name}"})
    calls = len(account.record.calls)
    assert wait(task, mode, receipt)["delivered"] == 250
    assert len(account.record.calls) - calls < 60


@pytest.mark.parametrize("mode", MODES)
def test_too_few_delivered_fails_and_the_ledger_knows_who(
    account: RunningSimulator, task: Task, tmp_path: Path, mode: str
) -> None:
    receipt = send(tmp_path, [*numbers(8), *with_fate(2, "42")])
    with pytest.raises(AirflowFailException, match=r"8 of 10 delivered \(.*\), 2 failed"):
        wait(task, mode, receipt, success_when=0.9, settle=True)
    assert Counter(row.outcome for row in read_outcomes(str(tmp_path))) == {"delivered": 8, "failed": 2}


def test_who_was_not_reached_gets_a_second_message_unless_it_would_fail_again(
    account: RunningSimulator, task: Task, tmp_path: Path
) -> None:
    people = [*numbers(5), *with_fate(3, "42"), *with_fate(2, "43")]
    receipt = send(tmp_path / "first", people)
    wait(task, "poke", receipt, success_when="finished")
    again = send(tmp_path / "second", unreached(receipt["ledger_path"]), task_id="again", idempotency_key="again")  # type: ignore[arg-type]
    assert again["counts"]["accepted"] == 3
    assert Counter(each.to for each in account.record.acceptances) == Counter(people) + Counter(with_fate(3, "42"))


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_to_nobody_is_no_wait(account: RunningSimulator, task: Task, tmp_path: Path, mode: str) -> None:
    receipt = send(tmp_path, [])
    assert wait(task, mode, receipt)["total"] == 0


def test_a_dry_run_is_no_wait(account: RunningSimulator, task: Task, tmp_path: Path) -> None:
    receipt = send(tmp_path, numbers(3), dry_run=True)
    assert wait(task, "deferrable", receipt)["total"] == 0


def test_a_ledger_that_nobody_has_used_is_an_error(account: RunningSimulator, task: Task, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="a folder that no batch has used"):
        wait(task, "poke", {"flow": ["LINE", "SMS"], "ledger_path": str(tmp_path)})


def test_a_ledger_that_cannot_be_read_for_a_while_is_read_later(
    account: RunningSimulator, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: SkippingClock
) -> None:
    from airflow_provider_omni.delivery.ledger.folders import LocalFolder
    from airflow_provider_omni.omni.errors import OmniStorageError

    receipt = send(tmp_path, numbers(60))
    read, failures = LocalFolder.read, iter(range(3))

    def flaky(folder: LocalFolder, name: str) -> bytes:
        if next(failures, None) is not None:
            raise OmniStorageError("not now")
        return read(folder, name)

    monkeypatch.setattr(LocalFolder, "read", flaky)
    began = clock.now()
    assert wait(task, "deferrable", receipt)["delivered"] == 60
    assert clock.now() - began >= 3
