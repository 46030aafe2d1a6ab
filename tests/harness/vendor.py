"""The simulator on a socket: one server for all tests of a process, and a new simulator behind it for each.

To start and stop a server takes a fifth of a second, most of it sleep; hundreds of tests want one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_omni.omni import rate_limits
from airflow_provider_omni.simulator.access import ControlAccess
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.clock import Clock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.running import LOOPBACK, RunningSimulator, serving
from airflow_provider_omni.simulator.server import build_app
from airflow_provider_omni.simulator.settings import Settings


class SharedServer:
    """A server that answers for one simulator after the other: for whom `hosting` was called last."""

    def __init__(self) -> None:
        self.port = 0
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "a call after the end of the test that it belongs to"
        await self._app(scope, receive, send)

    @contextlib.contextmanager
    def hosting(self, settings: Settings | None = None, clock: Clock | None = None) -> Iterator[RunningSimulator]:
        """Answer for a new simulator while the block runs. This process has called no account of it before."""
        assert self._app is None, "the server has one place"
        simulator = Simulator(settings, clock)
        accounts = Accounts(simulator)
        self._app = build_app(accounts, ControlAccess())
        rate_limits._budgets.clear()
        rate_limits._paces.clear()
        try:
            yield RunningSimulator(simulator, LOOPBACK, self.port, accounts)
        finally:
            self._app = None
            accounts.drop_held()


@contextlib.contextmanager
def shared_server() -> Iterator[SharedServer]:
    """Run one while the block runs."""
    server = SharedServer()
    with serving(server) as server.port:
        yield server
