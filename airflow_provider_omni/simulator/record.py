"""Memory of the simulator for those who judge: who was sent what, who called, who read which report.

It grows until `reset`. It holds numbers, since that is what it is for; it never leaves the machine by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from airflow_provider_omni.simulator.messages import Message


@dataclass(frozen=True)
class Acceptance:
    """One message that the account accepted, and so will send and charge. Two of them are two messages for the person.

    `to`: digits. `at`: seconds since 1970. `content_hash`: equal contents have equal hashes.
    """

    message_id: str
    bulk_id: str
    to: str
    scenario_key: str
    at: float
    content_hash: str


@dataclass(frozen=True)
class Refusal:
    """One destination that was refused in a 200 answer, or a repeated id that was not sent again."""

    message_id: str
    to: str
    status_id: int
    at: float


@dataclass(frozen=True)
class Delivery:
    """A message reached a person on a channel."""

    to: str
    channel: str
    at: float
    message_id: str


@dataclass(frozen=True)
class CallMade:
    """One request, whatever became of it.

    `effect`: whether the call did its work. `ending`: a value of `Ending`. `entries`: destinations or rows.
    """

    name: str
    method: str
    path: str
    query: str
    at: float
    status: int
    ending: str
    effect: bool
    entries: int
    fault: str | None


@dataclass(frozen=True)
class ReportRead:
    """One report that left the account. `by`: `caller` or `second reader`. `lost`: the caller never got it in full."""

    message_id: str
    channel: str
    status_id: int
    at: float
    by: str
    lost: bool


@dataclass(frozen=True)
class Duplicate:
    """A person who was sent the same thing more than once."""

    to: str
    acceptances: tuple[Acceptance, ...]


@dataclass
class Record:
    """Everything that happened since the start or the last reset."""

    now: Callable[[], float]
    acceptances: list[Acceptance] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    calls: list[CallMade] = field(default_factory=list)
    reports_read: list[ReportRead] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def messages_for(self, number: str) -> list[Acceptance]:
        """Return what was accepted for a number, however it is written."""
        wanted = digits(number)
        return [acceptance for acceptance in self.acceptances if acceptance.to == wanted]

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything that has reached people so far, oldest first: LINE and SMS alike, late ones too."""
        now = self.now()
        found = [
            Delivery(message.to, step.channel, change.at, message.message_id)
            for message in self.messages
            for step in message.steps
            for change in step.changes
            if change.status.on_handset and change.at <= now
        ]
        return sorted(found, key=lambda delivery: delivery.at)

    def forget(self, messages: Sequence[Message]) -> None:
        """Forget what happened to messages. The calls stay."""
        gone = {id(message) for message in messages}
        ids = {(message.message_id, message.to) for message in messages}
        self.messages = [message for message in self.messages if id(message) not in gone]
        self.acceptances = [one for one in self.acceptances if (one.message_id, one.to) not in ids]
        self.refusals = [one for one in self.refusals if (one.message_id, one.to) not in ids]
        names = {message_id for message_id, _ in ids}
        self.reports_read = [one for one in self.reports_read if one.message_id not in names]

    def duplicates(self) -> list[Duplicate]:
        """Return everybody for whom the same content, or the same messageId, was accepted more than once."""
        groups: dict[tuple[str, str], list[Acceptance]] = {}
        for acceptance in self.acceptances:
            groups.setdefault((acceptance.to, acceptance.content_hash), []).append(acceptance)
            groups.setdefault((acceptance.to, f"id {acceptance.message_id}"), []).append(acceptance)
        doubled = {tuple(group): Duplicate(to, tuple(group)) for (to, _), group in groups.items() if len(group) > 1}
        return list(doubled.values())

    def calls_of(self, name: str) -> list[CallMade]:
        """Return the calls of one name: `send`, `reports`, `logs`, `create_scenario`, …"""
        return [call for call in self.calls if call.name == name]


def digits(number: str) -> str:
    """Return the digits of a number, without `+` or a leading `00`."""
    return "".join(sign for sign in number if sign.isdigit()).removeprefix("00")
