"""Contexts of callbacks as Airflow's processes make them, and a vendor who takes every message that is posted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY


def notifier(**arguments: Any) -> OmniNotifier:
    """An alert to one person, by SMS."""
    return OmniNotifier(**{"scenario_key": SOURCE_SCENARIO_KEY, "to": "41793026727"} | arguments)


def run_of(clear_number: int = 0) -> SimpleNamespace:
    """The DAG run of all these contexts."""
    return SimpleNamespace(dag_id="dag", run_id="run", clear_number=clear_number)


def worker(
    *, began: float = 3600.0, exception: BaseException | None = None, clear_number: int = 0, **ti: Any
) -> dict[str, Any]:
    """The context that the worker gives to a callback of a failed task that began so many seconds ago."""
    known = {
        "dag_id": "dag",
        "run_id": "run",
        "task_id": "load",
        "map_index": -1,
        "try_number": 1,
        "max_tries": 0,
        "state": "failed",
        "start_date": datetime.now(UTC) - timedelta(seconds=began),
        "hostname": "worker-7",
    }
    return {
        "ti": (instance := SimpleNamespace(**known | ti)),
        "task_instance": instance,
        "dag_run": run_of(clear_number),
        "run_id": "run",
        "exception": exception or ValueError("boom"),
    }


def processor(**ti: Any) -> dict[str, Any]:
    """The context of the same callback in the DAG processor, after the worker was lost: no start, no exception."""
    made = worker(**{"state": None} | ti)
    instance = made["ti"]
    del instance.start_date, made["exception"]
    instance.hostname = None
    return made


def deadline() -> dict[str, Any]:
    """The context that a triggerer gets for a deadline alert: plain JSON."""
    return {
        "dag_run": {"dag_id": "dag", "run_id": "run"},
        "deadline": {"id": "d", "deadline_time": "2026-11-27T10:00:00Z"},
    }


def messages(account: RunningSimulator) -> list[str]:
    """The ids of all messages that the vendor has taken."""
    return [each.message_id for each in account.record.acceptances]


def texts(account: RunningSimulator, channel: str = "SMS") -> list[str | None]:
    """The texts that were sent on a channel, message for message; None for nothing."""
    return [each.content.by_channel.get(channel, {}).get("text") for each in account.record.messages]


def calls(account: RunningSimulator) -> list[str]:
    """The calls that were made."""
    return [call.name for call in account.record.calls]
