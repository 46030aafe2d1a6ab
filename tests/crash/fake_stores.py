"""The stores between tries and between copies of a trigger: Airflow's stores with their fence, and a ledger's folder.
Both fail.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_omni.omni.errors import OmniError, OmniStaleTryError, OmniStorageError


@dataclass
class FakeTaskState:
    """The memory of one task instance: task state (Airflow ≥ 3.3), and XCom.

    `current`: the try that Airflow believes in. A stale try's write of the state is refused; its read looks like
    nothing saved; its XCom is accepted.
    """

    rng: random.Random
    failures: float = 0.0
    slowness: float = 0.0
    current: int = 0
    state: dict[str, str] = field(default_factory=dict)
    xcom: dict[str, str] = field(default_factory=dict)
    past: list[dict[str, str]] = field(default_factory=list)
    """The state as it was before each write."""
    lost_at: list[float] = field(default_factory=list)
    """Times at which something of the state was lost."""

    def lose(self, what: str, rng: random.Random, now: float) -> None:
        """Lose some of the state, or all of it."""
        before = dict(self.state)
        if what == "gone":
            self.state.clear()
        elif what == "older" and self.past:
            self.state = dict(rng.choice(self.past))
        elif what == "partly" and self.state:
            del self.state[rng.choice(sorted(self.state))]
        if self.state != before:
            self.lost_at.append(now)

    def put_aside(self) -> FakeTaskState:
        """Return what the task has kept so far, for later."""
        return replace(self, state=dict(self.state), past=list(self.past))

    def begin_anew(self) -> None:
        """Hold the state of another task: none. Nothing was lost."""
        self.state.clear()
        self.past.clear()

    def fails(self) -> bool:
        """Return True if this access fails."""
        return self.rng.random() < self.failures

    def seconds(self) -> float:
        """Return the seconds that this access takes."""
        return self.rng.uniform(4.0, 40.0) if self.rng.random() < self.slowness else self.rng.uniform(0.005, 0.2)


class StateMemory:
    """`task_state_store` as one try sees it."""

    durable = True

    def __init__(self, task_state: FakeTaskState, try_number: int) -> None:
        self.task_state = task_state
        self.try_number = try_number
        self.was_refused = False
        """A write has told this try that it was given up."""

    @property
    def given_up(self) -> bool:
        """Return True if Airflow has given this try up."""
        return self.task_state.current != self.try_number

    @property
    def stale(self) -> bool:
        """Return True if its reads look empty, and its writes are refused."""
        return self.given_up

    def load(self, key: str) -> Any:
        """Read."""
        if self.task_state.fails():
            raise OmniStorageError("reading failed")
        return None if self.stale else _read(self.task_state.state, key)

    def save(self, key: str, value: Any) -> None:
        """Write, behind the fence. A failure may come before or after it took effect."""
        early, late = self.task_state.fails(), self.task_state.fails()
        if early:
            raise OmniStorageError("writing failed", retryable=True)
        if self.stale:
            self.was_refused = True
            raise OmniStaleTryError("a newer try has taken over", retryable=True)
        self.task_state.past.append(dict(self.task_state.state))
        self.task_state.state[key] = json.dumps(value, allow_nan=False)
        if late:
            raise OmniStorageError("whether it was written is not known", retryable=True)


class XComMemory(StateMemory):
    """XComs of the waiting task as a trigger sees them: no fence, and keys of each try's own."""

    @property
    def stale(self) -> bool:
        """Nobody checks."""
        return False

    def load(self, key: str) -> Any:
        """Read."""
        if self.task_state.fails():
            raise OmniStorageError("reading failed")
        return _read(self.task_state.xcom, f"{key} of try {self.try_number}")

    def save(self, key: str, value: Any) -> None:
        """Write."""
        early, late = self.task_state.fails(), self.task_state.fails()
        if early:
            raise OmniStorageError("writing failed", retryable=True)
        self.task_state.xcom[f"{key} of try {self.try_number}"] = json.dumps(value, allow_nan=False)
        if late:
            raise OmniStorageError("whether it was written is not known", retryable=True)


class ForgetfulMemory(StateMemory):
    """Airflow < 3.3 in a worker: lasts as long as the process."""

    durable = False

    def __init__(self, task_state: FakeTaskState, try_number: int) -> None:
        super().__init__(task_state, try_number)
        self._entries: dict[str, str] = {}

    def load(self, key: str) -> Any:
        """Read."""
        return _read(self._entries, key)

    def save(self, key: str, value: Any) -> None:
        """Write."""
        self._entries[key] = json.dumps(value, allow_nan=False)


def _text_of(part: bytes) -> str:
    try:
        return gzip.decompress(part).decode()
    except EOFError:
        return ""  # cut short


def _read(entries: dict[str, str], key: str) -> Any:
    return json.loads(entries[key]) if key in entries else None


class Publishing:
    """The place where receipts are published. A failure may come before or after its effect, as with any call.

    Its chances come from a random stream of their own. `slowness`: the share of receipts that take longer to publish
    than an intent is fresh.
    """

    def __init__(self, seed: int, failures: float, slowness: float = 0.0) -> None:
        self.failures = failures
        self.slowness = slowness
        self._rng = random.Random(f"{seed}:publishing")

    def breaks(self) -> tuple[bool, OmniError | None]:
        """Return True if it takes effect, with the error if it fails before or after that."""
        drawn = self._rng.random()
        if drawn >= self.failures:
            return True, None
        return drawn >= self.failures / 2, OmniStorageError("publishing failed, or its answer was lost")

    def seconds(self) -> float:
        """Return the seconds that a receipt takes to be published."""
        if not self.slowness:
            return 0.05
        return self._rng.uniform(6.0, 40.0) if self._rng.random() < self.slowness else 0.05


@dataclass
class Receipts:
    """The sending task's XCom. Any try may put a receipt there, also one that Airflow has given up: nobody checks.

    `standing`: what is there now. `told`: what the try that Airflow believes in has put there last. That a try puts
    its own over it which does not know that it was given up (it was frozen before it could, or it is one of an Airflow
    that tells nobody) undoes nothing: it was published. One that knows must not.
    """

    standing: dict[str, Any] | None = None
    told: dict[str, Any] | None = None
    most_accepted: int = 0
    """The number of accepted messages in the receipt that told of most, in any try."""

    def wipe(self) -> None:
        """Forget the receipt, as Airflow does when a try begins."""
        self.standing = self.told = None

    def put(self, receipt: dict[str, Any], memory: StateMemory) -> None:
        """Put one over the one that is there. `memory`: of the try that does it."""
        self.standing = json.loads(json.dumps(receipt))
        self.most_accepted = max(self.most_accepted, receipt["counts"]["accepted"])
        if memory.was_refused or not memory.given_up:
            self.told = self.standing

    @property
    def counted(self) -> int:
        """Messages that were or may have been sent, as told last: who waits takes all others for unsent."""
        counts = self.told["counts"] if self.told else {}
        return sum(counts.get(name, 0) for name in ("accepted", "unconfirmed"))


@dataclass
class Bucket:
    """A ledger's folder, as an object store: writes are whole, take time, and may fail before or after their effect."""

    rng: random.Random
    failures: float = 0.0
    parts: dict[str, bytes] = field(default_factory=dict)
    written_at: dict[str, float] = field(default_factory=dict)

    def seconds(self) -> float:
        """Return the seconds that an access takes."""
        return self.rng.uniform(4.0, 30.0) if self.rng.random() < 0.03 else self.rng.uniform(0.005, 0.3)

    def breaks_writing(self) -> tuple[bool, OmniError | None]:
        """Return True if a write fails before its effect, with the error of one that fails before or after it."""
        early, late = self.rng.random() < self.failures, self.rng.random() < self.failures
        return early, OmniStorageError("writing failed, or its answer was lost") if early or late else None

    def breaks_reading(self) -> OmniError | None:
        """The error of a read or a listing that fails."""
        return OmniStorageError("reading failed") if self.rng.random() < self.failures else None

    def list(self, prefix: str) -> list[str]:
        """Names below a prefix."""
        return sorted(name for name in self.parts if name.startswith(prefix))

    def read(self, name: str) -> bytes:
        """A part, for judges: they fail never."""
        return self.parts[name]

    def write(self, name: str, data: bytes, now: float) -> None:
        """Put a part there. Nobody writes a name twice."""
        assert name not in self.parts, name
        self.parts[name] = data
        self.written_at[name] = now

    def spoil(self, name: str, how: str) -> None:
        """Damage a part, or remove it."""
        data = self.parts.pop(name)
        if how != "gone":
            self.parts[name] = data[: len(data) // 2] if how == "cut" else b""

    def times(self, kind: str) -> list[float]:
        """The times at which the parts of one kind were written."""
        return [self.written_at[name] for name in self.list(kind)]

    def lines(self, kind: str) -> list[Any]:
        """Return the lines in the parts of one kind, read without any code of `delivery/`."""
        texts = (_text_of(self.parts[name]) for name in self.list(kind))
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def snapshot(self) -> Bucket:
        """The folder as it is now: parts are never changed."""
        return Bucket(self.rng, 0.0, dict(self.parts), dict(self.written_at))
