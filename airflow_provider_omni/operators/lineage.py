"""The facts of a task for OpenLineage: what it has read, the ledger, and counts.

Light, since DAG files are read often. What knows OpenLineage is `operators/openlineage_facets.py`, which is loaded when
OpenLineage asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Query:
    """A query whose rows a task has read.

    :param sql: the query, as it ran.
    :param hook: gives the database's hook.
    """

    sql: str
    hook: Callable[[], Any]


@dataclass(frozen=True)
class Lineage:
    """Facts of a task: what it has read and written, and what came of it.

    :param files: files that were read: paths, URLs, or `ObjectStoragePath`s.
    :param queries: queries that were read.
    :param ledgers_read: paths of ledgers that were read.
    :param ledgers_written: paths of ledgers that were written.
    :param receipt: the receipt of what this task has sent; None if it has not.
    :param summary: the summary of its wait; None if there was none, or none has ended.
    """

    files: tuple[Any, ...] = ()
    queries: tuple[Query, ...] = ()
    ledgers_read: tuple[Any, ...] = ()
    ledgers_written: tuple[Any, ...] = ()
    receipt: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] | None = None


class TellsLineage:
    """Base of the operators and the sensor of which OpenLineage is told."""

    def lineage(self) -> Lineage:
        """Return what this task has read and written so far, and what came of it."""
        raise NotImplementedError

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002  Airflow's signature
        """Return an `OperatorLineage`, when Airflow's OpenLineage provider asks for it: after a success, and after a
        failure, too. None without that provider. Nothing fails with it.
        """
        try:
            from airflow_provider_omni.operators.openlineage_facets import operator_lineage
        except ImportError:
            return None
        return operator_lineage(self.lineage, getattr(self, "log", None))
