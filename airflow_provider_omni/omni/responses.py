"""One place that reads every answer, for the sync and the async client alike: a model, or one of `errors.py`.

Both generations of the vendor's error bodies are understood, and so are empty ones, HTML and garbage. What an error
says of the vendor's own words is masked: it may echo what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from airflow_provider_omni.omni import parsing
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniRequestError,
    OmniServerError,
)
from airflow_provider_omni.omni.masking import Private, mask_numbers_in
from airflow_provider_omni.omni.models import Rows
from airflow_provider_omni.omni.parsing import UnreadableResponseError
from airflow_provider_omni.omni.plainwords import only_words

T = TypeVar("T")

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Longer answers are refused, counted after decompression."""

MAX_RETRY_AFTER = 24 * 3600.0
MAX_DETAILS = 20
MAX_DETAIL_LENGTH = 300
MAX_ERROR_BODY = 256 * 1024

_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_SAFE_MEMBERS = frozenset({"scenarioKey", "bulkId", "messageId", "type", "channel", "validityPeriodTimeUnit", "sendAt"})


@dataclass(frozen=True)
class Response:
    """An HTTP answer, as bytes. Headers may have any case; its repr shows no body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read(call: Call[T], answer: Response, secrets: Sequence[str] = ()) -> T:
    """Return the model that the call promises, or one of `errors.py`, whatever the bytes are.

    :param secrets: what no error may hold, even if the vendor says it (`OmniConfig.secrets`).
    """
    if 200 <= answer.status < 300:
        try:
            model = call.parse(answer.body)
            if isinstance(model, list):
                rows = model if isinstance(model, Rows) else Rows(model)
                rows.said_at = _date_of(answer.headers)
                return cast("T", rows)
            return model
        except UnreadableResponseError as error:
            problem = "it is empty" if not answer.body.strip() else str(error)
        raise OmniProtocolError(
            f"The answer is not what the API promises: {problem}. {after_effect(call, Effect.UNKNOWN)}",
            status=answer.status,
            path=call.name,
        )
    raise _error(call, answer, secrets)


def refuses(status: int) -> bool:
    """Return True if this status alone tells that the request had no effect, whatever the answer's body."""
    return 400 <= status < 500


def after_effect(call: Call[Any], effect: Effect) -> str:
    """Return the sentence that tells what the failed call may have done."""
    if effect is Effect.NONE:
        return "Nothing was sent." if call.method != "GET" else "Nothing was read."
    if call.consumes:
        return "Reports may have been handed out and lost; the logs still have them for 48 hours."
    if call.method == "GET":
        return "Nothing was changed by it."
    return "Whether it took effect is not known: ask the logs or the list, do not repeat it blindly."


def _error(call: Call[Any], answer: Response, secrets: Sequence[str]) -> OmniError:
    status = answer.status
    details = _vendor_details(call, answer.body, secrets) if status >= 400 else _Details()
    effect = Effect.NONE if refuses(status) else Effect.UNKNOWN
    after = after_effect(call, effect)
    said = f' The vendor says: "{details.text}".' if details.text else ""
    kind: type[OmniError]
    retryable: bool | None = None
    if status in (401, 403):
        kind = OmniAuthenticationError
        what = (
            "The login was refused: check login, password and auth_type of the connection."
            if status == 401
            else "Signed in, but without the right for this call: ask for it at the vendor's, or use another login."
        )
    elif status == 429:
        kind, what = OmniRateLimitError, "Too many calls: the vendor asks us to slow down."
    elif 400 <= status < 500:
        kind, what = OmniRequestError, _REQUEST_SENTENCES.get(status, "The vendor refused the request.")
        retryable = status in (408, 425)
    elif 500 <= status < 600:
        kind, what = OmniServerError, "The vendor's side failed."
    elif 300 <= status < 400:
        kind = OmniProtocolError
        what = "A redirect came, which is never followed: check the connection's host and scheme."
        retryable = False
    else:
        kind, what = OmniProtocolError, "The answer's HTTP status is none that the API has."
    return kind(
        f"{what}{said} {after}",
        status=status,
        vendor_code=details.code,
        path=call.name,
        effect=effect,
        retry_after=retry_after(answer.headers) if status >= 400 else None,
        problems=details.problems,
        retryable=retryable,
    )


_REQUEST_SENTENCES = {
    404: "There is nothing at this address: check the scenario key and the connection's host.",
    408: "The vendor did not get the whole request in time.",
    409: "The vendor refused it in the scenario's or the account's present state.",
    413: "The request is too large for the vendor: use a smaller chunk_size.",
}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait: `Retry-After` as a number, or as a date counted from the answer's own `Date`; at most
    a day.
    """
    found = {name.lower(): value for name, value in headers.items() if name.lower() in ("retry-after", "date")}
    value = found.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return min(float(value), MAX_RETRY_AFTER)
    try:
        then, now = (parsedate_to_datetime(text[:64]) for text in (value, found.get("date", "")))
        seconds = (_aware(then) - _aware(now)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _date_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds since the epoch that the answer's `Date` names."""
    text = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return _aware(parsedate_to_datetime(text[:64])).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Details:
    code: str | None = None
    text: str = ""
    problems: tuple[str, ...] = ()


def _vendor_details(call: Call[Any], body: bytes, secrets: Sequence[str]) -> _Details:
    """Return the vendor's code and words from either envelope. Of a body that is not JSON nothing is shown."""
    if len(body) > MAX_ERROR_BODY:
        return _Details()
    try:
        document = parsing.load(body)
    except UnreadableResponseError:
        return _Details()
    redact = _Redactor(call, secrets)
    old = _dig(document, "requestError", "serviceException")
    if isinstance(old, dict):
        problems = _lines(redact, _validation_errors(old.get("validationErrors")))
        return _Details(redact.code(old.get("messageId")), redact(old.get("text")), problems)
    if isinstance(document, dict):
        problems = _lines(redact, _violations(document.get("violations")))
        return _Details(redact.code(document.get("errorCode")), redact(document.get("description")), problems)
    return _Details()


def _dig(document: Any, *names: str) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _validation_errors(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the lines of `{"line.url": ["must not be empty"]}`, and of the lists and strings that it may be instead."""
    if isinstance(value, dict):
        for where, texts in value.items():
            for text in texts if isinstance(texts, list) else [texts]:
                yield where, text
    elif isinstance(value, list):
        for text in value:
            yield "", text
    elif value is not None:
        yield "", value


def _violations(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the lines of `[{"property": "line.url", "violation": "must not be empty"}]`."""
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            yield str(entry.get("property") or ""), entry.get("violation")


def _lines(redact: _Redactor, found: Iterator[tuple[str, Any]]) -> tuple[str, ...]:
    lines: list[str] = []
    for where, text in found:
        if len(lines) == MAX_DETAILS:
            lines.append("and more")
            break
        lines.append(": ".join(part for part in (redact(where), redact(text)) if part) or "(no words)")
    return tuple(lines)


class _Redactor:
    """Takes out of the vendor's words what we sent (the account's secrets, texts, URLs, numbers), and everything that
    looks like a number or like a login that is sent along.
    """

    def __init__(self, call: Call[Any], secrets: Sequence[str]) -> None:
        self._call = call
        self._secrets = secrets
        self._private: Private | None = None

    def __call__(self, said: object) -> str:
        if not isinstance(said, str) or not said:
            return ""
        words = only_words(mask_numbers_in(self._all().redact(said)[: 4 * MAX_DETAIL_LENGTH]))
        words = "".join(character if character.isprintable() else " " for character in words)
        return words if len(words) <= MAX_DETAIL_LENGTH else words[:MAX_DETAIL_LENGTH] + "…"

    def code(self, value: Any) -> str | None:
        """Return the vendor's code, if that is what it is."""
        if not isinstance(value, str) or not _CODE.fullmatch(value) or self._all().holds(value):
            return None
        masked = mask_numbers_in(value)
        return masked if only_words(masked) == masked else None

    def _all(self) -> Private:
        if self._private is None:
            self._private = Private(self._secrets, _sent_strings(self._call))
        return self._private


def _sent_strings(call: Call[Any]) -> tuple[str, ...]:
    """Return every string of the request that may be personal."""
    found = {value for name, value in call.query if name in ("to", "from")}
    if call.body:
        found |= set(_leaves(parsing.load(call.body)))
    return tuple(sorted(value for value in found if len(value) >= 3))


def _leaves(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from _leaves(inner, member)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, str) and name not in _SAFE_MEMBERS:
        yield value
