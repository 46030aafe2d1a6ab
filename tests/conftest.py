"""An Airflow of their own for the tests: a home in a temporary folder for each process, and no way to other machines.

Nothing of Airflow is imported here, since the variables must be set before anything does. A test that needs Airflow's
database (`dag.test()`, for example) asks for the fixture `airflow_db`.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from dev.database import place_empty_database

if TYPE_CHECKING:
    from airflow_provider_omni.simulator.running import RunningSimulator
    from tests.harness.vendor import SharedServer

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLE_DAGS = REPOSITORY / "example_dags"
ROOT_VARIABLE = "OMNI_TESTS_ROOT"


# Hypothesis' own limit is in wall time, which depends on what else the machine does.
settings.register_profile("omni", deadline=None)
settings.load_profile("omni")


def _own_airflow() -> Path:
    """Point Airflow to a new home in the session's folder, which xdist's workers inherit from the first process."""
    root = os.environ.setdefault(ROOT_VARIABLE, tempfile.mkdtemp(prefix="omni-tests-"))
    home = Path(root) / f"airflow-{os.getpid()}"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # dag.test() finds a DAG on Airflow 3.3 only if its file lies in here.
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE_DAGS),
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "SCARF_ANALYTICS": "False",
        }
    )
    return home


OWNS_ROOT = ROOT_VARIABLE not in os.environ
AIRFLOW_HOME = _own_airflow()


def pytest_unconfigure() -> None:
    """Remove the session's folder, in the process that has made it."""
    if OWNS_ROOT:
        shutil.rmtree(os.environ.pop(ROOT_VARIABLE), ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in tests/e2e has the marker e2e."""
    for item in items:
        if item.nodeid.startswith("tests/e2e/"):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def airflow_db() -> Path:
    """An empty database in this process's Airflow home; its path."""
    database = AIRFLOW_HOME / "airflow.db"
    if not database.exists():
        place_empty_database(database, os.environ)
    return database


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[SharedServer]:
    """The server of this process, for all simulators that its tests want."""
    from tests.harness.vendor import shared_server

    with shared_server() as server:
        yield server


@pytest.fixture
def omni_simulator(vendor_server: SharedServer) -> Iterator[RunningSimulator]:
    """In place of the provider's own fixture, which starts a server each time: a new simulator behind one server."""
    with vendor_server.hosting() as simulator:
        yield simulator


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """No test reaches another machine: connecting to an address outside loopback is an error of the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError(f"a test wanted to connect to {address[0]}, which is not this machine")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def events_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scheduler looks on here, so that a trigger need not wait for one to notice its worker's end."""
    triggers = sys.modules.get("airflow_provider_omni.triggers.omni")
    if triggers is not None:
        monkeypatch.setattr(triggers, "EVENT_NOT_BEFORE", 0.0)
