"""Lines about wrong arguments. All have one form, `name: got X, expected Y`, which people learn to read once."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNKNOWN = re.compile(r"[^:]*: (?:got an )?unknown ")


def unexpected(name: str, got: str | float, expected: str) -> str:
    """Return the line about an argument that has another value than it may have.

    :param name: the argument, as the caller knows it: `sms.text`. Empty if the name is added elsewhere.
    :param got: a number, or words for the value that anybody may read, such as those of `masking.describe`: of a phone
        number, a text or a secret they give kind and size only.
    :param expected: the values that it may have; after a semicolon or a full stop, what else helps.
    """
    line = f"got {got}, expected {expected}"
    return f"{name}: {line}" if name else line


def unknown(name: str, known: Iterable[str], kind: str = "name") -> str:
    """Return the line about a name that does not exist, with those that do."""
    return unexpected(name, f"an unknown {kind}", f"one of {', '.join(known)}")


def is_about_a_name(line: str) -> bool:
    """Return True for a line about a name that does not exist: no value mends that."""
    return _UNKNOWN.match(line) is not None


def with_other_value(line: str, got: str) -> str:
    """Return a line of `unexpected` with other words for the value: it must not be shown there. Other lines stay."""
    name, found, rest = line.partition(": got ")
    return unexpected(name, got, rest.rpartition(", expected ")[2]) if found else line
