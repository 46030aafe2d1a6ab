"""Phone numbers: their country, and the rules by which they may be sent to. The judge is phonenumbers.

Most numbers follow from the tables of one country: their digits say that phonenumbers would change nothing in them and
find them valid (or possible, if the check asks for no more). These take a short way, which is thirty times as fast. All
others (national prefixes with rules of their own, leading zeros, mistakes) go to phonenumbers.

`typed_numbers.py` reads the ways in which people write them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeAlias

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult
from phonenumbers.phonenumberutil import region_code_for_country_code

from airflow_provider_omni.delivery.recipients.typed_numbers import RANGE, TWO, InvalidNumberError, read_typed
from airflow_provider_omni.omni.masking import mask_number

__all__ = ["ANYWHERE", "InvalidNumberError", "NumberRules", "country_code_of", "country_of", "normalise", "normaliser"]

Normalise: TypeAlias = Callable[[object], str]

NO_CODE = "it does not start with a country code"


@dataclass(frozen=True, slots=True)
class NumberRules:
    """Rules for reading numbers, and the countries that may be sent to.

    :param region: two letters of ISO 3166, such as `TH`, the country of numbers without a country code. None: every
        number must begin with its country code.
    :param check: `valid`: only numbers of a range that their country is known to use. `possible`: the right length is
        enough, for ranges that are newer than phonenumbers' tables.
    :param countries: regions that may be sent to; None: all.
    """

    region: str | None = None
    check: str = "valid"
    countries: frozenset[str] | None = None

    def allows(self, digits: str) -> bool:
        """Return True if a normalised number's country may be sent to. A number of unknown country may be sent to only
        if `countries` is None.
        """
        if self.countries is None:
            return True
        code = _country_code(digits[:3])
        return bool(code) and _country(code).region_of(digits[len(code) :]) in self.countries


ANYWHERE = NumberRules()
"""Rules for international, valid numbers of any country."""


def normalise(number: object, rules: NumberRules = ANYWHERE) -> str:
    """Return the number in international format, digits only, as the OMNI API expects it.

    `+41 79 302 67 27`, `0041793026727` and `41793026727` give `41793026727`. With a `region`, bare digits are a number
    of that country, with or without the 0 that is dialled before it; they are read as international only if they are
    too long or too short for it. Digits after `+` or `00` are always international. A number that can be read in two
    ways is refused. The vendor decides if a number is in use.

    Raises `InvalidNumberError`, whose text names the country that the number was taken for.
    """
    return normaliser(rules)(number)


@lru_cache(maxsize=64)
def normaliser(rules: NumberRules = ANYWHERE) -> Normalise:
    """Return `normalise` for these rules, for whoever has many numbers."""
    region = rules.region
    any_length = rules.check == "possible"
    home = None if region is None else _home(region)

    def read(number: object) -> str:
        text = number if type(number) is str else str(number) if type(number) is int and 0 <= number < _MOST else ""
        plus = text[:1] == "+"
        digits = text[1:] if plus else text
        if not (digits.isdigit() and digits.isascii()):
            if len(text) > 40 or not _TYPED.fullmatch(text) or TWO.search(text) or RANGE.search(text):
                return judged(number, rules)
            plus = "+" in text
            digits = text.translate(_DROPPED)
        if digits[:2] == "00":
            if region is not None and not plus:
                return judged(number, rules)
            digits = digits[2:]
        elif home is not None and not plus:
            return home.read(digits) or judged(number, rules)
        code = _country_code(digits[:3])
        if not code or len(digits) > 15 or len(text) > 40 or not _country(code).takes(digits[len(code) :], any_length):
            return judged(number, rules)
        return digits

    return read


# -- the judge -------------------------------------------------------------------------------------------------------


def judged(number: object, rules: NumberRules = ANYWHERE) -> str:
    """Return what `normalise` returns, and raise what it raises, with every number parsed by phonenumbers."""
    typed = read_typed(number)
    digits = typed.digits
    if typed.international or digits.startswith("00"):
        digits = digits.removeprefix("00")
        if not typed.international and rules.region is not None:
            _refuse_other_prefix(digits, rules.region)
        return _international(digits, rules)
    if rules.region is None:
        return _international(digits, rules)
    return _national(digits, rules, rules.region)


def country_code_of(digits: str) -> str:
    """Return the country code that a normalised number begins with, such as `66`; empty if it begins with none."""
    return _country_code(digits[:3])


def country_of(digits: str) -> str | None:
    """Return the region of a normalised number, such as `TH`, or `001` for a number of no country. None if it is not
    known: several countries share a code, and the number is valid in none of them.
    """
    parsed = _parsed(digits)
    return None if parsed is None else phonenumbers.region_code_for_number(parsed)


def _international(digits: str, rules: NumberRules) -> str:
    parsed = _parsed(digits)
    if parsed is None:
        expected = "a number that starts with its country code"
        if rules.region is None:
            expected += ", or region=… for numbers without one"
        raise InvalidNumberError(f"got {mask_number(digits)}; expected {expected}", NO_CODE)
    return _allowed(parsed, rules, digits)


def _national(digits: str, rules: NumberRules, region: str) -> str:
    """Read bare digits as a number of a region; as international if they cannot be one."""
    code = _code(region)
    home = _parsed(f"{code}{digits}")
    own = [home, _parsed(digits) if digits.startswith(code) else None]
    if trunk_of(region) == "0" and not digits.startswith("0"):
        own.append(_parsed(f"{code}0{digits}"))  # the 0 that a spreadsheet took
    found = {_digits_of(each): each for each in own if each is not None and phonenumbers.is_valid_number(each)}
    where = f"{region} (+{code})"
    if len(found) > 1:
        raise InvalidNumberError(
            f"got {mask_number(digits)}, which is a valid number of {where} with and without its country code; "
            "expected a + before numbers that have it, or a 0 before those that have not",
            f"two numbers of {where} could be meant",
        )
    if found:
        return next(iter(found))
    if home is not None and _is_of_there(home):
        if rules.check == "possible" and _is_possible(home):
            return _digits_of(home)
        return _allowed(home, rules, digits)
    if not digits.startswith("0"):
        lost = _parsed(f"{code}0{digits}")
        if lost is not None and phonenumbers.is_valid_number(lost):
            raise InvalidNumberError(
                f"got {mask_number(digits)}, a number of {where} without its leading 0, which belongs to it; expected "
                "it whole: keep the column as text",
                f"without the leading 0 of {where}",
            )
        return _international(digits, rules)
    raise InvalidNumberError(
        f"got {mask_number(digits)}, taken for a number of {where}, for which it has the wrong length; expected a "
        "valid number",
        f"wrong length for {where}",
    )


def _refuse_other_prefix(digits: str, region: str) -> None:
    """Refuse digits behind 00 that can be read as two numbers, in a region that dials more than 00 before other
    countries (Thailand: 001, 007, …). Digits that begin with the region's own code pass, because nobody dials them that
    way.

    :param digits: without their 00.
    :param region: the region of numbers without a country code.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    match = re.match((metadata and metadata.international_prefix) or "$", "00" + digits)
    if match is None or match.end() <= 2 or digits.startswith(_code(region)):
        return
    other = _parsed(digits[match.end() - 2 :])
    if other is not None and phonenumbers.is_valid_number(other):
        raise InvalidNumberError(
            f"got {mask_number(digits)} behind 00, where 00{digits[0]} is dialled before other countries as well; "
            "expected a + and the country code",
            f"00 is not all that is dialled in {region} before other countries",
        )


def _allowed(parsed: PhoneNumber, rules: NumberRules, typed: str) -> str:
    """Return the digits of a number that may be sent to. Raises InvalidNumberError, which names its country.

    :param parsed: the number.
    :param rules: the check to apply.
    :param typed: the digits as they were typed, to be shown masked.
    """
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    where = _where(parsed)
    if reason != ValidationResult.IS_POSSIBLE:
        words = _REASONS.get(reason, "not possible")
        raise InvalidNumberError(
            f"got {mask_number(typed)}, taken for a number of {where}: {words}; expected a valid number with its "
            f"country code{_hint(rules)}",
            f"{words} for {where}",
        )
    if rules.check != "possible" and not phonenumbers.is_valid_number(parsed):
        raise InvalidNumberError(
            f"got {mask_number(typed)}, taken for a number of {where}, where it is not valid; expected a valid number"
            + (" with its country code" + _hint(rules) if rules.region is None else ""),
            f"not valid in {where}, which it was taken for",
        )
    return _digits_of(parsed)


def _hint(rules: NumberRules) -> str:
    return ", or region=… for numbers without one" if rules.region is None else ""


def _where(parsed: PhoneNumber) -> str:
    """Return a country for people to read: its letters and its code."""
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        region = f"{regions[0]} or another country" if regions else "an unknown country"
    if region == "001":
        region = "no country"
    return f"{region} (+{parsed.country_code})"


def _is_of_there(parsed: PhoneNumber) -> bool:
    """Return True if the region has numbers of this length, if only for calls within a town. Then the digits are not
    read as international.
    """
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    return reason in (ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def _is_possible(parsed: PhoneNumber) -> bool:
    return bool(phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE)


def _parsed(digits: str) -> PhoneNumber | None:
    """Parse international digits; None if they are no number. A national prefix after the country code is taken off:
    `4107930…` is `417930…`.
    """
    try:
        return phonenumbers.parse("+" + digits)
    except NumberParseException:
        return None


def _digits_of(parsed: PhoneNumber) -> str:
    return f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"


@cache
def _code(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region))


@cache
def trunk_of(region: str) -> str | None:
    """Return the digits that are dialled before a number within its country; None if there are none."""
    metadata = PhoneMetadata.metadata_for_region(region)
    return None if metadata is None else metadata.national_prefix


_REASONS = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_COUNTRY_CODE: "unknown country code",
    ValidationResult.INVALID_LENGTH: "wrong length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "without its area code",
}


# -- the short way ---------------------------------------------------------------------------------------------------

_TYPED = re.compile(r" *\+?[0-9][0-9 ()\-/]*")
"""Numbers with separators that can be dropped. A dot is none of these, because it may be a decimal point
(`4915112345678.0`); neither is other white space than a space. `judged` reads those.
"""
_DROPPED = str.maketrans("", "", " ()-/+")
_MOST = 10**20
"""Bound of whole numbers that are read here. No phone number is as long, and Python refuses to write down whole numbers
of thousands of digits.
"""


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
        # Numbers that begin with 0 are left to phonenumbers anyway.
        self._stripped = None if prefix == "0" else self.prefix
        # The order is that of phonenumbers: the first region that fits is the number's.
        self._regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
        self._metadata = [PhoneMetadata.metadata_for_region_or_calling_code(int(code), each) for each in self._regions]
        self._patterns: dict[int, list[tuple[str, re.Pattern[str] | None, re.Pattern[str]]]] = {}

    def takes(self, national: str, any_length: bool) -> bool:
        """Return True if phonenumbers would read exactly this number, and find it valid (possible if `any_length`)."""
        if len(national) not in self.lengths or national[0] == "0":
            return False
        if self._stripped is not None and _strips(self._stripped, national):
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
