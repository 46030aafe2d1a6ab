"""The vendor's `callbackData` of requests: words about the task that they come from."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from airflow_provider_omni.omni.errors import OmniTransportError
from airflow_provider_omni.operators.batch import OmniSendBatchOperator
from airflow_provider_omni.operators.callback_data import callback_data_of
from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.unit.transfers.test_sql_to_omni import Shop, connect_to


class NewShop(Shop):
    """A database for each connection, since a task closes its own."""

    def get_conn(self) -> Any:
        return sqlite3.connect(":memory:")


SWITCH = "AIRFLOW__OMNI__CALLBACK_DATA"
OF_THE_TASK = {"dag": "dag", "run": "run", "task": "task"}
CONTENT: dict[str, Any] = {"task_id": "task", "scenario_key": "K", "sms": {"text": "Hello"}, "flow": ["LINE", "SMS"]}
NUMBERS = ["41793026727", "41793026731"]


def single(**arguments: Any) -> OmniSendMessageOperator:
    return OmniSendMessageOperator(**CONTENT | {"to": NUMBERS} | arguments)


def by_query(**arguments: Any) -> SqlToOmniOperator:
    query = " UNION ALL ".join(f"SELECT '{number}' AS phone" for number in NUMBERS)
    return SqlToOmniOperator(**CONTENT | {"sql": query, "conn_id": "shop"} | arguments)


def batch(**arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(**CONTENT | {"recipients": NUMBERS} | arguments)


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to(NewShop(), monkeypatch)


each = pytest.mark.parametrize("operator", [single, batch, by_query])


@each
def test_a_send_names_its_dag_run_and_task(operator: Any, vendor: Any, task: Any) -> None:
    operator().execute(task.context())
    assert [json.loads(body["callbackData"]) for body in vendor.bodies] == [OF_THE_TASK]


@each
@pytest.mark.parametrize(("own", "sent"), [("order 7", "order 7"), ("", None)])
def test_the_users_own_stands_in_its_place_and_an_empty_text_is_none(
    operator: Any, own: str, sent: str | None, vendor: Any, task: Any
) -> None:
    operator(callback_data=own).execute(task.context())
    assert [body.get("callbackData") for body in vendor.bodies] == [sent]


@each
@pytest.mark.parametrize("setting", ["False", "neither"])
def test_the_configuration_turns_it_off_for_everybody(
    operator: Any, setting: str, vendor: Any, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, setting)
    operator().execute(task.context())
    assert [body.get("callbackData") for body in vendor.bodies] == [None]


@each
@pytest.mark.parametrize(("before", "after"), [("True", "False"), ("False", "True")])
def test_a_retry_with_the_switch_turned_sends_the_rest_under_the_same_ids(
    operator: Any, before: str, after: str, vendor: Any, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setenv(SWITCH, before)
    with monkeypatch.context() as down:
        down.setattr(vendor.simulator, "handle", refuse)
        with pytest.raises(OmniTransportError):
            operator().execute(task.context())
    monkeypatch.setenv(SWITCH, after)
    receipt = operator().execute(task.context(try_number=2))
    assert receipt["counts"]["accepted"] == 2
    first, last = vendor.bodies[0], vendor.bodies[-1]
    assert (first.pop("callbackData", None) is None) != (last.pop("callbackData", None) is None)
    assert first == last


@each
def test_every_try_posts_the_very_same_bytes(operator: Any, vendor: Any, task: Any) -> None:
    operator().execute(task.context())
    task.state.clear()
    operator().execute(task.context(try_number=1))
    first, second = [call.body for call in vendor.request_history if call.method == "POST"]
    assert first == second


def test_phone_numbers_and_addresses_in_ids_are_masked_and_times_are_not() -> None:
    data = callback_data_of("vip_41793026727", "manual__2026-11-28T19:00:00.123456+00:00_aB3", "to_ann@example.org")
    assert json.loads(data or "") == {
        "dag": "vip_4179…727", "run": "manual__2026-11-28T19:00:00.123456+00:00_aB3", "task": "…@…",
    }  # fmt: skip


@pytest.mark.parametrize("run", ["+41 79 302 67 27", "2026-11-28T19:00:00+00:00_0041793026727", "79-302-67-27_x"])
def test_no_number_is_left_whatever_stands_beside_it(run: str) -> None:
    data = callback_data_of("dag", run, "task") or ""
    digits = "".join(filter(str.isdigit, data.replace("2026-11-28T19:00:00+00:00", "")))
    assert "302" not in digits


def test_what_the_vendor_would_not_take_is_left_out() -> None:
    assert callback_data_of("d" * 4000, "run", "task") is None
    assert callback_data_of("\ud800", "run", "task") is None
    assert callback_data_of(None, None) is None
    assert len(callback_data_of("d" * 250, "r" * 250, "t" * 250) or "") < 4000
