"""A text as the SMS of which it is made: the parts in which the handset gets it."""

from __future__ import annotations

from dataclasses import dataclass

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters of GSM 03.38 that take one of its units."""
GSM_TWO = frozenset("\f^{}\\[~]|€")
"""Those that take two."""
GSM_PART, GSM_PARTS, UCS_PART, UCS_PARTS = 160, 153, 70, 67


@dataclass(frozen=True)
class SmsParts:
    """A text, cut into SMS. `alphabet`: GSM-7 or UCS-2. `units`: of all parts, as they are charged."""

    alphabet: str
    units: int
    parts: tuple[str, ...]


def cut(text: str) -> SmsParts:
    """Cut a text into SMS. A character that takes two units is never cut in two."""
    gsm = all(sign in GSM or sign in GSM_TWO for sign in text)
    sizes = [(2 if sign in GSM_TWO else 1) if gsm else (2 if ord(sign) > 0xFFFF else 1) for sign in text]
    units = sum(sizes)
    alphabet, one, many = ("GSM-7", GSM_PART, GSM_PARTS) if gsm else ("UCS-2", UCS_PART, UCS_PARTS)
    if units <= one:
        return SmsParts(alphabet, units, (text,))
    parts: list[str] = []
    begin, filled = 0, 0
    for position, size in enumerate(sizes):
        if filled + size > many:
            parts.append(text[begin:position])
            begin, filled = position, 0
        filled += size
    return SmsParts(alphabet, units, (*parts, text[begin:]))
