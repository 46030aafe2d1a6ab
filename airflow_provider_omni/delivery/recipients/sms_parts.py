"""An estimate of the parts of an SMS, which decide its price: GSM-7 with its extension table, else UCS-2.

The vendor decides: its `transliteration` and national tables (`language`) make texts shorter, and are not counted here.
"""

from __future__ import annotations

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Characters of the extension table, which take two septets each."""
_GSM = _BASIC | _EXTENDED

GSM_ALONE, GSM_PART = 160, 153
"""Septets in a single SMS, and in each part of a longer one."""
UCS2_ALONE, UCS2_PART = 70, 67
"""UTF-16 units in a single SMS, and in each part of a longer one."""


def is_gsm(text: str) -> bool:
    """Return True if GSM-7 has all characters of the text."""
    return _GSM.issuperset(text)


def sms_parts(text: str) -> int:
    """Return the number of parts. Escape sequences and surrogate pairs are not cut, so a part may be one unit short."""
    if is_gsm(text):
        units = len(text) + sum(map(text.count, _EXTENDED))
        if units <= GSM_ALONE:
            return 1
        return _pack((2 if character in _EXTENDED else 1 for character in text), GSM_PART)
    if len(text) + sum(character > "\uffff" for character in text) <= UCS2_ALONE:
        return 1
    return _pack((2 if character > "\uffff" else 1 for character in text), UCS2_PART)


def _pack(sizes: Iterable[int], room: int) -> int:
    parts, used = 1, 0
    for size in sizes:
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    return parts
