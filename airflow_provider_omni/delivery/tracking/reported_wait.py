"""A wait that tells how far it has got, in the task's log and in its delivery report. It changes nothing of the wait.

Lines come at most once a minute, and on every tenth of the way. Reports come at most once in ten seconds while the
counts change, and every ten minutes otherwise: ten thousand waits in one triggerer must not write all the time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_omni.delivery.effects import Clock, Log, Report, Steps, offload
from airflow_provider_omni.delivery.messages.delivery_report import REPORT_EVERY
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Verdict
from airflow_provider_omni.delivery.tracking.wait import Wait, WaitEnd, poll_until_decided
from airflow_provider_omni.delivery.tracking.wait_limits import IN_A_THREAD
from airflow_provider_omni.delivery.tracking.wait_report import ENDED, progress_line, report_of_wait

LINE_EVERY = 60.0
"""Seconds between two lines, but for those on a tenth of the way."""
REPORT_UNCHANGED_EVERY = 600.0
"""Seconds between two reports of the same counts. They show when the wait has last looked."""


class ReportedWait:
    """Drives a `Wait`, and tells of its progress.

    :param wait: the wait.
    :param clock: gives seconds since the epoch.
    :param jitter: gives a number in [0, 1) that spreads the polls of many waits.
    :param one_poll: True if each poll is a process of its own, which knows nothing of the polls before.
    """

    def __init__(
        self, wait: Wait, clock: Clock, jitter: Callable[[], float] = random.random, *, one_poll: bool = False
    ) -> None:
        self._wait = wait
        self.watch = wait.watch
        self._clock = clock
        self._jitter = jitter
        self._one_poll = one_poll
        self._lined_at = clock()
        self._tenth = 0
        self._reported_at = float("-inf")
        self._reported: tuple[int, ...] | None = None

    @property
    def counts(self) -> DeliveryCounts | None:
        """The counts of the latest poll; None while none are known."""
        return self._wait.counts

    @property
    def account(self) -> str:
        """`OmniConfig.account_mark` of the connection that is asked."""
        return self._wait.account

    @account.setter
    def account(self, mark: str) -> None:
        self._wait.account = mark

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls, at the latest at the deadline."""
        return (yield from poll_until_decided(self, self.watch, self._clock, self._jitter))

    def poll(self) -> Steps[WaitEnd | None]:
        """Poll the wait, and tell how far it has got. The end has its delivery report."""
        end = yield from self._wait.poll()
        counts = self.counts if end is None else end.counts
        verdict = Verdict.OPEN if end is None else end.verdict
        now = self._clock()
        next_look = min(now + self.watch.poll_interval, self.watch.deadline) if end is None else None
        large = counts is not None and counts.total > IN_A_THREAD

        def report() -> dict[str, object]:
            return report_of_wait(self.watch, counts, ENDED[verdict], now, next_look=next_look)

        if end is not None:
            made = (yield from offload(report)) if large else report()
            return replace(end, report=made)
        if counts is not None and next_look is not None and self._is_line_due(counts, now):
            yield Log(progress_line(counts, next_look))
        if self._is_report_due(counts, now):
            yield Report((yield from offload(report)) if large else report())
        return None

    def _is_line_due(self, counts: DeliveryCounts, now: float) -> bool:
        if self._one_poll:  # about once a minute, without knowing when the last one was written
            return now // LINE_EVERY != (now - self.watch.poll_interval) // LINE_EVERY
        tenth = 10 * (counts.total - counts.pending) // max(counts.total, 1)
        if tenth <= self._tenth and now - self._lined_at < LINE_EVERY:
            return False
        self._tenth, self._lined_at = max(tenth, self._tenth), now
        return True

    def _is_report_due(self, counts: DeliveryCounts | None, now: float) -> bool:
        seen = () if counts is None else (counts.total, counts.delivered, counts.failed, *counts.pending_at.values())
        pause = REPORT_EVERY if seen != self._reported else REPORT_UNCHANGED_EVERY
        if now - self._reported_at < pause:
            return False
        self._reported, self._reported_at = seen, now
        return True
