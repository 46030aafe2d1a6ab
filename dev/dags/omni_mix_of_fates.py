"""Send to a dozen people who meet a dozen fates: LINE, failover to SMS, slow, refused, out of reach, never heard of.

The simulator goes by the last two digits of a number (docs/simulator.md). The wait ends with success, since it asks for
"finished"; who has validity periods to wait for is pending for some minutes.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

FATES = ["27", "28", "40", "41", "42", "43", "49", "60", "61", "62", "10", "44"]
TEXT = "Your parcel is at the shop. Thank you, and see you soon!"

with DAG(
    "omni_mix_of_fates",
    description="A dozen people, a dozen fates",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni", "try me"],
    doc_md=__doc__,
) as dag:
    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )
    send = OmniSendMessageOperator(
        task_id="send",
        scenario_key=scenario.output,
        to=[f"4179{3027 + place:05d}{fate}" for place, fate in enumerate(FATES)],
        line={"type": "TEXT", "text": TEXT, "validityPeriod": 1},  # minutes until the SMS goes out
        sms={"text": TEXT, "validityPeriod": 5},
        on_rejected="ignore",
    )
    delivered = OmniDeliverySensor(
        task_id="delivered", receipt=send.output, success_when="finished", deferrable=True, poke_interval=5
    )
