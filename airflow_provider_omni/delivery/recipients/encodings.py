"""Encodings of files: the name that a user gives, and candidates to suggest if it does not fit.

Nothing is guessed while reading: a name read in a wrong encoding is another name. The candidates are for error messages
only.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import mask_numbers_in
from airflow_provider_omni.omni.problems import unexpected

DEFAULT = "utf-8"

_NOT_OF_FILES = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
"""Python codecs that are no encodings of files, or that differ between machines."""
_EXAMPLES = "such as cp874 (Thai), cp932 (Japanese), cp949 (Korean), cp950 (Taiwan), utf-16-le"
_MOST_NAMED = 3
_FEWEST_BYTES, _FEWEST_LINES = 6, 20
"""UTF-8 continuation bytes, and lines with non-ASCII letters, from which on a file counts as UTF-8 in disguise. At the
end of the file fewer lines are enough.
"""
_WESTERN = "cp1252"
_LOOKED_AT = 4096
"""Bytes that are decoded to find candidates."""


def read_encoding(name: Any) -> str:
    """Return Python's name of a file's encoding; UTF-8 for None. Raises OmniInputError if there is no such encoding."""
    if name is None:
        return DEFAULT
    found = f"a value of type {type(name).__name__}"
    if isinstance(name, str):
        found = mask_numbers_in(repr(name)) if re.fullmatch(r"[\w\-. ]{1,40}", name) else "a text that is no name"
        try:
            codec = codecs.lookup(name)
        except (LookupError, ValueError, UnicodeError):
            codec = None
        if codec is not None and codec.name not in _NOT_OF_FILES and getattr(codec, "_is_text_encoding", True):
            return codec.name
    raise OmniInputError(
        "Nothing was sent: the recipients cannot be read.",
        problems=(unexpected("encoding", found, f"the name of an encoding that Python knows, {_EXAMPLES}"),),
    )


class Utf8InDisguise:
    """Detects UTF-8 in lines that were read in another encoding, which may show it as other letters.

    Text of another encoding is hardly ever valid UTF-8 by chance: a few letters may be, but not line after line.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._open = not encoding.startswith("utf")
        self._lines = self._bytes = 0

    def sure(self, line: str | None) -> bool:
        """Look at the next line, or at None for the end of the file. Returns True once the file is surely UTF-8."""
        if not self._open:
            return False
        if line is not None and not line.isascii():
            try:
                data = line.encode(self._encoding)
                said = data.decode()
            except UnicodeError:
                self._open = False
                return False
            self._lines += 1
            self._bytes += len(data) - len(said)
        return self._bytes >= _FEWEST_BYTES and (line is None or self._lines >= _FEWEST_LINES)


def is_utf_8(data: bytes, at: int) -> bool:
    """Return True if the bytes around a place are UTF-8.

    :param data: bytes that another encoding could not decode.
    :param at: the place at which it failed.
    """
    piece = _around(data, at)
    return not piece.isascii() and _decoded(piece, DEFAULT) is not None


def in_question(data: bytes, at: int) -> str:
    """Return the encodings that a file may be in, as words for an error; empty if there is no candidate.

    :param data: bytes that could not be decoded.
    :param at: the place at which decoding failed.
    """
    piece, begin = _around(data, at), data.rfind(b"\n", 0, at) + 1
    if name := wide(piece.count(0), data[begin::2].count(0), data[begin + 1 :: 2].count(0), begin):
        return f'encoding="{name}"'
    found = []
    for each in _SCRIPTS:
        text = _decoded(piece, each.codec)
        weight = 0.0 if text is None else _weight(text, each)
        if weight >= 0.5:
            found.append((-weight, f'encoding="{each.codec}" ({each.where})'))
    return " or ".join(words for _, words in sorted(found)[:_MOST_NAMED])


def wide(nulls: int, even: int, odd: int, begin: int = 0) -> str | None:
    """Return the UTF-16 that a text without a byte order mark may be in, or None. Where such a text is ASCII, every
    other byte is null.

    :param nulls: number of null bytes.
    :param even: null bytes at even places, counted from `begin`.
    :param odd: null bytes at odd places, counted from `begin`.
    :param begin: place of the first byte in the file.
    """
    if not nulls or min(even, odd) * 4 > max(even, odd):
        return None
    return "utf-16-le" if (odd > even) == (begin % 2 == 0) else "utf-16-be"


class _Script(NamedTuple):
    """An encoding, the people who use it, and the weight of a character as evidence: 1 for its own letters, down to -1
    for strange ones.
    """

    codec: str
    where: str
    speaks: Callable[[str, bytes], float]


def _around(data: bytes, at: int) -> bytes:
    """Return the bytes from the beginning of the line on. A line end's byte is in no character of these encodings."""
    begin = data.rfind(b"\n", 0, at) + 1
    return data[begin : begin + _LOOKED_AT]


def _decoded(piece: bytes, codec: str) -> str | None:
    try:
        # The last byte may be the first half of a character.
        return codecs.getincrementaldecoder(codec)().decode(piece, False)
    except UnicodeDecodeError:
        return None


def _weight(text: str, script: _Script) -> float:
    """Return the average weight of the non-ASCII characters as evidence for a script."""
    weights = []
    before = " "
    for character in text:
        if not character.isascii():
            weight = script.speaks(character, character.encode(script.codec, "replace"))
            if unicodedata.category(character) == "Mn" and before.isascii():
                weight = -1.0  # an accent or a vowel that stands above nothing
            elif weight > 0 and before.isalpha() and before.isascii() != (script.codec == _WESTERN):
                weight /= 3  # words have letters of one script, but for the few of Western ones that are not ASCII
            weights.append(weight)
        before = character
    return sum(weights) / len(weights) if weights else 0.0


def _thai(character: str, _: bytes) -> float:
    if "\u0e01" <= character <= "\u0e4e":
        return 1.0
    return 0.3 if character in "\u0e4f\u00a0\u2026\u2018\u2019\u201c\u201d" or "\u0e50" <= character <= "\u0e5b" else -1


def _japanese(first: range) -> Callable[[str, bytes], float]:
    def speaks(character: str, code: bytes) -> float:
        if "\u3040" <= character <= "\u30ff":
            return 1.0
        if "\u4e00" <= character <= "\u9fff":
            return 0.8 if code[0] in first else 0.3
        if "\u3000" <= character <= "\u303f" or "\u2460" <= character <= "\u2473" or "\uff01" <= character <= "\uff5e":
            return 0.6
        return 0.1 if "\uff61" <= character <= "\uff9f" else -1

    return speaks


def _korean(character: str, code: bytes) -> float:
    if "\uac00" <= character <= "\ud7a3":
        return 1.0 if 0xB0 <= code[0] <= 0xC8 and code[-1] >= 0xA1 else 0.3
    if "\u4e00" <= character <= "\u9fff":
        return 0.2
    return 0.5 if "\u3000" <= character <= "\u303f" or "\uff01" <= character <= "\uff5e" else -1


def _chinese(first: range) -> Callable[[str, bytes], float]:
    def speaks(character: str, code: bytes) -> float:
        if "\u4e00" <= character <= "\u9fff":
            return 0.9 if code[0] in first else 0.3
        return 0.5 if "\u3000" <= character <= "\u303f" or "\uff01" <= character <= "\uff5e" else -1

    return speaks


def _western(character: str, _: bytes) -> float:
    if character.isalpha():
        return 0.8
    return 0.4 if character in "\u20ac\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u00a0\u00b0\u00b4\u00a7\u00df" else -1


_SCRIPTS = (
    _Script("cp874", "Thai", _thai),
    _Script("cp932", "Japanese", _japanese(range(0x88, 0x99))),
    _Script("euc_jp", "Japanese", _japanese(range(0xB0, 0xD0))),
    _Script("cp949", "Korean", _korean),
    _Script("cp950", "Chinese, Taiwan and Hong Kong", _chinese(range(0xA4, 0xC7))),
    _Script("gb18030", "Chinese, mainland", _chinese(range(0xB0, 0xD8))),
    _Script(_WESTERN, "Western European", _western),
)
