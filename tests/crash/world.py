"""Time, the simulated vendor, and the network between it and the processes. Knows nothing of Airflow."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from airflow_provider_omni.delivery.metrics import Measurement
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniBusyError, OmniError, OmniRateLimitError
from airflow_provider_omni.omni.failures import Failure, failure_error
from airflow_provider_omni.omni.rate_limits import WindowLimiter
from airflow_provider_omni.simulator import outcomes, sending
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.fates import FATES, Fate, Moment, Since
from airflow_provider_omni.simulator.record import Record
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import WireRequest
from tests.crash.elsewhere import HOME
from tests.harness.clock import SkippingClock
from tests.harness.direct import AUTHORIZATION, answer_of, request_of

READ_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
GRACE = 30.0
LATEST = 28.0
"""Seconds after the caller gave up within which the vendor may still take a request in; also the longest log lag."""

Deliver = Callable[[Any, OmniError | None], None]

NAMES = {"/omni/1/advanced": "send", "/omni/1/reports": "reports", "/omni/1/logs": "logs"}

NOT_SENT = ("refused", "no-connection", "throttle", "throttle-retry-after")
LOST = ("reset-before", "close-before", "error-before", "late", "slow", "reset-after", "close-after", "error-after")
SPOILT = ("truncated", "unreadable", "empty", "wrong-shape")
NO_CREDIT = "no-credit"
"""Refuses everybody in a 200 answer, this once: whom an account has refused it may take later. Never drawn."""
FAULTS: dict[str, tuple[str, ...]] = {
    "send": (*NOT_SENT, *LOST, *LOST, *SPOILT, "foreign-ids", "missing-entries"),
    "reports": (*NOT_SENT, *LOST, *SPOILT, "foreign-ids", "missing-entries"),
    "logs": (*NOT_SENT, *LOST, *SPOILT),
    "scenario": (*NOT_SENT, *LOST, *SPOILT),
}
"""Faults of a call. `late`: the caller gives up, then the vendor takes it in. `slow`: the other way round."""


LATE_BEFORE_THE_FAILURE = "90"
"""A fate of the harness's own, never drawn: LINE is silent until its validity ends, and delivered late while the SMS is
under way, which then fails. So no moment is a failure's, but the last step's row says so.
"""
MORE_FATES = {
    LATE_BEFORE_THE_FAILURE: Fate(
        "LINE delivered late, then SMS undeliverable",
        chat=(Moment(2, outcomes.HANDSET, since=Since.EXPIRY),),
        sms=(Moment(4, outcomes.NOT_DELIVERED, outcomes.ABSENT_SUBSCRIBER),),
    )
}


@dataclass(frozen=True)
class NetworkFaults:
    """The behaviour of a schedule's network. `logs_down`: seconds from the start between which no look succeeds."""

    rate: float = 0.0
    most: int = 0
    posts: tuple[str | None, ...] = ()
    """The faults of the first POSTs, whatever the rate."""
    reports: tuple[str | None, ...] = ()
    """The faults of the first reads of reports."""
    logs_down: tuple[float, float] = (0.0, 0.0)
    second_reader_every: float | None = None
    contradictions: float = 0.0
    """The share of answers to a send that name some messages twice, as taken and as refused."""


@dataclass
class World:
    """One schedule's world. Everything random in it comes from `rng`."""

    settings: Settings
    network: NetworkFaults
    rng: random.Random
    flow: tuple[str, ...] = ("LINE", "SMS")
    tracing: bool = False
    secrets: tuple[str, ...] = ()
    """Texts that may be kept, published and noted nowhere: the numbers of everybody, and the texts."""
    others: tuple[tuple[str, ...], ...] = ()
    """The flows of the further scenarios that each account has."""
    trace: list[str] = field(default_factory=list)
    leaks: set[str] = field(default_factory=set)
    report_faults: set[str] = field(default_factory=set)
    """Faults of a delivery report when it was made or written."""
    measured: list[Measurement] = field(default_factory=list)
    """Measurements of tries, whether Airflow believed in their end or not."""
    faults_so_far: int = 0
    crash_points: int = 0
    """Processes killed or frozen so far."""
    events: int = 0

    def __post_init__(self) -> None:
        self.clock = SkippingClock()
        self.start = self.clock.now()
        self.simulators: dict[str, Simulator] = {}
        self.scenario_keys: list[str] = []
        self.budgets: dict[str, WindowLimiter] = {}
        self.simulator = self.account(HOME)
        self.scenario_key = self.scenario_keys[0]
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._posts = self._reads = 0
        self._twists = random.Random(f"{self.settings.seed}:twists")
        self.over = False

    def account(self, name: str) -> Simulator:
        """The vendor as an account sees it: each has logs and scenarios of its own."""
        if name not in self.simulators:
            simulator = self.simulators[name] = Simulator(self.settings, self.clock)
            self.budgets[name] = WindowLimiter(clock=self.clock.now, jitter=self.rng.random)
            keys = [
                simulator.add_scenario([{"channel": channel} for channel in flow], f"scenario {number}")
                for number, flow in enumerate((self.flow, *self.others))
            ]
            assert keys == self.scenario_keys or not self.scenario_keys
            self.scenario_keys = keys
        return self.simulators[name]

    @property
    def record(self) -> Record:
        """Everything that all accounts have taken and refused, and all calls."""
        records = [simulator.record for simulator in self.simulators.values()]
        return Record(
            self.now,
            acceptances=sorted((each for record in records for each in record.acceptances), key=lambda each: each.at),
            refusals=[each for record in records for each in record.refusals],
            calls=[each for record in records for each in record.calls],
            messages=[each for record in records for each in record.messages],
        )

    def flow_of(self, scenario: str) -> tuple[str, ...]:
        """The channels of a scenario, by its key."""
        return (self.flow, *self.others)[self.scenario_keys.index(scenario)]

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return self.clock.now()

    def say(self, who: str, what: str) -> None:
        """A line of the trace."""
        if self.tracing:
            self.trace.append(f"{self.now() - self.start:10.1f}  {who:<12} {what}")

    def shows(self, who: str, text: str) -> None:
        """Somebody can read this now."""
        if any(secret in text for secret in self.secrets):
            self.leaks.add(f"{who} shows a number or a text")

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let something happen later."""
        heapq.heappush(self._queue, (self.now() + max(seconds, 0.0), next(self._order), happen))

    def run(self, most_events: int = 200_000) -> bool:
        """Let everything happen. Returns False if it does not come to an end."""
        with patch.dict(FATES, MORE_FATES):
            return self._run(most_events)

    def _run(self, most_events: int) -> bool:
        if self.network.second_reader_every:
            self.after(self.network.second_reader_every, self._somebody_else_reads)
        while self._queue:
            at, _, happen = heapq.heappop(self._queue)
            if at > self.now():
                self.clock.advance(at - self.now())
            self.events += 1
            if self.events > most_events:
                return False
            happen()
        return True

    def _somebody_else_reads(self) -> None:
        if not self.over:
            # A read that finds nothing changes nothing, and there are tens of thousands. The first call of all counts.
            if self.simulator.unread_reports() or not self.simulator.record.calls:
                self.simulator.handle(WireRequest("GET", "/omni/1/reports", "limit=1000", AUTHORIZATION))
            self.after(self.network.second_reader_every or 0.0, self._somebody_else_reads)

    # -- the network ---------------------------------------------------------------------------------------------

    def exchange(
        self, who: str, call: Call[Any], patience: float | None, deliver: Deliver, account: str = HOME
    ) -> None:
        """Carry out a call; its answer or its error is delivered later. The effect is the simulator's."""
        simulator = self.account(account)
        if patience is not None and (wait := self.budgets[account].try_take()):
            if wait > patience:
                self.after(0.0, lambda: deliver(None, OmniBusyError("no place in the budget")))
            else:
                self.after(wait, lambda: self.exchange(who, call, patience - wait, deliver, account))
            return
        if patience is not None:
            deliver = self._report_429s(self.budgets[account], deliver)
        name = NAMES.get(call.path, "scenario")
        fault = self._fault(name)
        request = request_of(call)
        where = "" if account == HOME else f" at {account}"
        self.say(who, f"{call.name} {_shown(call)}{where}{' !! ' + fault if fault else ''}")

        def fail(failure: Failure) -> Callable[[], None]:
            return lambda: deliver(None, failure_error(call, failure))

        if fault == "refused":
            self.after(0.01, fail(Failure.REFUSED))
        elif fault == "no-connection":
            self.after(CONNECT_TIMEOUT, fail(Failure.CONNECT_TIMEOUT))
        elif fault == "late":
            self.after(READ_TIMEOUT, fail(Failure.READ_TIMEOUT))
            late = READ_TIMEOUT + self.rng.uniform(0.0, LATEST)
            self.after(late, lambda: self._take_in(who, request, simulator))
        elif fault == "slow":
            self.after(self.rng.uniform(0.0, READ_TIMEOUT), lambda: self._take_in(who, request, simulator))
            self.after(READ_TIMEOUT, fail(Failure.READ_TIMEOUT))
        else:
            transit = self.rng.uniform(0.01, 1.0) if self.rng.random() < 0.9 else self.rng.uniform(1.0, 14.0)
            self.after(transit, lambda: self._answer(call, name, request, fault, transit, deliver, simulator))

    @staticmethod
    def _report_429s(budget: WindowLimiter, deliver: Deliver) -> Deliver:
        """Do as the drivers do."""

        def told(value: Any, error: OmniError | None) -> None:
            if isinstance(error, OmniRateLimitError):
                budget.hold_back(error.retry_after)
            deliver(value, error)

        return told

    def _fault(self, name: str) -> str | None:
        since = self.now() - self.start
        if name == "logs" and self.network.logs_down[0] <= since < self.network.logs_down[1]:
            return self.rng.choice(("error-before", "reset-before", "refused", "throttle"))
        if name == "send" and self._posts < len(self.network.posts):
            self._posts += 1
            fault = self.network.posts[self._posts - 1]
            self.faults_so_far += fault is not None
            return fault
        if name == "reports" and self._reads < len(self.network.reports):
            self._reads += 1
            return self.network.reports[self._reads - 1]
        if self.faults_so_far >= self.network.most or self.rng.random() >= self.network.rate:
            return None
        self.faults_so_far += 1
        return self.rng.choice(FAULTS[name])

    def _take_in(self, who: str, request: WireRequest, simulator: Simulator) -> None:
        self.say(who, f"  … the vendor takes in {request.method} {request.target_path}, its caller has gone")
        simulator.handle(request)

    def _answer(
        self,
        call: Call[Any],
        name: str,
        request: WireRequest,
        fault: str | None,
        transit: float,
        deliver: Deliver,
        simulator: Simulator,
    ) -> None:
        plan = simulator.faults
        plan.clear()
        if fault == NO_CREDIT:
            pass
        elif fault == "throttle-retry-after":
            plan.add("throttle", retry_after=float(self.rng.randint(1, 20)))
        elif fault is not None:
            plan.add(fault)
        elif name == "send" and self._twists.random() < self.network.contradictions:
            plan.add("contradiction", count=self._twists.randint(1, 3))
            self.say("vendor", "  … contradicts itself")
        with _without_credit() if fault == NO_CREDIT else contextlib.nullcontext():
            reply = simulator.handle(request)
        plan.clear()
        value, error = None, None
        try:
            value = answer_of(call, reply, at=self.now())
        except OmniError as caught:
            error = caught
        self.after(transit, lambda: deliver(value, error))


def _without_credit() -> contextlib.AbstractContextManager[Any]:
    return patch.object(sending, "address_problem", lambda _: outcomes.REFUSALS[12])


def _shown(call: Call[Any]) -> str:
    """The ids that a call is about, shortened; for the trace."""
    ids = [value for name, value in call.query if name in ("bulkId", "messageId")]
    return " ".join(f"{name}={value[:8]}" for name, value in call.query if value in ids)
