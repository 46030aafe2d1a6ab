"""Output of commands: form, place and exit code."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_omni.cli import asking
from airflow_provider_omni.cli.output import Answer, Table, command, in_words, show
from airflow_provider_omni.omni.errors import OmniInputError, OmniServerError

ANSWER = Answer(
    {"rows": [{"name": "Jürg", "count": 1200}]},
    (Table([{"name": "[bold]Jürg", "count": 1200, "flow": ["LINE", "SMS"], "none": None, "yes": True}], "People"),),
    ("One [row].",),
)


def shown(answer: Answer, how: str) -> str:
    out = io.StringIO()
    show(answer, how, out)
    return out.getvalue()


def test_a_table_has_the_cells_as_they_are_and_no_blanks_at_line_ends() -> None:
    lines = shown(ANSWER, "table").splitlines()
    assert "People" in lines
    assert "[bold]Jürg   1,200   LINE → SMS          yes" in "\n".join(lines)
    assert lines[-1] == "One [row]."
    assert all(line == line.rstrip() for line in lines)


def test_json_is_one_document_with_nothing_around_it() -> None:
    assert json.loads(shown(ANSWER, "json")) == ANSWER.data


def test_a_long_cell_is_whole_where_nobody_looks_at_a_terminal() -> None:
    assert "x" * 500 in shown(Answer({}, (Table([{"text": "x" * 500}]),)), "table")


@pytest.mark.parametrize(
    ("value", "words"), [(None, ""), (False, "no"), (12345, "12,345"), ({"EUR": "0.05"}, "0.05 EUR"), ("a", "a")]
)
def test_values_in_words(value: Any, words: str) -> None:
    assert in_words(value) == words


def ended(work: Callable[[argparse.Namespace], Answer], output: str = "json") -> int:
    with pytest.raises(SystemExit) as raised:
        command(work)(argparse.Namespace(output=output))
    return int(raised.value.code or 0)


def test_the_exit_code_is_the_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda _: Answer({"ok": False}, code=3)) == 3
    assert json.loads(capsys.readouterr().out) == {"ok": False}


@pytest.mark.parametrize("error", [OmniInputError("No.", problems=("--to: got nothing",)), OmniServerError("Down.")])
def test_an_error_goes_to_stderr_with_its_code(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: argparse.Namespace) -> Answer:
        raise error

    assert ended(work) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip() == str(error)


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: argparse.Namespace) -> Answer:
        raise KeyboardInterrupt

    assert ended(work) == 130
    assert capsys.readouterr() == ("", "Interrupted.\n")


def test_stdout_is_the_answer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("test_output")
    handler = logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)

    def work(_: argparse.Namespace) -> Answer:
        print("printed")
        logger.warning("logged")
        return Answer({})

    try:
        ended(work)
        assert handler.stream is sys.stdout
    finally:
        logger.removeHandler(handler)
    said = capsys.readouterr()
    assert json.loads(said.out) == {}
    assert "printed" in said.err
    assert "logged" in said.err


def test_airflows_database_is_asked_for_connections_while_a_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    seen = []

    def work(_: argparse.Namespace) -> Answer:
        seen.append(os.environ.get("_AIRFLOW_PROCESS_CONTEXT"))
        return Answer({})

    ended(work)
    assert seen == ["server"]
    assert "_AIRFLOW_PROCESS_CONTEXT" not in os.environ


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("said", ["y\n", "Yes\n"])
def test_a_question_is_asked_on_stderr_and_yes_goes_on(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    asking.ask("Send?", yes=False)
    assert capsys.readouterr() == ("", "Send? [y/N] ")


@pytest.mark.parametrize("said", ["\n", "no\n", ""])
def test_anything_but_yes_is_no(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    with pytest.raises(OmniInputError, match="the answer was no"):
        asking.ask("Send?", yes=False)


def test_where_nobody_can_be_asked_yes_must_be_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(OmniInputError) as refused:
        asking.ask("Send?", yes=False)
    assert "--yes" in refused.value.problems[0]
    asking.ask("Send?", yes=True)
