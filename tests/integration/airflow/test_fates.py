"""Every fate of the simulator's table, followed by the sensor in each of its modes, with final reports and per step.

Time is the simulator's: it moves on only when a sensor or its trigger sleeps, so that hours pass at once, the same each
time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred
from airflow.sdk.bases import sensor as sensor_base
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_omni.operators import waiting_send
from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.sensors import delivery_wait
from airflow_provider_omni.sensors import omni as sensors
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.simulator.fates import FATES
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.storage import xcom
from airflow_provider_omni.triggers import omni as triggers
from airflow_provider_omni.triggers.omni import OmniDeliveryTrigger
from tests.harness.clock import SkippingClock
from tests.harness.vendor import SharedServer

NUMBER = "417930267"

LINE, SMS, FAILED, TIMEOUT = "LINE", "SMS", "failed", "timeout"

ENDS = {
    "27": LINE,  # not in the table: delivered
    "40": SMS,
    "41": SMS,
    "42": FAILED,
    "43": FAILED,
    "44": SMS,
    "45": FAILED,
    "46": FAILED,
    "47": SMS,
    "48": FAILED,
    "49": LINE,
    "60": SMS,
    "61": TIMEOUT,  # never on the handset
    "62": FAILED,
    "63": SMS,
    "64": LINE,
    "70": LINE,
    "71": SMS,
    "72": FAILED,
    "73": TIMEOUT,
    "74": LINE,
    "80": TIMEOUT,  # an unknown status of the group DELIVERED is not known to be the handset's
    "81": SMS,
    "82": LINE,
    "83": LINE,
    "84": LINE,
}
"""End of a wait for the handset: delivered on a channel, failed, or not known until the deadline."""

REFUSED = {code for code, fate in FATES.items() if fate.refused is not None}


def test_no_fate_of_the_table_is_forgotten() -> None:
    assert set(ENDS) - {"27"} == set(FATES) - REFUSED


class Task:
    """A waiting task: its XComs, its state store, its reschedules."""

    def __init__(self, clock: SkippingClock) -> None:
        self.clock = clock
        self.started_at = clock.now()
        self.xcoms: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.events: list[Any] = []
        self.more: dict[str, Any] = {}
        """Further members of the context."""
        self.try_number = 1

    def begin_next_try(self) -> None:
        """Begin a retry: Airflow wipes the XComs, and keeps the state."""
        self.try_number += 1
        self.xcoms.clear()

    @property
    def context(self) -> Any:
        ti = SimpleNamespace(
            dag_id="dag",
            run_id="run",
            task_id="wait",
            map_index=-1,
            try_number=self.try_number,
            max_tries=0,
            xcom_push=lambda key, value: self.xcoms.__setitem__(key, value),
            get_first_reschedule_date=lambda _: datetime.fromtimestamp(self.started_at, UTC),
        )
        return {"ti": ti, "task_state_store": SimpleNamespace(get=self.state.get, set=self._set)} | self.more

    def _set(self, key: str, value: Any, retention: Any) -> None:
        self.state[key] = json.loads(json.dumps(value))

    # What runs in Airflow, mode by mode ------------------------------------------------------------------------------

    def poke(self, sensor: Any) -> Any:
        return sensor.execute(self.context)

    def reschedule(self, sensor: OmniDeliverySensor) -> Any:
        while True:
            try:
                return sensor.execute(self.context)
            except AirflowRescheduleException:
                self.clock.advance(sensor.poke_interval)

    def deferrable(self, sensor: Any) -> Any:
        try:
            sensor.execute(self.context)
        except TaskDeferred as deferred:
            _, arguments = deferred.trigger.serialize()
            stored = json.loads(json.dumps(arguments))
            event = asyncio.run(self._first_event(OmniDeliveryTrigger(**stored)))
            self.events.append(event)
            kept = json.loads(json.dumps({"event": event} | (deferred.kwargs or {})))
            return getattr(sensor, deferred.method_name)(self.context, **kept)
        raise AssertionError("not deferred")

    async def _first_event(self, trigger: OmniDeliveryTrigger) -> Any:
        return (await anext(trigger.run())).payload


@pytest.fixture
def clock() -> SkippingClock:
    """Starts now: the base class of sensors looks at the real time in reschedule mode."""
    return SkippingClock.from_now()


@pytest.fixture
def account(
    vendor_server: SharedServer, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningSimulator]:
    with vendor_server.hosting(Settings(source_scenario=True), clock) as simulator:
        monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", simulator.airflow_connection_json)
        yield simulator


@pytest.fixture
def task(clock: SkippingClock, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task whose every clock and sleep, in the sensor, its base class and the trigger, is the test's."""
    task = Task(clock)

    class XCom:
        @staticmethod
        def set(*, key: str, value: Any, **_: Any) -> None:
            task.xcoms[key] = json.loads(json.dumps(value))

        @staticmethod
        def get_one(*, key: str, **_: Any) -> Any:
            return task.xcoms.get(key)

    clock.rule(monkeypatch, sensors, delivery_wait, waiting_send, triggers, sensor_base)
    clock.rule_drivers(monkeypatch)
    monkeypatch.setattr(xcom, "_xcom_class", lambda: XCom)
    return task


def send(task: Task, code: str) -> dict[str, Any]:
    shortest = {"validityPeriod": 31, "validityPeriodTimeUnit": "SECONDS"}
    operator = OmniSendMessageOperator(
        task_id="send",
        scenario_key="CC9F01A5DC7BEE2C2B829D203482A654",
        to=NUMBER + code,
        line={"text": "Hello"} | shortest,
        sms={"text": "Hello"} | shortest,
    )
    return operator.execute(task.context | {"task_state_store": None})


def wait(task: Task, mode: str, receipt: dict[str, Any], **arguments: Any) -> tuple[str, dict[str, Any]]:
    """The end of the sensor, and its summary from XCom."""
    kind: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
    sensor = OmniDeliverySensor(task_id="wait", receipt=receipt, **{"poke_interval": 1.5} | kind | arguments)
    try:
        getattr(task, mode)(sensor)
    except AirflowSensorTimeout:
        end = TIMEOUT
    except AirflowFailException:
        end = FAILED
    else:
        end = "success"
    return end, task.xcoms["return_value"]


MODES = ["poke", "reschedule", "deferrable"]


@pytest.mark.parametrize("reports", ["final", "per-step"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("code", "expected"), ENDS.items())
def test_every_fate_ends_right(
    account: RunningSimulator, task: Task, mode: str, reports: str, code: str, expected: str
) -> None:
    account.configure(reports=reports)
    end, summary = wait(
        task, mode, send(task, code), delivered_means="handset", timeout=20 if expected == TIMEOUT else 80
    )
    assert (end, summary["by_channel"]) == {
        LINE: ("success", {"LINE": 1}),
        SMS: ("success", {"SMS": 1}),
        FAILED: (FAILED, {}),
        TIMEOUT: (TIMEOUT, {}),
    }[expected]
    assert NUMBER not in json.dumps([task.events, task.xcoms, task.state])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", ["60", "61", "62", "63", "64", "80"])
def test_a_delivery_to_the_operator_is_enough_where_the_group_counts(
    account: RunningSimulator, task: Task, mode: str, code: str
) -> None:
    account.configure(reports="per-step")
    end, summary = wait(task, mode, send(task, code))
    assert (end, summary["delivered"]) == ("success", 1)


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_what_is_refused_in_the_answer_fails_the_send_and_leaves_nothing_to_wait_for(
    account: RunningSimulator, task: Task, code: str
) -> None:
    with pytest.raises(Exception, match="1 of 1 message was refused"):
        send(task, code)
    receipt = task.xcoms["return_value"]
    assert receipt["counts"]["rejected"] == 1
    assert wait(task, "poke", receipt)[1]["total"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_message_whose_fate_is_never_told_times_out_with_counts(
    account: RunningSimulator, task: Task, mode: str
) -> None:
    started = task.clock.now()
    end, summary = wait(task, mode, send(task, "73"), timeout=100)
    assert end == TIMEOUT
    assert (summary["total"], summary["pending"]) == (1, 1)
    assert task.clock.now() - started == pytest.approx(100, abs=3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", ["42", "73"], ids=["undelivered", "timed out"])
def test_soft_fail_skips_in_every_mode(account: RunningSimulator, task: Task, mode: str, code: str) -> None:
    from airflow.providers.common.compat.sdk import AirflowSkipException

    with pytest.raises(AirflowSkipException):
        wait(task, mode, send(task, code), soft_fail=True, timeout=100)
    assert task.xcoms["return_value"]["delivered"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_the_default_deadline_is_the_validity_of_all_channels_and_an_hour(
    account: RunningSimulator, task: Task, mode: str
) -> None:
    started = task.clock.now()
    assert wait(task, mode, send(task, "73"), poke_interval=60)[0] == TIMEOUT
    assert task.clock.now() - started == pytest.approx(2 * 31 + 3600, abs=70)


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_password_ends_the_wait_for_good(account: RunningSimulator, task: Task, mode: str) -> None:
    receipt = send(task, "27")
    account.configure(password="changed")
    sensor = OmniDeliverySensor(
        task_id="wait",
        receipt=receipt,
        poke_interval=1,
        **({"deferrable": True} if mode == "deferrable" else {"mode": mode}),
    )
    with pytest.raises(AirflowFailException, match="401"):
        getattr(task, mode)(sensor)
