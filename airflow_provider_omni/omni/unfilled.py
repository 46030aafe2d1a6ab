"""Arguments that come out empty: a template has found nothing, or a task has pushed nothing."""

from __future__ import annotations

from typing import Any

NOTHING = frozenset({"", "none", "null", "nan", "nat", "<na>", "undefined"})
"""Texts to which a template renders that found nothing, in lower case."""
WHY_EMPTY = (
    "If it comes from another task: that one returned None, or it pushed nothing, because it was skipped, was marked "
    "successful by hand, or ended too early. Look at its XCom, mend it or clear it, and then clear this task."
)
"""Reasons for which an argument comes out empty that was given."""


def is_nothing(value: Any) -> bool:
    """Return True for None, and for a text to which a template renders that found nothing."""
    return value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)


def empty_words(value: Any) -> str:
    """Describe a value that `is_nothing`: it was given, and came out empty."""
    if not isinstance(value, str):
        return "nothing"
    said = value.strip()
    return f"{said!r} (a template that found nothing?)" if said else "an empty text (a template that found nothing?)"


def is_template(text: str) -> bool:
    """Return True if a text has a mark of a template, which Airflow renders."""
    return any(mark in text for mark in ("{{", "{%", "{#"))
