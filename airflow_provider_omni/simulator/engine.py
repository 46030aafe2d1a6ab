"""The simulated account behind one function: a request in, a reply out. In memory, no sockets, no threads, no sleeping.

    simulator = Simulator(clock=ManualClock())
    reply = simulator.handle(WireRequest("POST", "/omni/1/advanced", "", headers, body))

Calls may come from several threads; they are taken one at a time. `server.py` puts it on a socket.
"""

from __future__ import annotations

import base64
import binascii
import collections
import dataclasses
import itertools
import json
import random
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.simulator import reading, spoiling
from airflow_provider_omni.simulator.clock import Clock, RealClock
from airflow_provider_omni.simulator.envelopes import ApiProblem, error_reply, json_reply
from airflow_provider_omni.simulator.faults import Fault, FaultPlan, Phase
from airflow_provider_omni.simulator.messages import MessageStore, ReportEntry
from airflow_provider_omni.simulator.record import CallMade, Record, ReportRead
from airflow_provider_omni.simulator.scenarios import Scenario, ScenarioBook
from airflow_provider_omni.simulator.sending import Sender
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.timeline import plan
from airflow_provider_omni.simulator.wire import Ending, WireReply, WireRequest

UNKNOWN_CALL = "unknown"
TEN_MINUTES = 600.0
LOOK_AGAIN_SECONDS = 0.02


@dataclass(frozen=True)
class Done:
    """What a call produced: the reply, how many destinations or rows it is about, the reports it took."""

    reply: WireReply
    entries: int = 0
    taken: Sequence[ReportEntry] = ()


@dataclass(eq=False)
class Held:
    """An answer that is held back. `effect`: whether the call has taken effect. `answer` is set on release."""

    id: int
    call: str
    request: WireRequest
    effect: bool
    done: Done | None
    answer: Future[WireReply] = field(default_factory=Future)


class Simulator:
    """A local OMNI account.

    `settings`: the switches. `clock`: where time comes from. `record`: what happened. `faults`: what will go wrong.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings or Settings()
        self.clock: Clock = clock or RealClock()
        self.faults = FaultPlan()
        self._changed = threading.Condition(threading.RLock())
        self._start()

    def _start(self) -> None:
        rng = random.Random(self.settings.seed)  # noqa: S311
        self._scenarios = ScenarioBook(rng, self.settings)
        self._store = MessageStore(rng)
        self.record = Record(self.clock.now)
        self._sender = Sender(self._store, self._scenarios, self.record, rng)
        self._throttled: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)
        self._held: dict[int, Held] = {}
        self._held_ids = itertools.count(1)
        self._second_reader_from: dict[int, float] = {}

    def handle(self, request: WireRequest) -> WireReply:
        """Take one request and return its reply. Never raises for anything a caller can send."""
        with self._changed:
            reply = self._exchange(request)
            self._changed.notify_all()
            return reply

    def configure(self, **changes: Any) -> None:
        """Change switches while it runs. Messages accepted before keep the future they were given. Raises ValueError."""
        with self._changed:
            self.settings = self.settings.changed(changes)

    def reset(self) -> None:
        """Forget messages, scenarios, record, faults, throttles; held answers go out as resets. Switches and time stay."""
        with self._changed:
            self.drop_held()
            self.faults.clear()
            self._start()
            self._changed.notify_all()

    def add_scenario(self, flow: Sequence[Mapping[str, Any]] | None = None, name: str = "LINE-SMS") -> str:
        """Create a scenario without a call (no throttle, no record) and return its key. Default flow: LINE, then SMS."""
        steps = flow or [{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}]
        with self._changed:
            return self._scenarios.create({"name": name, "flow": list(steps)}, self.settings).key

    def drop_held(self) -> None:
        """Let every held answer end in a reset, without effect: the server is going away."""
        with self._changed:
            for held in self._held.values():
                held.answer.set_result(dataclasses.replace(spoiling.NO_ANSWER, ending=Ending.RESET))
            self._held.clear()

    def advance(self, seconds: float) -> None:
        """Jump ahead in time."""
        with self._changed:
            self.clock.advance(seconds)
            self._changed.notify_all()

    def unread_reports(self) -> int:
        """Return how many reports could be read now."""
        with self._changed:
            return self._store.unread(self.clock.now(), self.settings)

    @property
    def held(self) -> list[Held]:
        """The answers that are held back now."""
        with self._changed:
            return list(self._held.values())

    def release(self, held_id: int | None = None) -> list[WireReply]:
        """Let a held answer go (all of them without an id); `hold-before` takes effect now, even if its caller is gone."""
        with self._changed:
            chosen = [held for held in self._held.values() if held_id in (None, held.id)]
            replies = []
            for held in chosen:
                del self._held[held.id]
                done = held.done or self._perform(held.call, held.request)
                if held.done is None:
                    self._note(held.call, held.request, done.reply, done, effect=True, fault="hold-before")
                replies.append(done.reply)
                held.answer.set_result(done.reply)
            self._changed.notify_all()
            return replies

    def wait_until(self, predicate: Callable[[Simulator], object], timeout: float = 10.0) -> None:
        """Wait, in real seconds, until `predicate(simulator)` holds. Looks after every call, and at short intervals.

        Raises TimeoutError.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate(self):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"the simulator did not get there within {timeout} s")
                self._changed.wait(min(left, LOOK_AGAIN_SECONDS))

    def _exchange(self, request: WireRequest) -> WireReply:
        call = route(request)
        self._second_readers(call, request)
        latency = self.settings.latency_seconds
        latency += sum(fault.seconds for fault in self.faults.fire_all("latency", call, request))
        before = self.faults.fire_one(Phase.BEFORE, call, request)
        if before is None:
            reply = self._answer(call, request)
        elif before.kind == "hold-before":
            reply = self._hold(call, request, None)
            self._note(call, request, reply, None, effect=False, fault=before.kind)
        else:
            reply = spoiling.instead_of_effect(before, self.settings)
            self._note(call, request, reply, None, effect=False, fault=before.kind)
        return dataclasses.replace(reply, delay=reply.delay + latency) if latency else reply

    def _answer(self, call: str, request: WireRequest) -> WireReply:
        done = self._perform(call, request)
        effect = done.reply.status < 300
        after = self.faults.fire_one(Phase.AFTER, call, request) if effect else None
        reply = done.reply
        if after is not None and after.kind == "hold-after":
            reply = self._hold(call, request, done)
        elif after is not None:
            reply = spoiling.spoiled(after, reply, self.settings)
        if done.taken and not reply.arrives and self.settings.report_consumption == "written":
            self._store.give_back(done.taken)
            done = dataclasses.replace(done, taken=())
        self._note(call, request, reply, done, effect=effect, fault=after.kind if after else None)
        return reply

    def _hold(self, call: str, request: WireRequest, done: Done | None) -> WireReply:
        held = Held(next(self._held_ids), call, request, done is not None, done)
        self._held[held.id] = held
        return dataclasses.replace(spoiling.NO_ANSWER, ending=Ending.HELD, held_id=held.id, released=held.answer)

    def _perform(self, call: str, request: WireRequest) -> Done:
        """Do what the call asks for, as an account does it: who is it, may it, is it well-formed."""
        settings, now = self.settings, self.clock.now()
        try:
            self._authorize(request)
            if settings.max_body_bytes and len(request.body) > settings.max_body_bytes:
                raise ApiProblem(413)
            self._throttle(call, now)
            return self._effect(call, request, now)
        except ApiProblem as problem:
            return Done(error_reply(problem, settings))

    def _effect(self, call: str, request: WireRequest, now: float) -> Done:
        settings = self.settings
        if call == "send":
            body = self._sender.send(_json(request.body), now, settings)
            return Done(json_reply(200, body), len(body["messages"]))
        query = urllib.parse.parse_qs(request.query, keep_blank_values=True)
        if call == "reports":
            taken = reading.take_reports(query, self._store, now, settings)
            rows = [reading.report_row(entry, settings) for entry in taken]
            return Done(json_reply(200, {"results": rows}), len(rows), taken)
        if call == "logs":
            rows = reading.log_rows(query, self._store, now, settings)
            return Done(json_reply(200, {"results": rows}), len(rows))
        if call == "create_scenario":
            created = self._scenarios.create(_json(request.body), settings)
            return Done(json_reply(settings.create_status, created.to_wire()))
        if call == "list_scenarios":
            page = self._scenarios.page(query)
            return Done(json_reply(200, {"scenarios": [one.to_wire() for one in page]}), len(page))
        key = urllib.parse.unquote(request.target_path.rpartition("/")[2])
        if call == "get_scenario":
            return Done(json_reply(200, self._scenarios.get(key).to_wire()))
        if call == "update_scenario":
            updated = self._scenarios.update(key, _json(request.body), settings)
            if settings.scenario_update == "in-flight":
                self._follow(updated, now)
            return Done(json_reply(200, updated.to_wire()))
        raise ApiProblem(405 if request.target_path in _PATHS else 404)

    def _follow(self, scenario: Scenario, now: float) -> None:
        """Let messages under way take the steps of an updated flow from where they are."""
        for message in self._store.all():
            if message.content.scenario_key != scenario.key or not message.steps:
                continue
            kept = sum(1 for step in message.steps if step.started_at <= now)
            if kept == len(message.steps) and (kept == 0 or message.steps[-1].started_at <= now):
                continue
            begin = message.steps[kept].started_at
            from airflow_provider_omni.simulator.fates import fate_of

            later = plan(scenario.flow[kept:], message.content.by_channel, fate_of(message.to), begin, self.settings)
            self._store.replan(message, kept, later, self.settings)

    def _authorize(self, request: WireRequest) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        settings = self.settings
        if scheme.lower() == "basic":
            try:
                allowed = base64.b64decode(given, validate=True).decode() == f"{settings.login}:{settings.password}"
            except (binascii.Error, UnicodeDecodeError):
                allowed = False
        else:
            expected = {"app": settings.app_key, "bearer": settings.bearer_token}.get(scheme.lower())
            allowed = expected is not None and given == expected
        if not allowed:
            raise ApiProblem(401)

    def _throttle(self, call: str, now: float) -> None:
        settings = self.settings
        limits = {
            "create_scenario": (settings.creates_per_10_minutes, TEN_MINUTES),
            "update_scenario": (settings.updates_per_10_minutes, TEN_MINUTES),
            "logs": (settings.logs_per_minute, 60.0),
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

    def _second_readers(self, call: str, request: WireRequest) -> None:
        """Let somebody else read the account's reports: at this call, or at each of the times that have passed since the last."""
        now = self.clock.now()
        for armed in self.faults.planned():
            fault = armed.fault
            if fault.kind != "second-reader" or not fault.seconds:
                continue
            since = self._second_reader_from.setdefault(armed.number, now)
            passed = int((now - since) // fault.seconds)
            if passed:
                self._second_reader_from[armed.number] = since + passed * fault.seconds
                self._steal(since + passed * fault.seconds)
        for fault in self.faults.fire_all("second-reader", call, request):
            if not fault.seconds:
                self._steal(now)

    def _steal(self, at: float) -> None:
        unread = self._store.unread(at, self.settings)
        for entry in self._store.take_reports(at, self.settings, limit=unread):
            self._note_report(entry, at, "second reader", lost=False)

    def _note_report(self, entry: ReportEntry, at: float, by: str, *, lost: bool) -> None:
        status_id = entry.change.status.id
        self.record.reports_read.append(
            ReportRead(entry.message.message_id, entry.step.channel, status_id, at, by, lost)
        )

    def _note(
        self, call: str, request: WireRequest, reply: WireReply, done: Done | None, *, effect: bool, fault: str | None
    ) -> None:
        now = self.clock.now()
        spoils = fault is not None and fault not in ("drip", "huge", "hold-before")
        for entry in done.taken if done else ():
            self._note_report(entry, now, "caller", lost=spoils)
        self.record.calls.append(
            CallMade(
                name=call,
                method=request.method,
                path=request.target_path,
                query=request.query,
                at=now,
                status=reply.status,
                ending=reply.ending.value,
                effect=effect,
                entries=done.entries if done else 0,
                fault=fault,
            )
        )


_PATHS: dict[str, dict[str, str]] = {
    "/omni/1/scenarios": {"POST": "create_scenario", "GET": "list_scenarios"},
    "/omni/1/advanced": {"POST": "send"},
    "/omni/1/reports": {"GET": "reports"},
    "/omni/1/logs": {"GET": "logs"},
}
_ONE_SCENARIO = {"GET": "get_scenario", "PUT": "update_scenario"}


def route(request: WireRequest) -> str:
    """Return the name of the call that a request makes: `unknown` when there is none."""
    path = request.target_path
    if path in _PATHS:
        return _PATHS[path].get(request.method, UNKNOWN_CALL)
    if path.startswith("/omni/1/scenarios/") and "/" not in path.removeprefix("/omni/1/scenarios/"):
        return _ONE_SCENARIO.get(request.method, UNKNOWN_CALL)
    return UNKNOWN_CALL


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ApiProblem(400, {"body": ["is not JSON"]}) from None


__all__ = ["Fault", "Held", "Simulator", "WireReply", "WireRequest", "route"]
