"""A ledger in numbers: how many, by which channel, and why not. One pass over its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_omni.delivery.messages.delivery_report import iso_time
from airflow_provider_omni.delivery.recipients.suppression import SUPPRESSED
from airflow_provider_omni.delivery.results.reader import OutcomeRow, QuarantineRow
from airflow_provider_omni.omni.reasons import reason_in_words

MOST_REASONS = 20
"""Reasons that are listed; the others are counted together."""
REACHED = ("delivered", "operator")

Reason = tuple[str, str, str, str]
"""Outcome, channel, status and error."""


@dataclass
class Summary:
    """Counts of a ledger's rows."""

    states: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    channels: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    quarantine: Counter[str] = field(default_factory=Counter)
    cost: dict[str, Decimal] = field(default_factory=dict)
    first_sent: float | None = None
    last_done: float | None = None

    @classmethod
    def of(cls, rows: Iterable[OutcomeRow], quarantined: Iterable[QuarantineRow] = ()) -> Summary:
        """Count rows, and rows that were left out."""
        summary = cls()
        for row in rows:
            summary.add(row)
        summary.quarantine.update(row.reason for row in quarantined)
        return summary

    def add(self, row: OutcomeRow) -> None:
        """Count one recipient."""
        outcome = row.outcome or "not followed"
        self.states[row.state] += 1
        if row.state == "accepted" or row.outcome is not None:
            self.outcomes[outcome] += 1
        if outcome in REACHED:
            self.channels[outcome, row.channel or ""] += 1
        elif outcome == "failed":
            self.reasons["failed", row.channel or "", row.status or "", row.error or ""] += 1
        elif row.state == "refused":
            self.reasons["refused", "", row.reason or "", ""] += 1
        for currency, amount in (row.cost or {}).items():
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + Decimal(amount)
        if row.sent_at is not None:
            self.first_sent = row.sent_at if self.first_sent is None else min(self.first_sent, row.sent_at)
        if row.done_at is not None:
            self.last_done = row.done_at if self.last_done is None else max(self.last_done, row.done_at)

    @property
    def posted(self) -> int:
        """Number of recipients for whom a message was to be posted."""
        return self.states.total()

    @property
    def suppressed(self) -> int:
        """Number of rows that were left out since they are on the suppression list."""
        return self.quarantine[SUPPRESSED]

    @property
    def quarantined(self) -> int:
        """Number of rows that were left out for another reason."""
        return self.quarantine.total() - self.suppressed

    def funnel(self) -> list[tuple[str, int]]:
        """Return the way from the batch to the phone: words and counts, in order."""
        ways = [
            (
                f"{'delivered by' if outcome == 'delivered' else 'with the operator of'} {channel or 'some channel'}",
                count,
            )
            for (outcome, channel), count in sorted(self.channels.items(), key=lambda each: (each[0][0], -each[1]))
        ]
        rest = [(name, self.outcomes[name]) for name in ("failed", "pending", "not followed") if self.outcomes[name]]
        return [("to be posted", self.posted), ("accepted", self.states["accepted"]), *ways, *rest]

    def listed_reasons(self) -> list[dict[str, Any]]:
        """Return the reasons, the most frequent first, each in plain words."""
        return [
            {
                "outcome": outcome,
                "channel": channel or None,
                "status": status or None,
                "error": error or None,
                "words": reason_in_words(status, error or None),
                "count": count,
            }
            for (outcome, channel, status, error), count in self.reasons.most_common(MOST_REASONS)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything, for scripts."""
        return {
            "recipients": self.posted,
            "states": dict(self.states.most_common()),
            "outcomes": dict(self.outcomes.most_common()),
            "by_channel": {
                outcome: {channel: count for (each, channel), count in self.channels.most_common() if each == outcome}
                for outcome in REACHED
                if any(each == outcome for each, _ in self.channels)
            },
            "reasons": self.listed_reasons(),
            "quarantined": self.quarantined,
            "suppressed": self.suppressed,
            "quarantine_reasons": dict(
                each for each in self.quarantine.most_common(MOST_REASONS + 1) if each[0] != SUPPRESSED
            ),
            "cost": {currency: format(amount, "f") for currency, amount in sorted(self.cost.items())},
            "first_sent_at": iso_time(self.first_sent),
            "last_done_at": iso_time(self.last_done),
        }
