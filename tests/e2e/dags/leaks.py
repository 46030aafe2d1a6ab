"""A DAG for the test of leaks: numbers and texts come in every way there is, and some tasks fail with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from people import LEAKING, LINE_VALIDITY, SAID, SCENARIO

from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

VALIDITY = {"validityPeriod": LINE_VALIDITY, "validityPeriodTimeUnit": "SECONDS"}
MESSAGE: dict[str, Any] = {
    "scenario_key": SCENARIO,
    "flow": ["LINE", "SMS"],
    "line": {"type": "TEXT", "text": "Dear {{ said.name }}"} | VALIDITY,
    "sms": {"text": "Dear {{ said.name }}, your code is {{ said.code }}"} | VALIDITY,
    "callback_data": "{{ said.code }}",
    "notify_url": "http://127.0.0.1:9/{{ said.token }}",
}

with DAG(
    "leaking",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    user_defined_macros={"people": lambda task: LEAKING[task.task_id], "said": SAID},
):
    sent = OmniSendMessageOperator(task_id="send", to=LEAKING["send"], **MESSAGE)
    OmniDeliverySensor(task_id="wait", receipt=sent.output, deferrable=True, poke_interval=1)
    OmniSendMessageOperator(task_id="rendered", to="{{ people(task) }}", **MESSAGE)
    OmniSendMessageOperator.partial(task_id="mapped", **MESSAGE).expand(to=LEAKING["mapped"])
    OmniSendMessageOperator(
        task_id="refused",
        to=LEAKING["refused"],
        on_failure_callback=OmniNotifier(
            scenario_key=SCENARIO, to=LEAKING["told"], sms="It failed for {{ said.name }}."
        ),
        **MESSAGE,
    )
    OmniSendMessageOperator(task_id="unusable", to=LEAKING["unusable"], **MESSAGE)
