"""The form of ids of messages and requests, and how they are told from phone numbers.

Ids are shown and kept everywhere: in logs, XComs, triggers' arguments. So a number that was given for one must be
refused first. Ours are UUIDs; the vendor's own are UUIDs, too, or have 19 digits.
"""

from __future__ import annotations

import operator
import re
from typing import Any

from airflow_provider_omni.omni.unfilled import is_nothing

IDS = (
    "an id or a list of ids, each of 1 to 200 characters without space, comma, quote or bracket; not a phone number, "
    "which is what 7 to 15 digits are taken for"
)
"""The ids that an argument may have, in words."""
FEWEST_DIGITS, MOST_DIGITS = 7, 15
"""Digits of a phone number with its country code."""
_ID = re.compile(r"(?!\+[0-9]+$)[^\s,;'\"\[\](){}<>\\]{1,200}")
"""Form of an id. The logs take a list with commas, and brackets or quotes are left over from a list."""
_MARKS = re.compile(r"[\W_]+")


def may_be_an_id(value: Any) -> bool:
    """Return True for a text that can be an id, and is no phone number."""
    whole = isinstance(value, str) and not is_nothing(value) and value.isprintable() and bool(_ID.fullmatch(value))
    return whole and not may_be_a_number(value)


def may_be_a_number(text: str) -> bool:
    """Return True for 7 to 15 digits, whatever marks are around them, with or without the `00` of calls abroad."""
    digits = _MARKS.sub("", text)
    if not digits.isdecimal():
        return False
    return any(FEWEST_DIGITS <= len(each) <= MOST_DIGITS for each in (digits, digits.removeprefix("00")))


def id_of(value: Any) -> Any:
    """Return the text of a whole number that can be an id; other values unchanged. The vendor's have 19 digits: a short
    one is a count or a phone number.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        return value
    whole = operator.index(value)
    return str(whole) if 10**MOST_DIGITS <= whole < 10**200 else value
