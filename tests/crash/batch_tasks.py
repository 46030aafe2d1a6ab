"""Airflow's part in a batch: tries and retries of the sending task, and its clears. Built as the operator builds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Publish, Steps
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.outbox.engine import Outbox, SendResult
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, plan_batch
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.previous_receipt import previous_receipt
from airflow_provider_omni.delivery.outbox.send_window import SendWindow
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.outbox.tries import Tries, begin_try, end_try
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.sources import Row, rows_of_entries
from airflow_provider_omni.delivery.recipients.suppression import read_suppression
from airflow_provider_omni.omni.errors import OmniError, OmniStaleTryError
from tests.crash.batch_schedule import BatchSchedule, Rows
from tests.crash.breaking_workspace import BreakingWorkspace
from tests.crash.clocks import clock_of
from tests.crash.fake_stores import Bucket, FakeTaskState, ForgetfulMemory, Publishing, Receipts, StateMemory
from tests.crash.processes import Process
from tests.crash.reports import SendingInstance
from tests.crash.upheavals import GONE, of_try
from tests.crash.waiting_task import WaitingTask
from tests.crash.world import CONNECT_TIMEOUT, GRACE, READ_TIMEOUT, World

ONE_WRITE = 2.0
"""Seconds between the decision to post and the POST above which the process must have been frozen between them."""


@dataclass(frozen=True)
class BatchPost:
    """A POST that a try began. `woken`: after Airflow had given it up, by a process that was frozen in between.

    `followed`: a receipt that named its request and counted its messages, or named its ledger, had been published by
    then.
    """

    at: float
    intended_at: float
    """Time at which it was decided on, its intent having been written just before."""
    try_number: int
    try_began_at: float
    ids: frozenset[str]
    stale: bool
    woken: bool
    followed: bool
    by: Process = field(compare=False, repr=False)


@dataclass
class BatchTask(WaitingTask):
    """The sending task from its first try to its last, clears included. `finished` is called at each end."""

    world: World
    plan: BatchSchedule
    bucket: Bucket
    finished: Callable[[BatchTask], None]
    try_number: int = 0
    end: SendResult | None = None
    """Of a green task."""
    error: OmniError | None = None
    receipts: Receipts = field(default_factory=Receipts)
    rows: Rows = ()
    ends: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Times at which its tries came to an end, each with its receipt."""
    posts: list[BatchPost] = field(default_factory=list)
    spoilt_at: float | None = None
    """Time at which a part of the ledger was taken away, or damaged."""
    numbers: dict[str, str] = field(default_factory=dict)
    """To whom each message id was posted."""
    false_words: list[str] = field(default_factory=list)
    """Errors that say what is not true."""
    began_with: dict[int, Rows] = field(default_factory=dict)
    numbers_of: dict[str, set[str]] = field(default_factory=dict)
    """The people in the source of each try, by the try's token. Without those on its suppression list."""
    listed: frozenset[str] = frozenset()
    listed_by: dict[str, frozenset[str]] = field(default_factory=dict)
    """The suppression list that each try has read, by the try's token."""

    def __post_init__(self) -> None:
        self.task_state = FakeTaskState(self.world.rng, self.plan.store_failures)
        self._publishing = Publishing(self.plan.seed, self.plan.publish_failures, self.plan.publish_slowness)
        self._left = self.plan.send.tries - 1
        self._clears = list(self.plan.send.clears)
        self._running: Process | None = None
        self._upheaval = random.Random(f"{self.plan.seed}:upheaval")
        self._workspaces: list[BreakingWorkspace] = []
        self._began_at = self.world.now()

    def sources_since(self, token: str) -> list[set[str]]:
        """Return the people in the source of a try, and in that of each later one."""
        tries = list(self.numbers_of)
        return [self.numbers_of[each] for each in tries[tries.index(token) :]]

    @property
    def cleared(self) -> bool:
        """Return True if the user has cleared it as often as the schedule says."""
        return not self._clears

    def posted_since(self, moment: float) -> set[str]:
        """Messages of which a POST began then or later."""
        return {message_id for post in self.posts if post.at >= moment for message_id in post.ids}

    def close(self) -> None:
        """Forget the workspaces, those of killed tries too."""
        for workspace in self._workspaces:
            workspace.close()

    def start_try(self) -> None:
        """Begin the next try: Airflow wipes the task's XCom and believes in this one only."""
        send, world = self.plan.send, self.world
        self.try_number += 1
        number = self.task_state.current = self.try_number
        self.end = self.error = None
        self.receipts.wipe()
        self.task_state.xcom.clear()
        self.rows = self.began_with[number] = send.sources[min(number, len(send.sources)) - 1]
        self.listed = send.suppressed_at(number)
        if number == send.moved_at:
            world.say("airflow", "the ledger's path leads to another place")
            self.bucket = Bucket(world.rng, self.plan.store_failures)
        self.lose(self.plan.upheavals.loss_before(number))
        old = self.plan.airflow == "3.2" or number <= self.plan.upheavals.old_until
        memory = (ForgetfulMemory if old else StateMemory)(self.task_state, number)
        self._workspaces.append(BreakingWorkspace(self.plan.workspace_breaks.of(self.plan.seed, f"try {number}")))
        token = f"{world.rng.getrandbits(48):012x}"
        self.numbers_of[token] = {row["phone"] for row in self.rows} - self.listed
        world.say("airflow", f"try {number} begins with {len(self.rows)} rows")
        name = f"batch #{number}"
        clock = clock_of(world, self.plan.clocks, self.plan.seed, f"batch {number}", number)
        ti = SendingInstance(world, name, self.plan.seed, lambda receipt: self.receipts.put(receipt, memory), clock)
        self._running = process = Process(
            world,
            name,
            self._machine(number, self._workspaces[-1], token, durable=memory.durable),
            memory,
            ended=lambda process, end, error: self._ended(process, end, error, ti),
            lost=self._lost,
            crash_point=send.crash_points[number - 1] if number <= len(send.crash_points) else None,
            account=of_try(self.plan.upheavals.accounts, number),
            bucket=self.bucket,
            publish=ti.reports.publish,
            report=ti.reports.report,
            publishing=self._publishing,
            posted=lambda process, call, decided_at: self._posted(process, number, token, call, decided_at),
        ).begin()
        if number == 1 and send.presumed_dead_after is not None:
            world.after(send.presumed_dead_after, lambda: self._give_up(process))
        if number == 1:
            self._unsettle(process)

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
        self._left = self.plan.send.tries - 1
        self.world.after(5.0, self.start_try)

    def _machine(self, number: int, workspace: BreakingWorkspace, token: str, *, durable: bool) -> Steps[SendResult]:
        """Do what the operator does, from the first thing to the last."""
        send, world = self.plan.send, self.world
        clock = clock_of(world, self.plan.clocks, self.plan.seed, f"batch {number}", number)
        tries: Tries = yield from begin_try(number, self._began_at, clock)
        policy = SendPolicy(
            LookPolicy(read_timeout=CONNECT_TIMEOUT + READ_TIMEOUT, grace=GRACE),
            connections=send.connections,
            trust_duplicate_rejection=send.trust,
            on_rejected="ignore",
            is_first_try=number == 1 and tries.record_complete,
            record_complete=tries.record_complete,
            durable=durable,
            record_writes=tries.writes,
            unaccounted=tries.unaccounted if durable else min(tries.unaccounted, 1),
            account=of_try(self.plan.upheavals.accounts, number),
            first_try_at=tries.not_before,
        )
        # An exception in the middle of it is no end that could be told of.
        end: SendResult = yield from self._steps(number, workspace, policy, token, clock)
        if (yield from end_try(tries, end.writes)):
            world.measured.extend(end.measured)
        return end

    def _steps(
        self, number: int, workspace: BreakingWorkspace, policy: SendPolicy, token: str, clock: Clock
    ) -> Steps[SendResult]:
        """Do what the operator does within its workspace."""
        spec, world = batch_spec(self.plan, self.world, number), self.world
        ledger = LedgerTerms("memory://ledger", token) if self.plan.ledger else None
        with workspace:
            try:
                # One that was frozen before this reads what the source has become.
                self.numbers_of[token] = {row["phone"] for row in self.rows} - self.listed
                self.listed_by[token] = self.listed
                listed = None
                if self.plan.send.suppressed:
                    listed = read_suppression(_entries(self.listed), workspace, spec.numbers)
                rows, now = rows_of_entries(self.rows, "phone"), datetime.fromtimestamp(world.now(), UTC)
                plan = plan_batch(spec, rows, workspace, now, keep_fields=True, suppression=listed)
            except Exception:
                yield from previous_receipt(spec, workspace, ledger, world.rng.random, policy.account)
                raise
            batch = Outbox(plan, policy, clock, world.rng.random, ledger)
            try:
                return (yield from batch.run())
            except sqlite3.Error:
                with contextlib.suppress(OmniError):
                    yield Publish(batch.receipt().to_json())
                raise

    def _posted(self, process: Process, number: int, token: str, call: Any, decided_at: float) -> None:
        body = json.loads(call.body)
        destinations = body["destinations"]
        if self.listed_by[token].intersection(each["to"]["phoneNumber"] for each in destinations):
            self.false_words.append("somebody is posted to who is on the suppression list")
        self.numbers |= {each["messageId"]: each["to"]["phoneNumber"] for each in destinations}
        stale, now = self.task_state.current != number, self.world.now()
        woken = stale and now - decided_at > ONE_WRITE
        if stale:
            self.world.say(process.name, f"(Airflow has given this try up{', it was frozen' if woken else ''})")
        ids = frozenset(each["messageId"] for each in destinations)
        followed = self._is_followed(body["bulkId"], len(ids))
        self.posts.append(BatchPost(now, decided_at, number, process.began_at, ids, stale, woken, followed, process))

    def _is_followed(self, bulk_id: str, messages: int) -> bool:
        receipt = self.receipts.told or {}
        listed = bulk_id in {each["bulk_id"] for each in receipt.get("bulks", ())}
        return bool(receipt.get("ledger_path")) or (listed and self.receipts.counted >= messages)

    def _lost(self, process: Process) -> None:
        def no_heartbeat() -> None:
            if process.dead or process.frozen:
                self._give_up(process)

        self.world.after(self.plan.send.heartbeat, no_heartbeat)

    def _give_up(self, process: Process) -> None:
        if process is self._running:
            self.world.say("airflow", f"{process.name} is given up")
            self._over(retry=True)

    def _ended(self, process: Process, end: SendResult | None, error: OmniError | None, ti: SendingInstance) -> None:
        ti.end(end, error)
        error = end.error if end is not None else error
        self.world.say(process.name, f"ended: {f'{type(error).__name__} {error}' if error else 'green'}")
        if "Nothing was sent by this try" in str(error) and any(post.by is process for post in self.posts):
            self.false_words.append("a try says that it has sent nothing, and it has")
        if process is not self._running:
            return
        self.error = error
        if end is not None:
            self.ends.append((self.world.now(), end.receipt.to_json()))
        if end is not None and error is None:
            self.end = end
            if self.plan.upheavals.dropped_on_success:
                self.lose(GONE)
            self.receipts.put(end.receipt.to_json(), process.memory)  # what it returns
            if self.plan.wait.one_task:
                self._running = None
                self.finished(self)
            else:
                self._over(retry=False)
        else:
            self._over(retry=isinstance(error, OmniStaleTryError) or (error is not None and error.retryable))

    def forget_end(self) -> None:
        """Forget how the try before has ended."""
        self.end = self.error = None

    def give_retries(self) -> None:
        """Have as many retries as at first."""
        self._left = self.plan.send.tries - 1

    def ended_waiting(self) -> bool:
        """Note that the wait has ended. Return True if the task is not cleared any more."""
        cleared = self.cleared
        if self._clears:
            self.world.after(self._clears.pop(0), self._clear)
        return cleared

    def _over(self, *, retry: bool) -> None:
        self._running = None
        if retry and self._left > 0:
            self._left -= 1
            # Its id changes when the next try is scheduled: from here on the old one can write no more.
            self.task_state.current = -self.try_number
            self.world.after(self.plan.send.retry_delay, self.start_try)
            return
        self.finished(self)
        if self._clears:
            self.world.after(self._clears.pop(0), self._clear)

    def _clear(self) -> None:
        self.world.say("airflow", "the user clears the send")
        if self.plan.airflow == "3.4":
            self.lose(GONE)
        self._left = self.plan.send.tries - 1
        self._spoil()
        self.start_try()

    def _spoil(self) -> None:
        """Somebody tidies up, or restores the ledger half. Only after a try that came to its end: of one that was
        killed nobody can say what it wrote last.
        """
        parts, ends = self.bucket.list("sent/"), self.bucket.list("ends/")
        last = max(self.bucket.list("tries/"), default="").removeprefix("tries/")
        if self.plan.send.spoilt is None or not parts or f"ends/{last}" not in ends:
            return
        name = random.Random(f"{self.plan.seed}:spoilt part {self.try_number}").choice(parts)
        self.world.say("airflow", f"{name} is {self.plan.send.spoilt}")
        self.spoilt_at = self.world.now() if self.spoilt_at is None else self.spoilt_at
        self.bucket.spoil(name, self.plan.send.spoilt)


def _entries(listed: frozenset[str]) -> Iterator[Row]:
    """Yield the entries of a suppression list: numbers, and hashes of every other one."""
    for place, number in enumerate(sorted(listed)):
        yield Row(place, hashlib.sha256(f"+{number}".encode()).hexdigest() if place % 2 else number)


def batch_spec(plan: BatchSchedule, world: World, number: int) -> BatchSpec:
    """Return the DAG author's arguments."""
    send = plan.send
    text = "Dear {name}" if send.personal else "Hello to you"
    scenario = world.scenario_keys[of_try(plan.upheavals.scenarios, number)]
    line, sms = ({"validityPeriod": each, "validityPeriodTimeUnit": "SECONDS"} for each in send.validity)
    return BatchSpec(
        Identity("run-1", of_try(plan.upheavals.secrets, number)),
        scenario,
        MessageTemplate({"line": {"type": "TEXT", "text": text} | line, "sms": {"text": text} | sms}),
        world.flow_of(scenario) if send.flow_given else None,
        key_field="order" if send.keyed else None,
        chunk_size=send.chunk,
        window=None if send.shut is None else window_of(world, send.shut),
    )


def window_of(world: World, shut: tuple[float, float]) -> SendWindow:
    """Return the hours in which messages may go out."""
    closes, opens = (datetime.fromtimestamp(world.start + each, UTC).time() for each in shut)
    return SendWindow(opens, closes, "UTC")
