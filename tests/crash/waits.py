"""Airflow's part in a wait: a trigger, a poking worker or the short processes of reschedule mode, and their ends.

The machine is built as sensor and trigger build it, with the ledger where the receipt names one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Sleep, Steps
from airflow_provider_omni.delivery.tracking.reported_wait import ReportedWait
from airflow_provider_omni.delivery.tracking.wait import Wait, WaitEnd
from airflow_provider_omni.delivery.tracking.wait_limits import LIMITS, REFUSALS
from airflow_provider_omni.delivery.tracking.wait_together import wait_for
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniError
from airflow_provider_omni.sensors.arguments import read_watch
from tests.crash.clocks import clock_of
from tests.crash.elsewhere import HOME, OTHER
from tests.crash.fake_stores import Bucket, FakeTaskState, ForgetfulMemory, StateMemory, XComMemory
from tests.crash.processes import CrashPoint, Process
from tests.crash.reports import TaskInstance, strange_end_of_wait, told
from tests.crash.world import World

TAKEN_OVER = 30.0
"""Seconds until another triggerer or worker takes over."""


def poke(machine: Wait, clock: Clock) -> Steps[WaitEnd | None]:
    """One poke of the sensor: once more where the deadline has come meanwhile."""
    while True:
        late = clock() >= machine.watch.deadline
        end = yield from machine.poll()
        if end is not None or late or clock() < machine.watch.deadline:
            return end


def poke_on(machine: Wait, clock: Clock, connect: Callable[[], None]) -> Steps[WaitEnd]:
    """A worker that pokes until it is over. Each time it reads the connection anew."""
    while (end := (yield from poke(machine, clock))) is None:
        yield Sleep(machine.watch.poll_interval)
        connect()
    return end


def in_parts(watch: Watch) -> Watch:
    """One wait as one for several sends: what they have together must come out the same."""
    half = len(watch.bulks) // 2
    first = replace(watch, bulks=watch.bulks[:half], unsent=0)
    parts = (first, replace(watch, bulks=watch.bulks[half:])) if half else (watch,)
    return replace(watch, bulks=(), ledger_path=None, parts=tuple(each.as_part() for each in parts))


@dataclass
class WaitTask:
    """The waiting task in its mode. `result`: the end that Airflow got, and when.

    `plan`: a `Schedule` or a `BatchSchedule`. `bucket`: the ledger's folder, where the receipt names a ledger.
    """

    world: World
    plan: Any
    receipt: dict[str, Any]
    finished: Callable[[], None]
    bucket: Bucket | None = None
    task: Any = None
    """The sending task, if it is that which waits."""
    result: WaitEnd | None = None
    error: OmniError | None = None
    ended_at: float = 0.0
    decided_from: float = 0.0
    """Time at which the process began that came to the result."""
    ledger: Bucket | None = None
    """The content of the ledger at the end."""
    downtime: float = 0.0
    behind: float = 0.0
    """Seconds by which a copy's clock was behind. It looks into time windows of the logs so much later."""

    copies: int = 0
    """The number of processes that have begun."""
    restored: bool = False
    """The sensor has refused to ask another account; then the connection was restored, and the sensor cleared."""

    def __post_init__(self) -> None:
        wait = self.plan.wait
        if self.task is None:
            self.task_state = FakeTaskState(
                self.world.rng, self.plan.store_failures, self.plan.store_slowness, current=1
            )
        else:
            self.task_state = self.task.task_state
            # What an earlier try has read is gone: XComs with the retry, the state with a clear or a loss.
            self.restored = self.task.try_number > 1 and (wait.mode == "trigger" or bool(self.task_state.lost_at))
        self.began_at = self.world.now()
        self.home: str = self.receipt.get("account") or self._who_has_them()
        """The account that has the messages."""
        self.watch = self._read_watch()
        # Of a task that also sends, each try has its own.
        died = 0 if self.task is None or wait.mode == "trigger" else self.task.try_number - 1
        self._crash_points: list[CrashPoint | None] = list(wait.crash_points)[died:]
        self._failing = dict(self.plan.wait.failing)
        self._lost_events = wait.lost_events if wait.mode == "trigger" else 0
        self._processes: list[Process] = []
        self._second_copy = wait.second_copy_after
        self._given_up = False
        if self.task is not None and wait.cleared_waiting is not None and self.task.try_number == 1:
            self.world.after(wait.cleared_waiting, self._cleared)

    def _cleared(self) -> None:
        if not self._given_up and self.result is None and self.error is None:
            self._given_up = True
            self.task.cleared_waiting(lambda: [copy.kill() for copy in self._processes])

    def _who_has_them(self) -> str:
        """The user knows, if a receipt does not say so."""
        simulators = self.world.simulators.items()
        return next((name for name, simulator in simulators if simulator.record.messages), HOME)

    def _read_watch(self) -> Watch:
        wait = self.plan.wait
        return read_watch(
            started_at=self.world.now(),
            timeout=wait.timeout,
            receipt=self.receipt | {"account": self.home if wait.elsewhere.told else None},
            success_when=wait.success_when,
            delivered_means=wait.delivered_means,
            settle=wait.settle,
            poll_interval=wait.poll_interval,
            logs_only=wait.mode == "reschedule" and self.plan.airflow == "3.2",
            account=self.home,  # as it were: what is wrong with it, the wait itself must notice
        )

    def _account(self) -> str:
        away = not self.restored and self.plan.wait.elsewhere.at(self.world.now() - self.began_at)
        return self.home if not away else OTHER if self.home == HOME else HOME

    def start(self) -> None:
        """Begin: a trigger, a poking worker, or the first of many short processes."""
        self._start_copy()
        if self._second_copy is not None:
            self.world.after(self._second_copy, self._start_copy)

    def _start_copy(self) -> None:
        if self.result is not None or self.error is not None or self._given_up:
            return
        mode, number = self.plan.wait.mode, self.task_state.current
        self.copies += 1
        now = clock_of(self.world, self.plan.clocks, self.plan.seed, f"wait {self.copies}", self.copies)
        self.behind = max(self.behind, self.world.now() - now())
        if mode == "poke" and self.copies > 1:
            self.watch = self._read_watch()  # a retry of a poking sensor waits as long as the first try
        # Its deadline is a time of day, which a clock that is off would move; that is not judged here.
        watch = replace(self.watch, deadline=self.watch.deadline + now() - self.world.now())
        watch = in_parts(watch) if self.plan.wait.in_parts else watch
        watch = Watch.from_json(json.loads(json.dumps(watch.to_json())))
        refusals = 1 if mode == "reschedule" else REFUSALS
        account, limits = self._account(), LIMITS if self.bucket is None else self.plan.sizes.limits
        jitter = self.world.rng.random
        # No two waits of a task have one name.
        name = f"{self.copies + 0x10000 * (0 if self.task is None else self.task.try_number):08x}"
        wait = wait_for(watch, now, name, jitter, refusals, account, limits)
        machine = ReportedWait(wait, now, jitter, one_poll=mode == "reschedule")

        def connect() -> None:
            process.account = machine.account = self._account()

        name = f"{mode} #{self.copies}"
        ti = TaskInstance(self.world, name, self.plan.seed)
        ways = {"trigger": machine.until_decided, "poke": lambda: poke_on(machine, now, connect)}
        process = Process(
            self.world,
            name,
            ways.get(mode, lambda: poke(machine, now))(),
            self._memory(number),
            ended=lambda process, value, error: self._ended(process, value, error, ti),
            lost=self._lost,
            report=ti.reporter,
            crash_point=self._crash_points.pop(0) if self._crash_points else None,
            bucket=self.bucket,
            account=account,
            failing=self._failing,
        )
        self._processes.append(process.begin())

    def _memory(self, number: int) -> StateMemory:
        if self.plan.wait.mode == "trigger":
            return XComMemory(self.task_state, number)
        return (ForgetfulMemory if self.plan.airflow == "3.2" else StateMemory)(self.task_state, number)

    def _lost(self, process: Process) -> None:
        """The triggerer is dead, or the worker is: it takes a while until somebody else takes over."""
        if self.task is not None and self.plan.wait.mode != "trigger":
            if not self._given_up:
                self._given_up = True
                self.task.lost_waiting()
            return
        self.downtime += TAKEN_OVER
        if self.plan.wait.mode != "trigger":
            self.task_state.current += 1
        self.world.after(TAKEN_OVER, self._start_copy)

    def _restore(self, error: OmniError) -> None:
        """The user restores the connection and clears the sensor: that takes its XComs, and its time begins anew."""
        self.world.say("user", f"restores the connection, and clears the wait: {error.message[:60]}")
        self.restored = True
        for copy in self._processes:
            copy.kill()
        self.task_state.xcom.clear()
        self.task_state.current += self.plan.wait.mode != "trigger"
        self.watch = self._read_watch()
        self.downtime += self.world.now() - self.began_at + TAKEN_OVER
        self.world.after(TAKEN_OVER, self._start_copy)

    def _ended(self, process: Process, value: Any, error: OmniError | None, ti: TaskInstance) -> None:
        if value is not None:
            told(self.world, process.name, lambda: ti.reporter(value.report))
            strange = strange_end_of_wait(value.report, value.summary, value.verdict.value)
            self.world.report_faults.update(f"{process.name}: {line}" for line in strange)
        if self.result is not None or self.error is not None or self._given_up:
            return
        if self.plan.wait.mode != "trigger" and process.memory.try_number != self.task_state.current:
            return
        if error is None and value is None:
            self.world.after(self.plan.wait.poll_interval, self._start_copy)
            return
        if isinstance(error, OmniConfigurationError) and process.account != self.home:
            self._restore(error)
            return
        if self._lost_events:
            self._lost_events -= 1
            self.world.say(process.name, "** its event is lost: the triggerer dies before it is stored **")
            self._lost(process)
            return
        self.world.say("airflow", f"the wait ends: {error or value.explanation}")
        self.result, self.error, self.ended_at = value, error, self.world.now()
        self.decided_from = process.began_at
        self.ledger = None if self.bucket is None else self.bucket.snapshot()
        for copy in self._processes:
            copy.kill()
        self.finished()
