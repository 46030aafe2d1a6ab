"""Phone numbers: of which country they are, and whether they may be sent to. The only place that asks phonenumbers.

How people write them is `typednumbers.py`'s business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

from airflow_provider_omni.delivery.recipients.typed_numbers import InvalidNumberError, mask, read_typed

__all__ = ["ANYWHERE", "InvalidNumberError", "NumberRules", "country_of", "mask", "normalise"]

NO_CODE = "it does not start with a country code"


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How numbers are read, and where may be sent.

    :param region: two letters of ISO 3166, such as `TH`: numbers without a country are read as of there. None: every
        number must begin with its country code.
    :param check: `valid`: only numbers of a range that its country is known to use. `possible`: the right length is
        enough, for ranges that are newer than phonenumbers' tables.
    :param countries: regions that may be sent to; None: all.
    """

    region: str | None = None
    check: str = "valid"
    countries: frozenset[str] | None = None

    def allows(self, digits: str) -> bool:
        """Whether a normalised number's country may be sent to. One whose country is not known may not."""
        return self.countries is None or country_of(digits) in self.countries


ANYWHERE = NumberRules()
"""International numbers that are valid, of any country."""


def normalise(number: object, rules: NumberRules = ANYWHERE) -> str:
    """Return the number in international format, digits only, as the OMNI API wants it.

    `+41 79 302 67 27`, `0041793026727` and `41793026727` give `41793026727`. With a `region` bare digits are
    a number of there, with or without the 0 that is dialled before it; only where they are too long or too short for
    one are they read as international. `+` and `00` always are. What two countries or two numbers could be meant
    by is refused. Whether a number is in use is the vendor's to say.

    Raises `InvalidNumberError` whose text says which country the number was taken for.
    """
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


def country_of(digits: str) -> str | None:
    """The region of a normalised number, such as `TH`; `001` for one of no country; None where it is not known:
    several countries share a code, and the number is valid in none of them.
    """
    parsed = _parsed(digits)
    return None if parsed is None else phonenumbers.region_code_for_number(parsed)


def _international(digits: str, rules: NumberRules) -> str:
    parsed = _parsed(digits)
    if parsed is None:
        expected = "a number that starts with its country code"
        if rules.region is None:
            expected += ", or region=… for numbers without one"
        raise InvalidNumberError(f"got {mask(digits)}; expected {expected}", NO_CODE)
    return _judged(parsed, rules, digits)


def _national(digits: str, rules: NumberRules, region: str) -> str:
    """Read bare digits as of a region; as international where they cannot be of there."""
    code = _code(region)
    home = _parsed(f"{code}{digits}")
    own = [home, _parsed(digits) if digits.startswith(code) else None]
    if trunk_of(region) == "0" and not digits.startswith("0"):
        own.append(_parsed(f"{code}0{digits}"))  # the 0 that a spreadsheet took
    found = {_digits_of(each): each for each in own if each is not None and phonenumbers.is_valid_number(each)}
    where = f"{region} (+{code})"
    if len(found) > 1:
        raise InvalidNumberError(
            f"got {mask(digits)}, which is a valid number of {where} with and without its country code; expected a + "
            "before numbers that have it, or a 0 before those that have not",
            f"two numbers of {where} could be meant",
        )
    if found:
        return next(iter(found))
    if home is not None and _is_of_there(home):
        if rules.check == "possible" and _is_possible(home):
            return _digits_of(home)
        return _judged(home, rules, digits)
    if not digits.startswith("0"):
        lost = _parsed(f"{code}0{digits}")
        if lost is not None and phonenumbers.is_valid_number(lost):
            raise InvalidNumberError(
                f"got {mask(digits)}, a number of {where} without its leading 0, which belongs to it; expected it "
                "whole: keep the column as text",
                f"without the leading 0 of {where}",
            )
        return _international(digits, rules)
    raise InvalidNumberError(
        f"got {mask(digits)}, taken for a number of {where}, for which it has the wrong length; expected a valid "
        "number",
        f"wrong length for {where}",
    )


def _refuse_other_prefix(digits: str, region: str) -> None:
    """Where another country is dialled with more than 00 (Thailand: 001, 007, …), the same digits say two numbers. Not
    before the region's own code, which nobody dials like that.

    :param digits: without their 00.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    match = re.match((metadata and metadata.international_prefix) or "$", "00" + digits)
    if match is None or match.end() <= 2 or digits.startswith(_code(region)):
        return
    other = _parsed(digits[match.end() - 2 :])
    if other is not None and phonenumbers.is_valid_number(other):
        raise InvalidNumberError(
            f"got {mask(digits)} behind 00, where 00{digits[0]} is dialled before other countries as well; expected a "
            "+ and the country code",
            f"00 is not all that is dialled in {region} before other countries",
        )


def _judged(parsed: PhoneNumber, rules: NumberRules, typed: str) -> str:
    """The digits of a number that may be sent to. Raises InvalidNumberError that says which country it is of.

    :param typed: the digits as they were typed, to be shown masked.
    """
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    where = _where(parsed)
    if reason != ValidationResult.IS_POSSIBLE:
        words = _REASONS.get(reason, "not possible")
        raise InvalidNumberError(
            f"got {mask(typed)}, taken for a number of {where}: {words}; expected a valid number with its "
            f"country code{_hint(rules)}",
            f"{words} for {where}",
        )
    if rules.check != "possible" and not phonenumbers.is_valid_number(parsed):
        raise InvalidNumberError(
            f"got {mask(typed)}, taken for a number of {where}, where it is not valid; expected a valid number"
            + (" with its country code" + _hint(rules) if rules.region is None else ""),
            f"not valid in {where}, which it was taken for",
        )
    return _digits_of(parsed)


def _hint(rules: NumberRules) -> str:
    return ", or region=… for numbers without one" if rules.region is None else ""


def _where(parsed: PhoneNumber) -> str:
    """A country for a person: its letters and its code."""
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        region = f"{regions[0]} or another country" if regions else "an unknown country"
    if region == "001":
        region = "no country"
    return f"{region} (+{parsed.country_code})"


def _is_of_there(parsed: PhoneNumber) -> bool:
    """Whether a region has numbers of this length, if only for calls within a town: then it is none of elsewhere."""
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    return reason in (ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def _is_possible(parsed: PhoneNumber) -> bool:
    return bool(phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE)


def _parsed(digits: str) -> PhoneNumber | None:
    """The number that international digits say; None where they say none. What is dialled before it within its country
    is taken off: `4107930…` is `417930…`.
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
    """What is dialled before a number within its country."""
    metadata = PhoneMetadata.metadata_for_region(region)
    return None if metadata is None else metadata.national_prefix


_REASONS = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_COUNTRY_CODE: "unknown country code",
    ValidationResult.INVALID_LENGTH: "wrong length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "without its area code",
}
