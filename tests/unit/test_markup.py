"""Docstrings and comments: names and code stand in single backticks, and a docstring begins with a verb or a noun."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_omni"
MODULES = sorted(PACKAGE.rglob("*.py")) + sorted((ROOT / "example_dags").glob("*.py"))
CLAUSE = re.compile(
    r"(What|Whatever|Whether|Whoever|Who|Whose|Which|Why|How|If|Where|When|The same"
    r"|Is|Are|Was|Does|Did|Has|May|Can|Would|Should|Must)\b"
)
"""Beginnings of docstrings that begin neither with a verb nor with a noun."""
QUESTION = re.compile(r"\?(?=\s|\Z)")


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


def docstrings(module: Path) -> Iterator[str]:
    """Those of the module, of its classes and functions, and of its constants and attributes."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value.strip()


@pytest.mark.parametrize("folder", ["airflow_provider_omni", "benchmarks", "dev", "example_dags", "tests"])
def test_docstrings_begin_with_a_verb_or_a_noun(folder: str) -> None:
    clauses = [
        f"{module.relative_to(ROOT)}: {text.partition(chr(10))[0]}"
        for module in sorted((ROOT / folder).rglob("*.py"))
        for text in docstrings(module)
        if CLAUSE.match(text)
    ]
    assert not clauses


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_docstrings_ask_no_questions(module: Path) -> None:
    assert [text for text in docstrings(module) if QUESTION.search(text)] == []
