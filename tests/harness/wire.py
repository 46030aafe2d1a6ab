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
