"""A process of the harness: a machine of ``delivery/`` that is stepped, and its mishap."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.effects import Ask, Effect, Load, Note, Pause, Publish, Save, Steps
from airflow_provider_omni.omni.errors import OmniError
from tests.crash.keeping import StateMemory
from tests.crash.world import World


class Phase(enum.Enum):
    """Where in an effect a mishap strikes. After an effect is before the next one."""

    BEFORE = "before"
    DURING = "during"
    """It takes effect, and the process does not learn of it (or learns of it when it wakes)."""


@dataclass(frozen=True)
class Mishap:
    """What happens to a process at its n-th effect: killed, or frozen for some seconds. Kill: ``frozen_for`` None.

    ``only``: count effects of this kind only (`Ask`, `Save`, …). ``after``: count those only that come so many seconds
    after the process began.
    """

    at: int
    phase: Phase
    frozen_for: float | None = None
    only: str | None = None
    after: float = 0.0

    def __str__(self) -> str:
        what = "killed" if self.frozen_for is None else f"frozen for {self.frozen_for:.0f} s"
        return f"{what} {self.phase.value} its {self.only or 'effect'} no. {self.at}"


@dataclass(eq=False)
class Process:
    """Steps a machine. ``ended`` gets its value or its error; ``lost`` is called when it was killed or frozen."""

    world: World
    name: str
    machine: Steps[Any]
    memory: StateMemory
    ended: Callable[[Process, Any, OmniError | None], None]
    lost: Callable[[Process], None]
    mishap: Mishap | None = None
    publish: Callable[[dict[str, Any]], None] = lambda receipt: None
    posted: Callable[[Process, Any], None] = lambda process, call: None
    saved: Callable[[Process], None] = lambda process: None
    effects: int = 0
    began_at: float = 0.0
    decided_at: float = 0.0
    """When the machine asked for the effect that is being carried out."""
    dead: bool = False
    frozen: bool = False
    asleep: Callable[[], None] | None = None

    def begin(self) -> Process:
        """Start it."""
        self.began_at = self.world.now()
        self.world.after(0.0, lambda: self._step(None, None))
        return self

    def kill(self) -> None:
        """End it now, without a word."""
        self.dead = True

    def _step(self, value: Any, error: OmniError | None) -> None:
        if self.dead:
            return
        if self.frozen:
            self.asleep = lambda: self._step(value, error)
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
            if not isinstance(effect, Note):
                break
            self.world.shows(self.name, effect.text)
            self.world.say(self.name, f"note: {effect.text}")
            value, error = None, None
        self.decided_at = self.world.now()
        if self._strikes(effect, Phase.BEFORE):
            self._fall(lambda: self._perform(effect))
            return
        self._perform(effect)
        if self._strikes(effect, Phase.DURING):
            self._fall(None)

    def _strikes(self, effect: Effect, phase: Phase) -> bool:
        mishap = self.mishap
        if mishap is None or (mishap.only is not None and mishap.only != type(effect).__name__):
            return False
        if self.world.now() < self.began_at + mishap.after:
            return False
        if phase is Phase.BEFORE:
            self.effects += 1
        return mishap.phase is phase and mishap.at == self.effects

    def _fall(self, later: Callable[[], None] | None) -> None:
        assert self.mishap is not None
        self.world.say(self.name, f"** {self.mishap} **")
        if self.mishap.frozen_for is None:
            self.dead = True
        else:
            self.frozen = True
            self.asleep = later
            self.world.after(self.mishap.frozen_for, self._wake)
        self.mishap = None
        self.lost(self)

    def _wake(self) -> None:
        self.frozen = False
        if not self.dead:
            self.world.say(self.name, "** wakes **")
            if self.asleep is not None:
                later, self.asleep = self.asleep, None
                later()

    def _perform(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case Ask(call, patience):
                if call.method == "POST":
                    self.posted(self, call)
                world.exchange(self.name, call, patience, self._step)
            case Pause(seconds):
                world.after(seconds, lambda: self._step(None, None))
            case Load(key):
                self._store(f"load {key[:24]}", lambda: self.memory.load(key))
            case Save(key, value):
                world.shows(self.name, str(value))
                self.saved(self)
                self._store(f"save {key[:24]}", lambda: self.memory.save(key, value))
            case Publish(receipt):
                world.say(self.name, f"publish {receipt['counts']}")
                world.shows(self.name, str(receipt))
                self.publish(receipt)
                world.after(0.05, lambda: self._step(None, None))
            case _:
                raise TypeError(effect)

    def _store(self, what: str, access: Callable[[], Any]) -> None:
        value, error = None, None
        try:
            value = access()
        except OmniError as caught:
            error = caught
        self.world.say(self.name, what + (f" !! {type(error).__name__}" if error else ""))
        self.world.after(self.memory.keeping.seconds(), lambda: self._step(value, error))
