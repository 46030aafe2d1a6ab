"""The status of each message, derived from reports and log rows in any order and any number of times.

A state only moves forward, per `(messageId, channel)`, and nothing that was told about it is forgotten. Updates are
joined in a semilattice, so order and repetition cannot change the result. Knows no I/O and no clock.

    handset delivery  >  final failure of the last step  >  operator delivery  >  pending

A failed step that is not the flow's last closes nothing, since a later step can still run. Time does not close a
message either while a step of it was last heard of as under way.

A flow may use a channel twice, and updates name the channel only. For such a flow, and for an unknown one, "under way"
and the operator's word are kept apart from a step that has ended. Otherwise the second SMS would hide behind the
failure of the first.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from airflow_provider_omni.omni.masking import mask_numbers_in
from airflow_provider_omni.omni.models import LogRow, Report, Status
from airflow_provider_omni.omni.statuses import StepState, is_duplicate, step_state

LOG_LAG = 30.0
"""Seconds by which the logs may lag behind. A log query says nothing about a step that began less than that
before it.
"""
MAX_LABEL = 60
"""Characters of a status's or a channel's name that are kept. The longest in the registry has 40."""
UNNAMED = "(unknown)"
"""Label for a status without a usable name. No name of the vendor's has brackets."""
NO_ERROR = "NO_ERROR"
"""Name of the error of a message that has none."""
MAX_CURRENCY = 10
MAX_EXPONENT = 12
"""Limit on an amount's digits before and after the point."""

_RANK = {StepState.PENDING: 0, StepState.OPERATOR: 1, StepState.FAILED: 2, StepState.HANDSET: 3}


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """One step of one message, as reports and log rows tell it. Times are seconds since the epoch."""

    message_id: str
    channel: str
    state: StepState
    status: str
    sent_at: float | None = None
    done_at: float | None = None
    cost: str | None = None
    currency: str | None = None
    permanent: bool | None = None
    error: str | None = None
    """The vendor's name for the error, such as `EC_ABSENT_SUBSCRIBER`; None for none."""

    @classmethod
    def of(cls, row: Report | LogRow) -> StatusUpdate:
        """Read a report or a log row. The cost is the price of a message times its parts, as a decimal string."""
        cost = None if row.price is None else _cost(row.price.price_per_message, row.message_count)
        error = getattr(row, "error", None)
        return cls(
            message_id=row.message_id,
            channel=channel_label(row.channel),
            # A repeated id that was refused says nothing about the message that had it first.
            state=StepState.PENDING if is_duplicate(row.status) else step_state(row.status),
            status=status_label(row.status),
            sent_at=_seconds(row.sent_at),
            done_at=_seconds(row.done_at),
            cost=cost,
            currency=currency_label(row.price.currency) if cost is not None and row.price else None,
            permanent=error.permanent if error is not None else None,
            error=error_label(error.name) if error is not None else None,
        )

    def merge(self, other: StatusUpdate) -> StatusUpdate:
        """Join two updates about one step of one message.

        The further state wins, with the details that came with it. If both states are equally far, a detail that only
        one of them has is kept: logs have no error, and round times in their own way.

        This is the join of a semilattice: states form a chain, and within a state each detail forms one (the status
        with its time, the cost with its currency, the permanence, the error). The send time is the earliest of both.
        """
        ranks = _RANK[self.state], _RANK[other.state]
        if ranks[0] == ranks[1]:
            ended, paid = max(self, other, key=_ended), max(self, other, key=_paid)
            permanent = max(self.permanent, other.permanent, key=_known_first)
            error = max(self.error, other.error, key=lambda name: (name is not None, name or ""))
        else:
            ended = paid = self if ranks[0] > ranks[1] else other
            permanent, error = ended.permanent, ended.error
        sent = [each.sent_at for each in (self, other) if each.sent_at is not None]
        return StatusUpdate(
            message_id=self.message_id,
            channel=self.channel,
            state=ended.state,
            status=ended.status,
            sent_at=min(sent, default=None),
            done_at=ended.done_at,
            cost=paid.cost,
            currency=paid.currency,
            permanent=permanent,
            error=error,
        )


_APART = {StepState.PENDING: " (under way)", StepState.OPERATOR: " (with the operator)"}


def tells_end(updates: Iterable[StatusUpdate], flow: Flow) -> bool:
    """Return True if one of a message's updates tells that its last step has failed."""
    return any(each.state is StepState.FAILED and each.channel == flow.last_channel for each in updates)


def kept_apart(flow: Sequence[str]) -> bool:
    """Return True if an unfinished step on a channel may be another step than the finished one there.

    That is so if the flow uses a channel twice, or is not known.

    :param flow: the scenario's channels; empty if unknown.
    """
    return not flow or len({step.upper() for step in flow}) < len(flow)


def place_of(update: StatusUpdate, *, apart: bool) -> str:
    """Return the name under which a step of a message is kept: its channel, with a suffix for an unfinished step if
    `apart`.

    :param apart: the result of `kept_apart`.
    """
    return f"{update.channel}{_APART[update.state]}" if apart and update.state in _APART else update.channel


def merged(known: StatusUpdate, fresh: StatusUpdate, *, apart: bool) -> StatusUpdate:
    """Join two updates that are kept under one name (`place_of`).

    If `apart`, the later sent of two unfinished steps is kept as it is. That is a join, too: times are ordered, and two
    updates with equal times are joined like any others.
    """
    if apart and known.state is fresh.state and known.state in _APART:
        times = _moment(known.sent_at), _moment(fresh.sent_at)
        if times[0] != times[1]:
            return known if times[0] > times[1] else fresh
    return known.merge(fresh)


def _moment(seconds: float | None) -> float:
    return -math.inf if seconds is None else seconds


def _ended(step: StatusUpdate) -> tuple[Any, ...]:
    return (step.done_at is not None, step.done_at or 0.0, step.status)


def _paid(step: StatusUpdate) -> tuple[Any, ...]:
    cost = step.cost
    return (cost is not None, Decimal(cost or 0), cost or "", step.currency is not None, step.currency or "")


def _known_first(said: bool | None) -> tuple[bool, bool]:
    return (said is not None, bool(said))


class Outcome(enum.Enum):
    """Outcome of a message so far."""

    PENDING = "pending"
    OPERATOR = "operator"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """The outcome of a message, and the update that decided it (None while nothing was seen)."""

    outcome: Outcome
    by: StatusUpdate | None = None
    closed_by_settle_time: bool = False
    """True if the settle time has closed the message, because the flow is unknown."""


NOTHING = MessageStatus(Outcome.PENDING)
NEVER = -math.inf
"""Time of a log query that did not take place."""


@dataclass(frozen=True)
class Flow:
    """The channels that a message goes through, in order and in capitals; empty if unknown."""

    steps: tuple[str, ...] = ()

    @cached_property
    def last_channel(self) -> str | None:
        """The channel whose failure is final; None if the flow is unknown or uses that channel twice."""
        return self.steps[-1] if self.steps and self.steps.count(self.steps[-1]) == 1 else None

    @cached_property
    def kept_apart(self) -> bool:
        """True if "under way" and the operator's word are kept apart from a step that has ended (`kept_apart`)."""
        return kept_apart(self.steps)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each channel; empty if one stands in it twice."""
        ordered = len(set(self.steps)) == len(self.steps)
        return {channel: place for place, channel in enumerate(self.steps)} if ordered else {}

    @classmethod
    def of(cls, channels: Iterable[str]) -> Flow:
        """Return the flow of these channels; equal ones are one object."""
        return _flow(tuple(channels))


@lru_cache(maxsize=1000)
def _flow(channels: tuple[str, ...]) -> Flow:
    return Flow(tuple(step.upper() for step in channels))


class Tracker:
    """Collects status updates and derives each message's status.

    :param flow: the scenario's channels in order; empty if unknown.
    :param settle_seconds: if the flow is unknown, or uses its last channel twice, a failure closes a message only so
        many seconds after the failed step was done, and not while another step shows life.
    :param others: the flows of messages that go through another one, by message id.
    """

    def __init__(
        self,
        flow: Iterable[str] = (),
        settle_seconds: float = 300.0,
        others: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        self.flow = Flow.of(flow)
        self._others = {message_id: Flow.of(each) for message_id, each in others.items()}
        flows = {self.flow, *self._others.values()}
        self.settles = not all(each.last_channel for each in flows)
        """True if a failure may close a message only because time has passed."""
        self.most_steps = max(len(each.steps) for each in flows) if all(each.steps for each in flows) else 0
        """The largest number of steps that a message has; 0 if a flow is unknown."""
        self.settle_seconds = settle_seconds
        self._steps: dict[str, dict[str, StatusUpdate]] = {}

    def flow_of(self, message_id: str) -> Flow:
        """Return the flow that a message goes through."""
        return self._others.get(message_id, self.flow)

    def observe(self, update: StatusUpdate) -> bool:
        """Take in a status update. Return True if it told something new."""
        apart = self.flow_of(update.message_id).kept_apart
        steps = self._steps.setdefault(update.message_id, {})
        place = place_of(update, apart=apart)
        known = steps.get(place)
        if known is not None:
            update = update if update == known else merged(known, update, apart=apart)
            if update == known:
                return False
        steps[place] = update
        return True

    def forget(self, message_id: str) -> None:
        """Drop a message whose status is final and counted, to save memory."""
        self._steps.pop(message_id, None)

    def steps(self, message_id: str) -> Iterator[StatusUpdate]:
        """Yield the updates of one message, one for each step. The "under way" of a step that has ended since is left
        out.
        """
        steps = self._steps.get(message_id, {})
        yield from (step for step in steps.values() if _is_another(step, steps.get(step.channel)))

    def worth_keeping(self, message_id: str) -> Iterator[StatusUpdate]:
        """Return the updates of a message that must be written down.

        These are all but "under way". If a step has failed, "under way" is written, too: without it a later reader
        would take the failure for the end.
        """
        steps = self._steps.get(message_id, {}).values()
        fell = self.fell(message_id)
        return (step for step in steps if fell or step.state is not StepState.PENDING)

    def fell(self, message_id: str) -> bool:
        """Return True if a step of the message has failed."""
        return any(step.state is StepState.FAILED for step in self._steps.get(message_id, {}).values())

    def rests_on_last_step(self, message_id: str) -> bool:
        """Return True if a failure of the message would rest on its last step: not every step was seen to fail, so that
        an earlier one may have delivered.
        """
        channels = set(self.flow_of(message_id).steps)
        failed = sum(step.state is StepState.FAILED for step in self.steps(message_id))
        return len(channels) > 1 and failed < len(channels)

    def under_way(self, steps: Mapping[str, StatusUpdate], flow: Flow) -> StatusUpdate | None:
        """Return the step that was last heard of as under way; None if there is none, or the flow has left it
        behind.
        """
        places = flow.places
        failed = max(places.get(step.channel, -1) for step in steps.values() if step.state is StepState.FAILED)
        running = [
            step
            for step in steps.values()
            if step.state is StepState.PENDING
            and places.get(step.channel, len(flow.steps)) > failed
            and _is_another(step, steps.get(step.channel))
        ]
        return max(running, key=lambda each: (each.sent_at or 0.0, each.channel), default=None)

    def status_of(
        self, message_id: str, now: float, *, closing: bool = False, looked_at: float = math.inf
    ) -> MessageStatus:
        """Return the status of a message.

        :param now: seconds since the epoch.
        :param closing: the deadline has come. A failed step after which nothing more was heard then counts as the end.
            A message with a step under way stays pending: under way is not failed.
        :param looked_at: the time of the latest log query for the message; `NEVER` if the logs could not be asked; by
            default no limit. A failure that was younger than `LOG_LAG` then is closed neither by the deadline nor by
            the settle time: the logs may not have shown the next step yet, so their silence says nothing.
        """
        steps = self._steps.get(message_id)
        if not steps:
            return NOTHING
        best: dict[StepState, StatusUpdate] = {}
        for step in self.steps(message_id):
            known = best.get(step.state)
            if known is None or (step.done_at or 0.0, step.channel) > (known.done_at or 0.0, known.channel):
                best[step.state] = step
        if handset := best.get(StepState.HANDSET):
            return MessageStatus(Outcome.DELIVERED, handset)
        flow = self.flow_of(message_id)
        last = steps.get(flow.last_channel) if flow.last_channel else None
        if last is not None and last.state is StepState.FAILED:
            return MessageStatus(Outcome.FAILED, last)
        if operator := best.get(StepState.OPERATOR):
            return MessageStatus(Outcome.OPERATOR, operator)
        if failed := best.get(StepState.FAILED):
            if running := self.under_way(steps, flow):
                return MessageStatus(Outcome.PENDING, running)
            quiet = looked_at != NEVER and looked_at - _moment(failed.done_at) >= LOG_LAG
            if closing and quiet:
                return MessageStatus(Outcome.FAILED, failed)
            closable = quiet and not flow.last_channel and failed.done_at is not None
            if closable and now - (failed.done_at or now) >= self.settle_seconds:
                return MessageStatus(Outcome.FAILED, failed, closed_by_settle_time=True)
            return MessageStatus(Outcome.PENDING, failed)
        return MessageStatus(Outcome.PENDING, best[StepState.PENDING])


def _is_another(step: StatusUpdate, ended: StatusUpdate | None) -> bool:
    """Return True if `step` was sent after `ended` ended, so that it is a later step on the same channel. True if
    nothing has ended.
    """
    if ended is None or ended is step:
        return True
    sent, end = _moment(ended.sent_at), _moment(ended.done_at)
    return _moment(step.sent_at) > sent and _moment(step.sent_at) >= end


def status_label(status: Status) -> str:
    """Return the name of a status for receipts, journals, errors and summaries: short, and without a number.

    A value that does not look like a name may be a text that the vendor repeats: it is replaced by the group's name, or
    by `UNNAMED`.
    """
    names = (each.strip() for each in (status.name, status.group_name) if each)
    return _label(next((each for each in names if _NAME.fullmatch(each)), UNNAMED))


def error_label(name: str | None) -> str | None:
    """Return the name of an error, short and without a number; None if the vendor names none, or says `NO_ERROR`.

    A value that does not look like a name may be a text that the vendor repeats: it counts as none.
    """
    name = (name or "").strip()
    return None if name in ("", NO_ERROR) or not _NAME.fullmatch(name) else _label(name)


def channel_label(channel: str | None) -> str:
    """Return the name of a channel in capitals, short and without a number; empty if the vendor gives none."""
    return _label(channel.upper()) if channel else ""


def currency_label(currency: str | None) -> str | None:
    """Return the code of a currency, short and without a number; None if the vendor gives none."""
    return _label(currency)[:MAX_CURRENCY] if currency else None


_NAME = re.compile(r"[A-Za-z0-9_.:/+\-]+")


@lru_cache(maxsize=1024)
def _label(name: str) -> str:
    return mask_numbers_in(name[: 4 * MAX_LABEL])[:MAX_LABEL]


def _cost(price: Decimal | None, parts: int | None) -> str | None:
    """Return price times parts. None for no price, and for an amount that nobody pays, such as `1E+99999`, which is
    long to write.
    """
    if price is None or not _payable(price):
        return None
    cost = price * max(parts or 1, 1)
    return format(cost.normalize(), "f") if _payable(cost) else None


def _payable(amount: Decimal) -> bool:
    return not amount or (amount.is_finite() and -MAX_EXPONENT <= amount.adjusted() <= MAX_EXPONENT)


def _seconds(moment: datetime | None) -> float | None:
    """Return seconds since the epoch, to the millisecond: the API's precision, and the journal's."""
    return None if moment is None else round(moment.timestamp(), 3)


def cost_of(steps: Iterable[StatusUpdate]) -> dict[str, str] | None:
    """Return the cost of all steps together, by currency, as decimal strings; None if no cost was reported."""
    costs: dict[str, Decimal] = {}
    for step in steps:
        if step.cost is not None and step.currency:
            costs[step.currency] = costs.get(step.currency, Decimal(0)) + Decimal(step.cost)
    return {currency: format(cost, "f") for currency, cost in sorted(costs.items())} or None


def is_permanent(status: MessageStatus) -> bool | None:
    """Return True if this message would fail again, as the vendor said of the step that decided.

    None if it did not say so, or the message has not failed.

    The vendor's word on an earlier step is about that step only: a person who blocks one channel may be reached on the
    next.
    """
    if status.outcome is not Outcome.FAILED or status.by is None:
        return None
    return status.by.permanent
