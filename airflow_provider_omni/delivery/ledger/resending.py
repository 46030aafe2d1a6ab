"""Rows for a second send: those of a ledger who were not reached, with the fields they had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from airflow_provider_omni.delivery.batch.rows import Row
from airflow_provider_omni.delivery.batch.scratch import Scratch
from airflow_provider_omni.delivery.ledger.opening import ledgers_in
from airflow_provider_omni.delivery.ledger.parts import PLAN, SENT, TRIES, ours, unpack
from airflow_provider_omni.delivery.ledger.reading import OutcomeRow, read_outcomes_of
from airflow_provider_omni.delivery.record import MessageState
from airflow_provider_omni.omni.errors import OmniInputError

_S = MessageState
NEVER_SENT = frozenset({_S.NOT_SENT.value, _S.ABSENT.value})


def rows_of_unreached(ledger: Any, phone_field: str, *, include_unknown: bool) -> Iterator[Row]:
    """The recipients of a ledger, or of all its shards, who count as not reached. See `unreached`."""
    place, empty = 0, True
    for folder in ledgers_in(ledger):
        if not ours(folder.list(TRIES)):
            continue
        empty = False
        names = ours(folder.list(PLAN))
        if not names and ours(folder.list(SENT)):
            raise _unreadable("its plan/ was removed: nobody knows the numbers any more")
        was_called = _phone_field(folder)
        with Scratch() as scratch:
            scratch.do("CREATE TABLE plan (label TEXT PRIMARY KEY, person TEXT NOT NULL) WITHOUT ROWID")
            for name in names:
                scratch.many(
                    "INSERT OR REPLACE INTO plan (label, person) VALUES (?, ?)",
                    (
                        (line.get("key") or line["id"], to_json(line).decode())
                        for line in unpack(folder.read(name), name)
                    ),
                )
            for outcome in read_outcomes_of(folder):
                if is_unreached(outcome, include_unknown=include_unknown):
                    person = scratch.one("SELECT person FROM plan WHERE label = ?", outcome.recipient)
                    if person is not None:
                        yield _row(place, from_json(person), was_called, phone_field)
                        place += 1
                scratch.do("DELETE FROM plan WHERE label = ?", outcome.recipient)
            # Whoever was planned and never came so far as to be posted.
            for (person,) in scratch.rows("SELECT person FROM plan"):
                yield _row(place, from_json(person), was_called, phone_field)
                place += 1
    if empty:
        raise _unreadable("no batch has used this ledger")


def is_unreached(row: OutcomeRow, *, include_unknown: bool = False) -> bool:
    """Whether a recipient counts as not reached."""
    if row.permanent:
        return False
    if row.outcome == "failed":
        return True
    if row.outcome in ("delivered", "operator"):
        return False
    if row.state in NEVER_SENT or row.state == _S.REFUSED.value:
        return True
    # Nothing final is known: under way, or nobody has followed it.
    return include_unknown


def _phone_field(folder: Any) -> str:
    for name in ours(folder.list(TRIES)):
        for line in unpack(folder.read(name), name):
            return str(line.get("phone_field") or "phone")
    return "phone"


def _row(place: int, person: dict[str, Any], was_called: str, phone_field: str) -> Row:
    fields = dict(person.get("fields") or {})
    number = fields.pop(was_called, None) or person["to"]
    return Row(place, person["to"], {**fields, phone_field: number})


def _unreadable(why: str) -> OmniInputError:
    return OmniInputError("The unreached cannot be read from the ledger", problems=(f"ledger_path: {why}",))
