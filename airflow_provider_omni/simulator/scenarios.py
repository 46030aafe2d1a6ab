"""Scenarios: the four calls that make, list, read and change them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.simulator.envelopes import MOST_DIGITS, ApiProblem
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY, Settings
from airflow_provider_omni.simulator.timeline import CONTENT_MEMBERS, FlowStep

LIST_LIMIT = 100
SOURCE_FLOW = (FlowStep("LINE", "InfoLine"), FlowStep("SMS", "InfoSMS"))


@dataclass(frozen=True)
class Scenario:
    """A stored scenario."""

    key: str
    name: str | None
    flow: tuple[FlowStep, ...]
    default: bool

    def to_wire(self) -> dict[str, Any]:
        """Build the scenario object of an answer."""
        steps = [
            {"from": step.sender, "channel": step.channel} if step.sender is not None else {"channel": step.channel}
            for step in self.flow
        ]
        named = {} if self.name is None else {"name": self.name}
        return {"key": self.key, **named, "flow": steps, "default": self.default}


class ScenarioStore:
    """The account's scenarios."""

    def __init__(self, rng: random.Random, settings: Settings) -> None:
        self._rng = rng
        self._scenarios: dict[str, Scenario] = {}
        if settings.source_scenario:
            self._store(Scenario(SOURCE_SCENARIO_KEY, "My LINE-SMS scenario", SOURCE_FLOW, True))

    def create(self, body: Any, settings: Settings, key: str | None = None) -> Scenario:
        """Store a new scenario; the account's first one becomes the default. Equal names make two scenarios."""
        name, flow, default = read_scenario(body, settings)
        if key is None:
            key = f"{self._rng.getrandbits(128):032X}" if self._scenarios else SOURCE_SCENARIO_KEY
        return self._store(Scenario(key, name, flow, default or not self._scenarios))

    def update(self, key: str, body: Any, settings: Settings) -> Scenario:
        """Replace a scenario. The account keeps a default one: `default: false` does not take it away."""
        known = self.get(key)
        name, flow, default = read_scenario(body, settings)
        return self._store(Scenario(key, name, flow, default or known.default))

    def get(self, key: str) -> Scenario:
        """Return one scenario, or raise the 404."""
        try:
            return self._scenarios[key]
        except KeyError:
            raise ApiProblem(404) from None

    def find(self, key: str | None) -> Scenario | None:
        """Return the scenario with this key, the default one without a key, None when there is no such."""
        if key is not None:
            return self._scenarios.get(key)
        return self.default()

    def default(self) -> Scenario | None:
        """Return the account's default scenario."""
        return next((scenario for scenario in self._scenarios.values() if scenario.default), None)

    def all(self) -> list[Scenario]:
        """Return every scenario, in the order in which they were made."""
        return list(self._scenarios.values())

    def page(self, query: Mapping[str, list[str]]) -> list[Scenario]:
        """Return one page: `isDefault` (or the older `default`), `limit` (100), `page` (from 0)."""
        wanted = (query.get("isDefault") or query.get("default") or [""])[0].lower()
        if wanted not in ("", "true", "false"):
            raise ApiProblem(400, {"isDefault": ["must be true or false"]})
        limit = _count(query, "limit", LIST_LIMIT, at_least=1)
        first = _count(query, "page", 0, at_least=0) * limit
        found = [one for one in self._scenarios.values() if not wanted or one.default is (wanted == "true")]
        return found[first : first + limit]

    def _store(self, scenario: Scenario) -> Scenario:
        if scenario.default:
            for other in list(self._scenarios.values()):
                if other.default and other.key != scenario.key:
                    self._scenarios[other.key] = Scenario(other.key, other.name, other.flow, False)
        self._scenarios[scenario.key] = scenario
        return scenario


def _count(query: Mapping[str, list[str]], name: str, default: int, at_least: int) -> int:
    raw = (query.get(name) or [str(default)])[0]
    if not raw.isascii() or not raw.isdigit() or len(raw) > MOST_DIGITS or int(raw) < at_least:
        raise ApiProblem(400, {name: [f"must be a number, {at_least} or more"]})
    return int(raw)


def read_scenario(body: Any, settings: Settings) -> tuple[str | None, tuple[FlowStep, ...], bool]:
    """Read the body of a create or an update: name, flow, default. Unknown members are ignored."""
    if not isinstance(body, dict):
        raise ApiProblem(400, {"body": ["must be an object"]})
    problems: dict[str, list[str]] = {}
    raw_flow = body.get("flow")
    raw_steps = [raw_flow] if isinstance(raw_flow, dict) else raw_flow
    if not isinstance(raw_steps, list) or not raw_steps:
        raise ApiProblem(400, {"flow": ["may not be empty"]})
    steps: list[FlowStep] = []
    for position, raw in enumerate(raw_steps):
        channel = str(raw.get("channel", "")) if isinstance(raw, dict) else ""
        sender = raw.get("from") if isinstance(raw, dict) else None
        if channel not in CONTENT_MEMBERS:
            problems[f"flow[{position}].channel"] = [f"must be one of {', '.join(CONTENT_MEMBERS)}"]
        if sender is not None and not isinstance(sender, str):
            problems[f"flow[{position}].from"] = ["must be a string"]
        steps.append(FlowStep(channel, sender if isinstance(sender, str) else None))
    name = body.get("name")
    if name is not None and not isinstance(name, str):
        problems["name"] = ["must be a string"]
    default = body.get("default", False)
    if default is not None and not isinstance(default, bool):
        problems["default"] = ["must be true or false"]
    if settings.duplicate_channels == "400" and len({step.channel for step in steps}) < len(steps):
        problems["flow"] = ["a channel may stand in a flow only once"]
    if problems:
        raise ApiProblem(400, problems)
    return name, tuple(steps), bool(default)
