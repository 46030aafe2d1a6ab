"""The codec: status updates in the forms in which they are written down, in a journal's entry and in a ledger.

A report is gone once it was read, so it is written before anything is decided from it. Each bulk has one entry, JSON
with message ids, statuses and times: no number, no text. A repeated string stands once, in a table.

`{"v": 1,
  "s": [[channel, state, status, currency, error], …],
  "m": {message_id: [[s, sent_ms, done_ms, cost, permanent], …]},
  "account": a hash that tells accounts apart}`

If a request's bulk id does not find its messages, each message is followed alone and has an entry of its own. The
request's entry then says `"one_by_one": true`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_omni.delivery.effects import Json
from airflow_provider_omni.delivery.messages.status import StatusUpdate
from airflow_provider_omni.omni.statuses import StepState

VERSION = 1


def step_of(update: StatusUpdate) -> list[Any]:
    """Return an update as a list of its members, without the message id, in the order that docs/batches.md gives.

    Times are seconds since the epoch.
    """
    return [
        update.channel,
        update.state.name,
        update.status,
        update.sent_at,
        update.done_at,
        update.cost,
        update.currency,
        update.permanent,
        update.error,
    ]


def update_of(message_id: str, step: list[Any]) -> StatusUpdate:
    """Read an update from such a list. Raises ValueError, KeyError or TypeError for anything else."""
    # What was written before errors were kept has none.
    channel, state, status, sent_at, done_at, cost, currency, permanent, error = (*step, None)[:9]
    return StatusUpdate(
        message_id=message_id,
        channel=channel,
        state=StepState[state],
        status=status,
        sent_at=sent_at,
        done_at=done_at,
        cost=cost,
        currency=currency,
        permanent=permanent,
        error=error,
    )


def encode(updates: Iterable[StatusUpdate], account: str = "") -> dict[str, Json]:
    """Write status updates as one JSON value. Their order makes no difference to it.

    :param account: the account that they were read from (`OmniConfig.account_mark`); left out if empty.
    """
    kinds: dict[tuple[str, str, str, str | None, str | None], int] = {}
    messages: dict[str, list[Any]] = {}
    for update in sorted(updates, key=lambda each: (each.message_id, each.channel, each.state.value, each.status)):
        kind = (update.channel, update.state.name, update.status, update.currency, update.error)
        row = [
            kinds.setdefault(kind, len(kinds)),
            _milliseconds(update.sent_at),
            _milliseconds(update.done_at),
            update.cost,
            update.permanent,
        ]
        messages.setdefault(update.message_id, []).append(row)
    entry: dict[str, Json] = {"v": VERSION, "s": [list(kind) for kind in kinds], "m": dict(messages)}
    return entry | ({"account": account} if account else {})


def account_of(entry: Json) -> str:
    """Return the account that an entry was read from; empty if the entry does not say so."""
    account = entry.get("account") if isinstance(entry, dict) else None
    return account if isinstance(account, str) else ""


def points_to_messages(entry: Json) -> bool:
    """Return True if a request's entry says that its messages are followed one by one."""
    return isinstance(entry, dict) and entry.get("one_by_one") is True


def decode(entry: Json) -> Iterator[StatusUpdate]:
    """Read the status updates of an entry.

    An entry that is missing, or that this version cannot read, yields nothing: the logs make up for it.
    """
    try:
        if not isinstance(entry, dict) or entry.get("v") != VERSION:
            return
        kinds: Any = entry["s"]
        messages: Any = entry["m"]
        rows = [
            update_of(
                message_id,
                [*kinds[kind][:3], _seconds(sent), _seconds(done), cost, kinds[kind][3], permanent, *kinds[kind][4:]],
            )
            for message_id, each in messages.items()
            for kind, sent, done, cost, permanent in each
        ]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return
    yield from rows


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _seconds(milliseconds: Any) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
