"""A process of the harness: a machine of `delivery/` that is stepped, and its crash point."""

from __future__ import annotations

import enum
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args

from airflow_provider_omni.delivery.effects import (
    CallApi,
    Done,
    Effect,
    Gather,
    Label,
    ListParts,
    Load,
    Log,
    Measure,
    Offload,
    Publish,
    ReadPart,
    Report,
    Save,
    Sleep,
    Steps,
    Submit,
    WritePart,
)
from airflow_provider_omni.omni.errors import OmniError, OmniStorageError
from tests.crash.elsewhere import HOME
from tests.crash.fake_stores import Bucket, Publishing, StateMemory
from tests.crash.reports import KEY, strange_counts, told
from tests.crash.world import World

Then = Callable[[Any, OmniError | None], None]
"""The continuation with the result of an effect, or with its error."""


def _forgiving(then: Then) -> Then:
    return lambda value, _: then(value, None)


def in_bucket(name: str) -> str:
    """A part's name in the only bucket there is: a wait for several sends calls each ledger by a number."""
    number, _, rest = name.partition("/")
    return rest if number.isdecimal() else name


SPARED: dict[str, Any] = {}
"""By label: what effects are answered with that a mutant spares. Nothing happens then."""
FORGIVEN: set[str] = set()
"""Labels of effects whose errors a mutant passes over."""


class Phase(enum.Enum):
    """The moment of an effect at which it strikes. After an effect is before the next one."""

    BEFORE = "before"
    DURING = "during"
    """It takes effect, and the process does not learn of it (or learns of it when it wakes)."""


@dataclass(frozen=True)
class CrashPoint:
    """The mishap of a process at a point of its life: killed, or frozen for some seconds. Kill: `frozen_for` None.

    `at`: its n-th effect, as schedules are drawn; or the label of an effect, where a point is meant (the table in
    tests/crash/__init__.py). Labels count wherever the effect is carried out, also in what a batch submits.
    `only`: count effects of this kind only (`CallApi`, `Save`, …). `nth`: how often a label must have come. `after`:
    count those effects only that come so many seconds after the process began. `then`: what happens after it woke up.
    """

    at: int | Label
    phase: Phase
    frozen_for: float | None = None
    only: str | None = None
    after: float = 0.0
    then: CrashPoint | None = None
    nth: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.at, str):
            assert self.at in get_args(Label), f"no effect has the label {self.at!r}"
            assert self.only is None, "a label says which effect is meant"

    def __str__(self) -> str:
        what = "killed" if self.frozen_for is None else f"frozen for {self.frozen_for:.0f} s"
        if isinstance(self.at, str):
            return f"{what} {self.phase.value} “{self.at}” no. {self.nth}"
        return f"{what} {self.phase.value} its {self.only or 'effect'} no. {self.at}"


@dataclass(eq=False)
class Process:
    """Steps a machine. What it submits runs beside it, and dies or sleeps with it.

    `ended` gets its value or its error; `lost` is called when it was killed or frozen. `posted` is told each POST
    and when the machine has decided on it. `bucket`: where its ledger is.
    """

    world: World
    name: str
    machine: Steps[Any]
    memory: StateMemory
    ended: Callable[[Process, Any, OmniError | None], None]
    lost: Callable[[Process], None]
    crash_point: CrashPoint | None = None
    bucket: Bucket | None = None
    account: str = HOME
    """Account that its connection leads to."""
    publish: Callable[[dict[str, Any]], None] = lambda receipt: None
    report: Callable[[dict[str, Any]], None] = lambda value: None
    publishing: Publishing | None = None
    posted: Callable[[Process, Any, float], None] = lambda process, call, decided_at: None
    saved: Callable[[Process], None] = lambda process: None
    failing: dict[str, int] = field(default_factory=dict)
    """By label: how many of its next writes fail, before they take effect."""
    effects: int = 0
    began_at: float = 0.0
    dead: bool = False
    frozen: bool = False
    _asleep: list[Callable[[], None]] = field(default_factory=list)
    _done: list[Done] = field(default_factory=list)
    _gathering: bool = False

    def begin(self) -> Process:
        """Start it."""
        self.began_at = self.world.now()
        self.world.after(0.0, lambda: self._step(None, None))
        return self

    def kill(self) -> None:
        """End it now, without a word."""
        self.dead = True

    def _goes_on(self, later: Callable[[], None]) -> bool:
        """Return True if something of this process may go on now; if it is frozen, `later` goes on when it wakes."""
        if self.frozen and not self.dead:
            self._asleep.append(later)
            return False
        return not self.dead

    def _step(self, value: Any, error: OmniError | None) -> None:
        if not self._goes_on(lambda: self._step(value, error)):
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
            if isinstance(effect, Log):
                self.world.shows(self.name, effect.text)
                self.world.say(self.name, f"note: {effect.text}")
            elif isinstance(effect, Offload):
                value, error = self._compute(effect)
            else:
                break
        decided_at = self.world.now()
        if self._strikes(effect, Phase.BEFORE):
            self._fall(lambda: self._perform(effect, decided_at))
            return
        self._perform(effect, decided_at)
        if self._strikes(effect, Phase.DURING):
            self._fall(None)

    def _compute(self, effect: Offload) -> tuple[Any, OmniError | None]:
        try:
            return effect.function(), None
        except OmniError as raised:
            return None, raised

    def _strikes(self, effect: Effect, phase: Phase) -> bool:
        crash_point = self.crash_point
        if crash_point is None or (crash_point.only is not None and crash_point.only != type(effect).__name__):
            return False
        if isinstance(crash_point.at, str) and crash_point.at != getattr(effect, "label", None):
            return False
        if self.world.now() < self.began_at + crash_point.after:
            return False
        if phase is Phase.BEFORE:
            self.effects += 1
        return crash_point.phase is phase and self.effects == (
            crash_point.nth if isinstance(crash_point.at, str) else crash_point.at
        )

    def _strikes_submitted(self, effect: Effect, phase: Phase) -> bool:
        """Positions count what the machine itself yields; labels hold for what it submits, too."""
        return self.crash_point is not None and isinstance(self.crash_point.at, str) and self._strikes(effect, phase)

    def _fall(self, later: Callable[[], None] | None) -> None:
        assert self.crash_point is not None
        self.world.say(self.name, f"** {self.crash_point} **")
        self.world.crash_points += 1
        if self.crash_point.frozen_for is None:
            self.dead = True
        else:
            self.frozen = True
            if later is not None:
                self._asleep.append(later)
            self.world.after(self.crash_point.frozen_for, self._wake)
        self.crash_point, self.effects = self.crash_point.then, 0
        self.lost(self)

    def _wake(self) -> None:
        self.frozen = False
        if not self.dead:
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
        if not self._goes_on(lambda: self._chain(tag, effects, results, decided_at)):
            return
        if not effects:
            self._finish(Done(tag, tuple(results)))
            return

        def then(value: Any, error: OmniError | None) -> None:
            if not self._goes_on(lambda: then(value, error)):
                return
            if error is not None:
                self._finish(Done(tag, (), error))
            else:
                self._chain(tag, effects[1:], [*results, value], decided_at)

        if self._strikes_submitted(effects[0], Phase.BEFORE):
            self._fall(lambda: self._one(effects[0], decided_at, then))
            return
        self._one(effects[0], decided_at, then)
        if self._strikes_submitted(effects[0], Phase.DURING):
            self._fall(None)

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
        label = getattr(effect, "label", "")
        if label in SPARED:
            world.after(0.0, lambda: then(SPARED.get(label), None))
            return
        if label in FORGIVEN:
            then = _forgiving(then)
        if isinstance(effect, Save) and effect.key == KEY:
            then = self._held_up(then)
        if self.failing.get(label, 0):
            self.failing[label] -= 1
            world.say(self.name, f"“{label}” fails")
            world.after(0.1, lambda: then(None, OmniStorageError("writing failed", retryable=True)))
            return
        match effect:
            case CallApi(call, patience):
                if call.method == "POST":
                    self.posted(self, call, decided_at)
                world.exchange(self.name, call, patience, then, self.account)
            case Sleep(seconds):
                world.after(seconds, lambda: then(None, None))
            case Load(key):
                self._store(f"load {key[:24]}", lambda: self.memory.load(key), then)
            case Save(key, value):
                world.shows(self.name, str(value))
                self.saved(self)
                self._store(f"save {key[:24]}", lambda: self.memory.save(key, value), then)
            case Publish(receipt):
                happens, failure = (True, None) if self.publishing is None else self.publishing.breaks()
                world.say(self.name, f"publish {receipt['counts']}{' !!' if failure else ''}")
                world.shows(self.name, str(receipt))
                if happens:
                    told(world, self.name, lambda: self.publish(receipt))
                seconds = 0.05 if self.publishing is None else self.publishing.seconds()
                world.after(seconds, lambda: then(None, failure))
            case Report(value):
                world.shows(self.name, str(value))
                world.report_faults.update(strange_counts(value))
                told(world, self.name, lambda: self.report(value))
                world.after(0.0, lambda: then(None, None))
            case Measure(measurements):
                world.measured.extend(measurements)
                world.after(0.0, lambda: then(None, None))
            case WritePart() | ReadPart() | ListParts():
                self._reach(effect, then)
            case _:
                raise TypeError(effect)

    def _held_up(self, then: Then) -> Then:
        """A save is waited for, and may fail: a report must not be."""
        began = self.world.now()

        def held_up(value: Any, error: OmniError | None) -> None:
            if error is not None or self.world.now() > began:
                self.world.report_faults.add(f"{self.name} waits for a delivery report, or fails with it")
            then(value, error)

        return held_up

    def _store(self, what: str, access: Callable[[], Any], then: Then) -> None:
        value, error = None, None
        try:
            value = access()
        except OmniError as caught:
            error = caught
        self.world.say(self.name, what + (f" !! {type(error).__name__}" if error else ""))
        self.world.after(self.memory.task_state.seconds(), lambda: then(value, error))

    # -- the ledger's folder -----------------------------------------------------------------------------------------

    def _reach(self, effect: WritePart | ReadPart | ListParts, then: Then) -> None:
        """Each takes effect, or is answered as of, some moment between its beginning and its end."""
        world, bucket = self.world, self.bucket
        assert bucket is not None
        seconds, share = bucket.seconds(), world.rng.random()
        found: dict[str, Any] = {"value": None}
        match effect:
            case WritePart(name, data):
                name = in_bucket(name)
                written = data()
                if not name.startswith("plan/"):  # the private half
                    world.shows(self.name, gzip.decompress(written).decode())
                early, error = bucket.breaks_writing()

                def happen() -> None:
                    # Of a dead process perhaps not at all.
                    if not early and (not self.dead or world.rng.random() < 0.5):
                        bucket.write(name, written, world.now())
                        world.say(self.name, f"  … {name} is there ({len(written)} bytes)")
            case ReadPart(name):
                name = in_bucket(name)
                error = bucket.breaks_reading()

                def happen() -> None:
                    if name in bucket.parts:
                        found["value"] = bucket.parts[name]
                    else:  # taken away since it was listed
                        found["error"] = OmniStorageError("there is no such part", retryable=True)
            case ListParts(prefix):
                name = in_bucket(prefix)
                error = bucket.breaks_reading()

                def happen() -> None:
                    found["value"] = [prefix.removesuffix(name) + each for each in bucket.list(name)]

        world.say(self.name, f"{type(effect).__name__.lower()} {name}{' !!' if error else ''}")
        world.after(seconds * share, happen)

        def end() -> None:
            failed = error or found.get("error")
            then(None if failed else found["value"], failed)

        world.after(seconds, end)
