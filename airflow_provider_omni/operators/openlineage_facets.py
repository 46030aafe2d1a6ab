"""From what a task has read, written and counted to OpenLineage's datasets and facets.

It imports the OpenLineage provider, so that only a process loads it in which OpenLineage asks.

What leaves here goes to a system that others run. It has names of tables and files, and counts: no number, no text, no
key, no secret, no message id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airflow.providers.common.compat.openlineage.facet import (
    Dataset,
    OutputDataset,
    OutputStatisticsOutputDatasetFacet,
    RunFacet,
    SQLJobFacet,
)
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.sqlparser import SQLParser
from attrs import define

from airflow_provider_omni.operators.dataset_names import DatasetName, file_name, ledger_name
from airflow_provider_omni.operators.lineage import Lineage, Query
from airflow_provider_omni.operators.shown_sql import sql_without_values
from airflow_provider_omni.storage.object_storage import text_of
from airflow_provider_omni.storage.places import file_place, ledger_place

FACET = "omni_delivery"
"""Name of the run facet."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,15})?")
_COUNTS = ("total", "delivered", "failed", "pending")


@define
class OmniDeliveryRunFacet(RunFacet):
    """Counts of what a task has sent, and of what became of it.

    :param counts: the receipt's counts by their names: `requested`, `accepted` and so on.
    :param dry_run: True if nothing was posted.
    :param total: messages whose delivery was waited for. None, like all that follow, if the task has not waited.
    :param delivered: those that were delivered.
    :param failed: those that were not.
    :param pending: those of which nobody knew yet when the task ended.
    :param by_channel: how many each channel has delivered.
    :param cost: what the messages cost, for each currency, as a decimal number in a text.
    """

    counts: dict[str, int] | None = None
    dry_run: bool | None = None
    total: int | None = None
    delivered: int | None = None
    failed: int | None = None
    pending: int | None = None
    by_channel: dict[str, int] | None = None
    cost: dict[str, str] | None = None


def operator_lineage(read: Callable[[], Lineage], log: Any) -> OperatorLineage[Any, Any] | None:
    """Return what a task tells OpenLineage; None if that cannot be found out. Raises nothing, and logs no words of
    others, which may show a row.

    :param read: gives what the task has read, written and counted.
    :param log: the task's log, or None.
    """
    try:
        return _operator_lineage(read(), log)
    except Exception as error:  # noqa: BLE001  a task must not fail for its lineage
        _tell(log, error)
        return None


def _operator_lineage(lineage: Lineage, log: Any) -> OperatorLineage[Any, Any]:
    read = [*_named(lineage.files, _file, log), *_named(lineage.ledgers_read, _ledger, log)]
    for query in lineage.queries:
        read += _named([query], _tables, log)
    counts = _whole_numbers((lineage.receipt or {}).get("counts")) if lineage.receipt is not None else {}
    facet = _facet(lineage, counts)
    rows = counts.get("requested")
    written = [_output(name, rows) for name in _distinct(_named(lineage.ledgers_written, _ledger, log))]
    sql = "\n;\n".join(sql_without_values(query.sql) for query in lineage.queries)
    return OperatorLineage(
        inputs=[Dataset(namespace=namespace, name=name) for namespace, name in _distinct(read)],
        outputs=written,
        run_facets={} if facet is None else {FACET: facet},
        job_facets={"sql": SQLJobFacet(query=sql)} if sql else {},
    )


def _named(sources: Iterable[Any], names: Callable[[Any], Iterable[DatasetName]], log: Any) -> Iterator[DatasetName]:
    """Yield the names of sources, without those that have none: a file whose path is not meant, an unknown database."""
    for source in sources:
        try:
            yield from list(names(source))
        except Exception as error:  # noqa: BLE001  one that cannot be named must not hide the others
            _tell(log, error)


def _file(path: Any) -> list[DatasetName]:
    return [file_name(text_of(file_place(path)))]


def _ledger(path: Any) -> list[DatasetName]:
    return [ledger_name(text_of(ledger_place(path)))]


def _tables(query: Query) -> Iterator[DatasetName]:
    """Yield the tables that a query reads, as the provider's parser finds them. The database is not asked for their
    columns: this task has sent, and is done with it.
    """
    hook = query.hook()
    connection = hook.get_connection(getattr(hook, hook.conn_name_attr))
    database = hook.get_openlineage_database_info(connection)
    if database is None:  # its provider knows no OpenLineage
        return
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection),
        default_schema=hook.get_openlineage_default_schema(),
    )
    found = parser.generate_openlineage_metadata_from_sql(
        sql=query.sql, hook=hook, database_info=database, use_connection=False
    )
    for table in found.inputs:
        yield DatasetName(table.namespace, table.name)


def _output(name: DatasetName, rows: int | None) -> OutputDataset:
    facets: dict[str, Any] = (
        {} if rows is None else {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)}
    )
    return OutputDataset(namespace=name.namespace, name=name.name, outputFacets=facets)


def _facet(lineage: Lineage, counts: dict[str, int]) -> OmniDeliveryRunFacet | None:
    receipt, summary = lineage.receipt, lineage.summary
    if receipt is None and summary is None:
        return None
    told: dict[str, Any] = {}
    if receipt is not None:
        told |= {"counts": counts, "dry_run": bool(receipt.get("dry_run")) or None}
    if summary is not None:
        told |= _whole_numbers({name: summary.get(name) for name in _COUNTS})
        told |= {"by_channel": _whole_numbers(summary.get("by_channel")), "cost": _amounts(summary.get("cost"))}
    return OmniDeliveryRunFacet(**told)


def _whole_numbers(counts: Any) -> dict[str, int]:
    known = counts if isinstance(counts, Mapping) else {}
    return {str(name): count for name, count in known.items() if _WORD.fullmatch(str(name)) and type(count) is int}


def _amounts(cost: Any) -> dict[str, str]:
    known = cost if isinstance(cost, Mapping) else {}
    return {
        str(currency): str(amount)
        for currency, amount in known.items()
        if _WORD.fullmatch(str(currency)) and _AMOUNT.fullmatch(str(amount))
    }


def _distinct(names: Iterable[DatasetName]) -> list[DatasetName]:
    return list(dict.fromkeys(names))


def _tell(log: Any, error: Exception) -> None:
    if log is not None:
        log.debug("Not told to OpenLineage (%s).", type(error).__name__)
