"""The rows of a ledger, for who may read the XComs of the task that wrote it. Never a phone number.

A path comes from nowhere but that task's own XCom `omni_delivery`, which Airflow is asked for with the viewer's own
session. So nobody reads a ledger whose path Airflow does not show them, and nobody makes the API server open a path of
their own choice by an address.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from urllib.parse import quote

from airflow_provider_omni.delivery.results.reader import OutcomeRow, QuarantineRow, read_outcomes, read_quarantine
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.reasons import reason_in_words

KEY = "omni_delivery"
MOST = 1000
"""Rows of a page, at most."""
AT_ONCE = 500
"""Rows of a CSV file that are written at once."""
LARGEST = 200_000
"""Recipients of a ledger that is read here. More would keep a core of the API server for more than ten seconds."""
SIDE_BY_SIDE = 2
"""Ledgers that one API server reads at a time. Each takes a core while it is read."""

Only = Literal["unreached", "failed", "pending", "all", "quarantined"]
"""The rows that are asked for: who was not reached (`failed` and who was refused or never posted to), whose delivery
failed, whose outcome is open, everybody, or the rows of the source that were left out.
"""

COLUMNS = (
    "recipient",
    "message_id",
    "bulk_id",
    "state",
    "reason",
    "outcome",
    "channel",
    "status",
    "error",
    "words",
    "permanent",
    "sent_at",
    "done_at",
    "cost",
    "currency",
)
"""Columns of the CSV file. Times are ISO 8601 in UTC; `words` is why it failed or was refused, in plain words."""
QUARANTINE_COLUMNS = ("row", "recipient", "reason")
"""Columns of the CSV file of those who were left out; `row` is the place in the source."""

_NOT_REACHED = frozenset({"refused", "not_sent", "absent"})
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_free = threading.BoundedSemaphore(SIDE_BY_SIDE)


class LedgerError(Exception):
    """The rows cannot be shown. `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def ledger_path_of(airflow: Any, headers: Mapping[str, str], where: Mapping[str, Any]) -> str:
    """Return the path that stands in a task's XCom, read from Airflow's REST API in this process.

    :param airflow: the application that serves `/api/v2`.
    :param headers: those of the viewer's request; who they are is in two of them.
    :param where: `dag_id`, `run_id`, `task_id` and `map_index`.

    Raises LedgerError with Airflow's own status where it does not give the XCom to this viewer.
    """
    import httpx

    dag, run, task = (quote(where[name], safe="") for name in ("dag_id", "run_id", "task_id"))
    identity = {name: headers[name] for name in ("authorization", "cookie") if name in headers}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=airflow), base_url="http://airflow") as client:
        answer = await client.get(
            f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/{KEY}",
            params={"map_index": where["map_index"]},
            headers=identity,
        )
    if answer.status_code in (401, 403):
        raise LedgerError(answer.status_code, "You may not read the XComs of this DAG.")
    if answer.status_code != 200:
        raise LedgerError(404, f"The task has no XCom {KEY}.")
    report = _read(answer.json()["value"])
    path = report.get("ledger_path")
    if not isinstance(path, str) or not path:
        raise LedgerError(404, "This task has no ledger.")
    requested = _read(report.get("counts")).get("requested")
    if isinstance(requested, int) and requested > LARGEST:
        raise LedgerError(413, f"A ledger of more than {LARGEST:,} is not read here. Use `read_outcomes` in a task.")
    return path


def _read(value: Any) -> dict[str, Any]:
    """Return a value of an XCom that should be an object. Airflow 3.1 hands some out as text."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return value if isinstance(value, dict) else {}


def page_of(path: str, only: Only, limit: int, offset: int) -> dict[str, Any]:
    """Return some rows of a ledger, and whether there are more. Its parts are read anew for each page."""
    with _turn():
        rows = list(itertools.islice(_rows(path, only), offset, offset + limit + 1))
    return {"rows": [shown(row) for row in rows[:limit]], "more": len(rows) > limit}


def csv_of(path: str, only: Only) -> Iterator[str]:
    """Return the parts of a CSV file with all rows of a ledger. What goes wrong before its first row is raised here."""
    parts = _csv_parts(path, only)
    # Begun here: a generator that nobody has begun would not give its place back if nobody wanted it any more.
    return itertools.chain([next(parts)], parts)


def _csv_parts(path: str, only: Only) -> Iterator[str]:
    columns = QUARANTINE_COLUMNS if only == "quarantined" else COLUMNS
    with _turn():
        rows = _rows(path, only)
        first = list(itertools.islice(rows, 1))
        yield _lines([columns])
        lines = (with_money(shown(row)) for row in itertools.chain(first, rows))
        while batch := list(itertools.islice(lines, AT_ONCE)):
            yield _lines([cell(row[name]) for name in columns] for row in batch)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Take one of the few places for reading a ledger."""
    if not _free.acquire(blocking=False):
        raise LedgerError(503, "This API server is reading other ledgers. Try again in a moment.")
    try:
        yield
    finally:
        _free.release()


def _rows(path: str, only: Only) -> Iterator[OutcomeRow | QuarantineRow]:
    """Yield the rows that are asked for, in an order that is the same while nobody writes."""
    from airflow_provider_omni.delivery.ledger.layout import ledgers_in
    from airflow_provider_omni.storage.object_storage import storage_path
    from airflow_provider_omni.storage.places import ledger_place

    try:
        place = storage_path(ledger_place(path))
        if next(ledgers_in(place), None) is None:
            raise LedgerError(404, _nothing_there(path))
        if only == "quarantined":
            yield from read_quarantine(place)
        else:
            yield from (row for row in read_outcomes(place) if _is_wanted(row, only))
    except LedgerError:
        raise
    except OmniError as error:
        words = "; ".join(getattr(error, "problems", ())) or str(error)
        raise LedgerError(502, f"The ledger cannot be read: {words}") from error
    except Exception as error:
        # Whatever a file system, its library or its connection raises: the words may hold what nobody should see.
        kind = type(error).__name__
        raise LedgerError(502, f"The API server cannot read the ledger ({kind}). {_needs(path)}") from error


def _nothing_there(path: str) -> str:
    return f"The API server finds no ledger there. {_needs(path)}"


def _needs(path: str) -> str:
    if "://" in path and not path.startswith("file://"):
        return "It needs the same connection and the same provider for this object store as the workers."
    return (
        "A local path must be on a disk that API server and workers share. Else read it with `read_outcomes` in a task."
    )


def _is_wanted(row: OutcomeRow, only: Only) -> bool:
    not_reached = row.outcome == "failed" or (row.outcome is None and row.state in _NOT_REACHED)
    if only == "failed":
        return row.outcome == "failed"
    if only == "unreached":
        return not_reached
    if only == "pending":
        return not not_reached and row.outcome not in ("delivered", "operator")
    return True


def shown(row: OutcomeRow | QuarantineRow, *, whole: bool = False) -> dict[str, Any]:
    """Return a row as JSON. Times are ISO 8601 in UTC.

    :param whole: show a key that is a number or an address as it is. Default False: masked.
    """
    members = asdict(row)
    if row.recipient is not None and not whole:
        members["recipient"] = shown_key(row.recipient)
    if isinstance(row, OutcomeRow):
        members |= {"sent_at": _iso_time(row.sent_at), "done_at": _iso_time(row.done_at), "words": _words_of(row)}
    return members


def _iso_time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _words_of(row: OutcomeRow) -> str | None:
    """Return why the recipient was not reached, in the words of logs and errors; None for who was, or may be yet."""
    if row.outcome == "failed" and row.status is not None:
        return reason_in_words(row.status, row.error)
    return reason_in_words(row.reason) if row.outcome is None and row.reason is not None else None


def with_money(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose cost is a number that a spreadsheet adds up, and beside it the currency."""
    cost = row.get("cost") or {}
    return row | {"cost": " + ".join(map(_amount, cost.values())), "currency": " + ".join(cost)}


def _amount(amount: str) -> str:
    """Return an amount with at least two places: `0` as `0.00`."""
    try:
        number = Decimal(amount)
    except InvalidOperation:
        return amount
    places = -int(number.normalize().as_tuple().exponent) if number.is_finite() else 0
    return f"{number:.{max(places, 2)}f}" if number.is_finite() else amount


def shown_key(key: str) -> str:
    """Return a user's own key, masked if it is a phone number or an address, which it should not be."""
    from airflow_provider_omni.omni.masking import mask_number, mask_numbers_in

    digits = "".join(filter(str.isdigit, key))
    if "@" in key:
        return mask_numbers_in(key)
    if 8 <= len(digits) <= 15 and set(key) <= set("+0123456789 ().-/") and _could_be_called(key, digits):
        return mask_number(key)
    return key


def _could_be_called(key: str, digits: str) -> bool:
    import phonenumbers

    if key.lstrip().startswith("+") or digits.startswith("0"):
        return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return value
