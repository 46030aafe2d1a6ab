"""Error answers, in both envelopes that the vendor uses, and dates as the vendor writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import WireReply

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json;charset=UTF-8"}

ERROR_TEXTS: dict[int, tuple[str, str]] = {
    400: ("BAD_REQUEST", "Bad request"),
    401: ("UNAUTHORIZED", "Invalid login details"),
    403: ("UNAUTHORIZED", "Unauthorized access"),
    404: ("NOT_FOUND", "Requested URL not found"),
    405: ("METHOD_NOT_ALLOWED", "Method not allowed"),
    409: ("CONFLICT", "Invalid scenario"),
    413: ("PAYLOAD_TOO_LARGE", "Request body too large"),
    429: ("TOO_MANY_REQUESTS", "Too many requests"),
    500: ("GENERAL_ERROR", "Something went wrong"),
    502: ("BAD_GATEWAY", "Bad gateway"),
    503: ("SERVICE_UNAVAILABLE", "Service unavailable"),
    504: ("GATEWAY_TIMEOUT", "Gateway timeout"),
}
"""HTTP status → the vendor's `messageId` and `text`."""

MOST_DIGITS = 18
"""Digits of a number in a query, at most."""
LAST_DATE = 253_370_764_800.0
"""9999-01-01T00:00:00Z: what happens later is dated so, since no date is written beyond it."""

_ZONES: dict[str, timezone] = {
    "+0000": UTC,
    "Z": UTC,
    "+0100": timezone(timedelta(hours=1)),
    "+01:00": timezone(timedelta(hours=1)),
    "-0300": timezone(timedelta(hours=-3)),
}


class ApiProblem(Exception):
    """A request that is answered with an error. `details`: member path → what is wrong with it."""

    def __init__(self, status: int, details: Mapping[str, list[str]] | None = None, retry_after: float | None = None):
        super().__init__(status)
        self.status = status
        self.details = dict(details or {})
        self.retry_after = retry_after


def error_reply(problem: ApiProblem, settings: Settings, envelope: str | None = None) -> WireReply:
    """Build the answer for a problem. `envelope` overrides the switch: legacy, current or empty."""
    style = envelope or (settings.throttle_body if problem.status == 429 else settings.error_body)
    code, text = ERROR_TEXTS.get(problem.status, ("GENERAL_ERROR", "Something went wrong"))
    headers = dict(JSON_HEADERS)
    if problem.retry_after is not None:
        headers["retry-after"] = f"{max(1, round(problem.retry_after))}"
    if style == "empty":
        return WireReply(problem.status, {k: v for k, v in headers.items() if k != "content-type"}, b"")
    body: dict[str, Any]
    if style == "legacy":
        exception: dict[str, Any] = {"messageId": code, "text": text}
        if problem.details:
            exception["validationErrors"] = problem.details
        body = {"requestError": {"serviceException": exception}}
    else:
        body = {
            "errorCode": f"E{problem.status}",
            "description": text,
            "action": "Check the request, or try again later.",
            "violations": [
                {"property": path, "violation": violation}
                for path, all_ in problem.details.items()
                for violation in all_
            ],
            "resources": [{"name": "Errors and responses", "url": "https://www.infobip.com/docs"}],
        }
    return WireReply(problem.status, headers, json.dumps(body).encode())


def json_reply(status: int, body: Any) -> WireReply:
    """Build an ordinary answer."""
    return WireReply(status, JSON_HEADERS, json.dumps(body, ensure_ascii=False).encode())


def format_time(moment: float, offset: str) -> str:
    """Write a time as answers do: milliseconds, and the offset as the switch says."""
    whole = datetime.fromtimestamp(min(moment, LAST_DATE), _ZONES[offset])
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{whole.microsecond // 1000:03d}{offset}"


def read_time(text: str) -> float:
    """Read a time of a request: ISO 8601, offset with or without colon, else UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
