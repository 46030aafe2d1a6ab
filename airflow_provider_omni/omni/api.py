"""The seven calls of the API, each built once, as a value.

Nothing is sent here: `client.py` and `aio.py` move the bytes, `responses.py` reads what comes back with the call's
own parser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from pydantic_core import PydanticSerializationError, to_json

from airflow_provider_omni.omni import parsing
from airflow_provider_omni.omni.content import AdvancedRequest
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import LogRow, NewScenario, Report, Scenario, SendResponse
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.timestamps import format_query_time
from airflow_provider_omni.omni.words import some

T = TypeVar("T")

SCENARIOS = "/omni/1/scenarios"
ADVANCED = "/omni/1/advanced"
REPORTS = "/omni/1/reports"
LOGS = "/omni/1/logs"

MAX_LIMIT = 1000
"""The most reports or log rows that one answer has."""

MAX_IDS_LENGTH = 2048
"""Characters that the ids of one logs call may take together."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request of the API and the way to read its answer. Its repr shows neither body nor query, for their numbers.

    :param path: from the root, already percent-encoded.
    :param query: names and values as they are, to be encoded by `target`.
    :param body: JSON, or None.
    :param parse: reads the body of a good answer; ValueError if it is not what the API promises.
    :param consumes: the vendor forgets what it handed out: an answer that is lost is lost.
    """

    method: str
    path: str
    parse: Callable[[bytes], T] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    consumes: bool = False

    @property
    def name(self) -> str:
        """For errors and logs: `GET /omni/1/logs`, without the query."""
        return f"{self.method} {self.path}"

    @property
    def kind(self) -> str:
        """For metrics: `send`, `reports`, `logs`, or what is done to scenarios. No id is in it."""
        if self.path.startswith(f"{SCENARIOS}/"):
            return "update_scenario" if self.method == "PUT" else "get_scenario"
        if self.path == SCENARIOS:
            return "create_scenario" if self.method == "POST" else "list_scenarios"
        return {ADVANCED: "send", REPORTS: "reports", LOGS: "logs"}.get(self.path, "other")

    @property
    def target(self) -> str:
        """Path and query as they go over the wire; `+` in times is `%2B`."""
        return self.path + ("?" + urlencode(self.query, quote_via=quote) if self.query else "")

    @property
    def repeatable(self) -> bool:
        """True if it may be made again when nobody knows if it took effect: not for a send and a read-once read."""
        return self.method in ("GET", "PUT") and not self.consumes


Observer = Callable[[Call[Any], int | None, float], None]
"""Sees each call of a client when it has ended: the call, the status of its answer (None: there was none), and the
seconds that it took. Must neither raise nor wait.
"""


def create_scenario(scenario: NewScenario) -> Call[Scenario]:
    """Store a scenario. Nothing dedupes it: two calls make two. The vendor allows 20 in 10 minutes."""
    return Call("POST", SCENARIOS, parsing.scenario, body=_json(scenario.to_wire()))


def list_scenarios(page: int = 0, limit: int = 100, is_default: bool | None = None) -> Call[list[Scenario]]:
    """Return one page of the account's scenarios; there is a next one while a page is full."""
    query = [("page", str(page)), ("limit", str(limit))]
    if is_default is not None:
        query.append(("isDefault", "true" if is_default else "false"))
    return Call("GET", SCENARIOS, parsing.scenarios, query=tuple(query))


def get_scenario(key: str) -> Call[Scenario]:
    """Return one scenario; 404 if there is none."""
    return Call("GET", _scenario_path(key), parsing.scenario)


def update_scenario(key: str, scenario: NewScenario) -> Call[Scenario]:
    """Replace a scenario. The vendor allows 40 in 10 minutes."""
    return Call("PUT", _scenario_path(key), parsing.scenario, body=_json(scenario.to_wire()))


def send_advanced(request: AdvancedRequest) -> Call[SendResponse]:
    """Send. Costs money, and has no idempotency key: never to be repeated while its outcome is unknown."""
    return Call("POST", ADVANCED, parsing.send_response, body=_json(request.to_wire()))


def get_reports(
    *, bulk_id: str | None = None, message_id: str | None = None, channel: str | None = None, limit: int = MAX_LIMIT
) -> Call[list[Report]]:
    """Delivery reports, each handed out once. Unfiltered it takes every caller's reports of the account."""
    query = [("bulkId", bulk_id), ("messageId", message_id), ("channel", channel), ("limit", str(limit))]
    return Call("GET", REPORTS, parsing.reports, query=_given(query), consumes=True)


def get_logs(
    *,
    bulk_ids: Sequence[str] = (),
    message_ids: Sequence[str] = (),
    channel: str | None = None,
    general_status: str | None = None,
    sent_since: datetime | None = None,
    sent_until: datetime | None = None,
    from_: str | None = None,
    to: str | None = None,
    limit: int = MAX_LIMIT,
) -> Call[list[LogRow]]:
    """Log rows of the last 48 hours, one per message and channel tried; repeatable. The vendor allows 120 a minute.

    Raises OmniInputError if the ids hold a comma or are too many for one call.
    """
    query = [
        ("from", from_),
        ("to", to),
        ("bulkId", _ids("bulk_ids", bulk_ids)),
        ("messageId", _ids("message_ids", message_ids)),
        ("generalStatus", general_status),
        ("channel", channel),
        ("sentSince", None if sent_since is None else format_query_time(sent_since)),
        ("sentUntil", None if sent_until is None else format_query_time(sent_until)),
        ("limit", str(limit)),
    ]
    return Call("GET", LOGS, parsing.log_rows, query=_given(query))


def _given(query: Sequence[tuple[str, str | None]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in query if value is not None)


def _ids(field: str, ids: Sequence[str]) -> str | None:
    """Return the ids with commas between them. So the API takes them, and an id with a comma cannot be asked for."""
    if isinstance(ids, str):
        raise OmniInputError(unexpected(field, "one string", "a list of ids."))
    joined = ",".join(ids)
    if joined.count(",") >= max(len(ids), 1) or not all(ids):
        raise OmniInputError(f"{field}: an id is empty or holds a comma; the logs cannot be asked for it.")
    if len(joined) > MAX_IDS_LENGTH:
        raise OmniInputError(
            f"{field}: {some(len(ids), 'id')} of {len(joined):,} characters together, one logs call allows "
            f"{MAX_IDS_LENGTH:,}."
        )
    return joined or None


def _scenario_path(key: str) -> str:
    if not isinstance(key, str) or key.strip(". ") == "":
        raise OmniInputError(unexpected("scenario key", "an empty one", "the key that creating a scenario returned."))
    try:
        return f"{SCENARIOS}/{quote(key, safe='')}"
    except UnicodeEncodeError:
        raise OmniInputError("scenario key: holds half of a surrogate pair.") from None


def _json(wire: object) -> bytes:
    try:
        return to_json(wire)
    except (PydanticSerializationError, ValueError, RecursionError):
        problem = "values that JSON does not have, or half of a surrogate pair"
    raise OmniInputError(f"The request cannot be written as JSON: it holds {problem}. Nothing was sent.")
