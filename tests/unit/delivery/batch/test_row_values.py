"""Values that people really have: what stands for nothing is missing, and what no phone should get is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.templates import MissingFieldError, value_of
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.nothing import is_blank, is_nothing, word_for_nothing
from airflow_provider_omni.omni.validation import check_content
from tests.unit.delivery.batch.batchworld import World, numbers

NAMED = {"sms": {"text": "Dear {name}"}}


class NAType:
    """A value as pandas has it: whoever compares it gets an error."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __ne__ = __eq__
    __hash__ = object.__hash__


class NaTType(date):
    """A value as pandas has it: unequal to itself."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = date.__hash__


@Integral.register
class Int64:
    """A whole number that is no int."""

    dtype = "int64"

    def __init__(self, value: int) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        return str(self.value)


@Real.register
class Float32:
    """A float that is no float, and no number."""

    dtype = "float32"

    def __float__(self) -> float:
        return float("nan")


def duration(value: Any) -> Any:
    """A duration as numpy has it: it counts as a whole number, and is a duration."""

    def unequal(one: object, other: object) -> bool:
        return value is None or one is not other

    def no_float(one: object) -> float:
        raise TypeError("float() argument must be a string or a real number, not 'NoneType'")

    members = {"dtype": "m8", "__ne__": unequal, "__float__": no_float, "__int__": lambda one: value}
    return Integral.register(type("timedelta64", (), {**members, "__hash__": object.__hash__}))()


NOTHING = [
    None, "", " ", "\t\r\n", "\u00a0", "\u3000\u2009",
    "\u200b", "\ufeff", "\u200e \u200f", "\u2800", "\u3164", "\ufe0f",
    "NULL", "null", "None", "NaN", "nan", "NaT", "<NA>", "NA", "N/A", "n/a", "#N/A", "\\N", "(null)", "[NULL]",
    " NULL ",
    "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "########", "undefined",
    float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), NAType(), NaTType(2026, 1, 1),
    Float32(), duration(None),
]  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as database:
        yield database


@pytest.mark.parametrize("value", NOTHING, ids=[f"{index} {value!r}"[:30] for index, value in enumerate(NOTHING)])
def test_nobody_reads_dear_nothing(value: Any, world: World, workspace: Workspace) -> None:
    assert is_nothing(value)
    good, bad = numbers(2)
    rows = [{"phone": good, "name": "Ada"}, {"phone": bad, "name": value}]
    plan = world.plan(rows, workspace, NAMED)
    ((place, reason, _),) = plan.quarantined()
    assert place == 1
    assert reason.startswith("the field 'name' is ")


@pytest.mark.parametrize("value", NOTHING, ids=[f"{index} {value!r}"[:30] for index, value in enumerate(NOTHING)])
def test_what_stands_for_nothing_is_neither_a_number_nor_a_key(value: Any, world: World, workspace: Workspace) -> None:
    rows = [{"phone": numbers(1)[0], "id": "1"}, {"phone": value, "id": "2"}, {"phone": numbers(2)[1], "id": value}]
    plan = world.plan(rows, workspace, key_field="id")
    assert [place for place, _, _ in plan.quarantined()] == [1, 2]


@pytest.mark.parametrize(
    "name", ["Null", "Nan", "Na", "Nil", "none", "-", "0", "O'Neil", "#1", "\u200dAda", "N/A Ltd", "Anna\u00a0Maria"]
)
def test_people_keep_their_names(name: str) -> None:
    assert not is_blank(name)
    assert word_for_nothing(name) is None
    assert value_of({"name": name}, "name") == name


@pytest.mark.parametrize("value", [Int64(7), 7, Decimal("7")])
def test_numbers_of_other_types_are_written_into_texts(value: Any) -> None:
    assert value_of({"n": value}, "n") == "7"


def test_an_id_as_databases_have_it_is_written_into_texts() -> None:
    assert value_of({"id": UUID(int=7)}, "id") == "00000000-0000-0000-0000-000000000007"


@pytest.mark.parametrize("value", [duration(41793026727), 1j, b"x", memoryview(b"x"), [1], {"a": 1}, object()])
def test_what_is_no_text_number_or_date_is_neither_a_value_nor_a_key_nor_a_number(
    value: Any, world: World, workspace: Workspace
) -> None:
    with pytest.raises(MissingFieldError, match="the field 'x': got a value of type"):
        value_of({"x": value}, "x")
    rows = [{"phone": numbers(1)[0], "id": "1"}, {"phone": value, "id": "2"}, {"phone": numbers(2)[1], "id": value}]
    plan = world.plan(rows, workspace, key_field="id")
    assert [place for place, _, _ in plan.quarantined()] == [1, 2]


@pytest.mark.parametrize("word", ["NULL", "#N/A", "None"])
def test_a_key_that_is_a_word_for_nothing_is_called_that(word: str, world: World, workspace: Workspace) -> None:
    plan = world.plan(
        [{"phone": numbers(1)[0], "id": "1"}, {"phone": numbers(2)[1], "id": word}], workspace, key_field="id"
    )
    ((_, reason, _),) = plan.quarantined()
    assert reason == f"the key_field id is {word!r}, which stands for nothing"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("\x1b[31mAda\x1b[0m", "has a control character (U+001B)"),
        ("Ada\x00", "has a control character (U+0000)"),
        ("Ad\x92a", "has a control character (U+0092)"),
        ("Ada\x08\x08", "has a control character (U+0008)"),
        ("Jos\ufffd", "has a character that was lost (U+FFFD): was it read in another encoding?"),
    ],
)
def test_control_characters_and_lost_ones_reach_no_phone(value: str, said: str) -> None:
    with pytest.raises(MissingFieldError) as caught:
        value_of({"name": value}, "name")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_line_ends_and_tabs_are_text() -> None:
    assert value_of({"address": "Bahnhofstr. 1\r\n8001\tZürich"}, "address") == "Bahnhofstr. 1\r\n8001\tZürich"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"line": {"type": "TEXT", "text": "Hi \x1b[1mthere"}}, "line.text"),
        ({"sms": {"text": "Hi \x07"}}, "sms.text"),
        ({"other_channels": {"email": {"buttons": [{"text": "a\x9bb"}]}}}, "other_channels.email.buttons[0].text"),
        ({"sms": {"text": "Hi \ufffd"}}, "sms.text"),
        ({"line": {"type": "FLEX", "altText": "x", "contents": {"text": "\x1b"}}}, "line.contents"),
    ],
)
def test_the_authors_own_text_has_no_control_characters_either(content: dict[str, Any], field: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        check_content(**content)
    assert caught.value.problems[0].startswith(f"{field}: got a text with a c")
    assert "(U+" in caught.value.problems[0]
