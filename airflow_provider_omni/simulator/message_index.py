"""Index of all messages in the order in which they came, with the state of each.

A message's whole future is known, so its next change waits in a heap: to know the counts costs what has changed since
the last look, not what there is.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from airflow_provider_omni.simulator.messages import Message

SCHEDULED, PENDING, OPERATOR, DELIVERED, FAILED, REFUSED = (
    "scheduled",
    "pending",
    "operator",
    "delivered",
    "failed",
    "refused",
)
STATES: dict[str, str] = {
    SCHEDULED: "accepted, to be sent later",
    PENDING: "under way",
    OPERATOR: "with the operator, not yet on the handset",
    DELIVERED: "on the handset",
    FAILED: "no channel has delivered it",
    REFUSED: "refused in the answer, never sent",
}
"""States of a message, in the order of its life."""
OPEN = frozenset({PENDING, OPERATOR})
"""States of messages whose fate can be decided."""


def standing(message: Message, now: float) -> tuple[str, str, float | None]:
    """Return where a message stands at a time: its state, its channel, and when the next thing will happen to it.

    The channel is the one that has delivered it, else the one that it is on; empty before the first.
    """
    if message.refusal is not None:
        return REFUSED, "", None
    if message.starts_at > now:
        return SCHEDULED, "", message.starts_at
    upcoming: float | None = None
    delivered_by = channel = ""
    last = None
    all_begun = True
    for step in message.steps:
        if step.started_at > now:
            all_begun = False
            upcoming = step.started_at if upcoming is None else min(upcoming, step.started_at)
            break
        channel, last = step.channel, None
        for change in step.changes:
            if change.at > now:
                upcoming = change.at if upcoming is None else min(upcoming, change.at)
                continue
            last = change.status
            if not delivered_by and last.on_handset:
                delivered_by = channel
    if delivered_by:
        return DELIVERED, delivered_by, upcoming
    if last is not None and last.failed and all_begun:
        return FAILED, channel, upcoming
    return (OPERATOR if last is not None and last.at_operator else PENDING), channel, upcoming


class MessageIndex:
    """All messages by number, their states and how many there are of each."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._messages: list[Message] = []
        self._changing: list[tuple[float, int, Message]] = []
        self._counts: Counter[str] = Counter()
        self.version = 0
        """Rises with everything that a list of messages would show."""

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message, now: float) -> None:
        """Take in a message at the end."""
        message.number = next(self._numbers)
        self._messages.append(message)
        self._place(message, now)

    def touch(self, message: Message, now: float) -> None:
        """Look at a message anew: its future is another one."""
        if message.number:
            heapq.heappush(self._changing, (now, message.number, message))

    def counts(self, now: float) -> dict[str, int]:
        """Return how many messages stand where now, for every state."""
        self.look(now)
        return {state: self._counts[state] for state in STATES}

    def look(self, now: float) -> None:
        """Bring the states up to date."""
        while self._changing and self._changing[0][0] <= now:
            _, _, message = heapq.heappop(self._changing)
            if not message.number:
                continue
            self._counts[message.state] -= 1
            self._place(message, now)

    def get(self, number: int) -> Message | None:
        """Return the message with a number, None when there is none."""
        position = bisect.bisect_left(self._messages, number, key=_number)
        found = self._messages[position : position + 1]
        return found[0] if found and found[0].number == number else None

    def newest_first(self, before: int | None = None) -> Iterator[Message]:
        """Yield messages from the newest on, or from the one before a number on."""
        end = len(self._messages) if before is None else bisect.bisect_left(self._messages, before, key=_number)
        for position in range(end - 1, -1, -1):
            yield self._messages[position]

    def oldest_first(self) -> Sequence[Message]:
        """Return all messages in the order in which they came."""
        return self._messages

    def remove(self, messages: Iterable[Message]) -> None:
        """Forget messages; the numbers of the others stay."""
        for message in messages:
            self._counts[message.state] -= 1
            message.number = 0
        self._messages = [message for message in self._messages if message.number]
        self.version += 1

    def _place(self, message: Message, now: float) -> None:
        message.state, message.channel, at = standing(message, now)
        self._counts[message.state] += 1
        self.version += 1
        if at is not None:
            heapq.heappush(self._changing, (at, message.number, message))


def _number(message: Message) -> int:
    return message.number
