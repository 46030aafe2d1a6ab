"""The DAG of the test of several machines: one batch in shards, and a sensor for each.

Six shards on four slots, so that some still wait in the broker when a worker is lost. Runs inside Airflow.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendBatchOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

SHARDS = 6

with DAG("distributed_shards", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag:
    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )
    send = OmniSendBatchOperator.partial(
        task_id="send",
        scenario_key=scenario.output,
        recipients="{{ dag_run.conf['people'] }}",
        key_field="customer",
        ledger_path="{{ dag_run.conf['ledger'] }}",
        line={"type": "TEXT", "text": "Your parcel is here.", "validityPeriod": 5},
        sms={"text": "Your parcel is here.", "validityPeriod": 60},
        chunk_size=50,
        max_connections=2,
        log_grace=3,
        on_rejected="ignore",
    ).expand(shard=[f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)])
    OmniDeliverySensor.partial(task_id="delivered", success_when="finished", deferrable=True, poke_interval=2).expand(
        receipt=send.output
    )
