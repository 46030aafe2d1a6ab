"""Send the five kinds of LINE message, each with the same SMS as failover, and wait for all of them.

One task per message: the texts differ, and a request has one content for all its recipients.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

PICTURE = "https://www.example.com/parcel.png"

MESSAGES = [
    {"type": "TEXT", "text": "Your parcel is here."},
    {"type": "IMAGE", "url": PICTURE, "thumbnailUrl": PICTURE},
    {"type": "AUDIO", "url": "https://www.example.com/parcel.m4a", "duration": 4000},  # milliseconds
    {"type": "VIDEO", "url": "https://www.example.com/parcel.mp4", "thumbnailUrl": PICTURE},
    {"type": "STICKER", "packageId": "1", "stickerId": "1"},
]

with DAG(
    "omni_media",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
    params={"to": Param("41793026727", type="string")},
) as dag:
    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )

    send = OmniSendMessageOperator.partial(
        task_id="send",
        scenario_key=scenario.output,
        to="{{ params.to }}",
        sms={"text": "Your parcel is here."},
    ).expand(line=MESSAGES)

    OmniDeliverySensor.partial(task_id="delivered", deferrable=True, poke_interval=5).expand(receipt=send.output)
