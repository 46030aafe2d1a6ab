"""Runs whenever the customers of `omni_taskflow` were told: the asset's event has the counts of their delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

CUSTOMERS_TOLD = Asset("x-shop://customers/told")

with DAG(
    "omni_when_delivered",
    schedule=[CUSTOMERS_TOLD],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
) as dag:

    @task(inlets=[CUSTOMERS_TOLD])
    def hand_over_to_the_courier(inlet_events: Any = None) -> str:
        """Say how many got it, by the latest event. Who the event is from, and so its receipt, stands there, too."""
        events = inlet_events[CUSTOMERS_TOLD]
        if not len(events):
            return "Nobody was told yet."
        delivery = events[-1].extra["omni"]["delivery"]
        return f"{delivery['delivered']} of {delivery['total']} were told: {delivery['by_channel']}"

    hand_over_to_the_courier()
