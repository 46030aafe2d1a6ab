"""Names of sends for which the user gives none, made from a task's context. Every try of a task makes an equal name.

Every copy of a task that Airflow runs on its own is another send: each copy of a mapped task, and each iteration of a
task-group loop (Airflow 3.4). All iterations share DAG id, run id, task id and map index, so without the iteration in
the key every send but the first would be to nobody. The key has `loop.index`; the region's id, by which Airflow itself
tells iterations apart, changes with a clear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_omni.omni.problems import unexpected

LOOP = "loop"


def default_key(context: Mapping[str, Any]) -> str:
    """Return the name of a send: equal in every try, another in every run, mapped task and iteration of a loop."""
    ti = context["ti"]
    return json.dumps([ti.dag_id, ti.run_id, ti.task_id, public_map_index(ti), *_iteration(context)])


def shared_key(context: Mapping[str, Any]) -> str:
    """Return the name of a batch in shards. All shards make an equal one, however they are mapped."""
    ti = context["ti"]
    return json.dumps([ti.dag_id, ti.run_id, ti.task_id, *_iteration(context)])


def refuse_without_a_task(context: Any) -> None:
    """Raise OmniInputError for a context that is not that of a running task, such as an empty dict."""
    if isinstance(context, Mapping) and context.get("ti") is not None:
        return
    from airflow_provider_omni.omni.errors import OmniInputError

    raise OmniInputError(
        "Only a running task can do this; nothing was sent.",
        problems=(
            unexpected(
                "context",
                "no task instance (ti) in it",
                "what Airflow gives to a running task. Use dag.test() to try a DAG, or OmniHook in code of your own",
            ),
        ),
    )


def refuse_within_another_task(task_id: str, context: Mapping[str, Any]) -> None:
    """Raise OmniInputError if an operator's `execute` was called by the function of another task.

    Key and record belong to the running task. So a second send there, in a Python loop, would be taken for a repeat of
    the first: its recipients get nothing, and the receipt says "accepted".
    """
    running = getattr(context.get("task"), "task_id", task_id)
    if running == task_id:
        return
    from airflow_provider_omni.omni.errors import OmniInputError

    raise OmniInputError(
        "The send cannot run within another task; nothing was sent.",
        problems=(
            unexpected(
                "task_id",
                f"{task_id!r} within the task {running!r}",
                "a task of the DAG: what was sent is remembered by task, and a second send there would count as "
                "a repeat of the first. Use .expand(…) for a task each, or OmniHook.send_advanced, which "
                "remembers nothing",
            ),
        ),
    )


def loop_index(context: Mapping[str, Any]) -> int | None:
    """Return the iteration of the task-group loop that this task runs in, from 0; None outside of loops."""
    index = getattr(context.get(LOOP), "index", None)
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def alert_iteration(context: Mapping[str, Any]) -> list[Any]:
    """Return the part of an alert's name that tells iterations apart, equal in every process that may run the callback.

    Not all of these processes know the loop. They all know the index of a task that is not mapped, and the region of a
    task that is mapped within an iteration.
    """
    ti = context.get("ti") or context.get("task_instance")
    region = str(getattr(ti, "region_id", None) or "")
    in_region = bool(region.strip("0-"))
    index = loop_index(context)
    if in_region and public_map_index(ti) >= 0:
        return [LOOP, region]
    if index is None and in_region:
        index = getattr(ti, "region_index", None)
    return [] if index is None else [LOOP, index]


def public_map_index(ti: Any) -> int:
    """Return the map index; -1 if the task is not mapped, as in older versions of Airflow."""
    index: int | None = getattr(ti, "map_index", None)
    return -1 if index is None else index


def warning_about_own_key(context: Mapping[str, Any], key: object) -> str | None:
    """Return a warning if the user's own key may be equal in all iterations: only the first would send. Else None."""
    index = loop_index(context)
    if index is None or re.search(rf"(?<![0-9]){index}(?![0-9])", str(key)):
        return None
    return (
        f"This is iteration {index} of a loop, and the idempotency_key of your own does not say so: iterations with "
        "the same key are one send, and only the first of them sends. Put {{ loop.index }} into it."
    )


def _iteration(context: Mapping[str, Any]) -> list[Any]:
    """Return the part of a key that tells iterations apart. Empty outside of loops, where ids must never change."""
    index = loop_index(context)
    return [] if index is None else [LOOP, index]
