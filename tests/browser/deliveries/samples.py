"""XComs `omni_delivery` as sends and waits write them, and how a test puts them into Airflow without running a task."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from dev.airflow_api import AirflowApi

KEY = "omni_delivery"
LEDGER = "/var/omni/ledgers/newsletter"


def at(seconds_ago: float = 0.0) -> str:
    """The time so many seconds ago, as the XComs have it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(timespec="seconds")


def ids(name: str, count: int) -> list[str]:
    return [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{number}")) for number in range(count)]


BATCH_SENT: dict[str, Any] = {
    "v": 1,
    "kind": "send",
    "state": "sent",
    "at": at(300),
    "begun_at": at(312),
    "scenario_key": "BC1A77F7DE18A4C6D6AF0D1EE0A1EB24",
    "flow": ["LINE", "SMS"],
    "counts": {
        "requested": 2000,
        "accepted": 1941,
        "unconfirmed": 0,
        "rejected": 14,
        "quarantined": 38,
        "duplicates": 7,
    },
    "refused": {"REJECTED_DND": 9, "REJECTED_DESTINATION_BLOCKLISTED": 5},
    "quarantined": {"not a phone number": 21, "found '  ', which stands for nothing": 17},
    "sms_parts": 2,
    "bulk_ids": ids("newsletter", 4),
    "requests": 4,
    "ledger_path": LEDGER,
}
BATCH_WAITING: dict[str, Any] = {
    "v": 1,
    "kind": "wait",
    "state": "waiting",
    "at": at(8),
    "begun_at": at(299),
    "until": at(-7200),
    "next_look": at(-22),
    "scenario_key": BATCH_SENT["scenario_key"],
    "flow": ["LINE", "SMS"],
    "counts": BATCH_SENT["counts"],
    "total": 1941,
    "delivered": 1612,
    "failed": 73,
    "pending": 256,
    "by_channel": {"LINE": 1164, "SMS": 448},
    "steps": [
        {"channel": "LINE", "delivered": 1164, "failed": 641, "pending": 136},
        {"channel": "SMS", "delivered": 448, "failed": 73, "pending": 120},
    ],
    "reasons": [
        {
            "channel": "SMS",
            "status": "UNDELIVERABLE_NOT_DELIVERED",
            "error": "EC_ABSENT_SUBSCRIBER",
            "words": "absent subscriber",
            "permanent": False,
            "count": 41,
            "message_ids": ids("newsletter-failed", 73)[:41],
        },
        {
            "channel": "SMS",
            "status": "REJECTED_DESTINATION",
            "error": "EC_UNKNOWN_SUBSCRIBER",
            "words": "unknown subscriber",
            "permanent": True,
            "count": 24,
            "message_ids": ids("newsletter-failed", 73)[41:65],
        },
        {
            "channel": "SMS",
            "status": "EXPIRED_EXPIRED",
            "error": None,
            "words": "expired",
            "permanent": None,
            "count": 8,
            "message_ids": ids("newsletter-failed", 73)[65:],
        },
    ],
    "cost": {"EUR": "41.8840"},
    "seconds_to_delivery": {"p50": 4.2, "p95": 71.5, "max": 263.0},
    "delivery_times": [
        {"up_to": 1.0, "count": 120},
        {"up_to": 3.0, "count": 514},
        {"up_to": 10.0, "count": 530},
        {"up_to": 30.0, "count": 158},
        {"up_to": 60.0, "count": 171},
        {"up_to": 300.0, "count": 119},
        {"up_to": None, "count": 0},
    ],
    "failed_message_ids": ids("newsletter-failed", 73),
    "bulk_ids": BATCH_SENT["bulk_ids"],
    "requests": 4,
    "ledger_path": LEDGER,
    "success_when": 0.95,
    "error": None,
}
BATCH_UNDELIVERED: dict[str, Any] = BATCH_WAITING | {
    "state": "undelivered",
    "at": at(3),
    "next_look": None,
    "delivered": 1790,
    "failed": 151,
    "pending": 0,
    "by_channel": {"LINE": 1270, "SMS": 520},
    "steps": [
        {"channel": "LINE", "delivered": 1270, "failed": 671, "pending": 0},
        {"channel": "SMS", "delivered": 520, "failed": 151, "pending": 0},
    ],
}
ONE_SENT: dict[str, Any] = {
    "v": 1,
    "kind": "send",
    "state": "sent",
    "at": at(3600),
    "begun_at": at(3601),
    "scenario_key": "KEY",
    "flow": ["LINE", "SMS"],
    "counts": {"requested": 2, "accepted": 2, "unconfirmed": 0, "rejected": 0, "quarantined": 0, "duplicates": 0},
    "message_ids": ids("order", 2),
    "bulk_ids": ids("order-bulk", 1),
    "requests": 1,
    "ledger_path": None,
}
ONE_DELIVERED: dict[str, Any] = {
    "v": 1,
    "kind": "wait",
    "state": "delivered",
    "at": at(3580),
    "begun_at": at(3600),
    "flow": ["LINE", "SMS"],
    "counts": ONE_SENT["counts"],
    "total": 2,
    "delivered": 2,
    "failed": 0,
    "pending": 0,
    "by_channel": {"LINE": 1, "SMS": 1},
    "steps": [
        {"channel": "LINE", "delivered": 1, "failed": 1, "pending": 0},
        {"channel": "SMS", "delivered": 1, "failed": 0, "pending": 0},
    ],
    "cost": {"EUR": "0.1000"},
    "seconds_to_delivery": {"p50": 6.0, "p95": 11.0, "max": 11.0},
    "delivery_times": [{"up_to": 3.0, "count": 1}, {"up_to": 30.0, "count": 1}],
    "message_ids": ONE_SENT["message_ids"],
    "bulk_ids": ONE_SENT["bulk_ids"],
    "success_when": "all",
}
FAILED: dict[str, Any] = {
    "v": 1,
    "kind": "send",
    "state": "failed",
    "at": at(86400),
    "begun_at": at(86402),
    "counts": {"requested": 1, "accepted": 0, "unconfirmed": 0, "rejected": 1, "quarantined": 0, "duplicates": 0},
    "refused": {"REJECTED_NOT_ENOUGH_CREDITS": 1},
    "error": {"code": "OMNI-REJECTED", "message": "1 of 1 recipients was refused: REJECTED_NOT_ENOUGH_CREDITS."},
}
BARE: dict[str, Any] = {"v": 1, "kind": "send", "state": "sending"}
"""Every other member may be absent."""


def put(
    api: AirflowApi, dag_id: str, run_id: str, reports: Mapping[str, Any], key: str = KEY, *, is_new_run: bool = True
) -> None:
    """Make a run, which nobody executes, and put one XCom into each of the named tasks. Of an old run they are written
    anew.
    """
    if is_new_run:
        api.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "dag_run_id": run_id})
    for task_id, value in reports.items():
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries"
        if is_new_run or key != KEY:
            api.call("POST", path, json={"key": key, "value": value})
        else:
            api.call("PATCH", f"{path}/{key}", json={"value": value})
