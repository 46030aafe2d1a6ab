"""The API's dates. Reading is lenient about offsets, writing is exact.

Answers carry `2019-01-10T16:27:20.098+0000`, `…+01:00` or `…Z`; request bodies want an offset without a colon,
query strings one with a colon.
"""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """Return an aware datetime from `+0000`, `+01:00` or `Z`, with or without fractions of a second.

    Raises ValueError for anything else, also for a time without an offset: a guess would be off by hours.
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError("a time without an offset from UTC")
    return moment


def format_body_time(moment: datetime) -> str:
    """Write a time for JSON bodies: UTC, milliseconds, offset without a colon: `2026-11-23T18:41:24.000+0000`."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%S.") + f"{_utc(moment).microsecond // 1000:03d}+0000"


def format_query_time(moment: datetime) -> str:
    """Write a time for query strings: UTC, milliseconds, offset with a colon: `2026-11-23T18:41:24.000+00:00`."""
    return _utc(moment).isoformat(timespec="milliseconds")


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without an offset from UTC")
    return moment.astimezone(UTC)
