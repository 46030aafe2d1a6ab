"""Return values of decorated functions: every form that they may have, and one clear error for anything else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.decorators.returned import read_message, read_rows
from airflow_provider_omni.omni.errors import OmniInputError

NUMBER = "41793026727"
TEXT = "Zaphod's code is 918273"


def message(returned: Any, given: Any = None, *, has_recipients: bool = True) -> dict[str, Any]:
    return read_message(returned, given or {}, has_recipients=has_recipients)


def test_a_text_is_that_of_line_and_sms() -> None:
    assert message("Hi") == {"line": {"type": "TEXT", "text": "Hi"}, "sms": {"text": "Hi"}}


def test_a_text_goes_to_those_of_the_two_that_are_given_and_keeps_their_other_members() -> None:
    assert message("Hi", {"sms": {"validityPeriod": 5}}) == {"sms": {"text": "Hi", "validityPeriod": 5}}
    both = message("Hi", {"line": {"validityPeriod": 5}, "sms": {"text": "other"}})
    assert both == {"line": {"type": "TEXT", "text": "Hi", "validityPeriod": 5}, "sms": {"text": "Hi"}}
    assert message("Hi", {"other_channels": {"viber": {"text": "x"}}}) == message("Hi")


@pytest.mark.parametrize("text", ['{"text": "x"}', "[1, 2]", "{{ ds }}", "{name}", "None", NUMBER])
def test_a_text_is_taken_as_it_stands_whatever_it_looks_like(text: str) -> None:
    assert message(text)["sms"]["text"] == message({"sms": text})["sms"]["text"] == text


def test_a_dict_says_who_and_what() -> None:
    found = message({"to": NUMBER, "line": "Hi", "sms": {"text": "Ho"}}, has_recipients=False)
    assert found == {"to": NUMBER, "line": {"type": "TEXT", "text": "Hi"}, "sms": {"text": "Ho"}}


def test_a_dict_may_say_who_alone_or_what_alone() -> None:
    assert message({"to": [NUMBER]}) == {"to": [NUMBER]}
    assert message({"other_channels": {"viber": {"text": "Hi"}}}) == {"other_channels": {"viber": {"text": "Hi"}}}


def test_an_object_stands_beside_what_is_given_and_counts_before_it() -> None:
    given = {"sms": {"validityPeriod": 5, "text": "other"}, "line": '{"validityPeriod": 7}'}
    found = message({"sms": {"text": "Hi"}, "line": "Hi"}, given)
    assert found["sms"] == {"validityPeriod": 5, "text": "Hi"}
    assert found["line"] == {"type": "TEXT", "text": "Hi", "validityPeriod": 7}


def test_models_are_objects() -> None:
    assert message({"sms": Sms(text="Hi")}) == {"sms": Sms(text="Hi")}
    found = message({"sms": Sms(text="Hi"), "line": "Hi"}, {"sms": {"validityPeriod": 5}, "line": LineText(text="x")})
    assert found["sms"] == {"validityPeriod": 5, "text": "Hi"}
    assert found["line"]["text"] == "Hi"


def rows() -> Iterator[str]:
    yield NUMBER


async def later() -> str:
    return TEXT


async def later_rows() -> AsyncIterator[str]:
    yield NUMBER


WRONG_MESSAGES: list[tuple[Any, str]] = [
    (None, "got nothing"),
    (3, "got a number"),
    (2.5, "got a number"),
    (True, "got True or False"),
    ("  ", "got an empty text"),
    ({}, "got an empty dict"),
    (b"Hi", "got a value of type bytes"),
    ([{"to": NUMBER}], "got a list of 1 (@task.omni_batch takes rows)"),
    ((NUMBER, TEXT), "got a list of 2"),
    (rows(), "got a generator (@task.omni_batch takes rows)"),
    (Sms(text=TEXT), "got a value of type Sms"),
]


@pytest.mark.parametrize(("returned", "said"), WRONG_MESSAGES)
def test_what_is_no_message_is_one_error_that_says_what_is_expected(returned: Any, said: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        message(returned)
    (line,) = caught.value.problems
    assert line.startswith(f"return: {said}")
    assert "expected a text, or a dict with 'to', 'line', 'sms', 'other_channels'" in line


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("read", [message, read_rows])
@pytest.mark.parametrize("function", [later, later_rows])
def test_what_an_async_function_returns_is_named_and_nothing_waits_for_it(read: Any, function: Any) -> None:
    with pytest.raises(OmniInputError, match="return: got what an async function returns; define it with def"):
        read(function())


def test_every_problem_of_a_message_is_named_at_once_and_no_value_is_shown() -> None:
    returned = {"too": NUMBER, "text": TEXT, NUMBER: 1, "line": None, "sms": 5, "other_channels": TEXT}
    with pytest.raises(OmniInputError) as caught:
        message(returned, has_recipients=False)
    lines = caught.value.problems
    assert [line.partition(":")[0] for line in lines] == [
        "return.too", "return.text", "return.4179…727", "to", "return.line",
    ]  # fmt: skip
    assert "got an unknown member, expected one of to, line, sms, other_channels" in lines[0]
    assert NUMBER not in str(caught.value)
    assert TEXT not in str(caught.value)


def test_contents_of_a_wrong_kind_are_named() -> None:
    with pytest.raises(OmniInputError) as caught:
        message({"line": "", "sms": 5, "other_channels": TEXT})
    assert caught.value.problems[0].startswith("return.line: got an empty text")
    with pytest.raises(OmniInputError) as caught:
        message({"line": [TEXT], "sms": 5, "other_channels": TEXT})
    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "return.line", "return.sms", "return.other_channels",
    ]  # fmt: skip
    assert TEXT not in str(caught.value)


def test_nobody_to_send_to_is_said_to_whoever_can_mend_it() -> None:
    with pytest.raises(OmniInputError, match=r"to: missing\. Give it to the decorator, or return it"):
        message("Hi", has_recipients=False)


def test_a_given_object_that_cannot_be_read_is_a_problem_of_the_argument() -> None:
    with pytest.raises(OmniInputError, match="sms: got a text that begins like"):
        message({"sms": {"text": "Hi"}}, {"sms": '{"validityPeriod": '})


class Frame:
    """A table, as pandas has it."""

    columns = ("phone",)

    def itertuples(self, index: bool, name: Any) -> Any:
        return iter([(NUMBER,)])


@pytest.mark.parametrize("returned", [[], [NUMBER], ({"phone": NUMBER},), {NUMBER}, iter([NUMBER]), rows(), Frame()])
def test_rows_are_handed_on_untouched(returned: Any) -> None:
    assert read_rows(returned) is returned


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "return: got nothing, expected rows, yielded or in a list or a table"),
        (7, "return: got a number"),
        (False, "return: got True or False"),
        ({"phone": NUMBER}, "return: got an object (one row alone is a list of one: [row])"),
        ("/people.csv", "return: got a string of 11 characters (OmniSendBatchOperator takes the path of a file)"),
        (NUMBER.encode(), "return: got a value of type bytes"),
        (object(), "return: got a value of type object"),
    ],
)
def test_what_are_no_rows_is_one_error(returned: Any, said: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        read_rows(returned)
    (line,) = caught.value.problems
    assert line.startswith(said)
    assert NUMBER not in json.dumps(caught.value.problems)
