"""A batch against the simulator, in this process and without sockets: threads are real, time is not."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.engine import LedgerTerms, Outbox, SendResult
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, SendPlan, plan_batch
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.sources import rows_of_entries
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniServerError
from airflow_provider_omni.omni.failures import Failure, failure_error
from airflow_provider_omni.omni.limits import WindowLimiter
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.simulator.clock import ManualClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import Ending, WireRequest
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError

AUTHORIZATION = {"authorization": "Basic " + base64.b64encode(b"demo:demo").decode()}
TEXT = {"line": {"type": "TEXT", "text": "Hello"}, "sms": {"text": "Hello"}}


class World:
    """The vendor, and what outlives a try. `client_fault(n, call)` may name what happens to the n-th POST."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.clock = ManualClock()
        self.simulator = Simulator(Settings(**settings), self.clock)
        self.scenario_key = self.simulator.add_scenario()
        self.memory = ProcessMemory()
        self.folder = LocalFolder(tmp_path / "ledger")
        self.fault: Callable[[int], str | None] = lambda post: None
        self.posts = 0
        self.poison: frozenset[str] = frozenset()
        """Numbers whose requests are answered with 400."""
        self.calls: list[Call[Any]] = []
        self.tries = 0
        self.lines: list[str] = []
        self.published: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def execute(self, call: Call[Any]) -> Any:
        """The client."""
        with self._lock:
            fault = None
            self.calls.append(call)
            if call.method == "POST":
                self.posts += 1
                fault = self.fault(self.posts)
            if fault == "refused":
                raise failure_error(call, Failure.REFUSED)
            if call.method == "POST" and any(number in (call.body or b"").decode() for number in self.poison):
                return read(
                    call, Response(400, {}, b'{"requestError":{"serviceException":{"messageId":"BAD_REQUEST"}}}')
                )
            if fault == "kill":
                raise KilledError
            if fault == "kill-after":
                self._handle(call)
                raise KilledError
            self.simulator.faults.clear()
            if fault is not None:
                self.simulator.faults.add(fault)
            reply = self._handle(call)
            self.simulator.faults.clear()
        if reply.ending is not Ending.COMPLETE:
            raise failure_error(call, Failure.BROKEN)
        return read(call, Response(reply.status, reply.headers, reply.body))

    def _handle(self, call: Call[Any]) -> Any:
        request = WireRequest(
            call.method, call.path, urlencode(call.query, quote_via=quote), AUTHORIZATION, call.body or b""
        )
        return self.simulator.handle(request)

    def plan(
        self, recipients: Iterable[Any], workspace: Workspace, content: dict[str, Any] | None = None, **spec: Any
    ) -> SendPlan:
        rules = {
            "chunk_size": 10,
            "scenario_key": self.scenario_key,
            "identity": Identity("run-1"),
            "max_quarantined": 1.0,
        } | spec
        contents = dict(content or TEXT)
        template = MessageTemplate(contents, options=contents.pop("options", {}))
        batch = BatchSpec(content=template, **rules)
        rows = rows_of_entries(recipients, batch.phone_field)
        return plan_batch(batch, rows, workspace, datetime.fromtimestamp(self.clock.now(), UTC), keep_fields=True)

    def send(
        self,
        recipients: Iterable[Any],
        content: dict[str, Any] | None = None,
        *,
        ledger: bool = True,
        rules: dict[str, Any] | None = None,
        folder: Any = None,
        budget: WindowLimiter | None = None,
        **spec: Any,
    ) -> SendResult:
        """One try of the task."""
        self.tries += 1
        with Workspace() as workspace:
            plan = self.plan(recipients, workspace, content, **spec)
            batch = Outbox(
                plan,
                SendPolicy(LookPolicy(), **({"connections": 4} | (rules or {}))),
                self.clock.now,
                lambda: 0.5,
                LedgerTerms("memory://ledger", f"{self.tries:08x}") if ledger else None,
            )
            logger = logging.getLogger("batchworld")
            logger.handlers = [_Lines(self.lines)]
            logger.setLevel(logging.INFO)
            logger.propagate = False
            return run(
                batch.run(),
                client=self,
                memory=self.memory,
                budget=budget,
                publish=self.published.append,
                note=logger,
                sleep=self.clock.advance,
                folder=folder or self.folder,
                connections=4,
            )

    def failing(self, part_of_path: str) -> Callable[[], None]:
        """Calls to there fail without an effect, until the returned function is called."""
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
        """Every number that was accepted, as often as it was."""
        return sorted(each.to for each in self.simulator.record.acceptances)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def numbers(count: int, start: int = 0) -> list[str]:
    """Numbers whose fate is ordinary."""
    return [f"4179{start + index:05d}00" for index in range(count)]
