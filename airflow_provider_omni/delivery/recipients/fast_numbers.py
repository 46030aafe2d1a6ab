"""A faster `normalise` of `numbers.py`, by a factor of thirty, for numbers that follow from a country's tables alone.

phonenumbers stays the judge: a number takes the fast way only if its digits say that phonenumbers would change nothing
in it and find it valid (or possible, if `check` asks for no more). All other numbers (national prefixes with rules of
their own, leading zeros, mistakes) go to phonenumbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, TypeAlias

import phonenumbers
from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import region_code_for_country_code

from airflow_provider_omni.delivery.recipients.numbers import ANYWHERE, NumberRules, normalise, trunk_of
from airflow_provider_omni.delivery.recipients.typed_numbers import RANGE, TWO

Normalise: TypeAlias = Callable[[object], str]

_TYPED = re.compile(r" *\+?[0-9][0-9 ()\-/]*")
"""Numbers with separators that can be dropped. A dot is none of these, because it may be a decimal point
(`4915112345678.0`); neither is other white space than a space. `normalise` judges those.
"""
_DROPPED = str.maketrans("", "", " ()-/+")
_MOST = 10**20
"""Bound of whole numbers that are read here. No phone number is as long, and Python refuses to write down whole numbers
of thousands of digits.
"""


@lru_cache(maxsize=64)
def normaliser(rules: NumberRules = ANYWHERE) -> Normalise:
    """Return a function that gives what `normalise` gives with these rules, with equal errors."""
    region = rules.region
    any_length = rules.check == "possible"
    home = None if region is None else _home(region)

    def read(number: object) -> str:
        text = number if type(number) is str else str(number) if type(number) is int and 0 <= number < _MOST else ""
        plus = text[:1] == "+"
        digits = text[1:] if plus else text
        if not (digits.isdigit() and digits.isascii()):
            if len(text) > 40 or not _TYPED.fullmatch(text) or TWO.search(text) or RANGE.search(text):
                return normalise(number, rules)
            plus = "+" in text
            digits = text.translate(_DROPPED)
        if digits[:2] == "00":
            if region is not None and not plus:
                return normalise(number, rules)
            digits = digits[2:]
        elif home is not None and not plus:
            return home.read(digits) or normalise(number, rules)
        code = _country_code(digits[:3])
        if not code or len(digits) > 15 or len(text) > 40 or not _country(code).takes(digits[len(code) :], any_length):
            return normalise(number, rules)
        return digits

    return read


def allows(rules: NumberRules, digits: str) -> bool:
    """Return True if the number's country may be sent to, as `NumberRules.allows` does."""
    if rules.countries is None:
        return True
    code = _country_code(digits[:3])
    return bool(code) and _country(code).region_of(digits[len(code) :]) in rules.countries


class _Country:
    """The tables of one country code: possible lengths, national prefixes, and valid numbers by length."""

    def __init__(self, code: str) -> None:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region_code_for_country_code(int(code)))
        # A code of the table has metadata, and metadata has a general description.
        assert metadata is not None
        assert metadata.general_desc is not None
        general = metadata.general_desc
        self.local = frozenset(general.possible_length_local_only)
        self.possible = frozenset(general.possible_length)
        # phonenumbers reads national numbers of 2 to 17 digits.
        self.lengths = frozenset(length for length in self.possible if 2 <= length <= 14) - self.local
        prefix = metadata.national_prefix_for_parsing
        self.prefix = re.compile(prefix) if prefix else None
        # The order is that of phonenumbers: the first region that fits is the number's.
        self._regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
        self._metadata = [PhoneMetadata.metadata_for_region_or_calling_code(int(code), each) for each in self._regions]
        self._patterns: dict[int, list[tuple[str, re.Pattern[str] | None, re.Pattern[str]]]] = {}

    def takes(self, national: str, any_length: bool) -> bool:
        """Return True if phonenumbers would read exactly this number, and find it valid (possible if `any_length`)."""
        if len(national) not in self.lengths or national[0] == "0":
            return False
        if self.prefix is not None and _strips(self.prefix, national):
            return False
        return any_length or self.is_valid(national)

    def is_valid(self, national: str) -> bool:
        """Return True if the number is valid, as `phonenumbers.is_valid_number` does."""
        for _, leading, valid in self._of_length(len(national)):
            if leading is None:
                if valid.fullmatch(national):
                    return True
            elif leading.match(national):
                return valid.fullmatch(national) is not None
        return False

    def region_of(self, national: str) -> str | None:
        """Return the number's region, as `phonenumbers.region_code_for_number` does."""
        if len(self._regions) == 1:
            return str(self._regions[0])
        for region, leading, valid in self._of_length(len(national)):
            if leading.match(national) if leading is not None else valid.fullmatch(national):
                return region
        return None

    def _of_length(self, length: int) -> list[tuple[str, re.Pattern[str] | None, re.Pattern[str]]]:
        """Return for each region its leading digits, if they decide, and the pattern of its valid numbers."""
        patterns = self._patterns.get(length)
        if patterns is None:
            alone = len(self._regions) == 1
            patterns = self._patterns[length] = [
                (region, None if alone else _pattern(each.leading_digits), _valid(each, length))
                for region, each in zip(self._regions, self._metadata, strict=True)
                if each is not None
            ]
        return patterns


class _Home:
    """Reads numbers without a country code as numbers of one region."""

    def __init__(self, region: str) -> None:
        self.code = str(phonenumbers.country_code_for_region(region))
        self._country = _country(self.code)
        # If the 0 before national numbers is all that the prefix takes off, it can be dropped without further rules.
        self._simple = self._country.prefix is None or self._country.prefix.pattern == "0"
        self._trunk = trunk_of(region) == "0" and self._simple

    def read(self, digits: str) -> str | None:
        """Return the international number, or None if only phonenumbers can tell."""
        country = self._country
        if digits[:1] == "0":
            national = digits[1:]
            if not self._trunk or national[:1] == "0":
                return None
        else:
            national = digits
            if not self._simple:
                return None
        # The digits may also be a number with its country code: then both readings must be looked at.
        if digits[: len(self.code)] != self.code:
            if len(national) in country.lengths and national[:1] != "0" and country.is_valid(national):
                return self.code + national
            return None
        if len(digits) in country.possible or len(digits) in country.local or not self._trunk or len(digits) > 15:
            return None
        return digits if country.takes(digits[len(self.code) :], any_length=False) else None


_home = cache(_Home)
_country = cache(_Country)


def _strips(prefix: re.Pattern[str], national: str) -> bool:
    """Return True if phonenumbers may take the prefix off. An empty match that captures nothing takes off nothing."""
    match = prefix.match(national)
    return match is not None and (match.end() > 0 or any(group is not None for group in match.groups()))


@cache
def _country_code(start: str) -> str:
    for length in (1, 2, 3):
        code = start[:length]
        if len(code) == length and code[0] != "0" and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return code
    return ""


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text)


_NEVER = re.compile(r"(?!)")
_KINDS = (
    "mobile", "fixed_line", "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip


def _valid(metadata: Any, length: int) -> re.Pattern[str]:
    """Return the pattern of all valid numbers of a length: they match the general description and at least one kind."""
    general = metadata.general_desc
    kinds = list(dict.fromkeys(_patterns_of((getattr(metadata, kind) for kind in _KINDS), length)))
    if not kinds or (general.possible_length and length not in general.possible_length):
        return _NEVER
    whole = f"(?:{'|'.join(kinds)})"
    if not general.national_number_pattern:
        return _NEVER
    return re.compile(f"(?=(?:{general.national_number_pattern})$){whole}")


def _patterns_of(descriptions: Iterator[Any], length: int) -> Iterator[str]:
    for each in descriptions:
        if each is None or not each.national_number_pattern:
            continue
        if not each.possible_length or length in each.possible_length:
            yield each.national_number_pattern
