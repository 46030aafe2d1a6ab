"""A stage for the machines of `delivery/`: effects are carried out from a script, and only pauses move the clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.effects import (
    CallApi,
    Load,
    Log,
    Offload,
    Publish,
    Save,
    Sleep,
    Steps,
)
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.bulk import BulkResponse, read_bulk
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.models import LogRow, Report, Scenario, SendResponse, SentMessage, Status
from tests.harness.clock import SkippingClock
from tests.harness.driver import Driver, KilledError

START = 1_800_000_000.0
Answer = Any
"""A value, an error to be thrown in, or a function of the call that gives one of the two."""

STATUSES = {
    "enroute": (1, "PENDING", 7, "PENDING_ENROUTE"),
    "handset": (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
    "operator": (3, "DELIVERED", 2, "DELIVERED_TO_OPERATOR"),
    "failed": (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED"),
    "refused": (5, "REJECTED", 6, "REJECTED_NETWORK"),
    "no credit": (5, "REJECTED", 12, "REJECTED_NOT_ENOUGH_CREDITS"),
    "seen": (5, "REJECTED", 23, "REJECTED_DUPLICATE_MESSAGE_ID"),
}


def status(name: str) -> Status:
    """One of the statuses above."""
    group_id, group_name, number, text = STATUSES[name]
    return Status(group_id=group_id, group_name=group_name, id=number, name=text)


def report(message_id: str, state: str = "handset", channel: str = "LINE", **more: Any) -> Report:
    """A delivery report, done 10 s after the start unless said otherwise."""
    done = more.pop("done", 10.0)
    return Report(
        message_id=message_id,
        status=status(state),
        channel=channel,
        sent_at=datetime.fromtimestamp(START, UTC),
        done_at=None if done is None else datetime.fromtimestamp(START + done, UTC),
        **more,
    )


def row(message_id: str, state: str = "enroute", channel: str = "LINE", **more: Any) -> LogRow:
    """A row of the logs."""
    done = more.pop("done", 10.0)
    return LogRow(
        message_id=message_id,
        status=status(state),
        channel=channel,
        sent_at=datetime.fromtimestamp(START, UTC),
        done_at=None if done is None or state == "enroute" else datetime.fromtimestamp(START + done, UTC),
        **more,
    )


def accepted(call: Call[Any], state: str = "enroute") -> SendResponse:
    """The answer to a send in which everybody has this status."""
    ids = [each["messageId"] for each in json.loads(call.body or b"")["destinations"]]
    return SendResponse(messages=[SentMessage(message_id=each, status=status(state)) for each in ids])


def answered(**states: str) -> Callable[[Call[Any]], SendResponse]:
    """An answer with a status by the number's last digits, `answered(d27="refused")`; the others are accepted."""

    def answer(call: Call[Any]) -> SendResponse:
        messages = []
        for each in json.loads(call.body or b"")["destinations"]:
            state = states.get("d" + each["to"]["phoneNumber"][-2:], "enroute")
            messages.append(SentMessage(message_id=each["messageId"], status=status(state)))
        return SendResponse(messages=messages)

    return answer


@dataclass
class Stage(Driver):
    """The results of effects. Each list is a script; its last entry stays for all further calls."""

    posts: list[Answer] = field(default_factory=lambda: [accepted])
    logs: list[Answer] = field(default_factory=lambda: [[]])
    reports: list[Answer] = field(default_factory=lambda: [[]])
    scenario: list[Answer] = field(default_factory=lambda: [_SCENARIO])
    saves: list[OmniError | None] = field(default_factory=lambda: [None])
    loads: list[OmniError | None] = field(default_factory=lambda: [None])
    publishes: list[OmniError | None] = field(default_factory=lambda: [None])
    save_seconds: float = 0.0
    publish_seconds: float = 0.0
    memory: dict[str, Any] = field(default_factory=dict)
    start: float = START
    effects: list[Any] = field(default_factory=list)
    """Those that were submitted stand in it one by one."""
    published: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.clock = SkippingClock(self.start)

    def play(self, machine: Steps[Any], until: Callable[[Any], bool] = lambda effect: False) -> Any:
        """Run a machine to its end; or until it asks for an effect that ends it, as a kill would: then None."""
        self._until = until
        try:
            return self.drive(machine)
        except KilledError:
            machine.close()
            return None

    def before(self, effect: Any) -> None:
        """Kill, or note what is asked for."""
        if self._until(effect):
            raise KilledError
        self.effects.append(effect)

    def asked(self, method: str, path: str) -> list[dict[str, Any]]:
        """Query or body of the calls made so far."""
        calls = [effect.call for effect in self.effects if isinstance(effect, CallApi)]
        return [
            json.loads(call.body) if call.body else dict(call.query)
            for call in calls
            if call.method == method and call.path.endswith(path)
        ]

    @property
    def posted(self) -> list[list[str]]:
        """The message ids of each POST."""
        return [[each["messageId"] for each in body["destinations"]] for body in self.asked("POST", "/advanced")]

    @property
    def looks(self) -> list[dict[str, Any]]:
        """The filters of the looks into the logs."""
        return self.asked("GET", "/logs")

    @property
    def reads(self) -> list[dict[str, Any]]:
        """The filters of the reads of reports."""
        return self.asked("GET", "/reports")

    def perform(self, effect: Any) -> Any:
        """Take the next line of its script."""
        match effect:
            case CallApi(call):
                scripts = {"advanced": self.posts, "logs": self.logs, "reports": self.reports}
                answer = _next(scripts.get(call.path.rsplit("/", 1)[-1], self.scenario), call)
                return _by_status(answer) if call.parse is read_bulk else answer
            case Load(key):
                _next(self.loads, None)
                return json.loads(json.dumps(self.memory.get(key)))
            case Save(key, value):
                self.clock.advance(self.save_seconds)
                _next(self.saves, None)
                self.memory[key] = json.loads(json.dumps(value))
            case Publish(receipt):
                self.clock.advance(self.publish_seconds)
                _next(self.publishes, None)
                self.published.append(json.loads(json.dumps(receipt)))
            case Sleep(seconds):
                self.clock.advance(seconds)
            case Offload(function):
                return function()
            case Log(text):
                self.notes.append(text)
        return None


def _by_status(answer: SendResponse) -> BulkResponse:
    groups: dict[Status, list[str]] = {}
    for entry in answer.messages:
        groups.setdefault(entry.status, []).append(entry.message_id)
    return BulkResponse(tuple((each, tuple(ids)) for each, ids in groups.items()))


def _next(script: list[Answer], call: Any) -> Any:
    answer = script.pop(0) if len(script) > 1 else script[0]
    if callable(answer):
        answer = answer(call)
    if isinstance(answer, Exception):
        raise answer
    return answer


_SCENARIO = Scenario(key="SCENARIO", flow=({"channel": "LINE"}, {"channel": "SMS"}))  # type: ignore[arg-type]
