"""Counts of a send and of its delivery in the asset events of the task: other DAGs can go by them.

Airflow makes one event for each asset among a task's outlets, when the task has succeeded. The counts stand in its
`extra` under one name, so that nothing is overwritten that the user has put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXTRA = "omni"
"""The member of an event's `extra`."""
MOST_IDS = 100
"""Ids of requests in an event, at most."""
_REFERENCES = ("AssetNameRef", "AssetUriRef")
"""Classes of Airflow 3 that stand for an asset by its name or URI."""


def event_extra(receipt: Mapping[str, Any] | None, summary: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what an event says: ids and counts only.

    :param receipt: the receipt of the send; None if the task has not sent.
    :param summary: the summary of the wait; None if the task has not waited.
    """
    told: dict[str, Any] = {}
    if receipt is not None:
        told = {name: receipt[name] for name in ("scenario_key", "counts", "dry_run") if name in receipt}
        told["bulk_ids"] = [bulk["bulk_id"] for bulk in receipt.get("bulks", ())[:MOST_IDS]]
    if summary is not None:
        told["delivery"] = {name: value for name, value in summary.items() if name != "ledger_path"}
    return told


def tell_assets(
    operator: Any, context: Any, *, receipt: Mapping[str, Any] | None = None, summary: Mapping[str, Any] | None = None
) -> None:
    """Put the counts into the events of the operator's outlets. Never raises: the messages are sent, whatever becomes
    of an event.
    """
    outlets = operator.outlets or []
    events = context.get("outlet_events") if outlets else None
    if events is None:
        return
    from airflow.providers.common.compat.sdk import Asset

    for outlet in outlets:
        if not isinstance(outlet, Asset) and type(outlet).__name__ not in _REFERENCES:
            continue  # an alias has events for assets that the user adds, each with an extra of its own
        try:
            event = events[outlet]
            if EXTRA not in event.extra:
                event.extra = {**event.extra, EXTRA: event_extra(receipt, summary)}
        except Exception as error:  # noqa: BLE001  Airflow's own, and whatever a user has put there
            operator.log.warning("The event of an asset has no counts of this task (%s).", type(error).__name__)
