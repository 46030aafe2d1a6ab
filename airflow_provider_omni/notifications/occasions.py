"""Read the occasion of an alert, and the chance that it is a repeat, from the context of Airflow's callback.

A callback's context differs between the processes that may run it:

* the worker: a `ti` with its start, and the `exception` of a failure;
* the DAG processor, for a task whose worker was lost: a `ti` without start, state and loop, and no `exception`;
* the DAG processor, for a DAG: the `ti` of one of its tasks and a `reason`, or no `ti` at all;
* a triggerer, or an executor's worker, for a deadline: `dag_run` and `deadline` as plain JSON.

One alert must get one name in all of them.
"""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from airflow_provider_omni.operators.keys import alert_iteration, public_map_index

TRY, TASK, RUN = "try", "task", "run"
DEDUPE = (TRY, TASK, RUN)
AGAIN_AFTER = 900.0
"""Seconds after which an alert of a DAG's own callback is another one, if Airflow does not tell a cleared run from the
run before its clear.
"""

KNOWN_TO_ONE = ("start_date", "end_date", "duration", "hostname", "pid")
"""Members of a task instance that only one of the processes knows; so is the exception."""
LOG_URL = "log_url"
LOST = "not known (the task's process was lost)"


@dataclass(frozen=True)
class Occasion:
    """The occasion of an alert.

    :param names: names that tell the occasion from every other, as JSON. The content, or its templates, are added to
        them.
    :param by_template: True if all alerts about it from one set of templates are one alert, whatever they render to.
    :param again_after: seconds after which these names mean another occasion; None for never.
    """

    names: tuple[Any, ...]
    by_template: bool = False
    again_after: float | None = None


def occasion_of(context: Mapping[str, Any], dedupe: str = TRY) -> Occasion:
    """Return the occasion of a callback.

    :param context: Airflow's context.
    :param dedupe: `try`: each try of each task. `task`: a task of a run, with all its tries, mapped copies and
        iterations. `run`: a DAG run, with all its tasks. After a clear, which raises the run's `clear_number`, a task
        and a run are another occasion.
    """
    if dedupe == TRY:
        return _each_time(context)
    dag_id, run_id = _run_of(context)
    if dag_id is None and run_id is None:
        return _each_time(context)
    about = _about_task(context) if dedupe == TASK else []
    return Occasion(("notification", dedupe, dag_id, run_id, *about, *_clears(context)), by_template=True)


def cannot_be_repeat(context: Mapping[str, Any], now: float, alive_for: float, lost_after: float) -> bool:
    """Return True if this is surely the first run of a callback about a try: the worker's own, before anybody can have
    taken the worker for dead.

    :param context: Airflow's context.
    :param now: seconds since the epoch.
    :param alive_for: seconds that this process has lived at least, by a clock that does not step.
    :param lost_after: seconds without a heartbeat after which Airflow takes a worker for dead. A task that began more
        recently, by both clocks, cannot have been without a heartbeat for so long.
    """
    ti = _ti(context)
    finished = str(getattr(ti, "state", None) or "").rpartition(".")[2].lower() in ("success", "skipped")
    if "reason" in context or not (isinstance(context.get("exception"), BaseException) or finished):
        return False
    began = getattr(getattr(ti, "start_date", None), "timestamp", None)
    return began is not None and 0.0 <= now - began() < lost_after and alive_for < lost_after


def completed(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the context, completed by the values that the DAG processor leaves out for a task whose worker was lost.
    Then a text about the task says what the worker's would have said.
    """
    ti = _ti(context)
    lost = ti is not None and getattr(ti, "start_date", None) is None and getattr(ti, "state", None) is None
    if not lost or "exception" in context or "reason" in context:
        return context
    full: dict[str, Any] = {**dict(context.items()), "exception": LOST}
    if (most := getattr(ti, "max_tries", None)) is not None:
        with contextlib.suppress(Exception):  # a task instance of another kind: its text says "None"
            ti = copy.copy(ti)
            ti.state = "up_for_retry" if ti.try_number <= most else "failed"
            full |= {name: ti for name in ("ti", "task_instance") if name in full}
    iteration = alert_iteration(context)
    if iteration and "loop" not in full and isinstance(iteration[1], int):
        full["loop"] = SimpleNamespace(index=iteration[1])
    return full


def known_to_all(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the context that every process knows that may run the callback: each can name the alert."""
    shared = {name: value for name, value in context.items() if name != "exception"}
    return shared | {name: _KnownToAll(shared[name]) for name in ("ti", "task_instance") if shared.get(name)}


class _KnownToAll:
    """A task instance without the members that only one process knows."""

    def __init__(self, ti: Any) -> None:
        self._ti = ti

    def __getattr__(self, name: str) -> Any:
        # A member that is made from other members is known to all. On Airflow 3.0 the log's address is not.
        made = isinstance(getattr(type(self._ti), name, None), property)
        if name in KNOWN_TO_ONE or (name == LOG_URL and not made):
            raise AttributeError(name)
        return getattr(self._ti, name)


def subject_of(context: Mapping[str, Any]) -> str:
    """Return a few words for the occasion, to replace missing words of the alert: ids only."""
    ti = _ti(context)
    dag_id, run_id = _run_of(context)
    if ti is not None:
        index = public_map_index(ti)
        where = f"{dag_id}.{ti.task_id}" + (f"[{index}]" if index >= 0 else "")
        return f"{where}, try {getattr(ti, 'try_number', '?')}, run {run_id}"
    return f"{dag_id}, run {run_id}" if dag_id or run_id else "a DAG"


def ids_of(context: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return the ids of DAG, run and task of the occasion; None for what the context does not say.

    A DAG's own callback names no task: the one that it comes with is any of the run's.
    """
    return (*_run_of(context), None if "reason" in context else _member(_ti(context), "task_id"))


def _each_time(context: Mapping[str, Any]) -> Occasion:
    ti = _ti(context)
    if ti is not None:
        about = [ti.dag_id, ti.run_id, ti.task_id, public_map_index(ti), ti.try_number]
        # A DAG's own callback comes with one of its tasks, which a clear may have left unchanged.
        clears = _clears(context) if "reason" in context else []
        return Occasion(("notification", *about, *alert_iteration(context), *clears))
    run, deadline = context.get("dag_run"), context.get("deadline")
    names = [
        _member(run, "dag_id"),
        _member(run, "run_id"),
        _member(deadline, "id"),
        _member(deadline, "deadline_time"),
    ]
    if any(names):
        return Occasion(("notification", *(str(name) for name in names)))
    dag_id, run_id = _run_of(context)
    if dag_id is not None and run_id is not None:
        return Occasion(("notification", dag_id, run_id), again_after=AGAIN_AFTER)
    return Occasion(("notification", str(uuid.uuid4())))


def _about_task(context: Mapping[str, Any]) -> list[Any]:
    ti = _ti(context)
    if ti is not None:
        return [ti.task_id]
    return [str(_member(context.get("deadline"), "id"))]


def _run_of(context: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return DAG id and run id, wherever the context has them."""
    sources = (_ti(context), context.get("dag_run"), context.get("dag"))
    dag_id = next((found for each in sources if (found := _member(each, "dag_id"))), None)
    run_id = next((found for each in sources[:2] if (found := _member(each, "run_id"))), None)
    return dag_id, run_id or context.get("run_id")


def _clears(context: Mapping[str, Any]) -> list[Any]:
    number = _member(context.get("dag_run"), "clear_number")
    return ["clear", number] if isinstance(number, int) and number > 0 else []


def _ti(context: Mapping[str, Any]) -> Any:
    return context.get("ti") or context.get("task_instance")


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
