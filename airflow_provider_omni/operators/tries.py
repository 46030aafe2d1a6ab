"""What is known of a task's earlier tries, beside what they have written down. Reads the context; decides nothing.

A record says what was posted. Where there is none, either nothing was posted, or it was and nobody can tell: these
functions tell the two apart.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.operators.keys import loop_index

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.effects import Memory


def is_surely_first(context: Any, memory: Memory) -> bool:
    """Whether no earlier try of this task can have posted anything, if there is no record of it.

    So in the first try; and in every later one that can read what the earlier ones had to write before they posted.
    Not after a clear: Airflow may have thrown away what was written (3.4 does). A clear of a loop's iteration makes the
    later ones anew, too: what has sent, and its state, is put aside, and another task instance has the first try.
    """
    first = context["ti"].try_number == 1 and not (_may_be_made_anew(context) and not _never_cleared(context))
    return first or (memory.durable and _never_cleared(context))


def is_recallable(context: Any, memory: Memory) -> bool:
    """Whether what earlier tries had to write down can be read: then an empty record means that nothing was posted.

    Airflow 3.3 keeps a task's state over a clear; later lines may not.
    """
    kept = _airflow() < (3, 4) and not _may_be_made_anew(context)
    return memory.durable and (_never_cleared(context) or kept)


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


def _may_be_made_anew(context: Any) -> bool:
    """Whether a clear of another task instance makes this one anew: in loops, and in what is mapped over since a clear
    (Airflow 3.4).
    """
    region = str(getattr(context["ti"], "region_id", None) or "")
    return loop_index(context) is not None or bool(region.strip("0-"))


def _never_cleared(context: Any) -> bool:
    return getattr(context.get("dag_run"), "clear_number", None) == 0
