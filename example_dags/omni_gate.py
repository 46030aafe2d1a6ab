"""Go on only when people know: load a table, tell its owner, and branch on whether the message arrived.

`41793026727` gets it; try `41793026743` as the parameter `to`, whom neither LINE nor SMS reaches.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

with DAG(
    "omni_gate",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
    params={"to": Param("41793026727", type="string")},
) as dag:

    @task
    def load() -> int:
        """Stand for the work that the message is about."""
        return 42

    @task
    def publish() -> None:
        """Run only when the owner was told."""

    @task(trigger_rule="all_skipped")
    def open_ticket() -> None:
        """Run only when the owner could not be told."""

    rows = load()

    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )

    text = "{{ ti.xcom_pull('load') }} rows were loaded and will be published now."
    tell = OmniSendMessageOperator(
        task_id="tell",
        scenario_key=scenario.output,
        to="{{ params.to }}",
        line={"type": "TEXT", "text": text},
        sms={"text": text},
    )

    told = OmniDeliverySensor(
        task_id="told",
        receipt=tell.output,
        soft_fail=True,  # not delivered: this task is skipped, and so is publish
        deferrable=True,
        poke_interval=5,
    )

    rows >> tell
    told >> [publish(), open_ticket()]
