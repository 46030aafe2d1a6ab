"""Words about a database's error: enough to know what to do, and nothing of a row."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.transfers.sql_errors import query_error

SQL = "SELECT phon, name FROM shop.orders WHERE name <> 'x'"


def error_of(kind: str, *args: Any, module: str = "psycopg2", **attributes: Any) -> Exception:
    """Errors as drivers make them: a class of PEP 249, and one of their own below it."""
    base = type(kind, (Exception,), {"__module__": module})
    error = type("Own", (base,), {"__module__": f"{module}.errors"} | attributes)(*args)
    assert isinstance(error, Exception)
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            error_of("ProgrammingError", 'column "phon" does not exist\nLINE 1: SELECT phon\n', pgcode="42703"),
            "sql: it could not be run (psycopg2.errors.Own, SQLSTATE 42703); the query has a mistake, or names what is "
            'not there or not allowed: column "phon" does not exist',
        ),
        (
            error_of("ProgrammingError", 1146, "Table 'live.orders' doesn't exist", module="pymysql"),
            "sql: it could not be run (pymysql.errors.Own, 1146): Table 'live.orders' doesn't exist",
        ),
        (
            error_of("ProgrammingError", "42S02", "[42S02] [Driver] Invalid object name 'elsewhere'.", module="pyodbc"),
            "sql: it could not be run (pyodbc.errors.Own, SQLSTATE 42S02); the query has a mistake, or names what is "
            "not there or not allowed: [42S02] [Driver] Invalid object name …",
        ),
        (
            error_of("OperationalError", "could not receive data from server: Connection timed out"),
            "sql: it could not be run (psycopg2.errors.Own): could not receive data from server: Connection timed out",
        ),
    ],
)
def test_a_mistake_is_told_in_the_databases_words_as_far_as_the_query_says_the_same(
    error: Exception, told: str
) -> None:
    assert query_error(error, SQL, fetching=False).problems == (told,)


@pytest.mark.parametrize("fetching", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        error_of("DataError", 'invalid input syntax for type integer: "Ada 41793026727"', sqlstate="22P02"),
        error_of("DataError", "invalid input syntax: Ada"),
        error_of("DatabaseError", "Bad int64 value: Ada", module="google.cloud.bigquery.dbapi"),
        error_of("ProgrammingError", 100038, "Numeric value 'Ada' is not recognized", module="snowflake.connector"),
        error_of("ProgrammingError", "value 'O'Neil, Ada' of it"),
        error_of("OperationalError", "Could not decode to UTF-8 column 'phon' with text '41793026727 \nAda'"),
        error_of("OperationalError", "Key (phon)=(Ada 41793026727) is there"),
        error_of("OperationalError", "value 'Ada.' or 'Ada. x'"),
        error_of("OperationalError", "x\nDETAIL: Ada"),
        UnicodeDecodeError("utf-8", b"Ada 41793026727", 0, 1, "invalid start byte"),
        ValueError("Ada"),
    ],
)
def test_no_value_of_a_row_is_told(error: Exception, fetching: bool) -> None:
    found = query_error(error, SQL, fetching=fetching)
    assert not any(each in str(found) for each in ("Ada", "Neil", "302"))
    assert type(error).__name__ in str(found)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (error_of("ProgrammingError", "x"), False),
        (error_of("DataError", "x"), False),
        (error_of("OperationalError", "x", sqlstate="40001"), True),
        (sqlite3.InterfaceError("x"), True),
        (ConnectionResetError("x"), True),
    ],
)
def test_what_a_later_try_may_mend_is_retried(error: Exception, retryable: bool) -> None:
    found = query_error(error, SQL, fetching=False)
    assert type(found) is (OmniStorageError if retryable else OmniInputError)
    assert found.retryable is retryable


def test_the_class_of_sqlstate_says_what_to_do() -> None:
    found = query_error(error_of("DataError", "x", pgcode="22P02"), SQL, fetching=True)
    assert found.problems[0].startswith(
        "sql: its rows could not be read (psycopg2.errors.Own, SQLSTATE 22P02); a value cannot be converted: look at "
        "the casts of the query. The database's own words are left out"
    )
