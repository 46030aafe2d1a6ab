"""The simulated account: what the vendor does with a call. Who is it, may it, is it well-formed; then the call itself.

Faults, held answers and waiting are the simulator's own and live in `engine.py`.
"""

from __future__ import annotations

import base64
import binascii
import collections
import json
import random
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.simulator import reading
from airflow_provider_omni.simulator.envelopes import ApiProblem, error_reply, json_reply
from airflow_provider_omni.simulator.message_index import MessageIndex
from airflow_provider_omni.simulator.messages import Message, MessageStore, ReportEntry
from airflow_provider_omni.simulator.record import Record
from airflow_provider_omni.simulator.requests_kept import RequestsKept
from airflow_provider_omni.simulator.scenarios import ScenarioStore
from airflow_provider_omni.simulator.sending import Sender
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import WireReply, WireRequest

UNKNOWN_CALL = "unknown"
TEN_MINUTES = 600.0
ONE_MINUTE = 60.0

_PATHS: dict[str, dict[str, str]] = {
    "/omni/1/scenarios": {"POST": "create_scenario", "GET": "list_scenarios"},
    "/omni/1/advanced": {"POST": "send"},
    "/omni/1/reports": {"GET": "reports"},
    "/omni/1/logs": {"GET": "logs"},
}
_SCENARIO_PREFIX = "/omni/1/scenarios/"
_ONE_SCENARIO = {"GET": "get_scenario", "PUT": "update_scenario"}


def _methods(path: str) -> Mapping[str, str] | None:
    if path.startswith(_SCENARIO_PREFIX) and path.count("/") == _SCENARIO_PREFIX.count("/"):
        return _ONE_SCENARIO
    return _PATHS.get(path)


def route(request: WireRequest) -> str:
    """Return the name of the call that a request makes: `unknown` when there is none."""
    return (_methods(request.target_path) or {}).get(request.method, UNKNOWN_CALL)


@dataclass(frozen=True)
class Done:
    """Result of a call: the reply, how many destinations or rows it is about, the reports it took."""

    reply: WireReply
    entries: int = 0
    taken: Sequence[ReportEntry] = ()


class Account:
    """One account of the vendor, in memory."""

    def __init__(self, record: Record, settings: Settings) -> None:
        rng = random.Random(settings.seed)  # noqa: S311
        self.scenarios = ScenarioStore(rng, settings)
        self.store = MessageStore(rng)
        self.index = MessageIndex()
        self.requests = RequestsKept()
        self.sender = Sender(self.store, self.index, self.scenarios, record, rng)
        self._throttled: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)
        self._calls: Mapping[str, Callable[[WireRequest, float, Settings], Done]] = {
            "send": self._send,
            "reports": self._reports,
            "logs": self._logs,
            "create_scenario": self._create_scenario,
            "list_scenarios": self._list_scenarios,
            "get_scenario": self._get_scenario,
            "update_scenario": self._update_scenario,
            UNKNOWN_CALL: self._unknown,
        }

    def perform(self, call: str, request: WireRequest, now: float, settings: Settings) -> Done:
        """Do what a call asks for; a call that is refused is an ordinary reply too."""
        try:
            _authorize(request, settings)
            if settings.max_body_bytes and len(request.body) > settings.max_body_bytes:
                raise ApiProblem(413)
            self._throttle(call, now, settings)
            return self._calls[call](request, now, settings)
        except ApiProblem as problem:
            return Done(error_reply(problem, settings))

    def forget(self, messages: Sequence[Message]) -> None:
        """Forget messages, as if they had never been sent."""
        self.store.remove(messages)
        self.sender.forget(messages)
        self.index.remove(messages)

    def _send(self, request: WireRequest, now: float, settings: Settings) -> Done:
        body = self.sender.send(_json(request.body), now, settings, self.requests.keep(request, now))
        return Done(json_reply(200, body), len(body["messages"]))

    def _reports(self, request: WireRequest, now: float, settings: Settings) -> Done:
        taken = reading.take_reports(_query(request), self.store, now, settings)
        rows = [reading.report_row(entry, settings) for entry in taken]
        return Done(json_reply(200, {"results": rows}), len(rows), taken)

    def _logs(self, request: WireRequest, now: float, settings: Settings) -> Done:
        rows = reading.log_rows(_query(request), self.store, now, settings)
        return Done(json_reply(200, {"results": rows}), len(rows))

    def _create_scenario(self, request: WireRequest, _now: float, settings: Settings) -> Done:
        created = self.scenarios.create(_json(request.body), settings)
        return Done(json_reply(settings.create_status, created.to_wire()))

    def _list_scenarios(self, request: WireRequest, _now: float, _settings: Settings) -> Done:
        page = self.scenarios.page(_query(request))
        return Done(json_reply(200, {"scenarios": [one.to_wire() for one in page]}), len(page))

    def _get_scenario(self, request: WireRequest, _now: float, _settings: Settings) -> Done:
        return Done(json_reply(200, self.scenarios.get(_key(request)).to_wire()))

    def _update_scenario(self, request: WireRequest, now: float, settings: Settings) -> Done:
        updated = self.scenarios.update(_key(request), _json(request.body), settings)
        if settings.scenario_update == "in-flight":
            self.sender.follow(updated, now, settings)
        return Done(json_reply(200, updated.to_wire()))

    def _unknown(self, request: WireRequest, _now: float, _settings: Settings) -> Done:
        raise ApiProblem(404 if _methods(request.target_path) is None else 405)

    def _throttle(self, call: str, now: float, settings: Settings) -> None:
        """Count a call against its limit: so many in any window of that length."""
        limits = {
            "create_scenario": (settings.creates_per_10_minutes, TEN_MINUTES),
            "update_scenario": (settings.updates_per_10_minutes, TEN_MINUTES),
            "logs": (settings.logs_per_minute, ONE_MINUTE),
        }
        if not settings.throttles or call not in limits:
            return
        limit, window = limits[call]
        times = self._throttled[call]
        while times and times[0] <= now - window:
            times.popleft()
        if len(times) >= limit:
            wait = times[0] + window - now if times else window
            raise ApiProblem(429, retry_after=wait if settings.retry_after else None)
        times.append(now)


def _authorize(request: WireRequest, settings: Settings) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            allowed = base64.b64decode(given, validate=True).decode() == f"{settings.login}:{settings.password}"
        except (binascii.Error, UnicodeDecodeError, ValueError):
            allowed = False
    else:
        expected = {"app": settings.app_key, "bearer": settings.bearer_token}.get(scheme.lower())
        allowed = expected is not None and given == expected
    if not allowed:
        raise ApiProblem(401)


def _query(request: WireRequest) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(request.query, keep_blank_values=True)


def _key(request: WireRequest) -> str:
    return urllib.parse.unquote(request.target_path.removeprefix(_SCENARIO_PREFIX))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ApiProblem(400, {"body": ["is not JSON"]}) from None
