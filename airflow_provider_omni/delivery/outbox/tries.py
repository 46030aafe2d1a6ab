"""The tries of a task, and whether its record holds all that the earlier ones have written.

An empty record means that nothing was posted, or that the record was lost. Airflow deletes it on success or clear; a
custom store may lose it; Airflow below 3.3 has none. A record that was restored from a backup looks like that of a try
that did less than it did.

So each try has its own word in a separate entry. It says that it begins, before it does anything else. At its end it
says that it has ended, and how often the record had been written by then. A record is believed if the try just before
has said that it ended, and the record at hand has been written as often as that try said, or more often. Otherwise the
logs are asked about everything that the record does not know of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Json, Log, Save, Steps, load
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError

KEY = "omni_tries"
VERSION = 1
OTHERS = 5
"""Tries that are assumed where there were some, but not even their number is known."""


@dataclass(frozen=True, slots=True)
class Tries:
    """The knowledge of a try about the earlier ones of its task.

    :param number: the number of this try, from 1.
    :param not_before: seconds since the epoch before which none of them can have begun; None if not known.
    :param last_ended: the last of them that has said that it ended; 0 if none has.
    :param writes: the number of times that the record had been written by then. An older record is not complete.
    """

    number: int
    not_before: float | None
    last_ended: int = 0
    writes: int = 0

    @property
    def record_complete(self) -> bool:
        """True if there was no earlier try, or the one just before has said that it ended. Then a record is
        complete.
        """
        return self.unaccounted == 0

    @property
    def unaccounted(self) -> int:
        """The number of earlier tries that may have sent something that is not on record."""
        return self.number - 1 - self.last_ended


def lost_tries(unaccounted: int, expected: int, written: int) -> int:
    """Return the number of earlier tries that may have sent something of which a record does not know.

    Each of them may have come to a further id of somebody whom the one before it saw refused.

    :param unaccounted: the number of tries that have not said that they ended.
    :param expected: the number of the record's writes, as the last try that ended has said.
    :param written: the number of writes of the record at hand. Each lost try has written it at least once.
    """
    return unaccounted + min(max(expected - written, 0), OTHERS)


def begin_try(number: int, first_try_at: float | None, clock: Clock, *, perhaps_anew: bool = False) -> Steps[Tries]:
    """Say that a try begins, before it does anything else. Return the knowledge about the earlier ones.

    :param number: Airflow's number of this try.
    :param first_try_at: seconds since the epoch before which no try can have begun, from Airflow's context; None if
        that does not tell. Used if the entry is gone.
    :param perhaps_anew: True if Airflow may have put other tries aside, with all that they had written, and counts from
        1 again.

    Raises OmniStorageError if it cannot be written: what this try posts could not be written down either.
    """
    entry: Any = yield from load(KEY)
    not_before, last_ended, writes = _read(entry)
    not_before = not_before or first_try_at
    if number == 1 and entry is None and not perhaps_anew:
        not_before = clock()
    elif last_ended >= number or number == 1:
        # There are other tries, or those of another run with this name: nothing is known of them.
        last_ended, writes = number - 1 - OTHERS, 0
    elif entry is None and perhaps_anew:
        last_ended -= OTHERS
    tries = Tries(number, not_before, last_ended, writes)
    yield Save(KEY, _entry(tries))
    return tries


def end_try(tries: Tries, writes: int | None) -> Steps[bool]:
    """Say that a try has ended. A failure to write it is only noted: a later try then asks the logs. Return False if
    another try has taken over.

    :param writes: the number of times that the record was written in all tries, once this one has taken over all that
        was not known of the earlier ones; None if it did not come to that.
    """
    if writes is None:
        if not tries.record_complete:
            return True  # the next try must doubt everything that this one has doubted
        writes = tries.writes
    try:
        yield Save(KEY, _entry(replace(tries, last_ended=tries.number, writes=writes)))
    except OmniStaleTryError:
        return False
    except OmniStorageError:
        yield Log("That this try has ended could not be written down; a later one will ask the logs.", warning=True)
    return True


def _read(entry: Any) -> tuple[float | None, int, int]:
    """Return `not_before`, `last_ended` and `writes` of an entry. An entry that cannot be read counts as gone."""
    try:
        if entry["v"] != VERSION:
            return None, 0, 0
        not_before = None if entry["not_before"] is None else float(entry["not_before"])
        return not_before, int(entry["told"]), int(entry["writes"])
    except (KeyError, TypeError, ValueError):
        return None, 0, 0


def _entry(tries: Tries) -> Json:
    return {"v": VERSION, "not_before": tries.not_before, "told": tries.last_ended, "writes": tries.writes}
