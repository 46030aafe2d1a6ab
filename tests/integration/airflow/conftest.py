"""A simulator that lives fast, and an Airflow connection to it in the environment, where hooks and triggers find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_omni.operators import batch, cancellation, omni, tries
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.clock import SkippingClock
from tests.integration.airflow.batchtask import BatchTask


@pytest.fixture
def account(omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, airflow_db: Path) -> RunningSimulator:
    """The simulated account of `omni_default`: deliveries take a twentieth of a second."""
    omni_simulator.configure(beat_seconds=0.05, source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


@pytest.fixture
def skipping(account: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """Operators sleep on this clock, and the vendor's time goes with it."""
    clock = SkippingClock.from_now(account.advance)
    clock.rule(monkeypatch, batch, cancellation, omni, tries)
    return clock


@pytest.fixture
def batch_task() -> BatchTask:
    """A task on Airflow 3.3, which keeps its state over tries."""
    return BatchTask()
