"""The words of a wait about itself: its delivery report, and its lines in the task log. Pure.

All of it is ids, counts and the vendor's names for statuses and errors.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.messages.delivery_report import WaitState, delivery_report, error_member, iso_time
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Reason, Verdict, per_channel
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.reasons import reason_in_words
from airflow_provider_omni.omni.words import some

MAX_REASONS = 20
"""Reasons that a report lists, the most frequent first."""
DELIVERY_TIMES = (5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Upper ends of the classes into which the times to delivery are sorted, in seconds. The last class has no end."""

ENDED: Mapping[Verdict, WaitState] = {
    Verdict.OPEN: "waiting",
    Verdict.SUCCESS: "delivered",
    Verdict.FAILURE: "undelivered",
    Verdict.TIMEOUT: "timeout",
}
"""The state of a report by the verdict."""


def report_of_wait(
    watch: Watch,
    counts: DeliveryCounts | None,
    state: WaitState,
    at: float,
    *,
    next_look: float | None = None,
    error: OmniError | None = None,
) -> dict[str, Any]:
    """Return the delivery report of a wait.

    :param counts: the counts of this moment; None while none are known.
    :param at: time of the report, in seconds since the epoch.
    :param next_look: time of the next poll, in seconds since the epoch.
    :param error: the error that the task fails with.
    """
    watched = watch.parts or (watch,)
    bulks = [bulk for each in watched for bulk in each.bulks]
    paths = watch.ledger_paths
    flow = _flow_of(watch)
    return delivery_report(
        "wait",
        state,
        at,
        {
            "begun_at": iso_time(watch.begun_at or None),
            "until": iso_time(watch.deadline),
            "next_look": iso_time(next_look),
            "looks_every": watch.poll_interval,
            "flow": list(flow),
            "success_when": watch.criterion.success_when,
            "message_ids": [each for bulk in bulks for each in bulk.message_ids][:100],
            "bulk_ids": [bulk.bulk_id for bulk in bulks if bulk.bulk_id is not None][:100],
            "ledger_path": paths[0] if len(paths) == 1 else None,
            "ledger_paths": list(paths[:100]) if len(paths) > 1 else None,
            "unsent": sum(each.unsent for each in watched),
            "error": error_member(error),
        }
        | ({} if counts is None else _members_of(counts, flow)),
    )


def report_of_error(
    error: OmniError, at: float, watch: Watch | None = None, counts: DeliveryCounts | None = None
) -> dict[str, Any]:
    """Return the delivery report of a wait that an error has ended.

    :param watch: what was waited for; None if it could not be read.
    :param counts: the latest counts.
    """
    if watch is None:
        return delivery_report("wait", "error", at, {"error": error_member(error)})
    return report_of_wait(watch, counts, "error", at, error=error)


def _members_of(counts: DeliveryCounts, flow: Sequence[str]) -> dict[str, Any]:
    summary = counts.summary()
    taken = ("total", "delivered", "failed", "pending", "by_channel", "cost", "seconds_to_delivery")
    return {name: summary[name] for name in taken} | {
        "steps": funnel(counts, flow),
        "reasons": [
            _reason_to_json(reason, count, counts.failed_by_reason.get(reason, ()))
            for reason, count in counts.reasons.most_common(MAX_REASONS)
        ],
        "delivery_times": delivery_times(counts.every_second),
        "failed_message_ids": summary["failed_message_ids"],
    }


def _flow_of(watch: Watch) -> Sequence[str]:
    """Return the flow of a watch; of one over several sends that of the first whose flow is known."""
    return next((each.flow for each in (watch, *watch.parts) if each.flow), ())


def funnel(counts: DeliveryCounts, flow: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each channel: how many messages came to it (`asked`), and were delivered, failed or are pending
    there.

    `asked` is the sum of the three. Those who failed on a channel and went on to the next count as failed on it. A
    message of which nothing was heard is pending on the first channel.

    :param flow: the channels in order; empty if not known. Channels that are not in it come last.
    """
    found = [*counts.by_channel, *counts.failed_at, *counts.pending_at]
    channels = list(dict.fromkeys([*(each.upper() for each in flow), *sorted(found)]))
    rows: list[dict[str, Any]] = []
    came = counts.total
    for place, channel in enumerate(channels):
        later = channels[place + 1 :]
        beyond = sum(per[each] for each in later for per in (counts.by_channel, counts.failed_at, counts.pending_at))
        delivered = counts.by_channel[channel]
        failed = counts.failed_at[channel] + beyond
        pending = came - delivered - failed if place == 0 else counts.pending_at[channel]
        rows.append(
            {"channel": channel, "asked": came, "delivered": delivered, "failed": failed, "pending": max(0, pending)}
        )
        came = beyond
    return rows


def delivery_times(seconds: Sequence[float]) -> list[dict[str, Any]]:
    """Return how many messages were delivered in up to so many seconds, without the empty classes at the end.

    Each class has its upper end as `up_to`, which is None for the last, and its `count`.
    """
    classes = Counter(bisect.bisect_left(DELIVERY_TIMES, each) for each in seconds)
    if not classes:
        return []
    ends = [*DELIVERY_TIMES, None]
    return [{"up_to": ends[place], "count": classes[place]} for place in range(max(classes) + 1)]


def _reason_to_json(reason: Reason, count: int, ids: Sequence[str]) -> dict[str, Any]:
    words = reason_in_words(reason.status, reason.error)
    return reason._asdict() | {"words": words, "count": count, "message_ids": sorted(ids)}


# -- lines of the log -------------------------------------------------------------------------------------------------


def begin_line(watch: Watch) -> str:
    """Return the line that a wait begins with: how many messages, by which channels, until when."""
    watched = watch.parts or (watch,)
    sizes = [
        each.accepted if each.ledger_path is not None else sum(bulk.messages or 0 for bulk in each.bulks)
        for each in watched
    ]
    of_unknown_size = any(bulk.messages is None for each in watched for bulk in each.bulks)
    what = "the messages of these bulk_ids" if of_unknown_size else some(sum(sizes), "message")
    flow = _flow_of(watch)
    by = f" by {' -> '.join(flow)}" if flow else ""
    return (
        f"Waiting for {what}{by}, until {_clock_time(watch.deadline)} (success_when={watch.criterion.success_when!r}); "
        f"a look every {watch.poll_interval:g} s."
    )


def progress_line(counts: DeliveryCounts, next_look: float) -> str:
    """Return the line that tells how far a wait has got.

    :param next_look: time of the next poll, in seconds since the epoch.
    """
    return (
        f"{counts.delivered:,} of {counts.total:,} delivered{per_channel(counts.by_channel)}, "
        f"{counts.failed:,} failed{per_channel(counts.failed_at)}, {counts.pending:,} pending. "
        f"Next look at {_clock_time(next_look)}."
    )


def _clock_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
