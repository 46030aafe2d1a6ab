"""The wait for a single send with one rule taken out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

from airflow_provider_omni.delivery.effects import Save
from airflow_provider_omni.delivery.messages import status as tracking
from airflow_provider_omni.delivery.messages.delivery_report import DELIVERY_KEY
from airflow_provider_omni.delivery.tracking import deliveries, reported_wait, safety, wait_report
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from tests.crash.clocks import Clocks
from tests.crash.elsewhere import Elsewhere
from tests.crash.mutating import (
    CALM,
    FROM_DAYS_AGO,
    RETRIED,
    TRUSTED,
    A,
    B,
    Mutant,
    focused,
    mode_of,
    registering,
    reports_that_must_be_written,
    spared,
    watched,
)
from tests.crash.schedule import Schedule
from tests.crash.world import LATE_BEFORE_THE_FAILURE

MUTANTS: dict[str, Mutant] = {}
_mutant = registering(MUTANTS)


@_mutant("wrong", FROM_DAYS_AGO)
def _no_journal() -> Iterator[None]:
    """Reports that were read are not written down."""
    with spared("journal written"):
        yield


def _told_by_reports_only(plan: Schedule) -> Schedule:
    """LINE is delivered before the SMS fails, the logs show the last step only, and no report can be read for long."""
    found = watched(
        LATE_BEFORE_THE_FAILURE,
        settings={"reports": "final", "log_rows": "last-step", "log_lag_seconds": 0.0},
    )(plan)
    network = replace(found.network, reports=("refused",) * 16)
    return replace(found, network=network, wait=replace(found.wait, reports_kept=True))


@_mutant("wrong", watched("27", every=7.0))
def _no_healing() -> Iterator[None]:
    """The wait never asks the logs."""
    with patch.object(safety, "is_due", lambda *_, **__: False):
        yield


@_mutant("wrong", watched("27", every=7.0))
def _healing_only_at_the_start() -> Iterator[None]:
    """The wait asks the logs when it begins, and not again."""
    with patch.object(safety, "is_due", lambda subscription, *_, **__: not subscription.looked_at):
        yield


@_mutant("wrong", watched("40", settings={"reports": "per-step"}))
def _a_failed_step_is_the_end() -> Iterator[None]:
    """Any failed step closes its message."""
    original = tracking.Tracker.status_of

    def status_of(self: tracking.Tracker, message_id: str, now: float, **_: bool) -> Any:
        return original(self, message_id, now, closing=True)

    with patch.object(tracking.Tracker, "status_of", status_of):
        yield


@_mutant(
    "wrong",
    focused(
        **A,
        flow=("SMS",),
        network=CALM | {"posts": ("slow",)},
        send=TRUSTED | {"send_in": 3000.0},
        wait=mode_of("trigger", poll_interval=20.0, timeout=6000.0),
        settings={"duplicates": "report", "refused_uses_id": False, "filtered_read": "own"},
    ),
)
def _duplicate_reports_count() -> Iterator[None]:
    """The report that a repeated id was rejected is taken for the end of the message that had it first."""
    with patch.object(tracking, "is_duplicate", lambda status: False):
        yield


@_mutant("wrong", watched("27", "27", settings={"given_bulk_id": "dropped"}))
def _bulk_ids_that_find_nothing_are_believed() -> Iterator[None]:
    """A request whose bulk id finds nothing is not looked for by its messages' own ids."""
    with patch.object(safety, "is_bulk_id_doubted", lambda subscription: False):
        yield


@_mutant("wrong", watched("40", settings={"reports": "per-step"}, mode="poke", elsewhere=Elsewhere(45.0, 9999.0)))
def _any_account_will_do() -> Iterator[None]:
    """A wait asks whatever account its connection leads to."""
    with patch.object(deliveries, "check_account", lambda *_: None):
        yield


@_mutant("wrong", watched("46", success_when="finished", timeout=240.0))
def _under_way_is_failed() -> Iterator[None]:
    """A message that was heard of as under way when the time is up counts as failed, if a step has."""
    with patch.object(tracking.Tracker, "under_way", lambda self, *_: None):
        yield


@_mutant("wrong", watched("40", timeout=35.0, settings={"reports": "per-step", "log_lag_seconds": 27.0}))
def _logs_do_not_lag_behind() -> Iterator[None]:
    """A look tells everything that has begun until then."""
    with patch.object(tracking, "LOG_LAG", 0.0):
        yield


def _ahead_of_the_vendor(plan: Schedule) -> Schedule:
    """LINE fails some seconds before the deadline, and the logs do not show the SMS yet."""
    found = watched("40", timeout=35.0, settings={"reports": "per-step", "log_lag_seconds": 27.0})(plan)
    return replace(found, clocks=Clocks(by_turns=(900.0,)))


@_mutant("wrong", _ahead_of_the_vendor)
def _all_clocks_are_one() -> Iterator[None]:
    """The wait's own clock says how long ago a step has ended, whatever the vendor's says."""
    with patch.object(safety, "by_the_vendors_clock", lambda moment, behind: moment):
        yield


@_mutant(
    "wrong",
    watched(
        "47",
        "62",
        poll_interval=30.0,
        settings={
            "given_bulk_id": "dropped",
            "reports": "final",
            "filtered_read": "all",
            "beat_seconds": 40.0,
            "log_lag_seconds": 0.0,
        },
    ),
)
def _an_operators_word_is_never_taken_back() -> Iterator[None]:
    """A success that rests on an operator's word is one without a look at what may have taken it back."""
    with patch.object(safety, "rests_on_words", lambda subscription, began: False):
        yield


@_mutant("wrong", _told_by_reports_only)
def _a_failure_counts_though_the_reports_could_not_be_read() -> Iterator[None]:
    """A failure of the last step counts at once, whatever may stand in reports that nobody has read."""
    with patch.object(safety, "may_be_contradicted", lambda subscription: subscription.by_time_window):
        yield


@_mutant("wrong", watched(LATE_BEFORE_THE_FAILURE, every=7.0, settings={"reports": "per-step", "log_rows": "per-step"}))
def _a_failure_counts_unasked() -> Iterator[None]:
    """A failure of the last step is told though the logs were not asked whether an earlier step has delivered."""
    with patch.object(safety, "may_be_overruled", lambda subscription: False):
        yield


def _one_word_is_older_than_the_news(plan: Schedule) -> Schedule:
    """An operator's word is taken back, a second before others are delivered whom a retry has sent to. One poll asks
    about it before, and about the others after that: each read of reports lasts for ten seconds, and fails.
    """
    return focused(
        **B,
        flow=("LINE", "SMS"),
        network=CALM | {"posts": (), "reports": ("no-connection",) * 60},
        send=RETRIED
        | {
            "people": (("41793020062", "41793020112"), ("41793020062", "41793020227", "41793020327")),
            "texts": ("Hello",),
            "retry_delay": 125.0,
            "validity": (120, 300),
            "on_rejected": "fail",
            "shared_key": False,
        },
        wait=mode_of("trigger", in_parts=True, poll_interval=10.0, timeout=1500.0),
        settings={
            "beat_seconds": 40.0,
            "given_bulk_id": "dropped",
            "refused_in": "nothing",
            "reports": "per-step",
            "log_rows": "per-step",
            "log_lag_seconds": 0.0,
        },
    )(plan)


@_mutant("wrong", _one_word_is_older_than_the_news)
def _an_operators_word_is_asked_for_once_in_a_poll() -> Iterator[None]:
    """A word that was asked about in this poll is not asked about again after the news of others."""

    def older(subscriptions: Sequence[Subscription], began: float) -> list[Subscription]:
        return [each for each in subscriptions if safety.rests_on_words(each, began)]

    with patch.object(safety, "on_older_words", older):
        yield


@_mutant("wrong", watched("27", "40"))
def _a_report_is_written_like_the_journal() -> Iterator[None]:
    """The delivery report of a wait is saved before the wait goes on."""
    with patch.object(reported_wait, "Report", lambda value: Save(DELIVERY_KEY, value)):
        yield


@_mutant("wrong", watched("27", "40", mode="poke"))
def _a_report_that_cannot_be_written_ends_its_wait() -> Iterator[None]:
    """The writer of a delivery report lets Airflow's errors through."""
    with reports_that_must_be_written():
        yield


@_mutant("wrong", watched("27", "40"))
def _the_report_of_the_end_has_the_counts_of_the_look_before() -> Iterator[None]:
    """The last report shows what was known when the one before it was made."""
    original = reported_wait.report_of_wait
    known: dict[int, Any] = {}

    def report_of_wait(watch: Any, counts: Any, state: str, *rest: Any, **more: Any) -> Any:
        if state != "waiting":
            counts = known.get(id(watch), counts)
        known[id(watch)] = copy.deepcopy(counts)
        return original(watch, counts, cast("Any", state), *rest, **more)

    with patch.object(reported_wait, "report_of_wait", report_of_wait):
        yield


@_mutant("wrong", watched("40", "27"))
def _a_step_of_a_report_counts_its_own_failures_only() -> Iterator[None]:
    """A message that failed on a step and went on to the next one counts as failed nowhere, or on the next one only."""

    def funnel(counts: Any, flow: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "channel": each,
                "asked": counts.total,
                "delivered": counts.by_channel[each],
                "failed": counts.failed_at[each],
                "pending": counts.pending_at[each],
            }
            for each in flow
        ]

    with patch.object(wait_report, "funnel", funnel):
        yield
