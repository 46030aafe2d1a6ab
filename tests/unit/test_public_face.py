"""Imports of users: a few modules whose names stay. Docs and example DAGs import nothing else of the package."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from airflow_provider_omni import contents, ledger
from airflow_provider_omni.delivery.results import reader
from airflow_provider_omni.delivery.results import unreached as resending
from airflow_provider_omni.omni.channels import CHANNELS
from airflow_provider_omni.omni.models import TypedModel

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_omni"
EXAMPLES = sorted((REPOSITORY / "example_dags").glob("*.py"))
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
TYPED = tuple(
    importlib.import_module(f"{PACKAGE}.omni.{known.home}") for known in CHANNELS.values() if known.home is not None
)
"""The modules of the typed channels."""
FACE = {
    f"{PACKAGE}.{name}"
    for name in (
        "contents",
        "hooks.omni",
        "ledger",
        "notifications.omni",
        "operators.omni",
        "sensors.omni",
        "transfers.sql_to_omni",
        "triggers.omni",
    )
}
SIMULATOR = f"{PACKAGE}.simulator"
"""docs/simulator.md shows what it is made of, to people who test against it."""

LEDGER = {"OutcomeRow", "QuarantineRow", "Unreached", "purge_plan", "read_outcomes", "read_quarantine", "unreached"}
LINE = {"Line", "LineAudio", "LineFlex", "LineImage", "LineSticker", "LineText", "LineVideo"}
SMS = {"IndiaDlt", "Sms", "SmsLanguage", "SmsRegional", "SouthKorea"}


def imported_modules(code: str) -> set[str]:
    """The package's modules that a piece of Python imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
        elif isinstance(node, ast.Import):
            names.update(each.name for each in node.names)
    return {name for name in names if name.partition(".")[0] == PACKAGE}


@pytest.mark.parametrize(
    ("face", "names", "homes"),
    [(ledger, LEDGER, (resending, reader)), (contents, LINE | SMS | {"Viber"}, TYPED)],
    ids=["ledger", "contents"],
)
def test_a_face_shows_these_names_and_adds_nothing_to_what_they_are(
    face: ModuleType, names: set[str], homes: tuple[ModuleType, ...]
) -> None:
    assert set(face.__all__) == names
    assert names <= set(dir(face))
    for name in names:
        assert any(getattr(face, name) is getattr(home, name, None) for home in homes)


def test_a_name_that_the_ledger_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="read_everything"):
        _ = ledger.read_everything


def test_every_model_of_a_content_is_in_the_face() -> None:
    models = {
        name
        for module in TYPED
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, TypedModel) and each.__module__ == module.__name__
    }
    assert models - {"_Line"} == set(contents.__all__) - {"Line"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_dag_imports_the_face_only(file: Path) -> None:
    assert imported_modules(file.read_text()) <= FACE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_of_the_docs_imports_the_face_only(page: Path) -> None:
    named = {name for code in PYTHON.findall(page.read_text()) for name in imported_modules(code)}
    assert {name for name in named if not name.startswith(f"{SIMULATOR}.")} <= FACE


@pytest.mark.parametrize("name", sorted(FACE))
def test_every_module_of_the_face_is_there(name: str) -> None:
    assert importlib.import_module(name).__doc__
