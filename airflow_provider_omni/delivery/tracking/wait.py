"""The wait: read the reports, write them down, decide; fill the gaps from the logs.

Reports are handed out once, so a report may be lost after it was read; the logs can be read again. One machine serves
all modes: a poking sensor drives `DeliveryWait.poll` once per poke, a trigger drives `DeliveryWait.until_decided`.

What each death costs, and why nothing is lost:

* before reports are read: nothing was consumed;
* after the read, before the write: the reports do not have the page any more; the log query at the next start brings it
  back;
* after the write: the next copy reads the journal before anything else.

Two copies of a trigger take pages from each other. Each reads what is written by the other, and the log query after
every few polls without progress brings what the other copy took.

The wait itself keeps the order of these steps, and decides. `deliveries.py` has the statuses and counts, `journals.py`
and `ledger_journal.py` keep what was read, `subscription_follower.py` and `single_messages.py` read and ask.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_omni.delivery.effects import Clock, Log, Sleep, Steps, offload
from airflow_provider_omni.delivery.retrying import UnfinishedError, retrying
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.deliveries import Deliveries
from airflow_provider_omni.delivery.tracking.journals import KeyValueJournal, ReportJournal
from airflow_provider_omni.delivery.tracking.ledger_journal import LedgerJournal
from airflow_provider_omni.delivery.tracking.log_queries import LogQueries
from airflow_provider_omni.delivery.tracking.single_messages import SingleMessageFollower
from airflow_provider_omni.delivery.tracking.subscription_follower import SubscriptionFollower
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Verdict, evaluate, explain
from airflow_provider_omni.delivery.tracking.wait_limits import (
    CLOSING,
    LAST_WRITES,
    LIMITS,
    REFUSALS,
    WORDS,
    TrackingLimits,
)
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.errors import OmniStorageError


@dataclass(frozen=True, slots=True)
class WaitEnd:
    """The end of a wait. `summary` is JSON without numbers and texts."""

    verdict: Verdict
    summary: dict[str, Any]
    explanation: str
    counts: DeliveryCounts = field(default_factory=DeliveryCounts)
    """The counts behind the summary."""
    unread: bool = False
    """True if the list of messages to wait for could not be read in full. The counts are then those of the receipt."""
    report: dict[str, Any] = field(default_factory=dict)
    """The delivery report (`messages/delivery_report.py`) of the end, where somebody asks for it."""


class Wait(Protocol):
    """A wait that a sensor or a trigger drives: `DeliveryWait`, or several in `WaitTogether`."""

    watch: Watch
    account: str
    """`OmniConfig.account_mark` of the connection that is asked. A caller that reads the connection anew between two
    polls sets it anew.
    """

    @property
    def counts(self) -> DeliveryCounts | None:
        """The counts of the latest poll, from what is written down; None while none are known."""

    def poll(self) -> Steps[WaitEnd | None]:
        """Read once everything there is to read. Returns the end, or None while it is not decided."""

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls, at the latest at the deadline."""


def poll_until_decided(wait: Wait, watch: Watch, clock: Clock, jitter: Callable[[], float]) -> Steps[WaitEnd]:
    """Poll a wait until its verdict falls, with pauses of about the watch's poll interval."""
    while True:
        end = yield from wait.poll()
        if end is not None:
            return end
        pause = watch.poll_interval * (0.9 + 0.2 * jitter())
        yield Sleep(max(0.0, min(pause, watch.deadline - clock())))


def asked_before(verdict: Verdict, subscriptions: Sequence[Subscription], began: float) -> list[Subscription]:
    """Return the subscriptions to ask the logs about before a verdict; none if that takes more than a few calls.

    The report that revokes an operator delivery, or that overrules a failure, may have been read by somebody else: by
    another copy of the wait, or by whoever reads reports of this account where a vendor gives all to each. So the logs
    are asked before a success rests on an operator's word, and before any end rests on a failure.

    :param subscriptions: all that the verdict is about.
    :param began: time at which this poll began.
    """
    words = safety.on_older_words(subscriptions, began) if verdict is Verdict.SUCCESS else []
    failures = [each for each in subscriptions if safety.may_be_overruled(each)]
    few = [each for group in (words, failures) if _are_few(group) for each in group]
    return list(dict.fromkeys(few))


def _are_few(subscriptions: Sequence[Subscription]) -> bool:
    """Return True if asking the logs about these takes few calls."""
    return len(subscriptions) <= WORDS and not any(each.by_time_window for each in subscriptions)


class DeliveryWait:
    """Follows the messages of a `Watch` until the verdict falls.

    :param watch: the messages to follow, the criterion and the deadline. With a ledger path they come from the ledger.
    :param clock: gives seconds since the epoch.
    :param jitter: gives a number in [0, 1) that spreads the polls of many waits.
    :param refusals: polls in a row that the API may refuse; 1 if each poll is a wait of its own (reschedule mode).
    :param account: `OmniConfig.account_mark` of the connection that is asked.
    :param token: tells this copy of the wait from all others; lower-case hex. For a ledger only.
    :param limits: sizes at which many messages are followed.
    """

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        refusals: int = REFUSALS,
        account: str = "",
        token: str | None = None,
        limits: TrackingLimits = LIMITS,
    ) -> None:
        self.watch = watch
        self.refusals = refusals
        self.clock = clock
        self.jitter = jitter
        self.deliveries = deliveries = Deliveries(watch, clock, account)
        self.journal: ReportJournal = (
            KeyValueJournal(deliveries)
            if watch.ledger_path is None
            else LedgerJournal(deliveries, token or "0", limits, jitter)
        )
        self.queries = queries = LogQueries(clock, deliveries.note_time, watch.ids_per_look)
        self.single = SingleMessageFollower(deliveries, self.journal, queries, jitter, limits)
        self.followed = SubscriptionFollower(deliveries, self.journal, queries, jitter)
        self.counts: DeliveryCounts | None = None
        self._refused_polls = 0
        self._started = False
        self.journal.begin()

    @property
    def account(self) -> str:
        """`OmniConfig.account_mark` of the connection that is asked."""
        return self.deliveries.account

    @account.setter
    def account(self, mark: str) -> None:
        self.deliveries.account = mark

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls, at the latest at the deadline."""
        return (yield from poll_until_decided(self, self.watch, self.clock, self.jitter))

    def poll(self) -> Steps[WaitEnd | None]:
        """Read once everything there is to read. Returns the end, or None while it is not decided, the messages to
        follow cannot be read, or there are more of them than before.

        Raises OmniConfigurationError if the connection leads to another account than the one that has the messages.
        """
        self.deliveries.check_account(self.watch.account, "the messages were sent from")
        end: WaitEnd | None = None
        for _ in range(2):
            if (error := (yield from self.journal.open())) is not None:
                if self.clock() >= self.watch.deadline:
                    return self._unread(error)
                yield Log(f"The ledger could not be used ({error.message}); it will be repeated.", warning=True)
                return None
            yield from self.journal.refresh()
            closing = self.clock() >= self.watch.deadline
            # Before the round, which may take all the time there is at the deadline, if another copy says so already.
            if (yield from self.journal.begins_anew(closing=closing)):
                self.journal.begin()
                continue
            end = yield from self._round()
            if (yield from self.journal.begins_anew(closing=closing)):
                self.journal.begin()
                continue
            if end is None:
                return None
            if not (yield from self.journal.has_grown()):
                yield from self.journal.close(closing=closing)
                return end
            self.journal.begin()
            if self.clock() < self.watch.deadline:
                return None
        return end

    def _round(self) -> Steps[WaitEnd | None]:
        """Read reports, ask the logs, write, decide; in this order."""
        if not self._started:
            self._started = True
            end = yield from self._decision(closing=False)
            # The earlier copy may have read, and lost, a report that contradicts an operator delivery, or a failure. So
            # the logs are asked before that end counts. The same holds for failures that this process has not confirmed
            # yet, since its counts leave them out.
            on_its_word = any(subscription.counts.operator_only for subscription in self.deliveries.subscriptions)
            if (
                end is not None
                and not (end.verdict is Verdict.SUCCESS and on_its_word)
                and not any(safety.may_be_overruled(each) for each in self.deliveries.subscriptions)
                and not any(each.unconfirmed_failures for each in self.deliveries.subscriptions)
            ):
                return end
        began = self.clock()
        closing = began >= self.watch.deadline
        if closing and self.deliveries.closing_since is None:
            self.deliveries.closing_since = began
        refusal = yield from self.followed.read_all(closing=closing)
        yield from self._look(closing=closing)
        if closing:
            yield from self._save_at_deadline()
        self._refused_polls = self._refused_polls + 1 if refusal is not None else 0
        if refusal is not None and self._refused_polls >= self.refusals:
            raise refusal
        end = yield from self._decision(closing=closing)
        if end is None:
            return None
        unasked = asked_before(end.verdict, self.deliveries.subscriptions, began)
        if closing:
            # Everything else was asked about in this round.
            unasked = [each for each in unasked if safety.may_be_overruled(each)]
        if unasked:
            asked = yield from self.followed.ask_again(unasked)
            if not asked and not closing:
                return None  # in the next poll, or at the deadline
            if closing:
                yield from self._save_at_deadline()
            end = yield from self._decision(closing=closing)
        return end

    def _look(self, *, closing: bool) -> Steps[None]:
        """Ask the logs about everything that is due."""
        yield from self.single.look(closing=closing)
        yield from self.followed.look(closing=closing)
        yield from self.followed.confirm_failures(closing=closing)
        if self.single.any_unconfirmed():
            yield from self.single.confirm_failures(closing=closing)
            yield from self.journal.commit()

    def _save_at_deadline(self) -> Steps[None]:
        """Write down at the deadline what is still unsaved. Raises OmniStorageError if that fails: even then nothing is
        decided from it.
        """
        until = self.deliveries.until(CLOSING)

        def save() -> Steps[None]:
            if not (yield from self.journal.all_saved()):
                raise UnfinishedError

        try:
            yield from retrying(save, LAST_WRITES, self.jitter, has_time=lambda pause: self.clock() + pause < until)
        except UnfinishedError:
            raise OmniStorageError(
                "The deadline has come, and what was read could not be written down, so nothing was decided from it.",
                retryable=True,
            ) from None

    # -- deciding ------------------------------------------------------------------------------------------------

    def _decision(self, *, closing: bool) -> Steps[WaitEnd | None]:
        """Decide from what is written down, in a thread if there may be a million messages to count."""
        if not self.journal.large:
            return self._decide(closing=closing)
        end = yield from offload(lambda: self._decide(closing=closing))
        return end

    def _decide(self, *, closing: bool) -> WaitEnd | None:
        counts = self.deliveries.whole(closing=closing)
        if counts is None:
            return None
        self.counts = counts
        criterion, unsent = self.watch.criterion, self.deliveries.unsent
        of_unknown_size = any(subscription.expected is None for subscription in self.deliveries.subscriptions)
        if of_unknown_size:
            verdict = self._of_unknown_size(counts, closing=closing)
        else:
            verdict = evaluate(counts, criterion, deadline_passed=closing, unsent=unsent)
        if verdict is Verdict.OPEN:
            return None
        said = explain(verdict, counts, criterion, unsent, self.watch.missing)
        if verdict is Verdict.TIMEOUT and of_unknown_size:
            said += " How many messages its bulk_ids have is not known: the logs did not tell."
        return WaitEnd(verdict, counts.summary(self.watch.ledger_path), said, counts)

    def _of_unknown_size(self, counts: DeliveryCounts, *, closing: bool) -> Verdict:
        """Return the verdict while the number of messages is not known: those seen may be the smaller part."""
        criterion = self.watch.criterion
        if criterion.success_when == "any" and counts.delivered and (closing or not criterion.settle):
            return Verdict.SUCCESS
        if closing and criterion.success_when == "all" and counts.failed:
            return Verdict.FAILURE
        return Verdict.TIMEOUT if closing else Verdict.OPEN

    def _unread(self, error: OmniStorageError) -> WaitEnd:
        counts = DeliveryCounts(total=self.watch.accepted)
        said = f"The deadline came before the ledger could be used. {error.message}"
        return WaitEnd(Verdict.TIMEOUT, counts.summary(self.watch.ledger_path), said, counts, unread=True)

    # -- beside other waits --------------------------------------------------------------------------------------

    def share(self, account: str, closing_share: float, beside: int) -> None:
        """Set what this wait has beside others for its next poll.

        :param account: account mark of the connection that is asked.
        :param closing_share: its share of the time for the last reads and log queries.
        :param beside: number of subscriptions of the others.
        """
        self.account = account
        self.deliveries.closing_share = closing_share
        self.deliveries.beside = beside

    def present_counts(self) -> Steps[DeliveryCounts | None]:
        """Return the counts of this moment, from what is written down; None while they are incomplete."""
        if not self.journal.loaded:
            return None
        if not self.journal.large:
            return self.deliveries.whole(closing=False)
        counts = yield from offload(lambda: self.deliveries.whole(closing=False))
        return counts

    def leave_off(self) -> Steps[bool]:
        """Stop this wait, because the verdict over several waits has fallen. Returns False if it must not stand.

        It must not stand while something that was read is not written down: that would be in no count, and later copies
        would never hear of it. Nor must it if the batch has sent more since the ledger was read.
        """
        if not self.journal.loaded:
            return True
        if not safety.may_begin_anew(self.deliveries.subscriptions):
            return False
        if (yield from self.journal.has_grown()):
            self.journal.begin()
            return False
        yield from self.journal.close(closing=False)
        return True

    @property
    def least(self) -> int:
        """Number of messages that there are at least: the ledger's once it was read, the receipt's before."""
        return self.deliveries.least if self.journal.made else self.watch.accepted
