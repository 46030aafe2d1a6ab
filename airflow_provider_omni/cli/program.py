"""The door that is always there: `python -m airflow_provider_omni ...`. Loads a command when it is run."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_provider_omni.cli.exit_codes import DONE
from airflow_provider_omni.cli.tree import ROOT, Command, Group

PROGRAM = "python -m airflow_provider_omni"


def make_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ROOT.help)
    _add(parser, ROOT)
    return parser


def _add(parser: argparse.ArgumentParser, group: Group) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for each in group.commands:
        words = each.description or each.help if isinstance(each, Command) else each.help
        epilog = each.epilog if isinstance(each, Command) else ""
        added = commands.add_parser(each.name, help=each.help, description=words, epilog=epilog)
        if isinstance(each, Group):
            _add(added, each)
            continue
        for option in each.options:
            added.add_argument(*option.flags, **option.settings)
        added.set_defaults(carried_out_by=each.carried_out_by)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command. Returns the exit code; argparse and commands may exit by themselves."""
    arguments = make_parser().parse_args(argv)
    with _quiet():
        load(arguments.carried_out_by)(arguments)
    return DONE


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let logs begin with warnings: an older Airflow logs a lot while it is loaded."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.INFO))
    try:
        yield
    finally:
        logging.disable(before)


def load(name: str) -> Callable[[argparse.Namespace], Any]:
    """Return the function of this dotted name."""
    module, _, function = name.rpartition(".")
    found: Callable[[argparse.Namespace], Any] = getattr(importlib.import_module(module), function)
    return found
