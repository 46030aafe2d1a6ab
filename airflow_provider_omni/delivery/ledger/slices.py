"""Time slices of the logs: how thousands of lone messages are followed without a call for each.

A look covers a stretch of time, whatever the messages. Where its page is full, the stretch is halved until it is not. A
stretch is done once nothing in it can change for us any more. Knows no API: it says which stretch to look at, and is
told
what was seen. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LAG = 600.0
"""Seconds after which a row that is not in the logs is not expected in its stretch any more."""
SHORTEST = 0.002
"""A stretch this short is not halved: the API's times have milliseconds."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From, inclusive, and until."""

    since: float
    until: float

    def halves(self) -> tuple[Stretch, Stretch]:
        """The two halves, cut at a millisecond."""
        middle = round((self.since + self.until) / 2, 3)
        return Stretch(self.since, middle), Stretch(middle, self.until)


@dataclass
class Slices:
    """The stretches between the first send and now that still have something to tell."""

    begin: float
    _open: list[Stretch] = field(default_factory=list)
    _covered: float = 0.0

    def __post_init__(self) -> None:
        self._covered = self.begin

    def due(self, now: float) -> deque[Stretch]:
        """What to look at in this round: what is open, and what is new since the last one."""
        stretches = list(self._open)
        if now > self._covered:
            stretches.append(Stretch(self._covered, now))
        self._open, self._covered = [], max(now, self._covered)
        return deque(stretches)

    def seen(self, stretch: Stretch, now: float, *, pending: bool) -> None:
        """It was read whole. It stays open while a row of ours in it is pending, or rows may be missing yet."""
        if pending or stretch.until > now - LAG:
            self._open.append(stretch)

    def failed(self, stretch: Stretch) -> None:
        """It could not be read: again in the next round."""
        self._open.append(stretch)

    def full(self, stretch: Stretch) -> tuple[Stretch, ...]:
        """Its page was full: what to look at instead; nothing where it cannot be cut any more."""
        return () if stretch.until - stretch.since <= SHORTEST else stretch.halves()
