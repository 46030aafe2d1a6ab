"""One request of a batch on its way: its people, what is known of them, and what an answer or an error says of it.

Pure: the table of what becomes of a request. Who calls it when is `lanes.py`'s business.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_omni.delivery.messages.fast_ids import BatchIds
from airflow_provider_omni.delivery.messages.states import TRANSITIONS, Attempt, Event, MessageState
from airflow_provider_omni.delivery.messages.status import status_label
from airflow_provider_omni.delivery.messages.workspace import RecipientChunk
from airflow_provider_omni.omni.bulk import BulkAnswer
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniError,
    OmniRequestError,
    OmniStoppedError,
)
from airflow_provider_omni.omni.retries import LONGEST_RETRY_AFTER
from airflow_provider_omni.omni.statuses import is_duplicate, is_refusal, mendable, stops_everything

_S = MessageState
BAD_ENTRY = frozenset({400, 413, 422})
"""HTTP statuses that one bad recipient, or too many of them, can cause: the request is halved."""


@dataclass
class Request:
    """Some people who get the same content in one request.

    :param posting: what is known of its messages; made anew each time its intent is written.
    :param before: what was known when they were last begun, by message id; None: never tried.
    :param since: when these messages may have been posted first, where they are posted again on trust.
    :param intended: whether an intent of it may have been written.
    :param refenced: how often writing its intent took too long.
    """

    content: int
    people: RecipientChunk = field(repr=False)
    bulk_id: str
    posting: Attempt | None = None
    before: dict[str, MessageState] = field(default_factory=dict)
    by_bulk: bool = True
    since: float | None = None
    intended: bool = False
    refenced: int = 0

    @classmethod
    def of(cls, content: int, people: RecipientChunk, ids: BatchIds) -> Request:
        """A request that was never tried."""
        return cls(content, people, ids.bulk_id(people.ids))

    @property
    def ids(self) -> tuple[str, ...]:
        """Its message ids."""
        return self.people.ids

    def begin(self, now: float, scheduled_at: float | None) -> Attempt:
        """Note the intent to post it now."""
        before = self.before
        if before:
            messages = {each: TRANSITIONS[before.get(each), Event.POSTING] for each in self.ids}
        else:
            messages = dict.fromkeys(self.ids, TRANSITIONS[None, Event.POSTING])
        self.posting = Attempt(self.bulk_id, now, scheduled_at, self.since, self.by_bulk, messages)
        self.posting.ours = True
        return self.posting

    def had_no_effect(self) -> None:
        """The POST certainly sent nothing. What was unknown before it (posted again on trust) stays unknown, and what
        was proven absent stays that: a later try asks for it again, since the proof may be outdated by then.
        """
        assert self.posting is not None
        if self.state_before is not _S.INTENT:
            self.posting.messages = dict.fromkeys(self.ids, self.unposted)
        self.before = dict(self.posting.messages)

    @property
    def state_before(self) -> MessageState | None:
        """What all its messages were when it was begun: a request is made of messages that are in the same state."""
        return next(iter(self.before.values()), None)

    @property
    def unposted(self) -> MessageState:
        """What its messages are if this try has certainly not posted them."""
        event = Event.PROVEN_ABSENT if self.state_before is _S.ABSENT else Event.NO_EFFECT
        return TRANSITIONS[_S.INTENT, event]

    def halves(self, ids: BatchIds) -> list[Request]:
        """Two requests with half of the people each, each with its own bulk id."""
        size = len(self.ids)
        middle = (size + 1) // 2
        parts = (self.people.part(0, middle), self.people.part(middle, size))
        halves = [Request.of(self.content, part, ids) for part in parts]
        for half in halves:
            half.before = {each: self.before[each] for each in half.ids if each in self.before}
            half.by_bulk, half.since = self.by_bulk, self.since
        return halves

    def labels(self) -> dict[str, str]:
        """What outcomes call a message's recipient, if not by its id."""
        labels = self.people.labels
        if labels.count(None) == len(labels):
            return {}
        return {each: label for each, label in zip(self.ids, labels, strict=True) if label is not None}


class ErrorAction(enum.Enum):
    """What becomes of a request that was answered with an error."""

    UNKNOWN = "ask the logs, post no more of it"
    AGAIN = "post it again after a pause, all lanes together"
    HALVE = "post its halves"
    REFUSED = "its one recipient is refused"
    STOP = "stop the batch: nobody else would fare better"


def action_for(error: OmniError, people: int) -> ErrorAction:
    """What to do after an error, for a request with so many people."""
    if error.effect is Effect.UNKNOWN:
        return ErrorAction.UNKNOWN
    if isinstance(error, OmniAuthenticationError | OmniStoppedError):
        return ErrorAction.STOP
    if error.retryable:
        return ErrorAction.STOP if (error.retry_after or 0.0) > LONGEST_RETRY_AFTER else ErrorAction.AGAIN
    if isinstance(error, OmniRequestError) and error.status in BAD_ENTRY:
        return ErrorAction.HALVE if people > 1 else ErrorAction.REFUSED
    return ErrorAction.STOP


@dataclass(frozen=True, slots=True)
class AnswerSummary:
    """What an answer said: refusals by status name, and whether they concern everybody."""

    refused: Counter[str]
    stops: str | None = None
    mendable: bool = False
    foreign: bool = False


def read_answer(answer: BulkAnswer, posting: Attempt, *, doubtful: bool = False) -> AnswerSummary:
    """Match the answer's entries by message id, never by position, and change their messages' states.

    `doubtful`: an earlier POST of these messages is still unknown: that this one was refused says nothing about that.
    A message that the answer names twice with different statuses is not answered: it stays unknown.
    """
    messages = posting.messages
    if len(answer.by_status) == 1:
        status, ids = answer.by_status[0]
        # `is_refusal` covers all that is not plain acceptance but the duplicate.
        # In the request's own order, which is the usual one, ids are compared without being hashed.
        if not is_refusal(status) and not is_duplicate(status) and (ids == (*messages,) or messages.keys() == set(ids)):
            posting.messages = dict.fromkeys(messages, TRANSITIONS[_S.INTENT, Event.TAKEN])
            return AnswerSummary(Counter())
    named = Counter(message_id for _, ids in answer.by_status for message_id in set(ids))
    refused: Counter[str] = Counter()
    stops: str | None = None
    mends = False
    ours = [message_id for message_id in named if message_id in messages]
    if named and not ours:
        for message_id in messages:
            posting.learn(message_id, Event.FOREIGN_ANSWER)
        return AnswerSummary(refused, foreign=True)
    for status, ids in answer.by_status:
        event = Event.DUPLICATE if is_duplicate(status) else Event.REFUSED if is_refusal(status) else Event.TAKEN
        name = status_label(status)
        for message_id in dict.fromkeys(ids):
            if message_id not in messages or named[message_id] > 1:
                continue
            if doubtful and event is Event.REFUSED:
                continue
            posting.learn(message_id, event)
            if event is Event.REFUSED:
                posting.reasons[message_id] = name
                refused[name] += 1
        if event is Event.REFUSED and any(message_id in messages for message_id in ids):
            stops = name if stops_everything(status) else stops
            mends = mends or mendable(status)
    return AnswerSummary(refused, stops, mends)
