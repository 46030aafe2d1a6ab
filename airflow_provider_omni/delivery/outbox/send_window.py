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
DAYS_AHEAD = 4
"""Days within which hours begin, although short ones may be left out on a day on which clocks are changed."""


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
        hours = self._hours(now, zone)
        begin = next(begin for begin, end in hours if now < end - CLOSING)
        return begin if begin > now else None

    def told(self, now: float, *, own_zones: bool = False) -> str:
        """Return a line about the hours, and about when what is posted now goes out.

        :param own_zones: True if recipients may have time zones of their own.
        """
        over_midnight = " (over midnight)" if self.opens > self.closes else ""
        hours = f"Hours {self.opens:%H:%M} to {self.closes:%H:%M}{over_midnight}, {self.zone}"
        opening = self.opening(now)
        when = "at once"
        if opening is not None:
            when = f"from {datetime.fromtimestamp(opening, ZoneInfo(self.zone)):%Y-%m-%d %H:%M} on"
        others = ". Recipients with a time zone of their own: by its clock" if own_zones else ""
        return f"{hours}: what is posted now goes out {when}{others}."

    def latest(self, now: float, zones: Iterable[str | None]) -> float | None:
        """Return the latest time that anybody's messages wait for now; None if nobody's do."""
        return max((at for zone in zones if (at := self.opening(now, zone)) is not None), default=None)

    def latest_of_others(self, now: float, zones: Iterable[str | None]) -> float | None:
        """Return the latest time that other processes can have asked for until now, by clocks that may be ahead of ours
        by `CLOCKS`; None if it is over.
        """
        latest = max((self._last_asked(now + CLOCKS, zone) + SPREAD for zone in zones), default=now)
        return latest if latest > now else None

    def _last_asked(self, until: float, zone: str | None) -> float:
        """Return the latest opening that anybody can have waited for whose clock has come to `until`; 0 if that is over
        a day ago.
        """
        waits_for = self.opening(until, zone)
        if waits_for is not None:
            return waits_for
        # These are the hours: who came before them has waited for their beginning.
        return max((begin for begin, _ in self._hours(until, zone) if begin <= until), default=0.0)

    def _hours(self, now: float, zone: str | None) -> Iterator[tuple[float, float]]:
        """Yield begin and end of the hours about now, from those that may have begun yesterday on."""
        there = ZoneInfo(zone or self.zone)
        today = datetime.fromtimestamp(now, there).date()
        for days in range(-1, DAYS_AHEAD):
            # By the clock there: days may have 23 or 25 hours.
            day, over_midnight = today + timedelta(days=days), timedelta(days=self.opens > self.closes)
            begin = max(_moments(day, self.opens, there))
            end = min(_moments(day + over_midnight, self.closes, there))
            if end - begin > SPREAD + CLOSING:
                yield begin, end


def _moments(day: date, clock: time, there: ZoneInfo) -> Iterator[float]:
    """Yield the moments that a clock may mean: two where it is put back past them, or forward over them."""
    for fold in (0, 1):
        yield datetime.combine(day, clock.replace(fold=fold), tzinfo=there).timestamp()
