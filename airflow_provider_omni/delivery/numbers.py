"""Phone numbers: read, normalise, mask. The only place that knows how people write them."""

from __future__ import annotations

import re

import phonenumbers

_SHAPE = re.compile(r"^\s*(?:\+|00)?[0-9][0-9 ().\-/]*$")
_DECIMAL = re.compile(r"^\s*\+?[0-9 ()\-/]*(?:[0-9]{7,}\.(?:[0-9]{1,2}|0+)|[0-9]\.0)\s*$")
"""``4915112345678.0``: a float or a decimal that was written as text. Its last digits are none of the number."""
NO_CODE = "it does not start with a country code"
_MOST_BITS = 128
"""More than any number has. Python refuses to write down whole numbers of thousands of digits."""
_SEPARATORS = re.compile(r"[ ().\-/]")


class InvalidNumberError(ValueError):
    """The number cannot be one. Its text says why, with the number masked. ``kind``: why, for counting; without it."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


def mask(number: object) -> str:
    """``41793026727`` -> ``4179…727``: enough to find a row in one's own table, too little to call.

    Short strings keep less; whatever is not a string of digits is shown by its type only.
    """
    written = isinstance(number, str) or (isinstance(number, int) and number.bit_length() <= _MOST_BITS)
    digits = re.sub(r"\D", "", str(number)) if written else ""
    if not digits:
        return f"<{type(number).__name__}>"
    if len(digits) < 10:
        return f"{digits[:1]}…" if len(digits) > 3 else "…"
    return f"{digits[:4]}…{digits[-3:]}"


def normalise(number: object) -> str:
    """Return the number in international format, digits only, as the OMNI API wants it.

    ``+41 79 302 67 27``, ``0041793026727`` and ``41793026727`` give ``41793026727``. Only *possible* numbers pass
    (right length for their country); whether one is in use is the vendor's to say. A bool, a float or text with
    letters is refused: a number that a spreadsheet has turned into ``4.17E10`` or ``41793026727.0`` must not reach a
    stranger.

    Raises :class:`InvalidNumberError`.
    """
    if isinstance(number, bool) or not isinstance(number, str | int):
        raise InvalidNumberError(
            f"found {type(number).__name__}, allowed: text or an integer with the international number",
            "empty" if number is None else f"a {type(number).__name__}, allowed are text and whole numbers",
        )
    if isinstance(number, int) and number.bit_length() > _MOST_BITS:
        raise InvalidNumberError("found a huge whole number, allowed: the international number", "huge")
    text = str(number)
    if len(text) > 40 or not _SHAPE.match(text):
        raise InvalidNumberError(
            f"found {_shown(text)}, allowed: digits with an optional leading + or 00, such as +41793026727",
            "more than digits" if re.search(r"\d", text) else _shown(text),
        )
    if _DECIMAL.match(text):
        raise InvalidNumberError(
            f"found {mask(text.split('.')[0])} as a decimal fraction, allowed: digits without a .0",
            "a decimal fraction such as .0: a spreadsheet has made one of it",
        )
    digits = _SEPARATORS.sub("", text.strip()).removeprefix("+")
    digits = digits.removeprefix("00")
    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        raise InvalidNumberError(
            f"found {mask(text)}, allowed: a number that starts with its country code", NO_CODE
        ) from None
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason not in (phonenumbers.ValidationResult.IS_POSSIBLE,):
        words = _REASONS.get(reason, "not a possible number")
        raise InvalidNumberError(
            f"found {mask(text)} ({words}), allowed: a possible number in international format", words
        )
    return f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"


def _shown(text: str) -> str:
    """The masked number, or why there is none."""
    if re.search(r"\d", text):
        return mask(text)
    if text.strip() == "None":
        return "'None' (a template that found nothing?)"
    return "a text without digits" if text.strip() else "a blank text"


_REASONS = {
    phonenumbers.ValidationResult.TOO_SHORT: "too short for its country",
    phonenumbers.ValidationResult.TOO_LONG: "too long for its country",
    phonenumbers.ValidationResult.INVALID_COUNTRY_CODE: "unknown country code",
    phonenumbers.ValidationResult.INVALID_LENGTH: "wrong length for its country",
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "a local number without its country code",
}
