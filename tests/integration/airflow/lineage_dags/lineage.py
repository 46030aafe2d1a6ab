"""A DAG of which OpenLineage is told. Its tasks are full of people: numbers, names, texts, keys."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.openlineage.sqlparser import DatabaseInfo
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator

# SQLite's hook does not say what OpenLineage would call its tables; those of PostgreSQL or Snowflake do.
SqliteHook.get_openlineage_database_info = lambda self, connection: DatabaseInfo(scheme="sqlite", authority="shop")  # type: ignore[method-assign]

TEXT = {"text": "Dear {name}, your code is 918273", "validityPeriod": 31, "validityPeriodTimeUnit": "SECONDS"}
BATCH: dict[str, Any] = {
    "scenario_key": "CC9F01A5DC7BEE2C2B829D203482A654",
    "line": TEXT,
    "sms": TEXT,
    "callback_data": "Zaphod's",
    "notify_url": "https://hooks.example/918273",
}
ONE = BATCH | {name: TEXT | {"text": "Dear Zaphod, your code is 918273"} for name in ("line", "sms")}
FOLDER = "{{ var.value.lineage_folder }}"

with DAG("lineage", schedule=None):
    send = OmniSendBatchOperator(
        task_id="send",
        recipients=f"{FOLDER}/people.csv",
        suppress=f"{FOLDER}/stop.csv",
        ledger_path=f"{FOLDER}/ledger",
        shard="1/1",
        idempotency_key="Zaphod-{{ run_id }}",
        **BATCH,
    )
    OmniDeliverySensor(task_id="wait", receipt=send.output, success_when="finished", poke_interval=0.1)
    SqlToOmniOperator(
        task_id="queried",
        conn_id="shop",
        sql="SELECT phone, name FROM people WHERE name <> 'Trillian' AND name <> :name",
        parameters={"name": "Zaphod"},
        ledger_path=f"{FOLDER}/of_query",
        **BATCH,
    )
    SqlToOmniOperator(
        task_id="listed",
        conn_id="shop",
        sql="SELECT phone, name FROM people WHERE name <> ?",
        parameters=["Zaphod"],
        wait_for_delivery=True,
        deferrable=True,
        poke_interval=0.1,
        **BATCH,
    )
    OmniSendMessageOperator(task_id="failed", to=["41793026742"], wait_for_delivery=True, poke_interval=0.1, **ONE)
