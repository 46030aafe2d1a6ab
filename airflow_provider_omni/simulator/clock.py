"""The simulator's time: real, or by command.

The engine never sleeps and never starts a timer. It asks a clock for the time of each call and works out what has
happened since. Waiting for real (latency, answers that are held back) is the server's.
"""

from __future__ import annotations

import time
from typing import Protocol

from airflow_provider_omni.omni.problems import unexpected

DEFAULT_MANUAL_START = 1_767_225_600.0
"""Start of a `ManualClock` if nothing is said: 2026-01-01T00:00:00Z."""
LATEST = 7_258_118_400.0
"""No clock goes beyond 2200-01-01T00:00:00Z: what is added to it must still be a date."""


class Clock(Protocol):
    """Source of the engine's time."""

    def now(self) -> float:
        """Return the seconds since 1970-01-01T00:00:00Z."""

    def advance(self, seconds: float) -> None:
        """Jump ahead by that many seconds."""


class RealClock:
    """The machine's time, plus whatever it was advanced by."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return the machine's time plus the jumps so far."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Jump ahead; time goes on from there."""
        self._ahead += _jump(seconds, self.now())


class ManualClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start: float = DEFAULT_MANUAL_START) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time it was last set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move ahead by `seconds`."""
        self._now += _jump(seconds, self.now())


def _jump(seconds: float, now: float) -> float:
    if not seconds >= 0:
        raise ValueError(f"seconds: {seconds}, time only moves ahead")
    if seconds > LATEST - now:
        raise ValueError(
            unexpected("seconds", f"{seconds:g}", f"less than {max(LATEST - now, 0):g}: time ends in 2200")
        )
    return float(seconds)
