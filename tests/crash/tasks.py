"""Airflow's part in a send: tries and retries of the sending task, and its clears.

The machine is built as the operator builds it; nothing here decides about messages.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.delivery.effects import Clock, Steps
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.outbox.engine import SendResult
from airflow_provider_omni.delivery.outbox.message import send_message
from airflow_provider_omni.delivery.outbox.plan import MessageSpec
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.tries import Tries, begin_try, end_try
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniError, OmniStorageError
from airflow_provider_omni.omni.options import Options
from tests.crash import schedule as plans
from tests.crash.clocks import clock_of
from tests.crash.fake_stores import FakeTaskState, ForgetfulMemory, Publishing, Receipts, StateMemory
from tests.crash.processes import Process
from tests.crash.reports import SendingInstance
from tests.crash.upheavals import GONE, of_try
from tests.crash.waiting_task import WaitingTask
from tests.crash.world import CONNECT_TIMEOUT, GRACE, READ_TIMEOUT, World

FENCE_SECONDS = 5.0
"""Highest age of the fence when a POST is decided on: said again here, so that the product cannot move it alone."""


@dataclass(frozen=True)
class Posted:
    """A POST that a process began.

    `stale`: Airflow had given its try up by then. `fenced`: its intent had been written while it had not, and just
    before the machine decided to post. `followed`: a receipt that listed and counted all of it had been published by
    then.
    """

    at: float
    intended_at: float
    """Time at which its intent was written last."""
    ids: frozenset[str]
    try_number: int
    stale: bool
    fenced: bool
    followed: bool


@dataclass
class SendTask(WaitingTask):
    """The sending task from its first try to its last, clears included. `finished` is called at each end."""

    world: World
    plan: plans.Schedule
    finished: Callable[[SendTask], None]
    succeeded: bool = False
    end: SendResult | None = None
    error: OmniError | None = None
    receipts: Receipts = field(default_factory=Receipts)
    ends: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Times at which its tries came to an end, each with its receipt."""
    posts: list[Posted] = field(default_factory=list)
    try_number: int = 0
    downtime: float = 0.0
    unrecorded: bool = False
    """A try has run on an Airflow below 3.3."""

    def __post_init__(self) -> None:
        self.task_state = FakeTaskState(self.world.rng, self.plan.store_failures, self.plan.store_slowness)
        self._publishing = Publishing(self.plan.seed, self.plan.publish_failures, self.plan.publish_slowness)
        self._upheaval = random.Random(f"{self.plan.seed}:upheaval")
        self._fenced_at: dict[int, float] = {}
        self._left = self.plan.send.retries
        self._clears = list(self.plan.send.clears)
        self._running: Process | None = None
        """Process that Airflow takes for the running one; None between tries and after the end."""
        self._began_at = self.world.now()
        self._waiting_for_clear = False
        self._earlier_tries = 0
        """Those of other tasks under the same key."""
        self._first_task: tuple[FakeTaskState, int, float] | None = None
        """State that the first of several tasks under the same key has kept, the number of its tries, and when it
        began.
        """
        self.others_began_at: list[float] = []
        """Times at which other tasks under the same key began."""

    @property
    def cleared(self) -> bool:
        """Return True if the user has cleared it as often as the schedule says."""
        return not self._clears

    def start_try(self) -> None:
        """Begin the next try: Airflow wipes the task's XCom and believes in this one only."""
        send, world = self.plan.send, self.world
        self.try_number += 1
        number = self.task_state.current = self.try_number
        self.receipts.wipe()
        self.task_state.xcom.clear()
        self.lose(self.plan.upheavals.loss_before(number))
        memory = self._memory(number)
        cleared = len(self._clears) < len(send.clears)
        self.content_plan = send_plan(self.plan, world, number)
        clock = clock_of(world, self.plan.clocks, self.plan.seed, f"send {number}", number)
        machine = self._machine(number, self._first_try_at(cleared), clock, durable=memory.durable)
        world.say("airflow", f"try {number} of the send begins")
        crash_point = send.crash_points[number - 1] if number <= len(send.crash_points) else None
        name = f"send #{number}"
        ti = SendingInstance(world, name, self.plan.seed, lambda receipt: self.receipts.put(receipt, memory), clock)
        self._running = Process(
            world,
            name,
            machine,
            memory,
            ended=lambda process, end, error: self._ended(process, end, error, ti),
            lost=self._lost,
            crash_point=crash_point,
            account=of_try(self.plan.upheavals.accounts, number),
            publish=ti.reports.publish,
            report=ti.reports.report,
            publishing=self._publishing,
            posted=lambda process, call, decided_at: self._posted(process, number, call, decided_at),
            saved=lambda process: self._saved(number),
        ).begin()
        if number == 1 and send.presumed_dead_after is not None:
            process = self._running
            world.after(send.presumed_dead_after, lambda: self._give_up(process))
        if number == 1:
            self._unsettle(self._running)

    def lose(self, what: str | None) -> None:
        """Lose something of what Airflow keeps of the task."""
        if what is not None:
            self.world.say("airflow", f"the task's state: {what}")
            self.task_state.lose(what, self._upheaval, self.world.now())

    def _unsettle(self, first: Process) -> None:
        upheavals = self.plan.upheavals
        if upheavals.lost_while_running is not None:
            self.world.after(upheavals.lost_while_running, lambda: self.lose(GONE))
        if upheavals.cleared_running is not None:
            self.world.after(upheavals.cleared_running, lambda: self._clear_running(first))

    def _clear_running(self, process: Process) -> None:
        """Its id changes at once; the process is ended a little later, and the next try begins."""
        if process is not self._running:
            return
        self.world.say("airflow", f"the user clears the send while {process.name} runs")
        self._running = None
        self.task_state.current = -self.try_number
        self.world.after(self.plan.upheavals.killed_after, process.kill)
        if self.plan.airflow == "3.4":
            self.lose(GONE)
        self._left = self.plan.send.retries
        self.world.after(5.0, self.start_try)

    def _machine(self, number: int, first_try_at: float | None, clock: Clock, *, durable: bool) -> Steps[SendResult]:
        """Do what the operator does, from the first thing to the last."""
        send, world, order = self.plan.send, self.world, self.content_plan
        tries: Tries = yield from begin_try(number - self._earlier_tries, first_try_at, clock)
        policy = SendPolicy.of_one_request(
            LookPolicy(read_timeout=CONNECT_TIMEOUT + READ_TIMEOUT, grace=GRACE),
            trust_duplicate_rejection=send.trust,
            on_rejected=send.on_rejected,
            record_complete=tries.record_complete,
            record_writes=tries.writes,
            unaccounted=tries.unaccounted if durable else min(tries.unaccounted, 1),
            account=of_try(self.plan.upheavals.accounts, number),
            shared_key=send.shared_key,
            first_try_at=tries.not_before,
        )
        end: SendResult = yield from send_message(order, policy, clock, world.rng.random)
        if (yield from end_try(tries, end.writes)):
            world.measured.extend(end.measured)
        return end

    def _first_try_at(self, cleared: bool) -> float | None:
        """The start that the context tells: without a clear the start of the run, after one perhaps nothing."""
        return self._began_at if self.plan.send.first_try_known or not cleared else None

    def _memory(self, number: int) -> StateMemory:
        old = self.plan.airflow == "3.2" or number <= self.plan.upheavals.old_until
        self.unrecorded = self.unrecorded or old
        return (ForgetfulMemory if old else StateMemory)(self.task_state, number)

    def _saved(self, number: int) -> None:
        if self.task_state.current == number:
            self._fenced_at[number] = self.world.now()

    def _posted(self, process: Process, number: int, call: Any, decided_at: float) -> None:
        ids = frozenset(each["messageId"] for each in json.loads(call.body)["destinations"])
        stale = self.task_state.current != number
        intended_at = self._fenced_at.get(number, 0.0)
        fenced = decided_at - intended_at <= FENCE_SECONDS
        if stale:
            self.world.say(process.name, "(Airflow has given this try up)")
        told = self.receipts.told
        followed = told is not None and ids <= set(told["message_ids"]) and self.receipts.counted >= len(ids)
        self.posts.append(Posted(self.world.now(), intended_at, ids, number, stale, fenced, followed))

    def _lost(self, process: Process) -> None:
        heartbeat = self.plan.send.heartbeat
        self.downtime += heartbeat

        def no_heartbeat() -> None:
            if process.dead or process.frozen:
                self._give_up(process)

        self.world.after(heartbeat, no_heartbeat)

    def _give_up(self, process: Process) -> None:
        """No heartbeat any more: Airflow takes the try for dead, whether or not it is."""
        if process is self._running:
            self.world.say("airflow", f"{process.name} is given up")
            self._over(retryable=True)

    def _ended(self, process: Process, value: Any, error: OmniError | None, ti: SendingInstance) -> None:
        ti.end(value, error)
        if process is not self._running:
            self.world.say("airflow", f"the end of {process.name} is ignored: {error or value.error or 'success'}")
            return
        if error is not None:
            # It could not even say that it begins.
            assert isinstance(error, OmniStorageError), error
            self.error = error
            self._over(retryable=error.retryable)
            return
        self.end, self.error = value, value.error
        self.ends.append((self.world.now(), value.receipt.to_json()))
        self.world.say("airflow", f"{process.name} ends: {type(value.error).__name__} {value.error or 'success'}")
        if value.error is None:
            self.succeeded = True
            if self.plan.upheavals.dropped_on_success:
                self.lose(GONE)
            self.receipts.put(value.receipt.to_json(), process.memory)
            if self.plan.wait.one_task:
                self._running = None
                self.finished(self)
            else:
                self._final()
        else:
            self._over(retryable=value.error.retryable)

    def forget_end(self) -> None:
        """Forget how the try before has ended."""
        self.succeeded, self.end, self.error = False, None, None

    def give_retries(self) -> None:
        """Have as many retries as at first."""
        self._left = self.plan.send.retries

    def ended_waiting(self) -> bool:
        """Note that the wait has ended. Return True if the task is not cleared any more."""
        self._final()
        return not self._waiting_for_clear

    def _over(self, *, retryable: bool) -> None:
        self._running = None
        if retryable and self._left > 0:
            self._left -= 1
            # Its id changes when the next try is scheduled: from here on the old one can write no more.
            self.task_state.current = -self.try_number
            self.world.after(self.plan.send.retry_delay, self.start_try)
        else:
            self.succeeded = False
            self._final()

    def _final(self) -> None:
        self._running = None
        if not (self.plan.wait.one_task and self.succeeded):
            self.finished(self)
        self._waiting_for_clear = bool(self._clears)
        if self._clears:
            self.world.after(self._clears.pop(0), self._clear)

    def _clear(self) -> None:
        if self.plan.send.shared_key and self.plan.send.other_tasks and self._first_task is not None:
            self.world.say("airflow", "the user clears the task that has sent under this key before")
            other = self.try_number
            self.task_state.current = -other
            self.task_state, tries, self._began_at = self._first_task
            self._first_task, self._earlier_tries = None, other - tries
            if self.plan.airflow == "3.4":
                self.lose(GONE)
        elif self.plan.send.shared_key and self.plan.send.other_tasks:
            self.world.say("airflow", "another task sends under the same key")
            self._first_task = self.task_state.put_aside(), self.try_number - self._earlier_tries, self._began_at
            self._earlier_tries, self._began_at = self.try_number, self.world.now()
            self.others_began_at.append(self.world.now())
            self.task_state.begin_anew()
        else:
            self.world.say("airflow", "the user clears the send")
            if self.plan.airflow == "3.4":
                self.lose(GONE)
        self._left = self.plan.send.retries
        self.succeeded, self.end, self.error = False, None, None
        self.start_try()


def send_plan(plan: plans.Schedule, world: World, number: int) -> MessageSpec:
    """Return the DAG author's arguments, as this try finds them."""
    send = plan.send
    people = send.people[min(number, len(send.people)) - 1]
    text = send.texts[min(number, len(send.texts)) - 1]
    line, sms = send.validity
    scenario = world.scenario_keys[of_try(plan.upheavals.scenarios, number)]
    send_at = datetime.fromtimestamp(world.start + send.send_in, UTC) if send.send_in else None
    return MessageSpec(
        identity=Identity("dag|run|task|-1", of_try(plan.upheavals.secrets, number)),
        scenario_key=scenario,
        content=Content(
            {
                "LINE": LineText(text=text, validity_period=line, validity_period_time_unit="SECONDS"),
                "SMS": Sms(text=text, validity_period=sms, validity_period_time_unit="SECONDS"),
            },
            Options(send_at=send_at),
        ),
        recipients=read_recipients(list(people)),
        flow=world.flow_of(scenario) if send.flow_given else None,
    )
