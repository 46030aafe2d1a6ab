"""A query that has run is told to Airflow's hook lineage, without anybody's values, and nothing fails with it."""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

import pytest
from airflow.providers.common.sql.hooks import lineage
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_omni.operators.shown_sql import sql_without_values
from airflow_provider_omni.transfers.hook_lineage import tell_query
from airflow_provider_omni.transfers.sql_to_omni import queried

SQL = "SELECT phone FROM people WHERE name <> ? AND name <> 'Zaphod' AND phone <> 41793026727 -- not Zaphod"


class Shop(DbApiHook):
    """A database with one person."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE people (phone TEXT, name TEXT)")
        self.database.execute("INSERT INTO people VALUES ('41793026731', 'Ford')")

    def get_conn(self) -> Any:
        return self.database


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Lineage of a query, for the collector of hook lineage."""
    extras: list[dict[str, Any]] = []

    class Collector:
        def add_extra(self, **extra: Any) -> None:
            extras.append(extra)

    monkeypatch.setattr(lineage, "get_hook_lineage_collector", Collector)
    return extras


def read(hook: Shop) -> list[str]:
    with queried(hook, SQL, ["Trillian"], "phone") as rows:
        return [row.number for row in rows]


def test_a_query_is_told_once_with_its_hook(told: list[dict[str, Any]]) -> None:
    shop = Shop()
    assert read(shop) == ["41793026731"]
    (extra,) = told
    assert (extra["context"], extra["key"]) == (shop, "sql_job")


def test_neither_values_in_the_query_nor_parameters_are_told(told: list[dict[str, Any]]) -> None:
    read(Shop())
    assert told[0]["value"] == {"sql": "SELECT phone FROM people WHERE name <> ? AND name <> '…' AND phone <> 0 /*…*/"}


def test_the_database_s_id_of_the_query_and_the_number_of_its_rows_are_told(told: list[dict[str, Any]]) -> None:
    class Cursor:
        sfqid, rowcount = "01b-2c", 7

    tell_query(Shop(), "SELECT 1", Cursor())
    assert told[0]["value"] == {"sql": "SELECT 1", "job_id": "01b-2c", "row_count": 7}


def test_nothing_fails_without_hook_lineage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.common.sql.hooks.lineage", None)
    assert read(Shop()) == ["41793026731"]


def test_nothing_fails_with_a_cursor_or_a_lineage_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cursor:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("Zaphod")

    def refuse(**_: Any) -> None:
        raise RuntimeError("Zaphod")

    monkeypatch.setattr(lineage, "send_sql_hook_lineage", refuse)
    tell_query(Shop(), SQL, Cursor())


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT a FROM t WHERE x > 5 AND day = '2026-11-28'", "SELECT a FROM t WHERE x > 5 AND day = '2026-11-28'"),
        ("SELECT a FROM t WHERE p IN (41793026727, 302672)", "SELECT a FROM t WHERE p IN (0, 0)"),
        ("SELECT a FROM t WHERE p = +41793026727", "SELECT a FROM t WHERE p = 0"),
    ],
)
def test_a_query_without_values_is_still_a_query(sql: str, told: str) -> None:
    assert sql_without_values(sql) == told
