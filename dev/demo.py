"""`make demo`: the main job on a real Airflow, from nothing, while a person watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_omni.omni.masking import mask_number
from dev.airflow_api import TERMINAL
from dev.airflow_stack import AirflowStack

DAG_ID = "omni_line_sms"
RUN_SECONDS = 240.0


def run_demo(folder: Path, dags: Path, say: Callable[[str], None]) -> bool:
    """Start everything, run the DAG, show what became of every message, stop everything; whether all went well."""
    stack = AirflowStack(folder, dags, say=say)
    stack.wipe()
    try:
        stack.start(DAG_ID)
        run_id = stack.api.trigger(DAG_ID)
        say(f"\nRunning the DAG {DAG_ID}")
        state = _watch(stack, run_id, say)
        if state != "success":
            say(stack.describe_run(DAG_ID, run_id))
        record = stack.simulator.record("acceptances", "refusals", "deliveries")
        say("\nWhat the simulator was asked to send, and what became of it")
        for line in outcome_table(record):
            say(f"  {line}")
        for task in stack.api.tasks(DAG_ID, run_id):
            summary = stack.api.xcom(DAG_ID, run_id, task.task_id)
            if isinstance(summary, dict) and "by_channel" in summary:
                say(f"\nWhat the task {task.task_id} returned")
                for line in summary_lines(summary):
                    say(f"  {line}")
        return state == "success"
    finally:
        say("\nStopping what was started")
        stack.stop()


def _watch(stack: AirflowStack, run_id: str, say: Callable[[str], None]) -> str:
    """Say every change of a task's state until the run has ended; how it ended."""
    began = time.monotonic()
    seen: dict[tuple[str, int], str | None] = {}

    def ended() -> str | None:
        state = stack.api.run_state(DAG_ID, run_id)
        for task in stack.api.tasks(DAG_ID, run_id):
            name = (task.task_id, task.map_index)
            if task.state is not None and seen.get(name) != task.state:
                seen[name] = task.state
                say(f"  {time.monotonic() - began:5.1f} s  {task.task_id:<24} {task.state}")
        return state if state in TERMINAL else None

    state = stack.wait_until(ended, f"the end of {DAG_ID}", RUN_SECONDS)
    say(f"  {time.monotonic() - began:5.1f} s  {'the whole run':<24} {state}")
    return state


def outcome_table(record: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A line for every message of the simulator's record, numbers masked: to whom, which, by which channel, when."""
    lines = [f"{'to':<14} {'message id':<38} outcome"]
    for accepted in record["acceptances"]:
        reached = [one for one in record["deliveries"] if one["message_id"] == accepted["message_id"]]
        how = [f"delivered by {one['channel']} after {one['at'] - accepted['at']:.1f} s" for one in reached]
        outcome = ", then ".join(how) or "not delivered"
        lines.append(f"{mask_number(accepted['to']):<14} {accepted['message_id']:<38} {outcome}")
    for refused in record["refusals"]:
        outcome = f"refused, status {refused['status_id']}"
        lines.append(f"{mask_number(refused['to']):<14} {refused['message_id']:<38} {outcome}")
    return lines


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The members of a sensor's summary that a person wants to see, one a line."""
    cost = ", ".join(f"{amount} {currency}" for currency, amount in summary["cost"].items())
    channels = ", ".join(f"{channel} {count}" for channel, count in summary["by_channel"].items())
    return [
        f"delivered {summary['delivered']} of {summary['total']}"
        f" (failed {summary['failed']}, pending {summary['pending']})",
        f"by channel: {channels or 'none'}",
        f"cost: {cost or 'none reported'}",
    ]
