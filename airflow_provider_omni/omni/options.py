"""The options of a request besides its contents. Operators check them when a DAG is read, so no channel's models are
loaded here.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictStr,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel

from airflow_provider_omni.omni.arguments import URL, ArgumentModel, Url
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.timestamps import format_body_time, parse_time

MAX_AHEAD = timedelta(days=180)
MAX_CALLBACK_DATA = 4000

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = (
    rf"(?:(?:19|20)\d\d[-./]?(?:0[1-9]|1[0-2]|[1-9])[-./]?{_DAY}|{_DAY}[-./]{_DAY}[-./](?:19|20)\d\d"
    rf"|(?:[A-Z][a-z]{{2}}, )?{_DAY}\.? {_MONTH},? (?:19|20)\d\d|{_MONTH} {_DAY},? (?:19|20)\d\d)"
)
_CLOCK = r"(?:[T ,]+\d{1,2}[:.h]?\d\d(?:[:.]?\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?)"
_ZONE = r"(?: ?(?:Z|GMT|UTC)? ?(?:[+-]\d\d:?(?:\d\d)?)?(?: ?\[?[A-Z][A-Za-z_]{1,20}/[A-Za-z_/]{1,30}\]?| [A-Z]{2,5})?)"
_LIKE_A_TIME = rf"\s*{_DATE}{_CLOCK}?{_ZONE}\s*"
"""Form of the texts that may be shown: one that is no time may be somebody's. Compiled when it is needed."""


def _time_problem(moment: Any) -> str | None:
    """Return the problem with a time, without its name; None for an aware datetime, and for a text that is one with its
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
    elif isinstance(moment, str) and len(moment) <= 80 and re.fullmatch(_LIKE_A_TIME, moment):
        found = repr(moment)
    elif naive and isinstance(moment, datetime):
        found = f"the time {moment.isoformat()}"
    if naive:
        found += ", a time without an offset"
    return unexpected("", found, "a time with its offset from UTC, such as 2026-12-01T09:00:00+01:00")


def _read_time(moment: Any, info: ValidationInfo) -> datetime:
    """Return a time. Raises ValueError for what is none, and for one that is too far from `now` in the context."""
    if problem := _time_problem(moment):
        raise ValueError(problem)
    read: datetime = parse_time(moment) if isinstance(moment, str) else moment
    now = (info.context or {}).get("now")
    try:
        ahead = read - (now or read)
    except OverflowError:
        ahead = timedelta.max
    if ahead >= MAX_AHEAD:
        raise ValueError(unexpected("", f"a time {ahead.days:,} days ahead", f"less than {MAX_AHEAD.days} days ahead"))
    return read


def _sendable(data: str) -> str:
    from airflow_provider_omni.omni.json_check import foreign_to_json

    if len(data) > MAX_CALLBACK_DATA or data == "None" or any(foreign_to_json(data, "")):
        raise ValueError
    return data


SendAt = Annotated[datetime, PlainValidator(_read_time), PlainSerializer(format_body_time)]


class Options(ArgumentModel):
    """Options of a request besides its contents. None is "not said": the account's settings hold.

    :param notify: False suppresses delivery reports altogether, also those that are fetched.
    :param notify_url: where the vendor pushes reports to.
    :param notify_content_type: `application/json` or `application/xml`.
    :param callback_data: up to 4,000 characters, comes back in reports.
    :param intermediate_report: also push reports that are not final.
    :param send_at: aware; delays the first step; less than 180 days ahead.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    notify: StrictBool | None = Field(None, description="true or false")
    notify_url: Url | None = Field(None, repr=False, description=URL)
    notify_content_type: Literal["application/json", "application/xml"] | None = Field(
        None, description="application/json or application/xml"
    )
    callback_data: Annotated[StrictStr, AfterValidator(_sendable)] | None = Field(
        None, repr=False, description=f"a string of up to {MAX_CALLBACK_DATA:,} characters"
    )
    intermediate_report: StrictBool | None = Field(None, description="true or false")
    send_at: SendAt | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the members of the request, only what was set."""
        return self.model_dump(by_alias=True, exclude_none=True)


def option_members() -> tuple[str, ...]:
    """Return the names of the options in a request."""
    return tuple(str(each.alias) for each in Options.model_fields.values())
