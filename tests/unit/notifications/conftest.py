"""A vendor who takes every message that is posted, also one with an id that it has seen."""

from __future__ import annotations

import pytest

from airflow_provider_omni.simulator.running import RunningSimulator


@pytest.fixture
def vendor(omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """The simulated account of `omni_default`."""
    omni_simulator.configure(source_scenario=True, duplicates="accept")
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    for module in ("retrying", "outbox.reconciler", "outbox.dispatcher"):
        monkeypatch.setattr(f"airflow_provider_omni.delivery.{module}.backoff", lambda *_: 0.0)
    return omni_simulator
