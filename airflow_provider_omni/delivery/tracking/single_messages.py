"""Follow thousands of single-message requests by reading the logs in time windows, and by message id where a window may
have missed one.

Time windows leave gaps. A window may miss a message, because its full page cannot be cut or a clock is wrong: so unseen
messages are asked for by their ids now and then, and at the end all that are open. Some vendors log the last step only.
So if a step has no failure on record, the message's reports are read once before its failure counts. A read that fails
is repeated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from airflow_provider_omni.delivery.effects import Log, Steps, call_api, offload
from airflow_provider_omni.delivery.messages.status import NEVER, Outcome, StatusUpdate
from airflow_provider_omni.delivery.retrying import UnfinishedError, retrying
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.deliveries import Deliveries, beside
from airflow_provider_omni.delivery.tracking.journals import ReportJournal
from airflow_provider_omni.delivery.tracking.log_queries import MESSAGES, LogQueries
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.time_windows import LAG, UNREAD, TimeWindows, Window
from airflow_provider_omni.delivery.tracking.wait_limits import (
    CLOSING,
    FAILED_READS,
    LAST_LOOKS,
    LIMITS,
    TrackingLimits,
)
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.models import LogRow, Report, skipped_in

UNSURE = (Outcome.PENDING, Outcome.OPERATOR)


class SingleMessageFollower:
    """Follows the single messages of a ledger, if there are too many to ask for each.

    :param deliveries: what is known of the messages.
    :param journal: where it is kept.
    :param queries: queries to the logs.
    :param jitter: gives a number in [0, 1) that spreads the pauses of many waits.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        journal: ReportJournal,
        queries: LogQueries,
        jitter: Callable[[], float],
        limits: TrackingLimits = LIMITS,
    ) -> None:
        self._deliveries = deliveries
        self._watch = deliveries.watch
        self._clock = deliveries.clock
        self._journal = journal
        self._queries = queries
        self._jitter = jitter
        self._page = limits.page
        self._looks_by_id = limits.looks_by_id
        self._begin()

    def _begin(self) -> None:
        """Start afresh, as the deliveries did."""
        self._begun_at = self._deliveries.begun_at
        self._windows: TimeWindows | None = None
        self._unseen_due = self._begun_at + LAG
        self._unseen_from = 0
        self._unlooked: frozenset[str] = frozenset()
        """Messages that the last round did not reach, or that the logs did not show in it."""
        self._failed_reads = Counter[str]()
        """Reads of a message's reports that have failed, by message id."""

    def _open(self) -> list[Subscription]:
        return [
            subscription
            for subscription in self._deliveries.subscriptions
            if subscription.by_time_window and subscription.open
        ]

    def look(self, *, closing: bool) -> Steps[None]:
        """Ask the logs about them, by time windows and then by their ids."""
        if self._begun_at != self._deliveries.begun_at:
            self._begin()
        since = self._deliveries.windows_since
        if since is None:
            return
        if self._windows is None:
            self._windows = TimeWindows(since, self._page)
            self._deliveries.looked_at_in_windows = self._looked_at
        if self._open():
            yield from self._look_at_windows(self._windows, closing=closing)
            yield from self.look_by_id(closing=closing)

    # -- time windows ------------------------------------------------------------------------------------------------

    def _look_at_windows(self, windows: TimeWindows, *, closing: bool) -> Steps[None]:
        """Query all open windows once. If the budget is spent, the rest comes first in the next round."""
        until = self._deliveries.until(CLOSING / 2, self._watch.poll_interval)
        due = windows.due(self._clock())

        def look() -> Steps[None]:
            nonlocal due
            yield from self._look_at(windows, due, until)
            due = windows.unread()
            if due:
                raise UnfinishedError

        most = LAST_LOOKS if closing else 1
        with suppress(UnfinishedError):
            yield from retrying(look, most, self._jitter, has_time=lambda _: self._clock() < until)

    def _look_at(self, windows: TimeWindows, due: list[Window], until: float) -> Steps[None]:
        waiting = due[::-1]
        while waiting:
            window = waiting.pop()
            rows = yield from self._queries.ask(
                until,
                sent_since=datetime.fromtimestamp(window.since, UTC),
                sent_until=datetime.fromtimestamp(window.until, UTC),
                limit=self._page,
            )
            if rows is None and self._queries.busy:
                return
            if rows is None:
                windows.failed(window)
                continue
            pending = yield from beside(rows, lambda rows=rows: self._take_window(rows))  # type: ignore[misc]
            # A row that cannot be parsed may be one of ours, so its window stays open.
            pending = pending or skipped_in(rows) > 0
            if len(rows) + skipped_in(rows) >= self._page and (halves := windows.full(window)):
                waiting += reversed(halves)
            else:
                windows.seen(window, self._clock(), pending=pending, rows=len(rows) + skipped_in(rows))
            yield from self._journal.save_if_much()
            if self._clock() >= until:
                return

    def _take_window(self, rows: Sequence[LogRow]) -> bool:
        """Take in the rows that are ours. Returns True if one of our messages in the window may still change, a failed
        step with another to follow included.
        """
        pending, now = False, self._clock()
        for row in rows:
            subscription = self._deliveries.single.get(row.message_id)
            if subscription is not None and subscription.by_time_window:
                self._deliveries.take(subscription, (StatusUpdate.of(row),), self._journal.news)
                pending = pending or self._deliveries.status_of(row.message_id, now).outcome in UNSURE
        return pending

    # -- by their ids ------------------------------------------------------------------------------------------------

    def look_by_id(self, *, closing: bool) -> Steps[None]:
        """Ask for messages by their ids: now and then for some of the unseen, at the end for all that are open."""
        now = self._clock()
        if not closing and now < self._unseen_due:
            return
        self._unseen_due = now + LAG
        open_ = yield from offload(lambda: self._open_ones(with_seen=closing))
        if not closing:
            begin = self._unseen_from = self._unseen_from % max(len(open_), 1)
            self._unseen_from += self._looks_by_id * self._queries.at_once[MESSAGES] // 2
            open_ = open_[begin:] + open_[:begin]
        until = self._deliveries.until(CLOSING * 2 / 3, self._watch.poll_interval)
        if not closing:
            yield from self._look_for_these(open_, until, most=self._looks_by_id)
            return
        left = yield from self._look_for_these(open_, until)
        # If every window could be read, they were looked for there.
        self._unlooked = frozenset(left if self._windows is not None and self._windows.unread() else ())

    def _look_for_these(self, open_: list[str], until: float, most: float = math.inf) -> Steps[list[str]]:
        """Ask for messages by their ids. Returns those that were not reached, or that the logs do not show.

        :param open_: ids to ask for, most urgent first.
        :param until: time at which no further call begins.
        :param most: budget of calls, in which a query for several ids counts as two.
        """
        calls, unshown = 0, list[str]()
        while open_ and calls < most:
            group = open_[: self._queries.at_once[MESSAGES]]
            found = yield from self._queries.fetch(MESSAGES, group, until)
            calls += 2
            if found is None:
                break
            for message_id, rows in found.items():
                if not rows:
                    unshown.append(message_id)
                if subscription := self._deliveries.single.get(message_id):
                    yield from self._deliveries.take_rows(subscription, rows, self._journal.news)
            yield from self._journal.save_if_much()
            unanswered = [each for each in group if each not in found]
            # After a full page the same are asked for again, fewer at once. Those of which an answer tells nothing come
            # last: a later list may show that the vendor reads lists.
            open_ = open_[len(group) :] + unanswered if found else unanswered + open_[len(group) :]
            if self._clock() >= until:
                break
        return open_ + unshown

    def _looked_at(self, message_id: str, closing: bool) -> float:
        """Return the time at which all windows were read, or the message was asked for by its id; `NEVER` if neither.

        :param closing: True at the deadline.
        """
        read_at = self._windows.read_at() if self._windows is not None else NEVER
        if closing and read_at == UNREAD and message_id not in self._unlooked:
            # If a window could not be read, they were asked for by their ids.
            return self._deliveries.closing_since or NEVER
        return NEVER if read_at == UNREAD else read_at

    def _open_ones(self, *, with_seen: bool) -> list[str]:
        """Return ids with an open outcome, unseen ones first.

        :param with_seen: include the seen; else only the unseen are returned. Two seen ids then lead, whatever their
            outcome: if the first answer shows both, the vendor reads lists, and the unseen need not be asked for alone.
        """
        now, unseen, others, shown = self._clock(), list[str](), list[str](), list[str]()
        wanted = UNSURE if self._watch.criterion.delivered_means == "handset" else UNSURE[:1]
        for subscription in self._open():
            for message_id in sorted(subscription.ids):
                status = self._deliveries.status_of(message_id, now)
                if status.by is None:
                    unseen.append(message_id)
                    continue
                if len(shown) < safety.LISTED:
                    shown.append(message_id)
                if status.outcome in wanted:
                    others.append(message_id)
        if not with_seen or not (unseen or others):
            return unseen
        return [*shown, *unseen, *(each for each in others if each not in shown)]

    # -- failures of which not every step was heard ------------------------------------------------------------------

    def any_unconfirmed(self) -> bool:
        """Return True if some messages seem to have failed, and not every step was seen to."""
        return any(each.by_time_window and each.unconfirmed_failures for each in self._deliveries.subscriptions)

    def confirm_failures(self, *, closing: bool) -> Steps[None]:
        """Read the reports of messages that seem to have failed, as many as the time allows.

        After a read that failed, the vendor may still have the report: so it is repeated in the next poll, and some
        times at the deadline. Whoever could not be heard by then has failed, as the logs say.
        """
        until = self._deliveries.until(CLOSING, self._watch.poll_interval)

        def hear() -> Steps[None]:
            unheard = yield from offload(self._unheard)
            if not (yield from self._hear(unheard, until, math.inf if closing else FAILED_READS)):
                raise UnfinishedError

        most = LAST_LOOKS if closing else 1
        with suppress(UnfinishedError):
            yield from retrying(hear, most, self._jitter, has_time=lambda pause: self._clock() + pause < until)

    def _unheard(self) -> list[tuple[str, Subscription]]:
        """Return the doubted messages with their subscriptions, last those whose reads have failed most often."""
        unheard = [
            (message_id, subscription)
            for subscription in self._deliveries.subscriptions
            if subscription.by_time_window
            for message_id in subscription.unconfirmed_failures - self._deliveries.heard
        ]
        return sorted(unheard, key=lambda each: (self._failed_reads[each[0]], each[0]))

    def _hear(self, unheard: Sequence[tuple[str, Subscription]], until: float, most_failures: float) -> Steps[bool]:
        """Read the reports of these. Returns True if all of them were read.

        :param until: time at which no further read begins.
        :param most_failures: reads that may fail in a row before the others are left to the next poll.
        """
        failed, all_heard = 0, True
        for message_id, subscription in unheard:
            if self._clock() >= until or failed >= most_failures or self._journal.blocked(subscription):
                return False
            page: Sequence[Report] | None = None
            try:
                page = yield from call_api(
                    api.get_reports(message_id=message_id, limit=self._page), label="reports read"
                )
            except OmniError as error:
                yield Log(f"A read of reports failed ({error.why}); it will be repeated.", warning=True)
            else:
                self._deliveries.note_time(page)
            failed = failed + 1 if page is None else 0
            if safety.is_heard(page, self._page):
                self._deliveries.heard.add(message_id)
                self._journal.confirmed(subscription, (message_id,))
                subscription.counts_outdated = True
            else:
                self._failed_reads[message_id] += 1
                all_heard = False
            if page is not None:
                yield from self._deliveries.take_rows(subscription, page, self._journal.news)
                yield from self._journal.save_if_much()
        return all_heard
