"""Hours of the day in which messages may go out, and the time at which the next ones begin. Pure.

Nobody waits for them: a request that is posted outside of the hours asks the vendor to send when they begin (`sendAt`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from airflow_provider_omni.delivery.messages.states import CLOCKS

CLOSING = 120.0
"""Seconds before the end of the hours from which messages wait for the next ones: a request that is posted takes its
time, and must not come in after the end.
"""
SPREAD = 600.0
"""Seconds after the hours begin over which the requests that wait for them are spread: the logs are read by time, and
no more than a page of them at one time. The shortest hours are longer.
"""
SPACING = 1.0
"""Seconds between two such requests, if they are few."""


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Hours from `opens` to `closes` of a time zone, each day. They go over midnight if `closes` is the earlier time.

    :param zone: IANA name, for everybody who has no zone of their own.
    """

    opens: time
    closes: time
    zone: str

    def opening(self, now: float, zone: str | None = None) -> float | None:
        """Return the time at which a message may go out; None for at once. In seconds since the epoch.

        :param zone: the recipient's own time zone.
        """
        there = ZoneInfo(zone or self.zone)
        if self._holds(now, there) and self._holds(now + CLOSING, there):
            return None
        return self._next(now, there)

    def latest(self, now: float, zones: Iterable[str | None]) -> float | None:
        """Return the latest time that anybody's messages wait for now; None if nobody's do."""
        return max((at for zone in zones if (at := self.opening(now, zone)) is not None), default=None)

    def latest_of_others(self, now: float, zones: Iterable[str | None]) -> float | None:
        """Return the latest time that other processes can have asked for until now, by clocks that may be ahead of ours
        by `CLOCKS`; None if it is over.
        """
        day = timedelta(days=1)
        shut = (_since_midnight(self.opens) - _since_midnight(self.closes)) % day
        zones = tuple(zones)
        openings = [self._next(now, ZoneInfo(zone or self.zone)) for zone in zones]
        # Nobody asks for an opening before the hours before it are over, nor for more than it and its spread.
        asked = (at + SPREAD for at in openings if now + CLOCKS >= at - shut.total_seconds() - CLOSING)
        return max((*asked, *self._just_begun(now, zones)), default=None)

    def _just_begun(self, now: float, zones: Iterable[str | None]) -> Iterator[float]:
        """Yield the ends of the spreads that have begun and not ended."""
        for zone in zones:
            begun = self._next(now - SPREAD, ZoneInfo(zone or self.zone))
            if begun <= now:
                yield begun + SPREAD

    def _next(self, now: float, there: ZoneInfo) -> float:
        """Return the next time at which the hours begin."""
        today = datetime.fromtimestamp(now, there).date()
        # By the clock there: days may have 23 or 25 hours.
        days = (today + timedelta(days=ahead) for ahead in range(3))
        openings = (datetime.combine(day, self.opens, tzinfo=there).timestamp() for day in days)
        return next(at for at in openings if at > now)

    def _holds(self, moment: float, there: ZoneInfo) -> bool:
        clock = datetime.fromtimestamp(moment, there).time()
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes


def _since_midnight(clock: time) -> timedelta:
    return datetime.combine(date.min, clock) - datetime.min
