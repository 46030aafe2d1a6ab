"""The wait: read, write down, decide; heal by the logs what the read-once reports did not bring.

One machine for all modes. A poking sensor drives one `DeliveryWait.poll` at a time, a trigger
`DeliveryWait.until_decided`.

What each death costs, and why nothing is lost:

* before a report read: nothing was consumed;
* after the read, before the write: the page is gone from the reports; the logs look at the next start brings it back;
* after the write: the next copy reads the journal first thing.

Two copies of a trigger steal pages from each other. Each merges before it writes, and the logs look that comes every
few polls without progress brings what the other took.
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
"""Pages of reports read in one go for one bulk; a server that never gives a short page must not hold us."""
QUIET_POLLS = 4
"""Polls without progress after which the logs are asked."""
ALL_SHOWN = 120.0
"""Seconds after which all messages of a request stand in the logs, also where the vendor's clock is not ours."""
CLOSING_READS = 120.0
"""Seconds that the last reads of reports may take, from the deadline on."""
CLOSING = 300.0
"""Seconds that the last reads and looks may take together; Airflow ends it 600 s after the deadline."""
LONGEST_LEAD = 3600.0
"""Seconds before the deadline at which the last round of looks begins at the earliest: many requests take long."""
LAST_LOOKS = 6
"""How often a look that fails is repeated before giving up at the deadline."""
LAST_WRITES = 4
"""How often what was read is tried to be written down at the deadline."""
JOURNAL_PATIENCE = 1800.0
"""Seconds for which the journal may be out of reach before the wait ends with that error, far from its deadline."""
JOURNAL_TRIES = 10
"""How often it was tried by then, at least: polls may be half an hour apart."""
REFUSALS = 3
"""Polls in a row that the API may refuse (401, 403, other 4xx) before the wait ends with that error."""
SERVED = 100
"""More sources than this cannot all be looked for in one poll: where to begin then differs from process to process."""
WORDS = 20
"""Sources that are looked for once more before a success that rests on operators' words. More would take long."""
SAMPLES = 5
"""Messages that are looked for by their own ids in one poll, where their requests' ids show nothing."""


@dataclass(frozen=True, slots=True)
class WaitEnd:
    """How a wait ended. `summary` is JSON without numbers and texts."""

    verdict: Verdict
    summary: dict[str, Any]
    explanation: str
    tally: DeliveryCounts = field(default_factory=DeliveryCounts)
    """What the summary was made from."""
    unread: bool = False
    """What there is to wait for could not be read to the end: the tally is what the receipt says."""


class DeliveryWait:
    """Follows the messages of a `Watch` until the verdict falls.

    `clock` gives wall-clock seconds; `jitter` a number in [0, 1) that spreads the polls of many waits.
    `refusals`: polls in a row that the API may refuse; 1 where each poll is a wait of its own (reschedule mode).
    `account`: `OmniConfig.account_mark` of the connection that is asked; whoever reads the connection anew between
    two polls says so.
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
        """Of the time for the last reads and looks, where others are waited for in it as well."""
        self.beside = 0
        """How many others are to be looked for besides its own."""
        self._failing: dict[str, tuple[float, int]] = {}
        """Since when an entry of the journal is out of reach, and how often it was tried since."""
        self._last_round = watch.deadline
        """When the round of looks began after which nothing is looked for any more."""

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls; at the deadline at the latest."""
        while True:
            end = yield from self.poll()
            if end is not None:
                return end
            pause = self.watch.poll_interval * (0.9 + 0.2 * self.jitter())
            yield Pause(max(0.0, min(pause, self.watch.deadline - self.clock())))

    def poll(self) -> Steps[WaitEnd | None]:
        """Read once what is there to read. Returns the end, or None while it is not decided.

        Raises OmniConfigurationError where the connection leads to another account than the one that has the messages.
        """
        self._check_account(self.watch.account, "the messages were sent from")
        yield from self._recall()
        if not self._started:
            self._started = True
            end = yield from self._decision(closing=False)
            # What contradicts an operator's word the copy before may have read and lost: the logs are asked first.
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
        """Ask the logs before a success that rests on operators' words, where that takes few calls. The report that
        takes such a word back may have been handed out in the meantime: a vendor may hand out all reports of the
        account to whoever reads some of them.
        """
        words = [each for each in self._sources if each.tally.operator_only and each.looked_at < began]
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
        """Until when something may go on: so many seconds after the last round has begun; before that so many as
        `otherwise` says, and no longer than to the deadline.
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
                entry = yield Load(source.bulk.journal_key)
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
        """Read the reports of all that is open, those first that were not reached the last time. Returns a refusal."""
        refusal: OmniError | None = None
        until = self._until(CLOSING_READS, self.watch.deadline)
        for source in sorted(self._sources, key=lambda each: each.read_at):
            if source.unsaved:
                yield from self._write_down(source, news=False)
            if source.sliced or not source.open or self._writing_fails(source):
                # While nothing can be written down, nothing is taken from the reports: they are handed out once.
                continue
            if self.clock() >= until:
                break
            source.read_at = self.clock()
            refusal = (yield from self._read(source)) or refusal
        return refusal

    def _read(self, source: Subscription) -> Steps[OmniError | None]:
        """Drain the reports of one source. Returns the refusal, if the API refused."""
        if self.watch.logs_only:
            source.logs_due = True
            return None
        for _ in range(MAX_PAGES):
            try:
                page: list[Report] = yield Ask(api.get_reports(**source.bulk.report_filter, limit=PAGE))
            except OmniError as error:
                # The page may have been handed out to nobody: only the logs still have it.
                source.logs_due = source.lost = True
                yield Note(f"A read of reports failed ({error.why}); the logs will be asked.", warning=True)
                return error if isinstance(error, OmniAuthenticationError | OmniRequestError) else None
            if skipped_in(page):
                # What such a report said, perhaps about one of ours, only the logs may still tell.
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
        """Whether a failure may soon close a message because nothing more is heard: the logs must have been asked."""
        return not self.tracker.last_channel and source.tally.lingering > 0

    # -- looking -------------------------------------------------------------------------------------------------

    def _look(self, *, closing: bool) -> Steps[None]:
        """Ask the logs about every source that is due, as far as the budget goes."""
        due = self._due(closing=closing)
        for source in due:
            source.logs_due = True
        until = self._until(CLOSING)
        for attempt in range(1, LAST_LOOKS + 1 if closing else 2):
            yield from self._look_for(due, until)
            failed = yield from self._doubt_bulk_ids(until)
            if attempt == LAST_LOOKS or not closing or self.clock() >= until:
                return
            # Not those that it began with: some may be followed message by message by now.
            due = [each for each in self._sources if each.logs_due and each.open and not each.sliced]
            if not (failed or due):
                return
            yield Pause(backoff(attempt, None, self.jitter))

    def _due(self, *, closing: bool) -> list[Subscription]:
        """Who is to be looked for: first those of whom reports were lost, then who has waited longest."""
        candidates = [each for each in self._sources if each.open and not each.sliced]
        now, count = self.clock(), len(candidates)
        # So many take longer than the closing itself may: their last looks begin ahead of the deadline.
        lead = min(max(0.0, (count + self.beside) * 60.0 / LOGS_PER_MINUTE - CLOSING), LONGEST_LEAD)
        last_round = self.watch.deadline - lead
        self._last_round = min(self._last_round, last_round)
        if now < last_round or not lead:
            last_round = 0.0
        begin = int(count * (now / self.watch.poll_interval * GOLDEN % 1.0)) if count > SERVED else 0
        ranked = [
            (not each.lost, each.looked_at, (place - begin) % count, each)
            for place, each in enumerate(candidates)
            if each.logs_due or closing or each.expected is None or each.looked_at < last_round
        ]
        return [source for *_, source in sorted(ranked, key=lambda each: each[:3])]

    def _look_for(self, waiting: Sequence[Subscription], until: float) -> Steps[None]:
        """One look for each, several in a call where that goes. Those of whom it fails stay due."""
        latest = until if self._closing_since is not None else self.watch.deadline
        while (waiting := [each for each in waiting if each.logs_due]) and self.clock() < latest:
            group = self.looks.together(waiting, len(self.watch.flow))
            kind = self.looks.kind(group[0])
            found = yield from self.looks.about(kind, [each.name for each in group], until)
            if found is None:
                if self.looks.busy:
                    return
                failed = set(group)
                waiting = [each for each in waiting if each not in failed]
                continue
            for source in group:
                if source.name in found:
                    alone = source.bulk.alone and len(found) == 1
                    yield from self._heal(source, found[source.name], alone=alone)

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
        """Whether the vendor keeps a caller's bulk id is not published. Where it shows nothing, look for a message
        by its own id; where that shows something, follow the request's messages one by one.

        Returns whether a look has failed, so that this is to be repeated.
        """
        overlooked: list[Subscription] = []
        failed = False
        for number, source in enumerate(self._doubted_filters()):
            enough = number >= SAMPLES if self._closing_since is None else self.clock() >= until
            if enough and not overlooked:
                break
            # Some are found by nothing. Where each poll is a process of its own, the time says whose turn it is; after
            # that it must not: looks come at intervals of which the number of samples may be a divisor.
            at_first = int(self.clock() / self.watch.poll_interval)
            turn = at_first if source.next_sample is None else source.next_sample
            begin = turn % len(source.samples)
            sample, *others = dict.fromkeys((*source.samples[begin:], *source.samples[:begin]))
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
        """Whoever was shown nothing by its filter, those first that wait longest. Where each poll is a process of its
        own, the time says with whom it begins: not all can be looked for in one poll.
        """
        unseen = [each for each in self._sources if each.unseen and not each.heard and each.samples and each.open]
        count = len(unseen)
        begin = int(count * (self.clock() / self.watch.poll_interval * GOLDEN % 1.0)) if count > SAMPLES else 0
        ranked = [(each.sampled_at, (place - begin) % count, each) for place, each in enumerate(unseen)]
        return [source for *_, source in sorted(ranked, key=lambda each: each[:2])]

    def _follow_one_by_one(self, sources: Sequence[Subscription], until: float) -> Steps[None]:
        """Do so from now on; and have later copies of this wait do so: the logs show it for two days only."""
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
        """Put a source for each message in place of these requests'."""
        alone = [
            # Counted as open until it is counted: else nothing would be read about it in this round.
            Subscription(Bulk(None, 1, (each,)), 1, tally=DeliveryCounts(total=1), ids={each})
            for source in sources
            for each in source.bulk.message_ids
        ]
        self._sources = [each for each in self._sources if each not in sources] + alone
        return alone

    def _size_up(self, source: Subscription, *, full: bool) -> None:
        """Settle how many messages an unknown bulk has: two looks, far enough apart, that agree; or one, when all that
        it shows was sent so long ago that nothing is missing any more, since a bulk is sent at once.
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
        """When the first step of the message that came last was sent; now, where it is not told of all."""
        return max(
            min((step.sent_at or now for step in self.tracker.steps(message_id)), default=now)
            for message_id in source.ids
        )

    def _take_rows(self, source: Subscription, rows: Sequence[Report | LogRow]) -> Steps[bool]:
        """Take a page in."""
        return self._take(source, [StatusUpdate.of(row) for row in rows])
        yield

    def _take(self, source: Subscription, sightings: Iterable[StatusUpdate]) -> bool:
        """Take sightings in. Returns whether any is worth writing down: more than "still under way", or just that after
        a failure.
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
        """Merge with what is written, and write. Until that succeeded nothing is decided from it."""
        source.unsaved = source.unsaved or news
        if not source.unsaved:
            return
        try:
            written = yield Load(source.bulk.journal_key)
            source.recalled = True
            self._take_written(source, written)
            yield Save(source.bulk.journal_key, encode(self._worth_keeping(source), self.account))
            source.unsaved = False
            self._failing.pop(source.bulk.journal_key, None)
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Note(f"The journal could not be written ({type(error).__name__}); it will be repeated.", warning=True)
            self._journal_fails(source.bulk.journal_key, error)

    def _take_written(self, source: Subscription, entry: Json) -> None:
        """Take in what an earlier copy has written. What it heard, only the account that it asked can go on with."""
        self._check_account(account_of(entry), "the one that was asked so far")
        self._take(source, decode(entry))

    def _journal_fails(self, key: str, error: OmniStorageError) -> None:
        """Raise OmniStorageError once this entry could not be used for `JOURNAL_PATIENCE`, tried often: nothing is
        decided without it, so that such a wait would go on until its deadline for nothing.
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
        """At the deadline, too, nothing is decided from what is not written down. Raises OmniStorageError."""
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
        """The counts over all messages. Only bulks that something happened to are counted anew."""
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
        """When the logs have told of it in the last round, else `NEVER`: then nobody fails because nothing more was
        heard. A look for many that does not show a message which has failed does not show what follows either: a list
        of ids that is not read, or a page that is full.
        """
        asked = source.looked_at >= self._last_round if closing else not source.logs_due
        return source.looked_at if asked and message_id in source.shown else NEVER

    def _may_be_refused(self, step: StatusUpdate) -> bool:
        """Whether a message looks as refused ones do where they show up: one step failed, none has followed."""
        first = step.channel != self.tracker.last_channel or len(self.tracker.flow) == 1
        return step.state is StepState.FAILED and first

    def _decision(self, *, closing: bool) -> Steps[WaitEnd | None]:
        """Decide from what is written down."""
        return self._decide(closing=closing)
        yield

    def standing(self) -> Steps[DeliveryCounts | None]:
        """The counts of this moment, from what is written down; None where they are not whole."""
        return self._whole(closing=False)
        yield

    def leave_off(self) -> Steps[bool]:
        """The verdict over several waits has fallen while this one is not over. Returns whether that may stand: not
        while something that was read is not written down. It would be in no count, and later copies never hear of it.
        """
        return not any(source.unsaved for source in self._sources)
        yield

    @property
    def least(self) -> int:
        """How many messages there are at least, whatever of their outcomes is known."""
        return sum(source.total for source in self._sources)

    @property
    def looked_for(self) -> int:
        """How many requests and lone messages are looked for one by one."""
        return sum(each.open and not each.sliced for each in self._sources)

    def _whole(self, *, closing: bool) -> DeliveryCounts | None:
        tally = self.tally(closing=closing)
        if any(source.unsaved or not (source.recalled or closing) for source in self._sources):
            return None  # not written down yet, or not all that was written down could be read: counts must be whole
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
        """Where it is not known how many messages there are: what is seen may be the smaller part."""
        goal = self.watch.goal
        if goal.success_when == "any" and tally.delivered and (closing or not goal.settle):
            return Verdict.SUCCESS
        if closing and goal.success_when == "all" and tally.failed:
            return Verdict.FAILURE
        return Verdict.TIMEOUT if closing else Verdict.OPEN
