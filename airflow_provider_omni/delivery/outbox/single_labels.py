"""Labels for people without a number: the place in `to`, as in errors about bad input. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_omni.delivery.messages.receipt import MAX_IDS
from airflow_provider_omni.delivery.messages.states import (
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    UNRESOLVED,
    MessageState,
    SendRecord,
)
from airflow_provider_omni.delivery.recipients.addresses import Recipient

MOST_NAMED = 10
"""People that an error names."""
UNCONFIRMED = UNRESOLVED | {MessageState.UNCONFIRMED}


def people_of_receipt(people: Sequence[Recipient], message_ids: Sequence[str], record: SendRecord) -> dict[str, Any]:
    """Return the member `recipients` of a receipt: place in `to` and message id of everybody who was posted to.

    A refused one has the status as `rejected`; one in doubt has `unconfirmed`. Of more than 100 people, these two kinds
    come before the others.

    :param message_ids: everybody's current id.
    """
    rows: list[dict[str, Any]] = []
    for person, message_id in zip(people, message_ids, strict=True):
        state = record.state(message_id)
        row: dict[str, Any] = {"to": person.place, "message_id": message_id}
        if state is MessageState.REFUSED:
            rows.append(row | {"rejected": _reason(record, message_id)})
        elif state in UNCONFIRMED:
            rows.append(row | {"unconfirmed": True})
        elif state in MAY_HAVE_ARRIVED:
            rows.append(row)
    if len(rows) > MAX_IDS:
        rows = sorted(sorted(rows, key=len, reverse=True)[:MAX_IDS], key=_place)
    return {"recipients": rows} if rows else {}


def names_of(people: Sequence[Recipient], message_ids: Sequence[str], record: SendRecord) -> tuple[str, ...]:
    """Return lines such as `to[2]: REJECTED_DND` for an error.

    They name those in doubt, the refused, and those who were left out of a send that reached others.

    :param message_ids: everybody's current id.
    """
    doubtful, refused, left = [], [], []
    for person, message_id in zip(people, message_ids, strict=True):
        state = record.state(message_id)
        if state is MessageState.REFUSED:
            refused.append(f"to[{person.place}]: {_reason(record, message_id)}")
        elif state in UNCONFIRMED:
            doubtful.append(f"to[{person.place}]: may or may not have been sent")
        elif state in MAY_BE_POSTED:
            left.append(f"to[{person.place}]: not sent")
    lines = [*doubtful, *refused, *(left if len(left) < len(people) else ())]
    return tuple(_first(lines))


def _first(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:MOST_NAMED]
    if len(lines) > MOST_NAMED:
        yield f"and {len(lines) - MOST_NAMED:,} more"


def _place(row: dict[str, Any]) -> int:
    return int(row["to"])


def _reason(record: SendRecord, message_id: str) -> str:
    posting = record.posting_of(message_id)
    return "REJECTED" if posting is None else posting.reasons.get(message_id, "REJECTED")
