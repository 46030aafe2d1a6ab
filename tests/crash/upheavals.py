"""Upheavals around the tries of a send: other accounts, scenarios or secrets, a state that is lost, clears."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeVar

from tests.crash.elsewhere import HOME, OTHER

T = TypeVar("T")

GONE, OLDER, PARTLY = "gone", "older", "partly"
"""Losses of the state that Airflow keeps of a task: all of it goes, or one entry; or it is as it was once."""


@dataclass(frozen=True)
class Upheavals:
    """The changes that a schedule makes to what a try finds.

    `accounts`, `scenarios`, `secrets`: by try; the last holds for all later ones. `losses`: what becomes of the
    task's state before the first try, the second, and so on. `lost_while_running`: all of it goes so many seconds
    after the first try began. `dropped_on_success`: as with `[state_store] clear_on_success`. `old_until`: up to
    this try Airflow is one below 3.3. `cleared_running`: the user clears the task so many seconds after its first try
    began; that is ended `killed_after` seconds later.
    """

    accounts: tuple[str, ...] = (HOME,)
    scenarios: tuple[int, ...] = (0,)
    secrets: tuple[str | None, ...] = (None,)
    losses: tuple[str | None, ...] = ()
    lost_while_running: float | None = None
    dropped_on_success: bool = False
    old_until: int = 0
    cleared_running: float | None = None
    killed_after: float = 5.0

    def other_flows(self, flow: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Those of the scenarios after the first, which try the channels in another order."""
        return (flow[::-1],) * max(self.scenarios)

    def loss_before(self, number: int) -> str | None:
        """Return the state that is lost before a try."""
        return self.losses[number - 1] if number <= len(self.losses) else None


def of_try(by_try: tuple[T, ...], number: int) -> T:
    """Return the value that holds for a try."""
    return by_try[min(number, len(by_try)) - 1]


def draw_upheavals(seed: int, *, old: bool) -> Upheavals:
    """Half of the schedules have none. `old`: an Airflow below 3.3 would not have refused this task."""
    rng = random.Random(f"{seed}:upheavals")
    if rng.random() < 0.5:
        return Upheavals()
    return Upheavals(
        accounts=rng.choice(((HOME,), (HOME,), (HOME, OTHER), (HOME, OTHER, HOME), (HOME, HOME, OTHER), (OTHER, HOME))),
        scenarios=rng.choice(((0,), (0,), (0,), (0, 1), (0, 1, 0), (0, 0, 1))),
        secrets=rng.choice(((None,),) * 8 + ((None, "pepper"), ("pepper", "salt"))),
        losses=tuple(rng.choice((None, None, None, None, GONE, OLDER, OLDER, PARTLY)) for _ in range(6)),
        lost_while_running=rng.uniform(0.0, 60.0) if rng.random() < 0.1 else None,
        dropped_on_success=rng.random() < 0.3,
        old_until=rng.choice((0, 0, 0, 1, 2)) if old else 0,
        cleared_running=rng.choice((rng.uniform(0.0, 5.0), rng.uniform(0.0, 200.0))) if rng.random() < 0.15 else None,
        killed_after=rng.uniform(0.0, 15.0),
    )
