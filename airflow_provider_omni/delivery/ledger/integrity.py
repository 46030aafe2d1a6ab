"""Checks that a ledger still holds all that was written into it, and tells its owner. Pure.

Whoever removes parts by their age (a bucket's life-cycle rule, somebody who tidies up) removes the oldest first. The
rest then looks like the ledger of a send that did less than it did. So does a ledger whose restore stopped half-way.

So each part of `sent/` says how many lines it has, and which parts of `sent/` stood when it was put together: its own
try's, and those that the try had found. When a try ends it says so of all parts once more, in `ends/`.

A part that is claimed like that was written, and its messages have been posted. If it is gone or cut short, nothing is
sent. A part that is cut short and that nobody claims was never finished, and nothing was posted by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_omni.delivery.ledger.parts import SENT, TryId, damaged, sequence_of, unpack
from airflow_provider_omni.omni.errors import OmniStorageError

PARTS = "parts"
"""The member that names parts, in a header and in the last word of a try."""


class Inventory:
    """The parts of `sent/` that stand, and those that are said to stand."""

    def __init__(self) -> None:
        self._stands: dict[str, set[int]] = {}
        self._claimed: dict[str, set[int]] = {}

    def stands(self, name: str) -> None:
        """Note that a part was read whole, or was written for certain."""
        if (sequence := sequence_of(name)) is not None:
            self._stands.setdefault(str(TryId.of(name)), set()).add(sequence)

    @property
    def count(self) -> int:
        """The number of parts that stand."""
        return sum(map(len, self._stands.values()))

    def claim(self, line: Any) -> None:
        """Note the parts that a line says stand. Raises OmniStorageError for a line that cannot be understood."""
        try:
            for writer, ranges in (line.get(PARTS) or {}).items():
                for first, last in ranges:
                    self._claimed.setdefault(writer, set()).update(range(first, last + 1))
        except (AttributeError, TypeError, ValueError):
            raise damaged(SENT) from None

    def claim_part(self, name: str) -> None:
        """Note that somebody says that a part stands."""
        if (sequence := sequence_of(name)) is not None:
            self._claimed.setdefault(str(TryId.of(name)), set()).add(sequence)

    def to_json(self) -> dict[str, list[list[int]]]:
        """Return the parts that stand, by try, as ranges of numbers."""
        return {writer: _ranges(numbers) for writer, numbers in sorted(self._stands.items())}

    def missing(self) -> list[str]:
        """Return the names of the parts that are said to stand and do not."""
        return [
            f"{SENT}{writer}-{number:06d}"
            for writer, numbers in sorted(self._claimed.items())
            for number in sorted(numbers - self._stands.get(writer, set()))
        ]

    def check(self, after: str, *, retryable: bool) -> None:
        """Raise OmniStorageError if a part is missing.

        :param after: a sentence on the consequence for the caller.
        :param retryable: whether a retry may find the part.
        """
        if missing := self.missing():
            others = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise OmniStorageError(
                f"Parts of the ledger are missing or cut short: {missing[0]}{others}, of which later ones say that "
                f"they were there. {after} Restore the parts (a restore may have stopped half-way).",
                retryable=retryable,
            )


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def whole_lines(data: bytes, name: str, inventory: Inventory) -> Iterator[Any]:
    """Yield the lines of a part of `sent/`; none of a part that was never finished.

    `inventory` takes note of the part, and of the parts that it claims.

    Raises OmniStorageError for a part that holds less than it says, or cannot be read.
    """
    expected: Any = None
    count = -1
    for count, line in enumerate(unpack(data, name)):
        if not count and isinstance(line, dict):
            expected = line.get("lines")
            inventory.claim(line)
        yield line
    if count < 0:
        return
    if expected is not None and expected != count:
        raise damaged(name)
    inventory.stands(name)


def gone_tries(tries: Iterable[str], sent: Iterable[str], others: Iterable[str] = ()) -> set[int]:
    """Return the generations of tries whose files are gone; empty for a ledger that is whole.

    Each try writes its file before anything else, with a generation one above all that it sees. So generations have no
    gap, and nothing was sent by a try that has no file.

    :param tries: names of the parts in `tries/`, listed after `sent`.
    :param sent: names of the parts in `sent/`.
    :param others: names of the parts in `plan/`, `quarantine/` and `ends/`, which a try writes after its file, and in
        `outcomes/`, which a wait writes after there was a try.
    """
    known = {each for each in map(TryId.of, tries) if each is not None}
    there = {each.generation for each in known}
    gone = set(range(1, max(there, default=0) + 1)) - there
    written = [each for each in map(TryId.of, (*sent, *others)) if each is not None]
    gone |= {each.generation for each in written if each.generation and each not in known}
    if written and not known:
        gone.add(1)
    return gone


def check_integrity(tries: Iterable[str], sent: Iterable[str], others: Iterable[str] = ()) -> None:
    """Refuse a ledger from which the files of tries are gone: what these tries have sent may be gone, too.

    The arguments are those of `gone_tries`.

    Raises OmniStorageError.
    """
    if gone := gone_tries(tries, sent, others):
        raise OmniStorageError(
            f"Parts of the ledger are gone: tries/ has no file of try {min(gone)}. Nothing was sent: what that try has "
            "sent may not be known any more. Restore the parts (a bucket's life-cycle rule may have removed them), or, "
            "if everybody may be sent to anew, use another idempotency_key and ledger_path.",
            retryable=False,
        )


def send_of(data: bytes, name: str) -> str | None:
    """Return the send that a part of `tries/` names as the ledger's; None for a part that was never finished.

    Raises OmniStorageError for a part that is damaged.
    """
    return next((str(line.get("send")) for line in unpack(data, name)), None)


def key_field_of(data: bytes, name: str) -> str | None:
    """Return the field that told recipients apart in the try that wrote this part of `tries/`; None for their
    numbers.
    """
    found = next((line.get("key_field") for line in unpack(data, name)), None)
    return None if found is None else str(found)
