"""Counts in sentences, for logs and errors."""

from __future__ import annotations


def some(count: int, noun: str, plural: str = "") -> str:
    """Return a count in a sentence: `1 row`, `2,000 rows`.

    :param plural: the noun's, where it is not made with an s.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def was(count: int) -> str:
    """Return the verb after so many: `1 message was`, `2 messages were`."""
    return "was" if count == 1 else "were"


def are(count: int) -> str:
    """Return the verb after so many: `1 is left`, `2 are left`."""
    return "is" if count == 1 else "are"
