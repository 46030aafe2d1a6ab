"""The effects that machines of `delivery/` ask for: API calls, reads and writes of memory, pauses.

A machine is a generator. It yields one of the effects below and gets the result sent back in, or an `OmniError` thrown
into it. It does no I/O and knows no clock but the one that it is given.

So workers (`drivers.run`) and triggerers (`drivers.arun`) share every decision. The crash harness can end a machine
before, in the middle of and after each effect, which is where processes die.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from airflow_provider_omni.delivery.metrics import Measurement
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniError

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
T = TypeVar("T")

Clock: TypeAlias = Callable[[], float]
"""Returns seconds since the epoch: wall-clock time, since a machine's deadlines outlive its process."""

Label: TypeAlias = Literal[
    "",
    "record read",
    "taken over",
    "plan written",
    "intent written",
    "fence checked",
    "receipt published",
    "POST",
    "outcome written",
    "logs asked",
    "last receipt published",
    "end written",
    "journal read",
    "reports read",
    "journal written",
    "singles marked",
]
"""Moments in the life of a send or a wait by which the crash harness names where a process dies, in their order. They
change nothing. tests/crash/__init__.py says what each is.
"""


@dataclass(frozen=True, slots=True)
class CallApi:
    """Execute an API call. Result: the answer, as the call's parser reads it.

    :param patience: for calls that count against the account's budget of log calls (120 a minute, shared in the
        process): seconds to wait for a free place before OmniBusyError is thrown in. None: no budget applies.
    """

    call: Call[Any]
    patience: float | None = None
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Load:
    """Read the value that this try, an earlier one or another copy of the trigger saved under `key`. Result: JSON or
    None.
    """

    key: str
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Save:
    """Write `value` under `key`, durably. Nothing that follows happens unless the write succeeded.

    OmniStorageError is thrown in if it failed, or if that cannot be known.
    """

    key: str
    value: Json = field(repr=False)
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Publish:
    """Make a receipt visible (XCom), so that paid messages can be followed even if the task dies right after.

    OmniStorageError is thrown in if that failed, or if it cannot be known.
    """

    receipt: dict[str, Any] = field(repr=False)
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the task log, with ids and counts only: never a number, a text or a secret."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Show progress to whoever looks at the task: a delivery report (`messages/delivery_report.py`). Result: None.

    It never fails and holds nothing up: a report that cannot be shown is dropped.
    """

    value: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Measure:
    """Add to the metrics of whoever runs the machine (`metrics.py`). Result: None.

    It never fails and holds nothing up.
    """

    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class WritePart:
    """Write a new part into the ledger's folder, whole or not at all.

    OmniStorageError is thrown in if it failed, or if that cannot be known.

    :param data: makes the bytes, in the thread that writes them.
    """

    name: str
    data: Callable[[], bytes] = field(repr=False)
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ReadPart:
    """Read a part of the ledger's folder. Result: its bytes."""

    name: str
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListParts:
    """List the names of the parts under a prefix of the ledger's folder, sorted. Sees everything that was written
    before it.
    """

    prefix: str
    label: Label = field(default="", kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Offload:
    """Call a function that takes long and touches nothing outside the machine. Result: the function's.

    It runs in a thread where an event loop must not be held up.
    """

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Submit:
    """Start effects, one after the other, beside those under way. The first error ends them. Result: None, at once.

    Only `CallApi`, `Save`, `WritePart`, `ReadPart` and `ListParts` can be submitted.

    :param tag: a number by which `Done` names them.
    """

    tag: int
    effects: tuple[CallApi | Save | WritePart | ReadPart | ListParts, ...]


@dataclass(frozen=True, slots=True)
class Gather:
    """Wait until something that was submitted has ended. Result: a list of `Done`, at least one."""


class Done(NamedTuple):
    """The end of submitted effects: the result of each, or the error that ended them."""

    tag: int
    results: tuple[Any, ...]
    error: OmniError | None = None


Effect: TypeAlias = (
    CallApi
    | Load
    | Save
    | Publish
    | Sleep
    | Log
    | Report
    | Measure
    | WritePart
    | ReadPart
    | ListParts
    | Offload
    | Submit
    | Gather
)
Steps: TypeAlias = Generator[Effect, Any, T]


def call_api(call: Call[T], *, patience: float | None = None, label: Label = "") -> Steps[T]:
    """Execute an API call, as `CallApi` says, and return its answer.

    Its type is known here, unlike that of a bare `yield`.
    """
    answer: T = yield CallApi(call, patience, label=label)
    return answer


def load(key: str, *, label: Label = "") -> Steps[Json]:
    """Return what is stored under a key, as `Load` says."""
    value: Json = yield Load(key, label=label)
    return value


def read_part(name: str) -> Steps[bytes]:
    """Return the content of a part of the ledger, as `ReadPart` says."""
    data: bytes = yield ReadPart(name)
    return data


def list_parts(prefix: str, *, label: Label = "") -> Steps[list[str]]:
    """Return the names of the parts under a prefix, as `ListParts` says."""
    names: list[str] = yield ListParts(prefix, label=label)
    return names


def offload(function: Callable[[], T]) -> Steps[T]:
    """Return what a long computation returns, as `Offload` says."""
    value: T = yield Offload(function)
    return value


class Memory(Protocol):
    """A worker's store for JSON by key. `storage/` has those of Airflow; the crash harness has its own."""

    durable: bool
    """True if a later try can read what this one wrote. Otherwise the machines ask the logs instead."""

    def load(self, key: str) -> Json:
        """Return the value saved under `key`, else None."""
        ...

    def save(self, key: str, value: Json) -> None:
        """Write `value`. Returns only when it is safe. Raises OmniStorageError."""
        ...


class Folder(Protocol):
    """A ledger's folder of parts, each written once. See `ledger/folders.py` and `storage/`."""

    def list(self, prefix: str) -> list[str]:
        """Return the names of the parts that begin with `prefix` (a folder's name and a slash), sorted. Never a cached
        answer.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return a part's bytes. Raises OmniStorageError, also if there is no such part."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a part, whole or not at all. Returns only when it is safe. Raises OmniStorageError."""
        ...

    def delete(self, name: str) -> None:
        """Remove a part, if it is there. Raises OmniStorageError."""
        ...


class AsyncMemory(Protocol):
    """A triggerer's store for JSON by key: `Memory` with coroutines."""

    durable: bool

    async def load(self, key: str) -> Json:
        """Return the value saved under `key`, else None."""
        ...

    async def save(self, key: str, value: Json) -> None:
        """Write `value`. Returns only when it is safe. Raises OmniStorageError."""
        ...
