"""Send a LINE message with SMS failover to two people, and wait until it is known what became of it.

With the simulator's default numbers the first gets it on LINE; the second is not on LINE, and gets the SMS.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

with DAG(
    "omni_line_sms",
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
    )

    delivered = OmniDeliverySensor(
        task_id="delivered",
        receipt=send.output,
        success_when="all",
        deferrable=True,  # waits in the triggerer: no worker is held
        poke_interval=5,
    )
