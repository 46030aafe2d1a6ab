"""Problems with the options of a send, as far as it takes no model to tell: operators ask when a DAG is read."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from airflow_provider_omni.omni.channels import OWN_ARGUMENTS
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.timestamps import parse_time

NOTIFY_CONTENT_TYPES = ("application/json", "application/xml")
NO_CONTENT = f"no content: at least one of {', '.join(OWN_ARGUMENTS)} and the other channels' objects is needed"

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = (
    rf"(?:(?:19|20)\d\d[-./]?(?:0[1-9]|1[0-2]|[1-9])[-./]?{_DAY}|{_DAY}[-./]{_DAY}[-./](?:19|20)\d\d"
    rf"|(?:[A-Z][a-z]{{2}}, )?{_DAY}\.? {_MONTH},? (?:19|20)\d\d|{_MONTH} {_DAY},? (?:19|20)\d\d)"
)
_CLOCK = r"(?:[T ,]+\d{1,2}[:.h]?\d\d(?:[:.]?\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?)"
_ZONE = r"(?: ?(?:Z|GMT|UTC)? ?(?:[+-]\d\d:?(?:\d\d)?)?(?: ?\[?[A-Z][A-Za-z_]{1,20}/[A-Za-z_/]{1,30}\]?| [A-Z]{2,5})?)"
_LIKE_A_TIME = re.compile(rf"\s*{_DATE}{_CLOCK}?{_ZONE}\s*")
"""Form of the texts that may be shown: one that is no time may be somebody's."""


def option_problems(notify: Any, notify_content_type: Any, intermediate_report: Any) -> list[str]:
    """Return the problems with these three; each may be None."""
    problems = [
        unexpected(name, describe(value, True), "true or false")
        for name, value in (("notify", notify), ("intermediate_report", intermediate_report))
        if value is not None and type(value) is not bool
    ]
    if notify_content_type is not None and notify_content_type not in NOTIFY_CONTENT_TYPES:
        allowed = " or ".join(NOTIFY_CONTENT_TYPES)
        problems.append(unexpected("notify_content_type", describe(notify_content_type, True), allowed))
    return problems


def time_problem(name: str, moment: Any) -> str | None:
    """Return the problem with a time, whenever it is; None for an aware datetime, and for a text that is one with its
    offset.
    """
    try:
        naive = (datetime.fromisoformat(moment.strip()) if isinstance(moment, str) else moment).utcoffset() is None
        if not naive and isinstance(moment, str):
            parse_time(moment)
    except (ValueError, AttributeError, OverflowError):
        naive = False
    else:
        if not naive:
            return None
    found = describe(moment)
    if isinstance(moment, str) and moment.strip() in ("", "None"):
        found = f"{moment.strip()!r} (a template that found nothing?)"
    elif isinstance(moment, str) and len(moment) <= 80 and _LIKE_A_TIME.fullmatch(moment):
        found = repr(moment)
    elif naive and isinstance(moment, datetime):
        found = f"the time {moment.isoformat()}"
    if naive:
        found += ", a time without an offset"
    return unexpected(name, found, "a time with its offset from UTC, such as 2026-12-01T09:00:00+01:00")
