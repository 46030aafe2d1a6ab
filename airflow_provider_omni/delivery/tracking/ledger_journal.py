"""The journal of a wait for a batch: the messages to follow come from its ledger, and the outcomes go into it.

There may be a million messages. So outcomes are written as parts, each for several requests together; and a request is
forgotten once nothing more can come for it, only its counts stay.

Long computations run in threads, some thousand messages at a time, because an event loop has other waits to serve.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.effects import Log, Steps, WritePart, list_parts, offload, read_part
from airflow_provider_omni.delivery.ledger.parts import (
    OUTCOMES,
    SENT,
    UNCONFIRMED,
    VERSION,
    TryId,
    own_parts,
    pack,
    unpack,
)
from airflow_provider_omni.delivery.messages.codec import step_of, update_of
from airflow_provider_omni.delivery.messages.status import tells_end
from airflow_provider_omni.delivery.retrying import is_failed_write, retrying
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.deliveries import Deliveries
from airflow_provider_omni.delivery.tracking.journals import OutOfReach
from airflow_provider_omni.delivery.tracking.ledger_watch import TrackedMessages, read_sent
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.wait_limits import IDLE_POLLS, LAST_WRITES, LIMITS, TrackingLimits
from airflow_provider_omni.delivery.tracking.watch import Bulk
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError

WINDOW_MARGIN = 3600.0
"""Seconds before the first intent at which the first time window begins, since clocks differ."""
CLOSED_TOGETHER = 10_000
"""Messages in one part that says who has failed for want of news, at most."""


class LedgerJournal:
    """Keeps what a wait has read in the ledger of a batch.

    :param deliveries: what is known of the messages.
    :param token: tells this copy of the wait from all others; lower-case hex.
    :param limits: sizes.
    :param jitter: gives a number in [0, 1) that spreads pauses.
    """

    large = True

    def __init__(
        self,
        deliveries: Deliveries,
        token: str,
        limits: TrackingLimits = LIMITS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._jitter = jitter
        self._deliveries = deliveries
        self._watch = deliveries.watch
        self._limits = limits
        self._name = TryId(0, token)
        self._sequence = 0
        self._polls = 0
        self._overlooked: list[Subscription] = []
        """Requests whose bulk ids do not find their messages, as this copy has seen."""
        self._marked_singly = self._singly = False
        """True if each message is to be followed by its own id: as an earlier copy says, and as is done."""
        self._reach = OutOfReach(deliveries.clock, deliveries.watch.deadline)

    @property
    def made(self) -> bool:
        """True once the ledger says which messages there are."""
        return self._made

    @property
    def loaded(self) -> bool:
        """True once the outcomes in the ledger were read."""
        return self._loaded

    def begin(self) -> None:
        """Forget everything. `open` reads the ledger anew."""
        self._deliveries.begin()
        self._made = self._loaded = False
        self._sent: frozenset[str] = frozenset()
        self._outcomes: set[str] = set()
        """Parts of `outcomes/` that were read or written; `_sent` has the parts of `sent/`."""
        self._news: dict[str, Subscription] = {}
        self._unconfirmed: dict[Subscription, set[str]] = {}
        """Messages whose failures stand in the ledger as unconfirmed."""
        self._doubtful_failures = False
        """True if failures were written that rest on the last step, since the parts of other copies were read."""
        self._blocked = False
        """True if the last write has failed."""
        self._by_bulk: dict[str, Subscription] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    def open(self) -> Steps[OmniStorageError | None]:
        """Read what was sent, and what earlier copies of this wait have written."""
        try:
            yield from self._load()
        except OmniStorageError as error:
            if not error.retryable:
                raise
            return error
        self._polls += 1
        return None

    def _load(self) -> Steps[None]:
        if self._loaded:
            return
        deliveries = self._deliveries
        if not self._made:
            followed = yield from read_sent(
                self._watch.accepted, one_by_one=self._singly, whose=not self._watch.account
            )
            check_account(deliveries.account, followed.accounts, "the batch was sent from, as its ledger says")
            yield from offload(lambda: self._follow(followed))
            self._made = True
        yield from self._read_outcomes()
        if self._marked_singly and not self._singly:
            self._singly = True
            self.begin()
            yield from self._load()
            return
        for subscription in deliveries.subscriptions:
            subscription.journal_loaded = True
        yield from self._count_and_evict()
        self._loaded = True

    def _follow(self, followed: TrackedMessages) -> None:
        """Make the subscriptions."""
        deliveries, single_together = self._deliveries, self._limits.single_together
        self._sent = followed.parts
        # Messages that counted as accepted when the receipt was made, and are known by now not to have been sent.
        lost = max(0, self._watch.accepted - followed.total)
        # The receipt may be of a try that broke off before it had read the ledger, with another scenario.
        deliveries.go_through(self._watch.flow if followed.flow is None else followed.flow, followed.other_flows)
        deliveries.unsent = self._watch.unsent + lost
        many = len(followed.singles) > self._limits.many_single
        if many:
            for start in range(0, len(followed.singles), single_together):
                ids = followed.singles[start : start + single_together]
                bulk = Bulk(None, len(ids), ids)
                subscription = Subscription(bulk, len(ids), logs_due=False, ids=set(ids), by_time_window=True)
                deliveries.subscriptions.append(subscription)
                deliveries.single |= dict.fromkeys(ids, subscription)
            deliveries.windows_since = followed.begin - WINDOW_MARGIN
        for (bulk, members), samples in zip(followed.bulks, followed.samples, strict=True):
            subscription = Subscription(bulk, bulk.messages, member_ids=members, samples=samples)
            deliveries.subscriptions.append(subscription)
            self._by_bulk[bulk.bulk_id or ""] = subscription
        for message_id in () if many else followed.singles:
            subscription = Subscription(Bulk(None, 1, (message_id,)), 1, ids={message_id})
            deliveries.subscriptions.append(subscription)
            deliveries.single[message_id] = subscription
        deliveries.apart = {message_id: deliveries.single[message_id] for message_id in followed.apart}

    def _read_outcomes(self) -> Steps[None]:
        """Read the parts that this and other copies of the wait have written, except those already read. Raises
        OmniStorageError.
        """
        names = own_parts((yield from list_parts(OUTCOMES, label="journal read")))
        for name in names:
            if name in self._outcomes:
                continue
            data = yield from read_part(name)
            try:
                yield from offload(lambda data=data, name=name: self._take_part(unpack(data, name)))  # type: ignore[misc]
            except OmniStorageError:
                yield Log(f"The ledger's part {name} is damaged: what stood in it the logs must tell.", warning=True)
            self._outcomes.add(name)

    def _take_part(self, lines: Iterable[Any]) -> None:
        """Take in a part of an earlier copy. Lines that cannot be read are skipped: the logs bring them again."""
        for line in lines:
            try:
                if "steps" not in line:
                    self._deliveries.check_account(str(line.get("account") or ""), "the one that was asked so far")
                    self._marked_singly = self._marked_singly or bool(line.get("one_by_one"))
                    continue
                subscription = self._deliveries.single.get(line["id"]) or self._by_bulk.get(line.get("bulk") or "")
                updates = [update_of(line["id"], step) for step in line["steps"]]
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
            if subscription is not None:
                self._deliveries.take(subscription, updates)
                if tells_end(updates, self._deliveries.tracker.flow_of(line["id"])):
                    self._note_unconfirmed(line["id"], subscription, unconfirmed=bool(line.get(UNCONFIRMED)))

    def refresh(self) -> Steps[None]:
        """Write what is unsaved. Every few polls, and at the deadline, first read the parts of other copies.

        The reports that another copy has read stand there only.
        """
        if self._polls % IDLE_POLLS == 0 or self._deliveries.clock() >= self._watch.deadline:
            yield from self._read_others()
            yield from self._count_and_evict()
        yield from self._write_news()

    def _read_others(self) -> Steps[None]:
        try:
            yield from self._read_outcomes()
        except OmniStorageError as error:
            yield Log(f"The ledger could not be read ({type(error).__name__}); it will be repeated.", warning=True)
        else:
            self._doubtful_failures = False

    def has_grown(self) -> Steps[bool]:
        """Return True if the batch has written more since this wait has read the ledger."""
        try:
            names = own_parts((yield from list_parts(SENT)))
        except OmniStorageError:
            return False
        if self._sent.issuperset(names):
            return False
        yield Log("The batch has sent more meanwhile: its ledger is read anew.")
        return True

    # -- one by one ----------------------------------------------------------------------------------------------

    def follow_singly(self, subscriptions: Sequence[Subscription]) -> Steps[list[Subscription]]:
        """Mark that the messages are to be followed singly. Their ids, perhaps thousands, come from the ledger."""
        self._overlooked = list(subscriptions)
        yield from ()
        return []

    def begins_anew(self, *, closing: bool) -> Steps[bool]:
        """Return True if each message must be followed by its own id from now on: as this copy has seen, or as another
        one that runs beside it has written.

        What was read so far is written down first, since it is forgotten then. And the ledger says so to later copies,
        because the logs show it for two days only. If either cannot be written, the requests stay as they are, and are
        doubted again.
        """
        overlooked, self._overlooked = self._overlooked, []
        if self._singly:
            return False
        if not safety.must_be_followed_singly(overlooked=bool(overlooked), marked=self._marked_singly):
            return False
        yield from self._write_news()
        if safety.may_begin_anew(self._deliveries.subscriptions) and (
            self._marked_singly or (yield from self._mark_singles(closing=closing))
        ):
            self._singly = True
            return True
        for subscription in overlooked:
            subscription.unseen = True
        return False

    def _mark_singles(self, *, closing: bool) -> Steps[bool]:
        """Tell later copies that each message is followed by its own id. Returns True if that may be done."""
        line = self._header() | {"one_by_one": True}

        def write() -> Steps[None]:
            self._sequence += 1
            try:
                yield WritePart(self._name.part(OUTCOMES, self._sequence), lambda: pack([line]), label="singles marked")
            except OmniStorageError as error:
                if is_failed_write(error):
                    yield Log(
                        f"That could not be written into the ledger ({type(error).__name__}); it will be repeated.",
                        warning=True,
                    )
                raise

        done = True
        try:
            yield from retrying(write, LAST_WRITES if closing else 1, self._jitter, repeats=is_failed_write)
        except OmniStorageError as error:
            if not is_failed_write(error):
                raise
            done = False
        return safety.may_be_followed_singly(marked=done)

    # -- writing -------------------------------------------------------------------------------------------------

    def news(self, message_id: str, subscription: Subscription) -> None:
        """Mark a message, and its subscription."""
        self._news[message_id] = subscription
        subscription.dirty = True

    def confirmed(self, subscription: Subscription, message_ids: Container[str] | None = None) -> None:
        """Mark messages whose failures stand in the ledger as unconfirmed, to be written without that mark."""
        for message_id in sorted(self._unconfirmed.get(subscription, ())):  # one schedule, one order of writes
            if message_ids is None or message_id in message_ids:
                self.news(message_id, subscription)

    def _note_unconfirmed(self, message_id: str, subscription: Subscription, *, unconfirmed: bool) -> None:
        if unconfirmed:
            self._unconfirmed.setdefault(subscription, set()).add(message_id)
        elif subscription in self._unconfirmed:
            self._unconfirmed[subscription].discard(message_id)

    def blocked(self, subscription: Subscription) -> bool:  # noqa: ARG002
        """Return True while the last write has failed, for any subscription."""
        return self._blocked

    def save(self, subscription: Subscription) -> Steps[None]:  # noqa: ARG002
        """Write a part if there is much news."""
        yield from self.save_if_much()

    def save_if_much(self) -> Steps[None]:
        """Write a part if there is much news."""
        if len(self._news) >= self._limits.news_in_a_part and not self._blocked:
            yield from self.commit()

    def commit(self) -> Steps[None]:
        """Write the news as a part, then count it and forget what is over. Before a failure counts, read what other
        copies have written: one may have read the report of a delivery on an earlier step.
        """
        yield from self._write_news()
        failed = (each.failed_after_others and not each.evicted for each in self._deliveries.subscriptions)
        if safety.may_others_know_better(doubtful_failures=self._doubtful_failures or any(failed)):
            yield from self._read_others()
        yield from self._count_and_evict()

    def all_saved(self) -> Steps[bool]:
        """Write all news, and return True if that is done."""
        yield from self.commit()
        return not self._news

    def _write_news(self) -> Steps[None]:
        if not self._news:
            return
        taken, self._news = self._news, {}
        unconfirmed = set[str]()
        self._sequence += 1
        name = self._name.part(OUTCOMES, self._sequence)
        try:
            yield WritePart(name, lambda: pack(self._lines(taken, unconfirmed)), label="journal written")
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            self._news, self._blocked = taken, True
            yield Log(f"Outcomes could not be written ({type(error).__name__}); it will be repeated.", warning=True)
            self._reach.failed(OUTCOMES, error)
            return
        self._outcomes.add(name)
        self._blocked = False
        self._reach.reached(OUTCOMES)
        for message_id, subscription in taken.items():
            subscription.dirty = False
            self._note_unconfirmed(message_id, subscription, unconfirmed=message_id in unconfirmed)

    def _lines(self, taken: dict[str, Subscription], unconfirmed: set[str]) -> Iterator[Any]:
        """Yield the lines of a part.

        :param unconfirmed: gets the messages whose failures are written as unconfirmed.
        """
        yield self._header()
        now = self._deliveries.clock()
        for message_id, subscription in taken.items():
            steps = [step_of(each) for each in self._deliveries.tracker.worth_keeping(message_id)]
            line: dict[str, Any] = {"id": message_id, "bulk": subscription.bulk.bulk_id, "steps": steps}
            if self._deliveries.fails_at_last(message_id, now):
                self._doubtful_failures = True
            if self._deliveries.is_unconfirmed(subscription, message_id, now):
                unconfirmed.add(message_id)
                line[UNCONFIRMED] = True
            yield line

    def _header(self) -> dict[str, Any]:
        """Return the first line of a part: the steps that this wait judges by, and the account that it has asked."""
        account = {"account": self._deliveries.account} if self._deliveries.account else {}
        return {"v": VERSION, "flow": list(self._deliveries.tracker.flow.steps)} | account

    # -- ending --------------------------------------------------------------------------------------------------

    def close(self, *, closing: bool) -> Steps[None]:
        """Write down who counts as failed for want of news, so that readers of the ledger count as the summary does."""
        parts = yield from offload(lambda: self._closed(closing=closing))
        for part in parts:
            self._sequence += 1
            try:
                yield WritePart(self._name.part(OUTCOMES, self._sequence), partial(pack, part))
            except OmniStaleTryError:
                raise
            except OmniStorageError as error:
                yield Log(
                    f"Who failed for want of news could not be written ({type(error).__name__}): they stay pending in "
                    "the ledger.",
                    warning=True,
                )
                return

    def _closed(self, *, closing: bool) -> list[list[Any]]:
        """Return the lines of parts that mark messages as closed."""
        deliveries, now = self._deliveries, self._deliveries.clock()
        closed = list(deliveries.closed)
        for subscription in deliveries.subscriptions:
            if not subscription.evicted:
                closed += deliveries.timed_out(subscription, now, closing=closing)
        starts = range(0, len(closed), CLOSED_TOGETHER)
        return [
            [self._header(), *({"id": each, "steps": [], "closed": True} for each in closed[at : at + CLOSED_TOGETHER])]
            for at in starts
        ]

    def _count_and_evict(self) -> Steps[None]:
        """Count the subscriptions whose news is written down, some thousand messages at a time."""
        batch, messages = list[Subscription](), 0
        for subscription in self._deliveries.subscriptions:
            if subscription.evicted or subscription.dirty or (not subscription.counts_outdated and subscription.open):
                continue
            batch.append(subscription)
            messages += len(subscription.ids)
            if messages >= self._limits.count_together:
                yield from offload(partial(self._deliveries.evict, batch))
                batch, messages = [], 0
        if batch:
            yield from offload(partial(self._deliveries.evict, batch))
