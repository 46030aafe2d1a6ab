"""The workspace of one try: a temporary SQLite file with people, contents and quarantine, so that a million need no
memory.

It is this process's own and dies with it, even when the process is killed: the file is unlinked as soon as it is open.
Whatever a later try must know is written elsewhere. This module knows SQL, but no rows of a source, numbers or
requests.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from pydantic_core import from_json, to_json

from airflow_provider_omni.omni.bulk import destinations, some_destinations
from airflow_provider_omni.omni.errors import Effect, OmniStorageError

T = TypeVar("T")

CACHE_KIB = 8 * 1024
"""Memory that SQLite may use for its pages, in KiB."""

_SCHEMA = """
CREATE TABLE person (
    seq INTEGER PRIMARY KEY,      -- the row's place in the source
    id TEXT NOT NULL,             -- message id
    first TEXT,                   -- the id of the first attempt, where that was refused and this is a later one
    address NOT NULL,             -- a bare number as an integer; anything else as the API's `to` object, in JSON
    key TEXT,                     -- the user's own key; NULL: the address is the key
    content INTEGER NOT NULL,
    todo INTEGER NOT NULL,        -- 1: this try may post to them
    fields TEXT                   -- the row as JSON; NULL: nothing but a number
);
CREATE TABLE content (
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, tail TEXT NOT NULL, parts INTEGER NOT NULL,
    zone TEXT                     -- the recipients' own time zone; NULL: that of the send
);
CREATE TABLE request (            -- laid out before the first POST, for everybody whom this try may post to
    no INTEGER PRIMARY KEY, content INTEGER NOT NULL, bulk TEXT NOT NULL,
    ids TEXT NOT NULL,            -- with commas
    destinations TEXT NOT NULL,   -- as the request has them
    labels TEXT                   -- a JSON list; NULL: nobody has one
);
CREATE TABLE quarantine (place INTEGER NOT NULL, reason TEXT NOT NULL, key TEXT);
CREATE TABLE suppressed (         -- rows of people on the suppression list, with the columns of person
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, address NOT NULL, key TEXT,
    sent INTEGER NOT NULL         -- 1: a message of theirs was accepted before, so they count among the people
);
CREATE TABLE other_shards (spread INTEGER NOT NULL);  -- people of other shards, where these are counted
CREATE TABLE attempt (
    no INTEGER PRIMARY KEY, bulk TEXT NOT NULL, at REAL NOT NULL, not_before REAL, scheduled REAL,
    conclusive INTEGER NOT NULL,  -- 1: its bulk id finds all its messages
    state TEXT NOT NULL,          -- of its messages that have none of their own
    has_outcome INTEGER NOT NULL DEFAULT 0,  -- 1: a line about its outcome was replayed
    fingerprint TEXT,
    origin TEXT,                  -- where it was posted from, as a JSON list; NULL: not known
    steps TEXT,                   -- the flow's steps that it has content for, as a JSON list; NULL: not known
    writer TEXT,                  -- the try that wrote the intent; NULL: nobody asks
    found INTEGER NOT NULL DEFAULT 0  -- 1: not one of ours, the logs have named it for messages that they have found
);
CREATE INDEX attempt_bulk ON attempt (bulk);
CREATE TABLE known (
    id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, state TEXT, reason TEXT,
    first INTEGER,                -- the request of its first intent: an overtaken try may write a later one
    label TEXT                    -- the recipient's name in outcomes; NULL: the id is
) WITHOUT ROWID;
CREATE INDEX known_attempt ON known (attempt);
CREATE TABLE sibling (id TEXT PRIMARY KEY, label TEXT NOT NULL) WITHOUT ROWID;  -- attempts of one recipient, if several
CREATE INDEX sibling_label ON sibling (label);
CREATE TABLE planned (            -- as earlier tries wrote them last
    id TEXT PRIMARY KEY, hash INTEGER NOT NULL,
    suppressed INTEGER NOT NULL   -- 1: they are on the suppression list now
) WITHOUT ROWID;
"""


class RecipientChunk(NamedTuple):
    """Some recipients, as columns. Never log it: its repr shows people.

    :param ids: message ids.
    :param destinations: the recipients as a request lists them, as JSON.
    :param labels: the names of the recipients in outcomes, if not the message id: the user's own key, else the first
        attempt's id.
    """

    ids: tuple[str, ...]
    destinations: str
    labels: tuple[str | None, ...]

    @classmethod
    def of(cls, rows: Sequence[Any]) -> RecipientChunk:
        """Make a chunk of rows that begin with the columns of `PERSON`."""
        _, ids, addresses, labels = list(zip(*rows, strict=True))[:4]
        return cls(ids, destinations(zip(ids, addresses, strict=True)), labels)

    def part(self, start: int, end: int) -> RecipientChunk:
        """Return the recipients from `start` up to `end`, without `end`."""
        return RecipientChunk(
            self.ids[start:end], some_destinations(self.destinations, start, end), self.labels[start:end]
        )

    def stored(self) -> tuple[str, str, str | None]:
        """Return the columns `ids`, `destinations` and `labels` of a request that is laid out."""
        known = self.labels.count(None) < len(self.labels)
        return ",".join(self.ids), self.destinations, to_json(self.labels).decode() if known else None

    @classmethod
    def from_stored(cls, ids: str, listed: str, labels: str | None) -> RecipientChunk:
        """Read a chunk from the columns that `stored` returns."""
        each = tuple(ids.split(","))
        return cls(each, listed, (None,) * len(each) if labels is None else tuple(from_json(labels)))


PERSON = "seq, id, address, coalesce(key, first)"
"""Columns of a recipient: place, message id, address, label."""


class WorkspaceFailedError(sqlite3.OperationalError):
    """The workspace's file cannot be written or read any more: a full disk, a folder that is gone.

    It is not an `OmniError`, so a machine dies of it as of a kill: after it nothing true could be written down.
    `Workspace` turns it into an OmniStorageError at its end.
    """


class Workspace:
    """A SQLite database on disk that has no name any more. Close it, or use it as a context manager.

    If its file fails, the context manager ends with an OmniStorageError: of effect NONE before `sending` is set,
    UNKNOWN after.

    :param folder: the folder to make it in; the system's folder for temporary files by default.
    :param in_memory: keep it in memory instead, for a few people.

    Raises OmniStorageError if it cannot be made.
    """

    sending = False
    """True once requests may leave."""

    def __init__(self, folder: str | None = None, *, in_memory: bool = False) -> None:
        try:
            if in_memory:
                self._begin(":memory:")
            else:
                self._open(folder)
        except (OSError, sqlite3.Error) as error:
            failed = _failed(error, sending=False)
        else:
            return
        raise failed

    def _open(self, folder: str | None) -> None:
        with tempfile.TemporaryDirectory(prefix="omni-send-", dir=folder, ignore_cleanup_errors=True) as name:
            self._begin(Path(name) / "send.sqlite")

    def _begin(self, file: Path | str) -> None:
        self.sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "temp_store = FILE",
            f"cache_size = -{CACHE_KIB}",
        ):
            self.sql.execute(f"PRAGMA {pragma}")
        self.sql.executescript(f"BEGIN;{_SCHEMA}COMMIT;BEGIN")

    def close(self) -> None:
        """Forget everything."""
        with contextlib.suppress(sqlite3.Error):
            self.sql.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, WorkspaceFailedError):
            raise _failed(error, self.sending) from error

    def guarded(self, function: Callable[[], T]) -> Callable[[], T]:
        """Wrap a function that a driver runs outside the `with`: if the file fails, it raises an
        OmniStorageError, too.
        """

        def within() -> T:
            try:
                return function()
            except WorkspaceFailedError as error:
                raise _failed(error, self.sending) from error

        return within

    def scalar(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row, or None."""
        with _FAILING:
            row = self.sql.execute(query, values).fetchone()
        return None if row is None else row[0]

    def rows(self, query: str, *values: Any) -> Iterator[Any]:
        """Yield the rows, read as they are asked for, on a cursor of their own."""
        with _FAILING:
            yield from self.sql.execute(query, values)

    def all(self, query: str, *values: Any) -> list[Any]:
        """Return the rows, read at once: for pages, and for rows that change during the loop over them."""
        with _FAILING:
            return self.sql.execute(query, values).fetchall()

    def execute(self, query: str, *values: Any) -> int:
        """Change rows. Return the number of changed rows."""
        with _FAILING:
            return self.sql.execute(query, values).rowcount

    def executemany(self, query: str, values: Iterable[Any]) -> None:
        """Change rows once for each of `values`."""
        with _FAILING:
            self.sql.executemany(query, values)


class _Failing:
    """Tells failures of the file from all others, such as those of a database that the rows come from."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError):
            raise WorkspaceFailedError(*error.args) from error


_FAILING = _Failing()


def _failed(error: Exception, sending: bool) -> OmniStorageError:
    after = (
        "Some messages may have been sent: a retry finds out which, and sends to nobody twice."
        if sending
        else "Nothing was sent by this try."
    )
    return OmniStorageError(
        f"The file in which recipients are kept while this runs cannot be used: {_reason(error)}. It stands where "
        "TMPDIR says, else in the system's folder for temporary files; that must be there, writable, and have room. "
        f"{after}",
        effect=Effect.UNKNOWN if sending else Effect.NONE,
    )


def _reason(error: BaseException) -> str:
    """Return the system's words for the failure, without paths and values."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error).partition(":")[0][:80] or type(error).__name__
