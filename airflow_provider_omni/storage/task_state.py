"""Memory of a worker on Airflow ≥ 3.3: the task state store, which survives retries, deferrals and clears.

It is the fence too. The store is addressed by the task instance's id, which changes with every try, so the API server
answers the write of a try that was replaced with 404. That answer is not lost on its way: the supervisor turns it into
an error frame and `SUPERVISOR_COMMS.send` raises (task-sdk 1.3.2: `supervisor.handle_requests`,
`comms.CommsDecoder._from_frame`), so that `set` returns only after the row was committed. A stale try's *read*,
by contrast, looks like "nothing saved": only a write tells that a try is still the current one.
"""

from __future__ import annotations

import threading
from typing import Any

from airflow_provider_omni.delivery.effects import Json
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError


class TaskStateMemory:
    """Keeps entries in the task's state store for ever: a task may be cleared after Airflow's default of 30 days."""

    durable = True

    def __init__(self, store: Any) -> None:
        """Wrap a store.

        :param store: the context's `task_state_store`.
        """
        self._store = store
        # `dag.test()` swaps a global of the task SDK during each access, so accesses of a batch's threads must not
        # overlap.
        self._turn = threading.Lock()

    def load(self, key: str) -> Json:
        """Return the value that this try or an earlier one saved under `key`, else None. Raises `OmniStorageError`."""
        try:
            with self._turn:
                value: Json = self._store.get(key)
        except Exception as error:
            raise OmniStorageError(
                f"The task's state could not be read ({type(error).__name__}). Nothing was sent after that.",
                retryable=True,
            ) from error
        return value

    def save(self, key: str, value: Json) -> None:
        """Write `value`. Returns only when it is stored and this try is the current one.

        Raises `OmniStaleTryError` when the try was replaced by another, else `OmniStorageError`.
        """
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        try:
            with self._turn:
                self._store.set(key, value, retention=NEVER_EXPIRE)
        except Exception as error:
            if _http_status(error) == 404:
                raise OmniStaleTryError(
                    "This try was replaced by another one (retry, clear, or a lost heartbeat), so it stops here. "
                    "It sent nothing after it was replaced.",
                    retryable=True,
                ) from error
            raise OmniStorageError(
                f"The task's state could not be written ({type(error).__name__}). Nothing was sent after that.",
                retryable=True,
            ) from error


def _http_status(error: BaseException) -> int | None:
    """Return the status of the API server's answer in an error of the task SDK: in a worker a frame, in `dag.test()`
    the bare response.
    """
    detail = getattr(getattr(error, "error", None), "detail", None)
    if isinstance(detail, dict):
        return detail.get("status_code")
    status: int | None = getattr(getattr(error, "response", None), "status_code", None)
    return status
