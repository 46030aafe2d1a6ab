"""`airflow omni ...` on the installed Airflow, and `python -m airflow_provider_omni ...`: two doors to one tree.

That `airflow --help` gets no slower is held by what the definition imports, which no other load of the machine changes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_omni.get_provider_info import get_provider_info
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.fresh import FreshPython, fresh_python

DOORS = {
    "airflow": [sys.executable, "-m", "airflow", "omni"],
    "program": [sys.executable, "-m", "airflow_provider_omni"],
}


def ran(door: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DOORS[door], *words], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, account: RunningSimulator) -> str:
    return str(request.param)


def test_airflow_is_told_of_the_commands() -> None:
    assert get_provider_info()["cli"] == ["airflow_provider_omni.cli.definitions.get_omni_cli_commands"]


def test_help_lists_the_commands(door: str) -> None:
    said = ran(door, "--help")
    assert said.returncode == 0
    for name in ("check", "verify-duplicates", "ledger", "status", "scenarios", "send-test", "simulator"):
        assert name in said.stdout


def test_check_says_the_same_and_nothing_else_on_stdout(door: str) -> None:
    said = ran(door, "check", "--output", "json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["ok"] is True
    assert "This connection can be used." in ran(door, "check").stdout


def test_a_connection_that_only_airflows_database_has_is_found(door: str, account: RunningSimulator) -> None:
    fields = json.dumps({**json.loads(account.airflow_connection_json), "description": door})
    added = [sys.executable, "-m", "airflow", "connections", "add", f"kept_{door}", "--conn-json", fields]
    subprocess.run(added, check=True, capture_output=True)
    assert ran(door, "check", f"kept_{door}").returncode == 0


def test_exit_codes_reach_the_shell(door: str) -> None:
    assert ran(door, "check", "no_such_connection").returncode == 3
    assert ran(door, "scenarios", "show", "nothing").returncode == 1
    assert ran(door, "status", "--message-id", "unheard-of").returncode == 4
    assert ran(door, "ledger").returncode == 2


def test_a_ledger_is_read_without_any_airflow_database(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {"AIRFLOW_HOME": str(tmp_path / "home")}
    said = subprocess.run(
        [*DOORS["program"], "ledger", "show", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert said.returncode == 1
    assert "a place that no batch has used" in said.stderr
    assert not (tmp_path / "home" / "airflow.db").exists()


@pytest.fixture(scope="module")
def python() -> Iterator[FreshPython]:
    with fresh_python() as python:
        yield python


def test_the_definition_imports_its_own_data_alone_and_no_command(python: FreshPython) -> None:
    code = """
import sys
import airflow.cli.cli_config
before = set(sys.modules)
from airflow_provider_omni.cli.definitions import get_omni_cli_commands
get_omni_cli_commands()
print(" ".join(sorted(set(sys.modules) - before)))
"""
    package = "airflow_provider_omni"
    names = {"", ".cli", ".cli.definitions", ".cli.tree", ".simulator", ".simulator.command_line"}
    assert set(python.run(code).splitlines()[-1].split()) <= {package + name for name in names}


def test_help_of_the_program_loads_neither_airflow_nor_a_client() -> None:
    code = "import sys, airflow_provider_omni.cli.program as p; p.make_parser(); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = ("airflow", "aiohttp", "pydantic", "requests", "rich", "sqlalchemy", "starlette")
    assert [name for name in heavy if f"'{name}'" in done.stdout] == []


def test_the_simulator_needs_no_airflow() -> None:
    code = (
        "import sys; sys.modules['airflow'] = None; from airflow_provider_omni.cli.program import main;"
        "main(['simulator', '--port', '0'])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("OMNI simulator listening on http://127.0.0.1:")
        process.terminate()
        assert process.wait(20) == 0
