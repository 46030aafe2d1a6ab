"""Functions that make what is sent, and an asset that says when it was delivered.

`omni_when_delivered` runs after it. With the simulator's fates one customer gets it on LINE, and one by SMS.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator

CUSTOMERS_TOLD = Asset("x-shop://customers/told")

with DAG(
    "omni_taskflow",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
) as dag:
    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )

    @task.omni_batch(
        scenario_key=scenario.output,
        line={"type": "TEXT", "text": "Dear {name}, your order {order} is packed.", "validityPeriod": 5},
        sms={"text": "Dear {name}, your order {order} is packed.", "validityPeriod": 60},
        key_field="order",  # tells people apart, in every try and whatever the order of the rows
        wait_for_delivery=True,
        deferrable=True,
        poke_interval=5,
        outlets=[CUSTOMERS_TOLD],  # an event of the asset: everybody got it
    )
    def tell_customers(ds: Any = None) -> Iterator[dict[str, str]]:
        """Yield who is told what: pages of an API, lines of a file. A retry calls it again, and sends nobody twice."""
        for order, (phone, name) in enumerate([("41793026727", "Ann"), ("41793026740", "Ben")]):
            yield {"phone": phone, "name": name, "order": f"{ds}-{order}"}

    @task.omni_send(scenario_key=scenario.output, to="41793026731", line={"validityPeriod": 5}, sms={})
    def tell_the_shop(receipt: Any) -> str:
        """Return the text. What was returned is no template, and Airflow shows it nowhere."""
        return f"{receipt['delivery']['delivered']} customers know that their orders are packed."

    tell_the_shop(tell_customers())
