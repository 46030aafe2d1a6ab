"""Rows of a query, streamed from whatever database there is."""

from __future__ import annotations

import sqlite3
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowOptionalProviderFeatureException,
    BaseHook,
)
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.operators.masked_fields import unmask
from airflow_provider_omni.transfers.sql_errors import query_error
from airflow_provider_omni.transfers.sql_to_omni import FETCH, SqlToOmniOperator, queried, streaming_cursor


class OrderRow(NamedTuple):
    """A row with names."""

    phone: str
    name: str


class Shop(DbApiHook):
    """A database with a few orders."""

    conn_name_attr = "shop_conn_id"

    def __init__(self, orders: int = 3) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE orders (phone TEXT, name TEXT, total INTEGER)")
        self.database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)",
            ((f"4179302{index:04d}", f"n{index}", index) for index in range(orders)),
        )
        self.database.commit()

    def get_conn(self) -> Any:
        return self.database


def operator(**arguments: Any) -> SqlToOmniOperator:
    return SqlToOmniOperator(
        **{
            "task_id": "send",
            "scenario_key": "K",
            "sms": {"text": "Hi {name}"},
            "sql": "SELECT * FROM orders ORDER BY total",
            "conn_id": "shop",
            **arguments,
        }
    )


def connect_to(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the connection `shop` give this hook."""
    connection = SimpleNamespace(get_hook=lambda *, hook_params: hook)
    get_connection = BaseHook.get_connection
    monkeypatch.setattr(
        BaseHook,
        "get_connection",
        classmethod(lambda cls, conn_id: connection if conn_id == "shop" else get_connection(conn_id)),
    )


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop()
    connect_to(shop, monkeypatch)
    return shop


def test_columns_are_the_fields(shop: Shop) -> None:
    with operator().open_rows() as rows:
        first = next(iter(rows))
    assert (first.number, first.fields) == ("41793020000", {"phone": "41793020000", "name": "n0", "total": 0})


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT phone FROM orders WHERE total > ?", [1]),
        ("SELECT phone FROM orders WHERE total > :least", {"least": 1}),
    ],
)
def test_parameters_go_to_the_driver(shop: Shop, sql: str, parameters: Any) -> None:
    with operator(sql=sql, parameters=parameters).open_rows() as rows:
        assert [row.number for row in rows] == ["41793020002"]


def test_another_column_can_hold_the_number(shop: Shop) -> None:
    with operator(sql="SELECT phone AS msisdn FROM orders", phone_field="msisdn").open_rows() as rows:
        assert len(list(rows)) == 3


def test_a_query_without_the_column_names_those_it_has(shop: Shop) -> None:
    sending = operator(sql="SELECT name, total FROM orders")
    with (
        pytest.raises(OmniInputError, match="columns: name, total"),
        sending.open_rows() as rows,
    ):
        next(iter(rows))


def test_a_statement_without_result_is_refused_and_not_committed(shop: Shop) -> None:
    with pytest.raises(OmniInputError, match="no result"), operator(sql="DELETE FROM orders").open_rows():
        pass
    with pytest.raises(sqlite3.ProgrammingError):  # closed, and so rolled back
        shop.database.execute("SELECT 1")


def test_a_query_that_finds_nobody_is_an_empty_batch(shop: Shop) -> None:
    with operator(sql="SELECT * FROM orders WHERE total > 99").open_rows() as rows:
        assert list(rows) == []


class CountingCursor:
    """Gives rows without end, and knows how many were taken."""

    description = (("phone", None),)

    def __init__(self) -> None:
        self.taken = 0

    def execute(self, *_: Any) -> None: ...

    def close(self) -> None: ...

    def fetchmany(self, size: int) -> list[tuple[str]]:
        self.taken += size
        return [("41793020000",)] * size


def test_rows_are_taken_as_they_are_read() -> None:
    cursor = CountingCursor()
    hook = SimpleNamespace(get_conn=lambda: SimpleNamespace(cursor=lambda: cursor, close=lambda: None))
    with queried(hook, "SELECT", None, "phone") as rows:
        reading = iter(rows)
        for _ in range(FETCH + 1):
            next(reading)
    assert cursor.taken == 2 * FETCH


class FailingCursor(CountingCursor):
    """Fails at the n-th fetch, and cannot be closed after that."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def fetchmany(self, size: int) -> list[tuple[str]]:
        self.at -= 1
        if self.at < 0:
            raise sqlite3.DataError("Ada 41793026727")
        return super().fetchmany(size)

    def close(self) -> None:
        raise sqlite3.DataError("Ada 41793026727 again")


@pytest.mark.parametrize("at", [0, 1])
def test_what_a_driver_says_of_a_row_is_in_no_chain_of_exceptions(at: int) -> None:
    cursor = FailingCursor(at)
    hook = SimpleNamespace(get_conn=lambda: SimpleNamespace(cursor=lambda: cursor, close=lambda: None))
    with (
        pytest.raises(OmniInputError, match=r"sqlite3\.DataError") as caught,
        queried(hook, "S", None, "phone") as rows,
    ):
        list(rows)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "302" not in str(caught.value)


def test_a_row_that_sqlite_cannot_decode_is_not_shown(shop: Shop) -> None:
    shop.database.execute("INSERT INTO orders VALUES (cast(x'3431373933303236373237ff' AS TEXT), 'Ada', 9)")
    with pytest.raises(OmniStorageError, match="OperationalError") as caught, operator().open_rows() as rows:
        list(rows)
    assert "302" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT phone FROM orders WHERE name = 'O'Zaphod'",
        "SELECT phone FROM orders WHERE name = 'x' 'Zaphod'",
        "SELECT phone FRM orders -- for 'Zaphod'\n WHERE name = 'Zaphod'",
    ],
)
def test_what_was_filled_into_a_query_is_not_told_when_it_fails(shop: Shop, query: str) -> None:
    with pytest.raises(OmniInputError, match="OperationalError") as caught, operator(sql=query).open_rows():
        pass
    assert "Zaphod" not in str(caught.value)


def test_an_error_of_the_batch_itself_passes_through(shop: Shop) -> None:
    with pytest.raises(sqlite3.OperationalError, match="disk"), operator().open_rows():
        raise sqlite3.OperationalError("disk is full")


def test_rows_may_be_dicts() -> None:
    shop = Shop()
    shop.database.row_factory = lambda cursor, row: {
        column[0]: value for column, value in zip(cursor.description, row, strict=True)
    }
    with queried(shop, "SELECT total, phone FROM orders", None, "phone") as rows:
        assert [row.number for row in rows] == ["41793020000", "41793020001", "41793020002"]


class Wrapped:
    """A database whose driver is as some are: what is named is not there, or behaves in its own way."""

    def __init__(
        self,
        without: tuple[str, ...] = (),
        rows: Any = tuple,
        names: Any = str.upper,
        whole: bool = False,
        many: Any = list,
        late: bool = False,
    ) -> None:
        """`late`: what the columns are called is not known before rows were fetched. `many`: what holds rows."""
        self.without, self.rows, self.names, self.whole, self.many, self.late = without, rows, names, whole, many, late
        self.cursor_of = Shop().database.cursor()

    def get_conn(self) -> Any:
        return self if self.whole else SimpleNamespace(cursor=lambda: self, close=lambda: None)

    def __getattr__(self, name: str) -> Any:
        if name in self.without or name.startswith("__"):
            raise AttributeError(name)
        if name == "execute":
            return self.cursor_of.execute
        if name == "description":
            if self.late:
                raise RuntimeError("fetch first")
            return [(self.names(column[0]), *column[1:]) for column in self.cursor_of.description or ()] or None
        if name in ("fetchmany", "fetchone"):
            return lambda *count: self._made(getattr(self.cursor_of, name)(*count))
        return getattr(self.cursor_of, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "arraysize" and name in self.without:
            raise TypeError("this cursor has no such thing")
        super().__setattr__(name, value)

    def __iter__(self) -> Any:
        return iter(self._made(self.cursor_of.fetchall()))

    def _made(self, found: Any) -> Any:
        self.late = False
        if found is None:
            return None
        return self.many([self.rows(row) for row in found]) if isinstance(found, list) else self.rows(found)


class IdSet:
    """A row whose cells are its members."""

    def __init__(self, row: Any) -> None:
        self.PHONE, self.NAME = row


class Keyed:
    """A row that goes over its names, as a dict does, and is none."""

    def __init__(self, row: Any) -> None:
        self.cells = dict(zip(("PHONE", "NAME"), row, strict=True))

    def __iter__(self) -> Any:
        return iter(self.cells)

    def __getitem__(self, name: str) -> Any:
        return self.cells[name]


class Array(list[Any]):
    """Rows of which nobody may ask whether there are any, as numpy has it."""

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array is ambiguous")


@pytest.mark.parametrize(
    "hook",
    [
        Wrapped(),
        Wrapped(("arraysize",)),
        Wrapped(("fetchmany",)),
        Wrapped(("fetchmany", "fetchone", "arraysize")),
        Wrapped(rows=list),
        Wrapped(rows=lambda row: {"NAME": row[1], "PHONE": row[0]}),
        Wrapped(rows=lambda row: OrderRow(*row)),
        Wrapped(rows=IdSet),
        Wrapped(names=lambda name: name.upper().encode()),
        Wrapped(names=lambda name: f"Orders.{name}"),
        Wrapped(whole=True, without=("cursor",)),
        Wrapped(rows=lambda row: {"Name": row[1], "Phone": row[0]}),
        Wrapped(rows=lambda row: {"name": row[1], "phone": row[0]}, names=lambda name: f"orders.{name}"),
        Wrapped(rows=Keyed),
        Wrapped(many=iter),
        Wrapped(many=Array),
        Wrapped(late=True),
    ],
    ids=[
        "upper case", "no arraysize", "no fetchmany", "only iterable", "lists", "dicts in their own order",
        "named tuples", "members", "bytes as names", "table before names", "no cursor",
        "dicts in another case", "dicts without the table", "rows that go over their names", "rows one by one",
        "arrays", "names after the first rows",
    ],
)  # fmt: skip
def test_any_driver_gives_its_rows(hook: Any) -> None:
    with queried(hook, "SELECT phone, name FROM orders ORDER BY total", None, "phone", ("name",)) as rows:
        assert [(row.number, row.fields) for row in rows] == [
            (f"4179302000{index}", {"phone": f"4179302000{index}", "name": f"n{index}"}) for index in range(3)
        ]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (lambda row: {"NUMBER": row[0], "NAME": row[1]}, "rows of type dict"),
        (lambda row: row[:1], "rows of type tuple with 1 cell"),
        (lambda row: row[0], "rows of type str with 1 cell"),
    ],
    ids=["other names", "too few cells", "a value alone"],
)
def test_rows_of_which_nobody_knows_the_columns_are_refused_without_their_values(rows: Any, found: str) -> None:
    with (
        pytest.raises(OmniInputError) as caught,
        queried(Wrapped(rows=rows), "SELECT phone, name FROM orders", None, "phone") as given,
    ):
        list(given)
    assert caught.value.problems[0].startswith(f"sql: got {found}, expected a value for each column (2)")
    assert "302" not in str(caught.value)


def test_a_column_alone_may_come_as_plain_values() -> None:
    with queried(Wrapped(rows=lambda row: row[0]), "SELECT phone FROM orders", None, "phone") as rows:
        assert len({row.number for row in rows}) == 3


def refuses(rows: Any) -> Any:
    raise sqlite3.ProgrammingError("no results to fetch")


@pytest.mark.parametrize(
    "hook",
    [Wrapped(), Wrapped(("description",)), Wrapped(("fetchmany",)), Wrapped(many=refuses)],
    ids=["nothing is fetched", "no names", "no fetchmany", "fetching is refused"],
)
def test_a_statement_without_a_result_is_refused_by_any_driver(hook: Any) -> None:
    with pytest.raises(OmniInputError) as caught, queried(hook, "DELETE FROM orders", None, "phone"):
        pass
    assert caught.value.problems == ("sql: got a statement that has no result, expected one query",)


def connection_of(driver: str) -> Any:
    """Looks like a connection of this driver, and says how its cursor was made."""
    kind = type("Connection", (), {"cursor": lambda self, *args, **names: (args, names)})
    kind.__module__ = f"{driver}.connections"
    return kind()


@pytest.fixture
def mysql(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("MySQLdb", "pymysql"):
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(__path__=[]))
        monkeypatch.setitem(sys.modules, f"{module}.cursors", SimpleNamespace(SSCursor="unbuffered"))


@pytest.mark.usefixtures("mysql")
@pytest.mark.parametrize(
    ("driver", "made_with"),
    [
        ("psycopg2", ((), {"name": "airflow_provider_omni"})),
        ("psycopg", ((), {"name": "airflow_provider_omni"})),
        ("MySQLdb", (("unbuffered",), {})),
        ("pymysql", (("unbuffered",), {})),
        ("sqlite3", ((), {})),
    ],
)
def test_the_result_stays_with_the_server_where_the_driver_would_take_all(driver: str, made_with: Any) -> None:
    assert streaming_cursor(connection_of(driver)) == made_with


def test_a_connection_to_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to(BaseHook(), monkeypatch)
    with pytest.raises(OmniInputError, match="conn_id"), operator().open_rows():
        pass


def test_without_common_sql_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.common.sql.hooks.sql", None)
    with pytest.raises(AirflowOptionalProviderFeatureException, match="apache-airflow-providers-common-sql"):
        operator().open_rows()


def test_the_query_and_its_parameters_are_templates() -> None:
    sending = operator(sql="SELECT '{{ ds }}'", parameters={"since": "{{ ds }}"}, conn_id="{{ db }}")
    sending.render_template_fields({"ds": "2026-11-20", "db": "shop"})
    assert (unmask(sending.sql), unmask(sending.parameters), sending.conn_id) == (
        "SELECT '2026-11-20'",
        {"since": "2026-11-20"},
        "shop",
    )


def test_a_mistake_in_the_arguments_fails_for_good(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:password@127.0.0.1:1/http")
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="send", map_index=-1, try_number=1)
    sending = operator(sms={"text": "Hi {name"})
    with pytest.raises(AirflowFailException, match="brace"):
        sending.execute({"ti": ti, "dag_run": SimpleNamespace(clear_number=0)})


@pytest.mark.parametrize("sql", [["SELECT 1", "SELECT 2"], None, " ", "None", "null"])
def test_what_is_no_query_is_one_clear_problem(shop: Shop, sql: Any) -> None:
    with (
        pytest.raises(OmniInputError, match=r"sql: got .* expected one query"),
        operator(sql=sql).open_rows(),
    ):
        pass


def test_columns_that_texts_need_are_looked_for_before_a_row_is_read(shop: Shop) -> None:
    with (
        operator().open_rows(("name", "naem")) as rows,
        pytest.raises(OmniInputError, match="'naem', which texts or the key_field need, is not among"),
    ):
        next(iter(rows))


@pytest.mark.parametrize(
    "query", ["SELEC phone FROM orders", "SELECT phone FROM nowhere", "SELECT nothing FROM orders"]
)
def test_a_mistake_in_a_query_to_sqlite_fails_for_good(shop: Shop, query: str) -> None:
    with pytest.raises(OmniInputError, match="SQLITE_ERROR"), operator(sql=query).open_rows():
        pytest.fail("opened")


def driver_error(module: str, name: str, **codes: Any) -> Exception:
    return type(name, (Exception,), {"__module__": module, **codes})("words")


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (driver_error("sqlite3", "OperationalError", sqlite_errorname="SQLITE_ERROR"), True),
        (driver_error("sqlite3", "OperationalError", sqlite_errorname="SQLITE_BUSY"), False),
        (driver_error("pymysql.err", "OperationalError", errno=1054), True),
        (driver_error("MySQLdb", "OperationalError", errno=2006), False),
        (driver_error("a_driver", "OperationalError", errno=1054), False),
        (driver_error("a_driver", "DatabaseError", sqlstate="42S02"), True),
        (driver_error("a_driver", "DatabaseError", sqlstate="40001"), False),
    ],
    ids=["sqlite mistake", "sqlite locked", "mysql column", "mysql gone", "another driver's", "state", "deadlock"],
)
def test_the_code_of_an_error_says_whether_the_query_must_be_changed(error: Exception, for_good: bool) -> None:
    assert query_error(error, "SELECT 1", fetching=False).retryable is not for_good


def test_a_connection_that_is_not_there_is_a_retryable_error_with_a_code() -> None:
    with pytest.raises(OmniInputError, match="OMNI-112") as caught, operator(conn_id="nowhere").open_rows():
        pytest.fail("opened")
    assert caught.value.problems == ("conn_id: got 'nowhere', expected a connection that exists, to a database",)
    assert caught.value.retryable
