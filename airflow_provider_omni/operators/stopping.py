"""How a batch is stopped when Airflow ends its task: nothing more is posted, what is under way is heard and written.

Airflow 3 tells a task that it shall end by `on_kill` alone, and kills the process seconds later. A later try goes on
from whatever was reached, stopped like this or killed; this way it has less to ask about.
"""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniStoppedError

SLICE = 0.2
"""Seconds between two looks at the flag while pausing."""


class Stop:
    """A flag. A plain one, since it is raised in a signal's handler, where locks may be held by the same thread."""

    def __init__(self) -> None:
        self.told = False

    def check(self) -> None:
        """Raise OmniStoppedError once the flag is raised."""
        if self.told:
            raise OmniStoppedError("Airflow ended this task.")

    def sleep(self, seconds: float) -> None:
        """Sleep, but not on when the flag is raised."""
        until = time.monotonic() + seconds
        while True:
            self.check()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, SLICE))


class StoppableClient:
    """A client that makes no call once the flag is raised."""

    def __init__(self, client: Any, stop: Stop) -> None:
        self._client = client
        self._stop = stop

    def execute(self, call: Call[Any]) -> Any:
        """Execute the call, or raise one of `omni/errors.py`."""
        self._stop.check()
        return self._client.execute(call)
