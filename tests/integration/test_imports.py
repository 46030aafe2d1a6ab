"""Imports that a DAG file makes Airflow do by using this provider: nothing heavy, since DAG files are read often."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.harness.fresh import FreshPython, fresh_python

PACKAGE = "airflow_provider_omni"
UNREACHED = f"from {PACKAGE}.ledger import unreached"
CONTENTS = f"from {PACKAGE}.contents import LineText, Sms"
STATEMENTS = (UNREACHED, CONTENTS)

IMPORTS = """
import sys
before = set(sys.modules)
import airflow_provider_omni.decorators.omni
import airflow_provider_omni.hooks.omni
import airflow_provider_omni.notifications.omni
import airflow_provider_omni.operators.omni
import airflow_provider_omni.sensors.omni
import airflow_provider_omni.transfers.sql_to_omni
import airflow_provider_omni.triggers.omni
from airflow_provider_omni.ledger import unreached
print("\\n".join(sorted(set(sys.modules) - before)))
"""
HEAVY = ("aiohttp", "openlineage", "phonenumbers", "requests", "tenacity", "urllib3", "yarl")


@pytest.fixture(scope="module")
def python() -> Iterator[FreshPython]:
    with fresh_python() as python:
        yield python


def test_a_dag_file_imports_neither_http_clients_nor_models_nor_number_tables_nor_openlineage(
    python: FreshPython,
) -> None:
    modules = python.run(IMPORTS).split()
    assert [name for name in modules if name.partition(".")[0] in HEAVY] == []
    assert [name for name in modules if "openlineage" in name] == []
    light = {
        f"airflow_provider_omni.omni.{name}"
        for name in ("channels", "ids", "known_arguments", "masking", "problems", "unfilled", "words")
    }
    assert {name for name in modules if name.startswith("airflow_provider_omni.omni.")} <= light


@pytest.fixture(scope="module")
def loaded(python: FreshPython) -> dict[str, set[str]]:
    """The modules that each of STATEMENTS loads in a new process in which Airflow's operators are loaded already. One
    follows the other, so that each counts what those before it have not brought.
    """
    code = f"""
import json, sys
found = {{}}
for statement in {STATEMENTS!r}:
    before = set(sys.modules)
    exec(statement)
    found[statement] = sorted(set(sys.modules) - before)
print(json.dumps(found))
"""
    return {statement: set(modules) for statement, modules in json.loads(python.run(code).splitlines()[-1]).items()}


def test_unreached_in_a_dag_file_loads_nothing_that_reads_ledgers(loaded: dict[str, set[str]]) -> None:
    ours = {name.removeprefix(f"{PACKAGE}.") for name in loaded[UNREACHED] if name.startswith(f"{PACKAGE}.")}
    assert ours == {"delivery", "delivery.results", "delivery.results.unreached", "ledger"}
    assert "sqlite3" not in loaded[UNREACHED]


def test_contents_in_a_dag_file_load_the_models_and_nothing_that_sends(loaded: dict[str, set[str]]) -> None:
    ours = {name.removeprefix(f"{PACKAGE}.") for name in loaded[CONTENTS] if name.startswith(f"{PACKAGE}.")}
    heavy = {"aiohttp", "phonenumbers", "requests", "tenacity", "urllib3"}
    assert {name for name in ours if name.partition(".")[0] != "omni"} == {"contents"}
    assert not heavy & {name.partition(".")[0] for name in loaded[CONTENTS]}


MADE = """
import sys
from datetime import UTC, datetime
from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.operators.omni import *
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
heavy = ("aiohttp", "openlineage", "phonenumbers", "requests", "tenacity", "urllib3", "yarl")
before = set(sys.modules)
told = {"scenario_key": "K", "sms": {"text": "Hi"}, "line": {"text": "Hi"}, "region": "TH",
        "allowed_countries": ["TH", "SG"], "number_check": "valid"}
more = {"flow": ["LINE", "SMS"], "send_at": datetime(2026, 12, 1, tzinfo=UTC), "notify": True, "on_rejected": "ignore"}
OmniNotifier(to="41793026727", **told)
OmniSendMessageOperator(task_id="a", to="41793026727", **told, **more)
OmniSendBatchOperator(task_id="b", recipients="/people.csv", shard="1/2", chunk_size=100, **told, **more)
SqlToOmniOperator(task_id="c", sql="SELECT phone", conn_id="db", **told, **more)
OmniCreateScenarioOperator(task_id="d", name="n", flow=[{"channel": "LINE", "from": "me"}])
new = sorted(set(sys.modules) - before)
print([name for name in new if name.partition(".")[0] in heavy])
print([name for name in new if name.startswith("airflow_provider_omni.")])
"""


def test_looking_loads_no_models_and_no_tables_since_dag_files_are_read_often(python: FreshPython) -> None:
    heavy, ours = python.run(MADE).splitlines()[-2:]
    assert heavy == "[]"
    assert not [name for name in ("models", "content", "validation", "numbers") if f".{name}'" in ours], ours


def test_no_library_of_tables_is_imported(python: FreshPython) -> None:
    said = python.run(
        "import sys; before = set(sys.modules);"
        "import airflow_provider_omni.operators.recipients, airflow_provider_omni.omni.tables;"
        "print({'pandas', 'polars', 'pyarrow', 'duckdb', 'numpy'} & (set(sys.modules) - before))"
    )
    assert said.splitlines()[-1] == "set()"
