"""An account without a server, a clock that skips, and the task that an operator runs in."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_omni.operators import batch, cancellation, omni, tries
from tests.harness.clock import SkippingClock
from tests.harness.wire import Vendor


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, clock: SkippingClock) -> Vendor:
    vendor = Vendor(clock)
    uri = "omni://login:long-password@127.0.0.1:1/http"
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", uri)
    vendor.put(monkeypatch)
    return vendor


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """Operators that wait, for what is in doubt for example, sleep on this clock."""
    clock = SkippingClock.from_now()
    clock.rule(monkeypatch, batch, cancellation, omni, tries)
    return clock


class Task:
    """The context of one task: its XComs and its state store survive from try to try."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.state: dict[str, Any] = {}

    def context(self, try_number: int = 1, run_id: str = "run", map_index: int = -1) -> Any:
        ti = SimpleNamespace(
            dag_id="dag",
            run_id=run_id,
            task_id="task",
            map_index=map_index,
            try_number=try_number,
            max_tries=0,
            xcom_push=lambda key, value: self.xcoms.__setitem__(key, json.loads(json.dumps(value))),
        )
        return {"ti": ti, "task_state_store": self}

    def get(self, key: str) -> Any:
        return self.state.get(key)

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        self.state[key] = json.loads(json.dumps(value))


@pytest.fixture
def task() -> Task:
    return Task()
