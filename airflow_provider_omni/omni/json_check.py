"""Values that JSON has, and nothing else: text keys, texts, numbers, true, false, null, lists and objects.

Serialisers differ in what they make of the rest (bytes become text or an error, a set a list, `NaN` a word that is no
JSON). What is sent, and what is compared between tries, must not depend on which of them comes first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from airflow_provider_omni.omni.masking import shown_name

MOST_BITS = 1024
"""Bits of a whole number, at most. Python refuses to write down those of thousands of digits."""
DEEPEST = 100
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_UNFIT_OR_LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")


class NonJsonValue(NamedTuple):
    """Something that JSON does not have: where it stands (`viber.buttons[0]`), and what it is, without its value."""

    where: str
    found: str


def foreign_to_json(value: Any, where: str, depth: int = 0) -> Iterator[NonJsonValue]:
    """Yield everything in a value that JSON does not have, in order.

    :param where: the name that the caller knows the value by; may be empty.
    """
    if value is None or isinstance(value, bool):
        return
    if depth > DEEPEST:
        yield NonJsonValue(where, f"more than {DEEPEST} levels")
    elif isinstance(value, str):
        if not _is_whole(value):
            yield NonJsonValue(where, "a text with half of a surrogate pair")
    elif isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            yield NonJsonValue(where, "a huge number")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield NonJsonValue(where, "a number that is not finite")
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not _is_whole(name):
                yield NonJsonValue(where, f"a name of type {type(name).__name__}, which is no text")
            else:
                yield from foreign_to_json(
                    item, f"{where}.{shown_name(name)}" if where else shown_name(name), depth + 1
                )
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from foreign_to_json(item, f"{where}[{index}]", depth + 1)
    else:
        yield NonJsonValue(where, f"a value of type {type(value).__name__}")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unfit_character(text: str, lines: bool = True) -> str | None:
    """Return the first character that no phone should get, in words: a control character that is neither a tab nor a
    line end (escape sequences begin with some), or what a decoder puts where it could not read.

    :param lines: tabs and line ends are fine.
    """
    found = (_UNFIT if lines else _UNFIT_OR_LINES).search(text)
    if found is None:
        return None
    if found[0] == "\ufffd":
        return "a character that was lost (U+FFFD): was it read in another encoding?"
    return f"a control character (U+{ord(found[0]):04X})"


def unfit_in(value: Any, where: str, depth: int = 0) -> Iterator[NonJsonValue]:
    """Yield every text of a value that has such a character."""
    if isinstance(value, str):
        if unfit := unfit_character(value):
            yield NonJsonValue(where, f"a text with {unfit}")
    elif depth <= DEEPEST and isinstance(value, dict):
        for name, item in value.items():
            yield from unfit_in(item, f"{where}.{shown_name(name)}" if where else shown_name(name), depth + 1)
    elif depth <= DEEPEST and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from unfit_in(item, f"{where}[{index}]", depth + 1)
