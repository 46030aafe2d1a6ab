"""Clocks of processes: each is off by something, and some step. The world's own is that of the vendor, and of truth."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_omni.delivery.clock import steady_clock
from airflow_provider_omni.delivery.effects import Clock
from tests.crash.world import World

MOST = 1800.0
"""Seconds by which a clock is off, or steps: workers are kept within that of each other."""


@dataclass(frozen=True)
class Clocks:
    """The errors of a schedule's clocks: seconds by which they are off, at the most, and by which they step.

    `by_turns`, `step`: the same, said exactly, as a mutant needs it.
    """

    off: float = 0.0
    steps: float = 0.0
    by_turns: tuple[float, ...] = ()
    """By how much the clock of the first, the second, … process is off; the last holds for all that follow."""
    step: tuple[float, float] | None = None
    """Seconds after its begin at which each clock steps, and by how much."""


def draw_clocks(seed: int) -> Clocks:
    """Half of the schedules have clocks that can be relied on."""
    rng = random.Random(f"{seed}:clocks")
    if rng.random() < 0.5:
        return Clocks()
    return Clocks(rng.choice((0.0, 20.0, 300.0, MOST)), rng.choice((0.0, 60.0, MOST)))


def clock_of(world: World, clocks: Clocks, seed: int, name: str, turn: int = 1) -> Clock:
    """The clock that a process gives its machine. `turn`: the how many-th it is."""
    rng = random.Random(f"{seed}:clock of {name}")
    wrong: float = round(rng.uniform(-clocks.off, clocks.off))  # whole, so that sums of times are exact
    if clocks.by_turns:
        wrong = clocks.by_turns[min(turn, len(clocks.by_turns)) - 1]
    begun = world.now()
    at, step = begun + rng.uniform(0.0, 200.0), rng.uniform(-clocks.steps, clocks.steps)
    if clocks.step is not None:
        at, step = begun + clocks.step[0], clocks.step[1]

    def wall() -> float:
        return world.now() + wrong + (step if world.now() >= at else 0.0)

    return steady_clock(wall, world.now)
