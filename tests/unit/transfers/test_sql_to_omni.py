"""Rows of a query, streamed from whatever database there is."""

from __future__ import annotations

import sqlite3
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowOptionalProviderFeatureException,
    BaseHook,
)
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.operators.private import reveal
from airflow_provider_omni.transfers.sql_to_omni import FETCH, SqlToOmniOperator, queried, streaming_cursor


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
    with operator().opened_rows() as rows:
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
    with operator(sql=sql, parameters=parameters).opened_rows() as rows:
        assert [row.number for row in rows] == ["41793020002"]


def test_another_column_can_hold_the_number(shop: Shop) -> None:
    with operator(sql="SELECT phone AS msisdn FROM orders", phone_field="msisdn").opened_rows() as rows:
        assert len(list(rows)) == 3


def test_a_query_without_the_column_names_those_it_has(shop: Shop) -> None:
    sending = operator(sql="SELECT name, total FROM orders")
    with (
        pytest.raises(OmniInputError, match="columns: name, total"),
        sending.opened_rows() as rows,
    ):
        next(iter(rows))


def test_a_statement_without_result_is_refused_and_not_committed(shop: Shop) -> None:
    with pytest.raises(OmniInputError, match="no result"), operator(sql="DELETE FROM orders").opened_rows():
        pass
    with pytest.raises(sqlite3.ProgrammingError):  # closed, and so rolled back
        shop.database.execute("SELECT 1")


def test_a_query_that_finds_nobody_is_an_empty_batch(shop: Shop) -> None:
    with operator(sql="SELECT * FROM orders WHERE total > 99").opened_rows() as rows:
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
    with pytest.raises(OmniStorageError, match="OperationalError") as caught, operator().opened_rows() as rows:
        list(rows)
    assert "302" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_error_of_the_batch_itself_passes_through(shop: Shop) -> None:
    with pytest.raises(sqlite3.OperationalError, match="disk"), operator().opened_rows():
        raise sqlite3.OperationalError("disk is full")


def test_rows_may_be_dicts() -> None:
    shop = Shop()
    shop.database.row_factory = lambda cursor, row: {
        column[0]: value for column, value in zip(cursor.description, row, strict=True)
    }
    with queried(shop, "SELECT total, phone FROM orders", None, "phone") as rows:
        assert [row.number for row in rows] == ["41793020000", "41793020001", "41793020002"]


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
    with pytest.raises(OmniInputError, match="conn_id"), operator().opened_rows():
        pass


def test_without_common_sql_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.common.sql.hooks.sql", None)
    with pytest.raises(AirflowOptionalProviderFeatureException, match="apache-airflow-providers-common-sql"):
        operator().opened_rows()


def test_the_query_and_its_parameters_are_templates() -> None:
    sending = operator(sql="SELECT '{{ ds }}'", parameters={"since": "{{ ds }}"}, conn_id="{{ db }}")
    sending.render_template_fields({"ds": "2026-11-20", "db": "shop"})
    assert (reveal(sending.sql), reveal(sending.parameters), sending.conn_id) == (
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


@pytest.mark.parametrize("sql", [["SELECT 1", "SELECT 2"], None, " "])
def test_what_is_no_query_is_one_clear_problem(shop: Shop, sql: Any) -> None:
    with (
        pytest.raises(OmniInputError, match=r"sql: found .* allowed is one query"),
        operator(sql=sql).opened_rows(),
    ):
        pass


def test_columns_that_texts_need_are_looked_for_before_a_row_is_read(shop: Shop) -> None:
    with (
        operator().opened_rows(("name", "naem")) as rows,
        pytest.raises(OmniInputError, match="'naem', which texts or the key_field need, is not among"),
    ):
        next(iter(rows))
