"""A DAG that sends to many and waits, for the test that kills it. The run says where recipients and ledger are."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from people import LINE_VALIDITY, SCENARIO

from airflow_provider_omni.operators.omni import OmniSendBatchOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

VALIDITY = {"validityPeriod": LINE_VALIDITY, "validityPeriodTimeUnit": "SECONDS"}

with DAG(
    "crowd",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
):
    sent = OmniSendBatchOperator(
        task_id="send",
        scenario_key=SCENARIO,
        recipients="{{ dag_run.conf['people'] }}",
        key_field="customer",
        ledger_path="{{ dag_run.conf['ledger'] }}",
        flow=["LINE", "SMS"],
        line={"type": "TEXT", "text": "Hello"} | VALIDITY,
        sms={"text": "Hello"} | VALIDITY,
        max_connections=4,
        on_rejected="ignore",
        log_grace=1,
        omni_conn_id="omni_quick",
    )
    OmniDeliverySensor(task_id="wait", receipt=sent.output, success_when="finished", deferrable=True, poke_interval=1)
