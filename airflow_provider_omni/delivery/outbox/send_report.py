"""The delivery report of a send, made from its receipt. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from airflow_provider_omni.delivery.messages.delivery_report import SendState, delivery_report, error_member, iso_time
from airflow_provider_omni.delivery.messages.receipt import MAX_IDS
from airflow_provider_omni.omni.errors import OmniError


def report_of_send(
    receipt: Mapping[str, Any], state: SendState, at: float, *, begun_at: float, error: OmniError | None = None
) -> dict[str, Any]:
    """Return the delivery report of a send.

    :param receipt: the receipt of this moment, as JSON.
    :param state: the state of the send. Of a dry run it becomes `dry_run`, unless it has failed.
    :param at: time of the report, in seconds since the epoch.
    :param begun_at: time at which this try began, in seconds since the epoch.
    :param error: the error that the task fails with.
    """
    bulks = receipt["bulks"]
    rehearsal = bool(receipt.get("dry_run"))
    return delivery_report(
        "send",
        "dry_run" if rehearsal and state == "sent" else state,
        at,
        {
            "begun_at": iso_time(begun_at),
            "sent_at": receipt["sent_at"],
            "scenario_key": receipt["scenario_key"],
            "flow": receipt["flow"],
            "counts": receipt["counts"],
            "refused": receipt.get("rejected_by_status") or _refused(receipt),
            "quarantined": receipt.get("quarantined_by_reason"),
            "sms_parts": receipt.get("sms_parts"),
            "estimated_cost": receipt.get("estimated_cost"),
            # A ledger's receipt lists no more than so many requests.
            "requests": receipt.get("requests") if rehearsal else (len(bulks) if len(bulks) < MAX_IDS else None),
            "message_ids": receipt.get("message_ids", [])[:MAX_IDS],
            "bulk_ids": [each["bulk_id"] for each in bulks[:MAX_IDS]],
            "ledger_path": receipt["ledger_path"],
            "error": error_member(error),
        },
    )


def send_within_wait(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the delivery report of a wait tells of the send, if one task sends and waits: the report of the send
    without what stands in that of the wait, too.

    :param receipt: the receipt, as JSON.
    """
    report = report_of_send(receipt, "sent", 0.0, begun_at=0.0)
    return {name: value for name, value in report.items() if name not in _OF_BOTH}


_OF_BOTH = ("v", "kind", "at", "begun_at", "message_ids", "bulk_ids", "ledger_path")


def report_of_error(error: OmniError | None, at: float, *, begun_at: float) -> dict[str, Any]:
    """Return the delivery report of a send that has failed before anything was known of it.

    :param error: the error that the task fails with; None if it is none of ours.
    """
    return delivery_report("send", "failed", at, {"begun_at": iso_time(begun_at), "error": error_member(error)})


def _refused(receipt: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the refused people of a send to a few, by status."""
    people = receipt.get("recipients")
    if not isinstance(people, list):
        return None
    return dict(Counter(each["rejected"] for each in people if "rejected" in each).most_common()) or None
