"""From a table to everybody in it: a text for each row, outcomes on record, and a second try for the unreached.

Needs a connection `omni_shop` to a database that SQL can make a table in. `make up` brings one; elsewhere, with
apache-airflow-providers-sqlite, this is enough:

    AIRFLOW_CONN_OMNI_SHOP='{"conn_type": "sqlite", "host": "/tmp/omni_shop.db"}'

With the simulator, the numbers' last two digits decide what becomes of the messages: the fourth person is reached
neither by LINE nor by SMS.
"""

from __future__ import annotations

import tempfile
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, BaseHook, Param, task

from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendBatchOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator

DATABASE = "omni_shop"
SHIPPED = [
    (1, "41793026727", "Ann"),
    (2, "41793026740", "Bo"),
    (3, "41793026731", "Cem"),
    (4, "41793026742", "Dora"),
]
# One ledger for each run. Where there are several machines: a URL, such as s3://aws_default@my-bucket/ledgers
LEDGER = "{{ params.ledgers }}/{{ dag.dag_id }}/{{ run_id }}"

with DAG(
    "omni_etl_batch",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
    params={"ledgers": Param(f"{tempfile.gettempdir()}/omni-ledgers", type="string")},
) as dag:

    @task
    def load() -> None:
        """Stand for the steps that make the table."""
        database = BaseHook.get_hook(DATABASE)
        database.run("DROP TABLE IF EXISTS shipped")
        database.run("CREATE TABLE shipped (order_id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
        database.insert_rows("shipped", SHIPPED, target_fields=["order_id", "phone", "name"])

    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )

    send = SqlToOmniOperator(
        task_id="send",
        conn_id=DATABASE,
        sql="SELECT order_id, phone, name FROM shipped",
        scenario_key=scenario.output,
        key_field="order_id",  # outcomes are listed under it; two orders of one person are two messages
        line={"type": "TEXT", "text": "{name}, order {order_id} is on its way.", "validityPeriod": 5},
        sms={"text": "{name}, order {order_id} is on its way.", "validityPeriod": 60},
        ledger_path=f"{LEDGER}/first",
        max_recipients=100_000,
        retries=3,
    )

    delivered = OmniDeliverySensor(
        task_id="delivered",
        receipt=send.output,
        success_when="finished",  # every outcome is known, whichever
        deferrable=True,
        poke_interval=5,
    )

    again = OmniSendBatchOperator(
        task_id="again",
        recipients=unreached(f"{LEDGER}/first"),  # without those whom the same would not reach for good
        scenario_key=scenario.output,
        key_field="order_id",
        sms={"text": "{name}, we could not reach you before: order {order_id} is on its way.", "validityPeriod": 60},
        ledger_path=f"{LEDGER}/second",
        retries=3,
    )

    delivered_again = OmniDeliverySensor(
        task_id="delivered_again", receipt=again.output, success_when="finished", deferrable=True, poke_interval=5
    )

    load() >> send
    delivered >> again
