"""Output of commands: tables for people, JSON for scripts. Errors and logs go to stderr.

A command is a function from its arguments to an `Answer`; `command` makes of it what both doors call.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from airflow_provider_omni.cli.exit_codes import DONE, FAILED, INTERRUPTED
from airflow_provider_omni.omni.errors import OmniError

WIDE = 10_000
"""Columns of a table that is not on a terminal: no cell is cut or broken there."""
COLOURS = {
    "ok": "green",
    "delivered": "green",
    "whole": "green",
    "warning": "yellow",
    "failed": "red",
    "missing": "red",
    "damaged": "red",
    "skipped": "dim",
}
"""Colours of the words that stand alone in a cell, on a terminal."""


@dataclass(frozen=True)
class Table:
    """Rows for people. Columns are those of the first row unless given."""

    rows: Sequence[Mapping[str, Any]]
    title: str = ""
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """The answer of a command.

    :param data: the answer as JSON.
    :param tables: the same for people.
    :param words: sentences below the tables.
    :param code: the exit code.
    """

    data: Any
    tables: Sequence[Table] = ()
    words: Sequence[str] = field(default=())
    code: int = DONE


def command(work: Callable[[argparse.Namespace], Answer]) -> Callable[[argparse.Namespace], None]:
    """Return the function that a door calls: it shows the answer of `work` and exits with its code.

    What is logged or printed meanwhile goes to stderr, so that stdout is the answer alone.
    """

    @functools.wraps(work)
    def carry_out(arguments: argparse.Namespace) -> None:
        try:
            with _answer_alone(), _in_airflow():
                answer = work(arguments)
        except OmniError as error:
            print(error, file=sys.stderr)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            sys.exit(INTERRUPTED)
        try:
            show(answer, arguments.output, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(answer.code)

    return carry_out


@contextlib.contextmanager
def _answer_alone() -> Iterator[None]:
    """Send to stderr what is printed, and what handlers of logs would write to stdout."""
    out = sys.stdout
    moved = []
    for logger in (logging.root, *logging.Logger.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is out:
                with contextlib.suppress(AttributeError):  # Airflow's own follow sys.stdout, and have no setter
                    handler.stream = sys.stderr
                    moved.append(handler)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for handler in moved:
            handler.stream = out


@contextlib.contextmanager
def _in_airflow() -> Iterator[None]:
    """Let Airflow's own database be asked for connections, as `airflow connections test` does. Airflow asks it only in
    processes that say that they are no worker.
    """
    if "_AIRFLOW_PROCESS_CONTEXT" in os.environ:
        yield
        return
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        yield
    finally:
        os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)


def show(answer: Answer, how: str, out: TextIO) -> None:
    """Write an answer.

    :param how: `json` or `table`.
    """
    if how == "json":
        print(json.dumps(answer.data, indent=2, ensure_ascii=False, default=str), file=out)
        return
    from rich.console import Console

    on_terminal = out.isatty()
    drawn: TextIO = out if on_terminal else io.StringIO()
    console = Console(file=drawn, width=None if on_terminal else WIDE, highlight=False)
    for table in answer.tables:
        console.print(_drawn(table))
    for sentence in answer.words:
        console.print(sentence, markup=False, soft_wrap=True)
    if isinstance(drawn, io.StringIO):
        print("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()), file=out)


def _drawn(table: Table) -> Any:
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    columns = table.columns or (tuple(table.rows[0]) if table.rows else ())
    drawn = Drawn(box=box.SIMPLE_HEAD, title=table.title or None, title_justify="left", title_style="bold")
    numeric = {name for name in columns if table.rows and all(_is_number(row.get(name)) for row in table.rows)}
    for name in columns:
        # Text, not markup: a cell may hold brackets.
        drawn.add_column(Text(name.replace("_", " ")), justify="right" if name in numeric else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(_cell(row.get(name)) for name in columns))
    return drawn


def _cell(value: Any) -> Any:
    from rich.text import Text

    words = in_words(value)
    return Text(words, style=COLOURS.get(words, ""))


def in_words(value: Any) -> str:
    """Return a value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{amount} {name}" for name, amount in value.items())
    if isinstance(value, list | tuple):
        return " → ".join(map(str, value))
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
