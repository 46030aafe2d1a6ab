"""The delivery report of a task: what a send or a wait shows of itself while it runs and when it has ended.

It stands in the task's XCom `omni_delivery`, where the page of deliveries reads it. It has ids and counts only: no
number and no text. Nothing depends on it: neither a send nor a wait reads it, waits for it or fails with it.
`outbox/send_report.py` and `tracking/wait_report.py` make it. docs/waiting.md describes its members.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from airflow_provider_omni.omni.errors import OmniError

DELIVERY_KEY = "omni_delivery"
"""The XCom's key. All deliveries are listed by it, over all DAGs."""
VERSION = 1
REPORT_EVERY = 10.0
"""Seconds between two reports of one task while it runs, at least."""

SendState = Literal["sending", "sent", "failed", "dry_run"]
WaitState = Literal["waiting", "delivered", "undelivered", "timeout", "error"]


def delivery_report(kind: Literal["send", "wait"], state: str, at: float, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report as JSON.

    :param kind: what the task does.
    :param state: one of `SendState` or `WaitState`.
    :param at: time of the report, in seconds since the epoch.
    :param members: the other members. Those that are None are left out, since readers take a missing one for not known.
    """
    known = {name: value for name, value in members.items() if value is not None}
    return {"v": VERSION, "kind": kind, "state": state, "at": iso_time(at), **known}


def iso_time(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC, to the second; None for None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def error_member(error: OmniError | None) -> dict[str, str] | None:
    """Return the member `error`, with the error's code and text; None for None."""
    return None if error is None else {"code": error.code, "message": error.text}
