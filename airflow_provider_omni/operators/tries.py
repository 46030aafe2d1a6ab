"""What is known of a task's earlier tries, beside what they have written down. Reads the context; decides nothing.

A record says what was posted. Where there is none, either nothing was posted, or it was and nobody can tell: these
functions tell the two apart.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.effects import Memory


def is_surely_first(context: Any, memory: Memory) -> bool:
    """Whether no earlier try of this task can have posted anything, if there is no record of it.

    So in the first try; and in every later one that can read what the earlier ones had to write before they posted.
    Not after a clear: Airflow may have thrown away what was written (3.4 does).
    """
    return context["ti"].try_number == 1 or (memory.durable and _never_cleared(context))


def is_recallable(context: Any, memory: Memory) -> bool:
    """Whether what earlier tries had to write down can be read: then an empty record means that nothing was posted.

    Airflow 3.3 keeps a task's state over a clear; later lines may not.
    """
    return memory.durable and (_never_cleared(context) or _airflow() < (3, 4))


def first_try_at(context: Any, memory: Memory) -> float | None:
    """A time before which no try of this task can have posted, seconds since the epoch; None if that is not known."""
    if is_surely_first(context, memory):
        return time.time()
    run = context.get("dag_run")
    # A clear moves the start of the run, but not when the run was due.
    names = ("start_date",) if _never_cleared(context) else ("run_after", "data_interval_end")
    known = [moment.timestamp() for name in names if (moment := getattr(run, name, None)) is not None]
    return known[0] if known and known[0] <= time.time() else None


def _airflow() -> tuple[int, int]:
    from airflow import __version__

    major, minor = __version__.split(".")[:2]
    return int(major), int(minor)


def _never_cleared(context: Any) -> bool:
    return getattr(context.get("dag_run"), "clear_number", None) == 0
