"""Lines about wrong arguments: one form, in all modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_omni
from airflow_provider_omni.omni.problems import unexpected, unknown, with_other_value

PACKAGE = Path(airflow_provider_omni.__file__).parent
MODULES = [module for module in sorted(PACKAGE.rglob("*.py")) if module.name != "problems.py"]
FORM_OF_ITS_OWN = re.compile(r"(^|: )found |, allowed( is| are|:)? |: got .*, expected ", re.DOTALL)


def test_a_line_says_what_was_got_and_what_was_expected() -> None:
    assert unexpected("chunk_size", 500, "up to 499") == "chunk_size: got 500, expected up to 499"


def test_a_line_without_a_name_is_for_who_adds_it() -> None:
    assert unexpected("", "a blank text", "a region") == "got a blank text, expected a region"


def test_a_name_that_does_not_exist_is_told_with_those_that_do() -> None:
    assert unknown("extra.pace", ("region", "id_secret"), "option") == (
        "extra.pace: got an unknown option, expected one of region, id_secret"
    )


@pytest.mark.parametrize("value", ["10 SECONDS", "a, expected b", "x: got y"])
def test_a_value_can_be_taken_out_of_a_line(value: str) -> None:
    line = unexpected("sms.validityPeriod", value, "more than 30 seconds")
    assert with_other_value(line, "something") == "sms.validityPeriod: got something, expected more than 30 seconds"


@pytest.mark.parametrize("line", ["line.url: missing", "no content: at least one is needed"])
def test_a_line_of_another_form_keeps_its_words(line: str) -> None:
    assert with_other_value(line, "something") == line


def texts(module: Path) -> Iterator[str]:
    """All texts of a module but its docstrings, with a null character for each value in them."""
    tree = ast.parse(module.read_text("utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(each) for each in node.values}
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "\0" for each in node.values)
    yield from (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_no_module_writes_such_a_line_in_a_form_of_its_own(module: Path) -> None:
    assert [text for text in texts(module) if FORM_OF_ITS_OWN.search(text)] == []
