"""Callbacks that Airflow's own code runs, in worker, DAG processor and triggerer: one message for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from airflow.api_fastapi.execution_api.datamodels import taskinstance as known
from airflow.callbacks.callback_requests import TaskCallbackRequest
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.processor import _execute_task_callbacks
from airflow.sdk.api.datamodels._generated import TIRunContext
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance, _run_task_state_change_callbacks
from airflow.triggers.callback import CallbackTrigger

from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY

TEXT = "{{ ti.task_id }} {{ ti.state }} in {{ dag.dag_id }}, {{ run_id }}: {{ exception }} {{ ti.log_url }}"
DAG_FILE = f"""
from airflow.sdk import dag, task
from airflow_provider_omni.notifications.omni import OmniNotifier

tell = OmniNotifier(scenario_key="{SOURCE_SCENARIO_KEY}", to="41793026727", sms="{TEXT}")

@dag(schedule=None)
def nightly():
    @task(on_failure_callback=tell)
    def load():
        raise ValueError("boom")
    load()

nightly()
"""


@pytest.fixture
def vendor(account: RunningSimulator) -> RunningSimulator:
    """One who takes whatever is posted."""
    account.configure(duplicates="accept")
    return account


@pytest.fixture
def dags(tmp_path: Path) -> DagBag:
    (tmp_path / "nightly.py").write_text(DAG_FILE)
    bag = DagBag(str(tmp_path))
    assert not bag.import_errors
    return bag


def of_run() -> dict[str, Any]:
    """The server's words about the run and the try."""
    now = datetime.now(UTC)
    times = dict.fromkeys(("logical_date", "run_after", "start_date", "data_interval_start", "data_interval_end"), now)
    run = known.DagRun.model_validate(
        {"dag_id": "nightly", "run_id": "run", "run_type": "manual", "state": "running", "end_date": None, "conf": {}}
        | times
        | {"clear_number": 0, "consumed_asset_events": [], "partition_key": None}
    )
    ids = {"id": uuid4(), "task_id": "load", "dag_id": "nightly", "run_id": "run", "dag_version_id": uuid4()}
    return {"ti": known.TaskInstance.model_validate(ids | {"try_number": 1, "map_index": -1}), "run": run}


def in_dag_processor(dags: DagBag, told: dict[str, Any]) -> None:
    context = known.TIRunContext(dag_run=told["run"], max_tries=0, variables=[], connections=[], xcom_keys_to_clear=[])
    request = TaskCallbackRequest(
        filepath="nightly.py", bundle_name="b", bundle_version=None, ti=told["ti"], context_from_server=context
    )
    _execute_task_callbacks(dags, request, structlog.get_logger())


def in_worker(dags: DagBag, told: dict[str, Any]) -> None:
    task = dags.dags["nightly"].get_task("load")
    ti = RuntimeTaskInstance.model_construct(
        **told["ti"].model_dump(),
        task=task,
        _ti_context_from_server=TIRunContext.model_construct(dag_run=told["run"], max_tries=0),
        start_date=datetime.now(UTC) - timedelta(hours=1),
        state="failed",
    )
    context = ti.get_template_context()
    context["exception"] = ValueError("boom")
    _run_task_state_change_callbacks(task, "on_failure_callback", context, structlog.get_logger())


@pytest.mark.parametrize("order", [(in_worker, in_dag_processor), (in_dag_processor, in_worker)])
def test_worker_and_dag_processor_of_a_real_airflow_alert_once(
    vendor: RunningSimulator, dags: DagBag, order: Any
) -> None:
    told = of_run()
    for run_callback in order:
        run_callback(dags, told)
    (message,) = vendor.record.messages
    assert message.content.by_channel["SMS"]["text"].startswith("load failed in nightly, run: ")


async def test_a_deadline_whose_trigger_runs_again_alerts_once(vendor: RunningSimulator) -> None:
    for _ in range(2):
        trigger = CallbackTrigger(
            "airflow_provider_omni.notifications.omni.OmniNotifier",
            {
                "scenario_key": SOURCE_SCENARIO_KEY,
                "to": "41793026727",
                "sms": "{{ dag_run.run_id }} is late",
                "context": {
                    "dag_run": {"dag_id": "nightly", "run_id": "run"},
                    "deadline": {"id": "d", "deadline_time": "2026-11-27T10:00:00Z"},
                },
            },
        )
        events = [event.payload["state"] async for event in trigger.run()]
        assert events == ["running", "success"]
    (message,) = vendor.record.messages
    assert message.content.by_channel["SMS"]["text"] == "run is late"
