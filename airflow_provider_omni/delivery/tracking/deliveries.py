"""The state of a wait: the subscriptions that it reads, the status of each message, and the counts.

Nothing is read or written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.effects import Clock, Steps, offload
from airflow_provider_omni.delivery.messages.status import NEVER, MessageStatus, Outcome, StatusUpdate, Tracker
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.wait_limits import IN_A_THREAD, WORDS
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.models import LogRow, Report, said_at
from airflow_provider_omni.omni.statuses import StepState

News = Callable[[str, Subscription], None]
"""Function that marks a message as having something to be written down, with its subscription."""


class Deliveries:
    """The messages of a wait with what was heard of them.

    :param watch: the messages to follow, the criterion and the deadline.
    :param clock: gives seconds since the epoch.
    :param account: `OmniConfig.account_mark` of the connection that is asked.
    """

    def __init__(self, watch: Watch, clock: Clock, account: str) -> None:
        self.watch = watch
        self.clock = clock
        self.account = account
        self.closing_share = 1.0
        """Share of the time for the last reads and log queries that is this wait's; less than 1 beside other waits."""
        self.beside = 0
        """Number of subscriptions of other waits that share the budget of log calls."""
        self.closing_since: float | None = None
        """Time at which the last reads and log queries began; None before."""
        self.last_round = watch.deadline
        """Start of the last round of log queries, after which no subscription is asked for again."""
        self.behind = 0.0
        """Seconds by which the vendor's clock is behind ours, as its last answer says; 0 if it is not, or unknown."""
        self.unsent = watch.unsent
        """Messages that count as never sent."""
        self.begin()

    def begin(self) -> None:
        """Forget everything, and follow nothing yet."""
        self.begun_at = self.clock()
        self.go_through(self.watch.flow)
        self.subscriptions: list[Subscription] = []
        self.single: dict[str, Subscription] = {}
        """Subscriptions of the single messages of a ledger, by message id."""
        self.apart: dict[str, Subscription] = {}
        """The single messages that may also stand in the rows of a request."""
        self.looked_at_in_windows: Callable[[str, bool], float] | None = None
        """Gives the time at which a message was looked for in time windows, and by its id where these leave gaps."""
        self.windows_since: float | None = None
        """Time at which the first time window begins; None if no message is followed through windows."""
        self.heard: set[str] = set()
        """Messages whose own report was read, for want of a step that was seen to fail."""
        self.closed: list[str] = []
        """Messages that the settle time has closed. Their requests are forgotten otherwise."""

    def go_through(self, flow: Sequence[str], others: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        """Set the channels that the messages go through, in order; empty if unknown. Forgets what was heard.

        :param others: the flows of messages that go through another one, by message id.
        """
        self.tracker = Tracker(flow, self.watch.settle_seconds, others)

    def check_account(self, known: str, says: str) -> None:
        """Raise OmniConfigurationError if another account than the known one is asked.

        :param known: account mark; empty if not known.
        :param says: the origin of the known account, for the error.
        """
        check_account(self.account, known, says)

    def until(self, seconds: float, otherwise: float = 0.0) -> float:
        """Return the time at which the current step must stop: `seconds` after the closing round began, or before that
        `otherwise` seconds from now, at most the deadline.
        """
        if self.closing_since is not None:
            return self.closing_since + seconds * self.closing_share
        return min(self.clock() + otherwise, self.watch.deadline)

    # -- the vendor's clock ------------------------------------------------------------------------------------------

    def note_time(self, rows: Sequence[Report | LogRow]) -> None:
        """Note the time that an answer names, by the vendor's clock.

        The times of steps are by that clock. If ours is ahead of it, a step that has just ended would seem to have
        ended long ago.
        """
        said = said_at(rows)
        if said is not None:
            self.behind = max(0.0, self.clock() - said)

    def status_of(
        self, message_id: str, now: float, *, closing: bool = False, looked_at: float = math.inf
    ) -> MessageStatus:
        """Return the status of a message, as `Tracker.status_of` does, for times by our clock."""
        now, looked_at = (
            safety.by_the_vendors_clock(now, self.behind),
            safety.by_the_vendors_clock(looked_at, self.behind),
        )
        return self.tracker.status_of(message_id, now, closing=closing, looked_at=looked_at)

    # -- taking in -----------------------------------------------------------------------------------------------

    def take(
        self,
        subscription: Subscription,
        updates: Iterable[StatusUpdate],
        news: News | None = None,
    ) -> bool:
        """Take in status updates. Returns True if any is worth writing down: more than "under way", or "under way"
        after a failure.

        :param subscription: the subscription that brought them.
        :param news: called for each message whose status must be written; None if the updates come from the journal.
        """
        any_news = False
        for update in updates:
            owner = self.apart.get(update.message_id, subscription)
            if owner.evicted or (owner.by_time_window and self.single.get(update.message_id) is not owner):
                continue
            if self._observe(owner, update) and news is not None:
                news(update.message_id, owner)
                any_news = True
        return any_news

    def take_rows(self, subscription: Subscription, rows: Sequence[Report | LogRow], news: News) -> Steps[bool]:
        """Take in the rows of a page, as `take` does."""
        return (yield from beside(rows, lambda: self.take(subscription, [StatusUpdate.of(row) for row in rows], news)))

    def _observe(self, subscription: Subscription, update: StatusUpdate) -> bool:
        if not subscription.knows(update.message_id):
            return False
        subscription.heard = True
        new_id = update.message_id not in subscription.ids
        subscription.ids.add(update.message_id)
        if not (self.tracker.observe(update) or new_id):
            return False
        subscription.counts_outdated = subscription.heard_since_logs = True
        subscription.changed_at = self.clock()
        return update.state is not StepState.PENDING or self.tracker.fell(update.message_id)

    def worth_keeping(self, subscription: Subscription) -> Iterable[StatusUpdate]:
        """Yield the updates of a subscription's messages that must be written down."""
        for message_id in sorted(subscription.ids):
            yield from self.tracker.worth_keeping(message_id)

    # -- counting ------------------------------------------------------------------------------------------------

    def counts(self, *, closing: bool = False) -> DeliveryCounts:
        """Return the counts over all messages. A subscription whose counts cannot have changed is not counted anew."""
        now = self.clock()
        total = DeliveryCounts()
        for subscription in self.subscriptions:
            ageing = self.tracker.settles and subscription.open
            if not subscription.evicted and (subscription.counts_outdated or closing or ageing):
                subscription.counts = self.count(subscription, now, closing=closing)
                subscription.counts_outdated = False
            total.merge(subscription.counts)
        return total

    def whole(self, *, closing: bool) -> DeliveryCounts | None:
        """Return the counts if they may be decided from; None while something that was read is not written down."""
        counts = self.counts(closing=closing)
        if not all(safety.is_written_down(subscription, closing=closing) for subscription in self.subscriptions):
            return None
        return counts

    def count(self, subscription: Subscription, now: float, *, closing: bool) -> DeliveryCounts:
        """Count the messages of one subscription."""
        subscription.unconfirmed_failures = self._unconfirmed(subscription, now, closing=closing)
        subscription.failed_after_others = False
        counts = DeliveryCounts(total=subscription.total)
        surplus = subscription.surplus
        for message_id in sorted(subscription.ids):
            looked_at = self.looked_at(subscription, message_id, closing=closing)
            status = self.status_of(message_id, now, closing=closing, looked_at=looked_at)
            if status.by is None and status.outcome is Outcome.PENDING:
                continue
            if not closing and message_id in subscription.unconfirmed_failures:
                continue
            if surplus and status.by and self._may_be_refused(status.by):
                surplus -= 1
                continue
            if status.outcome is Outcome.FAILED and len(self.tracker.flow_of(message_id).steps) != 1:
                subscription.failed_after_others = True
            counts.add(message_id, status, self.tracker.steps(message_id), self.watch.criterion.delivered_means)
        # An answer may have named strangers' messages, and no receipt lists which are ours: there are at least so many.
        counts.total = max(counts.total, sum(counts.by_status.values()))
        return counts

    def _unconfirmed(self, subscription: Subscription, now: float, *, closing: bool) -> set[str]:
        """Return the messages whose failure does not count yet, since not every step was seen to fail.

        A vendor may show only the last step in its logs, so that only a report tells of a delivery on an earlier one.
        At the deadline nobody is doubted any more.
        """
        if closing:
            return subscription.unconfirmed_failures
        if not safety.may_be_contradicted(subscription):
            return set()
        return {message_id for message_id in subscription.ids if self.is_unconfirmed(subscription, message_id, now)}

    def is_unconfirmed(self, subscription: Subscription, message_id: str, now: float) -> bool:
        """Return True if a message seems to have failed, and a report that nobody has read may say otherwise."""
        return (
            safety.may_be_contradicted(subscription)
            and message_id not in self.heard
            and self.fails_at_last(message_id, now)
        )

    def fails_at_last(self, message_id: str, now: float) -> bool:
        """Return True if a message seems to have failed, and an earlier step than the last one may have delivered."""
        failed = self.status_of(message_id, now).outcome is Outcome.FAILED
        return failed and self.tracker.rests_on_last_step(message_id)

    def looked_at(self, subscription: Subscription, message_id: str, *, closing: bool) -> float:
        """Return the time of the last round's log query that covers this message; `NEVER` if there was none.

        With `NEVER`, a message does not count as failed for want of further news. A list query covers only the messages
        it returned: the vendor may not read the list, or the page may be full.
        """
        if subscription.by_time_window:
            return NEVER if self.looked_at_in_windows is None else self.looked_at_in_windows(message_id, closing)
        asked = subscription.looked_at >= self.last_round if closing else not subscription.logs_due
        return subscription.looked_at if asked and message_id in subscription.shown else NEVER

    def _may_be_refused(self, step: StatusUpdate) -> bool:
        """Return True if this could be a refused recipient that the vendor shows in its logs: the first step failed and
        no later step exists.
        """
        flow = self.tracker.flow_of(step.message_id)
        first = step.channel != flow.last_channel or len(flow.steps) == 1
        return step.state is StepState.FAILED and first

    # -- forgetting ----------------------------------------------------------------------------------------------

    def evict(self, subscriptions: Sequence[Subscription]) -> None:
        """Count subscriptions, and forget those for which nothing more can come. Their counts stay."""
        now = self.clock()
        few = len(self.subscriptions) <= WORDS
        for subscription in subscriptions:
            if subscription.counts_outdated:
                subscription.counts = self.count(subscription, now, closing=False)
                subscription.counts_outdated = False
            if safety.may_be_forgotten(subscription, few=few):
                subscription.evicted = True
                if self.tracker.settles:
                    self.closed += self.timed_out(subscription, now, closing=False)
                for message_id in subscription.ids:
                    self.tracker.forget(message_id)
                    self.single.pop(message_id, None)
                subscription.ids, subscription.shown, subscription.member_ids = set(), frozenset(), None

    def timed_out(self, subscription: Subscription, now: float, *, closing: bool) -> Iterable[str]:
        """Yield the messages that count as failed only because nothing more was heard.

        Without a wait nobody can know that: a later reader sees a failed step, and another may follow.
        """
        for message_id in sorted(subscription.ids):
            looked_at = self.looked_at(subscription, message_id, closing=closing)
            status = self.status_of(message_id, now, closing=closing, looked_at=looked_at)
            if status.outcome is not Outcome.FAILED:
                continue
            if (
                status.closed_by_settle_time
                or self.status_of(message_id, now, looked_at=looked_at).outcome is not Outcome.FAILED
            ):
                yield message_id

    @property
    def least(self) -> int:
        """Number of messages that there are at least, whether or not their outcomes are known."""
        return sum(subscription.total for subscription in self.subscriptions)

    @property
    def looked_for(self) -> int:
        """Number of requests and single messages that are asked for one by one."""
        return sum(each.open and not each.by_time_window for each in self.subscriptions)


def beside(rows: Sequence[LogRow | Report], take: Callable[[], bool]) -> Steps[bool]:
    """Take rows in. Many rows are taken in beside the event loop, in a thread, so that it is not held up."""
    if len(rows) <= IN_A_THREAD:
        return take()
    news = yield from offload(take)
    return news
