"""Batches in the harness: many requests on several connections, ledger writes that are killed, sources that change.

    python -m tests.crash.batches --seed 4711        one schedule, with its trace
    python -m tests.crash.batches --schedules 5000   many; failing seeds are printed

Judged by the simulator's record, like everything here. The waits of batches are tested apart.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.asking import LookRules
from airflow_provider_omni.delivery.batch.contents import BatchContent
from airflow_provider_omni.delivery.batch.machine import Batch, BatchEnd, LedgerTerms
from airflow_provider_omni.delivery.batch.plan import BatchSpec, plan_batch
from airflow_provider_omni.delivery.batch.rows import rows_of_entries
from airflow_provider_omni.delivery.batch.rules import BatchRules
from airflow_provider_omni.delivery.batch.scratch import Scratch
from airflow_provider_omni.delivery.effects import (
    Ask,
    Compute,
    Done,
    Effect,
    Fetch,
    Gather,
    ListParts,
    Load,
    Note,
    Pause,
    Publish,
    Put,
    Save,
    Steps,
    Submit,
)
from airflow_provider_omni.delivery.identity import Identity
from airflow_provider_omni.omni.errors import OmniError, OmniStaleTryError, OmniStorageError
from airflow_provider_omni.simulator.settings import Settings
from tests.crash.keeping import ForgetfulMemory, Keeping, StateMemory
from tests.crash.processes import Mishap, Phase
from tests.crash.world import CONNECT_TIMEOUT, FAULTS, GRACE, READ_TIMEOUT, Weather, World

Then = Callable[[Any, OmniError | None], None]
FROZEN = "frozen between its fence and its POST, awake after the next try had sent"
ONE_WRITE = 2.0
"""Seconds between the decision to post and the POST above which the process must have been frozen between them."""


@dataclass
class Bucket:
    """A ledger's folder, as an object store: writes are whole, take time, and may fail before or after their effect."""

    rng: random.Random
    failures: float
    parts: dict[str, bytes] = field(default_factory=dict)

    def seconds(self) -> float:
        """How long an access takes."""
        return self.rng.uniform(4.0, 30.0) if self.rng.random() < 0.03 else self.rng.uniform(0.005, 0.3)

    def fails(self) -> bool:
        """Whether this access fails."""
        return self.rng.random() < self.failures


@dataclass(eq=False)
class BatchProcess:
    """Steps a batch's machine; what it submits runs beside it, and dies or sleeps with it."""

    world: World
    name: str
    machine: Steps[BatchEnd]
    memory: StateMemory
    bucket: Bucket
    ended: Callable[[BatchProcess, Any, OmniError | None], None]
    lost: Callable[[BatchProcess], None]
    posted: Callable[[BatchProcess, Any, float], None]
    mishap: Mishap | None = None
    effects: int = 0
    dead: bool = False
    frozen: bool = False
    _asleep: list[Callable[[], None]] = field(default_factory=list)
    _done: list[Done] = field(default_factory=list)
    _gathering: bool = False

    def begin(self) -> BatchProcess:
        """Start it."""
        self.world.after(0.0, lambda: self._step(None, None))
        return self

    def _alive(self, later: Callable[[], None]) -> bool:
        """Whether something of this process may go on now; if it is frozen, `later` goes on when it wakes."""
        if self.frozen and not self.dead:
            self._asleep.append(later)
            return False
        return not self.dead

    def _step(self, value: Any, error: OmniError | None) -> None:
        if not self._alive(lambda: self._step(value, error)):
            return
        while True:
            try:
                effect = self.machine.send(value) if error is None else self.machine.throw(error)
            except StopIteration as stop:
                self.dead = True
                self.ended(self, stop.value, None)
                return
            except OmniError as raised:
                self.dead = True
                self.ended(self, None, raised)
                return
            value, error = None, None
            if isinstance(effect, Note):
                self.world.say(self.name, f"note: {effect.text}")
            elif isinstance(effect, Compute):
                value = effect.function()
            else:
                break
        decided_at = self.world.now()
        if self._strikes(Phase.BEFORE):
            self._fall(lambda: self._perform(effect, decided_at))
            return
        self._perform(effect, decided_at)
        if self._strikes(Phase.DURING):
            self._fall(None)

    def _strikes(self, phase: Phase) -> bool:
        if phase is Phase.BEFORE:
            self.effects += 1
        return self.mishap is not None and self.mishap.phase is phase and self.mishap.at == self.effects

    def _fall(self, later: Callable[[], None] | None) -> None:
        assert self.mishap is not None
        self.world.say(self.name, f"** {self.mishap} **")
        if self.mishap.frozen_for is None:
            self.dead = True
        else:
            self.frozen = True
            if later is not None:
                self._asleep.append(later)
            self.world.after(self.mishap.frozen_for, self._wake)
        self.mishap = None
        self.lost(self)

    def _wake(self) -> None:
        self.frozen = False
        self.world.say(self.name, "** wakes **")
        asleep, self._asleep = self._asleep, []
        for later in asleep:
            later()

    def _perform(self, effect: Effect, decided_at: float) -> None:
        match effect:
            case Submit(tag, effects):
                self._chain(tag, list(effects), [], decided_at)
                self.world.after(0.0, lambda: self._step(None, None))
            case Gather():
                self._gathering = True
                self._hand_over()
            case _:
                self._one(effect, decided_at, self._step)

    def _chain(self, tag: int, effects: list[Any], results: list[Any], decided_at: float) -> None:
        """A thread: one effect after the other."""
        if not self._alive(lambda: self._chain(tag, effects, results, decided_at)):
            return
        if not effects:
            self._finish(Done(tag, tuple(results)))
            return

        def then(value: Any, error: OmniError | None) -> None:
            if not self._alive(lambda: then(value, error)):
                return
            if error is not None:
                self._finish(Done(tag, (), error))
            else:
                self._chain(tag, effects[1:], [*results, value], decided_at)

        self._one(effects[0], decided_at, then)

    def _finish(self, done: Done) -> None:
        self._done.append(done)
        self._hand_over()

    def _hand_over(self) -> None:
        if self._gathering and self._done:
            self._gathering = False
            done, self._done = self._done, []
            self.world.after(0.0, lambda: self._step(done, None))

    def _one(self, effect: Any, decided_at: float, then: Then) -> None:
        world = self.world
        match effect:
            case Ask(call, patience):
                if call.method == "POST":
                    self.posted(self, call, decided_at)
                world.exchange(self.name, call, patience, then)
            case Pause(seconds):
                world.after(seconds, lambda: then(None, None))
            case Load(key):
                self._access(f"load {key[:20]}", lambda: self.memory.load(key), self.memory.keeping.seconds(), then)
            case Save(key, value):
                self._access(
                    f"save {key[:20]}", lambda: self.memory.save(key, value), self.memory.keeping.seconds(), then
                )
            case Publish(receipt):
                world.say(self.name, f"publish {receipt['counts']}")
                world.after(0.05, lambda: then(None, None))
            case Put(name, data):
                self._put(name, data(), then)
            case Fetch(name):
                self._access(f"fetch {name}", lambda: self._fetch(name), self.bucket.seconds(), then)
            case ListParts(prefix):
                self._list(prefix, then)
            case _:
                raise TypeError(effect)

    def _access(self, what: str, access: Callable[[], Any], seconds: float, then: Then) -> None:
        value, error = None, None
        try:
            value = access()
        except OmniError as caught:
            error = caught
        self.world.say(self.name, what + (f" !! {type(error).__name__}" if error else ""))
        self.world.after(seconds, lambda: then(value, error))

    def _fetch(self, name: str) -> bytes:
        if self.bucket.fails():
            raise OmniStorageError("reading failed")
        return self.bucket.parts[name]

    def _list(self, prefix: str, then: Then) -> None:
        """The answer is of some moment between the question and its arrival."""
        found: dict[str, Any] = {}
        seconds, share = self.bucket.seconds(), self.world.rng.random()

        def look() -> None:
            found["names"] = sorted(name for name in self.bucket.parts if name.startswith(prefix))

        error = OmniStorageError("listing failed") if self.bucket.fails() else None
        self.world.after(seconds * share, look)
        self.world.after(seconds, lambda: then(None if error else found["names"], error))

    def _put(self, name: str, data: bytes, then: Then) -> None:
        """Takes effect at some moment before its answer; of a dead process perhaps not at all."""
        seconds, share = self.bucket.seconds(), self.world.rng.random()
        early, late = self.bucket.fails(), self.bucket.fails()
        error = OmniStorageError("writing failed, or its answer was lost") if early or late else None

        def write() -> None:
            if not early and (not self.dead or self.world.rng.random() < 0.5):
                assert name not in self.bucket.parts
                self.bucket.parts[name] = data
                self.world.say(self.name, f"  … {name} is there ({len(data)} bytes)")

        self.world.say(self.name, f"put {name}{' !!' if error else ''}")
        self.world.after(seconds * share, write)
        self.world.after(seconds, lambda: then(None, error))


@dataclass(frozen=True)
class Plan:
    """What a seed stands for."""

    seed: int
    guarantee: str
    ledger: bool
    airflow: str
    settings: Settings
    weather: Weather
    sources: tuple[tuple[dict[str, str], ...], ...]
    """Rows by try; the last holds for all later ones."""
    personal: bool
    chunk: int
    connections: int
    tries: int
    retry_delay: float
    heartbeat: float
    mishaps: tuple[Mishap | None, ...]
    presumed_dead_after: float | None
    clears: tuple[float, ...]
    store_failures: float
    trust: bool


def plan_of(seed: int) -> Plan:
    """Draw a schedule."""
    rng = random.Random(f"omni batch {seed}")
    guarantee = "A" if seed % 2 else "B"
    ledger = rng.random() < 0.75
    tries = rng.randint(1, 5)
    duplicates = rng.choice(("status-23", "status-23", "ignore")) if guarantee == "A" else "accept"
    draw: dict[str, Any] = {
        "refused_in": rng.choice(("nothing", "logs", "both")),
        "answer_order": rng.choice(("request", "reversed", "random")),
        "single_bulk_id": rng.choice(("kept", "dropped")),
        "log_rows": rng.choice(("per-step", "last-step")),
    }
    return Plan(
        seed=seed,
        guarantee=guarantee,
        ledger=ledger,
        airflow=rng.choice(("3.3", "3.3", "3.2")) if ledger else "3.3",
        settings=Settings(
            seed=seed, duplicates=duplicates, log_lag_seconds=rng.choice((0.0, rng.uniform(0, 25))), **draw
        ),
        weather=Weather(
            rate=rng.choice((0.0, 0.05, 0.15, 0.3)),
            most=rng.randint(1, 25),
            posts=tuple(rng.choice((*FAULTS["send"], None, None)) for _ in range(rng.choice((0, 0, 3)))),
        ),
        sources=_sources(rng),
        personal=rng.random() < 0.3,
        chunk=rng.choice((1, 2, 3, 5)),
        connections=rng.randint(1, 5),
        tries=tries,
        retry_delay=rng.choice((1.0, 30.0, 300.0)),
        heartbeat=rng.choice((30.0, 120.0, 300.0)),
        mishaps=tuple(_mishap(rng) for _ in range(tries)),
        presumed_dead_after=rng.uniform(0.0, 20.0) if rng.random() < 0.2 else None,
        clears=() if rng.random() < 0.7 else rng.choice(((20.0,), (600.0,), (20.0, 7200.0))),
        store_failures=rng.choice((0.0, 0.0, 0.05)),
        trust=guarantee == "A" and duplicates == "status-23" and rng.random() < 0.2,
    )


def _sources(rng: random.Random) -> tuple[tuple[dict[str, str], ...], ...]:
    count = rng.randint(3, 30)
    fates = rng.choice((("00",), ("00", "00", "00", "40", "06", "52")))
    everybody = [
        {"phone": f"4179{index:05d}{rng.choice(fates)}", "name": f"N{index % rng.choice((1, 3, 100))}"}
        for index in range(count + 8)
    ]
    usual = tuple(everybody[:count])
    if rng.random() < 0.4:
        return (usual,)
    changed = [everybody[rng.randint(0, 5) : rng.randint(count, count + 8)] for _ in range(3)]
    for rows in changed:
        rng.shuffle(rows)
    return (usual, *map(tuple, changed))


def _mishap(rng: random.Random) -> Mishap | None:
    if rng.random() < 0.35:
        return None
    frozen = rng.choice((None, None, rng.choice((6.0, 20.0, 90.0, 400.0, 20_000.0))))
    return Mishap(
        rng.choice((rng.randint(1, 12), rng.randint(1, 80))), rng.choice((Phase.BEFORE, Phase.DURING)), frozen
    )


@dataclass
class Course:
    """A schedule on its way, and how it ended."""

    plan: Plan
    world: World
    bucket: Bucket
    keeping: Keeping
    try_number: int = 0
    left: int = 0
    clears: list[float] = field(default_factory=list)
    end: BatchEnd | None = None
    running: BatchProcess | None = None
    rows: tuple[dict[str, str], ...] = ()
    excepted: set[str] = field(default_factory=set)
    scratches: list[Scratch] = field(default_factory=list)

    def start_try(self) -> None:
        """Begin the next try."""
        plan, world = self.plan, self.world
        self.try_number += 1
        number = self.keeping.current = self.try_number
        self.end = None
        self.rows = plan.sources[min(number, len(plan.sources)) - 1]
        memory = StateMemory(self.keeping, number) if plan.airflow == "3.3" else ForgetfulMemory(self.keeping, number)
        scratch = Scratch()
        self.scratches.append(scratch)
        text = "Dear {name}" if plan.personal else "Hello"
        spec = BatchSpec(
            Identity("run-1"),
            world.scenario_key,
            BatchContent(line={"type": "TEXT", "text": text}, sms={"text": text}),
            ("LINE", "SMS"),
            chunk_size=plan.chunk,
        )
        rows = rows_of_entries(self.rows, "phone")
        batch = Batch(
            plan_batch(spec, rows, scratch, datetime.fromtimestamp(world.now(), UTC), keep_fields=True),
            BatchRules(
                LookRules(read_timeout=CONNECT_TIMEOUT + READ_TIMEOUT, grace=GRACE),
                connections=plan.connections,
                trust_duplicate_rejection=plan.trust,
                on_rejected="ignore",
                surely_first=number == 1,
                recallable=memory.durable,
            ),
            world.now,
            world.rng.random,
            LedgerTerms("memory://ledger", f"{world.rng.getrandbits(48):012x}") if plan.ledger else None,
        )
        world.say("airflow", f"try {number} begins with {len(self.rows)} rows")
        self.running = BatchProcess(
            world, f"batch #{number}", batch.run(), memory, self.bucket, self._ended, self._lost, self._posted,
            plan.mishaps[number - 1] if number <= len(plan.mishaps) else None,
        ).begin()  # fmt: skip
        if number == 1 and plan.presumed_dead_after is not None:
            process = self.running
            world.after(plan.presumed_dead_after, lambda: self._give_up(process))

    def _posted(self, process: BatchProcess, call: Any, decided_at: float) -> None:
        stale = isinstance(process.memory, StateMemory) and self.keeping.current != process.memory.try_number
        if stale and self.world.now() - decided_at > ONE_WRITE:
            self.excepted |= {
                row["phone"] for source in self.plan.sources for row in source if row["phone"] in str(call.body)
            }

    def _lost(self, process: BatchProcess) -> None:
        if process is self.running:
            self.world.after(self.plan.heartbeat, lambda: self._give_up(process))

    def _give_up(self, process: BatchProcess) -> None:
        if process is self.running:
            self.world.say("airflow", "gives the try up")
            self.running = None
            self._next(retry=True)

    def _ended(self, process: BatchProcess, end: BatchEnd | None, error: OmniError | None) -> None:
        error = end.error if end is not None else error
        self.world.say(process.name, f"ended: {type(error).__name__ if error else 'green'}")
        if process is not self.running:
            return
        self.running = None
        if end is not None and error is None:
            self.end = end
            self._next(retry=False)
        else:
            self._next(retry=isinstance(error, OmniStaleTryError) or (error is not None and error.retryable))

    def _next(self, *, retry: bool) -> None:
        if retry and self.left > 0:
            self.left -= 1
            self.world.after(self.plan.retry_delay, self.start_try)
        elif self.clears:
            self.left = self.plan.tries - 1
            self.world.after(self.clears.pop(0), self.start_try)


@dataclass(frozen=True)
class Result:
    """What is wrong with a schedule, by the simulator's record."""

    seed: int
    guarantee: str
    broken: tuple[str, ...]
    excepted: tuple[str, ...]
    green: bool
    tries: int
    trace: tuple[str, ...]

    @property
    def replay(self) -> str:
        """How to see it."""
        return f"python -m tests.crash.batches --seed {self.seed}"


def run(seed: int, *, trace: bool = False, focus: Callable[[Plan], Plan] = lambda plan: plan) -> Result:
    """Run one schedule and judge it. ``focus`` leads it to where a rule matters."""
    plan = focus(plan_of(seed))
    rng = random.Random(f"omni batch course {seed}")
    world = World(plan.settings, plan.weather, rng, tracing=trace)
    course = Course(plan, world, Bucket(rng, plan.store_failures), Keeping(rng, plan.store_failures))
    course.left, course.clears = plan.tries - 1, list(plan.clears)
    course.start_try()
    finished = world.run(400_000)
    broken, excepted = [], []
    record = world.simulator.record
    for number in sorted({row["phone"] for source in plan.sources for row in source}):
        found = len(record.messages_for(number))
        if found > 1:
            line = f"…{number[-7:]} got {found} messages"
            (excepted if plan.guarantee == "B" and number in course.excepted else broken).append(line)
    if not finished:
        broken.append("it never came to an end")
    if course.end is not None:
        broken += _claims(course, plan)
    for scratch in course.scratches:
        scratch.close()
    return Result(
        seed,
        plan.guarantee,
        tuple(broken),
        tuple(excepted),
        course.end is not None,
        course.try_number,
        tuple(world.trace),
    )


def _claims(course: Course, plan: Plan) -> list[str]:
    """A green task: whoever could be taken was, and the receipt says so."""
    assert course.end is not None
    record, counts = course.world.simulator.record, course.end.receipt.counts
    refused = {refusal.to for refusal in record.refusals if refusal.status_id != 23}
    people = {row["phone"] for row in course.rows}
    got = {number for number in people if record.messages_for(number)}
    wrong = []
    never = people - got - refused
    if never and not counts.unconfirmed:
        wrong.append(f"{len(never)} got nothing, and the task is green")
    if counts.accepted > len(got | (people & refused)):
        wrong.append(f"the receipt says that {counts.accepted} were accepted, the vendor has {len(got)}")
    if plan.settings.refused_in == "nothing" and counts.accepted + counts.unconfirmed < len(got):
        wrong.append(f"the receipt knows of {counts.accepted + counts.unconfirmed} messages, the vendor has {len(got)}")
    return wrong


def main() -> int:
    """Run one schedule with its trace, or many."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    if options.seed is not None:
        result = run(options.seed, trace=True)
        print("\n".join(result.trace), *plan_of(options.seed).__dict__.items(), *result.broken, sep="\n")
        return bool(result.broken)
    counts: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.schedules):
        result = run(seed)
        counts[f"{result.guarantee}: schedules"] += 1
        counts[f"{result.guarantee}: broken"] += bool(result.broken)
        counts[f"{result.guarantee}: excepted ({FROZEN})"] += bool(result.excepted)
        counts["green at the end"] += result.green
        counts["tries"] += result.tries
        if result.broken:
            print(f"seed {seed}: {'; '.join(result.broken)}    {result.replay}", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")
    return any("broken" in name and count for name, count in counts.items())


if __name__ == "__main__":
    sys.exit(main())
