"""From a database to a batch: the rows of a query are its recipients. Thin: `operators/batch.py` does the rest."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowNotFoundException,
    AirflowOptionalProviderFeatureException,
    BaseHook,
)

from airflow_provider_omni.omni.masking import shown_id
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.operators.batch import BatchOperator
from airflow_provider_omni.operators.masked_fields import MaskedParameter, MaskedSql, TextField, unmask
from airflow_provider_omni.operators.shown_sql import shown_sql
from airflow_provider_omni.operators.slips import is_ready
from airflow_provider_omni.operators.suppression import is_query

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.recipients.sources import Row
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.operators.lineage import Lineage

_NO_PARAMS = unexpected("hook_params", "something else", "a dict of the hook's arguments such as {'schema': 'shop'}")
_NO_QUERY = unexpected("suppress_conn_id", "a connection, and no query in suppress", "none: a file needs no database")
FETCH = 5000
"""Rows that are taken from the cursor at a time."""


class SqlToOmniOperator(BatchOperator):
    """Sends to the people that a query finds: each row is a recipient, each column a field for `{column}` in texts.

    Rows are streamed, never all in memory: with a cursor on the server's side for PostgreSQL and MySQL, else as the
    database's driver does it. The query runs again on a retry; people who got a message do not get a second one, and
    new people get one. All other arguments are those of `OmniSendBatchOperator`.

    Needs `apache-airflow-providers-common-sql` and the provider of the database.

    :param sql: one query, a template or the name of a `.sql` file. A column must have the name in `phone_field`.
    :param conn_id: an Airflow connection to a database, of any type that has a `DbApiHook`.
    :param parameters: values for the query's own placeholders, in the driver's style; a template. Their values are
        hidden among the rendered templates. Default: none.
    :param hook_params: further arguments of the database's hook, such as `{"schema": "shop"}`. Default: none.
    :param suppress: a file as at `OmniSendBatchOperator`, or a query whose column `phone_field`, or only column, has
        the numbers or hashes. It has no `parameters`, and runs before `sql`.
    :param suppress_conn_id: the connection of that query; a template. Default: `conn_id`, with its `hook_params`.
    """

    suppress_queries: ClassVar[bool] = True
    arguments_elsewhere: ClassVar[Mapping[str, str]] = {
        **BatchOperator.arguments_elsewhere,
        **dict.fromkeys(("recipients", "to"), "the rows that the query in sql finds are the recipients"),
        "encoding": "only OmniSendBatchOperator has it, for files",
    }

    template_fields: Sequence[str] = (
        "sql",
        "conn_id",
        "parameters",
        "suppress_conn_id",
        *BatchOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **BatchOperator.template_fields_renderers,
        "sql": "sql",
        "parameters": "json",
    }

    sql = TextField(MaskedSql)
    parameters = TextField(MaskedParameter, shown=frozenset())  # whatever its name is: it is a value of the user's

    def __init__(
        self,
        *,
        sql: str,
        conn_id: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        hook_params: Mapping[str, Any] | None = None,
        suppress_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.sql = sql
        self.conn_id = conn_id
        self.parameters = parameters
        self.hook_params = hook_params
        self.suppress_conn_id = suppress_conn_id
        super().__init__(**kwargs)

    def source_slips(self) -> list[str]:
        """Return the mistakes in arguments that need no rendering."""
        no_params = self.hook_params is not None and not isinstance(self.hook_params, Mapping)
        listed = self.suppress
        no_query = listed is None or (is_ready(listed) and not is_query(listed) and not str(listed).endswith(".sql"))
        return [
            *([_NO_PARAMS] if no_params else []),
            *([_NO_QUERY] if self.suppress_conn_id is not None and no_query else []),
            *(_sql_problems(self.sql) if is_ready(self.sql) else []),
        ]

    def suppress_problems(self) -> list[str]:
        """Return the problems with the suppression list, and with a connection that it does not need."""
        no_query = self.suppress_conn_id is not None and not is_query(unmask(self.suppress))
        return [*super().suppress_problems(), *([_NO_QUERY] if no_query else [])]

    def check_source(self) -> None:
        """Raise OmniInputError if there is no query."""
        if problems := _sql_problems(unmask(self.sql)):
            from airflow_provider_omni.omni.errors import OmniInputError

            raise OmniInputError("Nothing was sent: the query cannot be used.", problems=problems)

    def open_rows(self, needed: Sequence[str] = ()) -> AbstractContextManager[Iterable[Row]]:
        """Run the query, and open its rows."""
        return queried(self._hook(), unmask(self.sql), unmask(self.parameters), self.phone_field, needed)

    def open_suppressed(self) -> AbstractContextManager[Iterable[Row]]:
        """Open the file, or run the query of those who must not be sent to."""
        if not is_query(query := unmask(self.suppress)):
            return super().open_suppressed()
        return queried(self._suppress_hook(), query, None, self.phone_field, alone=True)

    def lineage(self) -> Lineage:
        """Return what is known of the batch, and the queries. Their parameters are no part of it."""
        from airflow_provider_omni.operators.lineage import Query

        queries = [Query(unmask(self.sql), self._hook)]
        if is_query(suppress := unmask(self.suppress)):
            queries.append(Query(suppress, self._suppress_hook))
        return replace(super().lineage(), queries=tuple(queries))

    def _suppress_hook(self) -> Any:
        return self._hook() if self.suppress_conn_id is None else self._hook("suppress_conn_id")

    def _hook(self, argument: str = "conn_id") -> Any:
        from airflow_provider_omni.omni.errors import OmniInputError

        try:
            from airflow.providers.common.sql.hooks.sql import DbApiHook
        except ImportError as error:
            raise AirflowOptionalProviderFeatureException(
                "SqlToOmniOperator needs apache-airflow-providers-common-sql: install it, and the provider of the "
                "database."
            ) from error
        # `BaseHook.get_hook` takes no parameters on Airflow 2.11.
        conn_id = getattr(self, argument)
        connection: Any = None
        with contextlib.suppress(AirflowNotFoundException):
            connection = BaseHook.get_connection(conn_id)
        if connection is None:
            # A retry may help: Airflow passes over a secrets backend that does not answer.
            raise OmniInputError(
                "Nothing was sent: the recipients cannot be read.",
                problems=(unexpected(argument, shown_id(conn_id), "a connection that exists, to a database"),),
                retryable=True,
            )
        own = dict(self.hook_params or {}) if argument == "conn_id" else {}
        hook = connection.get_hook(hook_params=own)
        if not isinstance(hook, DbApiHook):
            raise OmniInputError(
                "Nothing was sent: the recipients cannot be read.",
                problems=(unexpected(argument, f"a connection with a {type(hook).__name__}", "one to a database"),),
            )
        return hook


@contextlib.contextmanager
def queried(
    hook: Any, sql: Any, parameters: Any, phone_field: str, needed: Sequence[str] = (), *, alone: bool = False
) -> Iterator[Iterable[Row]]:
    """Run a query, and open its rows, which are fetched as they are asked for. Nothing is committed.

    Raises OmniInputError if it has no result, or lacks a column that is needed. An error of the driver
    is replaced by one without its words, if these may show a row.

    :param hook: a `DbApiHook`.
    :param sql: the query.
    :param parameters: values for its placeholders, or None.
    :param phone_field: name of the column with the phone number.
    :param needed: further columns that the query must have.
    :param alone: True if an only column is the phone column, whatever its name.
    """
    from airflow_provider_omni.delivery.recipients.sources import rows_of_table
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.transfers.hook_lineage import tell_query

    with _closing(hook.get_conn()) as connection, _closing(streaming_cursor(connection)) as cursor:
        with contextlib.suppress(Exception):
            # Some drivers take so many rows from the server at once. Not all have this attribute, or let it be set.
            cursor.arraysize = FETCH
        result = _asked(
            lambda: cursor.execute(sql, parameters) if parameters else cursor.execute(sql), sql, fetching=False
        )
        # Some drivers put the result into an object of its own.
        source = cursor if _can_fetch(cursor) or not _can_fetch(result) else result
        tell_query(hook, sql, source)
        fetch = _fetcher(source, sql)
        # A cursor on the server's side knows its columns after the first rows; other cursors refuse to fetch if there
        # is no result.
        columns = _columns(source)
        try:
            first = fetch()
        except OmniInputError:
            if columns:
                raise
            raise _no_result() from None
        columns = columns or _columns(source)
        if not columns:
            raise _no_result()
        yield rows_of_table(_plain_names(columns), _fetched(fetch, first, columns), phone_field, needed, alone=alone)


def _sql_problems(sql: Any) -> list[str]:
    """Return the problems with what stands in place of a query; none for any text with something in it."""
    from airflow_provider_omni.omni.unfilled import empty_words, is_nothing

    if isinstance(sql, str) and not is_nothing(sql):
        return []
    found = empty_words(sql) if is_nothing(sql) else f"a value of type {type(sql).__name__}"
    return [unexpected("sql", found, "one query as text, or the name of a .sql file")]


def _no_result() -> OmniInputError:
    from airflow_provider_omni.omni.errors import OmniInputError

    return OmniInputError(
        "Nothing was sent: the query cannot be used.",
        problems=(unexpected("sql", "a statement that has no result", "one query"),),
    )


def _can_fetch(cursor: Any) -> bool:
    return any(callable(getattr(cursor, name, None)) for name in ("fetchmany", "fetchone"))


def _columns(cursor: Any) -> list[str]:
    """Return the names of the result's columns; an empty list if the statement has no result."""
    for name in ("description", "col_names", "column_names"):
        found: Any = None
        with contextlib.suppress(Exception):  # some refuse to say before the first row was fetched
            found = getattr(cursor, name, None)
            found = found() if callable(found) else found
        if found:
            return [_text(column if isinstance(column, str | bytes) else column[0]) for column in found]
    return []


def _plain_names(columns: Sequence[str]) -> list[str]:
    """Return the names without the table that some databases put before each (`orders.phone`)."""
    plain = [column.rpartition(".")[2] for column in columns]
    return plain if all("." in column for column in columns) and len(set(plain)) == len(plain) else list(columns)


def _fetcher(cursor: Any, sql: str) -> Callable[[], list[Any]]:
    """Return a function that gives the next rows, and none at the end. It uses `fetchmany`, or one row at a time with
    drivers that lack it.

    Some drivers give rows as a generator, or as an array that raises when it is tested for truth.
    """

    def many() -> list[Any]:
        found = cursor.fetchmany(FETCH)
        return [] if found is None else list(found)

    def one() -> list[Any]:
        found = cursor.fetchone()
        return [] if found is None else [found]

    if callable(getattr(cursor, "fetchmany", None)):
        fetch = many
    elif callable(getattr(cursor, "fetchone", None)):
        fetch = one
    else:
        rows: Iterator[Any] | None = None

        def fetch() -> list[Any]:
            nonlocal rows
            rows = iter(cursor) if rows is None else rows
            return list(itertools.islice(rows, FETCH))

    return lambda: _asked(fetch, sql, fetching=True)


def _fetched(fetch: Callable[[], list[Any]], first: list[Any], columns: Sequence[str]) -> Iterator[Any]:
    rows = first
    while rows:
        for row in rows:
            yield _values(row, columns)
        rows = fetch()


def _values(row: Any, columns: Sequence[str]) -> tuple[Any, ...]:
    """Return the cells of a row in the order of the columns, whatever kind of row the connection is set up to give.
    Raises OmniInputError if it is not clear which cell is which.
    """
    cells: tuple[Any, ...] | None
    if isinstance(row, tuple | list):
        cells = tuple(row)
    elif isinstance(row, Mapping):
        cells = _by_name(row, columns)
    elif hasattr(row, "_asdict"):
        cells = tuple(row._asdict().values())
    elif isinstance(row, Iterable) and not isinstance(row, str | bytes):
        cells = tuple(row)
        if cells == tuple(columns) and hasattr(row, "__getitem__"):
            cells = tuple(row[column] for column in columns)  # it gives its names, as a dict does
    elif all(hasattr(row, column) for column in columns):
        cells = tuple(getattr(row, column) for column in columns)  # a row whose cells are its members
    else:
        cells = (row,)
    if cells is None or len(cells) != len(columns):
        from airflow_provider_omni.omni.errors import OmniInputError
        from airflow_provider_omni.omni.words import some

        found = f"rows of type {type(row).__name__}" + ("" if cells is None else f" with {some(len(cells), 'cell')}")
        raise OmniInputError(
            "Nothing was sent: the query cannot be used.",
            problems=(
                unexpected(
                    "sql",
                    found,
                    f"a value for each column ({len(columns)}); name each column of the query once, and have the "
                    "connection give plain rows",
                ),
            ),
        )
    return cells


def _by_name(row: Mapping[Any, Any], columns: Sequence[str]) -> tuple[Any, ...] | None:
    """Return the cells of a row that is a dict; None if its names are not those of the columns. Drivers write the two
    in different ways: in upper case, or with the table before them.
    """
    if all(column in row for column in columns):
        return tuple(row[column] for column in columns)
    found = {_text(name).rpartition(".")[2].casefold(): cell for name, cell in row.items()}
    wanted = [column.rpartition(".")[2].casefold() for column in columns]
    if len(found) != len(row) or any(name not in found for name in wanted):
        return None
    return tuple(found[name] for name in wanted)


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _asked(ask: Callable[[], Any], sql: str, *, fetching: bool) -> Any:
    """Return the driver's answer. A driver's errors may hold values of a row, and values that were filled into the
    query: they end here, and are in no chain of exceptions.
    """
    from airflow_provider_omni.transfers.sql_errors import query_error

    try:
        return ask()
    except Exception as error:  # noqa: BLE001  drivers have no common base
        failure = query_error(error, shown_sql(sql), fetching=fetching)
    raise failure


@contextlib.contextmanager
def _closing(it: Any) -> Iterator[Any]:
    """Close the object at the end. A failure to close it (after an error it may not close) matters less than an earlier
    error, and is ignored.
    """
    try:
        yield it
    finally:
        with contextlib.suppress(Exception):
            it.close()


def streaming_cursor(connection: Any) -> Any:
    """Return a cursor that leaves the rows with the server until they are fetched, if the driver has one."""
    driver = type(connection).__module__.partition(".")[0]
    make = _SERVER_SIDE.get(driver)
    if make is not None:
        return make(connection)
    # Some connections run queries themselves, and have no cursors.
    return connection.cursor() if callable(getattr(connection, "cursor", None)) else connection


def _named(connection: Any) -> Any:
    # A named cursor needs a transaction, which these drivers begin by themselves.
    return connection.cursor(name="airflow_provider_omni")


def _unbuffered(module: str) -> Callable[[Any], Any]:
    def make(connection: Any) -> Any:
        return connection.cursor(importlib.import_module(module).SSCursor)

    return make


_SERVER_SIDE: dict[str, Callable[[Any], Any]] = {
    "psycopg2": _named,
    "psycopg": _named,
    "MySQLdb": _unbuffered("MySQLdb.cursors"),
    "pymysql": _unbuffered("pymysql.cursors"),
}
"""Drivers whose plain cursor takes the whole result into memory, each with its cursor that does not."""
