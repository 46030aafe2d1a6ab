"""Arguments that do not exist or are missing: an error of ours, with their names and never their values."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.decorators.omni import omni_batch
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.omni import (
    OmniCreateScenarioOperator,
    OmniSendBatchOperator,
    OmniSendMessageOperator,
)
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator

SECRET = "SECRETTEXT 41793026727"
SEND: dict[str, Any] = {"task_id": "t", "scenario_key": "K", "sms": {"text": "Hi"}}
ONE = SEND | {"to": "41793026727"}
MEANT: dict[type, dict[str, Any]] = {
    OmniSendMessageOperator: ONE,
    OmniSendBatchOperator: SEND | {"recipients": ["41793026727"]},
    SqlToOmniOperator: SEND | {"sql": "SELECT 1", "conn_id": "db"},
    OmniDeliverySensor: {"task_id": "t", "message_ids": "m"},
    OmniCreateScenarioOperator: {"task_id": "t", "name": "n", "flow": [{"channel": "SMS"}]},
    OmniNotifier: {"scenario_key": "K", "to": "41793026727", "sms": "Hi"},
}


@pytest.mark.parametrize("kind", MEANT)
def test_an_argument_that_does_not_exist_is_named_with_a_code_and_without_its_value(kind: type) -> None:
    with pytest.raises(OmniInputError) as caught:
        kind(**MEANT[kind], hello=SECRET)
    assert "hello: unknown argument" in caught.value.problems
    assert "OMNI-112" in str(caught.value)
    assert "SECRETTEXT" not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("text", "sms or line"), ("recipients", "to"), ("viber", "other_channels"), ("placeholder", "placeholders")],
)
def test_what_was_meant_is_said(name: str, meant: str) -> None:
    with pytest.raises(OmniInputError, match=f"{name}: unknown argument, did you mean {meant}"):
        OmniSendMessageOperator(**ONE, **{name: SECRET})


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (
            OmniSendMessageOperator,
            "max_cost",
            "only operators that send to many have it, such as OmniSendBatchOperator",
        ),
        (
            OmniSendMessageOperator,
            "suppress",
            "only operators that send to many have it, such as OmniSendBatchOperator",
        ),
        (OmniSendMessageOperator, "mode", "only OmniDeliverySensor has it"),
        (OmniSendBatchOperator, "soft_fail", "only OmniDeliverySensor has it"),
        (SqlToOmniOperator, "recipients", "the rows that the query in sql finds are the recipients"),
        (SqlToOmniOperator, "mode", "only OmniDeliverySensor has it"),
    ],
)
def test_of_what_only_others_have_it_is_said_who_has_it(kind: type, name: str, words: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        kind(**MEANT[kind], **{name: SECRET})
    assert caught.value.problems == (f"{name}: unknown argument, {words}",)


def test_recipients_of_a_function_are_what_it_yields() -> None:
    def people() -> list[str]:
        return []

    with pytest.raises(OmniInputError) as caught, DAG("d"):
        omni_batch(scenario_key="K", sms={"text": "Hi"}, recipients=SECRET)(people)()
    assert caught.value.problems == ("recipients: unknown argument, the function yields or returns the recipients",)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(OmniInputError) as caught:
        OmniSendMessageOperator(**ONE, hello=1, world=2, on_rejected="never")
    assert [line.partition(":")[0] for line in caught.value.problems] == ["hello", "world", "on_rejected"]


NEEDED = {
    OmniSendMessageOperator: {"scenario_key", "to"},
    OmniSendBatchOperator: {"scenario_key", "recipients"},
    SqlToOmniOperator: {"scenario_key", "sql", "conn_id"},
    OmniCreateScenarioOperator: {"name", "flow"},
    OmniNotifier: {"scenario_key", "to"},
}


@pytest.mark.parametrize("kind", NEEDED)
def test_every_argument_that_is_missing_is_named_with_a_code_and_with_all_other_mistakes(kind: type) -> None:
    rest = {name: value for name, value in MEANT[kind].items() if name not in NEEDED[kind]}
    with pytest.raises(OmniInputError) as caught:
        kind(**rest, hello=SECRET)
    assert sorted(caught.value.problems) == sorted(
        [*(f"{name}: missing" for name in NEEDED[kind]), "hello: unknown argument"]
    )
    assert "OMNI-112" in str(caught.value)


def test_a_missing_argument_under_another_name_is_told_with_that_name() -> None:
    with pytest.raises(OmniInputError) as caught:
        OmniSendMessageOperator(**SEND, recipients=SECRET)
    assert set(caught.value.problems) == {"to: missing", "recipients: unknown argument, did you mean to?"}


def test_a_copy_of_a_mapped_task_is_told_what_is_missing() -> None:
    with DAG("d"):
        mapped = OmniSendMessageOperator.partial(task_id="many", sms={"text": "Hi"}).expand(to=["41793026727"])
    with pytest.raises(OmniInputError, match="scenario_key: missing"):
        mapped.unmap({"to": "41793026727"})


def test_a_hook_says_which_argument_was_meant() -> None:
    with pytest.raises(OmniInputError, match=r"OmniHook cannot be used as it is. \(OMNI-112") as caught:
        OmniHook(conn_id=SECRET)  # type: ignore[call-arg]
    assert caught.value.problems == ("conn_id: unknown argument, did you mean omni_conn_id?",)


def test_default_args_and_mapped_tasks_go_on_as_ever() -> None:
    with DAG("d", default_args={"owner": "ops", "scenario_key": "K", "hello": SECRET}):
        operator = OmniSendMessageOperator(task_id="one", to="41793026727", sms={"text": "Hi"}, retries=3)
        mapped = OmniSendMessageOperator.partial(task_id="many", sms={"text": "Hi"}).expand(to=["41793026727"])
    assert (operator.scenario_key, operator.owner, operator.retries) == ("K", "ops", 3)
    assert mapped.unmap({"to": "41793026727"}).scenario_key == "K"


def test_a_class_of_the_users_own_may_take_arguments_of_its_own() -> None:
    class Mine(OmniSendMessageOperator):
        def __init__(self, **kwargs: Any) -> None:
            self.mine = kwargs.pop("mine")
            super().__init__(**kwargs)

    assert Mine(**ONE, mine=1).mine == 1
