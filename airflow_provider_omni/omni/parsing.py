"""Bytes of a good answer to models. Raises ValueError for everything that is not what the API promises.

Whether an answer is good at all is decided in `responses.py`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from airflow_provider_omni.omni.models import (
    MAX_ROWS,
    OPTIONAL_IN_ROWS,
    LogPage,
    LogRow,
    Report,
    ReportPage,
    ResponseModel,
    Rows,
    Scenario,
    ScenarioList,
    SendResponse,
    SentMessage,
    Status,
)

Row = TypeVar("Row", Report, LogRow)
M = TypeVar("M", bound=ResponseModel)


LONG = 4 * 1024 * 1024
MAX_VALUES = 2_000_000
"""JSON values in an answer longer than `LONG`. Each takes far more memory read than written; 1,000 rows have 30,000."""


class UnreadableResponseError(ValueError):
    """Fault of an answer, in words that hold nothing of it."""


def scenario(body: bytes) -> Scenario:
    """Return the answer to creating, reading and replacing a scenario."""
    return _whole(Scenario, body)


def scenarios(body: bytes) -> list[Scenario]:
    """Return the answer to listing scenarios."""
    return _whole(ScenarioList, body).scenarios


def send_response(body: bytes) -> SendResponse:
    """Return the answer to a send. Read by hand, at half the cost of models: statuses are few, entries are many."""
    document = load(body)
    entries = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnreadableResponseError("there is no list of messages")
    if len(entries) > MAX_ROWS:
        raise UnreadableResponseError(f"it has more than {MAX_ROWS:,} messages")
    statuses: dict[tuple[Any, ...], Status] = {}
    return SendResponse([_sent(entry, statuses) for entry in entries], _text(document.get("bulkId")))


def _sent(entry: Any, statuses: dict[tuple[Any, ...], Status]) -> SentMessage:
    if not isinstance(entry, dict):
        raise UnreadableResponseError("messages.n is no object")
    message_id, given, to = _text(entry.get("messageId")), entry.get("status"), entry.get("to")
    if not message_id:
        raise UnreadableResponseError("messages.n.messageId is missing")
    if not isinstance(given, dict):
        raise UnreadableResponseError("messages.n.status is missing")
    key = (
        given.get("groupId"),
        given.get("groupName"),
        given.get("id"),
        given.get("name"),
    )
    try:
        status = statuses.get(key)
    except TypeError:  # a member is a list or an object
        status = None
    if status is None:
        status = _status(given)
        statuses[key] = status
    return SentMessage(message_id, status, to if isinstance(to, dict) else None)


def _status(given: dict[str, Any]) -> Status:
    try:
        return Status.model_validate(given)
    except ValidationError as error:
        problem = _first_problem(error)
    raise UnreadableResponseError(f"messages.n.status.{problem}")


def _text(value: Any) -> str | None:
    """Return a string, or a number where a string is promised; else None."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def reports(body: bytes) -> list[Report]:
    """Return the answer to a read of reports. What of a row is unreadable is left out; if that is its message id or its
    whole status, so is the row. Then the answer is a `Rows` that says how many those were: one odd row, which may not
    even be ours, must not take the others with it. An answer without any readable row is none.
    """
    _check_size(body)
    try:
        return ReportPage.model_validate_json(body).results
    except ValidationError:
        pass
    return _row_by_row(Report, body)


def log_rows(body: bytes) -> list[LogRow]:
    """Return the answer to a read of logs, as lenient as `reports`."""
    _check_size(body)
    try:
        return LogPage.model_validate_json(body).results
    except ValidationError:
        pass
    return _row_by_row(LogRow, body)


def _whole(model: type[M], body: bytes) -> M:
    _check_size(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problem = _first_problem(error)
    raise UnreadableResponseError(problem)


def _check_size(body: bytes) -> None:
    """Counts what separates and opens values, which is quick, before anything is made of them."""
    if len(body) > LONG and sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise UnreadableResponseError("it has too many values")


def _row_by_row(model: type[Row], body: bytes) -> list[Row]:
    """Read the rows one by one: the slow way, for pages that have something odd in them."""
    page = load(body)
    rows = page.get("results") if isinstance(page, dict) else None
    if not isinstance(rows, list):
        raise UnreadableResponseError("there is no list of results")
    if len(rows) > MAX_ROWS:
        raise UnreadableResponseError(f"it has more than {MAX_ROWS:,} rows")
    readable: Rows[Row] = Rows()
    problem = ""
    for row in rows:
        try:
            readable.append(_lenient(model, row))
        except UnreadableResponseError as error:
            problem = problem or str(error)
            readable.skipped += 1
    if readable.skipped and not readable:
        raise UnreadableResponseError(problem)
    return readable


def _lenient(model: type[Row], row: Any) -> Row:
    """Return the row without those of its members, and of its status's, that cannot be read."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        places = [each["loc"] for each in error.errors(include_url=False, include_input=False)]
        problem = _first_problem(error)
    status = row.get("status") if isinstance(row, dict) else None
    if not isinstance(status, dict):
        raise UnreadableResponseError(problem)
    odd = {place[0] for place in places if place and place[0] != "status"}
    unclear = {place[1] for place in places if len(place) > 1 and place[0] == "status"}
    if odd <= OPTIONAL_IN_ROWS:
        kept = {name: value for name, value in row.items() if name not in odd}
        kept["status"] = {name: value for name, value in status.items() if name not in unclear}
        return model.model_validate(kept)
    raise UnreadableResponseError(problem)


def load(body: bytes) -> Any:
    """Any JSON, or UnreadableResponseError; bounded in depth and length of numbers, unlike the standard library."""
    _check_size(body)
    try:
        return from_json(body, cache_strings="keys")
    except ValueError:
        pass
    raise UnreadableResponseError("it is not JSON")


def _first_problem(error: ValidationError) -> str:
    """Return the place and the kind of a mistake, without the value. Member names are the API's own: unknown ones are
    never looked at.
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return "it is not JSON"
    where = ".".join("n" if isinstance(part, int) else part for part in first["loc"])
    return f"{where or 'the answer'}: {first['type'].replace('_', ' ')}"
