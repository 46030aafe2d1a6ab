"""What the client puts on the wire, and the answers that it gets, with requests-mock: no server, no socket.

For tests of one request and its answer. Time, faults and retries want the simulator (vendor.py).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests_mock

from airflow_provider_omni.omni import client

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


ENROUTE = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "x"}


class Vendor(Wire):
    """Answers as the vendor does who takes every message, and remembers none: the logs are empty."""

    def __init__(self) -> None:
        super().__init__({"content": self._answer, "headers": {"content-type": "application/json"}})
        self.bodies: list[dict[str, Any]] = []
        """Of the sends."""
        self.status: dict[str, Any] = ENROUTE
        """Of each message in the answer to a send."""

    @property
    def calls(self) -> list[str]:
        """Method and path of each call."""
        return [f"{request.method} {request.path}" for request in self.request_history]

    def _answer(self, request: Any, _context: Any) -> bytes:
        if request.path == "/omni/1/advanced":
            self.bodies.append(request.json())
            sent = [{key: each[key] for key in ("to", "messageId")} for each in request.json()["destinations"]]
            body: Any = {"messages": [each | {"status": self.status} for each in sent]}
        elif request.path == "/omni/1/logs":
            body = {"results": []}
        else:
            body = {"key": "K", "name": "n", "flow": [{"channel": "LINE"}, {"channel": "SMS"}]}
        return json.dumps(body).encode()
