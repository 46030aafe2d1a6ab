"""Tells words among the vendor's words. Anything else may be an encoding of something private.

`masking.Private` knows a few encodings, and there is no end of them. But what an API says to a person is made of words,
names of members, small numbers, dates, codes and ids. All else is left out, whatever it may be.
"""

from __future__ import annotations

import re

_AROUND = r"""[\s"'`()\[\]{}<>.,:;!?…=*|/\\-]{0,6}"""
_HUMPS = r"(?=[A-Za-z]{6})(?:[a-z]{2,20}|[A-Z][a-z]{1,20})(?:[A-Z][a-z]{1,20}){1,6}"
_WORD = rf"(?:{_HUMPS}|[a-z]{{1,24}}|[A-Z][a-z]{{1,24}}|[A-Z]{{1,24}})"
_SMALL = r"[0-9]{1,5}%?"
_BETWEEN = r"(?:[._/:&-]|\[|\]\.?|['’](?=[a-z]{1,2}\b)|://|, ?|=(?=[A-Za-z])|;)"
_NAME = rf"(?:{_WORD}|{_SMALL})(?:{_BETWEEN}(?:{_WORD}|{_SMALL}))*"
_CODE = r"[A-Z]{1,6}[0-9]{2,5}|[A-Z]{3,}(?:_[A-Z]+)*_[0-9]{1,3}|v[0-9]{1,2}"
_MASKED = r"[+(]?[0-9]{0,4}…[0-9]{0,3}|\w*…\w*|…@…"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]{5,12}(?:Z|[+-][0-9:]{4,5})?)?|[0-9]{1,2}(?::[0-9]{2}){1,2}"
_OTHER_SCRIPT = r"(?=\S*[^\x00-\x7f])[^\W\d_]{2,24}"
_ID = r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_PLAIN = re.compile(rf"{_AROUND}(?:{_NAME}|{_CODE}|{_MASKED}|{_DATE}|{_ID}|{_OTHER_SCRIPT})?{_AROUND}")
_COUNTED = re.compile(rf"{_AROUND}(?:{_DATE}|{_ID}){_AROUND}")
_TELLING = re.compile(r"[^\W\d_]{2}")
_MOST_SHORT = 3
"""Pieces of a name, or words one after the other, of a single letter or of digits. More of them spell something."""
_TOKEN = re.compile(r"\S+")


def only_words(text: str) -> str:
    """Return the text with an ellipsis for each piece that is no word, and for each that spells one by letters."""
    pieces = list(_TOKEN.finditer(text))
    kept = [_is_plain(piece[0]) for piece in pieces]
    start = 0
    for index in range(len(pieces) + 1):
        if index < len(pieces) and not (kept[index] and _TELLING.search(pieces[index][0])):
            continue
        if index - start > _MOST_SHORT:
            kept[start:index] = [False] * (index - start)
        start = index + 1
    shown = iter(kept)
    return _TOKEN.sub(lambda piece: piece[0] if next(shown) else "…", text)


def _is_plain(piece: str) -> bool:
    if _PLAIN.fullmatch(piece) is None:
        return False
    if _COUNTED.fullmatch(piece) is not None:
        return True
    short = [part for part in re.split(r"[^0-9A-Za-z]+", piece) if part and not _TELLING.search(part)]
    return len(short) <= _MOST_SHORT
