"""A simulator on a socket inside this process, in a thread of its own: for tests and notebooks.

Needs the extra `simulator`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp

from airflow_provider_omni.simulator.access import ControlAccess
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.clock import Clock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.faults import FaultPlan
from airflow_provider_omni.simulator.inbox import Inbox
from airflow_provider_omni.simulator.record import Record
from airflow_provider_omni.simulator.server import base_url, bind, build_app, make_server
from airflow_provider_omni.simulator.settings import Settings

LOOPBACK = "127.0.0.1"
START_SECONDS = 10.0


class RunningSimulator:
    """A simulator that listens. `simulator` is the engine; `record`, `faults`, `configure`, … are the engine's own."""

    def __init__(self, simulator: Simulator, host: str, port: int, accounts: Accounts | None = None) -> None:
        self.simulator = simulator
        self.accounts = accounts or Accounts(simulator)
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:49152`."""
        return base_url(self.host, self.port)

    @property
    def login(self) -> str:
        """The login that it takes."""
        return self.simulator.settings.login

    @property
    def password(self) -> str:
        """The password that it takes."""
        return self.simulator.settings.password

    @property
    def record(self) -> Record:
        """Record of everything that happened so far."""
        return self.simulator.record

    @property
    def messages(self) -> Inbox:
        """Messages that people were sent: to find, wait for, decide and delete."""
        return self.simulator.messages

    @property
    def faults(self) -> FaultPlan:
        """Faults that are to come."""
        return self.simulator.faults

    @property
    def connection_uri(self) -> str:
        """An Airflow connection to it, as a URI."""
        login, password = quote(self.login, safe=""), quote(self.password, safe="")
        return f"omni://{login}:{password}@{self.host}:{self.port}/http"

    @property
    def airflow_connection_json(self) -> str:
        """An Airflow connection to it, as JSON: for `AIRFLOW_CONN_OMNI_DEFAULT`."""
        return json.dumps({"conn_type": "omni", "host": self.url, "login": self.login, "password": self.password})

    def add_account(self, login: str, password: str | None = None) -> RunningSimulator:
        """Open another account of the same server: with its own messages, scenarios, faults, record and time.

        Its password is this account's unless told otherwise.
        """
        return RunningSimulator(
            self.accounts.add(login, password or self.password), self.host, self.port, self.accounts
        )

    def configure(self, **changes: Any) -> None:
        """Change switches."""
        self.simulator.configure(**changes)

    def add_scenario(self, *args: Any, **kwargs: Any) -> str:
        """Create a scenario without a call and return its key; LINE, then SMS unless told otherwise."""
        return self.simulator.add_scenario(*args, **kwargs)

    def advance(self, seconds: float) -> None:
        """Jump ahead in time."""
        self.simulator.advance(seconds)

    def release(self, held_id: int | None = None) -> None:
        """Let held answers go."""
        self.simulator.release(held_id)

    def reset(self) -> None:
        """Forget everything but the switches and the time."""
        self.simulator.reset()

    def wait_until(self, predicate: Callable[[Simulator], object], timeout: float = 10.0) -> None:
        """Wait until `predicate(simulator)` holds. Raises TimeoutError."""
        self.simulator.wait_until(predicate, timeout)


@contextlib.contextmanager
def running_simulator(
    settings: Settings | None = None, clock: Clock | None = None, host: str = LOOPBACK, port: int = 0
) -> Iterator[RunningSimulator]:
    """Run a simulator while the block runs; on a free port unless told otherwise."""
    simulator = Simulator(settings, clock)
    accounts = Accounts(simulator)
    with serving(build_app(accounts, ControlAccess()), host, port) as listens_on:
        try:
            yield RunningSimulator(simulator, host, listens_on, accounts)
        finally:
            accounts.drop_held()


@contextlib.contextmanager
def serving(app: ASGIApp, host: str = LOOPBACK, port: int = 0) -> Iterator[int]:
    """Serve an application while the block runs. The port that it listens on is given to the block."""
    listening = bind(host, port)
    ready = threading.Event()
    server = make_server(app, ready.set)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listening])), name="omni-simulator", daemon=True
    )
    thread.start()
    try:
        if not ready.wait(START_SECONDS):
            raise RuntimeError("the simulator did not start")
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listening.close()
