"""What Airflow keeps between tries and between copies of a trigger, with its fence and its failures."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError


@dataclass
class Keeping:
    """The memory of one task instance: task state (Airflow ≥ 3.3), and XCom.

    ``current``: the try that Airflow believes in. A stale try's write of the state is refused; its read looks like
    nothing saved; its XCom is accepted.
    """

    rng: random.Random
    failures: float = 0.0
    slowness: float = 0.0
    current: int = 0
    state: dict[str, str] = field(default_factory=dict)
    xcom: dict[str, str] = field(default_factory=dict)

    def fails(self) -> bool:
        """Whether this access fails."""
        return self.rng.random() < self.failures

    def seconds(self) -> float:
        """How long this access takes."""
        return self.rng.uniform(4.0, 40.0) if self.rng.random() < self.slowness else self.rng.uniform(0.005, 0.2)


class StateMemory:
    """``task_state_store`` as one try sees it."""

    durable = True

    def __init__(self, keeping: Keeping, try_number: int) -> None:
        self.keeping = keeping
        self.try_number = try_number

    @property
    def stale(self) -> bool:
        """Whether Airflow has given this try up."""
        return self.keeping.current != self.try_number

    def load(self, key: str) -> Any:
        """Read."""
        if self.keeping.fails():
            raise OmniStorageError("reading failed")
        return None if self.stale else _read(self.keeping.state, key)

    def save(self, key: str, value: Any) -> None:
        """Write, behind the fence. A failure may come before or after it took effect."""
        early, late = self.keeping.fails(), self.keeping.fails()
        if early:
            raise OmniStorageError("writing failed", retryable=True)
        if self.stale:
            raise OmniStaleTryError("a newer try has taken over", retryable=True)
        self.keeping.state[key] = json.dumps(value, allow_nan=False)
        if late:
            raise OmniStorageError("whether it was written is not known", retryable=True)


class XComMemory(StateMemory):
    """XComs of the waiting task as a trigger sees them: no fence."""

    @property
    def stale(self) -> bool:
        """Nobody checks."""
        return False

    def load(self, key: str) -> Any:
        """Read."""
        if self.keeping.fails():
            raise OmniStorageError("reading failed")
        return _read(self.keeping.xcom, key)

    def save(self, key: str, value: Any) -> None:
        """Write."""
        early, late = self.keeping.fails(), self.keeping.fails()
        if early:
            raise OmniStorageError("writing failed", retryable=True)
        self.keeping.xcom[key] = json.dumps(value, allow_nan=False)
        if late:
            raise OmniStorageError("whether it was written is not known", retryable=True)


class ForgetfulMemory(StateMemory):
    """Airflow < 3.3 in a worker: lasts as long as the process."""

    durable = False

    def __init__(self, keeping: Keeping, try_number: int) -> None:
        super().__init__(keeping, try_number)
        self._entries: dict[str, str] = {}

    def load(self, key: str) -> Any:
        """Read."""
        return _read(self._entries, key)

    def save(self, key: str, value: Any) -> None:
        """Write."""
        self._entries[key] = json.dumps(value, allow_nan=False)


def _read(entries: dict[str, str], key: str) -> Any:
    return json.loads(entries[key]) if key in entries else None
