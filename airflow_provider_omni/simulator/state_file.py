"""`--state FILE`: everything that was done to the accounts, in a SQLite file, done again at the next start.

An account is a function of what was done to it and when: calls, switches, faults, jumps in time, decisions. So that is
what the file keeps, and no login's secret. What has changed nothing (a look into the logs, a read that found no report)
is not kept. A reset empties the file but for the switches and the time.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.clock import Clock, RealClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.faults import read_fault
from airflow_provider_omni.simulator.queries import read_query
from airflow_provider_omni.simulator.wire import WireRequest

MARK = 0x4F4D4E49
"""`application_id` of such a file: OMNI."""
FORMAT = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS deeds (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    at REAL NOT NULL,
    what TEXT NOT NULL,
    members TEXT NOT NULL,
    body BLOB
)
"""


class _Past:
    """The clock of what is done again: it stands where each deed was done."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        """Return when the deed was done."""
        return self.at

    def advance(self, seconds: float) -> None:
        """Move ahead by a jump that was made."""
        self.at += seconds


class StateFile:
    """One file, for one server at a time. Raises ValueError with what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
            self._open()
        except sqlite3.Error as problem:
            raise ValueError(f"{path}: {problem}") from None

    def _open(self) -> None:
        mark = self._database.execute("PRAGMA application_id").fetchone()[0]
        tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if mark != MARK and tables:
            raise ValueError(f"{self._path}: a database of something else")
        made_by = self._database.execute("PRAGMA user_version").fetchone()[0]
        if mark == MARK and made_by != FORMAT:
            raise ValueError(f"{self._path}: has format {made_by}, this version reads {FORMAT}: take another file")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute(f"PRAGMA application_id = {MARK}")
        self._database.execute(f"PRAGMA user_version = {FORMAT}")
        self._database.execute(_TABLE)
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def restore(self, accounts: Accounts) -> None:
        """Do again what the file holds, then keep what is done from now on."""
        clocks: dict[str, Clock] = {}
        past = _Past()
        jumps: dict[str, float] = {}
        last: dict[str, float] = {}
        first = accounts.first.settings
        wanted = {login: accounts.get(login).settings for login in accounts.logins()}
        deeds = self._database.execute("SELECT account, at, what, members, body FROM deeds ORDER BY number")
        for login, at, what, members, body in deeds:
            name = login or first.login
            if name not in accounts.logins():
                accounts.reopen(name)
            simulator = accounts.get(name)
            if name not in clocks:
                clocks[name], jumps[name], simulator.clock = simulator.clock, 0.0, past
            past.at = at
            known = json.loads(members)
            try:
                jumps[name] += _do(simulator, what, known, body)
            except (KeyError, TypeError, ValueError) as problem:
                raise ValueError(f"{self._path}: {what} cannot be done again: {problem}") from None
            last[name] = past.at
        for name, clock in clocks.items():
            simulator = accounts.get(name)
            simulator.drop_held()
            simulator.clock = clock
            clock.advance(jumps[name] if isinstance(clock, RealClock) else max(0.0, last[name] - clock.now()))
            if name in wanted:
                simulator.configure(**wanted[name].switches(), seed=wanted[name].seed)

        def keep(simulator: Simulator) -> None:
            login = simulator.settings.login
            simulator.note = self._noting(simulator, "" if login == first.login else login)
            simulator.note("start" if login in clocks else "open", simulator.beginning(), None)

        for login in accounts.logins():
            keep(accounts.get(login))
        accounts.opened = keep

    def _noting(self, simulator: Simulator, account: str) -> Callable[[str, Mapping[str, Any], bytes | None], None]:
        def note(what: str, members: Mapping[str, Any], body: bytes | None) -> None:
            with self._lock:
                if what == "reset":
                    self._database.execute("BEGIN")
                    self._database.execute("DELETE FROM deeds WHERE account = ?", (account,))
                self._database.execute(
                    "INSERT INTO deeds (account, at, what, members, body) VALUES (?, ?, ?, ?, ?)",
                    (account, simulator.now(), what, json.dumps(members), body),
                )
                if what == "reset":
                    self._database.execute("COMMIT")

        return note


def _do(simulator: Simulator, what: str, members: Mapping[str, Any], body: bytes | None) -> float:
    """Do something again; return by how much it has moved the time."""
    if what == "advance":
        simulator.advance(members["seconds"])
        return float(members["seconds"])
    _DEEDS[what](simulator, members, body)
    return float(members.get("ahead", 0.0))


def _open(simulator: Simulator, members: Mapping[str, Any], _body: bytes | None) -> None:
    """Make the account anew: its ids come from the seed."""
    _start(simulator, members, None)
    simulator.reset()
    simulator.jumped = members.get("ahead", 0.0)


def _start(simulator: Simulator, members: Mapping[str, Any], _body: bytes | None) -> None:
    """Go on as another process did: nobody waits for a held answer any more, and its flags hold."""
    simulator.drop_held()
    simulator.configure(**members["switches"], seed=members["seed"])


def _call(simulator: Simulator, members: Mapping[str, Any], body: bytes | None) -> None:
    headers = dict(members["headers"])
    if members["signed_in"]:
        login = f"{simulator.settings.login}:{simulator.settings.password}"
        headers["authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    simulator.handle(WireRequest(members["method"], members["path"], members["query"], headers, body or b""))


def _decide(simulator: Simulator, members: Mapping[str, Any], _body: bytes | None) -> None:
    simulator.decide(members["outcome"], read_query(members["query"]), members["number"])


_DEEDS: Mapping[str, Callable[[Simulator, Mapping[str, Any], bytes | None], Any]] = {
    "open": _open,
    "start": _start,
    "reset": _open,
    "call": _call,
    "decide": _decide,
    "configure": lambda simulator, members, _: simulator.configure(**members),
    "scenario": lambda simulator, members, _: simulator.add_scenario(**members),
    "delete": lambda simulator, members, _: simulator.delete_messages(read_query(members)),
    "release": lambda simulator, members, _: simulator.release(members["id"]),
    "drop": lambda simulator, members, _: simulator.drop_held(members["id"]),
    "fault": lambda simulator, members, _: simulator.faults.add(read_fault(members)),
    "no faults": lambda simulator, _members, _: simulator.faults.clear(),
}
"""Deed → how it is done again."""
