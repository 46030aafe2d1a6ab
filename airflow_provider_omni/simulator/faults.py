"""Faults: what can go wrong with a call, as a table, and the plan of what will. `response_faults.py` carries them out.

A fault is matched by call, fires a number of times (or with a seeded probability), and is then used up.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.simulator.wire import WireRequest

CALLS = ("create_scenario", "list_scenarios", "get_scenario", "update_scenario", "send", "reports", "logs")
ANY_CALL = "any"
SHORTEST = 0.001
LARGEST = {
    "seconds": 1_000_000,
    "retry_after": 1_000_000,
    "mebibytes": 256,
    "count": 1_000_000,
    "times": 1_000_000_000,
    "skip": 1_000_000_000,
    "seed": 2**64,
}
"""Above every number of a fault: a slip must not stop the simulator, or fill its machine."""


class Phase(enum.Enum):
    """Moment at which a fault strikes."""

    BESIDE = "beside"
    """The call goes on; something else happens too."""
    BEFORE = "before"
    """Instead of the call's effect: nothing was sent, nothing was read."""
    AFTER = "after"
    """The effect has happened; the answer suffers."""


@dataclass(frozen=True)
class FaultKind:
    """One row of the table in docs/simulator.md. `parameters`: which members of `Fault` it looks at."""

    name: str
    phase: Phase
    what: str
    parameters: tuple[str, ...] = ()


_KINDS = (
    FaultKind("latency", Phase.BESIDE, "the answer comes `seconds` later; the effect is immediate", ("seconds",)),
    FaultKind(
        "second-reader",
        Phase.BESIDE,
        "somebody else reads the account's reports just before the call; with `seconds`, every so many seconds instead",
        ("seconds",),
    ),
    FaultKind("throttle", Phase.BEFORE, "429, with Retry-After when `retry_after` is given", ("retry_after", "body")),
    FaultKind(
        "error-before", Phase.BEFORE, "answers `status` (503), without effect", ("status", "body", "retry_after")
    ),
    FaultKind("reset-before", Phase.BEFORE, "the connection is reset, without effect"),
    FaultKind("close-before", Phase.BEFORE, "the connection is closed without an answer, without effect"),
    FaultKind("hold-before", Phase.BEFORE, "nothing happens until released; then the effect, then the answer"),
    FaultKind("refuse-auth", Phase.BEFORE, "401, whatever the login", ("body",)),
    FaultKind("forbid", Phase.BEFORE, "403: signed in, but without the right", ("body",)),
    FaultKind("redirect", Phase.BEFORE, "302 to another path of this server"),
    FaultKind("error-after", Phase.AFTER, "the effect happens, the answer is `status` (500)", ("status", "body")),
    FaultKind("reset-after", Phase.AFTER, "the effect happens, then the connection is reset: the answer is lost"),
    FaultKind("close-after", Phase.AFTER, "the effect happens, then the connection is closed: the answer is lost"),
    FaultKind("hold-after", Phase.AFTER, "the effect happens; the answer is held back until released"),
    FaultKind(
        "truncated", Phase.AFTER, "a `fraction` (0.5) of the body arrives, less than Content-Length says", ("fraction",)
    ),
    FaultKind("unreadable", Phase.AFTER, "200 with a body that is not JSON"),
    FaultKind("empty", Phase.AFTER, "200 with an empty body"),
    FaultKind("wrong-shape", Phase.AFTER, "200 with JSON of another shape"),
    FaultKind("foreign-ids", Phase.AFTER, "every messageId in the answer is somebody else's"),
    FaultKind("missing-entries", Phase.AFTER, "the last `count` (1) entries of the answer are missing", ("count",)),
    FaultKind(
        "contradiction",
        Phase.AFTER,
        "the last `count` (1) entries come twice, the second time with the opposite status",
        ("count",),
    ),
    FaultKind("huge", Phase.AFTER, "the body is padded to `mebibytes` (65)", ("mebibytes",)),
    FaultKind("drip", Phase.AFTER, "the answer comes in small pieces, `seconds` apart", ("seconds",)),
)
FAULT_KINDS: dict[str, FaultKind] = {kind.name: kind for kind in _KINDS}
"""Every kind of fault by name, in the order of the table."""


@dataclass(frozen=True)
class Fault:
    """A fault to come.

    `call`: one of `CALLS`, or `any`. `times`: how often it fires; None: for ever. `skip`: matching calls that pass
    first. `probability`: chance at each matching call, drawn from `seed`. `contains`: only requests with this text in
    query or body.
    The rest are parameters of the kind; see the table.
    """

    kind: str
    call: str = ANY_CALL
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    contains: str | None = None
    seconds: float = 0.0
    status: int | None = None
    retry_after: float | None = None
    body: str | None = None
    fraction: float = 0.5
    count: int = 1
    mebibytes: int = 65

    def __post_init__(self) -> None:
        problems = []
        if self.kind not in FAULT_KINDS:
            problems.append(unexpected("kind", repr(self.kind), f"one of {', '.join(FAULT_KINDS)}"))
        if self.call not in (*CALLS, ANY_CALL):
            problems.append(unexpected("call", repr(self.call), f"one of {', '.join(CALLS)}, {ANY_CALL}"))
        if self.body not in (None, "legacy", "current", "empty"):
            problems.append(unexpected("body", repr(self.body), "one of legacy, current, empty"))
        if self.times is not None and self.times < 1:
            problems.append(f"times: {self.times}, must be 1 or more, or null for ever")
        if not 0 <= self.probability <= 1 or not 0 <= self.fraction < 1:
            problems.append("probability and fraction lie between 0 and 1")
        if self.status is not None and not 400 <= self.status <= 599:
            problems.append(f"status: {self.status}, must be 400 to 599")
        if min(self.seconds, self.skip, self.count, self.mebibytes, self.retry_after or 0) < 0:
            problems.append("seconds, skip, count, mebibytes and retry_after must not be below 0")
        problems += self._too_much()
        if problems:
            raise ValueError("; ".join(problems))

    def _too_much(self) -> list[str]:
        numbers = {name: getattr(self, name) for name in LARGEST if getattr(self, name) is not None}
        problems = [
            unexpected(name, "more than can be meant", f"up to {LARGEST[name]:,}")
            for name, value in numbers.items()
            if not value <= LARGEST[name] or not math.isfinite(value)
        ]
        if 0 < self.seconds < SHORTEST:
            problems.append(f"seconds: {self.seconds}, must be 0 or at least {SHORTEST}")
        return problems


def read_fault(values: Mapping[str, Any]) -> Fault:
    """Build a fault from JSON members. Raises ValueError that names what is wrong."""
    types = {field.name: str(field.type) for field in dataclasses.fields(Fault)}
    problems = [f"{name}: no such member of a fault" for name in values if name not in types]
    for name, value in values.items():
        if name in types and not _fits(value, types[name]):
            problems.append(unexpected(name, repr(value), types[name]))
    if "kind" not in values:
        problems.append("kind: missing")
    if problems:
        raise ValueError("; ".join(problems))
    return Fault(**values)


def _fits(value: Any, declared: str) -> bool:
    if value is None:
        return "None" in declared
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return "str" in declared
    return (isinstance(value, int) and ("int" in declared or "float" in declared)) or (
        isinstance(value, float) and "float" in declared
    )


def parse_fault(text: str) -> Fault:
    """Read a fault as typed on a command line: `kind,call=send,times=2`; `times=forever`."""
    kind, *rest = [part.strip() for part in text.split(",")]
    values: dict[str, Any] = {"kind": kind}
    types = {field.name: str(field.type) for field in dataclasses.fields(Fault)}
    for part in rest:
        name, equals, value = part.partition("=")
        if not equals or name not in types:
            raise ValueError(f"fault {text!r}: {part!r} is not name=value with one of {', '.join(types)}")
        try:
            values[name] = _typed(value, types[name])
        except ValueError:
            raise ValueError(unexpected(f"fault {text!r}", f"{name}={value!r}", types[name])) from None
    return read_fault(values)


def _typed(value: str, declared: str) -> Any:
    if value == "forever" and declared == "int | None":
        return None
    if "str" in declared:
        return value
    return int(value) if "int" in declared else float(value)


@dataclass(eq=False)
class ArmedFault:
    """A fault in the plan, with what is left of it."""

    number: int
    fault: Fault
    left: int | None
    skip: int
    rng: random.Random
    fired: int = 0

    def to_json(self) -> dict[str, Any]:
        """Describe it for the control API."""
        return {"number": self.number, **dataclasses.asdict(self.fault), "left": self.left, "fired": self.fired}


class FaultPlan:
    """The faults to come, in the order in which they were added."""

    def __init__(self, planned: Callable[[Fault | None], None] = lambda _fault: None) -> None:
        """Build an empty plan. `planned`: told of every fault, and with None when all are forgotten."""
        self._planned = planned
        self._numbers = itertools.count(1)
        self._armed: list[ArmedFault] = []

    def add(self, fault: Fault | str, **parameters: Any) -> ArmedFault:
        """Plan a fault: `add(Fault(...))`, or `add("reset-after", call="send")`."""
        planned = fault if isinstance(fault, Fault) else Fault(fault, **parameters)
        armed = ArmedFault(next(self._numbers), planned, planned.times, planned.skip, random.Random(planned.seed))  # noqa: S311
        self._armed.append(armed)
        self._planned(planned)
        return armed

    def clear(self) -> None:
        """Forget every fault."""
        if self._armed:
            self._armed.clear()
            self._planned(None)

    def planned(self) -> list[ArmedFault]:
        """Return the faults that can still fire."""
        return [armed for armed in self._armed if armed.left != 0]

    def fire_one(self, phase: Phase, call: str, request: WireRequest) -> Fault | None:
        """Return the first fault of a phase that strikes this call, and count it."""
        return next(iter(self._strike(phase, call, request, None)), None) if self._armed else None

    def fire_all(self, kind: str, call: str, request: WireRequest) -> list[Fault]:
        """Return every BESIDE fault of a kind that strikes this call, and count them."""
        return list(self._strike(Phase.BESIDE, call, request, kind)) if self._armed else []

    def _strike(self, phase: Phase, call: str, request: WireRequest, kind: str | None) -> Any:
        for armed in self._armed:
            fault = armed.fault
            if (
                armed.left == 0
                or FAULT_KINDS[fault.kind].phase is not phase
                or (kind is not None and fault.kind != kind)
            ):
                continue
            if fault.call not in (call, ANY_CALL):
                continue
            if fault.contains is not None and not _contains(request, fault.contains):
                continue
            if armed.skip > 0:
                armed.skip -= 1
                continue
            if fault.probability < 1 and armed.rng.random() >= fault.probability:
                continue
            if armed.left is not None:
                armed.left -= 1
            armed.fired += 1
            yield fault


def _contains(request: WireRequest, text: str) -> bool:
    return text in request.query or text.encode() in request.body
