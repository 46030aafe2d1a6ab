"""One request on its way: its people, its messages' states, and their changes by an answer or an error.

Pure: the table of a request's fate. `dispatcher.py` decides when it is used.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.states import TRANSITIONS, Attempt, Event, MessageState, Origin
from airflow_provider_omni.delivery.messages.status import status_label
from airflow_provider_omni.delivery.messages.workspace import RecipientChunk
from airflow_provider_omni.omni.bulk import BulkResponse
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniError,
    OmniRequestError,
    OmniStoppedError,
)
from airflow_provider_omni.omni.retries import LONGEST_RETRY_AFTER
from airflow_provider_omni.omni.statuses import account_blocked, is_duplicate, is_refusal, may_succeed_later

_S = MessageState
BAD_ENTRY = frozenset({400, 413, 422})
"""HTTP statuses that one bad recipient, or too many of them, can cause. The request is halved."""


@dataclass
class Request:
    """Some people who get one content in one request.

    :param content: the content's number.
    :param before: the states of its messages before its latest attempt, by message id; empty if they were never tried.
    :param bulk_id_conclusive: True if its bulk id finds all its messages.
    :param not_before: the earliest time at which its messages may have been posted, if they are posted again on trust.
    :param intent_written: True if an intent of it may have been written.
    :param announced: True if its messages count as unconfirmed before its POST, since a receipt tells of them.
    :param published: True if a receipt that announces it is published. A renewed intent then needs no other one: where
        publishing takes longer than an intent is fresh, no POST would ever begin.
    :param intent_renewals: the number of times that its intent had grown too old before it was ready to be posted.
    """

    content: int
    people: RecipientChunk = field(repr=False)
    bulk_id: str
    before: dict[str, MessageState] = field(default_factory=dict)
    bulk_id_conclusive: bool = True
    not_before: float | None = None
    intent_written: bool = False
    announced: bool = False
    published: bool = False
    intent_renewals: int = 0

    @classmethod
    def of(cls, content: int, people: RecipientChunk, ids: Identity) -> Request:
        """Make a request that was never tried."""
        return cls(content, people, ids.bulk_id(people.ids))

    @property
    def ids(self) -> tuple[str, ...]:
        """The message ids of its people."""
        return self.people.ids

    def begin(self, now: float, scheduled_at: float | None, here: Origin | None = None) -> InFlight:
        """Make an attempt to post it now, with all its messages in doubt.

        :param now: seconds since the epoch.
        :param scheduled_at: the time of `sendAt`; None for at once.
        :param here: account and scenario of this try.
        """
        before = self.before
        if before:
            messages = {each: TRANSITIONS[before.get(each), Event.INTENT_WRITTEN] for each in self.ids}
        else:
            messages = dict.fromkeys(self.ids, TRANSITIONS[None, Event.INTENT_WRITTEN])
        attempt = Attempt(self.bulk_id, now, scheduled_at, self.not_before, self.bulk_id_conclusive, messages, here)
        attempt.ours = True
        return InFlight(self, attempt)

    @property
    def state_before(self) -> MessageState | None:
        """The state that all its messages were in before its latest attempt; None if they were never tried.

        A request is made of messages that are in one state.
        """
        return next(iter(self.before.values()), None)

    @property
    def unposted(self) -> MessageState:
        """The state of its messages if this try has certainly not posted them."""
        event = Event.PROVEN_ABSENT if self.state_before is _S.ABSENT else Event.NO_EFFECT
        return TRANSITIONS[_S.IN_DOUBT, event]

    def bisect(self, ids: Identity) -> list[Request]:
        """Return two requests with half of the people each, each with its own bulk id."""
        size = len(self.ids)
        middle = (size + 1) // 2
        parts = (self.people.part(0, middle), self.people.part(middle, size))
        halves = [Request.of(self.content, part, ids) for part in parts]
        for half in halves:
            half.before = {each: self.before[each] for each in half.ids if each in self.before}
            half.bulk_id_conclusive, half.not_before = self.bulk_id_conclusive, self.not_before
        return halves

    def labels(self) -> dict[str, str]:
        """Return the names of recipients in outcomes, by message id, for those who are not named by that id."""
        labels = self.people.labels
        if labels.count(None) == len(labels):
            return {}
        return {each: label for each, label in zip(self.ids, labels, strict=True) if label is not None}


@dataclass
class InFlight:
    """A request with its attempt, from the write of its intent until its answer is read. A renewed intent is another
    attempt.
    """

    request: Request
    attempt: Attempt

    def had_no_effect(self) -> None:
        """Note that the POST certainly sent nothing.

        Messages that were in doubt before it (posted again on trust) stay in doubt. Messages that were proven absent
        stay ABSENT: a later try asks for them again, since the proof may be outdated by then.
        """
        request = self.request
        if request.state_before is not _S.IN_DOUBT:
            self.attempt.messages = dict.fromkeys(request.ids, request.unposted)
        request.before = dict(self.attempt.messages)


class ErrorAction(enum.Enum):
    """The consequences of an error for its request."""

    UNKNOWN = "ask the logs, post no more of it"
    AGAIN = "post it again after a pause, all connections together"
    BISECT = "post its halves"
    REFUSED = "its one recipient is refused"
    STOP = "stop the send: nobody else would fare better"


def action_for(error: OmniError, people: int) -> ErrorAction:
    """Return the consequence of an error for a request with so many people."""
    if error.effect is Effect.UNKNOWN:
        return ErrorAction.UNKNOWN
    if isinstance(error, OmniAuthenticationError | OmniStoppedError):
        return ErrorAction.STOP
    if error.retryable:
        return ErrorAction.STOP if (error.retry_after or 0.0) > LONGEST_RETRY_AFTER else ErrorAction.AGAIN
    if isinstance(error, OmniRequestError) and error.status in BAD_ENTRY:
        return ErrorAction.BISECT if people > 1 else ErrorAction.REFUSED
    return ErrorAction.STOP


@dataclass(frozen=True, slots=True)
class ResponseSummary:
    """The summary of an answer.

    :param refused: the number of refusals by status name.
    :param stops: the status name of a refusal that concerns everybody; None if there is none.
    :param may_succeed_later: True if a later try may mend one of the refusals.
    :param foreign: True if the answer names only ids that are not ours.
    """

    refused: Counter[str]
    stops: str | None = None
    may_succeed_later: bool = False
    foreign: bool = False


def read_response(answer: BulkResponse, attempt: Attempt, *, doubtful: bool = False) -> ResponseSummary:
    """Match the answer's entries by message id, never by position, and change their messages' states.

    A message that the answer names twice with different statuses is not answered: it stays unknown.

    :param doubtful: True if an earlier POST of these messages is still unknown. A refusal of this POST then says
        nothing about the earlier one and changes no state.
    """
    messages = attempt.messages
    if len(answer.by_status) == 1:
        status, ids = answer.by_status[0]
        # `is_refusal` covers everything but plain acceptance and the duplicate.
        # Ids in the request's own order, which is the usual one, are compared without being hashed.
        if not is_refusal(status) and not is_duplicate(status) and (ids == (*messages,) or messages.keys() == set(ids)):
            attempt.messages = dict.fromkeys(messages, TRANSITIONS[_S.IN_DOUBT, Event.TAKEN])
            return ResponseSummary(Counter())
    named = Counter(message_id for _, ids in answer.by_status for message_id in set(ids))
    refused: Counter[str] = Counter()
    stops: str | None = None
    mends = False
    ours = [message_id for message_id in named if message_id in messages]
    if named and not ours:
        for message_id in messages:
            attempt.apply(message_id, Event.FOREIGN_ANSWER)
        return ResponseSummary(refused, foreign=True)
    for status, ids in answer.by_status:
        event = Event.DUPLICATE_ID if is_duplicate(status) else Event.REFUSED if is_refusal(status) else Event.TAKEN
        name = status_label(status)
        for message_id in dict.fromkeys(ids):
            if message_id not in messages or named[message_id] > 1:
                continue
            if doubtful and event is Event.REFUSED:
                continue
            attempt.apply(message_id, event)
            if event is Event.REFUSED:
                attempt.reasons[message_id] = name
                refused[name] += 1
        if event is Event.REFUSED and any(message_id in messages for message_id in ids):
            stops = name if account_blocked(status) else stops
            mends = mends or may_succeed_later(status)
    return ResponseSummary(refused, stops, mends)
