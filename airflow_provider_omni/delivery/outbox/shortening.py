"""Texts that must go out whatever they have become: cleaned of everything that no phone shows, and cut with a mark.

A cut is made between characters as people see them. It leaves neither half a surrogate pair, nor a letter without its
accents, nor half an escape sequence of GSM-7. The mark is "…". GSM-7 has no "…", so there it is "...".
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable

from airflow_provider_omni.delivery.recipients.sms_parts import is_gsm, sms_parts

MARK, GSM_MARK = "…", "..."
MOST_READ = 50_000
"""Characters of a text that are looked at: far more than any channel takes."""
MOST_JOINED = 64
"""Characters that one visible character may be made of. Longer sequences are cut after all."""

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # links and titles
    r"|\x1b[ -/]*[0-~]"
)
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HALF = re.compile(r"[\ud800-\udfff]")


def cleaned(text: str) -> str:
    """Return as much of a text as is looked at, without the parts that no phone shows."""
    return shown(text[:MOST_READ])


def shown(text: str) -> str:
    """Return the text without terminal codes and control characters. Line ends and tabs stay.

    Halves of surrogate pairs that belong together are joined. Other halves, and characters that were lost on the way
    here, become question marks.
    """
    text = whole(text).replace("\ufffd", "?")
    text = _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _NO_TEXT.sub("", text)


def whole(text: str) -> str:
    """Return the text with every surrogate pair joined, and a question mark for each half of one."""
    if not _HALF.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _HALF.sub("?", joined)


def cut_to_units(text: str, most: int) -> str:
    """Return at most so many UTF-16 units of a text, with the mark if it was cut."""
    if _units(text) <= most:
        return text
    return _cut(text, len(text), MARK, lambda said: _units(said) <= most)


def cut_to_parts(text: str, most: int) -> str:
    """Return at most so many SMS parts of a text, with the mark if it was cut."""
    if sms_parts(text) <= most:
        return text

    def fits(said: str) -> bool:
        return sms_parts(said) <= most

    ucs2 = _cut(text, len(text), MARK, fits)
    plain = next((index for index, character in enumerate(text) if not is_gsm(character)), len(text))
    gsm = _cut(text, plain, GSM_MARK, fits)
    return gsm if len(gsm) - len(GSM_MARK) >= len(ucs2) - len(MARK) else ucs2


def _cut(text: str, most: int, mark: str, fits: Callable[[str], bool]) -> str:
    """Return as much of the first `most` characters as fits together with the mark."""
    most = min(most, MOST_READ)
    end = bisect.bisect_left(range(most + 1), True, key=lambda length: not fits(text[:length] + mark)) - 1
    return text[: _between_characters(text, max(end, 0))].rstrip() + mark


def _between_characters(text: str, end: int) -> int:
    """Return the nearest place at or before `end` that is not within a character."""
    for place in range(end, max(end - MOST_JOINED, 0), -1):
        if place >= len(text) or not _belong_together(text, place):
            return place
    return end


def _belong_together(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    return (
        unicodedata.category(after) in ("Mn", "Mc", "Me")
        or after in "\u200d\uff9e\uff9f"
        or before == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # flags of regions
        or "\u1160" <= after <= "\u11ff"  # the later letters of a Korean syllable
        or (_is_flag(after) and _flags_before(text, place) % 2 == 1)
    )


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, place: int) -> int:
    count = 0
    while count < place and _is_flag(text[place - 1 - count]):
        count += 1
    return count


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
