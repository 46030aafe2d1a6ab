"""Operators and the sensor tell OpenLineage what they have read and written, and counts: nothing that is anybody's."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.openlineage.sqlparser import DatabaseInfo

from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator

TEXTS: dict[str, Any] = {"task_id": "send", "scenario_key": "K", "sms": {"text": "Hi Zaphod"}}
NUMBER = "41793026727"
COUNTS = {"requested": 3, "accepted": 2, "unconfirmed": 0, "rejected": 1, "quarantined": 0, "duplicates": 0}
RECEIPT: dict[str, Any] = {
    "scenario_key": "K",
    "flow": ["LINE", "SMS"],
    "bulks": [{"bulk_id": "b", "messages": 2}],
    "counts": COUNTS,
    "sent_at": "2026-11-28T19:30:00+00:00",
    "ledger_path": "s3://conn@bucket/ledgers/run/shard-1-of-2",
}
SUMMARY: dict[str, Any] = {
    "total": 2,
    "delivered": 1,
    "failed": 1,
    "pending": 0,
    "by_channel": {"LINE": 1, NUMBER: 1},
    "by_status": {"DELIVERED_TO_HANDSET": 1},
    "cost": {"EUR": "0.07", "Zaphod": "1 for Zaphod"},
    "failed_message_ids": ["the-id-of-zaphod"],
}


def told(task: Any) -> Any:
    return task.get_openlineage_facets_on_complete(None)


def names(datasets: Any) -> list[tuple[str, str]]:
    return [(each.namespace, each.name) for each in datasets]


def ended(task: Any, receipt: Any = RECEIPT, summary: Any = None) -> Any:
    """The task, after it has sent, and waited if there is a summary."""
    task._reports = SimpleNamespace(receipt=receipt)
    task._delivery = None if summary is None else SimpleNamespace(receipt=receipt, summary=summary)
    return task


def batch(recipients: Any, **arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(**TEXTS | {"recipients": recipients} | arguments)


class Postgres:
    """A database's hook as far as OpenLineage asks it."""

    conn_name_attr = "conn_id"
    conn_id = "shop"

    def get_connection(self, conn_id: str) -> str:
        return conn_id

    def get_openlineage_database_info(self, connection: str) -> DatabaseInfo:
        return DatabaseInfo(scheme="postgres", authority="db.example:5432", database="shop")

    def get_openlineage_database_dialect(self, connection: str) -> str:
        return "postgres"

    def get_openlineage_default_schema(self) -> str:
        return "public"


def query(monkeypatch: pytest.MonkeyPatch, hook: Any, sql: str, **arguments: Any) -> SqlToOmniOperator:
    monkeypatch.setattr(SqlToOmniOperator, "_hook", lambda *_: hook)
    return SqlToOmniOperator(**TEXTS | {"sql": sql, "conn_id": "shop"} | arguments)


def test_a_batch_has_read_its_files_and_has_written_its_ledger() -> None:
    lineage = told(ended(batch("s3://conn@bucket/people.csv", suppress="/data/stop.txt", ledger_path="s3://bucket/l")))
    assert names(lineage.inputs) == [("s3://bucket", "people.csv"), ("file", "/data/stop.txt")]
    assert names(lineage.outputs) == [("s3://bucket", "ledgers/run")]
    assert lineage.outputs[0].outputFacets["outputStatistics"].rowCount == 3


def test_a_second_send_has_read_the_ledger_of_the_first() -> None:
    lineage = told(ended(batch(unreached("s3://bucket/ledgers/first"))))
    assert names(lineage.inputs) == [("s3://bucket", "ledgers/first")]


@pytest.mark.parametrize("recipients", [[NUMBER], f"{NUMBER}, 41793026731", [{"phone": NUMBER}]])
def test_recipients_that_are_no_file_are_told_as_counts_only(recipients: Any) -> None:
    lineage = told(ended(batch(recipients)))
    assert lineage.inputs == []
    assert lineage.run_facets["omni_delivery"].counts == COUNTS


def test_a_query_has_read_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "SELECT p.phone FROM \"People\" p JOIN crm.orders o ON o.who = p.id WHERE p.name <> 'Zaphod'"
    lineage = told(ended(query(monkeypatch, Postgres(), sql, suppress="SELECT phone FROM stopped")))
    where = "postgres://db.example:5432"
    assert set(names(lineage.inputs)) == {
        (where, "shop.public.People"),
        (where, "shop.crm.orders"),
        (where, "shop.public.stopped"),
    }
    assert "Zaphod" not in lineage.job_facets["sql"].query


def test_a_database_that_knows_no_openlineage_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    lineage = told(ended(query(monkeypatch, SimpleNamespace(), "SELECT phone FROM people", suppress="/data/stop.txt")))
    assert names(lineage.inputs) == [("file", "/data/stop.txt")]
    assert names(lineage.outputs) == [("s3://bucket", "ledgers/run")]


def test_a_wait_is_told_by_channel_and_cost_and_without_anything_else() -> None:
    facet = told(ended(OmniSendMessageOperator(**TEXTS, to=NUMBER), summary=SUMMARY)).run_facets["omni_delivery"]
    assert (facet.total, facet.delivered, facet.failed, facet.pending) == (2, 1, 1, 0)
    assert (facet.by_channel, facet.cost) == ({"LINE": 1}, {"EUR": "0.07"})
    assert facet.counts == COUNTS
    assert not [word for word in (NUMBER, "aphod") if word in repr(facet)]


def test_a_sensor_reads_the_ledgers_that_it_follows_and_adds_to_them() -> None:
    other = RECEIPT | {"ledger_path": "/ledgers/other"}
    sensor: Any = OmniDeliverySensor(task_id="wait", receipt=[RECEIPT, other])
    sensor._wait = SimpleNamespace(summary=SUMMARY)
    lineage = told(sensor)
    ledgers = [("s3://bucket", "ledgers/run"), ("file", "/ledgers/other")]
    assert names(lineage.inputs) == names(lineage.outputs) == ledgers
    assert lineage.run_facets["omni_delivery"].counts is None


def test_a_dry_run_has_written_no_ledger() -> None:
    task = ended(batch("/data/people.csv", ledger_path="/l", dry_run=True), RECEIPT | {"dry_run": True})
    lineage = told(task)
    assert lineage.outputs == []
    assert lineage.run_facets["omni_delivery"].dry_run is True


def test_a_task_that_failed_before_it_sent_has_its_inputs_and_no_counts() -> None:
    lineage = told(batch("/data/people.csv", ledger_path="/l"))
    assert (names(lineage.inputs), names(lineage.outputs)) == ([("file", "/data/people.csv")], [("file", "/l")])
    assert lineage.run_facets == {}


def test_an_error_is_neither_raised_nor_shown(caplog: pytest.LogCaptureFixture) -> None:
    class Mine(OmniSendBatchOperator):
        def lineage(self) -> Any:
            raise RuntimeError("Zaphod")

    caplog.set_level(logging.DEBUG)
    assert told(Mine(**TEXTS, recipients=[NUMBER])) is None
    assert "Zaphod" not in caplog.text


def test_nothing_is_told_without_the_openlineage_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "airflow_provider_omni.operators.openlineage_facets", raising=False)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert told(ended(batch("/data/people.csv"))) is None
