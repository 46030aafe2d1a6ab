"""Rows into a file: CSV, JSON Lines or Parquet, by the file's ending. One row at a time, whatever their number.

A local file appears whole or not at all, and one that holds numbers can be read by its owner alone.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniError, OmniInputError, OmniStorageError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.pages.ledger_rows import cell

AT_ONCE = 10_000
"""Rows of a Parquet file that are kept in memory at a time."""
MISSING_PYARROW = (
    "A Parquet file needs pyarrow: pip install 'airflow-provider-omni[parquet]', or write a .csv or .jsonl file. "
    "Nothing was written."
)

Row = Mapping[str, Any]
Write = Callable[[BinaryIO, Iterable[Row], Sequence[str]], int]


def writer_of(file: str) -> Write:
    """Return what writes a file of this name.

    Raises OmniInputError for another ending, OmniConfigurationError for Parquet without pyarrow.
    """
    for ending, write in WRITERS.items():
        if file.lower().endswith(ending):
            if write is write_parquet:
                _pyarrow()
            return write
    problem = unexpected("--to", "a file of another ending", f"one of {', '.join(WRITERS)}")
    raise OmniInputError("Nothing was written.", problems=(problem,))


def export(file: str, rows: Iterable[Row], columns: Sequence[str], *, overwrite: bool, private: bool) -> int:
    """Write rows into a file, and return their number.

    :param file: a local path, or a URL that Airflow's object storage knows.
    :param columns: the columns, in order.
    :param overwrite: replace a file that is there.
    :param private: nobody but the owner may read a local file.

    Raises OmniInputError for a file that is there, OmniStorageError if it cannot be written.
    """
    write = writer_of(file)
    try:
        with _opened(file, overwrite=overwrite, private=private) as out:
            return write(out, rows, columns)
    except OSError as error:
        raise OmniStorageError(f"The file could not be written ({type(error).__name__}).", retryable=False) from error


@contextlib.contextmanager
def _opened(file: str, *, overwrite: bool, private: bool) -> Iterator[BinaryIO]:
    if "://" in file:
        with _opened_there(file, overwrite=overwrite) as out:
            yield out
        return
    target = Path(file).expanduser()
    if not overwrite and target.exists():
        raise _there()
    unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    mode = 0o600 if private else 0o666
    try:
        with open(unfinished, "xb", opener=lambda path, flags: os.open(path, flags, mode=mode)) as out:
            yield out
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened_there(url: str, *, overwrite: bool) -> Iterator[BinaryIO]:
    from airflow_provider_omni.storage.object_storage import storage_path

    try:
        place = storage_path(url)
        if not overwrite and place.exists():
            raise _there()
        with place.open("wb") as out:
            yield out
    except OmniError:
        raise
    except Exception as error:
        # Whatever a store's library raises: its words may hold what nobody should see.
        raise OmniStorageError(
            f"The file could not be written ({type(error).__name__}): it needs the store's provider, and a connection "
            "that may write there.",
            retryable=False,
        ) from error


def _there() -> OmniInputError:
    problem = unexpected("--to", "a file that is there", "another one, or --overwrite")
    return OmniInputError("Nothing was written.", problems=(problem,))


def write_csv(out: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> int:
    """Write CSV with a header. No cell is one that a spreadsheet takes for a formula."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in columns])
        count += 1
    text.flush()
    text.detach()
    return count


def write_jsonl(out: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> int:
    """Write one JSON object a line."""
    count = 0
    for row in rows:
        line = json.dumps({name: row.get(name) for name in columns}, ensure_ascii=False, default=str)
        out.write(f"{line}\n".encode())
        count += 1
    return count


def write_parquet(out: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> int:
    """Write Parquet. Times and flags have types of their own, everything else is text."""
    pyarrow = _pyarrow()
    from pyarrow import parquet

    moment = pyarrow.timestamp("ms", tz="UTC")
    types = {"sent_at": moment, "done_at": moment, "permanent": pyarrow.bool_()}
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in columns])
    count, batch = 0, list[Row]()
    with parquet.ParquetWriter(out, schema) as writer:

        def flush() -> None:
            columns_of = {name: [_typed(name, row.get(name)) for row in batch] for name in columns}
            writer.write_table(pyarrow.table(columns_of, schema=schema))
            batch.clear()

        for row in rows:
            batch.append(row)
            count += 1
            if len(batch) == AT_ONCE:
                flush()
        flush()
    return count


WRITERS: dict[str, Write] = {".csv": write_csv, ".jsonl": write_jsonl, ".parquet": write_parquet}


def _typed(name: str, value: Any) -> Any:
    if value is None or name == "permanent":
        return value
    return datetime.fromisoformat(value) if name in ("sent_at", "done_at") else str(value)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise OmniConfigurationError(MISSING_PYARROW) from None
    return pyarrow
