"""The people of a send to a few, in its receipt and its errors: by the place in `to`, never by the number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from airflow_provider_omni.delivery.messages.receipt import MAX_IDS, SentBulk
from airflow_provider_omni.delivery.messages.states import MAY_BE_POSTED, MAY_HAVE_ARRIVED, UNCERTAIN, MessageState
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.progress import SendProgress

MOST_NAMED = 10
"""People that an error names."""


def people_of_receipt(workspace: Workspace, progress: SendProgress) -> dict[str, Any]:
    """Return the member `recipients` of a receipt: place in `to` and message id of everybody who was posted to.

    A refused one has the status as `rejected`; one in doubt has `unconfirmed`. Of more than 100 people, these two kinds
    come before the others.
    """
    rows: list[dict[str, Any]] = []
    for place, message_id, state in _people(workspace, progress):
        row: dict[str, Any] = {"to": place, "message_id": message_id}
        if state is MessageState.REFUSED:
            rows.append(row | {"rejected": _reason(progress, message_id)})
        elif state in UNCERTAIN:
            rows.append(row | {"unconfirmed": True})
        elif state in MAY_HAVE_ARRIVED:
            rows.append(row)
    if len(rows) > MAX_IDS:
        rows = sorted(sorted(rows, key=len, reverse=True)[:MAX_IDS], key=_place)
    return {"recipients": rows} if rows else {}


def in_order(bulks: Sequence[SentBulk], workspace: Workspace) -> list[SentBulk]:
    """Return the requests of a receipt with their messages in the order of `to`. Those to people who are not in it any
    more come last.
    """
    places = dict(workspace.all("SELECT id, seq FROM person"))
    last = max(places.values(), default=0) + 1

    def place(message_id: str) -> tuple[int, str]:
        return places.get(message_id, last), message_id

    return [SentBulk(each.bulk_id, tuple(sorted(each.message_ids, key=place))) for each in bulks]


def names_of(workspace: Workspace, progress: SendProgress) -> tuple[str, ...]:
    """Return lines such as `to[2]: REJECTED_DND` for an error.

    They name those in doubt, the refused, and those who were left out of a send that reached others.
    """
    doubtful, refused, left, everybody = [], [], [], 0
    for place, message_id, state in _people(workspace, progress):
        everybody += 1
        if state is MessageState.REFUSED:
            refused.append(f"to[{place}]: {_reason(progress, message_id)}")
        elif state in UNCERTAIN:
            doubtful.append(f"to[{place}]: may or may not have been sent")
        elif state in MAY_BE_POSTED:
            left.append(f"to[{place}]: not sent")
    lines = [*doubtful, *refused, *(left if len(left) < everybody else ())]
    return tuple(_first(lines))


def _people(workspace: Workspace, progress: SendProgress) -> Iterator[tuple[int, str, MessageState | None]]:
    """Yield place, current message id and its state of everybody."""
    states = progress.each or {}
    for place, message_id in workspace.all("SELECT seq, id FROM person ORDER BY seq"):
        yield place, message_id, states.get(message_id)


def _first(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:MOST_NAMED]
    if len(lines) > MOST_NAMED:
        yield f"and {len(lines) - MOST_NAMED:,} more"


def _place(row: dict[str, Any]) -> int:
    return int(row["to"])


def _reason(progress: SendProgress, message_id: str) -> str:
    return progress.reasons.get(message_id, "REJECTED")
