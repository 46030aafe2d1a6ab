"""An Airflow of each version, whose page is looked at.

Airflow is started once for all tests of a version. Nothing is executed there: the tests put XComs into task instances,
as sends and waits leave them, so that API server and DAG processor are all that must run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dev.settings import TESTABLE
from tests.browser.deliveries.airflow_pages import AirflowPages, PagesStack, Viewer

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
LIMIT = 300
"""Seconds for a test. The first one starts Airflow."""

VERSIONS = {"3.1": ".venv-airflow-3.1", "3.3": ".venv"}
BELOW = {"3.1": "", "3.3": "/airflow"}
"""The path below which each is reached, as behind a proxy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(LIMIT))


@pytest.fixture(scope="session", params=list(VERSIONS))
def airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Iterator[AirflowPages]:
    """A running Airflow with the page, whose users are an administrator and a viewer who may not see each DAG."""
    version = request.param
    folder, dags = tmp_path_factory.mktemp(f"stack-{version}"), tmp_path_factory.mktemp(f"dags-{version}")
    for file in (HERE / "dags").glob("*.py"):
        shutil.copy(file, dags)
    passwords = folder / "both.json"
    stack = PagesStack(
        folder,
        dags,
        below=BELOW[version],
        environment={
            **TESTABLE,
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.browser.deliveries.auth.RestrictedAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__OMNI__DELIVERY_TABS": "True",
            "PYTHONPATH": str(REPOSITORY),
        },
        python=str(REPOSITORY / VERSIONS[version] / "bin" / "python"),
    )
    passwords.write_text(json.dumps({"admin": stack.login.password, "viewer": "viewer"}))
    stack.start("shop_newsletter", "order_shipped", "payroll_secret", "own_class", "nasty")
    try:
        yield AirflowPages(version, stack, browser)
    finally:
        stack.stop()


@pytest.fixture
def admin(airflow: AirflowPages) -> Iterator[Viewer]:
    """A browser's page of the administrator."""
    with airflow.viewer("admin", airflow.stack.login.password) as viewer:
        yield viewer


@pytest.fixture
def viewer(airflow: AirflowPages) -> Iterator[Viewer]:
    """A browser's page of somebody who may not see the DAG `payroll_secret`."""
    with airflow.viewer("viewer", "viewer") as viewer:
        yield viewer
