"""How many parts an SMS takes, which is what it costs: GSM-7 with its extension table, else UCS-2. An estimate.

The vendor decides: its `transliteration` and national tables (`language`) make texts shorter, and are not counted here.
"""

from __future__ import annotations

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Characters of the extension table: an escape and a second septet."""
_GSM = _BASIC | _EXTENDED

GSM_ALONE, GSM_PART = 160, 153
"""Septets in an SMS that stands alone, and in a part of a longer one."""
UCS2_ALONE, UCS2_PART = 70, 67
"""The same in UTF-16 units."""


def is_gsm(text: str) -> bool:
    """Whether GSM-7 can say it."""
    return _GSM.issuperset(text)


def sms_parts(text: str) -> int:
    """The number of parts. Neither an escape sequence nor a surrogate pair is cut in two, so parts may be one short."""
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
