"""The pytest fixture `omni_simulator`: a local OMNI server for the tests of people's own DAGs.

pytest imports this module in every project that has the provider installed, so nothing is imported here until the
fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_omni.simulator.running import RunningSimulator

MISSING_EXTRA = "the fixture omni_simulator needs the extra: pip install 'airflow-provider-omni[simulator]'"


@pytest.fixture
def omni_simulator() -> Iterator[RunningSimulator]:
    """Run a local OMNI server on a free port of loopback, fresh for each test. See docs/simulator.md."""
    try:
        from airflow_provider_omni.simulator.running import running_simulator
    except ModuleNotFoundError as missing:
        raise RuntimeError(MISSING_EXTRA) from missing
    with running_simulator() as running:
        yield running
