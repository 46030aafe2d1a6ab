"""Follow requests and single messages by their own ids: read their reports, and ask the logs where these leave gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from airflow_provider_omni.delivery.effects import Log, Steps, call_api
from airflow_provider_omni.delivery.messages.status import LOG_LAG
from airflow_provider_omni.delivery.retrying import UnfinishedError, retrying
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.deliveries import Deliveries
from airflow_provider_omni.delivery.tracking.journals import ReportJournal
from airflow_provider_omni.delivery.tracking.log_queries import GOLDEN, MESSAGES, LogQueries
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.wait_limits import (
    ALL_SHOWN,
    CLOSING,
    CLOSING_READS,
    IDLE_POLLS,
    LAST_LOOKS,
    LONGEST_LEAD,
    MAX_PAGES,
    SAMPLES,
    SERVED,
)
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniAuthenticationError, OmniError, OmniRequestError
from airflow_provider_omni.omni.models import LogRow, skipped_in
from airflow_provider_omni.omni.rate_limits import LOGS_PER_MINUTE


class SubscriptionFollower:
    """Reads the subscriptions that have a filter of their own.

    :param deliveries: what is known of the messages.
    :param journal: where it is kept.
    :param queries: queries to the logs.
    :param jitter: gives a number in [0, 1) that spreads the pauses of many waits.
    """

    def __init__(
        self, deliveries: Deliveries, journal: ReportJournal, queries: LogQueries, jitter: Callable[[], float]
    ) -> None:
        self._deliveries = deliveries
        self._watch = deliveries.watch
        self._clock = deliveries.clock
        self._journal = journal
        self._queries = queries
        self._jitter = jitter

    def read_all(self, *, closing: bool) -> Steps[OmniError | None]:
        """Read the reports of everything open, first those not reached last time. Returns a refusal, if any.

        At the deadline a read that fails is repeated: only a report may tell of a delivery before the last step.
        """
        return (yield from self._read_whole(self._deliveries.subscriptions, closing=closing))

    def confirm_failures(self, *, closing: bool) -> Steps[None]:
        """Write and count what the logs have told. If they show failures that a report may contradict, read the reports
        once more: it may have come after this poll has read them, and before it asked the logs.
        """
        yield from self._journal.commit()
        doubted = [
            each
            for each in self._deliveries.subscriptions
            if each.unconfirmed_failures and each.reports_unread and self._may_read(each)
        ]
        if doubted and not self._watch.logs_only:
            yield from self._read_whole(doubted, closing=closing)
            yield from self._journal.commit()

    def _read_whole(self, subscriptions: Sequence[Subscription], *, closing: bool) -> Steps[OmniError | None]:
        refusal: OmniError | None = None
        until = self._deliveries.until(CLOSING_READS, self._watch.deadline)
        due = subscriptions

        def read() -> Steps[None]:
            nonlocal refusal, due
            refusal = yield from self._read_these(due, until)
            due = [each for each in subscriptions if each.reports_unread and self._may_read(each)]
            if due and refusal is None:
                raise UnfinishedError

        most = LAST_LOOKS if closing else 1
        with suppress(UnfinishedError):
            yield from retrying(read, most, self._jitter, has_time=lambda pause: self._clock() + pause < until)
        return refusal

    def _may_read(self, subscription: Subscription) -> bool:
        """Return True if the reports of a subscription may be read.

        While nothing can be written down, no report is read: each is handed out only once.
        """
        return not subscription.by_time_window and subscription.open and not self._journal.blocked(subscription)

    def _read_these(self, subscriptions: Sequence[Subscription], until: float) -> Steps[OmniError | None]:
        """Read the reports of those that are open, first those not reached last time. Returns a refusal, if any."""
        refusal: OmniError | None = None
        for subscription in sorted(subscriptions, key=lambda each: each.read_at):
            if subscription.dirty:
                yield from self._journal.save(subscription)
            if not self._may_read(subscription):
                continue
            if self._clock() >= until:
                break
            subscription.read_at = self._clock()
            refusal = (yield from self._read(subscription)) or refusal
        return refusal

    def _read(self, subscription: Subscription) -> Steps[OmniError | None]:
        """Read all reports of one subscription. Returns the error if the API refused, else None."""
        if self._watch.logs_only:
            subscription.logs_due = True
            self._note_read(subscription, heard=True)  # there is nothing to be heard from them
            return None
        for _ in range(MAX_PAGES):
            try:
                page = yield from call_api(
                    api.get_reports(**subscription.bulk.report_filter, limit=api.MAX_LIMIT), label="reports read"
                )
            except OmniError as error:
                # The page may have been handed out and lost on the way: then only the logs still have it.
                subscription.logs_due = subscription.report_read_failed = True
                self._note_read(subscription, heard=safety.is_heard(None, api.MAX_LIMIT))
                yield Log(f"A read of reports failed ({error.why}); the logs will be asked.", warning=True)
                return error if isinstance(error, OmniAuthenticationError | OmniRequestError) else None
            self._deliveries.note_time(page)
            if skipped_in(page):
                # A report that could not be parsed may be about one of ours: only the logs may still show what it said.
                subscription.logs_due = subscription.report_read_failed = True
            news = yield from self._deliveries.take_rows(subscription, page, self._journal.news)
            subscription.idle_polls = 0 if news else subscription.idle_polls + 1
            self._note_read(subscription, heard=safety.is_heard(page, api.MAX_LIMIT))
            yield from self._journal.save(subscription)
            if len(page) + skipped_in(page) < api.MAX_LIMIT or self._journal.blocked(subscription):
                break
        if subscription.idle_polls >= IDLE_POLLS or self._may_close_unheard(subscription):
            subscription.logs_due = True
        return None

    def _note_read(self, subscription: Subscription, *, heard: bool) -> None:
        """Note whether all reports that there were have been read. If so, failures count that did not before."""
        if heard:
            self._journal.confirmed(subscription)
        subscription.counts_outdated = subscription.counts_outdated or (heard and subscription.reports_unread)
        subscription.reports_unread = not heard

    def _may_close_unheard(self, subscription: Subscription) -> bool:
        """Return True if a failure may soon close a message for want of news. The logs must be asked before that."""
        return self._deliveries.tracker.settles and subscription.counts.pending_after_failed_step > 0

    def look(self, *, closing: bool) -> Steps[None]:
        """Ask the logs about every subscription that is due, as far as the budget goes."""
        due = self._due(closing=closing)
        for subscription in due:
            subscription.logs_due = True
        until = self._deliveries.until(CLOSING)

        def look() -> Steps[None]:
            nonlocal due
            yield from self._look_for(due, until)
            failed = yield from self.doubt_bulk_ids(until)
            # Not the list it began with: some of its requests may be followed message by message by now.
            due = [
                each
                for each in self._deliveries.subscriptions
                if each.logs_due and each.open and not each.by_time_window
            ]
            if failed or due:
                raise UnfinishedError

        most = LAST_LOOKS if closing else 1
        with suppress(UnfinishedError):
            yield from retrying(look, most, self._jitter, has_time=lambda _: self._clock() < until)

    def _due(self, *, closing: bool) -> list[Subscription]:
        """Return the subscriptions to ask the logs for: first those that have lost reports, then the one that has
        waited longest.
        """
        candidates = [each for each in self._deliveries.subscriptions if each.open and not each.by_time_window]
        now, count = self._clock(), len(candidates)
        # With so many, the queries take longer than the closing time: the last round begins before the deadline.
        lead = min(max(0.0, (count + self._deliveries.beside) * 60.0 / LOGS_PER_MINUTE - CLOSING), LONGEST_LEAD)
        last_round = self._watch.deadline - lead
        self._deliveries.last_round = min(self._deliveries.last_round, last_round)
        if now < last_round or not lead:
            last_round = 0.0
        begin = int(count * (now / self._watch.poll_interval * GOLDEN % 1.0)) if count > SERVED else 0
        ranked = [
            (not each.report_read_failed, each.looked_at, (place - begin) % count, each)
            for place, each in enumerate(candidates)
            if safety.is_due(each, last_round, closing=closing)
        ]
        return [subscription for *_, subscription in sorted(ranked, key=lambda each: each[:3])]

    def _look_for(self, waiting: Sequence[Subscription], until: float) -> Steps[None]:
        """Ask the logs for each subscription, several in a call if possible. After a failed query it stays due."""
        latest = until if self._deliveries.closing_since is not None else self._watch.deadline
        while (waiting := [each for each in waiting if each.logs_due]) and self._clock() < latest:
            group = self._queries.batchable(waiting, self._deliveries.tracker.most_steps)
            kind = self._queries.kind(group[0])
            found = yield from self._queries.fetch(kind, [each.name for each in group], until)
            if found is None and self._queries.busy:
                return
            asked = set(group)
            waiting = [each for each in waiting if each not in asked]
            if not found:
                # After a failure they wait for the next round; after a full page they are asked for again, fewer at
                # once.
                waiting = waiting if found is None else [*group, *waiting]
                continue
            for subscription in group:
                if subscription.name in found or safety.is_left_to_samples(subscription):
                    alone = subscription.bulk.alone and len(found) == 1
                    yield from self._apply_log_rows(subscription, found.get(subscription.name, []), alone=alone)
            # Those of which the answer tells nothing come last: a later list may show that the vendor reads lists.
            waiting += group

    def _apply_log_rows(self, subscription: Subscription, rows: list[LogRow], *, alone: bool) -> Steps[None]:
        subscription.logs_due = subscription.report_read_failed = False
        subscription.idle_polls = 0
        subscription.looked_at = self._clock()
        subscription.shown = frozenset(subscription.bulk.message_ids if alone else (row.message_id for row in rows))
        subscription.unseen = not rows and not subscription.heard
        news = yield from self._deliveries.take_rows(subscription, rows, self._journal.news)
        subscription.reports_unread = subscription.reports_unread or safety.are_reports_outdated(news=news)
        subscription.heard_since_logs = False  # before the journal tells what another copy has read
        yield from self._journal.save(subscription)
        self._infer_size(subscription, full=len(rows) >= api.MAX_LIMIT or skipped_in(rows) > 0)

    def _infer_size(self, subscription: Subscription, *, full: bool) -> None:
        """Find out how many messages a request of unknown size has.

        The size is settled when two queries, `LOG_LAG` apart, show equally many; or by one query, if every message in
        it was sent more than `ALL_SHOWN` ago, since a request is sent at once.
        """
        if subscription.expected is not None or full:
            return
        now, seen = self._clock(), len(subscription.ids)
        vendors = safety.by_the_vendors_clock(now, self._deliveries.behind)
        if seen and vendors - self._newest(subscription, vendors) >= ALL_SHOWN:
            subscription.expected = seen
            subscription.counts_outdated = True
        elif subscription.rows_at_last_look is None or subscription.rows_at_last_look[1] != seen:
            subscription.rows_at_last_look = (now, seen)
        elif seen and now - subscription.rows_at_last_look[0] >= LOG_LAG:
            subscription.expected = seen
            subscription.counts_outdated = True

    def _newest(self, subscription: Subscription, now: float) -> float:
        """Return the latest send time of any message seen so far; `now` if one has no send time."""
        return max(
            min((step.sent_at or now for step in self._deliveries.tracker.steps(message_id)), default=now)
            for message_id in subscription.ids
        )

    def ask_again(self, subscriptions: Sequence[Subscription]) -> Steps[bool]:
        """Ask the logs about subscriptions on which a verdict rests. Returns True if all could be asked about.

        At the deadline a query that fails is repeated.
        """
        for subscription in subscriptions:
            subscription.logs_due = True
        until = self._deliveries.until(CLOSING, self._watch.poll_interval)

        def look() -> Steps[None]:
            yield from self._look_for(subscriptions, until)
            if any(subscription.logs_due for subscription in subscriptions):
                raise UnfinishedError

        most = 1 if self._deliveries.closing_since is None else LAST_LOOKS
        with suppress(UnfinishedError):
            yield from retrying(look, most, self._jitter, has_time=lambda _: self._clock() < until)
        yield from self.confirm_failures(closing=self._deliveries.closing_since is not None)
        return not any(subscription.logs_due for subscription in subscriptions)

    def doubt_bulk_ids(self, until: float) -> Steps[bool]:
        """Find requests that the logs do not show by their bulk ids. Returns True if a query failed, so that this must
        be repeated.

        The vendor's documentation does not promise to keep a caller's bulk id. If a bulk id shows no row, one of the
        request's messages is asked for by its own id; if that shows a row, the request's messages are followed one by
        one.
        """
        overlooked: list[Subscription] = []
        failed = False
        for number, subscription in enumerate(self._unproven_filters()):
            enough = number >= SAMPLES if self._deliveries.closing_since is None else self._clock() >= until
            if enough and not overlooked:
                break
            # Some messages have no rows at all. If each poll is a process of its own, the time picks the first sample.
            # After that the time must not pick: the interval between two queries may be a multiple of the number of
            # samples.
            at_first = int(self._clock() / self._watch.poll_interval)
            turn = at_first if subscription.next_sample is None else subscription.next_sample
            sample, *others = safety.samples_from(turn, subscription.samples)
            subscription.next_sample, subscription.unseen, subscription.sampled_at = turn + 1, False, self._clock()
            rows = yield from self._queries.ask(until, message_ids=(sample,))
            if not rows and rows is not None and others and (most := self._queries.at_once[MESSAGES]) > 1:
                # Whether the logs read a list is not certain: one alone is. But a list may find more.
                rows = yield from self._queries.ask(until, message_ids=tuple(others[:most]))
            if rows is None:
                subscription.next_sample, subscription.unseen, failed = turn, True, True
                break
            if any(row.message_id in subscription.samples for row in rows):
                overlooked.append(subscription)
        if overlooked:
            yield Log(
                f"The logs do not find {len(overlooked)} of the requests by their bulk ids, and find their messages: "
                "these are followed by their own ids.",
                warning=True,
            )
            yield from self._follow_singly(overlooked, until)
            # Not marked in the journal yet: that must be repeated.
            failed = failed or any(subscription.unseen for subscription in overlooked)
        return failed

    def _unproven_filters(self) -> list[Subscription]:
        """Return the subscriptions whose filter has shown no row; the one that has waited longest comes first.

        One poll cannot ask for all of them. If each poll is a process of its own, the time decides which one comes
        first.
        """
        unseen = [each for each in self._deliveries.subscriptions if safety.is_bulk_id_doubted(each)]
        count = len(unseen)
        begin = int(count * (self._clock() / self._watch.poll_interval * GOLDEN % 1.0)) if count > SAMPLES else 0
        ranked = [(each.sampled_at, (place - begin) % count, each) for place, each in enumerate(unseen)]
        return [subscription for *_, subscription in sorted(ranked, key=lambda each: each[:2])]

    def _follow_singly(self, subscriptions: Sequence[Subscription], until: float) -> Steps[None]:
        """Follow the messages of these requests by their own ids from now on."""
        alone = yield from self._journal.follow_singly(subscriptions)
        for subscription in alone:
            if subscription.open and not self._journal.blocked(subscription):
                yield from self._read(subscription)
        yield from self._look_for(alone, until)
