"""Table objects of other libraries (pandas, polars, Arrow, DuckDB, numpy) as names of columns and rows.

Told by what they can do: none of these libraries is imported here, nobody needs to have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

AT_A_TIME = 5000
"""Rows that are asked for at once."""
HOW = "rows as dicts: .to_dict('records') of pandas, .to_dicts() of polars, .to_pylist() of Arrow"


class Table(NamedTuple):
    """The names of the columns, in their order, and the rows, each with a cell for every column."""

    columns: list[str]
    rows: Iterable[tuple[Any, ...]]


def read_table(value: Any) -> Table | None:
    """Return the table that a value is; None for what is none, or gives no rows by itself (see `is_table`)."""
    if _has(value, "itertuples", "columns"):  # pandas, and what is like it
        return Table(_names(value.columns), _asked(lambda: value.itertuples(index=False, name=None)))
    if _has(value, "iter_rows", "columns"):  # polars
        return Table(_names(value.columns), _asked(value.iter_rows))
    if _has(value, "to_batches", "schema"):  # a table of Arrow
        return Table(_names(value.schema.names), _rows_of_batches(value.to_batches))
    if _has(value, "to_pylist", "schema"):  # a batch of Arrow
        return Table(_names(value.schema.names), _rows_of_batches(lambda: [value]))
    if _has(value, "read_next_batch", "schema"):  # batches one after the other
        return Table(_names(value.schema.names), _rows_of_batches(lambda: value))
    if _has(value, "fetchmany", "columns") or (_has(value, "fetchmany", "description") and value.description):
        described = value.columns if hasattr(value, "columns") else [each[0] for each in value.description]
        return Table(_names(described), _fetched(value))
    names = getattr(getattr(value, "dtype", None), "names", None)
    if names and isinstance(value, Iterable):  # an array of records
        return Table(_names(names), (tuple(record.item()) for record in value))
    return None


def is_table(value: Any) -> bool:
    """Return True if a value is a table, or promises one (a lazy frame): going over it would give its columns or an
    error.
    """
    if isinstance(value, type):
        return False
    return read_table(value) is not None or any(
        _has(value, name) for name in ("__dataframe__", "collect_schema", "toLocalIterator")
    )


def read_column(value: Any) -> list[Any] | None:
    """Return the items of a column of Arrow, whose own are no plain values; None for anything else."""
    if _has(value, "to_pylist", "type") and not hasattr(value, "schema"):
        return list(value.to_pylist())
    return None


def _has(value: Any, *names: str) -> bool:
    """Return True if an object has these, the first one to be called. Asked of its type: a data frame has its columns,
    too.
    """
    kind = type(value)
    return callable(getattr(kind, names[0], None)) and all(hasattr(value, name) for name in names[1:])


def _names(columns: Iterable[Any]) -> list[str]:
    return [each if isinstance(each, str) else str(each) for each in columns]


def _asked(ask: Callable[[], Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows lazily. The query runs at the first row, since some callers only inspect the type."""
    yield from map(tuple, ask())


def _rows_of_batches(ask: Callable[[], Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    for batch in ask():
        for start in range(0, batch.num_rows, AT_A_TIME):
            piece = batch.slice(start, AT_A_TIME)
            yield from zip(*(column.to_pylist() for column in piece.columns), strict=True)


def _fetched(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := list(cursor.fetchmany(AT_A_TIME) or ()):
        yield from map(tuple, rows)
