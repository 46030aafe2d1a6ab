"""Time slices of the logs: how thousands of lone messages are followed without a call for each.

A look covers a stretch of time, whatever the messages. Where its page is full, the stretch is halved until it is not;
where neighbours have room on one page, they are looked at together. A stretch is done once nothing in it can change for
us any more. Knows no API: it says which stretch to look at, and is told what was seen. Times are seconds since the
epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LAG = 600.0
"""Seconds after which a row that is not in the logs is not expected in its stretch any more."""
SHORTEST = 0.002
"""A stretch this short is not halved: the API's times have milliseconds."""
UNREAD = 0.0
"""When a stretch was looked at that never was, or whose last look failed: it comes first."""


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """From, inclusive, and until."""

    since: float
    until: float

    def halves(self) -> tuple[Window, Window]:
        """The two halves, cut at a millisecond."""
        middle = round((self.since + self.until) / 2, 3)
        return Window(self.since, middle), Window(middle, self.until)


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    rows: int


@dataclass
class TimeWindows:
    """The stretches between the first send and now that still have something to tell. `page`: rows on a page."""

    begin: float
    page: int = 1000
    _open: dict[Window, _Look] = field(default_factory=dict)
    _covered: float = 0.0

    def __post_init__(self) -> None:
        self._covered = self.begin

    def due(self, now: float) -> list[Window]:
        """What to look at in this round: the unread first, then what was looked at longest ago."""
        if now > self._covered:
            self._open[Window(self._covered, now)] = _Look(UNREAD, 0)
            self._covered = now
        self._merge()
        return sorted(self._open, key=lambda each: (self._open[each].at, each))

    def unread(self) -> list[Window]:
        """What was not looked at yet, or in vain."""
        return sorted(each for each, look in self._open.items() if look.at == UNREAD)

    def read_at(self) -> float:
        """When all that is open had been read the last time; `UNREAD` where some was not. Later than anything where
        nothing is open.
        """
        return min((look.at for look in self._open.values()), default=math.inf)

    def _merge(self) -> None:
        """Put neighbours together that were far from full; the newest is not read yet, and as long as a poll."""
        merged: dict[Window, _Look] = {}
        last: Window | None = None
        for stretch in sorted(self._open):
            look = self._open[stretch]
            before = merged.get(last) if last is not None else None
            if (
                last is not None
                and before is not None
                and last.until == stretch.since
                and before.at != UNREAD
                and (look.at != UNREAD or stretch.until == self._covered)
                and before.rows + look.rows <= self.page // 2
            ):
                del merged[last]
                stretch, look = (
                    Window(last.since, stretch.until),
                    _Look(min(before.at, look.at), before.rows + look.rows),
                )
            merged[stretch], last = look, stretch
        self._open = merged

    def seen(self, stretch: Window, now: float, *, pending: bool, rows: int = 0) -> None:
        """It was read whole. It stays open while a message of ours in it is, or rows may be missing yet."""
        self._open.pop(stretch, None)
        if pending or stretch.until > now - LAG:
            self._open[stretch] = _Look(now, rows)

    def failed(self, stretch: Window) -> None:
        """It could not be read: first in the next round."""
        self._open[stretch] = _Look(UNREAD, 0)

    def full(self, stretch: Window) -> tuple[Window, ...]:
        """Its page was full: what to look at instead; nothing where it cannot be cut any more."""
        if stretch.until - stretch.since <= SHORTEST:
            return ()
        self._open.pop(stretch, None)
        halves = stretch.halves()
        self._open |= dict.fromkeys(halves, _Look(UNREAD, 0))
        return halves
