"""Whether a ledger still holds all that was written into it, and whose it is. Pure.

Whoever removes parts by their age (a bucket's life-cycle rule, somebody who tidies up) removes the oldest first: then
what is left looks like the ledger of a send that did less than it did. So does what a restore has brought back that
stopped half-way.

So each part of `sent/` says how many lines it has, and which parts of `sent/` stood when it was put together: its
own try's, and those that the try has found. When a try ends it says so once more, in `ends/`, of all. A part that is
claimed like that was written, and what it was about has been posted: if it is gone or cut short, nothing is sent. One
that is cut short and that nobody claims was never finished, and nothing was posted by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_omni.delivery.ledger.parts import SENT, TryId, damaged, sequence_of, unpack
from airflow_provider_omni.omni.errors import OmniStorageError

PARTS = "parts"
"""The member of a header, or of what a try says at its end, that names parts."""


class Standing:
    """Which parts of `sent/` stand, and which are said to."""

    def __init__(self) -> None:
        self._stands: dict[str, set[int]] = {}
        self._claimed: dict[str, set[int]] = {}

    def stands(self, name: str) -> None:
        """A part was read whole, or was written for certain."""
        if (sequence := sequence_of(name)) is not None:
            self._stands.setdefault(str(TryId.of(name)), set()).add(sequence)

    @property
    def count(self) -> int:
        """How many stand."""
        return sum(map(len, self._stands.values()))

    def claim(self, line: Any) -> None:
        """Take in what a line says of other parts. Raises OmniStorageError for one that cannot be understood."""
        try:
            for writer, ranges in (line.get(PARTS) or {}).items():
                for first, last in ranges:
                    self._claimed.setdefault(writer, set()).update(range(first, last + 1))
        except (AttributeError, TypeError, ValueError):
            raise damaged(SENT) from None

    def claim_part(self, name: str) -> None:
        """Somebody says that a part stands."""
        if (sequence := sequence_of(name)) is not None:
            self._claimed.setdefault(str(TryId.of(name)), set()).add(sequence)

    def to_json(self) -> dict[str, list[list[int]]]:
        """What stands, by try, as ranges of numbers."""
        return {writer: _ranges(numbers) for writer, numbers in sorted(self._stands.items())}

    def missing(self) -> list[str]:
        """Names of the parts that are said to stand and do not."""
        return [
            f"{SENT}{writer}-{number:06d}"
            for writer, numbers in sorted(self._claimed.items())
            for number in sorted(numbers - self._stands.get(writer, set()))
        ]

    def check(self, after: str, *, retryable: bool) -> None:
        """Raise OmniStorageError where one is missing.

        :param after: a sentence on what that means for the caller.
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


def whole_lines(data: bytes, name: str, standing: Standing) -> Iterator[Any]:
    """The lines of a part of `sent/`; none of one that was never finished. Takes note of what it says, and that it
    stands.

    Raises OmniStorageError for one that holds less than it says, or cannot be read.
    """
    expected: Any = None
    count = -1
    for count, line in enumerate(unpack(data, name)):
        if not count and isinstance(line, dict):
            expected = line.get("lines")
            standing.claim(line)
        yield line
    if count < 0:
        return
    if expected is not None and expected != count:
        raise damaged(name)
    standing.stands(name)


def check_integrity(tries: Iterable[str], sent: Iterable[str], others: Iterable[str] = ()) -> None:
    """Refuse a ledger from which the files of tries are gone: what these have sent may be gone, too.

    Each try writes its file before anything else, with a generation one above all that it sees. So generations have no
    gap, and nothing was sent by a try that has no file.

    :param tries: names of the parts in `tries/`, listed after `sent`.
    :param others: of `plan/`, `quarantine/` and `ends/`, which a try writes into after it has written its file,
        and of `outcomes/`, which a wait writes into after there was a try.

    Raises OmniStorageError.
    """
    known = {each for each in map(TryId.of, tries) if each is not None}
    there = {each.generation for each in known}
    gone = set(range(1, max(there, default=0) + 1)) - there
    written = [each for each in map(TryId.of, (*sent, *others)) if each is not None]
    gone |= {each.generation for each in written if each.generation and each not in known}
    if written and not known:
        gone.add(1)
    if gone:
        raise OmniStorageError(
            f"Parts of the ledger are gone: tries/ has no file of try {min(gone)}. Nothing was sent: what that try has "
            "sent may not be known any more. Restore the parts (a bucket's life-cycle rule may have removed them), or, "
            "if everybody may be sent to anew, use another idempotency_key and ledger_path.",
            retryable=False,
        )


def owner_of(data: bytes, name: str) -> str | None:
    """The send that a part of `tries/` says the ledger belongs to; None for one that was never finished.

    Raises OmniStorageError for a part that is damaged.
    """
    return next((str(line.get("send")) for line in unpack(data, name)), None)


def key_field_of(data: bytes, name: str) -> str | None:
    """What told recipients apart in the try that wrote this part of `tries/`; None for their numbers."""
    found = next((line.get("key_field") for line in unpack(data, name)), None)
    return None if found is None else str(found)
