"""Airflow's hook lineage: whoever collects it in this process hears of a query that has run."""

from __future__ import annotations

import contextlib
from typing import Any

from airflow_provider_omni.operators.shown_sql import sql_without_values


def tell_query(hook: Any, sql: str, cursor: Any) -> None:
    """Report a query that has run, without the values in it and without its parameters, which may be somebody's.

    It does nothing with a common.sql provider that has no such lineage yet. No query fails with it.

    :param hook: the database's hook.
    :param sql: the query.
    :param cursor: what it ran on, which may know the database's own id of it and the number of its rows.
    """
    try:
        from airflow.providers.common.sql.hooks.lineage import send_sql_hook_lineage
    except ImportError:
        return
    with contextlib.suppress(Exception):
        # The cursor stays here: if reading it fails, the function would log the driver's words.
        shown = sql_without_values(sql)
        send_sql_hook_lineage(context=hook, sql=shown, job_id=_job_id(cursor), row_count=_rows(cursor))


def _job_id(cursor: Any) -> str | None:
    for name in ("query_id", "sfqid"):
        with contextlib.suppress(Exception):
            if isinstance(found := getattr(cursor, name, None), str) and found:
                return found
    return None


def _rows(cursor: Any) -> int | None:
    with contextlib.suppress(Exception):
        if type(found := getattr(cursor, "rowcount", None)) is int and found >= 0:
            return found
    return None
