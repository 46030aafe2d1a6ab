"""Workspaces that fail, once or from the n-th statement on: a full disk, a file that cannot be read any more.

SQLite's own errors, in the middle of a statement as much as before it. Where they strike comes from a random stream of
its own.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.messages.workspace import Workspace


@dataclass(frozen=True)
class Break:
    """At which statement a workspace fails. `lasts`: and at each that follows. `sending`: only those count that
    come once requests may be posted.
    """

    at: int
    lasts: bool = True
    sending: bool = False
    error: type[sqlite3.DatabaseError] = sqlite3.OperationalError


@dataclass(frozen=True)
class Breaks:
    """The workspaces of a schedule that fail: the share of them, and how late, at the most.

    `tries`: how those of the tries fail, said exactly, as a mutant needs it.
    """

    share: float = 0.0
    latest: int = 400
    tries: tuple[Break | None, ...] = ()

    def of(self, seed: int, name: str) -> Break | None:
        """Return the failure of the workspace of this name, such as `try 1`."""
        kind, _, number = name.partition(" ")
        if self.tries and kind == "try":
            return self.tries[min(int(number), len(self.tries)) - 1]
        rng = random.Random(f"{seed}:scratch of {name}")
        if rng.random() >= self.share:
            return None
        sending = rng.random() < 0.5
        at = int((20 if sending else self.latest) ** rng.random())
        return Break(at, rng.random() < 0.7, sending, rng.choice((sqlite3.OperationalError, sqlite3.DatabaseError)))


def draw_breaks(seed: int) -> Breaks:
    """In most schedules no workspace fails."""
    return random.Random(f"{seed}:scratch").choice((Breaks(),) * 8 + (Breaks(0.3), Breaks(0.7)))


class BreakingWorkspace(Workspace):
    """A workspace, and how it fails."""

    def __init__(self, how: Break | None) -> None:
        super().__init__()
        if how is not None:
            self.sql: Any = _Connection(self.sql, how)


class _Connection:
    def __init__(self, sql: sqlite3.Connection, how: Break) -> None:
        self._sql = sql
        self._how = how
        self._statements = 0
        self._begun = not how.sending
        self._half = random.Random(how.at)

    def _breaks(self, query: str) -> bool:
        self._begun = self._begun or "FROM request" in query
        if not self._begun:
            return False
        self._statements += 1
        return self._statements == self._how.at or (self._how.lasts and self._statements > self._how.at)

    def _error(self) -> sqlite3.DatabaseError:
        return self._how.error("database or disk is full")

    def execute(self, query: str, values: Any = ()) -> Any:
        """A statement that fails may be half done; of what is read the first rows may come."""
        breaks = self._breaks(query)
        if breaks and (self._half.random() < 0.5 or not query.lstrip().upper().startswith("SELECT")):
            raise self._error()
        cursor = self._sql.execute(query, values)
        return _Cursor(cursor, self._error()) if breaks else cursor

    def executemany(self, query: str, values: Iterable[Any]) -> Any:
        """Those that fail have done their first half: there is no journal to roll back by."""
        if not self._breaks(query):
            return self._sql.executemany(query, values)
        each = list(values)
        self._sql.executemany(query, each[: len(each) // 2])
        raise self._error()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sql, name)


class _Cursor:
    """Gives one row, and fails."""

    def __init__(self, cursor: sqlite3.Cursor, error: sqlite3.DatabaseError) -> None:
        self._cursor = cursor
        self._error = error

    def __iter__(self) -> Iterator[Any]:
        yield from self._cursor.fetchmany(1)
        raise self._error

    def fetchone(self) -> Any:
        raise self._error

    def fetchall(self) -> Any:
        raise self._error
