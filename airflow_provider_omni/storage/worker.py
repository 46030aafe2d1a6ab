"""The memory of a worker: the best that this Airflow offers."""

from __future__ import annotations

from typing import Any

from airflow_provider_omni.delivery.effects import Memory
from airflow_provider_omni.storage.process import ProcessMemory
from airflow_provider_omni.storage.task_state import TaskStateMemory


def worker_memory(context: Any) -> Memory:
    """Return the task state store of this task on Airflow ≥ 3.3, else memory that ends with the process."""
    store = context.get("task_state_store")
    return ProcessMemory() if store is None else TaskStateMemory(store)
