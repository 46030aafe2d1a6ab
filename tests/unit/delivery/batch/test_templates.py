"""`{field}` and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.contents import Sms
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate, RenderedContents
from airflow_provider_omni.delivery.recipients.templates import MissingFieldError, compile_template, split
from airflow_provider_omni.omni.errors import OmniInputError


def fill(value: Any, row: dict[str, Any]) -> Any:
    problems: list[str] = []
    template = compile_template(value, "", problems)
    assert not problems
    return template.fill(row)


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("Hello {name}", {"name": "Ada"}, "Hello Ada"),
        ("{a}{b}{a}", {"a": "1", "b": "2"}, "121"),
        ("{{name}} {name}", {"name": "Ada"}, "{name} Ada"),
        ("{{{name}}}", {"name": "Ada"}, "{Ada}"),
        ("{name}", {"name": "{other} {{}}"}, "{other} {{}}"),
        ("no fields", {}, "no fields"),
        ("", {}, ""),
        ("{größe}", {"größe": "L"}, "L"),
        ("{ชื่อ} {名前} {이름}", {"ชื่อ": "a", "名前": "b", "이름": "c"}, "a b c"),
        (
            "{n} {d} {when} {yes}",
            {"n": 3, "d": Decimal("1.50"), "when": date(2026, 1, 2), "yes": True},
            "3 1.50 2026-01-02 True",
        ),
    ],
)
def test_fields_are_filled(text: str, row: dict[str, Any], expected: str) -> None:
    assert fill(text, row) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{}",
        "{0}",
        "{a.b}",
        "{a[0]}",
        "{a!r}",
        "{a:>10}",
        "{ a }",
        "{a",
        "a}",
        "{a}}",
        "{a{b}}",
        "{__class__.x}",
    ],
)
def test_everything_but_plain_names_is_one_clear_error(text: str) -> None:
    problems: list[str] = []
    compile_template({"line": {"text": text}}, "", problems)
    assert len(problems) == 1
    assert problems[0].startswith("line.text: got a brace at character ")


def test_every_mistake_is_named_without_the_text() -> None:
    problems: list[str] = []
    compile_template({"line": {"text": "secret {"}, "sms": {"text": "}"}}, "", problems)
    assert [problem.split(":")[0] for problem in problems] == ["line.text", "sms.text"]
    assert "secret" not in "".join(problems)


@pytest.mark.parametrize("row", [{}, {"name": None}, {"name": ""}, {"name": ["a"]}, {"name": {"b": 1}}, {"name": b"x"}])
def test_a_row_without_a_usable_value_lacks_the_field(row: dict[str, Any]) -> None:
    with pytest.raises(MissingFieldError, match=r"the field 'name'( is|: got)"):
        fill("{name}", row)


def test_texts_are_filled_however_deep_and_the_rest_stays() -> None:
    value = {"a": ["{x}", {"b": "{x}", "n": 4, "none": None, "yes": True}], "{x}": "key"}
    assert fill(value, {"x": "1"}) == {"a": ["1", {"b": "1", "n": 4, "none": None, "yes": True}], "{x}": "key"}


@given(st.text())
def test_braces_that_are_doubled_come_back_as_they_were(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert "".join(piece for piece, _ in split(doubled)) == text


@given(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffd")))
def test_a_value_is_never_read_as_a_template(before: str, value: str) -> None:
    doubled = before.replace("{", "{{").replace("}", "}}")
    value = f"{value}{{x}}"
    assert fill(doubled + "{x}", {"x": value}) == before + value


def test_a_wrong_brace_hides_no_other_mistake() -> None:
    line = {"text": "Hi {name", "thumbnailUrl": "x", "validityPeriod": "{minutes}"}
    content = MessageTemplate({"line": line, "sms": {"text": "Hi }", "txt": "x"}})
    with Workspace() as workspace, pytest.raises(OmniInputError) as caught:
        RenderedContents(content, workspace, datetime(2026, 11, 28, tzinfo=UTC))
    braces = [each for each in caught.value.problems if "brace" in each]
    assert [each.partition(":")[0] for each in braces] == ["line.text", "sms.text"]
    others = set(caught.value.problems) - set(braces)
    assert any(each.startswith("line.type: ") for each in others)  # a thumbnail belongs to a picture
    assert any(each.startswith("sms.txt: unknown member") for each in others)
    assert not any("validityPeriod" in each for each in others)  # rows will tell


@pytest.mark.parametrize("text", ["{a.b}", "{name}"])
@pytest.mark.parametrize("where", ["line", "sms", "other_channels.viber"])
def test_a_member_that_does_not_exist_is_told_whatever_brace_it_holds_since_no_row_can_mend_it(
    where: str, text: str
) -> None:
    """With a good placeholder every single row would be quarantined for it."""
    channel = {"txt": text, "text": "x"}
    contents = {"other_channels": {"viber": channel}} if "viber" in where else {where: channel}
    found = refused(contents)
    assert found[0] == f"{where}.txt: unknown member, did you mean text?"
    assert [line.partition(":")[0] for line in found[1:]] == ([f"{where}.txt"] if text == "{a.b}" else [])


def refused(contents: dict[str, Any]) -> list[str]:
    with Workspace() as workspace, pytest.raises(OmniInputError) as caught:
        RenderedContents(MessageTemplate(contents), workspace, datetime(2026, 11, 28, tzinfo=UTC))
    return list(caught.value.problems)


def test_a_model_of_another_channel_is_refused_with_all_other_problems() -> None:
    found = refused({"line": Sms(text="x"), "sms": {"txt": "{a.b}"}})
    assert [line.partition(" ")[0] for line in found] == ["sms.text:", "sms.txt:", "line:", "sms.txt:"]
    assert found[2].startswith("line: got the model Sms, expected LineText or ")
