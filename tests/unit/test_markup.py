"""Docstrings and comments have one markup: names and code in single backticks."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "airflow_provider_omni").rglob("*.py")) + sorted((ROOT / "example_dags").glob("*.py"))


def texts_for_readers(module: Path) -> Iterator[str]:
    """Comments and docstrings."""
    for token in tokenize.generate_tokens(io.StringIO(module.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and re.match(r'[rR]?"""', token.string)):
            yield token.string


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_names_stand_in_single_backticks(module: Path) -> None:
    marked = [
        text for text in texts_for_readers(module) if re.search(r"(?<!`)``(?!`)|:(class|meth|func|mod|exc):`", text)
    ]
    assert not marked
