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
from airflow_provider_omni.simulator.faults import FaultPlan, Phase
from airflow_provider_omni.simulator.inbox import Inbox
from airflow_provider_omni.simulator.messages import ReportEntry
from airflow_provider_omni.simulator.queries import MessageQuery
from airflow_provider_omni.simulator.record import CallMade, Record, ReportRead
from airflow_provider_omni.simulator.settings import Settings
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


class Simulator:
    """A local OMNI account.

    `settings`: the switches. `clock`: where time comes from. `record`: what happened. `messages`: what people were
    sent. `faults`: what will go wrong.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings or Settings()
        self.clock: Clock = clock or RealClock()
        self.faults = FaultPlan()
        self._changed = threading.Condition(threading.RLock())

        self._starts = 0
        self._jumped = 0.0
        self.messages = Inbox(self)
        self._start()

    def _start(self) -> None:
        self._starts += 1
        self.record = Record(lambda: self.clock.now())
        self._account = Account(self.record, self.settings)
        self._held: dict[int, Held] = {}
        self._held_ids = itertools.count(1)
        self._stolen_until: dict[int, float] = {}

    def handle(self, request: WireRequest) -> WireReply:
        """Take one request and return its reply. Never raises for anything a caller can send."""
        with self._changed:
            reply = self._exchange(request)
            self._changed.notify_all()
            return reply

    def configure(self, **changes: Any) -> None:
        """Change switches while it runs. Messages accepted before keep their future. Raises ValueError."""
        with self._changed:
            self.settings = self.settings.changed(changes)

    def reset(self) -> None:
        """Forget messages, scenarios, record, faults and throttles; held answers end in a reset.

        Switches and time stay.
        """
        with self._changed:
            self.drop_held()
            self.faults.clear()
            self._start()
            self._changed.notify_all()

    def add_scenario(self, flow: Sequence[Mapping[str, Any]] | None = None, name: str = "LINE-SMS") -> str:
        """Create a scenario without a call (no throttle, no record) and return its key. Default flow: LINE, SMS."""
        steps = flow or [{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}]
        with self._changed:
            return self._account.scenarios.create({"name": name, "flow": list(steps)}, self.settings).key

    def advance(self, seconds: float) -> None:
        """Jump ahead in time."""
        with self._changed:
            self.clock.advance(seconds)
            self._jumped += seconds
            self._changed.notify_all()

    @contextlib.contextmanager
    def looking(self) -> Iterator[Account]:
        """Look at the account while nothing happens to it; its index of messages is up to date."""
        with self._changed:
            self._account.index.look(self.clock.now())
            yield self._account

    @property
    def version(self) -> str:
        """A text that is another one whenever a list of messages would show something else."""
        with self.looking() as account:
            return f"{self._starts}.{account.index.version}.{self._jumped:g}"

    def decide(self, outcome: str, query: MessageQuery, number: int | None = None) -> int:
        """Decide what becomes of the messages under way that a query means; return how many they were.

        `number`: only the message with it.
        """
        with self.looking() as account:
            now = self.clock.now()
            decided = 0
            one = account.index.get(number) if number is not None else None
            candidates = account.index.oldest_first() if number is None else [one] if one else []
            for message in candidates:
                if query.matches(message) and decide(message, outcome, now, account.store, self.settings):
                    account.index.touch(message, now)
                    decided += 1
            self._changed.notify_all()
            return decided

    def delete_messages(self, query: MessageQuery) -> int:
        """Forget the messages that a query means, as if they had never been sent; return how many they were."""
        with self.looking() as account:
            gone = [message for message in account.index.oldest_first() if query.matches(message)]
            account.forget(gone)
            self.record.forget(gone)
            self._changed.notify_all()
            return len(gone)

    def unread_reports(self) -> int:
        """Return how many reports could be read now."""
        with self._changed:
            return self._account.store.unread(self.clock.now(), self.settings)

    @property
    def held(self) -> list[Held]:
        """The answers that are held back now."""
        with self._changed:
            return list(self._held.values())

    def release(self, held_id: int | None = None) -> list[WireReply]:
        """Let a held answer go; all of them without an id.

        A call that `hold-before` stopped takes effect now, even if its caller is gone.
        """
        with self._changed:
            replies = []
            for held in [held for held in self._held.values() if held_id in (None, held.id)]:
                del self._held[held.id]
                done = held.done
                if done is None:
                    done = self._account.perform(held.call, held.request, self.clock.now(), self.settings)
                    self._note(held.call, held.request, done.reply, done, fault="hold-before")
                replies.append(done.reply)
                held.answer.set_result(done.reply)
            self._changed.notify_all()
            return replies

    def drop_held(self, held_id: int | None = None) -> int:
        """Let a held answer end in a reset, all of them without an id; how many there were.

        A call that `hold-before` stopped never takes effect then.
        """
        with self._changed:
            dropped = [held for held in self._held.values() if held_id in (None, held.id)]
            for held in dropped:
                del self._held[held.id]
                held.answer.set_result(dataclasses.replace(response_faults.NO_ANSWER, ending=Ending.RESET))
            self._changed.notify_all()
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
        done = self._account.perform(call, request, self.clock.now(), self.settings)
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
        now = self.clock.now()
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
        now = self.clock.now()
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
