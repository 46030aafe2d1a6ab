"""The form of a status update in a ledger's `outcomes/`, and the totals that are written beside it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from airflow_provider_omni.delivery.messages.status import MessageStatus, Outcome, StatusUpdate
from airflow_provider_omni.omni.statuses import StepState


def step_of(sighting: StatusUpdate) -> list[Any]:
    """Return an update as a list of its members, without the message id, in the order that docs/batches.md gives.

    Times are seconds since the epoch.
    """
    return [
        sighting.channel,
        sighting.state.name,
        sighting.status,
        sighting.sent_at,
        sighting.done_at,
        sighting.cost,
        sighting.currency,
        sighting.permanent,
    ]


def sighting_of(message_id: str, step: list[Any]) -> StatusUpdate:
    """Read an update from such a list. Raises ValueError, KeyError or TypeError for anything else."""
    channel, state, status, sent_at, done_at, cost, currency, permanent = step
    return StatusUpdate(
        message_id=message_id,
        channel=channel,
        state=StepState[state],
        status=status,
        sent_at=sent_at,
        done_at=done_at,
        cost=cost,
        currency=currency,
        permanent=permanent,
    )


def cost_of(steps: Iterable[StatusUpdate]) -> dict[str, str] | None:
    """Return the cost of all steps together, by currency, as decimal strings; None if no cost was reported."""
    costs: dict[str, Decimal] = {}
    for step in steps:
        if step.cost is not None and step.currency:
            costs[step.currency] = costs.get(step.currency, Decimal(0)) + Decimal(step.cost)
    return {currency: format(cost, "f") for currency, cost in sorted(costs.items())} or None


def is_permanent(standing: MessageStatus) -> bool | None:
    """Return True if this message would fail again, as the vendor said of the step that decided.

    None if it did not say so, or the message has not failed.

    The vendor's word on an earlier step is about that step only: a person who blocks one channel may be reached on the
    next.
    """
    if standing.outcome is not Outcome.FAILED or standing.by is None:
        return None
    return standing.by.permanent
