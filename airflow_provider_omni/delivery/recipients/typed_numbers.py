"""Reads phone numbers as people and programs write them, in any script and with any of the usual marks, into digits.

Knows nothing of countries; `numbers.py` does. A refusal names the character that is in the way, never the number.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from numbers import Integral
from typing import NamedTuple

from airflow_provider_omni.omni.masking import MOST_BITS, mask_number
from airflow_provider_omni.omni.nothing import is_a_time, is_blank, is_invisible, is_nothing, word_for_nothing
from airflow_provider_omni.omni.words import some

_WHOLE_FLOATS = 2.0**53
"""Whole floats from here on may have been rounded."""
_LONGEST = 40
"""Characters of a written number, without invisible ones, at most."""
_LONGEST_TEXT = 200
_MOST_DIGITS = 20
"""Digits, at most: a number has fifteen at most, and other digits are dialled before it for another country."""

_PLAIN = re.compile(r"[ (]*\+?[ (]*[0-9][0-9 ().\-/]*")
"""The form of a number that can be read: digits, and separators between them."""
_SEPARATORS = re.compile(r"[ ().\-/]")
_DECIMAL = re.compile(r" *\+?[0-9 ()\-/]*(?:[0-9]{7,}\.(?:[0-9]{1,2}|0+)|[0-9]\.0) *")
"""A float or a decimal written as text, such as `4915112345678.0`. Its last digits do not belong to the number."""
TWO = re.compile(r"(?:^ *(?:00)?|[^0-9])[0-9]{7,}[ ()./\-]+[0-9]{7,}(?![0-9])")
RANGE = re.compile(r"[0-9)] *(?:/ *[0-9]{1,3}|- *[0-9]) *$")
"""A range such as `02 123 4567/8`: two numbers in a short form, or an extension."""

_DASHES = frozenset("\u2212\u30fc\ufe63\u2043\u02d7")
"""Dashes beside Unicode's: a minus, the long mark of Japanese keyboards, a bullet that looks like a dash."""
_PLUS = frozenset("+\uff0b\ufe62")
_OPENING = frozenset("(\uff08[\uff3b\ufe59\u3010\u3014")
_CLOSING = frozenset(")\uff09]\uff3d\ufe5a\u3011\u3015")
_DOTS = frozenset(".\uff0e\u00b7\u30fb\u2027\u2219")
_SLASHES = frozenset("/\uff0f\u2044\u2215")
_TILDES = frozenset("~\u223c\u301c\uff5e\u2053")
_LINE_ENDS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_LISTING = frozenset(",;|&\uff0c\uff1b\u3001\u060c\u061b\ufe50\ufe51\ufe54\u2502\uff5c\n")
_MASKS = frozenset("*\u2022\u2026\u25cf\u00d7_\uff0a")
_QUOTES = (
    "'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"
    "\u2039\u203a\u300c\u300d\u300e\u300f\uff02\uff07\u05f3\u05f4"
)
_EXPONENT = re.compile(r"[+\-]?[0-9][0-9.,\u066b ]*[eE][+\-]?[0-9]{1,3}")
_SCHEME = re.compile(r"[^\W\d_]{2,12} ?[:=]")
_EXTENSION = re.compile(
    r"[0-9).] *[,;]? *(?:;?ext?\.?|extn\.?|extension|int\.?|anexo|x|#|\u0434\u043e\u0431\.?|\u5206\u6a5f|\u5185\u7ebf"
    r"|\u5185\u7dda|\u8f6c|\u8f49|\u0e15\u0e48\u0e2d)[ .:=]*[0-9]{1,7}#? *",
    re.IGNORECASE,
)


class InvalidNumberError(ValueError):
    """A value that cannot be a number. Its text gives the reason, with the number masked; `kind` is the reason for
    counting, without the number.
    """

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


class Typed(NamedTuple):
    """A number as digits. `international` is True if it was written with a plus."""

    digits: str
    international: bool


def read_typed(number: object) -> Typed:
    """Read a text, or a whole number of any type. Raises InvalidNumberError, which names what is in the way.

    It must be one whole number: not two of them, no extension, no decimal fraction, no letters that stand for digits.
    """
    text = number if isinstance(number, str) else _written(number)
    plain = text if text.isascii() and _PLAIN.fullmatch(text) else _plain(text)
    if len(plain) > _LONGEST:
        raise _refusal(text, "more characters than a number has")
    if _DECIMAL.fullmatch(plain):
        raise _refusal(
            plain.split(".")[0],
            "a decimal fraction such as .0: a spreadsheet has made one of it",
            "digits without a .0; format the column as text",
        )
    if TWO.search(plain):
        raise _refusal(text, "two numbers", "one; give a list, or a row for each")
    if RANGE.search(plain):
        raise _refusal(text, "few digits behind a slash or dash: a second number, or an extension?", "one number")
    digits = _SEPARATORS.sub("", plain)
    if len(digits) > _MOST_DIGITS:
        raise _refusal(text, "more digits than a number has: several numbers?", "one; give a list, or a row for each")
    return Typed(digits.removeprefix("+"), digits.startswith("+"))


def _written(number: object) -> str:
    """Return the digits of a whole number. A float or a decimal counts as whole if it cannot have been rounded."""
    kind = type(number).__name__
    if number is None or is_nothing(number):
        raise InvalidNumberError(f"got nothing ({kind}), expected a phone number", "empty")
    whole: int | None = None
    if isinstance(number, bool) or is_a_time(number):
        pass
    elif isinstance(number, Integral):
        whole = int(number)
    elif isinstance(number, float):
        whole = int(number) if number.is_integer() and abs(number) < _WHOLE_FLOATS else None
        if whole is None:
            raise InvalidNumberError(
                "got a float that is no whole number, or has been rounded; expected text or a whole number",
                "a float that is not whole",
            )
    elif isinstance(number, Decimal):
        _, _, exponent = number.as_tuple()
        if number != number.to_integral_value() or not isinstance(exponent, int) or exponent > 0:
            raise InvalidNumberError(
                "got a decimal that is no whole number, or has been rounded; expected text or a whole number",
                "a decimal that is not whole",
            )
        if number.adjusted() < _LONGEST:
            whole = int(number)
    if whole is None:
        huge = isinstance(number, Decimal)
        raise InvalidNumberError(
            "got a huge whole number, expected a phone number"
            if huge
            else f"got {kind}, expected text or a whole number with the phone number",
            "huge" if huge else f"a {kind}, expected text or a whole number",
        )
    if whole.bit_length() > MOST_BITS:
        raise InvalidNumberError("got a huge whole number, expected a phone number", "huge")
    if whole < 0:
        raise _refusal(str(whole), "a minus")
    return str(whole)


def _plain(text: str) -> str:
    """Return the text in ASCII: digits, separators and a plus. Raises InvalidNumberError for anything else."""
    if len(text) > _LONGEST_TEXT:
        raise _refusal("", f"a text of {some(len(text), 'character')}")
    if is_blank(text):
        raise InvalidNumberError("got a blank text, expected a phone number", "a blank text")
    if word := word_for_nothing(text):
        hint = " (a template that found nothing?)" if word == "None" else ", which stands for nothing"
        raise InvalidNumberError(f"got {word!r}{hint}, expected a phone number", f"{word!r}")
    visible = "".join(_ascii(each) for each in text).strip(" \n")
    if visible.startswith(('="', "='")) and visible[-1:] == visible[1]:
        visible = visible[1:]  # how a CSV keeps Excel from taking a leading 0
    visible = visible.strip(_QUOTES + " \n").rstrip()
    if not any(each.isdigit() for each in visible):
        if is_blank(visible):
            raise InvalidNumberError("got a blank text, expected a phone number", "a blank text")
        raise InvalidNumberError("got a text without digits, expected a phone number", "a text without digits")
    if _PLAIN.fullmatch(visible):
        return visible
    culprit, expected = _culprit(visible)
    raise _refusal(visible, culprit, expected)


def _ascii(character: str) -> str:
    """Return the ASCII character for a character, '' for an invisible one, the character itself if it has none."""
    if character.isascii() and character >= " ":
        return "(" if character == "[" else ")" if character == "]" else character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in _LINE_ENDS:
        return "\n"
    if is_invisible(character):
        return " " if character in "\u2800\u3164\uffa0" else ""
    if character.isspace():
        return " "
    if unicodedata.category(character) == "Pd" and character not in _TILDES:
        return "-"
    for known, plain in _SAME:
        if character in known:
            return plain
    return character


_SAME = (
    (_DASHES, "-"), (_PLUS, "+"), (_OPENING, "("), (_CLOSING, ")"), (_DOTS, "."), (_SLASHES, "/"),
)  # fmt: skip


def _culprit(visible: str) -> tuple[str, str]:
    """Return the obstacle in a text, and what is expected instead: the first kind that fits, or a strange character."""
    if _EXPONENT.fullmatch(visible.replace(" ", "")):
        return "an exponent ('E'): a spreadsheet has rounded it", "all digits; format the column as text"
    if "@" in visible:
        return "an e-mail address ('@')", _DIGITS
    if _SCHEME.match(visible) and visible[:1].isalpha():
        mark = visible[_SCHEME.match(visible).end() - 1]  # type: ignore[union-attr]
        return f"words before it (and {mark!r})", f"it without them: {_DIGITS}"
    if found := _EXTENSION.search(visible):
        mark = next(each for each in found[0] if each not in " 0123456789).,")
        return f"an extension ({_name(mark)})", "a number without one"
    for mark in visible:
        if mark in _LISTING:
            before, _, after = visible.partition(mark)
            if mark != "," or min(_count(before), _count(after)) >= 5:
                return f"{_name(mark)}: several numbers?", "one; give a list, or a row for each"
            return f"{_name(mark)}: is it a thousands or decimal separator?", "digits; format the column as text"
        if mark in _TILDES:
            return f"{_name(mark)}: a range of numbers?", "one number"
        if mark in _MASKS:
            return f"{_name(mark)}: is it masked?", _DIGITS
        if not _PLAIN.fullmatch(f"0{mark}") and mark != "+":
            return _name(mark), _DIGITS
    if visible.count("+") > 1:
        several = _count(visible.lstrip(" (+").partition("+")[0]) >= 5
        return "more than one plus", "one number; give a list, or a row for each" if several else _DIGITS
    if "+" in visible.lstrip(" ("):
        if visible.lstrip(" (").startswith("+"):
            return "brackets that are not closed", _DIGITS
        return "a plus that is not at its beginning", _DIGITS
    return f"{_name(visible[0])} before it", _DIGITS


_DIGITS = "digits, spaces and dashes, such as +41 79 302 67 27"


def _count(text: str) -> int:
    return sum(map(str.isdigit, text))


def _name(mark: str) -> str:
    """Return a character for people to read: the character if it can be seen, and its name."""
    if mark == "\n":
        return "a line end"
    if mark == ",":
        return "a comma (',')"
    if mark.isalpha():
        return f"the letter {mark!r}"
    code = f"U+{ord(mark):04X}"
    if not mark.isprintable():
        return f"the character {unicodedata.name(mark, code)}"
    return f"{mark!r} ({unicodedata.name(mark, code)})"


def _refusal(text: str, culprit: str, expected: str = _DIGITS) -> InvalidNumberError:
    shown = f"{mask_number(text)} with " if any(map(str.isdigit, text)) else ""
    return InvalidNumberError(f"got {shown}{culprit}; expected {expected}", culprit)
