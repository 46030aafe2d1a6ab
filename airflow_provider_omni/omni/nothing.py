"""Values that stand for nothing: blank to the eye, or a database's, a sheet's or a data frame's word for nothing.

Nobody should read "Dear ,", "Dear nan," or "Dear NULL,", and none of these is a phone number.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import Any

WORDS = frozenset(
    {
        # What pandas reads as nothing.
        "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
        "NULL", "NaN", "None", "n/a", "nan", "null",
        # Databases, their dumps and their tools; programs.
        "\\N", "(null)", "(NULL)", "[NULL]", "[null]", "<null>", "<NULL>", "NaT", "undefined", "(none)", "(blank)",
        # Sheets: a formula that failed.
        "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
        "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#ERROR!", "#GETTING_DATA", "#NV", "#WERT!", "#BEZUG!", "#VALEUR!",
    }
)  # fmt: skip
"""As they are written: a person may be called Null, Nan or Na."""
_EMPTY_TO_THE_EYE = frozenset("\u2800\u3164\uffa0\u115f\u1160\u034f\u17b4\u17b5")
"""Blank characters that Unicode does not count as white space or as a format: fillers, and an empty Braille cell."""
_TYPES = frozenset({"NAType", "NaTType", "MaskedConstant"})
"""Nothing, in pandas and numpy. Told by name: nobody needs to have them, and comparing them raises."""

_TIMES = frozenset({"datetime64", "timedelta64"})
"""Moments and durations of numpy, by name as well. A duration counts as a whole number there."""


def is_a_time(value: object) -> bool:
    """Return True for a moment or a duration of numpy."""
    return type(value).__name__ in _TIMES


def is_invisible(character: str) -> bool:
    """Return True if a character takes no room: joiners, direction and byte order marks, selectors of variants."""
    return (
        unicodedata.category(character) == "Cf"
        or character in _EMPTY_TO_THE_EYE
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def is_blank(text: str) -> bool:
    """Return True if a text shows nothing: empty, white space of any kind, invisible marks."""
    if not text or text.isspace():
        return True
    if text.isascii():
        return False
    return all(character.isspace() or is_invisible(character) for character in text)


def trimmed(text: str) -> str:
    """Return the text without white space and invisible marks around it."""
    start, end = 0, len(text)
    while start < end and (text[start].isspace() or is_invisible(text[start])):
        start += 1
    while start < end and (text[end - 1].isspace() or is_invisible(text[end - 1])):
        end -= 1
    return text[start:end]


def word_for_nothing(text: str) -> str | None:
    """Return the word, where a text is one for nothing: `NULL`, `None`, `#N/A`; also `####`, a sheet's column too
    narrow.
    """
    if len(text) > 40:
        return None
    word = text.strip()
    return word if word in WORDS or (len(word) > 1 and not word.strip("#")) else None


def is_nothing(value: Any) -> bool:
    """Return True if a value stands for an absent one: None, a blank text or a word for nothing, a number that is not
    finite, a date that is no date.
    """
    if value is None:
        return True
    if isinstance(value, str):
        return is_blank(value) or word_for_nothing(value) is not None
    if isinstance(value, Decimal):
        return not value.is_finite()
    name = type(value).__name__
    if isinstance(value, date) or name in _TIMES:
        return bool(value != value)  # a date that is no date (NaT) is unequal to itself
    if isinstance(value, float) or (isinstance(value, Real) and hasattr(value, "dtype")):
        return not math.isfinite(value)
    return name in _TYPES
