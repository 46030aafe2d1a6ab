"""docs/simulator.md says what the code does: its tables equal the code's, its examples run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import requests

from airflow_provider_omni.simulator.__main__ import make_parser, read_arguments
from airflow_provider_omni.simulator.control import CONTROL_CALLS, WAITABLE
from airflow_provider_omni.simulator.deciding import OUTCOMES
from airflow_provider_omni.simulator.fates import DEFAULT_FATE, FATES
from airflow_provider_omni.simulator.faults import CALLS, FAULT_KINDS
from airflow_provider_omni.simulator.message_index import STATES
from airflow_provider_omni.simulator.queries import PREFIXES
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SWITCHES

TEXT = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
KINDS = {int: "any whole number", float: "any number", str: "any text"}
PROGRAM = "python -m airflow_provider_omni.simulator"


def table(heading: str) -> list[tuple[str, ...]]:
    """Return the rows of the table under a heading, without marks."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip().replace("`", "") for cell in line.strip("| ").split(" | ")) for line in lines[2:]]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands(start: str) -> list[str]:
    return [line for block in blocks("bash") for line in block.splitlines() if line.startswith(start)]


def written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def plain(*cells: str) -> tuple[str, ...]:
    return tuple(cell.replace("`", "") for cell in cells)


def test_fates_are_those_of_the_code():
    expected = [("any other", DEFAULT_FATE.what), *((ending, fate.what) for ending, fate in FATES.items())]
    assert table("Fates") == expected


def test_switches_are_those_of_the_code():
    assert table("Switches") == [
        plain(
            switch.name,
            written(switch.default),
            ", ".join(map(written, switch.values)) or KINDS[type(switch.default)],
            switch.what,
        )
        for switch in SWITCHES.values()
    ]


def test_faults_are_those_of_the_code():
    assert table("Faults") == [
        plain(kind.name, kind.phase.value, kind.what, ", ".join(kind.parameters) or "none")
        for kind in FAULT_KINDS.values()
    ]


def test_control_calls_are_those_of_the_code():
    assert table("Control calls") == [
        plain(f"{call.method} {call.path}", ", ".join(call.members) or "none", call.what) for call in CONTROL_CALLS
    ]


def test_states_are_those_of_the_code():
    assert table("See what was sent") == list(STATES.items())


def test_outcomes_are_those_of_the_code():
    assert re.findall(r"^- `([a-z-]+)`: (.*)$", TEXT, re.MULTILINE) == list(OUTCOMES.items())


@pytest.mark.parametrize("word", PREFIXES)
def test_words_of_a_search_are_named(word):
    assert f"`{word}:`" in TEXT


@pytest.mark.parametrize("name", [*CALLS, *WAITABLE])
def test_calls_and_waits_are_named(name):
    assert f"`{name}`" in TEXT


def test_members_of_the_fixture_exist():
    names = [name for row in table("In tests") for name in re.findall(r"[a-z_]+", re.sub(r"\(.*?\)", "", row[0]))]
    assert {"url", "record", "wait_until", "reset"} <= set(names)
    assert [name for name in names if name not in {*dir(RunningSimulator), "host", "port", "add"}] == []


@pytest.mark.parametrize("command", commands(PROGRAM))
def test_commands_are_understood(command):
    arguments = make_parser().parse_args(shlex.split(command)[3:])
    read_arguments(arguments)


def test_the_connection_is_json():
    exported = commands("export")[0]
    described = json.loads(shlex.split(exported)[1].partition("=")[2])
    assert described["conn_type"] == "omni"


@pytest.mark.parametrize("command", commands("curl"))
def test_control_examples_work(omni_simulator, command):
    words = shlex.split(command)[1:]
    url = next(word for word in words if word.startswith("http")).replace("http://127.0.0.1:8900", omni_simulator.url)
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    headers = {"Content-Type": "application/json"} if "-H" in words else {}
    data = words[words.index("-d") + 1] if "-d" in words else None
    assert requests.request(method, url, headers=headers, data=data, timeout=10).status_code == 200


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: re.search(r"def (\w+)", code)[1])
def test_python_examples_pass(omni_simulator, code):
    names: dict[str, object] = {}
    exec(compile(code, "docs/simulator.md", "exec"), names)
    tests = [(name, value) for name, value in names.items() if name.startswith("test_")]
    for _, run in tests:
        run(omni_simulator) if "omni_simulator" in run.__code__.co_varnames else run()
    assert tests
