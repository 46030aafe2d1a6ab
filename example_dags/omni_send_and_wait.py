"""Send, and wait in the same task: most DAGs need no sensor.

With the simulator's default numbers the first gets it on LINE; the second is not on LINE, and gets the SMS.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendMessageOperator

with DAG(
    "omni_send_and_wait",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
    params={"to": Param(["41793026727", "41793026740"], type="array", items={"type": "string"})},
) as dag:
    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )

    send = OmniSendMessageOperator(
        task_id="send",
        scenario_key=scenario.output,
        to="{{ params.to }}",
        line={"type": "TEXT", "text": "Your parcel is here.", "validityPeriod": 5},  # minutes until the SMS goes out
        sms={"text": "Your parcel is here.", "validityPeriod": 60},
        wait_for_delivery=True,  # the task fails if somebody cannot be reached
        success_when="all",
        deferrable=True,  # no worker is held while it waits
        poke_interval=5,
    )

    @task
    def report(receipt: Any) -> str:
        """Say how many got it, and how."""
        delivery = receipt["delivery"]
        return f"{delivery['delivered']} of {delivery['total']} delivered: {delivery['by_channel']}"

    report(send.output)
