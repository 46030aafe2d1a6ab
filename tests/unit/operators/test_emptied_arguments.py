"""Arguments that are given in the DAG and come out as None: what they come from has pushed no XCom."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.harness.wire import Vendor
from tests.unit.operators.conftest import Task
from tests.unit.operators.rendered import with_values
from tests.unit.operators.test_masked_texts import batch, single, sql

EMPTY = "{{ of_an_upstream_that_was_marked_successful }}"
RECEIPT = {"flow": ["SMS"], "bulks": [{"bulk_id": "b", "messages": 2}]}


def rendered(operator: Any) -> Any:
    """Render as in a DAG of native objects, where a template gives None as an upstream's output does."""
    operator.dag = DAG("native", schedule=None, render_template_as_native_obj=True)
    operator.render_template_fields({"of_an_upstream_that_was_marked_successful": None})
    return operator


def said(operator: Any, task: Task) -> str:
    with pytest.raises(AirflowFailException) as caught:
        rendered(operator).execute(task.context())
    return str(caught.value)


SEND = [name for name in OmniSendMessageOperator.template_fields if name != "omni_conn_id"]
BATCH = [name for name in OmniSendBatchOperator.template_fields if name not in ("omni_conn_id", "recipients")]
SQL = [name for name in SqlToOmniOperator.template_fields if name not in ("omni_conn_id", "recipients")]
TOGETHER: dict[str, dict[str, Any]] = {
    "max_cost": {"prices": {"SMS": 1}},
    "prices": {"max_cost": {"EUR": 50}},
    "suppress_conn_id": {"suppress": "SELECT phone FROM gone"},
}
"""Arguments that need another one."""
CASES = [
    *((single, name) for name in SEND),
    *((batch, name) for name in BATCH),
    *((sql, name) for name in SQL),
]


@pytest.mark.parametrize(("make", "name"), CASES)
def test_an_argument_that_came_out_empty_is_not_taken_for_one_that_was_not_given(
    make: Any, name: str, vendor: Vendor, task: Task
) -> None:
    """A key that is none would be the default one, a ledger none, a send_at now: each sends what nobody asked for."""
    arguments = {"sms": {"text": "Hi"}, "flow": ["SMS"]} | TOGETHER.get(name, {}) | {name: EMPTY}
    text = said(make(**arguments), task)
    assert f"{name}: got nothing, though it was given" in text
    assert "that one returned None, or it pushed nothing" in text  # nobody knows which
    assert vendor.bodies == []


def test_what_is_none_in_the_dag_is_not_given(vendor: Vendor, task: Task) -> None:
    operator = single(sms={"text": "Hi"}, flow=["SMS"], line=None, send_at=None, idempotency_key=None)
    assert rendered(operator).execute(task.context())["counts"]["accepted"] == 1


@pytest.mark.parametrize("name", ["receipt", "message_ids", "bulk_ids", "scenario_key", "last_channel"])
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_sensors_argument_that_came_out_empty_is_named(
    name: str, deferrable: bool, vendor: Vendor, task: Task
) -> None:
    others = {} if name in ("receipt", "message_ids", "bulk_ids") else {"bulk_ids": "b"}
    text = said(OmniDeliverySensor(task_id="wait", deferrable=deferrable, **{name: EMPTY} | others), task)
    assert f"{name}: got nothing, though it was given" in text
    assert "found none of them" not in text


def test_a_sensors_other_source_does_not_stand_in_for_the_one_that_came_out_empty(vendor: Vendor, task: Task) -> None:
    text = said(with_values(OmniDeliverySensor(task_id="wait", receipt=EMPTY), message_ids="m"), task)
    assert "receipt: got nothing, though it was given" in text
