"""The life of a message, from a row to its outcome, and the table by which its state changes.

Row. A row is read, its number and texts are checked, and its message id is made (`recipients/intake.py`,
`messages/ids.py`). A bad row goes into quarantine instead. Nothing of a try is in the id: every try makes it anew and
gets the very id that the earlier ones had. So far the message has no state, and a death costs nothing: the next try
plans it again.

Intent. IN_DOUBT is written down before the POST, with the ids and the time (`outbox/stores.py`). If that write fails,
nothing is posted. The write is the fence as well: in a ledger, or on Airflow ≥ 3.3, a try that was replaced learns from
it that it must stop. An intent that has grown older than some seconds is written again before its POST, since a newer
try may have begun meanwhile.

POST. From that write until the outcome is written, IN_DOUBT means "posted or not, nobody knows". A death in this time
costs a wait, never a second message: the next try asks the logs before it posts anything of this request. IN_DOUBT is
resolved by asking, never by posting; and only by asking the account that it was posted to (`Origin`). The one exception
is the connection's `trust_duplicate_rejection`: an account that is known to refuse ids it has seen gets the very id
again.

Answer. It is matched by message id, never by position (`outbox/requests.py`). It makes the message ACCEPTED, REFUSED or
DUPLICATE_ID (the vendor has seen this id before). An answer that is about other ids only makes it UNCONFIRMED. An error
that certainly had no effect makes it NOT_SENT; `OmniError.effect` says which errors these are. A batch divides a
request that the vendor finds wrong until the bad recipient stands alone: that one is REFUSED. Any other error leaves
the message IN_DOUBT. The outcome is written at once, or with the next window. If that write is lost, the record is
still true: it says IN_DOUBT, and the logs know more. A death after the write costs nothing: the next try goes on from
there.

Doubt. A message in doubt is looked for in the vendor's logs (`outbox/reconciler.py`). Any log row makes it ACCEPTED,
that of a refusal, too: a step that failed looks the same, and what was taken must not be sent again. But then a further
attempt may have been posted, and is looked for until it is proven absent (`outbox/attempts.py`).
ABSENT takes a proof: two empty log queries, far enough apart, in the account that it was posted to. This try may then
post it again, with its own id. The next try needs a proof of its own: a frozen try may have woken up and posted it
after the proof, so a new try begins by turning ABSENT back into IN_DOUBT (`IntentLog.doubt_old_proofs`). A message that
cannot be resolved stays IN_DOUBT (from DUPLICATE_ID it becomes UNCONFIRMED), and the task fails with an error that says
so.

Refusal. A refused message is sent again by a later try only, and under the next attempt's id
(`IntentLog.mark_who_is_left`). For its own id a refusal is final. A try that overlaps and has not read of it may
write an intent of that id into the ledger once more; it was replaced before it posts, so the next attempt's intent
settles that (`IntentLog.keep_one_attempt`). It may also take the refusal's row in the logs for an acceptance; then a
next attempt that is in doubt stays so, and is asked about.

Lost record. The record itself may be lost, or older than what was posted last. `outbox/tries.py` says whether it is
complete; otherwise the logs are asked about whatever it does not know of (for batches `outbox/missing_record.py`).

Outcome. ACCEPTED is final here; the wait follows the message from there. `messages/status.py` joins reports and log
rows into an outcome, `tracking/verdict.py` says when enough is known. A report can be read once, so it is written down
(`messages/codec.py`) before anything is decided from it. A death between the two costs one page of reports, which the
logs bring again.

::

    (nothing)     --intent--------------->  IN_DOUBT
    IN_DOUBT      --answer: taken-------->  ACCEPTED
                  --answer: refused------>  REFUSED      a later try uses the next attempt's id
                  --answer: seen before-->  DUPLICATE_ID
                  --certainly no effect-->  NOT_SENT     may be posted again, same id
                  --a log row------------>  ACCEPTED
                  --no log row, proven--->  ABSENT       may be posted again, same id, by this try
                  --only foreign ids----->  UNCONFIRMED  never posted again
    ABSENT        --a new try begins----->  IN_DOUBT     a frozen try may have woken up since
    DUPLICATE_ID  --a log row------------>  ACCEPTED
                  --no log row----------->  UNCONFIRMED
    any           --another attempt------>  REFUSED      of the same person counts

The record holds ids, states, times, and a hash that tells accounts apart; no number, no text. `TRANSITIONS` below has
every change, and `messages/intent_log.py` replays the record of earlier tries.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HORIZON = 47 * 3600.0
"""Age in seconds from which the logs prove nothing any more. They reach back 48 h."""
CLOCKS = 3600.0
"""Seconds by which the clocks of two processes may differ: the hour that the horizon leaves of the logs' two days."""


class MessageState(enum.Enum):
    """State of a message between intent and certainty."""

    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DUPLICATE_ID = "duplicate_id"
    NOT_SENT = "not_sent"
    ABSENT = "absent"
    UNCONFIRMED = "unconfirmed"


class Event(enum.Enum):
    """Something that can be learned about a message."""

    INTENT_WRITTEN = "intent_written"
    TAKEN = "taken"
    REFUSED = "refused"
    DUPLICATE_ID = "duplicate_id"
    NO_EFFECT = "no_effect"
    LOG_ROW = "log_row"
    PROVEN_ABSENT = "proven_absent"
    NO_LOG_ROW = "no_log_row"
    FOREIGN_ANSWER = "foreign_answer"
    PROOF_OUTDATED = "proof_outdated"
    SUPERSEDED = "superseded"


_S, _E = MessageState, Event
TRANSITIONS: dict[tuple[MessageState | None, Event], MessageState] = {
    (None, _E.INTENT_WRITTEN): _S.IN_DOUBT,
    (_S.NOT_SENT, _E.INTENT_WRITTEN): _S.IN_DOUBT,
    (_S.ABSENT, _E.INTENT_WRITTEN): _S.IN_DOUBT,
    (_S.IN_DOUBT, _E.INTENT_WRITTEN): _S.IN_DOUBT,  # only with trust_duplicate_rejection, or while backing off
    (_S.IN_DOUBT, _E.TAKEN): _S.ACCEPTED,
    (_S.IN_DOUBT, _E.REFUSED): _S.REFUSED,
    (_S.IN_DOUBT, _E.DUPLICATE_ID): _S.DUPLICATE_ID,
    (_S.IN_DOUBT, _E.NO_EFFECT): _S.NOT_SENT,
    (_S.IN_DOUBT, _E.LOG_ROW): _S.ACCEPTED,
    (_S.IN_DOUBT, _E.PROVEN_ABSENT): _S.ABSENT,
    (_S.IN_DOUBT, _E.FOREIGN_ANSWER): _S.UNCONFIRMED,
    (_S.ABSENT, _E.PROOF_OUTDATED): _S.IN_DOUBT,
    (_S.NOT_SENT, _E.PROOF_OUTDATED): _S.IN_DOUBT,  # the record may be older than what was posted last
    (_S.DUPLICATE_ID, _E.LOG_ROW): _S.ACCEPTED,
    (_S.DUPLICATE_ID, _E.NO_LOG_ROW): _S.UNCONFIRMED,
    (_S.UNCONFIRMED, _E.LOG_ROW): _S.ACCEPTED,
    (None, _E.LOG_ROW): _S.ACCEPTED,
    (None, _E.PROVEN_ABSENT): _S.ABSENT,
    # Another attempt of the same person counts: the one that was accepted last, else the last one.
    (_S.IN_DOUBT, _E.SUPERSEDED): _S.REFUSED,
    (_S.DUPLICATE_ID, _E.SUPERSEDED): _S.REFUSED,
    (_S.UNCONFIRMED, _E.SUPERSEDED): _S.REFUSED,
    (_S.NOT_SENT, _E.SUPERSEDED): _S.REFUSED,
    (_S.ABSENT, _E.SUPERSEDED): _S.REFUSED,
    (_S.ACCEPTED, _E.SUPERSEDED): _S.REFUSED,  # so that nobody counts twice who got it twice
}
"""Every change that exists. Any other one is a bug: it raises KeyError, and nothing is sent."""

NEVER_UNDONE = frozenset({_S.ACCEPTED})
"""States that no later line about the same request undoes when a record is replayed. Tries write side by side."""

MAY_BE_POSTED = frozenset({None, _S.NOT_SENT, _S.ABSENT})
UNRESOLVED = frozenset({_S.IN_DOUBT, _S.DUPLICATE_ID})
UNCERTAIN = UNRESOLVED | {_S.UNCONFIRMED}
"""States of messages that a later try asks about."""
MAY_HAVE_ARRIVED = frozenset({_S.ACCEPTED, _S.UNCONFIRMED, _S.IN_DOUBT, _S.DUPLICATE_ID})
"""States in which a message may have reached its person. Receipts list these messages."""


class Origin(NamedTuple):
    """Account and scenario that messages were posted from. The logs of another account do not show these messages.

    :param account: `OmniConfig.account_mark`.
    :param scenario: the scenario's key, which belongs to one account, too.
    """

    account: str
    scenario: str

    def changed(self, now: Origin) -> str:
        """Return the noun for the difference to another origin: "account" if the accounts differ, else "scenario"."""
        return "account" if self.account != now.account else "scenario"

    @classmethod
    def of(cls, data: Any) -> Origin | None:
        """Read an origin from JSON. None if the record was written by a version that did not know of accounts."""
        return None if data is None else cls(str(data[0]), str(data[1]))


@dataclass
class Attempt:
    """One request that was or may have been posted: its ids, and the state of each message.

    All times are seconds since the epoch.

    :param bulk_id: the request's id.
    :param intent_at: the time of its latest intent. No POST of it begins later than `FENCE` seconds after that
        (`outbox/reconciler.py`).
    :param scheduled_at: the time of `sendAt`; None for at once.
    :param not_before: the earliest time at which it may have been posted, if that is before `intent_at`; else None.
    :param bulk_id_conclusive: True if its messages can have been posted in this request only, so that its bulk id finds
        them all.
    :param messages: the state of each message, by message id.
    :param origin: account and scenario that it was posted from; None if not known, as on records of older versions.
    """

    bulk_id: str
    intent_at: float
    scheduled_at: float | None = None
    not_before: float | None = None
    bulk_id_conclusive: bool = True
    messages: dict[str, MessageState] = field(default_factory=dict)
    origin: Origin | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """Status names of the refused messages, by message id."""
    ours: bool = field(default=False, compare=False)
    """True if this very try has posted it, so that its POST is over when it is asked about. Never kept."""
    shown: dict[str, bool] = field(default_factory=dict, compare=False)
    """Messages that the logs have shown to this try: False if they may show a refusal. Never kept."""

    @property
    def oldest(self) -> float:
        """The earliest time at which it may have been posted."""
        return self.intent_at if self.not_before is None else self.not_before

    def is_within_retention(self, now: float) -> bool:
        """Return True if the vendor still has all of it: in its logs, and among the ids that it refuses as seen before.

        The vendor does not publish how long it remembers ids. So this assumes no longer than its logs and reports
        reach. A request from further ahead than `CLOCKS` was written by a clock from which nothing can be concluded: it
        counts as forgotten.
        """
        return -CLOCKS <= now - self.oldest < HORIZON

    def is_from(self, here: Origin | None) -> bool:
        """Return True if it was posted from `here`: only then can these logs prove that it is absent.

        Also True if both are None. False if its origin is not known and `here` is.
        """
        return self.origin == here

    def is_from_another_origin(self, here: Origin | None) -> bool:
        """Return True if it is known to have been posted from another account or scenario than `here`: these logs do
        not show it.
        """
        return self.origin is not None and not self.is_from(here)

    def in_state(self, *states: MessageState) -> list[str]:
        """Return the ids of the messages in one of these states."""
        return [message_id for message_id, state in self.messages.items() if state in states]

    def apply(self, message_id: str, event: Event) -> None:
        """Change one message's state by `TRANSITIONS`. Raises KeyError for a change that is not in it."""
        self.messages[message_id] = TRANSITIONS[self.messages.get(message_id), event]


class Control(NamedTuple):
    """A request with several accepted messages, and the bulk id of ours that it was posted with.

    If the logs find one of its messages by that id, their filter by bulk id works for requests of this account.
    """

    bulk_id: str
    message_ids: Sequence[str]
