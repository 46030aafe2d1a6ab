"""The earlier tries of a task. Reads the context; decides nothing.

A record says what was posted. Without a record, or with an old one, either nothing more was posted, or something was
and nobody can tell: `delivery/outbox/tries.py` tells the two cases apart.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_omni.operators.keys import loop_index, public_map_index

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.effects import Memory, Steps
    from airflow_provider_omni.delivery.metrics import Measurement
    from airflow_provider_omni.delivery.outbox.engine import SendResult
    from airflow_provider_omni.delivery.outbox.tries import Tries
    from airflow_provider_omni.storage.send_reports import SendReports


@dataclass
class Trying:
    """A try from its beginning to its end.

    :param tries: the earlier tries.
    :param writes: number of writes of the record once the record is complete; None before.
    :param busy: True while it is sending. Then an exception does not mean that the try has ended.
    :param measured: what it adds to metrics at its end, unless another try has taken over and counts for itself.
    """

    tries: Tries
    writes: int | None = None
    busy: bool = False
    measured: tuple[Measurement, ...] = ()


@contextlib.contextmanager
def trying(context: Any, memory: Memory, log: Any, *, divided: bool = False) -> Iterator[Trying]:
    """Record that a try begins, before it does anything else, so that a later loss of its record can be noticed. Record
    its end, too, after success or failure; a try that is killed does not get there.

    :param context: Airflow's context.
    :param memory: memory of the task.
    :param log: the task's log.
    :param divided: True if mapped tasks share the send's key, and each has a share of its people. In another division
        some people belong to other tasks.
    """
    from airflow_provider_omni.delivery.outbox.tries import begin_try

    perhaps_anew = _may_be_made_anew(context, divided)
    steps = begin_try(context["ti"].try_number, first_try_at(context), time.time, perhaps_anew=perhaps_anew)
    tries: Tries = _carried_out(steps, memory, log)
    this = Trying(tries)
    try:
        yield this
    except Exception:
        if not this.busy:
            _end(this, memory, log)
        raise
    _end(this, memory, log)


def _end(this: Trying, memory: Memory, log: Any) -> None:
    from airflow_provider_omni.delivery.outbox.tries import end_try
    from airflow_provider_omni.hooks.metrics import recorder

    is_current = _carried_out(end_try(this.tries, this.writes), memory, log)
    if is_current and (metrics := recorder()) is not None:
        metrics.record(this.measured)


def finish(end: SendResult, this: Trying, reports: SendReports, log: Any, *, dry_run: bool) -> dict[str, Any]:
    """Return the receipt of a send that has ended in this try, and log its counts. Raises the error that the send ended
    with.

    :param dry_run: True if nothing was posted.
    """
    this.busy, this.writes, this.measured = False, end.writes, end.measured
    receipt = reports.receipt = end.receipt.to_json()
    log.info("%s", counts_in_words(receipt["counts"], end.sent, dry_run=dry_run))
    if end.error is not None:
        raise end.error
    return receipt


def counts_in_words(counts: Mapping[str, int], sent: int, *, dry_run: bool) -> str:
    """Return a receipt's counts as a sentence for the log.

    :param counts: the receipt's counts.
    :param sent: accepted messages that this very try has posted.
    :param dry_run: True if nothing was posted.
    """
    listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    if dry_run:
        return f"Dry run, nothing was sent: {listed}."
    return f"Receipt: {listed}. Sent by this try: {sent:,}; accepted by earlier tries: {counts['accepted'] - sent:,}."


def first_try_at(context: Any) -> float | None:
    """Return a time before which no try of this task can have posted, in seconds since the epoch; None if unknown."""
    run = context.get("dag_run")
    # A clear moves the start of the run, but not when the run was due.
    names = ("start_date",) if _never_cleared(run) else ("run_after", "data_interval_end")
    known = [moment.timestamp() for name in names if (moment := getattr(run, name, None)) is not None]
    return known[0] if known and known[0] <= time.time() else None


def _never_cleared(run: Any) -> bool:
    return getattr(run, "clear_number", None) == 0


def _may_be_made_anew(context: Any, divided: bool) -> bool:
    """Return True if a clear may have made this task instance anew, so that its first try is not the send's first.

    In a loop (Airflow 3.4), a clear may put aside the task instance that has sent, with its state. In mapped tasks that
    share the send's key (`divided`), the division may have changed before the clear, so that a new task instance has
    people whom others have sent to.
    """
    ti = context["ti"]
    region = str(getattr(ti, "region_id", None) or "")
    in_loop = loop_index(context) is not None or bool(region.strip("0-"))
    return (in_loop or (divided and public_map_index(ti) >= 0)) and not _never_cleared(context.get("dag_run"))


def _carried_out(steps: Steps[Any], memory: Memory, log: Any) -> Any:
    from airflow_provider_omni.delivery.drivers import run

    return run(steps, client=cast("Any", None), memory=memory, log=log)
