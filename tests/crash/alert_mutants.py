"""An alert with one rule taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from airflow_provider_omni.delivery.messages.receipt import Counts, Receipt
from airflow_provider_omni.delivery.outbox import alerts, reconciler, safety
from airflow_provider_omni.notifications import occasions
from airflow_provider_omni.omni.errors import OmniUnknownOutcomeError
from tests.crash.alert_schedule import LOST_AFTER, AlertSchedule, Copy
from tests.crash.mutating import Mutant, registering
from tests.crash.processes import CrashPoint, Phase
from tests.crash.world import NetworkFaults

MUTANTS: dict[str, Mutant] = {}
_mutant = registering(MUTANTS)

LOST = (Copy("worker", 0.0, 2 * LOST_AFTER, crash_point=CrashPoint("POST", Phase.DURING)), Copy("processor", 300.0))
"""A worker that was killed while it posted, and the DAG processor after it."""
WOKEN = (Copy("processor", 0.0), Copy("worker", 300.0, 3 * LOST_AFTER))
"""The DAG processor, and after it a worker that had been without heartbeats."""


def _of(
    *copies: Copy,
    people: int = 1,
    fates: tuple[str, ...] = (),
    network: NetworkFaults | None = None,
    **settings: Any,
) -> Callable[[AlertSchedule], AlertSchedule]:
    """These runs of a callback, at a vendor who refuses nothing and whose logs are good."""

    def focus(plan: AlertSchedule) -> AlertSchedule:
        switches = {"duplicates": "accept", "refused_uses_id": False, "id_lists": "all", "log_lag_seconds": 5.0}
        return replace(
            plan,
            guarantee="B",
            dedupe="try",
            copies=copies,
            people=tuple(f"4179302{index:02d}{fate}" for index, fate in enumerate(fates or ("27",) * people)),
            network=network or NetworkFaults(),
            settings=plan.settings.changed(switches | settings),
        )

    return focus


@_mutant("twice", _of(*LOST))
def _no_look() -> Iterator[None]:
    """Nobody looks for an alert before it is sent."""
    with patch.object(occasions, "cannot_be_repeat", lambda *_: True):
        yield


@_mutant("twice", _of(Copy("triggerer", 0.0), Copy("triggerer", 60.0)))
def _what_the_look_shows_is_forgotten() -> Iterator[None]:
    """Findings of a look are not put on the record."""
    with patch.object(safety, "states_of_shown", lambda shown, earlier: {}):
        yield


@_mutant("twice", _of(*WOKEN))
def _workers_are_first() -> Iterator[None]:
    """A worker's callback is taken for the first one, however long its task has run."""
    original = occasions.cannot_be_repeat

    def cannot(context: Any, now: float, alive_for: float, lost_after: float) -> bool:
        return original(context, now, alive_for, float("inf")) or "exception" in context

    with patch.object(occasions, "cannot_be_repeat", cannot):
        yield


@_mutant("twice", _of(Copy("processor", 0.0), Copy("worker", 300.0, 1500.0, step=-1400.0)))
def _one_clock_tells_the_age() -> Iterator[None]:
    """A task's age is told by the wall clock only, which may have been put back."""
    original = occasions.cannot_be_repeat
    with patch.object(occasions, "cannot_be_repeat", lambda context, now, _, after: original(context, now, 0.0, after)):
        yield


@_mutant("twice", _of(*LOST, people=5, id_lists="none"))
def _lists_are_believed() -> Iterator[None]:
    """A person who is not found by a list of ids is not looked for alone."""
    with patch.object(alerts, "looks_by_id", lambda *_, **__: []):
        yield


@_mutant("twice", _of(*LOST, fates=("18", "27", "18", "27", "18"), id_lists="first", refused_in="nothing"))
def _three_of_an_alert_speak_for_all() -> Iterator[None]:
    """Three messages are looked for alone, though these may have been refused, and so be in no log."""
    with patch.object(alerts, "ONE_BY_ONE", 3), patch.object(reconciler, "ALONE", 3):
        yield


@_mutant("twice", _of(Copy("dag", 0.0), Copy("dag", 60.0, off=1200.0)))
def _the_age_of_an_alert_is_told_by_any_clock() -> Iterator[None]:
    """The time since an alert of a DAG's own callback is told by the clock of the process, not by the vendor's."""
    with patch.object(safety, "time_of_rows", lambda said_at, now: now):
        yield


@_mutant("twice", _of(*LOST))
def _processes_have_names_of_their_own() -> Iterator[None]:
    """Facts that only the worker knows go into the alert's name."""
    original = occasions.occasion_of

    def occasion_of(context: Any, dedupe: str) -> occasions.Occasion:
        made = original(context, dedupe)
        return replace(made, names=(*made.names, str(context.get("exception"))))

    with patch.object(occasions, "occasion_of", occasion_of):
        yield


@_mutant("never", _of(Copy("processor", 0.0), network=NetworkFaults(logs_down=(0.0, 10_000.0))))
def _logs_that_cannot_be_read_stop_the_alert() -> Iterator[None]:
    """A look that fails ends the alert."""

    def run(self: alerts.Alert) -> Any:
        found: dict[str, Any] = {}
        person = self.order.recipients.people[0]
        if not (yield from self._ask((self.order.identity.message_id(person.key),), found, self.clock() + 10.0)):
            error = OmniUnknownOutcomeError("the logs cannot be read")
            return alerts.SendResult(Receipt("", (), (), Counts()), error)
        return (yield from original(self))

    original = alerts.Alert.run
    with patch.object(alerts.Alert, "run", run):
        yield


@_mutant("never", _of(Copy("worker", 0.0, 2 * LOST_AFTER), network=NetworkFaults(posts=("reset-before",))))
def _what_is_unknown_counts_as_sent() -> Iterator[None]:
    """A send whose outcome nobody knows is no failure."""
    with patch.object(safety, "is_sent_by_a_copy", lambda doubtful, seen_before: True):
        yield
