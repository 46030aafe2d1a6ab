"""Counts in sentences. No error says "1 messages were", whoever counts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_omni
from airflow_provider_omni.omni.words import are, some, was

NOUNS = (
    "accounts|bulks|cells|characters|columns|duplicates|entries|fields|files|ids|iterations|ledgers|lines|messages|"
    "numbers|parts|people|reports|requests|recipients|rows|seconds|shards|steps|texts|tries|units"
)
_COUNTED = re.compile(rf"\x00 (?:[a-z]+ )?(?:{NOUNS})\b")
_NEVER_ONE = re.compile(
    r"_?(MAX|MOST)_\w+.*|LOGS_ONLY_BULKS|limit|progress\.most|self\._requests|ledgers|"
    r"len\((url|lines|joined|accounts)\)"
)
"""Limits, and counts that were compared before."""


def counted(file: Path) -> Iterator[str]:
    """Each place where a text has a plural after a value that may be 1."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            said = "".join(
                each.value
                if isinstance(each, ast.Constant)
                else "limit"
                if isinstance(each, ast.FormattedValue) and _NEVER_ONE.fullmatch(ast.unparse(each.value))
                else "\x00"
                for each in node.values
                if isinstance(each, ast.FormattedValue) or isinstance(each.value, str)
            )
            yield from (f"{file.name}:{node.lineno}: {found[0]!r}" for found in _COUNTED.finditer(said))


def test_no_text_has_a_plural_after_a_count_that_may_be_one() -> None:
    package = Path(airflow_provider_omni.__file__).parent
    found = [each for file in sorted(package.rglob("*.py")) for each in counted(file)]
    assert found == []


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(0, "0 rows were"), (1, "1 row was"), (2, "2 rows were"), (2000, "2,000 rows were")],
)
def test_a_count_has_its_noun_and_its_verb(count: int, sentence: str) -> None:
    assert f"{some(count, 'row')} {was(count)}" == sentence
    assert are(count) == ("is" if count == 1 else "are")
    assert some(count, "person", "people") == ("1 person" if count == 1 else f"{count:,} people")
