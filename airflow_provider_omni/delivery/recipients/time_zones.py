"""Names of time zones."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

_OF_NO_PLACE = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones: a machine's own time, so that two workers would not agree on the hours."""


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Return True for the IANA name of a time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # a path, a folder, a name that there is not
        return False
    return bool(name) and name not in _OF_NO_PLACE
