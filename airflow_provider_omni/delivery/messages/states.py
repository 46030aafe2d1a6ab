"""The record of a send: what a later try must know, and the table by which a message's state changes.

::

    (nothing)  --intent-->  INTENT  --answer: taken-------->  ACCEPTED
                                    --answer: refused------>  REFUSED     a later try uses the next attempt's id
                                    --answer: seen before-->  SEEN
                                    --certainly no effect-->  NOT_SENT    may be posted again, same id
                                    --a log row------------>  ACCEPTED
                                    --no log row, proven--->  ABSENT      may be posted again, same id, by this try
                                    --only foreign ids----->  UNCONFIRMED never posted again
                            ABSENT  --a new try begins----->  INTENT      a frozen try may have woken up since
                            SEEN    --a log row------------>  ACCEPTED
                                    --no log row----------->  UNCONFIRMED

INTENT is the unknown: the request may or may not have reached the vendor. It is resolved by asking, never by posting;
and only by asking the account that it was posted to. The record holds ids, states, times, and a hash that tells
accounts apart; no number, no text.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from airflow_provider_omni.delivery.effects import Json
from airflow_provider_omni.omni.errors import OmniStorageError

HORIZON = 47 * 3600.0
"""Seconds after which the logs (48 h) prove nothing any more."""
CLOCKS = 3600.0
"""Seconds by which the clocks of two processes may differ: the hour that the horizon leaves of the logs' two days."""
KEY = "omni_send"
VERSION = 1


class MessageState(enum.Enum):
    """Where a message stands between intent and certainty."""

    INTENT = "intent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    SEEN = "seen"
    NOT_SENT = "not_sent"
    ABSENT = "absent"
    UNCONFIRMED = "unconfirmed"


class Event(enum.Enum):
    """What can be learned about a message."""

    POSTING = "posting"
    TAKEN = "taken"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    NO_EFFECT = "no_effect"
    LOG_ROW = "log_row"
    PROVEN_ABSENT = "proven_absent"
    NO_LOG_ROW = "no_log_row"
    FOREIGN_ANSWER = "foreign_answer"
    PROOF_OUTDATED = "proof_outdated"


_S, _E = MessageState, Event
TRANSITIONS: dict[tuple[MessageState | None, Event], MessageState] = {
    (None, _E.POSTING): _S.INTENT,
    (_S.NOT_SENT, _E.POSTING): _S.INTENT,
    (_S.ABSENT, _E.POSTING): _S.INTENT,
    (_S.INTENT, _E.POSTING): _S.INTENT,  # only with trust_duplicate_rejection, or while backing off
    (_S.INTENT, _E.TAKEN): _S.ACCEPTED,
    (_S.INTENT, _E.REFUSED): _S.REFUSED,
    (_S.INTENT, _E.DUPLICATE): _S.SEEN,
    (_S.INTENT, _E.NO_EFFECT): _S.NOT_SENT,
    (_S.INTENT, _E.LOG_ROW): _S.ACCEPTED,
    (_S.INTENT, _E.PROVEN_ABSENT): _S.ABSENT,
    (_S.INTENT, _E.FOREIGN_ANSWER): _S.UNCONFIRMED,
    (_S.ABSENT, _E.PROOF_OUTDATED): _S.INTENT,
    (_S.NOT_SENT, _E.PROOF_OUTDATED): _S.INTENT,  # the record may be older than what was posted last
    (_S.SEEN, _E.LOG_ROW): _S.ACCEPTED,
    (_S.SEEN, _E.NO_LOG_ROW): _S.UNCONFIRMED,
    (_S.UNCONFIRMED, _E.LOG_ROW): _S.ACCEPTED,
    (None, _E.LOG_ROW): _S.ACCEPTED,
    (None, _E.PROVEN_ABSENT): _S.ABSENT,
}
"""Every change there is. Anything else is a bug and raises KeyError rather than sends."""

MAY_BE_POSTED = frozenset({None, _S.NOT_SENT, _S.ABSENT})
UNRESOLVED = frozenset({_S.INTENT, _S.SEEN})
MAY_HAVE_ARRIVED = frozenset({_S.ACCEPTED, _S.UNCONFIRMED, _S.INTENT, _S.SEEN})
"""States in which a message may have reached its person: receipts list these."""


class Origin(NamedTuple):
    """Where messages were posted from. What another account has taken is in none of this one's logs.

    `account`: `OmniConfig.account_mark`. `scenario`: its key, which belongs to one account, too.
    """

    account: str
    scenario: str

    def changed(self, now: Origin) -> str:
        """What differs from another origin, as a noun: the account, or the scenario."""
        return "account" if self.account != now.account else "scenario"

    @classmethod
    def of(cls, data: Any) -> Origin | None:
        """From JSON; None where it was written by a version that did not know of accounts."""
        return None if data is None else cls(str(data[0]), str(data[1]))


@dataclass
class Attempt:
    """One request: its ids, and what is known of each message. Times are seconds since the epoch.

    `intent_at`: no POST of it was begun later. `since`: none was begun earlier, where that is not `intent_at`.
    `by_bulk`: these messages can have been posted in this request only, so that its bulk id finds them all.
    `origin`: where it was posted from; None: not known, as on records of older versions.
    """

    bulk_id: str
    intent_at: float
    scheduled_at: float | None = None
    since: float | None = None
    by_bulk: bool = True
    messages: dict[str, MessageState] = field(default_factory=dict)
    origin: Origin | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """Status names of the refused, by message id."""
    ours: bool = field(default=False, compare=False)
    """This very try has posted it: its POST is over when it is asked about. Never kept."""

    @property
    def oldest(self) -> float:
        """The earliest moment at which it may have been posted."""
        return self.intent_at if self.since is None else self.since

    def is_remembered(self, now: float) -> bool:
        """Whether all of it is young enough for the vendor to have it: in the logs, and among the ids that it refuses.
        How long it remembers ids is not published, so no longer than its logs and reports reach. A request from far
        ahead was written by a clock that nothing can be concluded from.
        """
        return -CLOCKS <= now - self.oldest < HORIZON

    def is_from(self, here: Origin | None) -> bool:
        """Whether it is known to have been posted from there: then its logs can prove that it is not there."""
        return self.origin == here

    def is_elsewhere(self, here: Origin | None) -> bool:
        """Whether it is known to have been posted from another account or scenario: these logs know nothing of it."""
        return self.origin is not None and not self.is_from(here)

    def having(self, *states: MessageState) -> list[str]:
        """Ids of the messages in one of these states."""
        return [message_id for message_id, state in self.messages.items() if state in states]

    def learn(self, message_id: str, event: Event) -> None:
        """Change one message's state by the table."""
        self.messages[message_id] = TRANSITIONS[self.messages.get(message_id), event]


class Control(NamedTuple):
    """A request with several messages that the vendor has accepted, by the bulk id that we gave it. Where the logs find
    one of its messages by that id, they find such requests.
    """

    bulk_id: str
    message_ids: Sequence[str]


@dataclass
class SendRecord:
    """All that is kept of a send.

    `flow`: the channels of the scenario `flow_of`. `steps`: those of them that there was something to say on when
    it was posted last. `origins`: where its tries were about to post from. `writes`: how often it was written.
    """

    fingerprint: str
    flow: tuple[str, ...] | None = None
    flow_of: str | None = None
    steps: tuple[str, ...] | None = None
    postings: list[Attempt] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    writes: int = 0

    def state(self, message_id: str) -> MessageState | None:
        """What is known of a message; None when it was never about to be posted."""
        posting = self.posting_of(message_id)
        return None if posting is None else posting.messages[message_id]

    def posting_of(self, message_id: str) -> Attempt | None:
        """The request in which a message was or may have been posted."""
        return next((posting for posting in self.postings if message_id in posting.messages), None)

    def states(self) -> Iterator[MessageState]:
        """Every message's state."""
        for posting in self.postings:
            yield from posting.messages.values()

    def begin(
        self,
        bulk_id: str,
        message_ids: list[str],
        now: float,
        scheduled_at: float | None,
        origin: Origin | None = None,
    ) -> Attempt:
        """Note the intent to post these messages in one request now. They leave the requests they stood in before."""
        fresh = Attempt(bulk_id, now, scheduled_at, origin=origin, ours=True)
        for posting in self.postings:
            unknown = posting.messages.keys() & set(message_ids) & set(posting.having(MessageState.INTENT))
            if unknown:
                # Posted again on trust: the vendor may have it from the earlier request.
                fresh.by_bulk = fresh.by_bulk and posting.bulk_id == bulk_id and posting.by_bulk
                fresh.since = min(fresh.oldest, posting.oldest)
        for message_id in message_ids:
            fresh.messages[message_id] = TRANSITIONS[self.state(message_id), Event.POSTING]
        for posting in self.postings:
            for message_id in message_ids:
                posting.messages.pop(message_id, None)
                posting.reasons.pop(message_id, None)
        self.postings = [posting for posting in self.postings if posting.messages]
        self.postings.append(fresh)
        return fresh

    def forget(self, message_id: str) -> None:
        """Drop a message that was never posted, as is known by now."""
        for posting in self.postings:
            posting.messages.pop(message_id, None)
        self.postings = [posting for posting in self.postings if posting.messages]

    def set_aside(self, message_id: str) -> None:
        """Take a message for refused, since a later attempt was accepted: that is made after a refusal only."""
        posting = self.posting_of(message_id)
        if posting is not None:
            posting.messages[message_id] = MessageState.REFUSED

    def relocate(self, found_in: Mapping[str, str]) -> None:
        """Move messages to the requests in which the logs have found them, so that they can be followed there."""
        for message_id, bulk_id in found_in.items():
            here = self.posting_of(message_id)
            if here is None or here.bulk_id == bulk_id:
                continue
            there = next((each for each in self.postings if each.bulk_id == bulk_id), None)
            if there is None:
                there = Attempt(bulk_id, here.intent_at, here.scheduled_at, here.since, origin=here.origin)
                self.postings.append(there)
            there.messages[message_id] = here.messages.pop(message_id)
        self.postings = [each for each in self.postings if each.messages]

    def to_json(self) -> dict[str, Json]:
        """What is written into the task's state."""
        return {
            "v": VERSION,
            "fingerprint": self.fingerprint,
            "flow": None if self.flow is None else list(self.flow),
            "flow_of": self.flow_of,
            "steps": None if self.steps is None else list(self.steps),
            "origins": [list(each) for each in self.origins],
            "writes": self.writes,
            "postings": [
                {
                    "bulk_id": posting.bulk_id,
                    "intent_at": posting.intent_at,
                    "scheduled_at": posting.scheduled_at,
                    "since": posting.since,
                    "by_bulk": posting.by_bulk,
                    "origin": None if posting.origin is None else list(posting.origin),
                    "messages": {message_id: state.value for message_id, state in posting.messages.items()},
                    "reasons": dict(posting.reasons),
                }
                for posting in self.postings
            ],
        }

    @classmethod
    def from_json(cls, data: Json) -> SendRecord | None:
        """Read it back; None when nothing was written.

        Raises `OmniStorageError` for one that this version cannot read: sending without it could send twice.
        """
        if data is None:
            return None
        try:
            entry: Any = data
            if entry["v"] != VERSION:
                raise ValueError
            return cls(
                fingerprint=str(entry["fingerprint"]),
                flow=_tuple(entry["flow"]),
                flow_of=entry.get("flow_of"),
                steps=_tuple(entry.get("steps")),
                postings=[
                    Attempt(
                        bulk_id=each["bulk_id"],
                        intent_at=float(each["intent_at"]),
                        scheduled_at=each["scheduled_at"],
                        since=each["since"],
                        by_bulk=bool(each["by_bulk"]),
                        origin=Origin.of(each.get("origin")),
                        messages={key: MessageState(value) for key, value in each["messages"].items()},
                        reasons=dict(each["reasons"]),
                    )
                    for each in entry["postings"]
                ],
                origins=[Origin(str(account), str(scenario)) for account, scenario in entry.get("origins", ())],
                writes=int(entry.get("writes", 0)),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise OmniStorageError(
                "The record of what was sent cannot be read (written by another version?). Nothing was posted: "
                "without it a message could be sent twice."
            ) from None


def _tuple(data: Any) -> tuple[str, ...] | None:
    return None if data is None else tuple(data)
