"""`max_cost` and `prices` on the batch operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.delivery.messages.delivery_report import DELIVERY_KEY
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.omni import OmniSendBatchOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY
from tests.harness.clock import SkippingClock
from tests.unit.operators.rendered import with_values

PEOPLE = ["41793026700", "41793026701", "66812345602"]
ASKED: dict[str, Any] = {
    "scenario_key": SOURCE_SCENARIO_KEY,
    "line": {"type": "TEXT", "text": "Hello"},
    "sms": {"text": "Hello"},
    "flow": ["LINE", "SMS"],
}
PRICES = {"LINE": 0.01, "SMS": {"41": 0.1, "": 0.02}}


@pytest.fixture
def account(
    omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, clock: SkippingClock
) -> RunningSimulator:
    clock.follow = omni_simulator.advance
    omni_simulator.configure(source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


def batch(max_cost: Any, prices: Any = None, **arguments: Any) -> Any:
    given = {"max_cost": max_cost, "prices": PRICES if prices is None else prices}
    return OmniSendBatchOperator(task_id="send", **ASKED | {"recipients": PEOPLE} | given | arguments)


def test_a_batch_that_could_cost_more_fails_for_good_before_anything_is_posted(
    account: RunningSimulator, task: Any
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        batch({"EUR": 0.2}).execute(task.context())
    told = str(caught.value)
    assert "it could cost more than it may. (OMNI-112" in told
    assert "up to 0.25 EUR for 3 people (3 by LINE, 3 SMS parts), expected at most 0.2 EUR" in told
    assert not any(number in told for number in PEOPLE)
    assert account.record.acceptances == []
    assert task.xcoms["return_value"]["estimated_cost"] == {"EUR": "0.25"}
    assert task.xcoms["return_value"]["counts"]["accepted"] == 0


@pytest.mark.parametrize("ledger", [True, False])
def test_a_refused_batch_is_sent_by_a_clear_once_the_limit_is_raised(
    account: RunningSimulator, task: Any, tmp_path: Path, ledger: bool
) -> None:
    place = {"ledger_path": str(tmp_path / "ledger")} if ledger else {}
    with pytest.raises(AirflowFailException):
        batch({"EUR": 0.2}, **place).execute(task.context())
    calls = len(account.record.calls)
    receipt = batch({"EUR": 0.3}, **place).execute(task.context(2))
    assert receipt["counts"]["accepted"] == 3
    assert [call.path for call in account.record.calls[calls:]] == ["/omni/1/advanced"]


@pytest.mark.parametrize("max_cost", [{"EUR": 0.25}, '{"EUR": 0.25}', "{'EUR': '0.25'}"])
def test_a_batch_within_its_limit_is_sent_and_the_page_of_deliveries_has_the_estimate(
    account: RunningSimulator, task: Any, max_cost: Any
) -> None:
    receipt = batch(max_cost).execute(task.context())
    assert receipt["counts"]["accepted"] == 3
    assert receipt["estimated_cost"] == {"EUR": "0.25"}
    assert task.xcoms[DELIVERY_KEY]["estimated_cost"] == {"EUR": "0.25"}


def test_without_a_limit_nothing_is_estimated(account: RunningSimulator, task: Any) -> None:
    receipt = OmniSendBatchOperator(task_id="send", recipients=PEOPLE, **ASKED).execute(task.context())
    assert "estimated_cost" not in receipt


def test_a_retry_of_what_was_sent_is_not_refused_by_a_lower_limit(
    account: RunningSimulator, task: Any, tmp_path: Path
) -> None:
    ledger = str(tmp_path / "ledger")
    batch({"EUR": 1}, ledger_path=ledger).execute(task.context())
    receipt = batch({"EUR": 0.01}, ledger_path=ledger).execute(task.context(2))
    assert receipt["counts"]["accepted"] == 3
    assert len(account.record.acceptances) == 3


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_cost": {"EUR": 5}}, "prices: got nothing, expected prices by channel"),
    ({"prices": PRICES}, "max_cost: got nothing, expected a currency and an amount"),
    ({"max_cost": 50, "prices": PRICES}, "max_cost: got 50, expected a currency and an amount"),
    ({"max_cost": {"EUR": 5}, "prices": {"SMS": "dear"}}, "prices.SMS: got a string of 4 characters"),
    ({"max_cost": {"EUR": -5}, "prices": {"FAX": 1}}, "max_cost: got -5"),
    ({"max_cost": {"EUR": -5}, "prices": {"FAX": 1}}, "prices: got an unknown channel, expected one of LINE"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_what_cannot_be_a_budget_is_refused_when_the_dag_is_read(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        OmniSendBatchOperator(task_id="send", recipients=PEOPLE, **ASKED | arguments)
    assert any(line.startswith(words) for line in caught.value.problems)


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_what_cannot_be_a_budget_is_refused_when_the_task_runs(
    account: RunningSimulator, task: Any, arguments: dict[str, Any], words: str
) -> None:
    operator = OmniSendBatchOperator(task_id="send", recipients=PEOPLE, **ASKED)
    with pytest.raises(AirflowFailException) as caught:
        with_values(operator, **arguments).execute(task.context())
    assert words in str(caught.value)
    assert account.record.acceptances == []


def test_a_limit_whose_template_has_found_nothing_refuses_the_send(account: RunningSimulator, task: Any) -> None:
    operator = with_values(batch({"EUR": 5}), max_cost=None, emptied=("max_cost",))
    with pytest.raises(AirflowFailException, match="max_cost: got nothing, though it was given"):
        operator.execute(task.context())
    assert account.record.acceptances == []


def test_templates_are_taken_when_the_dag_is_read() -> None:
    operator = batch("{{ var.json.most }}", {"LINE": "{{ var.value.line }}", "SMS": 1})
    assert operator.max_cost == "{{ var.json.most }}"
    assert {"max_cost", "prices"} <= set(operator.template_fields)
