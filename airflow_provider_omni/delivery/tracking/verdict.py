"""The verdict of a wait: from counts to success, failure or "not yet", with the summary that explains it.

Pure functions. The verdict falls as soon as it cannot change.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from airflow_provider_omni.delivery.messages.receipt import MAX_IDS
from airflow_provider_omni.delivery.messages.status import UNNAMED, MessageStatus, Outcome, StatusUpdate
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.omni.reasons import reason_in_words
from airflow_provider_omni.omni.statuses import StepState
from airflow_provider_omni.omni.words import some, was

MAX_NAMES = 100
"""Statuses, channels and currencies that a summary lists, at most. Their names are the vendor's, which may send any
number of them.
"""
SHOWN_REASONS = 5
SHOWN_IDS = 5
"""Reasons and failed message ids that an explanation names, at most."""
OTHER = "(other)"
NOT_SEEN = "(not seen)"
"""Names of ours among the vendor's, whose names have no brackets."""


class Verdict(enum.Enum):
    """The state of the wait: open, or one of three ends."""

    OPEN = "open"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"


class Reason(NamedTuple):
    """The reason of a failure, by the vendor's names.

    :param channel: the step that ended the message.
    :param error: name of the error, such as `EC_ABSENT_SUBSCRIBER`; None if the vendor gave none.
    :param permanent: True if the same message would fail again, as the vendor said; None if it did not say.
    """

    channel: str
    status: str
    error: str | None = None
    permanent: bool | None = None


@dataclass
class DeliveryCounts:
    """Counts over all messages of a wait."""

    total: int = 0
    delivered: int = 0
    operator_only: int = 0
    failed: int = 0
    closed_by_settle_time: int = 0
    pending_after_failed_step: int = 0
    """Pending messages that have a failed step."""
    failed_message_ids: list[str] = field(default_factory=list)
    failed_by_reason: dict[Reason, list[str]] = field(default_factory=dict)
    """Ids of `failed_message_ids` by the reason of the failure, as far as one is known."""
    by_channel: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    failed_at: Counter[str] = field(default_factory=Counter)
    """Failed messages by the channel that ended them."""
    pending_at: Counter[str] = field(default_factory=Counter)
    """Pending messages that something was heard of, by the channel that they have got to."""
    reasons: Counter[Reason] = field(default_factory=Counter)
    """Failed messages by the reason."""
    cost: dict[str, Decimal] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from the first step to the delivery, by channel."""

    @property
    def pending(self) -> int:
        """Number of messages whose outcome is open."""
        return self.total - self.delivered - self.failed

    @property
    def unsettled(self) -> int:
        """Number of messages about which something final may still come."""
        return self.pending + self.operator_only

    @property
    def every_second(self) -> list[float]:
        """The times to delivery over all channels."""
        return [each for seconds in self.seconds.values() for each in seconds]

    def add(self, message_id: str, status: MessageStatus, steps: Iterable[StatusUpdate], delivered_means: str) -> None:
        """Count one message that was seen. The caller adds messages in the order of their ids.

        The caller sets `total`, because it includes the unseen.
        """
        steps = list(steps)
        for step in steps:
            # The cost of a step under way is not known yet: if it fails, it may cost nothing.
            if step.cost is not None and step.currency and step.state is not StepState.PENDING:
                self.cost[step.currency] = self.cost.get(step.currency, Decimal(0)) + Decimal(step.cost)
        if status.by is not None:
            self.by_status[status.by.status] += 1
        operator = status.outcome is Outcome.OPERATOR
        if status.outcome is Outcome.DELIVERED or (operator and delivered_means == "group"):
            self.delivered += 1
            self.operator_only += operator
            assert status.by is not None
            channel = status.by.channel or UNNAMED
            self.by_channel[channel] += 1
            started = min((step.sent_at for step in steps if step.sent_at is not None), default=None)
            if started is not None and status.by.done_at is not None:
                self.seconds.setdefault(channel, []).append(max(0.0, status.by.done_at - started))
        elif status.outcome is Outcome.FAILED:
            self.failed += 1
            self.closed_by_settle_time += status.closed_by_settle_time
            is_named = len(self.failed_message_ids) < MAX_IDS
            if is_named:
                self.failed_message_ids.append(message_id)
            if (by := status.by) is not None:
                self.failed_at[by.channel or UNNAMED] += 1
                reason = Reason(by.channel or UNNAMED, by.status, by.error, by.permanent)
                self.reasons[reason] += 1
                if is_named:
                    self.failed_by_reason.setdefault(reason, []).append(message_id)
        else:
            self.pending_after_failed_step += any(step.state is StepState.FAILED for step in steps)
            if status.by is not None:
                self.pending_at[status.by.channel or UNNAMED] += 1

    def merge(self, other: DeliveryCounts) -> None:
        """Add another wait's counts to these."""
        self.total += other.total
        self.delivered += other.delivered
        self.operator_only += other.operator_only
        self.failed += other.failed
        self.closed_by_settle_time += other.closed_by_settle_time
        self.pending_after_failed_step += other.pending_after_failed_step
        self._name_failed_of(other)
        for mine, theirs in (
            (self.by_channel, other.by_channel),
            (self.by_status, other.by_status),
            (self.failed_at, other.failed_at),
            (self.pending_at, other.pending_at),
        ):
            mine.update(theirs)
        self.reasons.update(other.reasons)
        for currency, cost in other.cost.items():
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + cost
        for channel, seconds in other.seconds.items():
            self.seconds.setdefault(channel, []).extend(seconds)

    def _name_failed_of(self, other: DeliveryCounts) -> None:
        if not other.failed_message_ids:
            return
        self.failed_message_ids = sorted(self.failed_message_ids + other.failed_message_ids)[:MAX_IDS]
        named = set(self.failed_message_ids)
        by_reason: dict[Reason, list[str]] = {}
        for counts in (self, other):
            for reason, ids in counts.failed_by_reason.items():
                if kept := [each for each in ids if each in named]:
                    by_reason.setdefault(reason, []).extend(kept)
        self.failed_by_reason = by_reason

    def summary(self, ledger_path: str | None = None) -> dict[str, Any]:
        """Return the JSON that the sensor returns: ids and counts, no number and no text."""
        unseen = self.total - sum(self.by_status.values())
        by_status = most_common(self.by_status)
        if unseen > 0:
            by_status[NOT_SEEN] = unseen
        return {
            "total": self.total,
            "delivered": self.delivered,
            "failed": self.failed,
            "pending": self.pending,
            "by_channel": most_common(self.by_channel),
            "by_status": by_status,
            "cost": {currency: format(total, "f") for currency, total in sorted(self.cost.items())[:MAX_NAMES]},
            "seconds_to_delivery": percentiles(self.every_second),
            "failed_message_ids": sorted(self.failed_message_ids),
            "closed_by_settle_time": self.closed_by_settle_time,
            "ledger_path": ledger_path,
        }


def evaluate(
    counts: DeliveryCounts, criterion: SuccessCriterion, *, deadline_passed: bool = False, unsent: int = 0
) -> Verdict:
    """Return the verdict on these counts.

    With no messages every criterion but `any` is met (a dry run, or a test environment that lets nobody through). But
    if `unsent` people were refused or not posted to, the verdict is a failure, except for `finished`: a gate must
    not open when nobody who should have been told was told.
    """
    if not counts.total and unsent and criterion.success_when != "finished":
        return Verdict.FAILURE
    needed = criterion.needed(counts.total)
    if criterion.settle and counts.unsettled and not deadline_passed:
        return Verdict.OPEN
    if criterion.success_when == "finished":
        if not counts.pending:
            return Verdict.SUCCESS
        return Verdict.TIMEOUT if deadline_passed else Verdict.OPEN
    if criterion.success_when == "any" and not counts.total:
        return Verdict.FAILURE
    if counts.delivered >= needed:
        return Verdict.SUCCESS
    if counts.total - counts.failed < needed:
        return Verdict.FAILURE
    return Verdict.TIMEOUT if deadline_passed else Verdict.OPEN


def most_common(counts: Counter[str]) -> dict[str, int]:
    """Return the counts by name, sorted. Beyond `MAX_NAMES` names, the rarest are added up under `OTHER`."""
    if len(counts) <= MAX_NAMES:
        return dict(sorted(counts.items()))
    kept = dict(sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MAX_NAMES])
    kept[OTHER] = kept.get(OTHER, 0) + counts.total() - sum(kept.values())
    return dict(sorted(kept.items()))


def explain(
    verdict: Verdict, counts: DeliveryCounts, criterion: SuccessCriterion, unsent: int = 0, missing: int = 0
) -> str:
    """Return a sentence about the end of the wait, with counts only.

    :param verdict: the verdict, not `OPEN`.
    :param counts: the counts it was made from.
    :param criterion: the success criterion of the wait.
    :param unsent: number of people who were refused or never posted to. No criterion counts them.
    :param missing: entries of a list of receipts that held no receipt. Nobody knows how many people these sends had.
    """
    if not counts.total and unsent and verdict is Verdict.FAILURE:
        everybody = some(unsent, "recipient")
        return f"Nobody was sent to: the vendor refused, or the send never reached, everybody ({everybody})."
    numbers = (
        f"{counts.delivered:,} of {counts.total:,} delivered{per_channel(counts.by_channel)}, "
        f"{counts.failed:,} failed, {counts.pending:,} pending"
    )
    if unsent:
        numbers += f"; not counted: {unsent:,} who {was(unsent)} refused or never sent to"
    if missing:
        numbers += f"; sends without a receipt, which are not counted: {missing}"
    numbers = ". ".join(filter(None, [numbers, failures_in_words(counts)]))
    if verdict is Verdict.SUCCESS:
        return f"Delivery goal {criterion.success_when!r} reached: {numbers}."
    if verdict is Verdict.FAILURE:
        return f"Delivery goal {criterion.success_when!r} cannot be reached any more: {numbers}."
    return f"The deadline came before delivery goal {criterion.success_when!r} was reached: {numbers}."


def per_channel(counts: Counter[str]) -> str:
    """Return counts by channel in brackets, after a blank; empty if there are none."""
    known = [f"{channel} {count:,}" for channel, count in sorted(counts.items()) if count]
    return f" ({', '.join(known)})" if known else ""


def failures_in_words(counts: DeliveryCounts) -> str:
    """Return why messages failed, and the ids of the first of them; empty if nothing is known of that."""
    reasons = counts.reasons.most_common(SHOWN_REASONS)
    if not reasons:
        return ""
    listed = [
        f"{reason.channel} {reason.status} ({reason_in_words(reason.status, reason.error)}) x {count:,}"
        for reason, count in reasons
    ]
    rest = counts.failed - sum(count for _, count in reasons)
    listed += [f"other reasons x {rest:,}"] if rest > 0 else []
    ids = counts.failed_message_ids[:SHOWN_IDS]
    more = f" and {counts.failed - len(ids):,} more" if counts.failed > len(ids) else ""
    return f"Failed: {'; '.join(listed)}. Their message ids: {', '.join(ids)}{more}"


def percentiles(seconds: list[float]) -> dict[str, float | None]:
    """Return p50, p95 and max by nearest rank, in seconds; None for each if nothing was delivered."""
    if not seconds:
        return {"p50": None, "p95": None, "max": None}
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)

    return {"p50": at(0.5), "p95": at(0.95), "max": round(ordered[-1], 3)}
