"""`GET /omni/1/reports` and `GET /omni/1/logs`: reading their parameters, and writing their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.simulator import outcomes, sms_parts
from airflow_provider_omni.simulator.envelopes import MOST_DIGITS, ApiProblem, format_time, read_time
from airflow_provider_omni.simulator.fates import Reporting
from airflow_provider_omni.simulator.messages import Message, MessageStore, ReportEntry
from airflow_provider_omni.simulator.outcomes import GROUP_NAMES
from airflow_provider_omni.simulator.record import digits
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.timeline import CONTENT_MEMBERS, Change, Step

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000
MCC_MNC = "22801"

Query = Mapping[str, list[str]]


@dataclass(frozen=True)
class LogFilter:
    """Filters of a logs call."""

    message_ids: tuple[str, ...]
    bulk_ids: tuple[str, ...]
    channel: str | None
    group_name: str | None
    since: float | None
    until: float | None
    sender: str | None
    to: str | None
    mcc: str | None
    mnc: str | None
    limit: int


def take_reports(query: Query, store: MessageStore, now: float, settings: Settings) -> list[ReportEntry]:
    """Take the reports that a call asks for out of the account."""
    return store.take_reports(
        now,
        settings,
        bulk_id=_one(query, "bulkId"),
        message_id=_one(query, "messageId"),
        channel=_choice(query, "channel", CONTENT_MEMBERS),
        limit=_limit(query, settings),
    )


def log_rows(query: Query, store: MessageStore, now: float, settings: Settings) -> list[dict[str, Any]]:
    """Build the rows that a logs call returns."""
    wanted = LogFilter(
        message_ids=_several(query, "messageId", settings),
        bulk_ids=_several(query, "bulkId", settings),
        channel=_choice(query, "channel", CONTENT_MEMBERS),
        group_name=_choice(query, "generalStatus", dict.fromkeys(GROUP_NAMES.values())),
        since=_time(query, "sentSince"),
        until=_time(query, "sentUntil"),
        sender=_one(query, "from"),
        to=digits(_one(query, "to") or "") or None,
        mcc=_one(query, "mcc"),
        mnc=_one(query, "mnc"),
        limit=_limit(query, settings),
    )
    found: list[dict[str, Any]] = []
    rows = store.rows(
        now,
        settings,
        message_ids=wanted.message_ids,
        bulk_ids=wanted.bulk_ids,
        since=wanted.since,
        until=wanted.until,
    )
    for message, step, change in rows:
        if _matches(wanted, message, step, change):
            found.append(log_row(message, step, change, settings))
            if len(found) >= wanted.limit:
                break
    return found


def _matches(wanted: LogFilter, message: Message, step: Step, change: Change | None) -> bool:
    status = change.status if change else outcomes.ENROUTE
    return (
        (wanted.channel is None or step.channel == wanted.channel)
        and (wanted.group_name is None or GROUP_NAMES.get(status.group_id) == wanted.group_name)
        and (wanted.sender is None or step.sender == wanted.sender)
        and (wanted.to is None or message.to == wanted.to)
        and (wanted.mcc is None or wanted.mcc == MCC_MNC[:3])
        and (wanted.mnc is None or wanted.mnc == MCC_MNC[3:])
    )


def report_row(entry: ReportEntry, settings: Settings) -> dict[str, Any]:
    """Build one report."""
    message, step, change = entry.message, entry.step, entry.change
    row = _common(message, step, change, settings)
    row["error"] = change.error.to_wire()
    if settings.report_bulk_id == "empty":
        row["bulkId"] = ""
    elif settings.report_bulk_id == "absent":
        del row["bulkId"]
    if message.content.callback_data is not None:
        row["callbackData"] = message.content.callback_data
    if message.reporting is Reporting.SPARSE:
        for name in ("bulkId", "price", "error", "messageCount"):
            row.pop(name, None)
        row["mccMnc"] = "null"
    return row


def log_row(message: Message, step: Step, change: Change | None, settings: Settings) -> dict[str, Any]:
    """Build one log row: no error and no callbackData, but sender and text."""
    row = _common(message, step, change, settings)
    if step.sender is not None:
        row["from"] = step.sender
    if step.text is not None:
        row["text"] = step.text
    return row


def _common(message: Message, step: Step, change: Change | None, settings: Settings) -> dict[str, Any]:
    status = change.status if change else outcomes.ENROUTE
    failed = status.failed and settings.price_of_failed_steps == "zero"
    row: dict[str, Any] = {
        "bulkId": message.bulk_id,
        "messageId": message.message_id,
        "to": message.to,
        "sentAt": format_time(step.logged_ms / 1000, settings.offset),
        "messageCount": _parts(step),
        "mccMnc": MCC_MNC,
        "price": {
            "pricePerMessage": 0.0 if failed else settings.prices.get(step.channel, 0.01),
            "currency": settings.currency,
        },
        "status": status.to_wire(),
        "channel": step.channel,
    }
    if change is not None:
        row["doneAt"] = format_time(change.at, settings.offset)
    return row


def _parts(step: Step) -> int:
    """Return how many SMS a text needs; 1 for other channels."""
    return len(sms_parts.cut(step.text).parts) if step.channel == "SMS" and step.text else 1


def _one(query: Query, name: str) -> str | None:
    values = [value for value in query.get(name, ()) if value]
    if len(values) > 1:
        raise ApiProblem(400, {name: ["may be given once"]})
    return values[0] if values else None


def _several(query: Query, name: str, settings: Settings) -> tuple[str, ...]:
    """Read a parameter that may be repeated, or be a comma list."""
    values = query.get(name, ())
    if settings.id_lists == "none":
        return tuple(dict.fromkeys(value for value in values if value))
    found = tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))
    return found[:1] if settings.id_lists == "first" else found


def _choice(query: Query, name: str, allowed: Mapping[str, Any]) -> str | None:
    value = _one(query, name)
    if value is not None and value not in allowed:
        raise ApiProblem(400, {name: [f"must be one of {', '.join(allowed)}"]})
    return value


def _time(query: Query, name: str) -> float | None:
    value = _one(query, name)
    if value is None:
        return None
    try:
        return read_time(value)
    except ValueError:
        raise ApiProblem(400, {name: ["must be a date and time"]}) from None


def _limit(query: Query, settings: Settings) -> int:
    raw = _one(query, "limit")
    if raw is None:
        return DEFAULT_LIMIT
    if not raw.isascii() or not raw.isdigit() or len(raw) > MOST_DIGITS or int(raw) < 1:
        raise ApiProblem(400, {"limit": ["must be a number, 1 or more"]})
    if int(raw) > MAX_LIMIT and settings.limit_above_max == "400":
        raise ApiProblem(400, {"limit": [f"must be {MAX_LIMIT} or less"]})
    return min(int(raw), MAX_LIMIT)
