"""The notes of a send in the log of its task."""

from __future__ import annotations

from airflow_provider_omni.delivery.effects import Clock, Log
from airflow_provider_omni.delivery.messages.states import UNRESOLVED, Origin
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.omni.words import some, was

NOTE_EVERY = 5.0
"""Seconds between notes of progress."""


def not_asked_note(count: int, origin: Origin, here: Origin) -> Log:
    """Return a note that the logs are not asked about messages in doubt that another account or scenario may have."""
    return Log(
        f"{some(count, 'message')} in doubt {was(count)} posted from another {origin.changed(here)}: the logs "
        "of this one cannot tell what became of them.",
        warning=True,
    )


class ProgressNotes:
    """Notes of how far a send has got: at most one every `NOTE_EVERY` seconds."""

    def __init__(self, left: int, progress: SendProgress, clock: Clock) -> None:
        self._left = left
        self._progress = progress
        self._clock = clock
        self._begun = self._noted = clock()

    def note(self) -> Log | None:
        """Return a note if it is time for one, else None."""
        now = self._clock()
        if now - self._noted < NOTE_EVERY:
            return None
        self._noted = now
        done = self._progress.posted
        rate = done / max(now - self._begun, 1e-9)
        seconds = round((self._left - done) / rate) if rate else 0
        rest = (
            f", {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"
            if rate and done < self._left
            else ""
        )
        unknown = sum(self._progress.states[state] for state in UNRESOLVED)
        # Messages that were in doubt and then found absent come on top of those that were left.
        total = max(self._left, done)
        return Log(f"{done:,} of {total:,} posted, {rate:,.0f}/s{rest}; {unknown:,} without answer yet.")
