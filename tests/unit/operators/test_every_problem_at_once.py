"""Every problem at once: one of the connection, or an argument that came out empty, hides no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.omni.errors import OmniConfigurationError
from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.harness.wire import Vendor
from tests.unit.operators import test_masked_texts
from tests.unit.operators.conftest import Task
from tests.unit.operators.rendered import with_values
from tests.unit.operators.test_arguments_as_text import batch, sending

RECEIPT = {"flow": ["SMS"], "bulks": [{"bulk_id": "b", "messages": 2}]}


def sql(**arguments: Any) -> SqlToOmniOperator:
    made: SqlToOmniOperator = test_masked_texts.sql(**{"sms": {"text": "Hi"}, "flow": ["SMS"]} | arguments)
    return made


def connection(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    """The connection as of now."""
    made = {"conn_type": "omni", "host": "https://127.0.0.1:1", "login": "demo", "password": "long-password"}
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", json.dumps(made | {"extra": extra}))


def told(operator: Any, task: Task) -> list[str]:
    """The lines of the error that ends the task; the first is the sentence."""
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(task.context())
    return str(caught.value).split("\n - ")


@pytest.mark.parametrize("make", [sending, batch, sql], ids=["single", "batch", "sql"])
def test_a_problem_of_the_connection_hides_none_of_the_arguments(
    make: Any, vendor: Vendor, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, read_timeout="x")
    sentence, *lines = told(with_values(make(), sms={"text": "Hi", "txt": 1}, scenario_key="None", flow="FAX"), task)
    assert "OMNI-111" in sentence
    names = [line.partition(":")[0] for line in lines]
    assert names[0] == "extra.read_timeout"
    assert set(names) == {"extra.read_timeout", "sms.txt", "scenario_key", "flow[0]"}
    assert vendor.calls == []


def test_a_connection_whose_region_is_bad_blames_no_number_of_an_argument(
    vendor: Vendor, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows yet how numbers are read."""
    connection(monkeypatch, region="Thailand")
    _, *lines = told(with_values(sending(), to=["0812345678"], sms={"txt": "Hi"}), task)
    assert [line.partition(":")[0] for line in lines] == ["extra.region", "sms.text", "sms.txt"]


def test_a_problem_of_the_connection_hides_none_of_a_sensors_arguments(
    vendor: Vendor, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, read_timeout="x")
    sensor = OmniDeliverySensor(task_id="wait", receipt=RECEIPT)
    sentence, *lines = told(with_values(sensor, receipt={"counts": {}}, last_channel="FAX"), task)
    assert "OMNI-111" in sentence
    assert [line.partition(":")[0] for line in lines] == ["extra.read_timeout", "receipt", "last_channel"]


def test_a_problem_of_the_connection_hides_none_of_a_scenarios(
    vendor: Vendor, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, read_timeout="x")
    flow = [{"channel": "LINE"}]
    made = with_values(OmniCreateScenarioOperator(task_id="s", name="n", flow=flow), name="", flow=[{"chanel": "SMS"}])
    sentence, *lines = told(made, task)
    assert "OMNI-111" in sentence
    assert [line.partition(":")[0] for line in lines] == [
        "extra.read_timeout", "scenario.name", "scenario.flow[0].channel", "scenario.flow[0].chanel",
    ]  # fmt: skip
    _, *lines = told(with_values(made, name="n", flow="[{"), task)
    assert [line.partition(":")[0] for line in lines] == ["extra.read_timeout", "flow"]
    assert vendor.calls == []


@pytest.mark.parametrize("half", ["notify", "async_notify"])
async def test_a_problem_of_the_connection_hides_none_of_an_alerts(
    half: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection(monkeypatch, read_timeout="x")
    alert = OmniNotifier(
        scenario_key="{{ nothing or '' }}", to="41793026727", sms="Hi", line={"type": "IMAGE"}, region="XX"
    )
    context: Any = {"nothing": None}
    with pytest.raises(OmniConfigurationError) as caught:
        alert.notify(context) if half == "notify" else await alert.async_notify(context)
    names = [line.partition(":")[0] for line in caught.value.problems]
    assert names[0] == "extra.read_timeout"
    assert set(names) == {"extra.read_timeout", "scenario_key", "region", "line.url", "line.thumbnailUrl"}
    assert not caplog.messages, "nothing goes out, so that nothing is left out"
    assert vendor.calls == []


def test_a_sensors_scenario_is_not_read_while_another_argument_is_wrong(vendor: Vendor, task: Task) -> None:
    sensor = OmniDeliverySensor(task_id="wait", bulk_ids="b", scenario_key="K")
    _, *lines = told(with_values(sensor, last_channel="FAX", bulk_ids="b, '"), task)
    assert {line.partition(":")[0] for line in lines} == {"last_channel", "bulk_ids[1]"}
    _, *lines = told(with_values(sensor, scenario_key="None"), task)
    assert {line.partition(":")[0] for line in lines} == {"last_channel", "bulk_ids[1]", "scenario_key"}
    assert vendor.calls == []


def test_a_bad_region_hides_no_number_of_the_guard_that_can_be_judged_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection(monkeypatch, region="Thailand", allowed_recipients=["+4179", "0812345678", "+41793026727"])
    with pytest.raises(OmniConfigurationError) as caught:
        _ = OmniHook().config
    assert [line.partition(" ")[0] for line in caught.value.problems] == ["extra.region:", "extra.allowed_recipients:"]


@pytest.mark.parametrize("make", [sending, batch, sql], ids=["single", "batch", "sql"])
def test_an_argument_that_came_out_empty_hides_none_that_a_template_made_to_a_text_for_nothing(
    make: Any, vendor: Vendor, task: Task
) -> None:
    operator = with_values(make(), sms=None, scenario_key="None", send_at="None", key_field=None)
    operator.emptied = ("sms", "scenario_key")
    _, *lines = told(operator, task)
    assert [line.partition(",")[0] for line in lines] == [
        "sms: got nothing",
        "scenario_key: got nothing",
        "send_at: got 'None' (a template that found nothing?)",
    ], "and neither is said to be missing once more"


def test_a_to_that_came_out_empty_hides_no_other_problem_and_is_told_once(vendor: Vendor, task: Task) -> None:
    operator = with_values(sending(), to=None, sms={"txt": "Hi"}, scenario_key="None")
    operator.emptied = ("to",)
    _, *lines = told(operator, task)
    assert [line.partition(":")[0] for line in lines] == ["to", "scenario_key", "sms.text", "sms.txt"]


def test_a_query_for_nothing_is_told_with_the_other_arguments(vendor: Vendor, task: Task) -> None:
    _, *lines = told(with_values(sql(), sql="None", scenario_key="None"), task)
    assert {line.partition(":")[0] for line in lines} == {"sql", "scenario_key"}
