"""One real Airflow with a simulator for all e2e tests of a session.

Its DAGs are the example DAGs, the README's DAG, and what lies in tests/e2e/dags. Tests share it, so each makes runs of
its own and looks at its own messages only; a test that kills or freezes a part brings it back. dev/airflow_stack.py
says what can be done with it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.airflow_stack import AirflowStack
from tests.e2e.dags.people import SENT, WAITED
from tests.e2e.scenes import ID_SECRET, PASSWORD

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
DAG_FOLDERS = [REPOSITORY / "example_dags", HERE / "dags"]
SECRET = {"id_secret": ID_SECRET}
README_DAG = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


LAST = ("test_kills_batch.py", "test_leaks.py")
"""The batch makes the simulator's record long, which all others read; leaks are looked for in what all have left."""

LIMIT = 600
"""Seconds for a test. The first one starts Airflow, and a module's story is played in front of its first test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests of this folder, and give them time."""
    mine = [item for item in items if HERE in item.path.parents]
    others = [item for item in items if HERE not in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.timeout(LIMIT))
    items[:] = others + sorted(mine, key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """The running stack."""
    dags = tmp_path_factory.mktemp("dags")
    for folder in DAG_FOLDERS:
        for file in folder.glob("*.py"):
            shutil.copy(file, dags)
    (code,) = README_DAG.findall((REPOSITORY / "README.md").read_text())
    (dags / "readme.py").write_text(code)
    stack = AirflowStack(
        tmp_path_factory.mktemp("stack"),
        dags,
        # Each part names itself in Airflow's tables, so that the tests know whom to kill.
        environment={"AIRFLOW__CORE__HOSTNAME_CALLABLE": "dev.machine.name"},
        password=PASSWORD,
        connection_extra=SECRET,
        connections={
            "omni_quick": SECRET | {"connect_timeout": 2, "read_timeout": 5},
            "omni_patient": SECRET | {"connect_timeout": 2, "read_timeout": 300},
        },
        # The worst vendor: it takes a message id as often as it comes.
        simulator_options=("--switch", "source_scenario=true", "--duplicates", "accept"),
    )
    examples = ("omni_line_sms", "omni_send_and_wait", "omni_taskflow", "omni_when_delivered", "order_shipped")
    stack.start(*examples, "leaking", "crowd", *SENT, *WAITED)
    yield stack
    stack.stop()
