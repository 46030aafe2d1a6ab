"""A DAG that makes every metric: sends, waits in both modes, an alert that is lost on its way.

`test_metrics.py` starts it in a process of its own, with Airflow's metrics on.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.notifications import omni as notifications
from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.omni import rate_limits
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

PEOPLE = ["41793026727", "41793026740", "41793026743", "41793026706", "41793026727", "no number"]
"""LINE delivers, SMS delivers, neither, refused, the first one again, nobody."""
ALERTED = "41793026799"
"""The test has the request about this one lost."""
CONTENT: dict[str, Any] = {
    "scenario_key": "K",
    "flow": ["LINE", "SMS"],
    "line": {"type": "TEXT", "text": "Hello"},
    "sms": {"text": "Hello"},
}

with DAG(os.environ.get("DAG_ID", "metrics"), schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    batch = OmniSendBatchOperator(
        task_id="batch", recipients=PEOPLE, max_quarantined=1.0, on_rejected="ignore", **CONTENT
    )
    waits = [
        OmniDeliverySensor(
            task_id=f"wait_{number}",
            receipt=batch.output,
            success_when="finished",
            poke_interval=0.2,
            deferrable=bool(number),
        )
        for number in range(2)
    ]
    one = OmniSendMessageOperator(
        task_id="one",
        to="41793026727",
        wait_for_delivery=True,
        poke_interval=0.2,
        on_success_callback=OmniNotifier(scenario_key="K", to=ALERTED, sms="Done"),
        **CONTENT,
    )
    waits >> one


def main() -> None:
    """Run the DAG. Log queries have to wait for each other, and an alert gives up soon."""
    limiter: Any = rate_limits.WindowLimiter.__init__
    rate_limits.WINDOW, limiter.__defaults__ = 1.0, (1, *limiter.__defaults__[1:])
    notifications.PATIENCE = 1.0
    dag.test()


if __name__ == "__main__":
    main()
