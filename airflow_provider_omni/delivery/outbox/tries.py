"""Whether the record of a task's earlier tries is all that they have written, or whether some of it may be lost.

An empty record means that nothing was posted, or that it is gone: Airflow drops it (on success, when the task is
cleared), a store of one's own loses it, an Airflow below 3.3 never had one. A record that was restored from a backup
looks like that of a try that did less than it did.

So each try says on an entry of its own that it begins, before it does anything else; and, when it has come to its end,
that it has, and how often the record had been written by then. A record is believed where this says that the try just
before has ended, and has written it no more often. Else the logs are asked about whatever the record does not know of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Json, Load, Note, Save, Steps
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError

KEY = "omni_tries"
VERSION = 1
OTHERS = 5
"""Tries that are assumed where there were some of which not even the number is known."""


@dataclass(frozen=True, slots=True)
class Tries:
    """What a try knows of the earlier ones of its task.

    :param number: of this try, from 1.
    :param since: seconds since the epoch before which none of them can have begun; None: not known.
    :param last_told: the last of them that has said that it ended; 0: none.
    :param writes: how often the record had been written by then; an older one is not all there is.
    """

    number: int
    since: float | None
    last_told: int = 0
    writes: int = 0

    @property
    def told(self) -> bool:
        """There was none, or the one just before has said that it ended, so that a record is all there is."""
        return self.untold == 0

    @property
    def untold(self) -> int:
        """How many earlier tries may have sent something that is not on record."""
        return self.number - 1 - self.last_told


def lost_tries(untold: int, expected: int, written: int) -> int:
    """How many earlier tries may have sent something of which a record does not know: each may have come to a further
    id of somebody whom the one before it saw refused.

    :param untold: those that have not said that they ended.
    :param expected: how often the record was written, as the last that did has said.
    :param written: how often this one was. Each lost try has written it at least once.
    """
    return untold + min(max(expected - written, 0), OTHERS)


def begin_try(number: int, first_try_at: float | None, clock: Clock, *, perhaps_anew: bool = False) -> Steps[Tries]:
    """Say that a try begins, before it does anything else. Returns what is known of the ones before.

    :param number: Airflow's number of this try.
    :param first_try_at: seconds since the epoch before which no try can have begun, as Airflow's context tells it;
        None: it does not tell. Used where the entry is gone.
    :param perhaps_anew: Airflow may have put other tries aside, with all that they had written, and count from 1.

    Raises OmniStorageError where it cannot be written: what this try posts could not be written down either.
    """
    entry: Any = yield Load(KEY)
    since, last_told, writes = _read(entry)
    since = since or first_try_at
    if number == 1 and entry is None and not perhaps_anew:
        since = clock()
    elif last_told >= number or number == 1:
        # Others, or another run that had the same name: nothing is known of them.
        last_told, writes = number - 1 - OTHERS, 0
    elif entry is None and perhaps_anew:
        last_told -= OTHERS
    tries = Tries(number, since, last_told, writes)
    yield Save(KEY, _entry(tries))
    return tries


def end_try(tries: Tries, writes: int | None) -> Steps[None]:
    """Say that a try has ended.

    :param writes: how often the record was written in all tries, after this one has taken over what was not known of
        the earlier ones; None if it did not come to that.
    """
    if writes is None:
        if not tries.told:
            return  # what this try has doubted, the next one must doubt, too
        writes = tries.writes
    try:
        yield Save(KEY, _entry(replace(tries, last_told=tries.number, writes=writes)))
    except OmniStaleTryError:
        return
    except OmniStorageError:
        yield Note("That this try has ended could not be written down; a later one will ask the logs.", warning=True)


def _read(entry: Any) -> tuple[float | None, int, int]:
    """`since`, `last_told` and `writes` of an entry; of one that cannot be read as of one that is gone."""
    try:
        if entry["v"] != VERSION:
            return None, 0, 0
        since = None if entry["since"] is None else float(entry["since"])
        return since, int(entry["told"]), int(entry["writes"])
    except (KeyError, TypeError, ValueError):
        return None, 0, 0


def _entry(tries: Tries) -> Json:
    return {"v": VERSION, "since": tries.since, "told": tries.last_told, "writes": tries.writes}
