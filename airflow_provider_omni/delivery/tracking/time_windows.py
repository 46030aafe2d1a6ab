"""Time windows of the logs, by which thousands of single messages are followed without a call for each.

One query covers a window of time, whatever messages lie in it. A window whose page is full is halved until its page is
not full; neighbours that fill half a page at most are merged. A window is done once nothing in it can change for us.
Knows no API: it names the window to query, and is told what was seen. Times are seconds since the epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LAG = 600.0
"""Seconds after the end of a window from which on no further row is expected in it."""
SHORTEST = 0.002
"""Length in seconds at which a window is not halved any more: the API's times have milliseconds."""
UNREAD = 0.0
"""Query time of a window that was never queried, or whose last query failed. Such windows come first."""


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A time window. `since` is inclusive."""

    since: float
    until: float

    def halves(self) -> tuple[Window, Window]:
        """Return the two halves, cut at a millisecond."""
        middle = round((self.since + self.until) / 2, 3)
        return Window(self.since, middle), Window(middle, self.until)


def is_done(window: Window, now: float, *, pending: bool) -> bool:
    """Return True if a fully read window is final: no message of ours in it is pending, and it is old enough that no
    row will be added.
    """
    return not pending and window.until <= now - LAG


def may_be_merged(rows: int, page: int) -> bool:
    """Return True if neighbours with so many rows together may be one window: they leave half of its page free."""
    return rows <= page // 2


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    rows: int


@dataclass
class TimeWindows:
    """The open windows between the first send and now.

    :param begin: start of the first window.
    :param page: rows that a page can hold.
    """

    begin: float
    page: int = 1000
    _open: dict[Window, _Look] = field(default_factory=dict)
    _covered: float = 0.0

    def __post_init__(self) -> None:
        self._covered = self.begin

    def due(self, now: float) -> list[Window]:
        """Return the windows to query in this round: the unread ones first, then the one queried longest ago."""
        if now > self._covered:
            self._open[Window(self._covered, now)] = _Look(UNREAD, 0)
            self._covered = now
        self._merge()
        return sorted(self._open, key=lambda each: (self._open[each].at, each))

    def unread(self) -> list[Window]:
        """Return the windows that were not read yet, or whose last query failed."""
        return sorted(each for each, look in self._open.items() if look.at == UNREAD)

    def read_at(self) -> float:
        """Return the time since which all open windows are read: `UNREAD` if one is not, `inf` if none is open."""
        return min((look.at for look in self._open.values()), default=math.inf)

    def _merge(self) -> None:
        """Merge neighbours whose rows fill at most half a page. The newest, unread, is merged into the one before."""
        merged: dict[Window, _Look] = {}
        last: Window | None = None
        for window in sorted(self._open):
            look = self._open[window]
            before = merged.get(last) if last is not None else None
            if (
                last is not None
                and before is not None
                and last.until == window.since
                and before.at != UNREAD
                and (look.at != UNREAD or window.until == self._covered)
                and may_be_merged(before.rows + look.rows, self.page)
            ):
                del merged[last]
                window, look = (
                    Window(last.since, window.until),
                    _Look(min(before.at, look.at), before.rows + look.rows),
                )
            merged[window], last = look, window
        self._open = merged

    def seen(self, window: Window, now: float, *, pending: bool, rows: int = 0) -> None:
        """Record that the window was read whole. It stays open while one of our messages in it is pending, or rows may
        still come.

        :param now: time of the query.
        :param pending: True if a message of ours in it may still change.
        :param rows: number of rows on its page.
        """
        self._open.pop(window, None)
        if not is_done(window, now, pending=pending):
            self._open[window] = _Look(now, rows)

    def failed(self, window: Window) -> None:
        """Record that the window could not be read. It comes first in the next round."""
        self._open[window] = _Look(UNREAD, 0)

    def full(self, window: Window) -> tuple[Window, ...]:
        """Record that the window's page was full. Returns its halves, to be queried instead; none if too short."""
        if window.until - window.since <= SHORTEST:
            return ()
        self._open.pop(window, None)
        halves = window.halves()
        self._open |= dict.fromkeys(halves, _Look(UNREAD, 0))
        return halves
