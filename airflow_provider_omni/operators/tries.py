"""What is known of a task's earlier tries. Reads the context; decides nothing.

A record says what was posted. Where there is none, or an old one, either nothing more was posted, or it was and nobody
can tell: `delivery/outbox/tries.py` tells the two apart.
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
    from airflow_provider_omni.delivery.outbox.tries import Tries


@dataclass
class Trying:
    """A try from its beginning to its end.

    `writes`: how often the record was written, from when on it is all that there is; None before. `busy`: it is
    sending, so that an exception from nowhere does not mean that it has ended.
    """

    tries: Tries
    writes: int | None = None
    busy: bool = False


@contextlib.contextmanager
def trying(context: Any, memory: Memory, log: Any, *, divided: bool = False) -> Iterator[Trying]:
    """Say that a try begins, before it does anything else: what it writes later can then be missed. And that it has
    ended, well or not; one that is killed does not come to say so.

    :param divided: mapped tasks share the send's key, and each has a part of its people: in another division some of
        them are those of other tasks.
    """
    from airflow_provider_omni.delivery.outbox.tries import begin_try, end_try

    perhaps_anew = _may_be_made_anew(context, divided)
    steps = begin_try(context["ti"].try_number, first_try_at(context), time.time, perhaps_anew=perhaps_anew)
    tries: Tries = _carried_out(steps, memory, log)
    this = Trying(tries)
    try:
        yield this
    except Exception:
        if not this.busy:
            _carried_out(end_try(tries, this.writes), memory, log)
        raise
    _carried_out(end_try(tries, this.writes), memory, log)


def told_of(counts: Mapping[str, int], sent: int, *, dry_run: bool) -> str:
    """A receipt's counts, as the log tells them; `sent`: accepted messages that this very try has posted."""
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    if dry_run:
        return f"Dry run, nothing was sent: {told}."
    return f"Receipt: {told}. Sent by this try: {sent:,}; accepted by earlier tries: {counts['accepted'] - sent:,}."


def first_try_at(context: Any) -> float | None:
    """A time before which no try of this task can have posted, seconds since the epoch; None if that is not known."""
    run = context.get("dag_run")
    # A clear moves the start of the run, but not when the run was due.
    names = ("start_date",) if _never_cleared(run) else ("run_after", "data_interval_end")
    known = [moment.timestamp() for name in names if (moment := getattr(run, name, None)) is not None]
    return known[0] if known and known[0] <= time.time() else None


def _never_cleared(run: Any) -> bool:
    return getattr(run, "clear_number", None) == 0


def _may_be_made_anew(context: Any, divided: bool) -> bool:
    """Whether a clear may have made this task instance anew, so that its first try is not the send's: in loops, and in
    what is mapped over, since a clear of another one (Airflow 3.4). What has sent, and its state, is put aside. So is
    what other task instances have sent to those whom a division into more shards gives to a new one.
    """
    ti = context["ti"]
    region = str(getattr(ti, "region_id", None) or "")
    in_loop = loop_index(context) is not None or bool(region.strip("0-"))
    return (in_loop or (divided and public_map_index(ti) >= 0)) and not _never_cleared(context.get("dag_run"))


def _carried_out(steps: Steps[Any], memory: Memory, log: Any) -> Any:
    from airflow_provider_omni.delivery.drivers import run

    return run(steps, client=cast("Any", None), memory=memory, note=log)
