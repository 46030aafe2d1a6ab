"""Memory that lasts as long as its process: for tests, for `dag.test()`, and on versions of Airflow that offer nothing
better.

It is not durable, so the machines of `delivery/` ask the logs where a durable memory would have known.
"""

from __future__ import annotations

from airflow_provider_omni.delivery.effects import Json


class ProcessMemory:
    """A dict with the interface of `Memory`."""

    durable = False

    def __init__(self) -> None:
        self._entries: dict[str, Json] = {}

    def load(self, key: str) -> Json:
        """Return the value saved under `key`, else None."""
        return self._entries.get(key)

    def save(self, key: str, value: Json) -> None:
        """Keep `value` until the process ends."""
        self._entries[key] = value


class AsyncProcessMemory:
    """A dict with the interface of `AsyncMemory`, for a trigger that does not know its task."""

    durable = False

    def __init__(self) -> None:
        self._entries: dict[str, Json] = {}

    async def load(self, key: str) -> Json:
        """Return the value saved under `key`, else None."""
        return self._entries.get(key)

    async def save(self, key: str, value: Json) -> None:
        """Keep `value` until the process ends."""
        self._entries[key] = value
