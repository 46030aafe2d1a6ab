"""`scenarios` and `send-test`: flows as they are typed, what is asked before, and what is shown."""

from __future__ import annotations

import io

import pytest

from airflow_provider_omni.cli.one_message import OneMessage, contents_of, status_of
from airflow_provider_omni.cli.output import Answer, show
from airflow_provider_omni.cli.scenarios import flow_of, question_of, row_of
from airflow_provider_omni.cli.send_test import answer_of
from airflow_provider_omni.cli.send_test import question_of as question_of_send
from airflow_provider_omni.omni.errors import OmniInputError, OmniProtocolError
from airflow_provider_omni.omni.models import NewScenario, SavedStep, Scenario, ScenarioStep, Status

TAKEN = Status(group_id=1, group_name="PENDING", id=7, name="PENDING_ENROUTE")
REFUSED = Status(group_id=5, group_name="REJECTED", id=52, name="REJECTED_DESTINATION")
MESSAGE = OneMessage("41793026727", "A text.", "K", ("LINE", "SMS"), "message-1")


def scenario(name: str = "alerts", channel: str = "LINE", default: bool = False) -> Scenario:
    return Scenario(key="KEY", name=name, flow=(SavedStep(channel=channel, from_="me"),), default=default)


def wanted(default: bool = False) -> NewScenario:
    return NewScenario(name="alerts", flow=(ScenarioStep(channel="SMS", from_="me"),), default=default)


def text_of(answer: Answer) -> str:
    out = io.StringIO()
    show(answer, "table", out)
    return out.getvalue()


def test_steps_are_read_with_and_without_sender() -> None:
    assert flow_of(["line: my:sender", "SMS"]) == [{"channel": "LINE", "from": "my:sender"}, {"channel": "SMS"}]


def test_every_step_that_is_none_is_named() -> None:
    with pytest.raises(OmniInputError) as refused:
        flow_of([":me", "LINE:me", "SMS:"])
    assert [line.partition(":")[0] for line in refused.value.problems] == ["--step[0]", "--step[2]"]


@pytest.mark.parametrize(
    ("existing", "default", "if_exists", "words"),
    [
        ([], False, "reuse", ""),
        ([scenario(channel="SMS")], False, "reuse", ""),
        ([scenario()], False, "update", "Replace scenario KEY for everybody"),
        ([scenario(channel="SMS")], True, "reuse", "Replace scenario KEY for everybody"),
        ([], True, "reuse", "account's default"),
        ([scenario()], False, "create", ""),
    ],
)
def test_what_changes_something_for_others_is_asked(
    existing: list[Scenario], default: bool, if_exists: str, words: str
) -> None:
    question = question_of(existing, wanted(default), if_exists)
    assert words in question
    assert bool(words) is bool(question)


def test_a_scenario_is_a_row() -> None:
    flow = [{"channel": "LINE", "from": "me"}, {"channel": "SMS", "from": None}]
    row = row_of({"key": "K", "name": "n", "flow": flow, "default": True})
    assert row == {"key": "K", "name": "n", "flow": ["LINE from me", "SMS"], "default": True}


def test_a_text_becomes_the_content_of_every_channel_that_takes_one() -> None:
    assert contents_of("Hi", ("LINE", "VOICE", "SMS")) == {
        "line": {"type": "TEXT", "text": "Hi"},
        "sms": {"text": "Hi"},
    }
    assert set(contents_of("Hi", ())) == {"line", "sms"}
    with pytest.raises(OmniInputError, match="A text alone"):
        contents_of("Hi", ("VOICE",))


def test_the_body_has_the_message_alone_under_its_id() -> None:
    body = MESSAGE.body("bulk-1")
    assert body["destinations"] == [{"to": {"phoneNumber": "41793026727"}, "messageId": "message-1"}]
    assert (body["scenarioKey"], body["bulkId"]) == ("K", "bulk-1")
    assert OneMessage("1", "t", "K").message_id != OneMessage("1", "t", "K").message_id
    assert "41793026727" not in repr(MESSAGE)
    assert "A text." not in repr(MESSAGE)


def test_the_question_masks_the_number_and_says_that_it_costs() -> None:
    asked = question_of_send(MESSAGE, False)
    assert "4179…727" in asked
    assert "LINE → SMS" in asked
    assert "costs money" in asked
    assert "41793026727" in question_of_send(MESSAGE, True)


def test_an_accepted_message_is_told_with_how_to_go_on() -> None:
    answer = answer_of(MESSAGE, "bulk-1", TAKEN, "omni_default", False)
    assert answer.code == 0
    assert answer.data["accepted"] is True
    assert "status omni_default --message-id message-1" in text_of(answer)
    assert "4179…727" in text_of(answer)


def test_a_refused_message_is_told_in_plain_words() -> None:
    answer = answer_of(MESSAGE, "bulk-1", REFUSED, "omni_default", False)
    assert answer.code == 3
    assert answer.data["accepted"] is False
    assert "the recipient's number is not valid" in text_of(answer)


def test_an_answer_that_does_not_name_the_message_is_no_answer() -> None:
    entry = {"message_id": "message-1", "status": TAKEN.model_dump()}
    assert status_of({"messages": [entry]}, "message-1").name == "PENDING_ENROUTE"
    with pytest.raises(OmniProtocolError):
        status_of({"messages": [entry]}, "message-2")
