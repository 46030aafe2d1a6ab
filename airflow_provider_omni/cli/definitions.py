"""The door of Airflow 3.2 and later: `airflow omni ...`.

Airflow calls this for every `airflow` command. So only `airflow.cli.cli_config` is imported, which it has loaded by
then, and commands are loaded when they are run.
"""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

from airflow_provider_omni.cli.tree import ROOT, Command, Group, Option


def get_omni_cli_commands() -> list[CLICommand]:
    """Return the command group `omni`, for Airflow."""
    return [_of_airflow(ROOT)]


def _argument(option: Option) -> Any:
    return Arg(option.flags, **option.settings)  # type: ignore[no-untyped-call, unused-ignore]


def _of_airflow(each: Command | Group) -> CLICommand:
    if isinstance(each, Group):
        return GroupCommand(
            name=each.name, help=each.help, subcommands=[_of_airflow(command) for command in each.commands]
        )
    return ActionCommand(
        name=each.name,
        help=each.help,
        func=lazy_load_command(each.carried_out_by),
        args=tuple(_argument(option) for option in each.options),
        description=each.description or each.help,
        epilog=each.epilog or None,
    )
