"""`delivery/numbers.normalise`, thirty times as fast where its answer follows from the country's lengths alone.

phonenumbers stays the judge: a number takes the fast way only if its digits say that phonenumbers would change nothing
in it and find its length possible. All others (national prefixes, leading zeros, rare lengths, mistakes) ask it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers.phonenumberutil import region_code_for_country_code

from airflow_provider_omni.delivery.numbers import normalise

_TYPED = re.compile(r" *\+?[0-9][0-9 ()\-/]*")
"""What separators do to a number without a question. Not a dot, which may be a decimal point (`4915112345678.0`), and
no other white space than the plain one: those are judged by `normalise` alone.
"""
_DROPPED = str.maketrans("", "", " ()-/+")
_MOST = 10**20
"""No number is as long as this; a whole number of thousands of digits cannot even be written down."""


class _Country(NamedTuple):
    """What decides for one country code: national lengths that are possible, and how national prefixes begin."""

    lengths: frozenset[int]
    prefix: re.Pattern[str] | None


def normalise_fast(number: object) -> str:
    """The same as `normalise`, error for error."""
    text = number if type(number) is str else str(number) if type(number) is int and 0 <= number < _MOST else ""
    digits = text[1:] if text[:1] == "+" else text
    if not (digits.isdigit() and digits.isascii()):
        if len(text) > 40 or not _TYPED.fullmatch(text):
            return normalise(number)
        digits = text.translate(_DROPPED)
    if digits[:2] == "00":
        digits = digits[2:]
    code = _country_code(digits[:3])
    national = digits[len(code) :]
    if not code or national[:1] == "0" or len(digits) > 15 or len(text) > 40:
        return normalise(number)
    country = _country(code)
    if len(national) not in country.lengths or (country.prefix is not None and _strips(country.prefix, national)):
        return normalise(number)
    return digits


def _strips(prefix: re.Pattern[str], national: str) -> bool:
    """Whether phonenumbers may take something off: a match that is empty and captures nothing takes off nothing."""
    match = prefix.match(national)
    return match is not None and (match.end() > 0 or any(group is not None for group in match.groups()))


@cache
def _country_code(start: str) -> str:
    for length in (1, 2, 3):
        code = start[:length]
        if len(code) == length and code[0] != "0" and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return code
    return ""


@cache
def _country(code: str) -> _Country:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(
        int(code), region_code_for_country_code(int(code))
    )
    # A code of the table has metadata, and these have a general description.
    assert metadata is not None
    assert metadata.general_desc is not None
    general = metadata.general_desc
    # National numbers of 17 digits are the longest that phonenumbers reads, of two the shortest.
    lengths = frozenset(length for length in general.possible_length if 2 <= length <= 14)
    prefix = metadata.national_prefix_for_parsing
    return _Country(lengths - frozenset(general.possible_length_local_only), re.compile(prefix) if prefix else None)
