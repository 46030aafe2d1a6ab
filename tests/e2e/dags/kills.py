"""DAGs for the tests that kill and freeze processes. Everything is quick; retries come after a second."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from people import FROZEN, KILLED, LINE_VALIDITY, SCENARIO, WAITED, bulk_of, messages_of, people_of

from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

FLOW = ["LINE", "SMS"]
READS_SCENARIO = ("killed_before_intent", "frozen_before_first_intent")
"""These do not know the flow, so that they can be caught before they write anything."""


def dag(dag_id: str) -> DAG:
    """Return an empty DAG."""
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    )


def send(dag_id: str, **arguments: Any) -> OmniSendMessageOperator:
    """Return a task that sends to the DAG's people."""
    validity = {"validityPeriod": LINE_VALIDITY, "validityPeriodTimeUnit": "SECONDS"}
    return OmniSendMessageOperator(
        task_id="send",
        scenario_key=SCENARIO,
        to=people_of(dag_id),
        line={"type": "TEXT", "text": f"Hello from {dag_id}"} | validity,
        sms={"text": f"Hello from {dag_id}"} | validity,
        flow=None if dag_id in READS_SCENARIO else FLOW,
        log_grace=1,
        **arguments,
    )


for name in (*KILLED, *FROZEN):
    with dag(name):
        send(name, omni_conn_id="omni_quick")

with dag("restarted"):
    receipt = send("restarted", omni_conn_id="omni_patient").output
    OmniDeliverySensor(task_id="wait", receipt=receipt, deferrable=True, poke_interval=1)

with dag("sends_and_waits"):
    send("sends_and_waits", omni_conn_id="omni_patient", wait_for_delivery=True, deferrable=False, poke_interval=1)

for name in WAITED:
    with dag(name):
        OmniDeliverySensor(
            task_id="wait",
            receipt={
                "flow": FLOW,
                "bulks": [{"bulk_id": bulk_of(name), "messages": 2}],
                "message_ids": messages_of(name),
            },
            deferrable=True,
            poke_interval=1,
        )
