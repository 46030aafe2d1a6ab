"""Operators, sensor and notifier that code calls itself, without the context of a running task."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.harness.wire import Vendor

SEND: dict[str, Any] = {"task_id": "t", "scenario_key": "K", "flow": ["SMS"], "sms": {"text": "Hi"}}
CALLED: dict[str, tuple[type, dict[str, Any]]] = {
    "message": (OmniSendMessageOperator, SEND | {"to": "41793026727"}),
    "batch": (OmniSendBatchOperator, SEND | {"recipients": ["41793026727"]}),
    "sql": (SqlToOmniOperator, SEND | {"sql": "SELECT 1", "conn_id": "db"}),
    "poke": (OmniDeliverySensor, {"task_id": "t", "message_ids": "m"}),
    "reschedule": (OmniDeliverySensor, {"task_id": "t", "message_ids": "m", "mode": "reschedule"}),
    "deferrable": (OmniDeliverySensor, {"task_id": "t", "message_ids": "m", "deferrable": True}),
}


@pytest.mark.parametrize("context", [{}, {"ti": None}, None], ids=["empty", "no task", "nothing"])
@pytest.mark.parametrize("case", CALLED)
def test_execute_without_a_task_is_one_clear_error_with_a_code(case: str, context: Any, vendor: Vendor) -> None:
    kind, arguments = CALLED[case]
    with pytest.raises(AirflowFailException) as caught:
        kind(**arguments).execute(context)
    said = str(caught.value)
    assert "OMNI-112" in said
    assert "context: got no task instance (ti) in it, expected what Airflow gives to a running task" in said
    assert not vendor.calls


EVENT = {"status": "success", "message": "", "summary": {}}


@pytest.mark.parametrize("context", [{}, {"ti": None}, None], ids=["empty", "no task", "nothing"])
@pytest.mark.parametrize("method", ["poke", "execute_complete"])
def test_the_other_halves_of_a_sensor_say_the_same(method: str, context: Any, vendor: Vendor) -> None:
    sensor = OmniDeliverySensor(task_id="t", message_ids="m")
    with pytest.raises(AirflowFailException, match=r"context: got no task instance \(ti\) in it") as caught:
        getattr(sensor, method)(context, *([EVENT] if method == "execute_complete" else []))
    assert "OMNI-112" in str(caught.value)
    assert not vendor.calls


def test_a_sensor_that_skips_instead_of_failing_does_so_here_too(vendor: Vendor) -> None:
    with pytest.raises(AirflowSkipException, match="OMNI-112"):
        OmniDeliverySensor(task_id="t", message_ids="m", soft_fail=True).execute({})
    assert not vendor.calls


def test_a_notifier_sends_whatever_the_context(vendor: Vendor) -> None:
    OmniNotifier(scenario_key="K", to="41793026727", sms="Hi").notify({})
    assert len(vendor.bodies) == 1
