"""Hiding phone numbers, addresses and secrets in text that a person or a log will see.

Nothing here knows what a valid number is (`delivery/recipients/numbers.py` does): anything that could be one is hidden.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from airflow_provider_omni.omni.words import some

SHOWN = frozenset(
    {
        "type", "channel", "validityPeriod", "validityPeriodTimeUnit", "duration", "transliteration", "languageCode",
        "isPromotional", "default", "notify", "notifyContentType", "intermediateReport",
    }
)  # fmt: skip
"""Members of contents and options whose value holds nothing personal, so that it may be shown."""

MOST_BITS = 128
"""Bits of a whole number that is written out, at most: more than any phone number has. Python refuses to write down
whole numbers of thousands of digits.
"""
_DIGITS = re.compile(r"\d{6,}")
_SEPARATED = re.compile(r"(?<![0-9A-Za-z])\+?\d(?:[\s().\-/]{0,2}\d){6,}(?![0-9A-Za-z])")
_EMAIL = re.compile(r"[^\s@<>\"']{1,100}@[^\s@<>\"']{1,100}")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?")


def mask_number(number: object) -> str:
    """Mask a number: `41793026727` becomes `4179…727`, enough to find a row in one's own table, too little to call.

    A shorter one keeps its first digit at most. A value that is no text or whole number with digits is shown by its
    type only.
    """
    written = isinstance(number, str) or (isinstance(number, int) and number.bit_length() <= MOST_BITS)
    digits = "".join(filter(str.isdigit, str(number))) if written else ""
    if not digits:
        return f"<{type(number).__name__}>"
    if len(digits) < 10:
        return f"{digits[:1]}…" if len(digits) > 3 else "…"
    return f"{digits[:4]}…{digits[-3:]}"


def mask_numbers_in(text: str) -> str:
    """Return free text with every e-mail address and every run of six or more digits masked, also `+41 79 302 67 27`.

    Meant for what the vendor wrote: it may echo numbers. ISO dates are left alone.
    """
    hidden = _EMAIL.sub("…@…", text)
    hidden = _SEPARATED.sub(
        lambda match: match[0] if _ISO_TIME.fullmatch(match[0]) else mask_number(match[0]),
        hidden,
    )
    return _DIGITS.sub(lambda match: mask_number(match[0]), hidden)


def shown_name(name: Any) -> str:
    """Return the name of a member, for a person who has to find it. Where there should be one, somebody's number may
    stand.
    """
    return mask_numbers_in(str(name)[:80])


def describe(value: Any, shown: bool = False) -> str:
    """Return a value in words that are safe to log: the value itself only if `shown`, else its kind and size."""
    if value is None:
        return "nothing"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge number"
    if shown and isinstance(value, (str, int, float)):
        return mask_numbers_in(repr(value)[:60])
    if isinstance(value, str):
        return f"a string of {some(len(value), 'character')}"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple, set)):
        return f"a list of {len(value):,}"
    return f"a value of type {type(value).__name__}"


def shown_id(name: Any) -> str:
    """Return an id that people have given, such as a connection's, or words for it if it may be something else: a URI
    has a password in it.
    """
    plain = isinstance(name, str) and re.fullmatch(r"[\w.\-]{1,100}", name)
    return mask_numbers_in(repr(name)) if plain else describe(name)


_CREDENTIALS = re.compile(r"(?i)\b(basic|app|bearer|digest)(\s+)(?=[\w+/=.~\-]*[\d=+/_.~\-])[\w+/=.~\-]{6,}")
_WHOLE_WORDS = 4
"""A secret that is shorter than this stands in every other word, too, and is hidden where it is a word."""
_OF_A_SECRET, _OF_A_TEXT = 5, 10
"""So many characters in a row of a secret, or of a text that was sent, are a part of it and no coincidence."""
_LONGEST = 640
"""Characters of somebody's words that are looked at."""
_LAYERS = 3
"""Encodings within one another that are taken off."""


class Private:
    """Secrets and sent texts, which nobody may read in the words of others that may echo them.

    Found as a whole and in part, in any case and spacing, with whatever signs between its letters and digits,
    percent-encoded, as HTML or JSON escape it, in base64 and in hexadecimal digits.

    :param secrets: of the account.
    :param sent: texts, addresses and numbers of the request.
    """

    def __init__(self, secrets: Iterable[str], sent: Iterable[str] = ()) -> None:
        self._words: set[str] = set()
        self._parts: dict[int, set[str]] = {}
        self._bare_parts: dict[int, set[str]] = {}
        for least, known in ((_OF_A_SECRET, secrets), (_OF_A_TEXT, sent)):
            for each in known:
                plain = _plain(each)[0]
                if least == _OF_A_SECRET and len(plain) < _WHOLE_WORDS:
                    self._words.add(each.strip())
                elif plain:
                    size = min(least, len(plain))
                    self._parts.setdefault(size, set()).update(_slices(plain, size))
                    self._bare_parts.setdefault(least, set()).update(_slices(_bare(each)[0], least))
        self._words.discard("")

    def redact(self, words: str) -> str:
        """Return the words, decoded, with an ellipsis for each thing that is private, and for what stands where a login
        stands (`Basic ZGVtbzpkZW1v`), whosesoever it is. Numbers stay.
        """
        whole = len(words) <= _LONGEST
        words = _decoded(words[: _LAYERS * _LONGEST])
        whole = whole and len(words) <= _LONGEST
        words = _RUN.sub(lambda run: "…" if self._is_within(run[0], _LAYERS) else run[0], words[:_LONGEST])
        hidden = [False] * len(words)
        for start, end in self._places(words):
            hidden[start:end] = [True] * (end - start)
        # What was cut at the end may be the beginning of something private.
        kept = len(words) if whole else max(len(words) - _OF_A_TEXT, 0)
        shown = "".join(
            character if not hidden[index] else "" if index and hidden[index - 1] else "…"
            for index, character in enumerate(words[:kept])
        )
        return _CREDENTIALS.sub(r"\1\2…", shown)

    def holds(self, words: str) -> bool:
        """Return True if anything private is in the words."""
        return self.redact(words) != _decoded(words)

    def _places(self, words: str) -> Iterator[tuple[int, int]]:
        for (plain, places), known in ((_plain(words), self._parts), (_bare(words), self._bare_parts)):
            for size, parts in known.items():
                for start, piece in enumerate(_slices(plain, size)):
                    if piece in parts:
                        yield places[start], places[start + size - 1] + 1
        for word in self._words:
            for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", words, flags=re.IGNORECASE):
                yield match.span()

    def _is_within(self, run: str, layers: int) -> bool:
        """Return True if these characters are an encoding of something private."""
        for read in _readings(run):
            words = _decoded(read)
            plain = "".join(words.lower().split()).replace("+", "")
            if any(not parts.isdisjoint(_slices(plain, size)) for size, parts in self._parts.items()):
                return True
            # What is read at a wrong place is no text, and has no encoding within it.
            inner = words if layers > 1 and words.isascii() and words.isprintable() else ""
            if any(self._is_within(each[0], layers - 1) for each in _RUN.finditer(inner)):
                return True
        return False


def _plain(text: str) -> tuple[str, list[int]]:
    """Return the text as it is compared, in lower case and without spaces (and without what stands for them in a URL),
    and where each of its characters was.
    """
    plain: list[str] = []
    places: list[int] = []
    for index, character in enumerate(text):
        for lower in character.lower():
            if not lower.isspace() and lower != "+":
                plain.append(lower)
                places.append(index)
    return "".join(plain), places


def _bare(text: str) -> tuple[str, list[int]]:
    """Return its letters and digits alone."""
    plain, places = _plain(text)
    kept = [(character, place) for character, place in zip(plain, places, strict=True) if character.isalnum()]
    return "".join(character for character, _ in kept), [place for _, place in kept]


def _slices(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(len(text) - size + 1))


_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_RUN = re.compile(r"[A-Za-z0-9+/_\-]{6,}={0,2}")
_FEWEST_READ = 3
"""Characters that somebody can have encoded; fewer are a coincidence."""


def _decoded(words: str) -> str:
    """Return the words without percent-encoding and without the escapes of HTML and JSON, also several times over."""
    for _ in range(_LAYERS):
        read = unquote(words, errors="replace")
        if "\ufffd" in read and "\ufffd" not in words:
            read = unquote(words, encoding="latin-1")
        read = html.unescape(read)
        if "\\" in read:
            read = _ESCAPED.sub(_character, read).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if read == words:
            break
        words = read
    return words


def _character(escape: re.Match[str]) -> str:
    if escape[3]:
        return " " if escape[3] in "nrtbf" else escape[3]
    return chr(int(escape[1] or escape[2], 16))


def _readings(run: str) -> Iterator[str]:
    """Yield the texts that base64, wherever it begins among these characters, and hexadecimal digits may say."""
    letters = run.rstrip("=").translate(_URL_SAFE)
    for start in range(4):
        part = letters[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        yield from _texts(base64.b64decode(part + "=" * (-len(part) % 4)))
    digits = re.sub("[^0-9a-fA-F]", "", run)
    for start in range(2):
        part = digits[start:]
        yield from _texts(bytes.fromhex(part[: len(part) - len(part) % 2]))


_URL_SAFE = str.maketrans("-_", "+/")


def _texts(read: bytes) -> Iterator[str]:
    for encoding in ("utf-8",) if read.isascii() else ("utf-8", "latin-1"):
        text = read.decode(encoding, "ignore")
        if len(text) >= _FEWEST_READ:
            yield text
