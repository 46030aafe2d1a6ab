"""The meaning of a seed for an alert: which processes run its callback, when, and what goes wrong for each.

Airflow links them by nothing. Which of them come, and how far apart, is what it does when it loses sight of one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_omni.simulator.settings import Settings
from tests.crash.processes import CrashPoint
from tests.crash.schedule import (
    FATE_NAMES,
    HOUR,
    USUAL_FATES,
    draw_contradictions,
    draw_crash_point,
    draw_logs_down,
    draw_settings,
)
from tests.crash.world import FAULTS, LATEST, NetworkFaults

LOST_AFTER = 300.0
"""Seconds without a heartbeat after which Airflow takes a worker for dead."""
STEPS = (0.0, 0.0, 0.0, 0.0, -1800.0, 1800.0)


@dataclass(frozen=True)
class Copy:
    """A run of the callback.

    `process`: `worker`, `processor` or `triggerer`; or `dag`, never drawn: the DAG processor with a DAG's own callback,
    which names no task. `after`: seconds after the first begins. `age`: seconds
    that its task has run by then. `step`: by how much the wall clock of its host has stepped since the task began.
    `place`: which mapped copy of the task. `off`: seconds by which its clock is off; never drawn.
    """

    process: str
    after: float
    age: float = 0.0
    step: float = 0.0
    place: int = -1
    crash_point: CrashPoint | None = None
    off: float = 0.0


@dataclass(frozen=True)
class AlertSchedule:
    """Everything that a seed stands for."""

    seed: int
    guarantee: str
    """A: the vendor refuses a repeated message id. B: it does not."""
    settings: Settings
    network: NetworkFaults
    people: tuple[str, ...]
    dedupe: str
    copies: tuple[Copy, ...]
    flow: tuple[str, ...] = ("LINE", "SMS")


def alert_schedule_of(seed: int) -> AlertSchedule:
    """Draw a schedule. The same seed gives the same one."""
    rng = random.Random(f"omni alert {seed}")
    guarantee = "A" if seed % 2 else "B"
    dedupe = rng.choice(("try", "try", "try", "task", "run"))
    return AlertSchedule(
        seed=seed,
        guarantee=guarantee,
        settings=draw_settings(rng, seed, guarantee, rng.choice((0.0, 0.0, rng.uniform(0.0, LATEST)))),
        network=NetworkFaults(
            rate=rng.choice((0.0, 0.0, 0.1, 0.3)),
            most=rng.randint(1, 10),
            posts=tuple(rng.choice((*FAULTS["send"], "late", None)) for _ in range(rng.choice((0, 0, 1, 2)))),
            logs_down=draw_logs_down(rng),
            contradictions=draw_contradictions(seed),
        ),
        people=_people(rng),
        dedupe=dedupe,
        copies=_copies(rng) if dedupe == "try" else _tasks(rng),
    )


def _people(rng: random.Random) -> tuple[str, ...]:
    fates = USUAL_FATES if rng.random() < 0.6 else FATE_NAMES
    return tuple(f"4179302{index:02d}{rng.choice(fates)}" for index in range(rng.choice((1, 1, 1, 2, 3, 5))))


def _copies(rng: random.Random) -> tuple[Copy, ...]:
    """One try: lost by its worker, by a triggerer, or not at all."""
    kind = rng.choice(("lost", "lost", "lost", "woken", "triggerers", "triggerers", "young"))
    if kind == "triggerers":
        starts = [0.0, *(_apart(rng) for _ in range(rng.choice((1, 1, 2))))]
        return tuple(
            Copy("triggerer", after, crash_point=draw_crash_point(rng, 0.5, most=8)) for after in sorted(starts)
        )
    step = rng.choice(STEPS)
    if kind == "woken":
        # The worker was without heartbeats for so long that the DAG processor's callback has come first.
        age = LOST_AFTER + rng.uniform(0.0, 5000.0)
        after = _apart(rng)
        return (
            Copy("processor", 0.0, crash_point=draw_crash_point(rng, 0.3, most=8)),
            Copy("worker", after, age + after, step, crash_point=draw_crash_point(rng, 0.3, most=8)),
        )
    age = rng.uniform(1.0, LOST_AFTER - 1.0) if kind == "young" else LOST_AFTER + rng.uniform(0.0, 5000.0)
    return (
        Copy("worker", 0.0, age, step, crash_point=draw_crash_point(rng, 0.7, most=8)),
        Copy("processor", _apart(rng), crash_point=draw_crash_point(rng, 0.2, most=8)),
    )


def _tasks(rng: random.Random) -> tuple[Copy, ...]:
    """Mapped tasks of a run that fail, at any time."""
    starts = sorted(rng.uniform(0.0, rng.choice((3.0, 600.0, 20_000.0))) for _ in range(rng.randint(2, 6)))
    return tuple(
        Copy(
            "worker",
            at - starts[0],
            rng.uniform(1.0, 900.0),
            place=place,
            crash_point=draw_crash_point(rng, 0.2, most=8),
        )
        for place, at in enumerate(starts)
    )


def _apart(rng: random.Random) -> float:
    """Seconds between two runs of a callback."""
    return rng.choice((0.0, rng.uniform(0.0, 5.0), rng.uniform(5.0, 90.0), 300.0, 300.0, HOUR, 30 * HOUR, 60 * HOUR))
