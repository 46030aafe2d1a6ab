"""The tree of commands, and that both doors open on the same one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from airflow_provider_omni.cli.program import load, make_parser
from airflow_provider_omni.cli.tree import ROOT, Command, Group
from airflow_provider_omni.simulator import __main__ as simulator
from airflow_provider_omni.simulator.command_line import FAULTS, SHORTCUTS
from airflow_provider_omni.simulator.faults import FAULT_KINDS
from airflow_provider_omni.simulator.settings import SWITCHES


def commands(group: Group = ROOT, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    for each in group.commands:
        path = (*above, each.name)
        if isinstance(each, Group):
            yield from commands(each, path)
        else:
            yield path, each


COMMANDS = dict(commands())


def parsers(parser: argparse.ArgumentParser, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """The options of each command of a parser."""
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not groups:
        yield above, {each.dest: described(each) for each in parser._actions if each.dest != "help"}
    for group in groups:
        for name, inner in group.choices.items():
            yield from parsers(inner, (*above, name))


def described(action: argparse.Action) -> tuple[object, ...]:
    flags = sorted(action.option_strings)
    return flags, action.default, action.type, action.choices, action.required, action.nargs, type(action).__name__


def test_the_tree_has_every_command() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "check",
        "verify-duplicates",
        "ledger show",
        "ledger export",
        "ledger unreached",
        "ledger purge",
        "ledger check",
        "status",
        "scenarios list",
        "scenarios show",
        "scenarios create",
        "send-test",
        "simulator",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_names_a_function_that_exists(path: tuple[str, ...]) -> None:
    assert callable(load(COMMANDS[path].carried_out_by))


def test_both_doors_have_the_same_commands_with_the_same_options() -> None:
    definition = pytest.importorskip("airflow_provider_omni.cli.definitions")
    from airflow.cli.cli_parser import _add_command

    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for each in definition.get_omni_cli_commands():
        _add_command(subparsers, each)

    own = dict(parsers(make_parser()))
    airflows = {path[1:]: options for path, options in parsers(parser)}
    assert airflows == own


def test_everything_is_masked_and_shown_as_a_table_unless_told_otherwise() -> None:
    for path, command in COMMANDS.items():
        options = {option.flags[-1]: option.settings for option in command.options}
        if path != ("simulator",):
            assert options["--output"]["default"] == "table", path
        if "--show-numbers" in options:
            assert options["--show-numbers"]["action"] == "store_true", path


def test_what_spends_money_or_removes_something_asks() -> None:
    asking = {" ".join(path) for path, command in COMMANDS.items() if any("--yes" in o.flags for o in command.options)}
    assert asking == {"verify-duplicates", "send-test", "ledger purge", "scenarios create"}


def test_words_have_no_square_brackets_which_airflow_takes_for_markup() -> None:
    for command in COMMANDS.values():
        words = [command.help, command.description, command.epilog]
        words += [str(option.settings.get(each, "")) for option in command.options for each in ("help", "metavar")]
        assert not [each for each in words if "[" in each], command.name


def test_the_simulator_has_here_every_option_that_it_has_as_a_program() -> None:
    (program,) = dict(parsers(simulator.make_parser())).values()
    here = dict(parsers(make_parser()))["simulator",]
    assert here == program


def test_the_simulators_options_name_switches_and_faults_that_exist() -> None:
    assert set(SHORTCUTS.values()) <= set(SWITCHES)
    assert FAULTS.split(", ") == list(FAULT_KINDS)


def test_the_simulator_refuses_flags_that_cannot_be_meant_as_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = make_parser().parse_args(["simulator", "--duplicates", "perhaps"])
    with pytest.raises(SystemExit) as ended:
        load(arguments.carried_out_by)(arguments)
    assert ended.value.code == 2
    assert "duplicates: got 'perhaps', expected one of status-23" in capsys.readouterr().err
