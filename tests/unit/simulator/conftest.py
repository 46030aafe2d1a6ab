"""Driving the simulator's engine in process, with a clock that moves only by command."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_omni.simulator.clock import ManualClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import WireReply, WireRequest

DEMO = "Basic " + base64.b64encode(b"demo:demo-password").decode()


@dataclass(frozen=True)
class Answer:
    """A reply with its body read."""

    wire: WireReply
    status: int
    json: Any


class Driven:
    """A simulator with one scenario (LINE, then SMS) and short ways of calling it."""

    def __init__(self, flow: list[dict[str, str]] | None = None, **switches: Any) -> None:
        self.clock = ManualClock()
        self.simulator = Simulator(Settings(**switches), self.clock)
        self.scenario_key = self.simulator.add_scenario(flow)

    def call(
        self, method: str, path: str, query: Any = (), body: Any = None, authorization: str | None = DEMO
    ) -> Answer:
        headers = {} if authorization is None else {"authorization": authorization}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        reply = self.simulator.handle(WireRequest(method, path, urlencode(query), headers, raw))
        try:
            read = json.loads(reply.body)
        except ValueError:
            read = None
        return Answer(reply, reply.status, read)

    def body(self, *numbers: str, **members: Any) -> dict[str, Any]:
        """Return a send request: LINE valid for 60 s, SMS for 120 s."""
        return {
            "scenarioKey": self.scenario_key,
            "destinations": [{"to": {"phoneNumber": number}} for number in numbers],
            "line": {"type": "TEXT", "text": "by LINE", "validityPeriod": 60, "validityPeriodTimeUnit": "SECONDS"},
            "sms": {"text": "by SMS", "validityPeriod": 120, "validityPeriodTimeUnit": "SECONDS"},
            **members,
        }

    def send(self, *numbers: str, **members: Any) -> Answer:
        return self.call("POST", "/omni/1/advanced", body=self.body(*(numbers or ("41793026727",)), **members))

    def send_id(self, message_id: str, number: str = "41793026727", **members: Any) -> Answer:
        destination = {"to": {"phoneNumber": number}, "messageId": message_id}
        return self.send(destinations=[destination], **members)

    def reports(self, **query: Any) -> list[dict[str, Any]]:
        return self.call("GET", "/omni/1/reports", query).json["results"]

    def logs(self, **query: Any) -> list[dict[str, Any]]:
        return self.call("GET", "/omni/1/logs", query).json["results"]

    def advance(self, seconds: float) -> None:
        self.simulator.advance(seconds)

    @property
    def record(self) -> Any:
        return self.simulator.record


@pytest.fixture
def driven() -> Callable[..., Driven]:
    """Return the factory: `driven(reports="per-step")`."""
    return Driven
