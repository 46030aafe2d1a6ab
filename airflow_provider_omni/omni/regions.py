"""Countries as users type them: the two letters of ISO 3166, checked against those that have telephone numbers.

phonenumbers is imported when the first one is read: most connections name none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from airflow_provider_omni.omni.masking import mask_numbers_in
from airflow_provider_omni.omni.problems import unexpected

CHECKS = ("valid", "possible")
"""Kinds of numbers that are sent to: of a range that its country is known to use, or of the right length only."""


def read_region(region: object, *, by_shape: bool = False) -> str:
    """Return the letters in upper case. Raises ValueError that says what was expected.

    :param by_shape: take any two letters, and load no tables; for DAG files, which are read often.
    """
    letters = region.strip().upper() if isinstance(region, str) else ""
    if (by_shape and re.fullmatch("[A-Z]{2}", letters) and letters != "UK") or letters in _known():
        return letters
    plain = isinstance(region, str) and re.fullmatch(r"[A-Za-z {}_.]{0,20}", region)
    found = repr(region) if plain else f"a {type(region).__name__}" if not isinstance(region, str) else "a text"
    hint = "; the United Kingdom is GB" if letters == "UK" else ""
    hint = " (a template that found nothing?)" if letters == "NONE" else hint
    raise ValueError(unexpected("", f"{found}{hint}", "the two letters of a country, such as 'TH' (ISO 3166)"))


def read_countries(countries: object, *, by_shape: bool = False) -> frozenset[str]:
    """Return a list of countries, or a text of them with commas or spaces between. Raises ValueError; so it does for a
    blank text, which says neither "everywhere" nor "nowhere".

    :param by_shape: as for `read_region`.
    """
    found: Iterable[object]
    if isinstance(countries, str):
        found = [each.strip("'\"") for each in re.split(r"[\s,;]+", countries.strip("[]() \t\r\n")) if each]
        if not found and "[" not in countries:
            raise ValueError(unexpected("", "a blank text", "a list of countries, such as ['TH', 'SG']"))
    elif isinstance(countries, list | tuple | set | frozenset):
        found = countries
    else:
        raise ValueError(unexpected("", f"a {type(countries).__name__}", "a list of countries, such as ['TH', 'SG']"))
    return frozenset(read_region(each, by_shape=by_shape) for each in found)


def read_check(check: object) -> str:
    """Return `valid` or `possible`. Raises ValueError."""
    if isinstance(check, str) and check in CHECKS:
        return check
    shown = mask_numbers_in(repr(check[:20])) if isinstance(check, str) else f"a {type(check).__name__}"
    raise ValueError(unexpected("", shown, "'valid' or 'possible'"))


@cache
def _known() -> frozenset[str]:
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)
