"""The vendor without a server: calls are values, which the simulator takes in and answers in this process."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlencode

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniServerError
from airflow_provider_omni.omni.failures import Failure, failure_error
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import Ending, WireReply, WireRequest
from tests.harness.clock import SkippingClock
from tests.harness.driver import KilledError

AUTHORIZATION = {"authorization": "Basic " + base64.b64encode(b"demo:demo-password").decode()}
"""Of the simulator's first account."""


def request_of(call: Call[Any]) -> WireRequest:
    """Return what a client sends for a call."""
    query = urlencode(call.query, quote_via=quote)
    return WireRequest(call.method, call.path, query, AUTHORIZATION, call.body or b"")


def answer_of(call: Call[Any], reply: WireReply, at: float | None = None) -> Any:
    """Read a reply as the clients do, and return the answer. Raises OmniError. `at`: what its header Date says, which
    servers add.
    """
    if reply.ending is not Ending.COMPLETE:
        raise failure_error(call, Failure.BROKEN)
    headers = dict(reply.headers)
    if at is not None:
        headers["date"] = format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)
    return read(call, Response(reply.status, headers, reply.body))


class DirectVendor:
    """A client, and the vendor behind it, who has one scenario. Threads take turns.

    `fault(n)`: what happens to the n-th POST: a fault of the simulator's; `refused`, before it has left; `kill` or
    `kill-after`, which end the process before or after the vendor has taken it in.
    """

    def __init__(self, clock: SkippingClock, **settings: Any) -> None:
        self.clock = clock
        self.simulator = Simulator(Settings(**settings), clock)
        self.scenario_key = self.simulator.add_scenario()
        self.fault: Callable[[int], str | None] = lambda post: None
        self.posts = 0
        self.poison: frozenset[str] = frozenset()
        """Numbers whose requests are answered with 400."""
        self.calls: list[Call[Any]] = []
        self._turn = threading.Lock()

    def handle(self, call: Call[Any]) -> WireReply:
        """Let the vendor take a call in."""
        return self.simulator.handle(request_of(call))

    def execute(self, call: Call[Any]) -> Any:
        """Return the answer to a call, as a client does. Raises OmniError, or KilledError."""
        with self._turn:
            reply = self._exchange(call)
        return answer_of(call, reply)

    def _exchange(self, call: Call[Any]) -> WireReply:
        fault = None
        self.calls.append(call)
        if call.method == "POST":
            self.posts += 1
            fault = self.fault(self.posts)
        if fault == "refused":
            raise failure_error(call, Failure.REFUSED)
        if call.method == "POST" and any(number in (call.body or b"").decode() for number in self.poison):
            return WireReply(400, {}, b'{"requestError":{"serviceException":{"messageId":"BAD_REQUEST"}}}')
        if fault == "kill":
            raise KilledError
        if fault == "kill-after":
            self.handle(call)
            raise KilledError
        self.simulator.faults.clear()
        if fault is not None:
            self.simulator.faults.add(fault)
        reply = self.handle(call)
        self.simulator.faults.clear()
        return reply

    def failing(self, part_of_path: str) -> Callable[[], None]:
        """Let calls to there fail without an effect, until the returned function is called."""
        execute = self.execute

        def deaf(call: Call[Any]) -> Any:
            if part_of_path in call.path:
                raise OmniServerError("down", status=503)
            return execute(call)

        self.execute = deaf  # type: ignore[method-assign]

        def mend() -> None:
            self.execute = execute  # type: ignore[method-assign]

        return mend

    def accepted(self) -> list[str]:
        """Return every number that was accepted, as often as it was."""
        return sorted(each.to for each in self.simulator.record.acceptances)
