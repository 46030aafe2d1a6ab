"""A connection that leads to another account, before or while a sensor waits: the other one's logs prove nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_omni.delivery.drivers import arun
from airflow_provider_omni.delivery.ledger.parts import pack, unpack
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.simulator.running import RunningSimulator, running_simulator
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.triggers.omni import OmniDeliveryTrigger
from tests.harness.clock import SkippingClock
from tests.integration.airflow.test_batch_waits import send as send_batch
from tests.integration.airflow.test_batch_waits import with_fate
from tests.integration.airflow.test_fates import MODES, Task, account, clock, send, task

__all__ = ["account", "clock", "task"]

LINE_FAILS_SMS_FOLLOWS = "40"


class KilledError(BaseException):
    """The triggerer dies."""


@pytest.fixture
def other(clock: SkippingClock) -> Iterator[RunningSimulator]:
    with running_simulator(Settings(source_scenario=True), clock) as simulator:
        yield simulator


def lead_to(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", simulator.airflow_connection_json)


def from_here(receipt: dict[str, Any]) -> dict[str, Any]:
    """The receipt, with the account that it is from."""
    with OmniHook() as hook:
        return receipt | {"account": hook.config.account_mark}


def sensor(mode: str, **arguments: Any) -> OmniDeliverySensor:
    kind: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
    return OmniDeliverySensor(task_id="wait", **{"poke_interval": 1.5, "timeout": 80} | kind | arguments)


@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_whose_connection_leads_elsewhere_refuses_and_asks_nothing(
    account: RunningSimulator, other: RunningSimulator, task: Task, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    receipt = from_here(send(task, "27"))
    lead_to(other, monkeypatch)
    with pytest.raises(AirflowFailException, match="another account than the one that the receipt is from"):
        getattr(task, mode)(sensor(mode, receipt=receipt))
    assert not other.record.calls
    lead_to(account, monkeypatch)
    getattr(task, mode)(sensor(mode, receipt=receipt))  # the connection is restored, and the sensor cleared
    assert task.xcoms["return_value"]["delivered"] == 1


def test_a_soft_failing_sensor_is_skipped_by_it(
    account: RunningSimulator, other: RunningSimulator, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = from_here(send(task, "27"))
    lead_to(other, monkeypatch)
    with pytest.raises(AirflowSkipException, match="another account"):
        task.poke(sensor("poke", receipt=receipt, soft_fail=True))


@pytest.mark.parametrize("known_by", ["receipt", "ids"])
@pytest.mark.parametrize("mode", MODES)
def test_an_account_that_changes_under_a_wait_closes_nothing(
    account: RunningSimulator,
    other: RunningSimulator,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    known_by: str,
) -> None:
    """Also where no receipt says whose the messages are: what was read says whom it is from."""
    account.configure(reports="per-step")
    receipt = from_here(send(task, LINE_FAILS_SMS_FOLLOWS))
    followed: dict[str, Any] = {"receipt": receipt}
    if known_by == "ids":
        followed = {"message_ids": receipt["message_ids"], "last_channel": "SMS"}
    heard = lambda: "FAILED" in json.dumps([task.xcoms, task.state])  # noqa: E731

    really = task.clock.advance

    def advance(seconds: float) -> None:
        really(seconds)
        if heard():
            lead_to(other, monkeypatch)

    if mode == "deferrable":
        with pytest.raises(AirflowFailException, match="another account"):
            deferred_twice(task, sensor(mode, **followed), lambda: heard() and not lead_to(other, monkeypatch))
    else:
        monkeypatch.setattr("airflow.sdk.bases.sensor.time.sleep", advance)
        monkeypatch.setattr(task.clock, "advance", advance)
        with pytest.raises(AirflowFailException, match="another account"):
            getattr(task, mode)(sensor(mode, **followed))
    assert "failed" not in task.xcoms["return_value"]  # it is the receipt's still


def deferred_twice(task: Task, waiting: OmniDeliverySensor, dies: Any) -> Any:
    """The triggerer dies; another one reads the new connection, and runs the trigger again from its first arguments."""
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(task.context)
    stored = json.loads(json.dumps(deferred.value.trigger.serialize()[1]))
    sleep = arun.__kwdefaults__["sleep"]

    async def sleep_and_die(seconds: float) -> None:
        await sleep(seconds)
        if dies():
            raise KilledError

    assert arun.__kwdefaults__ is not None
    arun.__kwdefaults__["sleep"] = sleep_and_die
    try:
        with pytest.raises(KilledError):
            asyncio.run(task._first_event(OmniDeliveryTrigger(**stored)))
    finally:
        arun.__kwdefaults__["sleep"] = sleep
    event = asyncio.run(task._first_event(OmniDeliveryTrigger(**stored)))
    return waiting.execute_complete(task.context, event)


@pytest.mark.parametrize("mode", MODES)
def test_a_ledger_says_whose_its_messages_are_where_a_receipt_does_not(
    account: RunningSimulator,
    other: RunningSimulator,
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    receipt = send_batch(tmp_path / "ledger", with_fate(4, LINE_FAILS_SMS_FOLLOWS))
    mark = from_here({})["account"]
    (begun,) = (tmp_path / "ledger" / "tries").iterdir()
    lines = [line | {"account": mark} for line in unpack(begun.read_bytes(), begun.name)]
    begun.write_bytes(pack(lines))
    lead_to(other, monkeypatch)
    receipt.pop("account", None)
    with pytest.raises(AirflowFailException, match="another account than the batch was sent from"):
        getattr(task, mode)(sensor(mode, receipt=receipt, success_when="finished"))
    assert not other.record.calls
    assert not list(unreached(str(tmp_path / "ledger")).rows())  # nobody is sent to again
