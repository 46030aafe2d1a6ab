"""The suppression list of a batch: people who must not be sent to, by number or by the hash of their number.

It is read whole before the recipients are, and stands in the workspace, so that a million entries need no memory. It is
a guard, and a guard fails closed: an entry that is neither a number nor a hash refuses the send, since it may be
somebody who does not want to be sent to.

People on it stay apart from the people of the send. What an earlier try has sent to them stays sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.numbers import InvalidNumberError, NumberRules, normalise, normaliser
from airflow_provider_omni.delivery.recipients.sources import Row
from airflow_provider_omni.omni.errors import OmniError, OmniInputError, OmniStorageError
from airflow_provider_omni.omni.nothing import is_nothing
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some

SUPPRESSED = "on the suppression list"
"""The reason under which a ledger's quarantine has them. They are not counted as quarantined."""
UNUSABLE = "Nothing was sent: the suppression list cannot be used."
ENTRY = "a phone number, or the SHA-256 of one in hexadecimal digits"
_AT_ONCE = 2000
"""Entries that are written to the workspace at once."""
_EXAMPLES = 5
"""Entries that are named in an error."""
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_ANY = NumberRules(check="possible")
"""The rules for an entry that names its country. Whether the number is in use makes no difference: it is kept out."""
_OTHER_ENCODING = re.compile(r"; (?:give|going by|if it is not damaged|leave out).*", re.DOTALL)


class Suppression:
    """A list that was read, in its workspace.

    :param numbers: entries that are numbers.
    :param hashes: entries that are hashes.
    """

    def __init__(self, workspace: Workspace, numbers: int, hashes: int) -> None:
        self._workspace = workspace
        self.numbers = numbers
        self.hashes = hashes

    def holds(self, digits: str) -> bool:
        """Return True if a normalised number is on the list."""
        scalar = self._workspace.scalar
        if not digits.isdecimal():
            return False
        if self.numbers and scalar("SELECT 1 FROM listed_number WHERE number = ?", int(digits)) is not None:
            return True
        return bool(self.hashes) and (
            scalar("SELECT 1 FROM listed_hash WHERE hash IN (?, ?)", _hash(digits), _hash(f"+{digits}")) is not None
        )


def read_suppression(entries: Iterable[Row], workspace: Workspace, rules: NumberRules) -> Suppression:
    """Read a whole list into the workspace. Blank entries are nobody.

    :param entries: rows whose number is a number or a hash; or an only field, whatever its name.
    :param rules: rules by which the send reads its own numbers.

    Raises OmniInputError with the first entries that are neither, without their values.
    """
    workspace.execute("CREATE TABLE listed_number (number INTEGER NOT NULL)")
    workspace.execute("CREATE TABLE listed_hash (hash BLOB NOT NULL)")
    numbers: list[tuple[int]] = []
    hashes: list[tuple[bytes]] = []
    found: Counter[str] = Counter()
    bad: list[str] = []
    for row in entries:
        try:
            entry = _entry_of(row)
            if entry is None:
                continue
            if isinstance(entry, bytes):
                hashes.append((entry,))
                found["hashes"] += 1
            else:
                numbers.append((int(_digits_of(entry, rules)),))
                found["numbers"] += 1
        except (InvalidNumberError, ValueError) as error:
            found["bad"] += 1
            if len(bad) < _EXAMPLES:
                bad.append(f"suppress: entry {row.place}: {error}")
        if len(numbers) + len(hashes) >= _AT_ONCE:
            _insert(workspace, numbers, hashes)
    if count := found["bad"]:
        line = unexpected("suppress", f"{some(count, 'entry', 'entries')} that cannot be read", f"{ENTRY} in each")
        raise OmniInputError(
            UNUSABLE,
            problems=(f"{line}. Each may be somebody who must not be sent to; the first follow", *bad),
        )
    _insert(workspace, numbers, hashes)
    workspace.execute("CREATE INDEX listed_number_number ON listed_number (number)")
    workspace.execute("CREATE INDEX listed_hash_hash ON listed_hash (hash)")
    return Suppression(workspace, found["numbers"], found["hashes"])


def _entry_of(row: Row) -> Any:
    """Return the entry of a row: 32 bytes for a hash, None for nobody, else what may be a number. Raises ValueError for
    a row without one.
    """
    entry = row.number
    if entry is None and row.fields is not None and len(row.fields) == 1:
        (entry,) = row.fields.values()
        if entry is None:
            return None
    elif row.problem is not None and not (entry is None and row.problem.endswith(" is empty")):
        raise ValueError(row.problem)
    if is_nothing(entry):
        return None
    if isinstance(entry, bytes | bytearray | memoryview):
        data = bytes(entry)
        if len(data) == hashlib.sha256().digest_size:
            return data
        raise ValueError(f"got {some(len(data), 'byte')}, expected {ENTRY}")
    if isinstance(entry, str) and _HASH.fullmatch(entry.strip()):
        return bytes.fromhex(entry.strip())
    return entry


def _digits_of(entry: Any, rules: NumberRules) -> str:
    """Return the digits of a number on the list, read as the send reads its own numbers. One that is not valid there
    is taken as it is written if it names its country.
    """
    try:
        return normaliser(rules)(entry)
    except InvalidNumberError:
        if rules.region is not None and not str(entry).lstrip().startswith("+"):
            raise
        return normalise(entry, _ANY)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _insert(workspace: Workspace, numbers: list[tuple[int]], hashes: list[tuple[bytes]]) -> None:
    workspace.executemany("INSERT INTO listed_number (number) VALUES (?)", numbers)
    workspace.executemany("INSERT INTO listed_hash (hash) VALUES (?)", hashes)
    numbers.clear()
    hashes.clear()


@contextlib.contextmanager
def reading_the_list() -> Iterator[None]:
    """Have the errors of readers of recipients, and of queries, speak of the list instead."""
    try:
        yield
    except OmniInputError as error:
        problems = tuple(map(_about_the_list, error.problems))
        failure: OmniError = OmniInputError(UNUSABLE, problems=problems, retryable=error.retryable)
        cause = error.__cause__
    except OmniStorageError as error:
        message = error.message.replace("file of recipients", "suppression list").replace("query", "list's query")
        problems = tuple(map(_about_the_list, error.problems))
        failure = OmniStorageError(message, problems=problems, retryable=error.retryable)
        cause = error.__cause__
    else:
        return
    # Not from the error itself: it speaks of recipients, and would stand in the task log before this one.
    raise failure from cause


def _about_the_list(problem: str) -> str:
    name, colon, rest = problem.partition(": ")
    if name not in ("recipients", "sql", "phone_field") or not colon:
        return problem
    if name == "phone_field":
        return f"suppress: its column {rest}; a list of one column may call it what it likes"
    return f"suppress: {_OTHER_ENCODING.sub('; save the file as UTF-8', rest)}"
