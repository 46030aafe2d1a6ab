"""A wait in the triggerer of Airflow 3.1, whose supervisor is asked from threads, by `async_to_sync`."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.airflow_stack import AirflowStack
from dev.database import airflow_version

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".venv-airflow-3.1" / "bin" / "python"
DAG_ID = "omni_line_sms"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """A stack of Airflow 3.1; `make .venv-airflow-3.1/.ready` makes what it runs from."""
    dags = tmp_path_factory.mktemp("dags-3.1")
    shutil.copy(REPOSITORY / "example_dags" / f"{DAG_ID}.py", dags)
    stack = AirflowStack(tmp_path_factory.mktemp("stack-3.1"), dags, python=str(PYTHON))
    stack.start(DAG_ID)
    yield stack
    stack.stop()


def test_a_deferred_wait_on_airflow_3_1_keeps_its_journal_and_its_triggerer_lives(older: AirflowStack) -> None:
    assert airflow_version(str(PYTHON)).startswith("3.1.")
    run_id = older.api.trigger(DAG_ID)

    assert older.wait_for_run(DAG_ID, run_id, timeout=180) == "success", older.describe_run(DAG_ID, run_id)

    summary = older.api.xcom(DAG_ID, run_id, "delivered")
    assert (summary["delivered"], summary["by_channel"]) == (2, {"LINE": 1, "SMS": 1})
    keys = [key for key in older.api.xcom_keys(DAG_ID, run_id, "delivered") if key.startswith("omni_journal_")]
    assert any("SMS" in json.dumps(older.api.xcom(DAG_ID, run_id, "delivered", key)) for key in keys)
    assert not older.processes.dead()
    accepted = older.simulator.record("acceptances")["acceptances"]
    assert Counter(one["to"] for one in accepted) == Counter({"41793026727": 1, "41793026740": 1})
    text = "\n".join(text for _, text in older.logs())
    assert "The journal could not be" not in text
    assert "XCom not found" not in text
    assert "attached to a different loop" not in text
