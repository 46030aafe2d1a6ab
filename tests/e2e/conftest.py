"""One real Airflow with a simulator for all e2e tests of a session.

Tests share it, so each makes runs of its own and looks at its own numbers only; a test that kills or freezes a part
brings it back. See dev/airflow_stack.py for what it can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.airflow_stack import AirflowStack

EXAMPLE_DAGS = Path(__file__).resolve().parents[2] / "airflow_provider_omni" / "example_dags"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """The running stack. Its DAG files are the example DAGs."""
    stack = AirflowStack(tmp_path_factory.mktemp("stack"), EXAMPLE_DAGS)
    stack.start("omni_line_sms")
    yield stack
    stack.stop()
