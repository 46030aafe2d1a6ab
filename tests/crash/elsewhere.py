"""A connection that leads to another account for a while: it takes the same login, and has none of the messages."""

from __future__ import annotations

import random
from dataclasses import dataclass

HOME, OTHER = "home", "other"


@dataclass(frozen=True)
class Elsewhere:
    """The times at which the connection of a wait leads to the other account.

    `since`: seconds after the wait began; None: never. `lasts`: seconds, if nobody restores it before. `told`:
    the receipt says which account it is from; else the wait knows the one that was there when it began.
    """

    since: float | None = None
    lasts: float = 0.0
    told: bool = True

    def at(self, seconds: float) -> bool:
        """Return True if it does so many seconds after the wait began."""
        return self.since is not None and self.since <= seconds < self.since + self.lasts


def draw_elsewhere(seed: int, mode: str, timeout: float) -> Elsewhere:
    """Mostly never."""
    rng = random.Random(f"{seed}:elsewhere")
    if rng.random() < 0.8:
        return Elsewhere()
    since = rng.choice((0.0, rng.uniform(0.0, timeout), rng.uniform(0.0, 300.0)))
    lasts = rng.choice((rng.uniform(0.0, 120.0), rng.uniform(0.0, timeout), 2 * timeout))
    # What a wait is told by nobody it can only know from its own beginning, and only a trigger keeps that.
    untold = mode == "trigger" and since > 0.0 and rng.random() < 0.5
    return Elsewhere(since, lasts, told=not untold)
