"""The simulator behind one function: a request in, a reply out. In memory, no sockets, no threads, no sleeping.

    simulator = Simulator(clock=ManualClock())
    reply = simulator.handle(WireRequest("POST", "/omni/1/advanced", "", headers, body))

Calls may come from several threads; they are taken one at a time. `server.py` puts it on a socket.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.simulator import response_faults
from airflow_provider_omni.simulator.account import Account, Done, route
from airflow_provider_omni.simulator.clock import Clock, RealClock
from airflow_provider_omni.simulator.deciding import decide
from airflow_provider_omni.simulator.faults import Fault, FaultPlan, Phase
from airflow_provider_omni.simulator.inbox import Inbox
from airflow_provider_omni.simulator.messages import Message, ReportEntry
from airflow_provider_omni.simulator.queries import MessageQuery
from airflow_provider_omni.simulator.record import CallMade, Record, ReportRead
from airflow_provider_omni.simulator.requests_kept import SECRET_HEADERS
from airflow_provider_omni.simulator.settings import SWITCHES, Settings
from airflow_provider_omni.simulator.wire import Ending, WireReply, WireRequest

LOOK_AGAIN_SECONDS = 0.02
HARMLESS = frozenset({"drip", "huge", "hold-before"})
"""Faults after which the reports of an answer are not counted as lost."""


@dataclass(eq=False)
class Held:
    """An answer that is held back. `effect`: whether the call has taken effect. `answer` is set on release."""

    id: int
    call: str
    request: WireRequest
    done: Done | None
    answer: Future[WireReply] = field(default_factory=Future)

    @property
    def effect(self) -> bool:
        """True when the call has done its work already."""
        return self.done is not None


Note = Callable[[str, Mapping[str, Any], bytes | None], None]
CHANGING = frozenset({"send", "create_scenario", "update_scenario"})
"""Calls that are noted although they brought nothing to read."""


def _forget(_what: str, _members: Mapping[str, Any], _body: bytes | None) -> None:
    """Note nothing: nobody wants to do it again."""


class Simulator:
    """A local OMNI account.

    `settings`: the switches. `clock`: where time comes from. `record`: what happened. `messages`: what people were
    sent. `faults`: what will go wrong.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings or Settings()
        self.clock: Clock = clock or RealClock()
        self.faults = FaultPlan(self._fault_planned)
        self.note: Note = _forget
        """Told of everything that is done to the account, in time: what, its members, the body of a call."""
        self.jumped = 0.0
        """Seconds that time was moved ahead in all."""
        self._changed = threading.Condition(threading.RLock())
        self._moment: float | None = None
        self._starts = 0
        self.messages = Inbox(self)
        self._start()

    def _start(self) -> None:
        self._starts += 1
        self.record = Record(self.now)
        self._account = Account(self.record, self.settings)
        self._held: dict[int, Held] = {}
        self._held_ids = itertools.count(1)
        self._stolen_until: dict[int, float] = {}

    def now(self) -> float:
        """Return the time, which stands still while something is done."""
        return self.clock.now() if self._moment is None else self._moment

    @contextlib.contextmanager
    def _doing(self) -> Iterator[None]:
        """Do one thing at a time, at one moment, and let those look again who wait."""
        with self._changed:
            before, self._moment = self._moment, self.now()
            try:
                yield
            finally:
                self._moment = before
                self._changed.notify_all()

    def handle(self, request: WireRequest) -> WireReply:
        """Take one request and return its reply. Never raises for anything a caller can send."""
        with self._doing():
            had_faults = bool(self.faults.planned())
            reply = self._exchange(request)
            made = self.record.calls[-1]
            has_read = made.name == "reports" and made.entries > 0
            if had_faults or made.name in CHANGING or has_read:
                self._note_call(request, signed_in=reply.status != 401)
            return reply

    def _note_call(self, request: WireRequest, *, signed_in: bool) -> None:
        if self.note is _forget:
            return
        headers = {name: value for name, value in request.headers.items() if name not in SECRET_HEADERS}
        members = {
            "method": request.method,
            "path": request.target_path,
            "query": request.query,
            "headers": headers,
            "signed_in": signed_in,
        }
        self.note("call", members, request.body)

    def _fault_planned(self, fault: Fault | None) -> None:
        if fault is None:
            self.note("no faults", {}, None)
        else:
            self.note("fault", dataclasses.asdict(fault), None)

    def configure(self, **changes: Any) -> None:
        """Change switches while it runs. Messages accepted before keep their future. Raises ValueError."""
        with self._doing():
            self.settings = self.settings.changed(changes)
            if any(name in SWITCHES for name in changes):
                self.note("configure", {name: value for name, value in changes.items() if name in SWITCHES}, None)

    def reset(self) -> None:
        """Forget messages, scenarios, record, faults and throttles; held answers end in a reset.

        Switches and time stay.
        """
        with self._doing():
            self.drop_held()
            self.faults.clear()
            self._start()
            self.note("reset", {**self.beginning(), "ahead": self.jumped}, None)

    def beginning(self) -> dict[str, Any]:
        """Return what an account begins with, as far as it decides what becomes of it."""
        return {"switches": self.settings.switches(), "seed": self.settings.seed}

    def add_scenario(
        self, flow: Sequence[Mapping[str, Any]] | None = None, name: str = "LINE-SMS", key: str | None = None
    ) -> str:
        """Create a scenario without a call (no throttle, no record) and return its key. Default flow: LINE, SMS.

        `key`: the one that a DAG has in it; else the account makes one up.
        """
        steps = list(flow or [{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}])
        with self._doing():
            made = self._account.scenarios.create({"name": name, "flow": steps}, self.settings, key).key
            self.note("scenario", {"flow": steps, "name": name, "key": key}, None)
            return made

    def advance(self, seconds: float) -> None:
        """Jump ahead in time."""
        with self._doing():
            self.clock.advance(seconds)
            self.jumped += seconds
            self.note("advance", {"seconds": seconds}, None)

    @contextlib.contextmanager
    def looking(self) -> Iterator[Account]:
        """Look at the account while nothing happens to it; its index of messages is up to date."""
        with self._changed:
            self._account.index.look(self.now())
            yield self._account

    @property
    def version(self) -> str:
        """A text that is another one whenever a list of messages would show something else."""
        with self.looking() as account:
            return f"{self._starts}.{account.index.version}.{self.jumped:g}"

    def decide(self, outcome: str, query: MessageQuery, number: int | None = None) -> int:
        """Decide what becomes of the messages under way that a query means; return how many they were.

        `number`: only the message with it.
        """
        with self._doing(), self.looking() as account:
            now = self.now()
            decided = 0
            one = account.index.get(number) if number is not None else None
            candidates = account.index.oldest_first() if number is None else [one] if one else []
            for message in candidates:
                if query.matches(message) and decide(message, outcome, now, account.store, self.settings):
                    account.index.touch(message, now)
                    decided += 1
            self.note("decide", {"outcome": outcome, "query": query.members(), "number": number}, None)
            return decided

    def delete_messages(self, query: MessageQuery) -> int:
        """Forget the messages that a query means, as if they had never been sent; return how many they were."""
        with self._doing(), self.looking() as account:
            gone = [message for message in account.index.oldest_first() if query.matches(message)]
            account.forget(gone)
            self.record.forget(gone)
            self.note("delete", query.members(), None)
            return len(gone)

    def unread_reports(self) -> int:
        """Return how many reports could be read now."""
        with self._changed:
            return self._account.store.unread(self.now(), self.settings)

    def unread_reports_of(self, message: Message) -> list[ReportEntry]:
        """Return the reports of a message that are ready, and that nobody has read."""
        with self._changed:
            return self._account.store.unread_of(message, self.now(), self.settings)

    @property
    def held(self) -> list[Held]:
        """The answers that are held back now."""
        with self._changed:
            return list(self._held.values())

    def release(self, held_id: int | None = None) -> list[WireReply]:
        """Let a held answer go; all of them without an id.

        A call that `hold-before` stopped takes effect now, even if its caller is gone.
        """
        with self._doing():
            replies = []
            for held in [held for held in self._held.values() if held_id in (None, held.id)]:
                del self._held[held.id]
                done = held.done
                if done is None:
                    done = self._account.perform(held.call, held.request, self.now(), self.settings)
                    self._note(held.call, held.request, done.reply, done, fault="hold-before")
                replies.append(done.reply)
                held.answer.set_result(done.reply)
            self.note("release", {"id": held_id}, None)
            return replies

    def drop_held(self, held_id: int | None = None) -> int:
        """Let a held answer end in a reset, all of them without an id; how many there were.

        A call that `hold-before` stopped never takes effect then.
        """
        with self._doing():
            dropped = [held for held in self._held.values() if held_id in (None, held.id)]
            for held in dropped:
                del self._held[held.id]
                held.answer.set_result(dataclasses.replace(response_faults.NO_ANSWER, ending=Ending.RESET))
            if dropped:
                self.note("drop", {"id": held_id}, None)
            return len(dropped)

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
        else:
            if before.kind == "hold-before":
                reply = self._hold(call, request, None)
            else:
                reply = response_faults.instead_of_effect(before, self.settings)
            self._note(call, request, reply, None, fault=before.kind)
        return dataclasses.replace(reply, delay=latency) if latency else reply

    def _answer(self, call: str, request: WireRequest) -> WireReply:
        done = self._account.perform(call, request, self.now(), self.settings)
        reply = done.reply
        after = self.faults.fire_one(Phase.AFTER, call, request) if reply.status < 300 else None
        if after is not None:
            hold = after.kind == "hold-after"
            reply = (
                self._hold(call, request, done) if hold else response_faults.faulty_reply(after, reply, self.settings)
            )
        if done.taken and not reply.arrives and self.settings.report_consumption == "written":
            self._account.store.give_back(done.taken)
            done = dataclasses.replace(done, taken=())
        self._note(call, request, reply, done, fault=after.kind if after else None)
        return reply

    def _hold(self, call: str, request: WireRequest, done: Done | None) -> WireReply:
        held = Held(next(self._held_ids), call, request, done)
        self._held[held.id] = held
        return dataclasses.replace(response_faults.NO_ANSWER, ending=Ending.HELD, held_id=held.id, released=held.answer)

    def _second_readers(self, call: str, request: WireRequest) -> None:
        """Let somebody else read the account's reports: at this call, or at every moment passed since the last one."""
        now = self.now()
        for armed in self.faults.planned():
            fault = armed.fault
            if fault.kind != "second-reader" or not fault.seconds:
                continue
            since = self._stolen_until.setdefault(armed.number, now)
            passed = int((now - since) // fault.seconds)
            if passed:
                self._stolen_until[armed.number] = since + passed * fault.seconds
                self._steal(since + passed * fault.seconds)
        for fault in self.faults.fire_all("second-reader", call, request):
            if not fault.seconds:
                self._steal(now)

    def _steal(self, at: float) -> None:
        unread = self._account.store.unread(at, self.settings)
        for entry in self._account.store.take_reports(at, self.settings, limit=unread):
            self._note_report(entry, at, "second reader", lost=False)

    def _note_report(self, entry: ReportEntry, at: float, by: str, *, lost: bool) -> None:
        read = ReportRead(entry.message.message_id, entry.step.channel, entry.change.status.id, at, by, lost)
        self.record.reports_read.append(read)

    def _note(self, call: str, request: WireRequest, reply: WireReply, done: Done | None, *, fault: str | None) -> None:
        now = self.now()
        for entry in done.taken if done else ():
            self._note_report(entry, now, "caller", lost=fault is not None and fault not in HARMLESS)
        self.record.calls.append(
            CallMade(
                name=call,
                method=request.method,
                path=request.target_path,
                query=request.query,
                at=now,
                status=reply.status,
                ending=reply.ending.value,
                effect=done is not None and done.reply.status < 300,
                entries=done.entries if done else 0,
                fault=fault,
            )
        )
