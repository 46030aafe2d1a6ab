"""The tree of commands as data: names, options, words. `definitions.py` hands it to Airflow, `program.py` to argparse.

Every `airflow` command reads this. So nothing heavy is imported, and a command names the function that carries it out.
Named tuples are made in a fifth of the time that dataclasses take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_omni.simulator.command_line import FATES, OPTIONS, WHAT


class Option(NamedTuple):
    """One option or argument of a command.

    :param flags: `("--to",)`, or one name without dashes for a positional argument.
    :param settings: what `argparse` takes besides. Help without square brackets: Airflow takes them for markup.
    """

    flags: tuple[str, ...]
    settings: Mapping[str, Any]


class Command(NamedTuple):
    """One command.

    :param carried_out_by: the function that is called with the parsed arguments, by its dotted name.
    """

    name: str
    help: str
    carried_out_by: str
    options: tuple[Option, ...] = ()
    description: str = ""
    epilog: str = ""


class Group(NamedTuple):
    """Commands under one name."""

    name: str
    help: str
    commands: tuple[Command | Group, ...]


def _without_markup(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an option's settings with round brackets in its metavar: Airflow's help takes square ones for markup."""
    metavar = settings.get("metavar")
    return settings if metavar is None else {**settings, "metavar": metavar.replace("[", "(").replace("]", ")")}


def _option(*flags: str, **settings: Any) -> Option:
    return Option(flags, settings)


_HERE = "airflow_provider_omni.cli"

_OUTPUT = _option(
    "-o",
    "--output",
    choices=("table", "json"),
    default="table",
    help="table for people, json for scripts (default: %(default)s)",
)
_NUMBERS = _option("--show-numbers", action="store_true", help="show phone numbers whole instead of masked")
_YES = _option("-y", "--yes", action="store_true", help="do not ask")
_SOME_CONNECTION = _option(
    "conn_id", metavar="CONN", nargs="?", default="omni_default", help="the connection (default: %(default)s)"
)
_CONNECTION = _option("conn_id", metavar="CONN", help="the connection, such as omni_default")
_PATH = _option(
    "path", metavar="PATH", help="the ledger_path of a batch: a folder, or a URL such as s3://my_conn@bucket/key"
)

_LEDGER = Group(
    "ledger",
    "What became of a batch, from its ledger",
    (
        Command(
            "show",
            "Counts, the way through the channels, and reasons",
            f"{_HERE}.ledger.show",
            (_PATH, _OUTPUT),
        ),
        Command(
            "export",
            "Write one row for each recipient into a file",
            f"{_HERE}.ledger.export",
            (
                _PATH,
                _option("--to", required=True, metavar="FILE", help="a file that ends in .csv, .jsonl or .parquet"),
                _option("--overwrite", action="store_true", help="replace the file if it is there"),
                _NUMBERS,
                _OUTPUT,
            ),
            "The columns are those of read_outcomes (docs/batches.md), and words for reasons. Parquet needs pyarrow.",
        ),
        Command(
            "unreached",
            "Who was not reached, as a second send would take them",
            f"{_HERE}.ledger.unreached",
            (
                _PATH,
                _option("--include-unknown", action="store_true", help="those without an outcome, too"),
                _option("--to", metavar="FILE", help="write all of them into a file: .csv, .jsonl or .parquet"),
                _option("--overwrite", action="store_true", help="replace the file if it is there"),
                _option("--limit", type=int, default=50, help="rows of the table (default: %(default)s)"),
                _NUMBERS,
                _OUTPUT,
            ),
            "With --show-numbers rows have the number and all fields that they had in the batch.",
        ),
        Command(
            "purge",
            "Remove the private half: phone numbers and the rows' fields",
            f"{_HERE}.ledger.purge",
            (_PATH, _YES, _OUTPUT),
            "Nobody can be sent to again from this ledger after that. What became of messages stays.",
        ),
        Command(
            "check",
            "Is the ledger whole?",
            f"{_HERE}.ledger.check",
            (_PATH, _OUTPUT),
            "Reads every part. Changes nothing.",
        ),
    ),
)

_SCENARIOS = Group(
    "scenarios",
    "The account's scenarios",
    (
        Command("list", "All scenarios", f"{_HERE}.scenarios.list_all", (_SOME_CONNECTION, _OUTPUT)),
        Command(
            "show",
            "One scenario",
            f"{_HERE}.scenarios.show",
            (_option("key", metavar="KEY", help="the scenario's key"), _SOME_CONNECTION, _OUTPUT),
        ),
        Command(
            "create",
            "Make a scenario, or find the one of this name and flow",
            f"{_HERE}.scenarios.create",
            (
                _SOME_CONNECTION,
                _option("--name", required=True, help="its name"),
                _option(
                    "--step",
                    action="append",
                    required=True,
                    metavar="CHANNEL:SENDER",
                    help="a step of the flow, such as LINE:my-line-sender; repeatable, in order",
                ),
                _option("--default", action="store_true", help="make it the account's default"),
                _option(
                    "--if-exists",
                    choices=("reuse", "update", "create"),
                    default="reuse",
                    help="what to do with one of that name (default: %(default)s)",
                ),
                _YES,
                _OUTPUT,
            ),
            "Asks before it changes a scenario that is there, or the account's default.",
        ),
    ),
)

ROOT = Group(
    "omni",
    "Infobip OMNI: check a connection, read ledgers, send a test",
    (
        Command(
            "check",
            "Can this connection be used? Each line is ok, or says what to do",
            f"{_HERE}.check.check",
            (_SOME_CONNECTION, _OUTPUT),
            "Lists one scenario. That costs nothing, changes nothing and takes no report.",
        ),
        Command(
            "verify-duplicates",
            "Does the account refuse a messageId that it has seen?",
            f"{_HERE}.verify_duplicates.verify_duplicates",
            (
                _CONNECTION,
                _option("--to", required=True, metavar="MY_NUMBER", help="a phone of yours, with country code"),
                _option("--scenario", required=True, metavar="KEY", help="the scenario to send by"),
                _option("--text", default="A test: you should get this once.", help="the text (default: %(default)s)"),
                _option(
                    "--wait",
                    type=float,
                    default=120.0,
                    metavar="SECONDS",
                    help="how long to wait for logs and reports, at most (default: %(default)s)",
                ),
                _YES,
                _NUMBERS,
                _OUTPUT,
            ),
            "Sends a message, then the same messageId again: one message to pay on an account that refuses repeated "
            "ids, up to three on one that does not.",
        ),
        _LEDGER,
        Command(
            "status",
            "What became of messages, from the logs of the last 48 hours",
            f"{_HERE}.status.status",
            (
                _SOME_CONNECTION,
                _option("--message-id", action="append", default=[], metavar="ID", help="a message; repeatable"),
                _option("--bulk-id", action="append", default=[], metavar="ID", help="a request; repeatable"),
                _option("--receipt", metavar="FILE", help="a receipt as JSON, such as the XCom of a send; - is stdin"),
                _NUMBERS,
                _OUTPUT,
            ),
            "Never reads reports, which are handed out once: no sensor misses anything.",
        ),
        _SCENARIOS,
        Command(
            "send-test",
            "Send one message",
            f"{_HERE}.send_test.send_test",
            (
                _CONNECTION,
                _option("--to", required=True, metavar="NUMBER", help="who gets it, with country code"),
                _option("--text", required=True, help="the text"),
                _option("--scenario", metavar="KEY", help="the scenario to send by (default: the account's own)"),
                _YES,
                _NUMBERS,
                _OUTPUT,
            ),
            "Costs money. Keeps to the connection's allowed_recipients and allowed_countries.",
        ),
        Command(
            "simulator",
            "Run a local OMNI server",
            f"{_HERE}.simulator.simulator",
            tuple(Option((flag,), _without_markup(settings)) for flag, settings in OPTIONS),
            WHAT,
            FATES,
        ),
    ),
)
"""All commands."""
