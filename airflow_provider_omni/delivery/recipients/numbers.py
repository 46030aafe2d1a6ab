"""Phone numbers: their country, and the rules by which they may be sent to. The judge is phonenumbers.

`typed_numbers.py` reads the ways in which people write them; `fast_numbers.py` has the short way for most of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

from airflow_provider_omni.delivery.recipients.typed_numbers import InvalidNumberError, read_typed
from airflow_provider_omni.omni.masking import mask_number

__all__ = ["ANYWHERE", "InvalidNumberError", "NumberRules", "country_of", "normalise"]

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
        return self.countries is None or country_of(digits) in self.countries


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
    return _judged(parsed, rules, digits)


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
        return _judged(home, rules, digits)
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


def _judged(parsed: PhoneNumber, rules: NumberRules, typed: str) -> str:
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
