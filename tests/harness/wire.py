"""Requests as the client puts them on the wire, and the answers that it gets, with requests-mock: no server, no socket.

`Wire` is for tests of one request and its answer; `Vendor` is the simulator behind it. Faults of the connection want a
real one (vendor.py).
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
import requests_mock

from airflow_provider_omni.omni import client
from airflow_provider_omni.simulator import sending
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.outcomes import Status
from airflow_provider_omni.simulator.scenarios import SOURCE_FLOW, Scenario
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import WireRequest
from tests.harness.clock import SkippingClock
from tests.harness.direct import AUTHORIZATION

Reply = dict[str, Any]
"""An answer in the words of requests-mock."""


def ok(body: Any, status: int = 200) -> Reply:
    """An answer in JSON."""
    return {
        "status_code": status,
        "headers": {"content-type": "application/json"},
        "content": json.dumps(body).encode(),
    }


def _break_off(_request: Any, _context: Any) -> bytes:
    client._BOUNDS.sent = True
    raise ConnectionResetError


LOST: Reply = {"content": _break_off}
"""The request has left, and the connection breaks before there is an answer."""


class Wire(requests_mock.Adapter):
    """Stands below a client, in place of its connections. `request_history`: what was sent."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(case_sensitive=True)
        self.proxies: dict[str, str] = {}
        self.way: Any = None
        if replies:
            self.register_uri(requests_mock.ANY, requests_mock.ANY, list(replies))

    def put(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give it to every client that is opened from now on."""

        def opened(way: Any, _connections: int) -> Wire:
            self.way = way
            return self

        monkeypatch.setattr(client, "_Adapter", opened)


class Vendor(Wire):
    """The simulator in place of the connections. It takes any login, and has two scenarios: `K`, and the source's."""

    def __init__(self, clock: SkippingClock) -> None:
        super().__init__({"content": self._answer})
        self.simulator = Simulator(Settings(source_scenario=True), clock)
        self.simulator._account.scenarios._store(Scenario("K", "n", SOURCE_FLOW, False))
        self.bodies: list[dict[str, Any]] = []
        """Of the sends."""
        self.refusal: Status | None = None
        """The status of everybody in the answer to a send."""

    @property
    def calls(self) -> list[str]:
        """Method and path of each call."""
        return [f"{request.method} {request.path}" for request in self.request_history]

    def _answer(self, request: Any, context: Any) -> bytes:
        if request.path == "/omni/1/advanced":
            self.bodies.append(request.json())
        asked = WireRequest(
            request.method, request.path, urlsplit(request.url).query, AUTHORIZATION, request.body or b""
        )
        refusal = self.refusal
        everybody = patch.object(sending, "address_problem", lambda _: refusal) if refusal else nullcontext()
        with everybody:
            reply = self.simulator.handle(asked)
        context.status_code = reply.status
        context.headers.update(reply.headers)
        return reply.body
