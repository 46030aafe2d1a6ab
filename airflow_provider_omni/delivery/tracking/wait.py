"""The wait: read the reports, write them down, decide; fill the gaps from the logs.

Reports are handed out once, so a report may be lost after it was read; the logs can be read again. One machine serves
all modes: a poking sensor drives `DeliveryWait.poll` once per poke, a trigger drives `DeliveryWait.until_decided`.

What each death costs, and why nothing is lost:

* before reports are read: nothing was consumed;
* after the read, before the write: the reports do not have the page any more; the log query at the next start brings it
  back;
* after the write: the next copy reads the journal before anything else.

Two copies of a trigger take pages from each other. Each merges with what is written before it writes, and the log query
after every few polls without progress brings what the other copy took.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.effects import Ask, Clock, Json, Load, Note, Pause, Save, Steps
from airflow_provider_omni.delivery.messages.codec import account_of, decode, encode, points_to_messages
from airflow_provider_omni.delivery.messages.status import LOG_LAG, NEVER, Outcome, StatusUpdate, Tracker
from airflow_provider_omni.delivery.tracking import policy
from airflow_provider_omni.delivery.tracking.log_queries import GOLDEN, MESSAGES, PAGE, LogQueries
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Verdict, evaluate, explain
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniError,
    OmniRequestError,
    OmniStaleTryError,
    OmniStorageError,
)
from airflow_provider_omni.omni.limits import LOGS_PER_MINUTE
from airflow_provider_omni.omni.models import LogRow, Report, skipped_in
from airflow_provider_omni.omni.retries import backoff
from airflow_provider_omni.omni.statuses import StepState

MAX_PAGES = 100
"""Pages of reports read at once for one subscription. Bounds the read if a server never gives a short page."""
QUIET_POLLS = 4
"""Polls without progress after which the logs are asked."""
ALL_SHOWN = 120.0
"""Seconds after which the logs show all messages of a request, even if the vendor's clock differs from ours."""
CLOSING_READS = 120.0
"""Seconds after the deadline in which the last reads of reports must end."""
CLOSING = 300.0
"""Seconds after the deadline in which the last reads and log queries must end. Airflow ends the wait after 600 s."""
LONGEST_LEAD = 3600.0
"""Seconds by which the last round of log queries may begin before the deadline, at most. Many requests take long."""
LAST_LOOKS = 6
"""Rounds of log queries at the deadline, while queries fail."""
LAST_WRITES = 4
"""Tries to write down at the deadline what was read."""
JOURNAL_PATIENCE = 1800.0
"""Seconds for which the journal may be out of reach before the wait ends with an error, far from its deadline."""
JOURNAL_TRIES = 10
"""Failed tries that must come before that, since polls may be half an hour apart."""
REFUSALS = 3
"""Polls in a row that the API may refuse (401, 403, other 4xx) before the wait ends with that error."""
SERVED = 100
"""Subscriptions that one poll can ask for. With more, each poll and each process begins with another one."""
WORDS = 20
"""Subscriptions that are queried once more before a success that rests on operator deliveries. More would take long."""
SAMPLES = 5
"""Messages that one poll asks for by their own ids because their requests' bulk ids show no row."""


@dataclass(frozen=True, slots=True)
class WaitEnd:
    """The end of a wait. `summary` is JSON without numbers and texts."""

    verdict: Verdict
    summary: dict[str, Any]
    explanation: str
    tally: DeliveryCounts = field(default_factory=DeliveryCounts)
    """The counts behind the summary."""
    unread: bool = False
    """True if the list of messages to wait for could not be read in full. The counts are then those of the receipt."""


class DeliveryWait:
    """Follows the messages of a `Watch` until the verdict falls.

    :param watch: the messages to follow, the goal and the deadline.
    :param clock: gives seconds since the epoch.
    :param jitter: gives a number in [0, 1) that spreads the polls of many waits.
    :param refusals: polls in a row that the API may refuse; 1 if each poll is a wait of its own (reschedule mode).
    :param account: `OmniConfig.account_mark` of the connection that is asked. A caller that reads the connection anew
        between two polls sets `account` anew.
    """

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        refusals: int = REFUSALS,
        account: str = "",
    ) -> None:
        self.watch = watch
        self.account = account
        self.refusals = refusals
        self.clock = clock
        self.jitter = jitter
        self.tracker = Tracker(watch.flow, watch.settle_seconds)
        self.looks = LogQueries(clock, watch.ids_per_look)
        self._sources = [
            Subscription(bulk, bulk.messages, ids=set(bulk.message_ids), samples=() if bulk.alone else bulk.message_ids)
            for bulk in watch.bulks
        ]
        self.unsent = watch.unsent
        self._refused_polls = 0
        self._started = False
        self._closing_since: float | None = None
        self.closing_share = 1.0
        """Share of the time for the last reads and log queries that is this wait's; less than 1 beside other waits."""
        self.beside = 0
        """Number of subscriptions of other waits that share the budget of log calls."""
        self._failing: dict[str, tuple[float, int]] = {}
        """Journal keys that are out of reach, each with the time since when and the number of tries."""
        self._last_round = watch.deadline
        """Start of the last round of log queries, after which no subscription is asked for again."""

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls, at the latest at the deadline."""
        while True:
            end = yield from self.poll()
            if end is not None:
                return end
            pause = self.watch.poll_interval * (0.9 + 0.2 * self.jitter())
            yield Pause(max(0.0, min(pause, self.watch.deadline - self.clock())))

    def poll(self) -> Steps[WaitEnd | None]:
        """Read once everything there is to read. Returns the end, or None while it is not decided.

        Raises OmniConfigurationError if the connection leads to another account than the one that has the messages.
        """
        self._check_account(self.watch.account, "the messages were sent from")
        yield from self._recall()
        if not self._started:
            self._started = True
            end = yield from self._decision(closing=False)
            # The earlier copy may have read, and lost, a report that contradicts an operator delivery. So the logs are
            # asked before that success counts.
            on_its_word = any(source.tally.operator_only for source in self._sources)
            if end is not None and not (end.verdict is Verdict.SUCCESS and on_its_word):
                return end
        began = self.clock()
        closing = began >= self.watch.deadline
        if closing and self._closing_since is None:
            self._closing_since = began
        refusal = yield from self._read_all()
        yield from self._look(closing=closing)
        if closing:
            yield from self._write_at_last()
        self._refused_polls = self._refused_polls + 1 if refusal is not None else 0
        if refusal is not None and self._refused_polls >= self.refusals:
            raise refusal
        end = yield from self._decision(closing=closing)
        if end is not None and end.verdict is Verdict.SUCCESS and not closing:
            end = yield from self._taken_at_its_word(end, began)
        return end

    def _taken_at_its_word(self, end: WaitEnd, began: float) -> Steps[WaitEnd | None]:
        """Ask the logs before a success that rests on operator deliveries, if that takes few calls.

        The report that takes such a delivery back may have been handed out to somebody else in the meantime: a vendor
        may give all reports of the account to whoever reads some of them.
        """
        words = [each for each in self._sources if policy.rests_on_words(each, began)]
        if not words or len(words) > WORDS or any(each.sliced for each in words):
            return end
        for source in words:
            source.logs_due = True
        yield from self._look_for(words, self._until(CLOSING, self.watch.poll_interval))
        if any(source.logs_due for source in words):
            return None  # in the next poll, or at the deadline
        return (yield from self._decision(closing=False))

    def _check_account(self, known: str, says: str) -> None:
        check_account(self.account, known, says)

    def _until(self, seconds: float, otherwise: float = 0.0) -> float:
        """Return the time at which the current step must stop: `seconds` after the closing round began, or before that
        `otherwise` seconds from now, at most the deadline.
        """
        if self._closing_since is not None:
            return self._closing_since + seconds * self.closing_share
        return min(self.clock() + otherwise, self.watch.deadline)

    # -- reading -------------------------------------------------------------------------------------------------

    def _recall(self) -> Steps[None]:
        """Read back what an earlier try, or an earlier copy of this trigger, has written down."""
        apart: list[Subscription] = []
        for source in self._sources:
            if source.recalled:
                continue
            try:
                entry = yield Load(source.bulk.journal_key, label="journal read")
            except OmniStorageError as error:
                yield Note(
                    f"The journal could not be read ({type(error).__name__}); it will be repeated.", warning=True
                )
                self._journal_fails(source.bulk.journal_key, error)
                continue
            self._failing.pop(source.bulk.journal_key, None)
            source.recalled = True
            self._take_written(source, entry)
            if points_to_messages(entry):
                apart.append(source)
        if apart:
            self._put_apart(apart)
            yield from self._recall()

    def _read_all(self) -> Steps[OmniError | None]:
        """Read the reports of everything open, first those not reached last time. Returns a refusal, if any."""
        refusal: OmniError | None = None
        until = self._until(CLOSING_READS, self.watch.deadline)
        for source in sorted(self._sources, key=lambda each: each.read_at):
            if source.unsaved:
                yield from self._write_down(source, news=False)
            if source.sliced or not source.open or self._writing_fails(source):
                # While nothing can be written down, no report is read: each is handed out only once.
                continue
            if self.clock() >= until:
                break
            source.read_at = self.clock()
            refusal = (yield from self._read(source)) or refusal
        return refusal

    def _read(self, source: Subscription) -> Steps[OmniError | None]:
        """Read all reports of one subscription. Returns the error if the API refused, else None."""
        if self.watch.logs_only:
            source.logs_due = True
            return None
        for _ in range(MAX_PAGES):
            try:
                page: list[Report] = yield Ask(
                    api.get_reports(**source.bulk.report_filter, limit=PAGE), label="reports read"
                )
            except OmniError as error:
                # The page may have been handed out and lost on the way: then only the logs still have it.
                source.logs_due = source.lost = True
                yield Note(f"A read of reports failed ({error.why}); the logs will be asked.", warning=True)
                return error if isinstance(error, OmniAuthenticationError | OmniRequestError) else None
            if skipped_in(page):
                # A report that could not be parsed may be about one of ours: only the logs may still show what it said.
                source.logs_due = source.lost = True
            news = yield from self._take_rows(source, page)
            source.quiet = 0 if news else source.quiet + 1
            yield from self._write_down(source, news=news)
            if len(page) + skipped_in(page) < PAGE or self._writing_fails(source):
                break
        if source.quiet >= QUIET_POLLS or self._may_close_unheard(source):
            source.logs_due = True
        return None

    def _writing_fails(self, source: Subscription) -> bool:
        return source.unsaved

    def _may_close_unheard(self, source: Subscription) -> bool:
        """Return True if a failure may soon close a message for want of news. The logs must be asked before that."""
        return not self.tracker.last_channel and source.tally.lingering > 0

    # -- looking -------------------------------------------------------------------------------------------------

    def _look(self, *, closing: bool) -> Steps[None]:
        """Ask the logs about every subscription that is due, as far as the budget goes."""
        due = self._due(closing=closing)
        for source in due:
            source.logs_due = True
        until = self._until(CLOSING)
        for attempt in range(1, LAST_LOOKS + 1 if closing else 2):
            yield from self._look_for(due, until)
            failed = yield from self._doubt_bulk_ids(until)
            if attempt == LAST_LOOKS or not closing or self.clock() >= until:
                return
            # Not the list it began with: some of its requests may be followed message by message by now.
            due = [each for each in self._sources if each.logs_due and each.open and not each.sliced]
            if not (failed or due):
                return
            yield Pause(backoff(attempt, None, self.jitter))

    def _due(self, *, closing: bool) -> list[Subscription]:
        """Return the subscriptions to ask the logs for: first those that have lost reports, then the one that has
        waited longest.
        """
        candidates = [each for each in self._sources if each.open and not each.sliced]
        now, count = self.clock(), len(candidates)
        # With so many, the queries take longer than the closing time: the last round begins before the deadline.
        lead = min(max(0.0, (count + self.beside) * 60.0 / LOGS_PER_MINUTE - CLOSING), LONGEST_LEAD)
        last_round = self.watch.deadline - lead
        self._last_round = min(self._last_round, last_round)
        if now < last_round or not lead:
            last_round = 0.0
        begin = int(count * (now / self.watch.poll_interval * GOLDEN % 1.0)) if count > SERVED else 0
        ranked = [
            (not each.lost, each.looked_at, (place - begin) % count, each)
            for place, each in enumerate(candidates)
            if policy.is_due(each, last_round, closing=closing)
        ]
        return [source for *_, source in sorted(ranked, key=lambda each: each[:3])]

    def _look_for(self, waiting: Sequence[Subscription], until: float) -> Steps[None]:
        """Ask the logs for each subscription, several in a call if possible. After a failed query it stays due."""
        latest = until if self._closing_since is not None else self.watch.deadline
        while (waiting := [each for each in waiting if each.logs_due]) and self.clock() < latest:
            group = self.looks.together(waiting, len(self.tracker.flow))
            kind = self.looks.kind(group[0])
            found = yield from self.looks.about(kind, [each.name for each in group], until)
            if found is None and self.looks.busy:
                return
            asked = set(group)
            waiting = [each for each in waiting if each not in asked]
            if not found:
                # After a failure they wait for the next round; after a full page they are asked for again, fewer at
                # once.
                waiting = waiting if found is None else [*group, *waiting]
                continue
            for source in group:
                if source.name in found or policy.is_left_to_samples(source):
                    alone = source.bulk.alone and len(found) == 1
                    yield from self._heal(source, found.get(source.name, []), alone=alone)
            # Those of which the answer tells nothing come last: a later list may show that the vendor reads lists.
            waiting += group

    def _heal(self, source: Subscription, rows: list[LogRow], *, alone: bool) -> Steps[None]:
        source.logs_due = source.lost = False
        source.quiet = 0
        source.looked_at = self.clock()
        source.shown = frozenset(source.bulk.message_ids if alone else (row.message_id for row in rows))
        source.unseen = not rows and not source.heard
        news = yield from self._take_rows(source, rows)
        yield from self._write_down(source, news=news)
        self._size_up(source, full=len(rows) >= PAGE or skipped_in(rows) > 0)

    def _doubt_bulk_ids(self, until: float) -> Steps[bool]:
        """Find requests that the logs do not show by their bulk ids. Returns True if a query failed, so that this must
        be repeated.

        The vendor's documentation does not promise to keep a caller's bulk id. If a bulk id shows no row, one of the
        request's messages is asked for by its own id; if that shows a row, the request's messages are followed one by
        one.
        """
        overlooked: list[Subscription] = []
        failed = False
        for number, source in enumerate(self._doubted_filters()):
            enough = number >= SAMPLES if self._closing_since is None else self.clock() >= until
            if enough and not overlooked:
                break
            # Some messages have no rows at all. If each poll is a process of its own, the time picks the first sample.
            # After that the time must not pick: the interval between two queries may be a multiple of the number of
            # samples.
            at_first = int(self.clock() / self.watch.poll_interval)
            turn = at_first if source.next_sample is None else source.next_sample
            sample, *others = policy.samples_from(turn, source.samples)
            source.next_sample, source.unseen, source.sampled_at = turn + 1, False, self.clock()
            rows = yield from self.looks.ask(until, message_ids=(sample,))
            if not rows and rows is not None and others and (most := self.looks.at_once[MESSAGES]) > 1:
                # Whether the logs read a list is not certain: one alone is. But a list may find more.
                rows = yield from self.looks.ask(until, message_ids=tuple(others[:most]))
            if rows is None:
                source.next_sample, source.unseen, failed = turn, True, True
                break
            if any(row.message_id in source.samples for row in rows):
                overlooked.append(source)
        if overlooked:
            yield Note(
                f"The logs do not find {len(overlooked)} of the requests by their bulk ids, and find their messages: "
                "these are followed by their own ids.",
                warning=True,
            )
            yield from self._follow_one_by_one(overlooked, until)
        return failed

    def _doubted_filters(self) -> list[Subscription]:
        """Return the subscriptions whose filter has shown no row; the one that has waited longest comes first.

        One poll cannot ask for all of them. If each poll is a process of its own, the time decides which one comes
        first.
        """
        unseen = [each for each in self._sources if policy.is_bulk_id_doubted(each)]
        count = len(unseen)
        begin = int(count * (self.clock() / self.watch.poll_interval * GOLDEN % 1.0)) if count > SAMPLES else 0
        ranked = [(each.sampled_at, (place - begin) % count, each) for place, each in enumerate(unseen)]
        return [source for *_, source in sorted(ranked, key=lambda each: each[:2])]

    def _follow_one_by_one(self, sources: Sequence[Subscription], until: float) -> Steps[None]:
        """Follow the messages of these requests one by one from now on.

        The journal says so to later copies of this wait, because the logs show it for two days only.
        """
        for source in sources:
            try:
                yield Save(source.bulk.journal_key, encode((), self.account) | {"one_by_one": True})
            except OmniStaleTryError:
                raise
            except OmniStorageError as error:
                yield Note(f"That could not be written down ({type(error).__name__}).", warning=True)
        alone = self._put_apart(sources)
        yield from self._recall()
        for source in alone:
            if source.open and not self._writing_fails(source):
                yield from self._read(source)
        yield from self._look_for(alone, until)

    def _put_apart(self, sources: Sequence[Subscription]) -> list[Subscription]:
        """Replace these requests by one subscription for each of their messages."""
        alone = [
            # It counts as open until it is counted; otherwise this round would read nothing about it.
            Subscription(Bulk(None, 1, (each,)), 1, tally=DeliveryCounts(total=1), ids={each})
            for source in sources
            for each in source.bulk.message_ids
        ]
        self._sources = [each for each in self._sources if each not in sources] + alone
        return alone

    def _size_up(self, source: Subscription, *, full: bool) -> None:
        """Find out how many messages a request of unknown size has.

        The size is settled when two queries, `LOG_LAG` apart, show equally many; or by one query, if every message in
        it was sent more than `ALL_SHOWN` ago, since a request is sent at once.
        """
        if source.expected is not None or full:
            return
        now, seen = self.clock(), len(source.ids)
        if seen and now - self._newest(source, now) >= ALL_SHOWN:
            source.expected = seen
            source.stale = True
        elif source.rows_at_last_look is None or source.rows_at_last_look[1] != seen:
            source.rows_at_last_look = (now, seen)
        elif seen and now - source.rows_at_last_look[0] >= LOG_LAG:
            source.expected = seen
            source.stale = True

    def _newest(self, source: Subscription, now: float) -> float:
        """Return the latest send time of any message seen so far; `now` if one has no send time."""
        return max(
            min((step.sent_at or now for step in self.tracker.steps(message_id)), default=now)
            for message_id in source.ids
        )

    def _take_rows(self, source: Subscription, rows: Sequence[Report | LogRow]) -> Steps[bool]:
        """Take in the rows of a page."""
        return self._take(source, [StatusUpdate.of(row) for row in rows])
        yield

    def _take(self, source: Subscription, sightings: Iterable[StatusUpdate]) -> bool:
        """Take in status updates. Returns True if any is worth writing down: more than "under way", or "under way"
        after a failure.
        """
        news = False
        for sighting in sightings:
            if not source.knows(sighting.message_id):
                continue
            source.heard = True
            new_id = sighting.message_id not in source.ids
            source.ids.add(sighting.message_id)
            if self.tracker.observe(sighting) or new_id:
                source.stale = True
                news = news or sighting.state is not StepState.PENDING or self.tracker.fell(sighting.message_id)
        return news

    def _write_down(self, source: Subscription, *, news: bool) -> Steps[None]:
        """Merge with what is written, and write. Nothing is decided from a subscription before its write succeeds."""
        source.unsaved = source.unsaved or news
        if not source.unsaved:
            return
        try:
            written = yield Load(source.bulk.journal_key)
            source.recalled = True
            self._take_written(source, written)
            entry = encode(self._worth_keeping(source), self.account)
            yield Save(source.bulk.journal_key, entry, label="journal written")
            source.unsaved = False
            self._failing.pop(source.bulk.journal_key, None)
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Note(f"The journal could not be written ({type(error).__name__}); it will be repeated.", warning=True)
            self._journal_fails(source.bulk.journal_key, error)

    def _take_written(self, source: Subscription, entry: Json) -> None:
        """Take in the entry of an earlier copy. Raises OmniConfigurationError if that copy asked another account."""
        self._check_account(account_of(entry), "the one that was asked so far")
        self._take(source, decode(entry))

    def _journal_fails(self, key: str, error: OmniStorageError) -> None:
        """Raise OmniStorageError if this entry was out of reach for `JOURNAL_PATIENCE` and at least `JOURNAL_TRIES`
        tries.

        Nothing is decided without the journal, so such a wait would only run on to its deadline.
        """
        now = self.clock()
        since, tried = self._failing.get(key, (now, 0))
        self._failing[key] = since, tried + 1
        if now - since >= JOURNAL_PATIENCE and tried >= JOURNAL_TRIES and now < self.watch.deadline:
            raise OmniStorageError(
                f"What was read could not be kept for {(now - since) / 60:.0f} minutes, so nothing was decided "
                f"and the wait ends here: {error.message} A retry goes on from the vendor's logs.",
                retryable=True,
            ) from error

    def _write_at_last(self) -> Steps[None]:
        """Write down at the deadline what is still unsaved. Raises OmniStorageError if that fails: even then nothing is
        decided from it.
        """
        for attempt in range(1, LAST_WRITES + 1):
            for source in self._sources:
                if source.unsaved:
                    yield from self._write_down(source, news=False)
            if not any(source.unsaved for source in self._sources):
                return
            yield Pause(backoff(attempt, None, self.jitter))
        raise OmniStorageError(
            "The deadline has come, and what was read could not be written down, so nothing was decided from it.",
            retryable=True,
        )

    def _worth_keeping(self, source: Subscription) -> Iterable[StatusUpdate]:
        for message_id in sorted(source.ids):
            yield from self.tracker.worth_keeping(message_id)

    # -- deciding ------------------------------------------------------------------------------------------------

    def tally(self, *, closing: bool = False) -> DeliveryCounts:
        """Return the counts over all messages. A subscription whose counts cannot have changed is not counted anew."""
        now = self.clock()
        total = DeliveryCounts()
        for source in self._sources:
            ageing = not self.tracker.last_channel and source.open
            if not source.released and (source.stale or closing or ageing):
                source.tally = self._count(source, now, closing=closing)
                source.stale = False
            total.merge(source.tally)
        return total

    def _count(self, source: Subscription, now: float, *, closing: bool) -> DeliveryCounts:
        tally = DeliveryCounts(total=source.total)
        surplus = source.surplus
        for message_id in sorted(source.ids):
            looked_at = self._looked_at(source, message_id, closing=closing)
            standing = self.tracker.standing(message_id, now, closing=closing, looked_at=looked_at)
            if standing.by is None and standing.outcome is Outcome.PENDING:
                continue
            if not closing and message_id in source.doubted:
                continue
            if surplus and standing.by and self._may_be_refused(standing.by):
                surplus -= 1
                continue
            tally.add(message_id, standing, self.tracker.steps(message_id), self.watch.goal.delivered_means)
        return tally

    def _looked_at(self, source: Subscription, message_id: str, *, closing: bool) -> float:
        """Return the time of the log query in the last round that tells of the message; `NEVER` if there was none.

        With `NEVER`, a message does not count as failed for want of further news. A query for several ids tells only of
        the messages that it shows: the vendor may not read the list, or the page may be full.
        """
        asked = source.looked_at >= self._last_round if closing else not source.logs_due
        return source.looked_at if asked and message_id in source.shown else NEVER

    def _may_be_refused(self, step: StatusUpdate) -> bool:
        """Return True if this could be a refused recipient that the vendor shows in its logs: the first step failed and
        no later step exists.
        """
        first = step.channel != self.tracker.last_channel or len(self.tracker.flow) == 1
        return step.state is StepState.FAILED and first

    def _decision(self, *, closing: bool) -> Steps[WaitEnd | None]:
        """Decide from what is written down."""
        return self._decide(closing=closing)
        yield

    def standing(self) -> Steps[DeliveryCounts | None]:
        """Return the counts of this moment, from what is written down; None while they are incomplete."""
        return self._whole(closing=False)
        yield

    def leave_off(self) -> Steps[bool]:
        """Stop this wait, because the verdict over several waits has fallen. Returns False if it must not stand.

        It must not stand while something that was read is not written down: that would be in no count, and later copies
        would never hear of it.
        """
        return not any(source.unsaved for source in self._sources)
        yield

    @property
    def least(self) -> int:
        """Number of messages that there are at least, whether or not their outcomes are known."""
        return sum(source.total for source in self._sources)

    @property
    def looked_for(self) -> int:
        """Number of requests and single messages that are asked for one by one."""
        return sum(each.open and not each.sliced for each in self._sources)

    def _whole(self, *, closing: bool) -> DeliveryCounts | None:
        tally = self.tally(closing=closing)
        if not all(policy.is_written_down(source, closing=closing) for source in self._sources):
            return None
        return tally

    def _decide(self, *, closing: bool) -> WaitEnd | None:
        tally = self._whole(closing=closing)
        if tally is None:
            return None
        goal = self.watch.goal
        if any(source.expected is None for source in self._sources):
            verdict = self._of_unknown_size(tally, closing=closing)
        else:
            verdict = evaluate(tally, goal, deadline_passed=closing, unsent=self.unsent)
        if verdict is Verdict.OPEN:
            return None
        said = explain(verdict, tally, goal, self.unsent, self.watch.missing)
        if verdict is Verdict.TIMEOUT and any(source.expected is None for source in self._sources):
            said += " How many messages its bulk_ids have is not known: the logs did not tell."
        return WaitEnd(verdict, tally.summary(self.watch.ledger_path), said, tally)

    def _of_unknown_size(self, tally: DeliveryCounts, *, closing: bool) -> Verdict:
        """Return the verdict while the number of messages is not known: those seen may be the smaller part."""
        goal = self.watch.goal
        if goal.success_when == "any" and tally.delivered and (closing or not goal.settle):
            return Verdict.SUCCESS
        if closing and goal.success_when == "all" and tally.failed:
            return Verdict.FAILURE
        return Verdict.TIMEOUT if closing else Verdict.OPEN
