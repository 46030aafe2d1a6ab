"""State of a running send: all that its receipt and its verdict need. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.delivery.messages.intent_log import IntentLog, outcome_line, uniform
from airflow_provider_omni.delivery.messages.receipt import MAX_IDS, MOST_WITHOUT_LEDGER, SentBulk
from airflow_provider_omni.delivery.messages.states import MAY_HAVE_ARRIVED, Attempt, MessageState, Origin
from airflow_provider_omni.delivery.outbox.reconciler import BulkFilter
from airflow_provider_omni.omni.errors import OmniError

_S = MessageState


@dataclass
class SendProgress:
    """State of a running send: messages by state, open attempts, and all that still has to be written."""

    states: Counter[MessageState] = field(default_factory=Counter)
    """Messages of this send's people, by state."""
    refused: Counter[str] = field(default_factory=Counter)
    may_succeed_later: bool = False
    open: list[Attempt] = field(default_factory=list)
    """Requests with messages in doubt."""
    most: int = MAX_IDS
    """Limit of the listed requests."""
    sent: dict[str, SentBulk] = field(default_factory=dict)
    """Requests that may have reached people, by bulk id, up to `most` of them."""
    apart: set[str] = field(default_factory=set)
    """Those of them whose messages may have been taken from an earlier request, so that only their own ids find
    them.
    """
    too_many: bool = False
    """True if there are more than stand in `sent`."""
    unwritten: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Lines about requests that were learned and not yet written, by bulk id."""
    stop: OmniError | None = None
    """The reason why nothing more is posted."""
    bulk_filter: BulkFilter = field(default_factory=BulkFilter)
    """The knowledge about the logs' filter by bulk id."""
    lost: OmniError | None = None
    """The error of the last request whose outcome was unknown at first."""
    origins: list[Origin] = field(default_factory=list)
    """Origins of the messages of earlier tries that were accepted; if none was, of those that may have reached
    people.
    """
    steps: tuple[str, ...] | None = None
    """Steps of messages that earlier tries sent with another content or scenario; None if there are none, or not
    known.
    """
    each: dict[str, MessageState] | None = None
    """The state of every message, for a few people; None for many."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Status names of the refused messages, by message id, where `each` is kept."""
    first_post_at: float | None = None
    scheduled_until: float | None = None
    """The latest time that this try or an earlier one has asked the vendor to send at; None if all went out at once."""
    posted: int = 0
    """Messages posted by this try."""
    recorded: Counter[MessageState] | None = None
    """Messages by state, as far as outcomes are on record; None while this try has written none."""

    @classmethod
    def listing(cls, *, ledger: bool, each: bool = False) -> SendProgress:
        """Make an empty state. Without a ledger more requests are listed, since only the receipt tells what to
        follow.

        :param each: keep the state of every message, for a few people.
        """
        return cls(most=MAX_IDS if ledger else MOST_WITHOUT_LEDGER, each={} if each else None)

    def learned(self) -> Counter[MessageState]:
        """Return the states of this moment, to be passed to `on_record` once all outcomes so far are written."""
        return Counter(self.states)

    def on_record(self, learned: Counter[MessageState]) -> None:
        """Note that these states are on record."""
        self.recorded = learned if self.recorded is None else self.recorded | learned

    def take_over(self, known: IntentLog, fingerprint: str | None = None, *, everybody: bool = False) -> None:
        """Take over the messages of earlier tries: those of this send's people, or all on record.

        :param fingerprint: of this try's content; None if not known.
        :param everybody: take over all messages on record.
        """
        self.states = known.counts(everybody=everybody)
        self.first_post_at, self.scheduled_until = known.oldest(), known.scheduled_until()
        self.origins, self.steps = known.origins(), known.steps(fingerprint)
        if self.each is not None:
            self.each, self.reasons = known.states(), known.reasons()
        for bulk_id, ids, bulk_id_conclusive in known.followed_bulks(self.most + 1):
            self.follow(bulk_id, ids, bulk_id_conclusive=bulk_id_conclusive)

    def schedule(self, at: float | None) -> None:
        """Note the time that the vendor is asked to send a request at; None for at once."""
        self.scheduled_until = max((each for each in (self.scheduled_until, at) if each is not None), default=None)

    def move(self, old: MessageState | None, messages: dict[str, MessageState]) -> None:
        """Count messages under their present states.

        :param old: the one state that they were counted under; None if they were not counted yet.
        """
        self.note_each(messages)
        if old is not None:
            self.states[old] -= len(messages)
        only = uniform(messages)
        if only is not None:
            self.states[only] += len(messages)
        else:
            self.states.update(messages.values())

    def note_each(self, messages: dict[str, MessageState]) -> None:
        """Note the states of messages, where that of each is kept."""
        if self.each is not None:
            self.each |= messages

    def recount(self, old: str, new: str) -> None:
        """Count a person under another message than so far.

        :param old: the message id that the person was counted under until now.
        """
        each = self.each or {}
        for message_id, by in ((old, -1), (new, 1)):
            if (state := each.get(message_id)) is not None:
                self.states[state] += by

    def note_outcome(self, attempt: Attempt, moved: dict[str, str] | None = None) -> None:
        """Have a request's states written with the next write.

        :param moved: the requests in which the logs have found messages, by message id.
        """
        self.unwritten[attempt.bulk_id] = outcome_line(attempt, moved)
        self.note_each(attempt.messages)
        if self.each is not None:
            self.reasons |= attempt.reasons
        followed = (
            list(attempt.messages)
            if uniform(attempt.messages) in MAY_HAVE_ARRIVED
            else attempt.in_state(*MAY_HAVE_ARRIVED)
        )
        if moved:
            by_request: dict[str, list[str]] = {}
            for message_id in followed:
                if message_id in moved:
                    by_request.setdefault(moved[message_id], []).append(message_id)
            for bulk_id, ids in by_request.items():
                there = self.sent[bulk_id].message_ids if bulk_id in self.sent else ()
                self.follow(bulk_id, (*there, *(each for each in ids if each not in there)))
            followed = [each for each in followed if each not in moved]
        self.follow(attempt.bulk_id, followed, bulk_id_conclusive=attempt.bulk_id_conclusive)

    def follow(self, bulk_id: str, message_ids: Sequence[str], *, bulk_id_conclusive: bool = True) -> None:
        """Note which messages of a request may have reached people.

        :param bulk_id_conclusive: True if the request's bulk id finds them.
        """
        if not bulk_id_conclusive:
            self.apart.add(bulk_id)
            self._leave_others(bulk_id, set(message_ids))
        if not message_ids:
            self.sent.pop(bulk_id, None)
        elif bulk_id in self.sent or len(self.sent) < self.most:
            self.sent[bulk_id] = SentBulk(bulk_id, tuple(message_ids))
        else:
            self.too_many = True

    def _leave_others(self, bulk_id: str, message_ids: set[str]) -> None:
        """Take messages that were posted again out of other requests: each is followed in one place only."""
        for other, sent in list(self.sent.items()):
            if other != bulk_id and not message_ids.isdisjoint(sent.message_ids):
                left = tuple(each for each in sent.message_ids if each not in message_ids)
                self.follow(other, left, bulk_id_conclusive=other not in self.apart)

    def bulks(self) -> list[SentBulk]:
        """Return the requests for the receipt. Messages that their request's id may not find are listed one by one."""
        listed: list[SentBulk] = []
        for bulk_id, sent in self.sent.items():
            alone = bulk_id in self.apart
            listed += [SentBulk(bulk_id, (each,)) for each in sent.message_ids] if alone else [sent]
        return listed
