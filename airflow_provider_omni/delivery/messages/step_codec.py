"""A step of a message's way (`tracking.Sighting`) as it stands in a ledger's `outcomes/`, and the rows around it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from airflow_provider_omni.delivery.messages.status import MessageStatus, Outcome, StatusUpdate
from airflow_provider_omni.omni.statuses import StepState


def step_of(sighting: StatusUpdate) -> list[Any]:
    """A step as a list of its members, without the message id, in the order that docs/batches.md gives. Times are
    seconds since the epoch.
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
    """Back to a sighting. Raises ValueError, KeyError or TypeError for what is none."""
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
    """What all steps cost together, by currency, as decimal strings; None where nothing was reported."""
    costs: dict[str, Decimal] = {}
    for step in steps:
        if step.cost is not None and step.currency:
            costs[step.currency] = costs.get(step.currency, Decimal(0)) + Decimal(step.cost)
    return {currency: format(cost, "f") for currency, cost in sorted(costs.items())} or None


def is_permanent(standing: MessageStatus) -> bool | None:
    """Whether the same message would fail again: as the vendor said of the step that decided. What it said of an
    earlier step is not about this one: a person who blocks one channel may be reached on the next.
    """
    if standing.outcome is not Outcome.FAILED or standing.by is None:
        return None
    return standing.by.permanent
