"""Lines that a wait writes when it ends: the messages that count as failed because nothing more was heard of them.
Pure.

A failed step is not yet a failed message while another step may follow. At the deadline it is. A later reader of the
ledger sees only the failed step, and cannot know that the wait looked until the deadline. So the wait writes it down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_omni.delivery.ledger.parts import VERSION
from airflow_provider_omni.delivery.messages.status import Outcome, Tracker

TOGETHER = 10_000
"""Messages in one part, at most."""


def timed_out(tracker: Tracker, looked_at: Mapping[str, float], now: float, *, closing: bool) -> Iterator[str]:
    """Yield the messages that count as failed because no further step was heard of by the deadline, or by the settle
    time.

    :param tracker: status of the messages.
    :param looked_at: message ids, each with the time at which the logs were asked for it (see `Tracker.standing`).
    :param now: current time, in seconds since the epoch.
    :param closing: True at the deadline.
    """
    for message_id, at in looked_at.items():
        standing = tracker.standing(message_id, now, closing=closing, looked_at=at)
        if standing.outcome is not Outcome.FAILED:
            continue
        if standing.settled or tracker.standing(message_id, now, looked_at=at).outcome is not Outcome.FAILED:
            yield message_id


def header_of(flow: Sequence[str], account: str) -> dict[str, Any]:
    """Return the first line of a part of `outcomes/`.

    :param flow: the steps that the wait judges the messages by.
    :param account: account mark of the reports and logs in this part (`OmniConfig.account_mark`); left out if empty.
    """
    return {"v": VERSION, "flow": list(flow)} | ({"account": account} if account else {})


def parts_of(message_ids: Iterable[str], header: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the lines of one part of `outcomes/` after another, which mark these messages as closed."""
    lines: list[Any] = [header]
    for message_id in message_ids:
        lines.append({"id": message_id, "steps": [], "closed": True})
        if len(lines) > TOGETHER:
            yield lines
            lines = [header]
    if len(lines) > 1:
        yield lines
