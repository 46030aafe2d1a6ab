"""An account without a server: every call is recorded, and answered as the vendor would."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.operators import batch, cancellation, omni, tries
from tests.harness.clock import SkippingClock

ENROUTE = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "x"}


class Vendor:
    """Stands for the client. `answers` replaces what it would say by a function of the request's body."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.send: Callable[[dict[str, Any]], Response] = accept

    def execute(self, call: Any) -> Any:
        self.calls.append(call.name)
        if call.path == "/omni/1/advanced":
            body = json.loads(call.body)
            self.bodies.append(body)
            return read(call, self.send(body))
        if call.path == "/omni/1/logs":
            return read(call, answer({"results": []}))
        return read(call, answer({"key": "K", "name": "n", "flow": [{"channel": "LINE"}, {"channel": "SMS"}]}))

    def close(self) -> None: ...


def answer(body: Any, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def accept(body: dict[str, Any]) -> Response:
    return answer_with(body, ENROUTE)


def answer_with(body: dict[str, Any], status: dict[str, Any]) -> Response:
    rows = [{"to": each["to"], "status": status, "messageId": each["messageId"]} for each in body["destinations"]]
    return answer({"messages": rows})


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    vendor = Vendor()
    uri = "omni://login:long-password@127.0.0.1:1/http"
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", uri)
    monkeypatch.setattr(OmniHook, "get_conn", lambda _: vendor)
    return vendor


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """Operators that wait, for what is in doubt for example, sleep on this clock."""
    clock = SkippingClock()
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
