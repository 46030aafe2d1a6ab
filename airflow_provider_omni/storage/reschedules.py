"""The begin of a sensor in reschedule mode. Airflow knows it; each release line is asked in another way."""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import Any


def first_poke_at(context: Any, retries: int) -> datetime | None:
    """Return the time at which the first poke since the task was last cleared began; None if this poke is the first."""
    ti = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        began: datetime | None = ti.get_first_reschedule_date(context)
    else:
        module: Any = importlib.import_module("airflow.sensors.base")  # Airflow 2.11
        first_try = (ti.max_tries or 0) - retries + 1
        began = module._orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, first_try)
    return began
