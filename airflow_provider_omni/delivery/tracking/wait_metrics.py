"""Measurements of a wait that has ended. Pure."""

from __future__ import annotations

from collections import Counter

from airflow_provider_omni.delivery.metrics import NONE, Measurement, measure_deliveries
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts


def measure_wait(counts: DeliveryCounts) -> list[Measurement]:
    """Return each message of a wait under its channel and outcome, and the times to delivery.

    Of a failed message it is the channel that ended it, of a pending one the channel that it has got to.

    :param counts: the counts behind the verdict.
    """
    failed, pending = Counter(counts.failed_at), Counter(counts.pending_at)
    failed[NONE] += counts.failed - failed.total()
    pending[NONE] += counts.pending - pending.total()
    by_outcome = {"delivered": counts.by_channel, "failed": failed, "pending": pending}
    return measure_deliveries(by_outcome, counts.seconds)
