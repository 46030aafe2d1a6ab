"""Hiding phone numbers, addresses and secrets in text that a person or a log will see.

Nothing here knows what a valid number is (`delivery/numbers.py` does): anything that could be one is hidden.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

SHOWN = frozenset(
    {
        "type", "channel", "validityPeriod", "validityPeriodTimeUnit", "duration", "transliteration", "languageCode",
        "isPromotional", "default", "notify", "notifyContentType", "intermediateReport",
    }
)  # fmt: skip
"""Members of contents and options whose value holds nothing personal, so that it may be shown."""

_DIGITS = re.compile(r"\d{6,}")
_SEPARATED = re.compile(r"(?<![0-9A-Za-z])\+?\d(?:[\s().\-/]{0,2}\d){6,}(?![0-9A-Za-z])")
_EMAIL = re.compile(r"[^\s@<>\"']{1,100}@[^\s@<>\"']{1,100}")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?")


def mask_number(number: str) -> str:
    """`41793026726` becomes `4179…726`: the first four digits and the last three; short ones show less, never all."""
    digits = "".join(character for character in number if character.isdigit())
    if len(digits) >= 10:
        return f"{digits[:4]}…{digits[-3:]}"
    return f"{digits[:2]}…{digits[-1:]}" if len(digits) >= 6 else "…"


def mask_numbers_in(text: str) -> str:
    """Free text with every e-mail address and every run of six or more digits masked, also `+41 79 302 67 27`.

    Meant for what the vendor wrote: it may echo numbers. ISO dates are left alone.
    """
    hidden = _EMAIL.sub("…@…", text)
    hidden = _SEPARATED.sub(
        lambda match: match[0] if _ISO_TIME.fullmatch(match[0]) else mask_number(match[0]),
        hidden,
    )
    return _DIGITS.sub(lambda match: mask_number(match[0]), hidden)


_CREDENTIALS = re.compile(r"(?i)\b(basic|app|bearer|digest)(\s+)(?=[\w+/=.~\-]*[\d=+/_.~\-])[\w+/=.~\-]{6,}")
_WHOLE_WORDS = 4
"""A secret that is shorter than this stands in every other word, too, and is hidden where it is a word."""


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Free text without these secrets, in any case, also as HTML writes them; and without what stands where a login
    stands (``Basic ZGVtbzpkZW1v``), whosesoever it is.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, html.escape(secret), html.escape(secret, quote=False)}:
            pattern = re.escape(form)
            if len(form) < _WHOLE_WORDS:
                pattern = rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(pattern, "…", text, flags=re.IGNORECASE)
    return _CREDENTIALS.sub(r"\1\2…", text)
