"""Braces in texts: refused, filled in, or meant. Nobody reads "Dear {name}" because nobody noticed."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator

NUMBER = "41793026727"


def single(**arguments: Any) -> OmniSendMessageOperator:
    return OmniSendMessageOperator(
        **{"task_id": "send", "scenario_key": "K", "to": NUMBER, "flow": ["LINE", "SMS"], **arguments}
    )


def batch(**arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(
        **{
            "task_id": "send",
            "scenario_key": "K",
            "recipients": [{"phone": NUMBER, "name": "Ann"}],
            "flow": ["SMS"],
            **arguments,
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        "Dear {name}", "Dear { name }", "{order.id}", "{ a . b }", "{a[0]}", "{a['b']}", "{name!r}", "${name}",
        "{{ name }}", "{{1}}", "{{name}}", "{% if vip %}Dear{% endif %}", "{# note #}", "{คุณ}", '{"x": {name}}',
    ],
)  # fmt: skip
def test_a_text_that_looks_as_if_it_were_to_be_filled_in_is_refused(vendor: Any, task: Any, text: str) -> None:
    with pytest.raises(AirflowFailException) as caught:
        single(sms={"text": f"secret {text}"}).execute(task.context())
    assert "\n - sms.text: got a" in str(caught.value)
    assert "placeholders=False" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert vendor.calls == []


@pytest.mark.parametrize(
    "text",
    ["{color:red}", '{"a": {"b": 1}}', "{}", "{ }", "[{'a': 1}]", "set {a, b}", "open { now", ":-{ } {1}", "{:>3}"],
)
def test_braces_that_look_like_something_else_are_sent(vendor: Any, task: Any, text: str) -> None:
    single(sms={"text": text}).execute(task.context())
    assert vendor.bodies[0]["sms"]["text"] == text


def test_every_place_is_named_with_the_position(vendor: Any, task: Any) -> None:
    with pytest.raises(AirflowFailException) as caught:
        single(
            line={"type": "FLEX", "altText": "Hi {name}", "contents": {"body": ["a", {"text": "{{ x }}"}]}},
            other_channels={"viber": {"text": "{name}"}},
        ).execute(task.context())
    for line in (
        "line.altText: got a placeholder at character 4",
        "line.contents.body[1].text: got a template that was not rendered at character 1",
        "other_channels.viber.text: got a placeholder at character 1",
    ):
        assert f"\n - {line}" in str(caught.value)


def test_braces_that_are_meant_are_sent_as_they_stand(vendor: Any, task: Any) -> None:
    single(sms={"text": "Use {name}"}, placeholders=False).execute(task.context())
    batch(sms={"text": "Use {name} and {{ and }"}, placeholders=False).execute(type(task)().context())
    assert [body["sms"]["text"] for body in vendor.bodies] == ["Use {name}", "Use {name} and {{ and }"]


def test_a_batch_fills_in_what_it_is_not_told_to_leave(vendor: Any, task: Any) -> None:
    batch(sms={"text": "Dear {name}"}).execute(task.context())
    assert vendor.bodies[0]["sms"]["text"] == "Dear Ann"


@pytest.mark.parametrize("operator", [single, batch])
@pytest.mark.parametrize("value", ["False", None, 0])
def test_whether_braces_are_meant_is_true_or_false(vendor: Any, task: Any, operator: Any, value: Any) -> None:
    with pytest.raises((AirflowFailException, ValueError), match="placeholders: "):
        operator(sms={"text": "Hi"}, placeholders=value).execute(task.context())


@pytest.mark.usefixtures("vendor")
def test_a_retry_with_other_braces_is_other_content(task: Any) -> None:
    people = [{"phone": NUMBER, "name": "Ann"}]
    batch(sms={"text": "Dear {name}"}, recipients=people).execute(task.context())
    more = [*people, {"phone": "41793026731", "name": "Bo"}]
    with pytest.raises(AirflowFailException, match="other content"):
        batch(sms={"text": "Dear {name}"}, recipients=more, placeholders=False).execute(task.context(try_number=2))
