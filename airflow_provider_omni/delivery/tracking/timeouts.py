"""What a wait writes when it ends: who counts as failed because nothing more was heard of them. Pure.

A failed step is no failure while another may follow. When the time is up it is one; but whoever reads the ledger later
sees the same steps, and cannot know whether anybody has looked until then. So the wait says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_omni.delivery.ledger.parts import VERSION
from airflow_provider_omni.delivery.messages.status import Outcome, Tracker
from airflow_provider_omni.delivery.tracking.watch import Watch

TOGETHER = 10_000
"""Messages in one part."""


def timed_out(tracker: Tracker, looked_at: Mapping[str, float], now: float, *, closing: bool) -> Iterator[str]:
    """Those of the messages that have failed for want of news: at the deadline, or after the settle time.

    :param looked_at: each message, with the time at which the logs were asked for it (see `Tracker.standing`).
    """
    for message_id, at in looked_at.items():
        standing = tracker.standing(message_id, now, closing=closing, looked_at=at)
        if standing.outcome is not Outcome.FAILED:
            continue
        if standing.settled or tracker.standing(message_id, now, looked_at=at).outcome is not Outcome.FAILED:
            yield message_id


def header_of(watch: Watch, account: str) -> dict[str, Any]:
    """The first line of a part of `outcomes/`.

    :param account: whose reports and logs tell what stands in it (`OmniConfig.account_mark`).
    """
    return {"v": VERSION, "flow": list(watch.flow)} | ({"account": account} if account else {})


def parts_of(message_ids: Iterable[str], header: dict[str, Any]) -> Iterator[list[Any]]:
    """The lines of parts of `outcomes/` that say so."""
    lines: list[Any] = [header]
    for message_id in message_ids:
        lines.append({"id": message_id, "steps": [], "closed": True})
        if len(lines) > TOGETHER:
            yield lines
            lines = [header]
    if len(lines) > 1:
        yield lines
