"""Several accounts side by side in one server, a login each: tests that run at the same time share it."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import threading
from collections.abc import Callable, Mapping

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.simulator.clock import ManualClock, RealClock
from airflow_provider_omni.simulator.engine import Simulator

MOST_ACCOUNTS = 1000


class Accounts:
    """The accounts of one server. Each has its own messages, scenarios, faults, switches, record and time."""

    def __init__(self, first: Simulator) -> None:
        self.first = first
        self._by_hand = isinstance(first.clock, ManualClock)
        self._by_login = {first.settings.login: first}
        self._lock = threading.Lock()
        self._reopened: set[str] = set()
        self.opened: Callable[[Simulator], None] = lambda _simulator: None
        """Told of every account that is opened."""

    def add(self, login: str, password: str) -> Simulator:
        """Open an account with the first one's switches; its password is its API key and its bearer token too.

        Raises ValueError when there is one with this login.
        """
        if not login or ":" in login:
            raise ValueError(unexpected("login", repr(login), "a text without a colon"))
        settings = dataclasses.replace(
            self.first.settings, login=login, password=password, app_key=password, bearer_token=password
        )
        with self._lock:
            if login in self._reopened:
                self._reopened.remove(login)
                self._by_login[login].settings = dataclasses.replace(
                    self._by_login[login].settings, password=password, app_key=password, bearer_token=password
                )
                return self._by_login[login]
            if login in self._by_login:
                raise ValueError(f"login: {login} has an account already")
            if len(self._by_login) >= MOST_ACCOUNTS:
                raise ValueError(f"login: there are {MOST_ACCOUNTS} accounts already")
            clock = ManualClock(self.first.now()) if self._by_hand else RealClock()
            self._by_login[login] = Simulator(settings, clock)
            self.opened(self._by_login[login])
            return self._by_login[login]

    def reopen(self, login: str) -> Simulator:
        """Open an account that a state file knows; its password is the first one's until somebody opens it anew."""
        reopened = self.add(login, self.first.settings.password)
        self._reopened.add(login)
        return reopened

    def logins(self) -> list[str]:
        """Return the login of every account, in the order in which they were opened."""
        return list(self._by_login)

    def get(self, login: str | None) -> Simulator:
        """Return the account of a login, the first one without any. Raises ValueError."""
        if login is None:
            return self.first
        if login not in self._by_login:
            raise ValueError(unexpected("account", repr(login), f"one of {', '.join(self.logins()[:20])}"))
        return self._by_login[login]

    def drop_held(self) -> None:
        """Let every held answer of every account end in a reset."""
        for simulator in list(self._by_login.values()):
            simulator.drop_held()

    def of_request(self, headers: Mapping[str, str]) -> Simulator:
        """Return the account that a request is signed in to; who is unknown is left to the first one to refuse."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if len(self._by_login) == 1:
            return self.first
        if scheme.lower() == "basic":
            try:
                login = base64.b64decode(given, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return self.first
            return self._by_login.get(login, self.first)
        name = {"app": "app_key", "bearer": "bearer_token"}.get(scheme.lower())
        accounts = list(self._by_login.values()) if name else []
        return next((one for one in accounts if getattr(one.settings, name or "") == given), self.first)
