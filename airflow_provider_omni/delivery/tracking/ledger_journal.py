"""The wait of a batch: the messages to follow come from its ledger, and the outcomes go into the ledger.

It decides as `wait.py` does. Three things differ, since there may be a million messages:

* outcomes are written as parts, each for several requests together;
* a request is forgotten once nothing more can come for it, and only its counts stay;
* single messages in great number are followed through time windows of the logs (`single_messages.py`).

Long computations run in threads, some thousand messages at a time, because an event loop has other waits to serve.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.effects import Clock, Compute, Fetch, ListParts, Note, Pause, Put, Steps
from airflow_provider_omni.delivery.ledger.parts import OUTCOMES, SENT, TryId, own_parts, pack, unpack
from airflow_provider_omni.delivery.messages.status import StatusUpdate, Tracker
from airflow_provider_omni.delivery.messages.step_codec import sighting_of, step_of
from airflow_provider_omni.delivery.tracking import policy
from airflow_provider_omni.delivery.tracking.ledger_watch import TrackedMessages, read_sent
from airflow_provider_omni.delivery.tracking.log_queries import PAGE
from airflow_provider_omni.delivery.tracking.single_messages import SingleMessageWait
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.time_windows import TimeWindows
from airflow_provider_omni.delivery.tracking.timeouts import header_of, parts_of, timed_out
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Verdict
from airflow_provider_omni.delivery.tracking.wait import LAST_WRITES, QUIET_POLLS, REFUSALS, DeliveryWait, WaitEnd
from airflow_provider_omni.delivery.tracking.wait_together import WaitTogether
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError
from airflow_provider_omni.omni.retries import backoff

MANY_LONE = 100
"""Number of single messages above which they are followed through time windows of the logs."""
LONE_TOGETHER = 1000
"""Single messages whose counts are kept together."""
FLUSH_MESSAGES = 5000
"""Messages with news after which a part is written before more is read."""
COUNT_TOGETHER = 2000
"""Messages that are counted in one computation."""
MARGIN = 3600.0
"""Seconds before the first intent at which the first time window begins, since clocks differ."""


def wait_for(
    watch: Watch,
    clock: Clock,
    token: str,
    jitter: Callable[[], float] = random.random,
    refusals: int = REFUSALS,
    account: str = "",
) -> DeliveryWait:
    """Return the wait for a watch: over several sends if it has parts, with a ledger if it has a ledger path, else with
    a journal of keys.

    :param watch: the messages to follow, the goal and the deadline.
    :param clock: gives seconds since the epoch.
    :param token: tells this copy of the wait from all others; lower-case hex.
    :param jitter: gives a number in [0, 1) that spreads the polls of many waits.
    :param refusals: polls in a row that the API may refuse.
    :param account: `OmniConfig.account_mark` of the connection that is asked.
    """
    if watch.parts:
        parts = [wait_for(each, clock, token, jitter, refusals, account) for each in watch.parts]
        return WaitTogether(watch, clock, parts, jitter, refusals, account)
    if watch.ledger_path is None:
        return DeliveryWait(watch, clock, jitter, refusals, account)
    return LedgerDeliveryWait(watch, clock, token, jitter, refusals, account)


class LedgerDeliveryWait(SingleMessageWait):
    """Follows every message that a ledger says was sent, or may have been."""

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        token: str,
        jitter: Callable[[], float] = random.random,
        refusals: int = REFUSALS,
        account: str = "",
    ) -> None:
        super().__init__(watch, clock, jitter, refusals, account)
        self._name = TryId(0, token)
        self._sequence = 0
        self._polls = 0
        self._overlooked = self._told_one_by_one = self._one_by_one = False
        """Marks of a request whose bulk id does not find its messages: seen by this copy, told by an earlier copy, in
        force. Then each message is followed by its own id.
        """
        self._begin()

    def _begin(self) -> None:
        super()._begin()
        self.tracker = Tracker(self.watch.flow, self.watch.settle_seconds)
        self._sources = []
        self._made = self._loaded = False
        self._sent: frozenset[str] = frozenset()
        self._outcomes: set[str] = set()
        """Parts of `outcomes/` that were read or written; `_sent` has the parts of `sent/`."""
        self._news: dict[str, Subscription] = {}
        self._blocked = False
        """True if the last write has failed."""
        self._by_bulk: dict[str, Subscription] = {}
        self._apart: dict[str, Subscription] = {}
        self._recalling = False
        self._closed: list[str] = []
        """Messages that the settle time has closed. Their requests are forgotten otherwise."""

    # -- beginning ---------------------------------------------------------------------------------------------------

    def poll(self) -> Steps[WaitEnd | None]:
        """Poll once. Returns None while the ledger cannot be read or has grown since it was read."""
        self._check_account(self.watch.account, "the messages were sent from")
        for _ in range(2):
            try:
                yield from self._recall()
            except OmniStorageError as error:
                if not error.retryable:
                    raise
                if self.clock() >= self.watch.deadline:
                    return self._unread(error)
                yield Note(f"The ledger could not be used ({error.message}); it will be repeated.", warning=True)
                return None
            self._polls += 1
            if self._polls % QUIET_POLLS == 0 or self.clock() >= self.watch.deadline:
                yield from self._read_others()
            yield from self._flush()
            closing = self.clock() >= self.watch.deadline
            end = yield from super().poll()
            if self._overlooked and not self._one_by_one:
                yield from self._begin_one_by_one()
                continue
            if end is None:
                return None
            if not (yield from self._went_on()):
                yield from self._write_closed(closing=closing)
                return end
            yield Note("The batch has sent more meanwhile: its ledger is read anew.")
            self._begin()
            if self.clock() < self.watch.deadline:
                return None
        return end

    def standing(self) -> Steps[DeliveryCounts | None]:
        """Return the counts of this moment, made in a thread; None while the ledger is unread or counts are missing."""
        if not self._loaded:
            return None
        tally: DeliveryCounts | None = yield Compute(lambda: self._whole(closing=False))
        return tally

    @property
    def least(self) -> int:
        """Number of messages that there are at least: the ledger's once it was read, the receipt's before."""
        return super().least if self._made else self.watch.accepted

    def leave_off(self) -> Steps[bool]:
        """Stop this wait. Returns False if the batch has sent more since the ledger was read, or if news is unsaved."""
        if not self._loaded:
            return True
        if (yield from self._went_on()):
            yield Note("The batch has sent more meanwhile: its ledger is read anew.")
            self._begin()
            return False
        if not (yield from super().leave_off()):
            return False
        yield from self._write_closed(closing=False)
        return True

    def _write_closed(self, *, closing: bool) -> Steps[None]:
        """Write down who counts as failed for want of news, so that readers of the ledger count as the summary does."""
        lines: list[list[Any]] = yield Compute(lambda: self._closed_lines(closing=closing))
        for part in lines:
            self._sequence += 1
            try:
                yield Put(self._name.part(OUTCOMES, self._sequence), partial(pack, part))
            except OmniStaleTryError:
                raise
            except OmniStorageError as error:
                yield Note(
                    f"Who failed for want of news could not be written ({type(error).__name__}): they stay pending in "
                    "the ledger.",
                    warning=True,
                )
                return

    def _closed_lines(self, *, closing: bool) -> list[list[Any]]:
        now = self.clock()
        closed = list(self._closed)
        for source in self._sources:
            if not source.released:
                closed += self._closed_of(source, now, closing=closing)
        return list(parts_of(closed, header_of(self.tracker.flow, self.account)))

    def _closed_of(self, source: Subscription, now: float, *, closing: bool) -> Iterator[str]:
        looked_at = {each: self._looked_at(source, each, closing=closing) for each in sorted(source.ids)}
        return timed_out(self.tracker, looked_at, now, closing=closing)

    def _unread(self, error: OmniStorageError) -> WaitEnd:
        tally = DeliveryCounts(total=self.watch.accepted)
        said = f"The deadline came before the ledger could be used. {error.message}"
        return WaitEnd(Verdict.TIMEOUT, tally.summary(self.watch.ledger_path), said, tally, unread=True)

    def _recall(self) -> Steps[None]:
        """Read what was sent, and what earlier copies of this wait have written.

        Raises OmniStorageError, to be tried again.
        """
        if self._loaded:
            return
        if not self._made:
            followed = yield from read_sent(
                self.watch.accepted, one_by_one=self._one_by_one, whose=not self.watch.account
            )
            check_account(self.account, followed.accounts, "the batch was sent from, as its ledger says")
            yield Compute(lambda: self._make_sources(followed))
            self._made = True
        yield from self._read_outcomes()
        if self._told_one_by_one and not self._one_by_one:
            self._one_by_one = True
            self._begin()
            yield from self._recall()
            return
        for source in self._sources:
            source.recalled = True
        yield from self._count_and_release()
        self._loaded = True

    def _make_sources(self, followed: TrackedMessages) -> None:
        self._sent = followed.parts
        if followed.flow is not None:
            # The receipt may be of a try that broke off before it had read the ledger, with another scenario.
            self.tracker = Tracker(followed.flow, self.watch.settle_seconds)
        # Messages that counted as accepted when the receipt was made, and are known by now not to have been sent.
        lost = max(0, self.watch.accepted - followed.total)
        self.unsent = self.watch.unsent + lost
        many = len(followed.lone) > MANY_LONE
        if many:
            for start in range(0, len(followed.lone), LONE_TOGETHER):
                ids = followed.lone[start : start + LONE_TOGETHER]
                bulk = Bulk(None, len(ids), ids)
                source = Subscription(bulk, len(ids), logs_due=False, ids=set(ids), sliced=True)
                self._sources.append(source)
                self._by_lone |= dict.fromkeys(ids, source)
            self._slices = TimeWindows(followed.begin - MARGIN, PAGE)
        for (bulk, members), samples in zip(followed.bulks, followed.samples, strict=True):
            source = Subscription(bulk, bulk.messages, members=members, samples=samples)
            self._sources.append(source)
            self._by_bulk[bulk.bulk_id or ""] = source
        for message_id in () if many else followed.lone:
            source = Subscription(Bulk(None, 1, (message_id,)), 1, ids={message_id})
            self._sources.append(source)
            self._by_lone[message_id] = source
        self._apart = {message_id: self._by_lone[message_id] for message_id in followed.apart}

    def _follow_one_by_one(self, sources: Sequence[Subscription], until: float) -> Steps[None]:  # noqa: ARG002
        """Mark that the messages are to be followed one by one. Their ids, perhaps thousands, come from the ledger."""
        self._overlooked = True
        yield from ()

    def _begin_one_by_one(self) -> Steps[None]:
        """Begin anew, following each message by its own id. The ledger says so to later copies, because the logs show
        it for two days only.
        """
        yield from self._flush()
        self._one_by_one = True
        self._sequence += 1
        line = header_of(self.tracker.flow, self.account) | {"one_by_one": True}
        try:
            yield Put(self._name.part(OUTCOMES, self._sequence), lambda: pack([line]))
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Note(f"That could not be written into the ledger ({type(error).__name__}).", warning=True)
        self._begin()

    def _read_outcomes(self) -> Steps[None]:
        """Read the parts that this and other copies of the wait have written, except those already read. Raises
        OmniStorageError.
        """
        names = own_parts((yield ListParts(OUTCOMES, label="journal read")))
        for name in names:
            if name in self._outcomes:
                continue
            data: bytes = yield Fetch(name)
            self._recalling = True
            try:
                yield Compute(lambda data=data, name=name: self._take_part(unpack(data, name)))  # type: ignore[misc]
            except OmniStorageError:
                yield Note(f"The ledger's part {name} is damaged: what stood in it the logs must tell.", warning=True)
            finally:
                self._recalling = False
            self._outcomes.add(name)

    def _read_others(self) -> Steps[None]:
        """Read the parts of other copies. The reports that another copy has read stand there only."""
        try:
            yield from self._read_outcomes()
        except OmniStorageError as error:
            yield Note(f"The ledger could not be read ({type(error).__name__}); it will be repeated.", warning=True)
        yield from self._count_and_release()

    def _went_on(self) -> Steps[bool]:
        """Return True if the batch has written more since this wait has read the ledger."""
        try:
            names = own_parts((yield ListParts(SENT)))
        except OmniStorageError:
            return False
        return not self._sent.issuperset(names)

    def _take_part(self, lines: Iterable[Any]) -> None:
        """Take in a part of an earlier copy. Lines that cannot be read are skipped: the logs bring them again."""
        for line in lines:
            try:
                if "steps" not in line:
                    self._check_account(str(line.get("account") or ""), "the one that was asked so far")
                    self._told_one_by_one = self._told_one_by_one or bool(line.get("one_by_one"))
                    continue
                source = self._by_lone.get(line["id"]) or self._by_bulk.get(line.get("bulk") or "")
                sightings = [sighting_of(line["id"], step) for step in line["steps"]]
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
            if source is not None:
                self._take(source, sightings)

    # -- reading -----------------------------------------------------------------------------------------------------

    def _take(self, source: Subscription, sightings: Iterable[StatusUpdate]) -> bool:
        """Take in status updates, and mark the messages that have news to be written down."""
        news, given = False, source
        for sighting in sightings:
            source = self._apart.get(sighting.message_id, given)
            if source.released:
                continue
            if source.sliced and self._by_lone.get(sighting.message_id) is not source:
                continue
            if super()._take(source, (sighting,)) and not self._recalling:
                self._news[sighting.message_id] = source
                source.unsaved = True
                news = True
        return news

    # -- writing down ------------------------------------------------------------------------------------------------

    def _writing_fails(self, source: Subscription) -> bool:  # noqa: ARG002
        return self._blocked

    def _write_down(self, source: Subscription, *, news: bool) -> Steps[None]:  # noqa: ARG002
        """Write a part if there is much news, which `_take` has marked. Nothing is decided before it is written."""
        yield from self._write_if_much()

    def _write_if_much(self) -> Steps[None]:
        if len(self._news) >= FLUSH_MESSAGES and not self._blocked:
            yield from self._settle()

    def _settle(self) -> Steps[None]:
        yield from self._flush()
        yield from self._count_and_release()

    def _flush(self) -> Steps[None]:
        if not self._news:
            return
        taken, self._news = self._news, {}
        self._sequence += 1
        name = self._name.part(OUTCOMES, self._sequence)
        try:
            yield Put(name, lambda: pack(self._lines(taken)), label="journal written")
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            self._news, self._blocked = taken, True
            yield Note(f"Outcomes could not be written ({type(error).__name__}); it will be repeated.", warning=True)
            self._journal_fails(OUTCOMES, error)
            return
        self._outcomes.add(name)
        self._blocked = False
        self._failing.pop(OUTCOMES, None)
        for source in taken.values():
            source.unsaved = False

    def _lines(self, taken: dict[str, Subscription]) -> Iterator[Any]:
        yield header_of(self.tracker.flow, self.account)
        for message_id, source in taken.items():
            steps = [step_of(each) for each in self.tracker.worth_keeping(message_id)]
            yield {"id": message_id, "bulk": source.bulk.bulk_id, "steps": steps}

    def _write_at_last(self) -> Steps[None]:
        for attempt in range(1, LAST_WRITES + 1):
            yield from self._settle()
            if not self._news:
                return
            yield Pause(backoff(attempt, None, self.jitter))
        raise OmniStorageError(
            "The deadline has come, and outcomes could not be written into the ledger, so nothing was decided from "
            "them.",
            retryable=True,
        )

    # -- counting ----------------------------------------------------------------------------------------------------

    def _count_and_release(self) -> Steps[None]:
        """Count the subscriptions whose news is written down, some thousand messages at a time."""
        batch, messages = list[Subscription](), 0
        for source in self._sources:
            if source.released or source.unsaved or (not source.stale and source.open):
                continue
            batch.append(source)
            messages += len(source.ids)
            if messages >= COUNT_TOGETHER:
                yield Compute(lambda batch=batch: self._release(batch))  # type: ignore[misc]
                batch, messages = [], 0
        if batch:
            yield Compute(lambda: self._release(batch))

    def _release(self, sources: Sequence[Subscription]) -> None:
        """Forget requests for which nothing more can come. Their counts stay."""
        now = self.clock()
        for source in sources:
            if source.stale:
                source.tally = self._count(source, now, closing=False)
                source.stale = False
            if policy.may_be_forgotten(source):
                source.released = True
                if not self.tracker.last_channel:
                    self._closed += self._closed_of(source, now, closing=False)
                for message_id in source.ids:
                    self.tracker.forget(message_id)
                    self._by_lone.pop(message_id, None)
                source.ids, source.shown, source.members = set(), frozenset(), None

    def _decision(self, *, closing: bool) -> Steps[WaitEnd | None]:
        """Decide in a thread: there may be a million messages to count."""
        end: WaitEnd | None = yield Compute(lambda: self._decide(closing=closing))
        return end
