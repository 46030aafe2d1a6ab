"""The journal of a wait: what was read is kept here, because each report is handed out once only.

Nothing is decided from a subscription before its news is written down. A later copy of the wait reads the journal
before anything else. `KeyValueJournal` keeps an entry for each request, in the task's state or as XComs.
`LedgerJournal` (`ledger_journal.py`) keeps parts in a batch's ledger.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol

from airflow_provider_omni.delivery.effects import Clock, Json, Log, Save, Steps, load
from airflow_provider_omni.delivery.messages.codec import account_of, decode, encode, points_to_messages
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.deliveries import Deliveries
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.wait_limits import JOURNAL_PATIENCE, JOURNAL_TRIES
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.errors import OmniStaleTryError, OmniStorageError


class ReportJournal(Protocol):
    """Keeps what a wait has read, and knows which subscriptions there are."""

    large: bool
    """True if there may be a million messages, so that counting them takes a thread."""

    @property
    def made(self) -> bool:
        """True once the subscriptions are known."""

    @property
    def loaded(self) -> bool:
        """True once everything was read back."""

    def begin(self) -> None:
        """Start afresh: make the subscriptions, or forget them so that `open` reads them anew."""

    def open(self) -> Steps[OmniStorageError | None]:
        """Read back what earlier copies of the wait have written.

        Returns the error if the messages to follow cannot be read yet. Raises OmniConfigurationError if an earlier copy
        has asked another account.
        """

    def refresh(self) -> Steps[None]:
        """Write what is unsaved and, now and then, read what other copies have written meanwhile."""

    def news(self, message_id: str, subscription: Subscription) -> None:
        """Mark a message that has something to be written down."""

    def confirmed(self, subscription: Subscription, message_ids: Container[str] | None = None) -> None:
        """Mark failures that were written down as unconfirmed: all reports that could have contradicted them are read.

        :param message_ids: the messages; None for all of the subscription.
        """

    def blocked(self, subscription: Subscription) -> bool:
        """Return True while nothing can be written, so that no report may be read."""

    def save(self, subscription: Subscription) -> Steps[None]:
        """Write the news of a subscription, at once or together with others. A failure is noted and repeated."""

    def save_if_much(self) -> Steps[None]:
        """Write the news if there is much of it."""

    def commit(self) -> Steps[None]:
        """Write the news, and let go of what is over."""

    def all_saved(self) -> Steps[bool]:
        """Write all news at the deadline. Returns True if that is done."""

    def follow_singly(self, subscriptions: Sequence[Subscription]) -> Steps[list[Subscription]]:
        """Follow the messages of these requests by their own ids from now on.

        Returns their new subscriptions; none if the wait must begin anew for that (`begins_anew`). A request that could
        not be marked stays as it is, and is doubted again (`Subscription.unseen`).
        """

    def begins_anew(self, *, closing: bool) -> Steps[bool]:
        """Return True if the wait must begin anew, because messages are followed by their own ids from now on.

        :param closing: True at the deadline.
        """

    def has_grown(self) -> Steps[bool]:
        """Return True if there is more to follow than was read."""

    def close(self, *, closing: bool) -> Steps[None]:
        """Write down who counts as failed for want of news, so that readers of the journal count as the summary does.

        :param closing: True at the deadline.
        """


def empty_entries(watch: Watch) -> dict[str, Json]:
    """Return the entries of a wait that has read nothing yet, each with its key. A ledger needs none."""
    return {
        bulk.journal_key: encode(())
        for part in watch.parts or (watch,)
        if part.ledger_path is None
        for bulk in part.bulks
    }


class OutOfReach:
    """Journal keys that are out of reach, each with the time since when and the number of tries."""

    def __init__(self, clock: Clock, deadline: float) -> None:
        self._clock = clock
        self._deadline = deadline
        self._failing: dict[str, tuple[float, int]] = {}

    def reached(self, key: str) -> None:
        """Note that a key was read or written."""
        self._failing.pop(key, None)

    def failed(self, key: str, error: OmniStorageError) -> None:
        """Note a failure. Raises OmniStorageError if this key was out of reach for `JOURNAL_PATIENCE` and at least
        `JOURNAL_TRIES` tries.

        Nothing is decided without the journal, so such a wait would only run on to its deadline.
        """
        now = self._clock()
        since, tried = self._failing.get(key, (now, 0))
        self._failing[key] = since, tried + 1
        if now - since >= JOURNAL_PATIENCE and tried >= JOURNAL_TRIES and now < self._deadline:
            raise OmniStorageError(
                f"What was read could not be kept for {(now - since) / 60:.0f} minutes, so nothing was decided "
                f"and the wait ends here: {error.message} A retry goes on from the vendor's logs.",
                retryable=True,
            ) from error


class KeyValueJournal:
    """Keeps an entry for each request, or single message, of the watch.

    Two copies of a trigger take pages from each other. So each merges with what is written before it writes.
    """

    large = False
    made = loaded = True

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._reach = OutOfReach(deliveries.clock, deliveries.watch.deadline)
        self._begun = False
        """True once a poll of this process has read the entries."""

    def begin(self) -> None:
        """Make a subscription for each request of the watch."""
        watch = self._deliveries.watch
        self._deliveries.begin()
        self._deliveries.subscriptions = [
            Subscription(bulk, bulk.messages, ids=set(bulk.message_ids), samples=() if bulk.alone else bulk.message_ids)
            for bulk in watch.bulks
        ]

    def open(self) -> Steps[OmniStorageError | None]:
        """Read the entries that were not read yet. Failures are noted and repeated."""
        while True:
            apart: list[Subscription] = []
            for subscription in self._deliveries.subscriptions:
                if subscription.journal_loaded:
                    continue
                key = subscription.bulk.journal_key
                try:
                    entry = yield from load(key, label="journal read")
                except OmniStorageError as error:
                    yield Log(
                        f"The journal could not be read ({type(error).__name__}); it will be repeated.", warning=True
                    )
                    self._reach.failed(key, error)
                    continue
                self._reach.reached(key)
                subscription.journal_loaded = True
                self._take_written(subscription, entry)
                if not points_to_messages(entry):
                    continue
                # Its news is written under its own key: the subscriptions that take its place know of none.
                yield from self.save(subscription)
                if safety.may_begin_anew((subscription,)):
                    apart.append(subscription)
                else:
                    subscription.journal_loaded = False
            if not apart:
                return None
            self._put_apart(apart)

    def refresh(self) -> Steps[None]:
        """Read once more, at the deadline, the entries of everything open.

        The reports that another copy has read stand there only. Before that, each write reads first what others have
        written, and the logs tell of what this copy did not write about.
        """
        begun, self._begun = self._begun, True
        if not begun or self._deliveries.clock() < self._deliveries.watch.deadline:
            return
        for subscription in self._deliveries.subscriptions:
            subscription.journal_loaded = subscription.journal_loaded and not subscription.open
        yield from self.open()

    def news(self, message_id: str, subscription: Subscription) -> None:  # noqa: ARG002
        """Mark the subscription."""
        subscription.dirty = True

    def confirmed(self, subscription: Subscription, message_ids: Container[str] | None = None) -> None:
        """Do nothing: a later copy doubts a failure until it has read the reports itself."""

    def blocked(self, subscription: Subscription) -> bool:
        """Return True while the last write of this subscription has failed."""
        return subscription.dirty

    def save(self, subscription: Subscription) -> Steps[None]:
        """Merge with what is written, and write."""
        if not subscription.dirty:
            return
        key = subscription.bulk.journal_key
        try:
            yield Save(key, (yield from self._merged(subscription)), label="journal written")
            subscription.dirty = False
            self._reach.reached(key)
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Log(f"The journal could not be written ({type(error).__name__}); it will be repeated.", warning=True)
            self._reach.failed(key, error)

    def _merged(self, subscription: Subscription) -> Steps[dict[str, Json]]:
        """Take in what other copies have written of a subscription. Return its entry, with that and what is new."""
        written = yield from load(subscription.bulk.journal_key)
        subscription.journal_loaded = True
        self._take_written(subscription, written)
        entry = encode(self._deliveries.worth_keeping(subscription), self._deliveries.account)
        if points_to_messages(written):
            # An earlier copy follows its messages by their own ids. This one could not read that: it does so next.
            entry["one_by_one"] = True
            subscription.journal_loaded = False
        return entry

    def save_if_much(self) -> Steps[None]:
        """Do nothing: each subscription is written when it was read."""
        yield from ()

    def commit(self) -> Steps[None]:
        """Count the news: it is written already, or the failure of that is noted."""
        self._deliveries.counts()
        yield from ()

    def all_saved(self) -> Steps[bool]:
        """Write the subscriptions of which a write has failed."""
        subscriptions = self._deliveries.subscriptions
        for subscription in subscriptions:
            if subscription.dirty:
                yield from self.save(subscription)
        return not any(subscription.dirty for subscription in subscriptions)

    def follow_singly(self, subscriptions: Sequence[Subscription]) -> Steps[list[Subscription]]:
        """Follow the messages by their own ids. The entries of their requests say so to later copies of this wait,
        because the logs show it for two days only.
        """
        marked: list[Subscription] = []
        for subscription in subscriptions:
            try:
                # Another copy may have read reports of this request.
                entry = yield from self._merged(subscription)
                yield Save(subscription.bulk.journal_key, entry | {"one_by_one": True}, label="singles marked")
                subscription.dirty, done = False, True
            except OmniStaleTryError:
                raise
            except OmniStorageError as error:
                yield Log(
                    f"That could not be written down ({type(error).__name__}); it will be repeated.", warning=True
                )
                done = False
            if safety.may_be_followed_singly(marked=done):
                marked.append(subscription)
            else:
                subscription.unseen = True
        alone = self._put_apart(marked)
        yield from self.open()
        return alone

    def begins_anew(self, *, closing: bool) -> Steps[bool]:  # noqa: ARG002
        """Return False: single messages are followed at once."""
        yield from ()
        return False

    def has_grown(self) -> Steps[bool]:
        """Return False: the watch lists all that there is."""
        yield from ()
        return False

    def close(self, *, closing: bool) -> Steps[None]:  # noqa: ARG002
        """Do nothing: nobody else reads these entries."""
        yield from ()

    def _put_apart(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """Replace these requests by one subscription for each of their messages."""
        alone = [
            # It counts as open until it is counted; otherwise this round would read nothing about it.
            Subscription(Bulk(None, 1, (each,)), 1, counts=DeliveryCounts(total=1), ids={each})
            for subscription in subscriptions
            for each in subscription.bulk.message_ids
        ]
        rest = [each for each in self._deliveries.subscriptions if each not in subscriptions]
        self._deliveries.subscriptions = rest + alone
        return alone

    def _take_written(self, subscription: Subscription, entry: Json) -> None:
        self._deliveries.check_account(account_of(entry), "the one that was asked so far")
        self._deliveries.take(subscription, decode(entry))
