"""Stop a batch when Airflow ends its task: nothing more is posted; requests under way are answered and written down.

Airflow 3 tells a task only by `on_kill` that it must end, and kills the process seconds later. A later try goes on from
there, after a stop as after a kill; after a stop it has less to ask about.
"""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniStoppedError

SLICE = 0.2
"""Seconds between two looks at the flag while pausing."""


class CancellationToken:
    """A flag. It has no lock, since it is set in a signal handler, in which the same thread may hold locks."""

    def __init__(self) -> None:
        self._cancelled = False

    def cancel(self) -> None:
        """Set the flag."""
        self._cancelled = True

    def check(self) -> None:
        """Raise OmniStoppedError once the flag is set."""
        if self._cancelled:
            raise OmniStoppedError("Airflow ended this task.")

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until the flag is set. Raises OmniStoppedError then."""
        until = time.monotonic() + seconds
        while True:
            self.check()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, SLICE))


class CancellableClient:
    """A client that makes no call once the flag is set."""

    def __init__(self, client: Any, cancellation: CancellationToken) -> None:
        self._client = client
        self._cancellation = cancellation

    def execute(self, call: Call[Any]) -> Any:
        """Execute the call, or raise an error of `omni/errors.py`."""
        self._cancellation.check()
        return self._client.execute(call)
