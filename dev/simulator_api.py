"""A small client of the simulator's control calls (`/simulator/…`): its record, its faults, its held answers."""

from __future__ import annotations

from typing import Any

import requests


class SimulatorApi:
    """`url` is the simulator's address. Errors are requests' own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of this machine has no business on loopback

    def record(self, *parts: str) -> dict[str, list[dict[str, Any]]]:
        """Events so far: `acceptances`, `refusals`, `deliveries`, `duplicates`, `calls`, `reports_read`."""
        answer: dict[str, list[dict[str, Any]]] = self.call("GET", "record", params={"what": ",".join(parts)})
        return answer

    def wait_for(self, what: str, count: int = 1, *, call: str | None = None, timeout: float = 60.0) -> None:
        """Wait until there are `count` of `acceptances`, `calls`, `deliveries`, `held`, `reports_read` or `unread`.

        Raises TimeoutError.
        """
        body = {"for": what, "count": count, "timeout": timeout} | ({"call": call} if call else {})
        answer = self.call("POST", "wait", json=body, timeout=timeout + 10)
        if not answer["reached"]:
            raise TimeoutError(f"the simulator has {answer['count']} of {count} {what} after {timeout:.0f} s")

    def add_fault(self, kind: str, **parameters: Any) -> None:
        """Plan a fault; the kinds are in docs/simulator.md."""
        self.call("POST", "faults", json={"kind": kind, **parameters})

    def count_faults(self, kind: str) -> int:
        """Number of calls that were struck by faults of this kind."""
        return sum(call["fault"] == kind for call in self.record("calls")["calls"])

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        self.call("DELETE", "faults", json={})

    def held(self) -> list[dict[str, Any]]:
        """The answers that are held back now: `id`, `call`, and `effect`, whether the call has done its work."""
        answer: dict[str, list[dict[str, Any]]] = self.call("GET", "held")
        return answer["held"]

    def release(self, held_id: int | None = None) -> None:
        """Let an answer go that is held back; all of them without an id."""
        self.call("POST", "release", json={} if held_id is None else {"id": held_id})

    def drop(self, held_id: int | None = None) -> None:
        """Reset the connection of an answer that is held back, all of them without an id; without further effect."""
        self.call("POST", "drop", json={} if held_id is None else {"id": held_id})

    def configure(self, **switches: Any) -> None:
        """Change switches."""
        self.call("POST", "switches", json=switches)

    def advance(self, seconds: float) -> None:
        """Jump ahead in the simulator's time."""
        self.call("POST", "clock", json={"advance": seconds})

    def reset(self) -> None:
        """Forget messages, scenarios, record and faults."""
        self.call("POST", "reset", json={})

    def call(self, method: str, name: str, *, timeout: float = 30.0, **arguments: Any) -> Any:
        """Any control call: `name` after `/simulator/`; the answer's JSON."""
        answer = self._session.request(method, f"{self.url}/simulator/{name}", timeout=timeout, **arguments)
        answer.raise_for_status()
        return answer.json()
