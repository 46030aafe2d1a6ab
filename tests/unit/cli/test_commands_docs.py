"""docs/commands.md has every command, every option and every exit code, and an output of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_omni.cli import exit_codes
from airflow_provider_omni.cli.check import FAILED, NOTE, OK, SKIPPED, WARNING
from airflow_provider_omni.cli.tree import ROOT, Command, Group
from airflow_provider_omni.cli.verify_duplicates import Verdict

TEXT = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")


def paths(group: Group = ROOT, above: str = "") -> list[tuple[str, Command]]:
    found: list[tuple[str, Command]] = []
    for each in group.commands:
        name = f"{above} {each.name}".strip()
        found += paths(each, name) if isinstance(each, Group) else [(name, each)]
    return found


@pytest.mark.parametrize(("name", "command"), paths(), ids=[name for name, _ in paths()])
def test_a_command_is_described_with_its_options_and_an_output(name: str, command: Command) -> None:
    assert f"`{name}" in TEXT
    shown = rf"^\$ airflow omni {name}" if name != "simulator" else r"^python -m airflow_provider_omni simulator"
    assert re.search(shown, TEXT, re.M), name
    if name != "simulator":
        for option in command.options:
            if option.flags[-1].startswith("--"):
                assert re.search(rf"{option.flags[-1]}(?![\w-])", TEXT), option.flags
    assert command.help


def column(first: str) -> list[str]:
    """Return the first column of the table whose header begins like that."""
    table = TEXT.partition(f"\n| {first} |")[2].partition("\n\n")[0]
    return [line.split("|")[1].strip().strip("`") for line in table.splitlines()[2:]]


def test_the_exit_codes_are_those_of_the_code() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert [int(each) for each in column("exit code")] == sorted(codes)


def test_the_verdicts_and_the_results_are_those_of_the_code() -> None:
    assert set(column("`verdict`")) == {verdict.value for verdict in Verdict}
    assert set(column("result")) == {OK, NOTE, WARNING, FAILED, SKIPPED}
