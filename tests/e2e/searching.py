"""Looks for secrets and phone numbers in whatever an Airflow has written down: its log files and its whole database."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import phonenumbers
from cryptography.fernet import Fernet

DAG_SOURCE = frozenset({"dag_code.source_code", "serialized_dag.data"})
"""Columns that hold what the author of a DAG has written. What stands in there is the author's own doing."""

SHORTEST = 8
"""Digits. Fewer stand in times and ids by chance."""

_BETWEEN_DIGITS = str.maketrans("", "", " \u00a0-()./")
_DIGITS = re.compile(rf"\d{{{SHORTEST},}}")


@dataclass(frozen=True)
class Needle:
    """Something that must not be found. `text`: what is searched for; a number's digits, however they are grouped."""

    name: str
    text: str
    number: bool = False

    @classmethod
    def of_number(cls, typed: str) -> Needle:
        """A number in all of its forms: with or without `+` and country code, grouped or not."""
        digits = "".join(sign for sign in typed.replace("(0)", "") if sign.isdigit()).removeprefix("00")
        with contextlib.suppress(phonenumbers.NumberParseException):
            digits = phonenumbers.national_significant_number(phonenumbers.parse(f"+{digits}"))
        assert len(digits) >= SHORTEST
        return cls(f"the number {typed}", digits, number=True)


@dataclass(frozen=True)
class Trace:
    """The place where something was found."""

    what: str
    where: str


class Search:
    """Looks for `needles`; `looked_at` counts how many texts were searched in each place."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        self.looked_at: Counter[str] = Counter()
        self._texts = [needle for needle in needles if not needle.number]
        self._numbers = {needle.text: needle for needle in needles if needle.number}
        self._lengths = {len(number) for number in self._numbers}

    def in_text(self, where: str, text: str, skip: Container[Needle] = ()) -> Iterator[Trace]:
        """Needles in a text; `skip`: what may be here."""
        self.looked_at[where] += 1
        for needle in [each for each in self._texts if each.text in text] + list(self._numbers_in(text)):
            if needle not in skip:
                yield Trace(needle.name, where)

    def _numbers_in(self, text: str) -> Iterator[Needle]:
        """Every place in every run of digits is looked up: there may be very many numbers."""
        for run in _DIGITS.findall(text.translate(_BETWEEN_DIGITS)):
            for length in self._lengths:
                for begin in range(len(run) - length + 1):
                    if (needle := self._numbers.get(run[begin : begin + length])) is not None:
                        yield needle

    def in_logs(self, logs: Iterable[tuple[Path, str]]) -> Iterator[Trace]:
        """Needles in log files."""
        for path, text in logs:
            yield from self.in_text(f"log {path}", text)

    def in_database(self, file: Path, fernet_key: str, skip: Container[Needle] = ()) -> Iterator[Trace]:
        """Needles in every column of every table. `skip`: what may stand in the source of a DAG.

        What Airflow has encrypted is decrypted.
        """
        fernet = Fernet(fernet_key.encode())
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as db:
            tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                rows = db.execute(f'select * from "{table}"')
                columns = [f"{table}.{description[0]}" for description in rows.description]
                for row in rows:
                    for column, value in zip(columns, row, strict=True):
                        if value is not None:
                            may_be = skip if column in DAG_SOURCE else ()
                            yield from self.in_text(column, _readable(value, fernet), may_be)

    def in_bytes(self, file: Path) -> Iterator[Trace]:
        """Needles in a database's files as they lie on the disk: also in what no table shows. For few needles."""
        for part in file.parent.glob(f"{file.name}*"):
            content = part.read_bytes()
            for needle in (*self._texts, *self._numbers.values()):
                if needle.text.encode() in content:
                    yield Trace(needle.name, f"file {part.name}")


def _readable(value: Any, fernet: Fernet) -> str:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    if text.startswith("gAAAA"):  # a Fernet token
        text = fernet.decrypt(text.encode()).decode()
    if "\\u" in text:
        with contextlib.suppress(ValueError):
            text = json.dumps(json.loads(text), ensure_ascii=False)
    return text
