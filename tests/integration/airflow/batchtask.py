"""A task that sends a batch: what Airflow keeps of it from try to try."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

TEXT = {"line": {"type": "TEXT", "text": "Hello"}, "sms": {"text": "Hello"}}


class BatchTask:
    """XComs and the state store survive from try to try; `durable=False` is Airflow before 3.3."""

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable
        self.xcoms: dict[str, Any] = {}
        self.state: dict[str, Any] = {}

    def context(self, try_number: int = 1, run_id: str = "run", map_index: int = -1) -> Any:
        """The context that `execute` is given."""
        ti = SimpleNamespace(
            dag_id="dag",
            run_id=run_id,
            task_id="send",
            map_index=map_index,
            try_number=try_number,
            max_tries=0,
            xcom_push=lambda key, value: self.xcoms.__setitem__(key, json.loads(json.dumps(value))),
        )
        run = SimpleNamespace(clear_number=0, start_date=None)
        return {"ti": ti, "dag_run": run} | ({"task_state_store": self} if self.durable else {})

    def get(self, key: str) -> Any:
        return self.state.get(key)

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        self.state[key] = json.loads(json.dumps(value))


def numbers(count: int, start: int = 0) -> list[str]:
    """Numbers whose fate is ordinary."""
    return [f"4179{start + index:05d}00" for index in range(count)]
