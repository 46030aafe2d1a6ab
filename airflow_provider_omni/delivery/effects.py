"""What the machines of `delivery/` ask for: API calls, reads and writes of memory, pauses.

A machine is a generator. It yields one of the effects below, and gets the result sent back in, or an
`OmniError` thrown into it. It does no I/O and knows no clock but the one
that it is given. So workers (`drivers.run`) and triggerers (`drivers.arun`) share every decision, and the crash
harness can end a machine before, in the middle of and after each effect, which is where processes die.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniError

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
T = TypeVar("T")

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch. Wall-clock time, since a machine's deadlines outlive its process."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Execute an API call. Result: what the call's parser makes of the answer.

    `patience`: for calls that count against the account's budget of log calls (120 a minute, shared in the process):
    how many seconds to wait for a free place before `OmniBusyError` is thrown in. `None`: no budget applies.
    """

    call: Call[Any]
    patience: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Read what this try, an earlier one or another copy of the trigger saved under `key`. Result: JSON or None."""

    key: str


@dataclass(frozen=True, slots=True)
class Save:
    """Write `value` under `key`, durably. Nothing that follows happens unless the write succeeded.

    `OmniStorageError` is thrown in when it did not, or when it cannot be known.
    """

    key: str
    value: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Publish:
    """Make a receipt visible (XCom) so that what was paid for can be followed even if the task dies right after.

    `OmniStorageError` is thrown in when that failed, or when it cannot be known.
    """

    receipt: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the task log. Ids and counts only: never a number, a text or a secret."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Write a new part into the ledger's folder, whole or not at all. `OmniStorageError` as for `Save`.

    `data` makes the bytes, in the thread that writes them.
    """

    name: str
    data: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read a part of the ledger's folder. Result: its bytes."""

    name: str


@dataclass(frozen=True, slots=True)
class ListParts:
    """Names of the parts under a prefix of the ledger's folder, sorted. Sees everything that was written before it."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Compute:
    """Call a function that needs long and touches nothing outside the machine. Result: what it returns.

    In a thread where an event loop must not be held up meanwhile.
    """

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Submit:
    """Start effects, one after the other, beside what is under way; the first error ends them. Result: None, at once.

    Only `Ask`, `Save`, `Put`, `Fetch` and `ListParts` can be submitted.
    """

    tag: int
    effects: tuple[Ask | Save | Put | Fetch | ListParts, ...]


@dataclass(frozen=True, slots=True)
class Gather:
    """Wait until something that was submitted has ended. Result: a list of `Done`, at least one."""


class Done(NamedTuple):
    """How submitted effects ended: the result of each, or the error that ended them."""

    tag: int
    results: tuple[Any, ...]
    error: OmniError | None = None


Effect: TypeAlias = Ask | Load | Save | Publish | Pause | Note | Put | Fetch | ListParts | Compute | Submit | Gather
Steps: TypeAlias = Generator[Effect, Any, T]


class Memory(Protocol):
    """Where a worker keeps things. See `storage/` for those of Airflow; the crash harness has its own."""

    durable: bool
    """Whether a later try can read what this one wrote. Without it the machines ask the logs instead."""

    def load(self, key: str) -> Json:
        """Return what was saved under `key`, else None."""
        ...

    def save(self, key: str, value: Json) -> None:
        """Write `value`; return only when it is safe. Raises `OmniStorageError`."""
        ...


class Folder(Protocol):
    """Where a ledger lives: a folder of parts that are written once. See `ledger/folders.py` and `storage/`."""

    def list(self, prefix: str) -> list[str]:
        """Names of the parts that start with `prefix` (a folder's name and a slash), sorted; never a cached
        answer.
        """
        ...

    def read(self, name: str) -> bytes:
        """A part's bytes. Raises `OmniStorageError`, also when there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a part, whole or not at all; return only when it is safe. Raises `OmniStorageError`."""
        ...

    def delete(self, name: str) -> None:
        """Remove a part, if it is there. Raises `OmniStorageError`."""
        ...


class AsyncMemory(Protocol):
    """The same for a triggerer."""

    durable: bool

    async def load(self, key: str) -> Json:
        """Return what was saved under `key`, else None."""
        ...

    async def save(self, key: str, value: Json) -> None:
        """Write `value`; return only when it is safe. Raises `OmniStorageError`."""
        ...
