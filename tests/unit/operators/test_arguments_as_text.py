"""Texts to which templates render lists and objects, given to every argument of the operators that takes one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from tests.harness.wire import Vendor
from tests.unit.operators.conftest import Task
from tests.unit.operators.rendered import with_values

KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
SCENARIO = {"key": KEY, "name": "n", "flow": [{"channel": "LINE", "from": "x"}, {"channel": "SMS"}], "default": False}
NUMBERS = ["41793026727", "41793026731"]


def sending(**arguments: Any) -> OmniSendMessageOperator:
    given = {"task_id": "task", "scenario_key": KEY, "to": NUMBERS, "sms": {"text": "Hi"}, "flow": ["SMS"]}
    return OmniSendMessageOperator(**given | arguments)


def batch(**arguments: Any) -> OmniSendBatchOperator:
    given = {"task_id": "task", "scenario_key": KEY, "recipients": NUMBERS, "sms": {"text": "Hi"}, "flow": ["SMS"]}
    return OmniSendBatchOperator(**given | arguments)


@pytest.mark.parametrize("make", [sending, batch], ids=["single", "batch"])
@pytest.mark.parametrize("write", [str, json.dumps, lambda scenario: scenario])
def test_a_scenario_is_known_by_what_its_operator_returned_also_as_text(
    make: Any, write: Any, vendor: Vendor, task: Task
) -> None:
    receipt = make(scenario_key=write(SCENARIO), flow=None, line={"text": "Hi"}).execute(task.context())
    assert (receipt["scenario_key"], receipt["flow"]) == (KEY, ["LINE", "SMS"])
    assert vendor.bodies[0]["scenarioKey"] == KEY
    assert f"GET /omni/1/scenarios/{KEY}" not in vendor.calls


@pytest.mark.parametrize("make", [sending, batch], ids=["single", "batch"])
@pytest.mark.parametrize("key", ["None", "", None, "{'name': 'n'}", "{'key': 'K'", "['K']", "two words", 7])
def test_what_cannot_be_a_scenarios_key_is_refused_before_anything_is_sent(
    make: Any, key: Any, vendor: Vendor, task: Task
) -> None:
    with pytest.raises(AirflowFailException, match=r"scenario_key: got .*expected a scenario's key"):
        make(scenario_key=key).execute(task.context())
    assert vendor.calls == []


@pytest.mark.parametrize("make", [sending, batch], ids=["single", "batch"])
@pytest.mark.parametrize("key", ["None", " ", "null"])
def test_a_key_that_a_template_made_of_nothing_is_refused_since_all_later_runs_would_share_it(
    make: Any, key: Any, vendor: Vendor, task: Task
) -> None:
    with pytest.raises(AirflowFailException, match=r"idempotency_key: got .*a template that found nothing"):
        with_values(make(dry_run=True), idempotency_key=key).execute(task.context())


@pytest.mark.parametrize("make", [sending, batch], ids=["single", "batch"])
@pytest.mark.parametrize("write", [str, json.dumps])
def test_contents_may_be_objects_that_a_template_has_rendered(
    make: Any, write: Any, vendor: Vendor, task: Task
) -> None:
    flex = {"type": "bubble", "hero": None}
    make(
        sms=write({"text": "it's", "validityPeriod": 5}),
        line={"type": "FLEX", "altText": "a", "contents": write(flex)},
        other_channels={"viber": write({"text": "v"})},
    ).execute(task.context())
    body = vendor.bodies[0]
    assert body["sms"] == {"text": "it's", "validityPeriod": 5}
    assert body["line"]["contents"] == flex
    assert body["viber"] == {"text": "v"}


@pytest.mark.parametrize("make", [sending, batch], ids=["single", "batch"])
def test_contents_that_cannot_be_read_are_named_with_every_other_mistake(make: Any, vendor: Vendor, task: Task) -> None:
    with pytest.raises(AirflowFailException) as raised:
        with_values(make(), sms="{'text': x}", line="{'text': 'Hi'", flow="None").execute(task.context())
    for line in ("line: got a text that begins", "sms: got a text that begins", "flow: got 'None'"):
        assert f"\n - {line}" in str(raised.value)
    assert vendor.calls == []


@pytest.mark.parametrize("make", [sending, batch], ids=["single", "batch"])
@pytest.mark.parametrize(
    "flow", ["LINE,SMS", "line, sms", "LINE\nSMS", "['LINE', 'SMS']", '["LINE", "SMS"]', json.dumps(SCENARIO["flow"])]
)
def test_a_flow_may_be_a_text(make: Any, flow: str, vendor: Vendor, task: Task) -> None:
    receipt = make(flow=flow, line={"text": "Hi"}).execute(task.context())
    assert receipt["flow"] == ["LINE", "SMS"]


@pytest.mark.parametrize("write", [str, json.dumps, ",".join, "\n".join])
def test_recipients_of_a_single_send_may_be_a_text(write: Any, vendor: Vendor, task: Task) -> None:
    assert sending(to=write(NUMBERS)).execute(task.context())["counts"]["accepted"] == 2


@pytest.mark.parametrize("write", [str, json.dumps])
def test_a_sensor_follows_the_ids_and_the_receipt_that_a_template_has_rendered(
    write: Any, vendor: Vendor, task: Task
) -> None:
    receipt = sending().execute(task.context())
    waits = [
        OmniDeliverySensor(task_id="a", receipt=write(receipt)),
        OmniDeliverySensor(task_id="b", message_ids=write(receipt["message_ids"]), last_channel="SMS"),
        OmniDeliverySensor(task_id="c", bulk_ids=write([receipt["bulks"][0]["bulk_id"]]), scenario_key=write(SCENARIO)),
    ]
    from airflow_provider_omni.hooks.omni import OmniHook

    by_receipt, by_messages, by_bulk = [each._read_watch(OmniHook()) for each in waits]
    assert [bulk.messages for bulk in by_receipt.bulks] == [2]
    assert [bulk.message_ids for bulk in by_messages.bulks] == [(each,) for each in receipt["message_ids"]]
    assert by_bulk.bulks[0].bulk_id == receipt["bulks"][0]["bulk_id"]
    assert by_bulk.flow == ("LINE", "SMS")
    assert f"GET /omni/1/scenarios/{KEY}" not in vendor.calls
