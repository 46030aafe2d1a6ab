"""The decisions that keep a message from being sent twice, as pure functions, and the choices that are left to a user.

The crash harness takes these rules out, one at a time, and must notice: tests/crash/mutants.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.messages.states import Attempt, MessageState, Origin
from airflow_provider_omni.delivery.outbox.limits import LIMITS, SendLimits
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import Status
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.statuses import Group, group_of, is_refusal

INTENT_TTL = 5.0
"""Seconds after its intent within which a POST begins, at the latest. An older intent is written anew before its POST,
so that a try that was replaced learns of it.
"""
MAX_INTENT_RENEWALS = 5
"""Times that one request's intent may grow too old before its POST. More often means that writing is too slow to
send.
"""
WINDOW_SECONDS = 0.5
"""Seconds that a window should last: long enough that writing does not hold up sending, short enough to be asked
about.
"""
MAX_WINDOW_ROUNDS = 16
"""Requests in a window for each connection, at most. Small requests of several rounds share one write."""
WRITE_ATTEMPTS = 4
"""Failed writes in a row that end the send."""
UNKNOWN_IN_A_ROW = 16
"""Requests in a row with unknown outcome, after which the logs are asked before more is posted.

The limit is higher for more than eight connections: two requests for each of them.
"""
CONCURRENT_INTENT_WRITES = 3
"""Windows that are written at one time, where writing takes longer than posting."""
REFUSALS_IN_A_ROW = 20
"""Recipients, each alone in a request, refused by HTTP in a row with none accepted between. Then they are not the
cause, and the send stops.
"""
NOTE_EVERY = 5.0
"""Seconds between notes of progress."""
SHARED_ATTEMPTS = 5
"""Further ids of a person that are looked for where other tasks send under the same key."""


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """The conditions under which absence may be concluded.

    :param read_timeout: seconds that a POST of an earlier try may still be under way: the longest that a call can take.
    :param grace: seconds that the logs may lag behind, and that a request may be taken in after its caller gave up. The
        vendor does not publish either. A longer time is safer and delays only the repair of an unknown outcome.
    :param patience: seconds that one resolution may take before the messages stay unknown.
    """

    read_timeout: float = 30.0
    grace: float = 30.0
    patience: float = 900.0


def is_fresh(intent_at: float, now: float) -> bool:
    """Return True if an intent is young enough to be posted on. A newer try may have begun since an older one."""
    return now - intent_at <= INTENT_TTL


def provable_at(attempt: Attempt, look: LookPolicy, asked_at: float, taken_over_at: float) -> float:
    """Return the time from which a query may prove absence: the POST is surely over, and the logs have caught up.

    A POST of this try is over when it is asked about. A POST of an earlier try began at the latest a moment after
    this try took over. The time of its intent does not count, since another clock has given it.
    """
    if attempt.ours:
        over_at = max(attempt.intent_at + look.read_timeout, asked_at)
    else:
        over_at = taken_over_at + INTENT_TTL + look.read_timeout
    if attempt.scheduled_at is not None:
        over_at = max(over_at, attempt.scheduled_at + look.read_timeout)
    return over_at + look.grace


def seconds_too_early(attempt: Attempt, look: LookPolicy, said: float | None) -> float:
    """Return the seconds until a message with `sendAt` can be in the logs, by the vendor's own clock.

    0.0 if its clock is not known, or there is no `sendAt`.

    :param said: the time by the vendor's clock, if the answer has given it.
    """
    if attempt.scheduled_at is None or said is None:
        return 0.0
    return attempt.scheduled_at + look.read_timeout + look.grace - said


def can_be_proven(attempt: Attempt, look: LookPolicy, here: Origin | None, now: float, provable_at: float) -> bool:
    """Return True if absence can be proven.

    It cannot if the logs have forgotten the message, long before a scheduled time, or if another account may have
    been posted to. Records of versions that knew of no accounts leave that open.
    """
    known_here = attempt.ours or attempt.is_from(here)
    return known_here and attempt.is_within_retention(now) and provable_at - now <= look.patience


def proves_absence(look: LookPolicy, began_at: float, first_empty_at: float | None) -> bool:
    """Return True if an empty query proves absence: it is the second one, and began a grace time after the first one
    ended.
    """
    return first_empty_at is not None and began_at >= first_empty_at + look.grace


def may_be_asked_by_bulk(attempt: Attempt, message_ids: list[str]) -> bool:
    """Return True if these messages of a request may be asked for by its bulk id.

    A single message is always asked for by its own id: the vendor does not publish whether it keeps bulk ids.
    """
    return attempt.bulk_id_conclusive and len(message_ids) != 1


def may_be_trusted(states: list[MessageState | None], attempt: Attempt | None, here: Origin | None, now: float) -> bool:
    """Return True if a message in doubt may be posted again, since the vendor refuses it if it has it.

    It must have been posted from this account and scenario, and be young enough to be remembered. Its id must be
    the one that every try would use now: all attempts before it were refused. If a lost try may have come to a
    further attempt, nothing is posted on trust: a frozen try may still post the first one, and the vendor would
    take it.

    :param states: the states of its attempts, the first attempt first.
    :param attempt: the request of the last attempt.
    """
    *before, last = states
    if last is not MessageState.IN_DOUBT or any(state is not MessageState.REFUSED for state in before):
        return False
    return attempt is not None and attempt.is_from(here) and attempt.is_within_retention(now)


def attempts_to_look_for(refused: int, *, shared_key: bool) -> int:
    """Return the number of a person's attempts that other tasks may have come to under the same key.

    Other tasks add an attempt for each refusal they see. This task's record does not contain these.

    :param refused: the number of attempts that are known to be refused.
    :param shared_key: True if there may be other tasks.
    """
    return refused + 1 + SHARED_ATTEMPTS if shared_key else 0


def is_of_another_send(owner: str | None, send: str) -> bool:
    """Return True if a file that has come into a ledger just now is another send's: then neither may go on.

    :param owner: the send that the file names; None if it cannot be read: a try that writes such a file sends nothing.
    :param send: this send.
    """
    return owner is not None and owner != send


def states_of_shown(shown: Iterable[str], earlier: Collection[str]) -> dict[str, MessageState]:
    """Return the states that messages have on the record of an alert, because the logs show them.

    :param shown: the messages that the logs show.
    :param earlier: those of an earlier occasion. They count as refused, so that the next id is used.
    """
    return {each: MessageState.REFUSED if each in earlier else MessageState.ACCEPTED for each in shown}


def outdates_refusal(status: Status, reason: str | None) -> bool:
    """Return True if a log row shows that a message was taken which this task has seen refused: another task has sent
    it since, under the same id.

    A refusal may stand in the logs, too: the one on record, or another.

    :param reason: the status name of the refusal on record; None if not known.
    """
    return group_of(status) is not Group.REJECTED and status.name != reason


def shows_acceptance(statuses: Iterable[Status]) -> bool:
    """Return True if log rows show that a message was taken. A refusal may stand in the logs, too: if there is nothing
    else, the message may have been refused, and a further attempt may have been posted for it.
    """
    return not all(map(is_refusal, statuses))


def is_sent_by_a_copy(doubtful: set[str], seen_before: set[str]) -> bool:
    """Return True if an alert in doubt has been sent: the vendor says that it has seen all its messages before."""
    return bool(doubtful) and doubtful <= seen_before


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """The ledger of a batch.

    :param path: its place, for the receipt.
    :param token: tells this try from all others.
    """

    path: str
    token: str


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """The rules of a send, to one or to a million.

    :param look: the conditions under which absence may be concluded from the logs.
    :param connections: the number of requests under way at one time.
    :param requests_per_second: the client's pace. No more requests are begun than it lets through in time. None: no
        limit.
    :param trust_duplicate_rejection: post messages that stay unknown again, with their ids, since the account refuses
        ids that it has seen.
    :param attempts: POSTs in a row that certainly had no effect (429, no connection), after which the send gives up.
    :param on_rejected: `fail`, `ignore`, or the highest tolerated share of refused recipients.
    :param surely_first: True if this is known to be the first try ever. An empty record then means that nothing was
        posted.
    :param recallable: True if the record is complete, because the try before has said that it ended (`tries.py`).
        Otherwise the logs are queried for every person who is not on record before anybody is posted to.
    :param durable: True if a record in Airflow's state of the task outlives its try. Otherwise a later try of a batch
        without a ledger is refused.
    :param record_writes: the number of times that the record was written when the try before ended. A record that was
        written less often is not complete.
    :param untold: the number of earlier tries that may have sent something that is not on record.
    :param account: `OmniConfig.account_mark`, which tells accounts apart.
    :param first_try_at: for a later try, seconds since the epoch before which no try of this send can have begun. If it
        is None (not known) and the record may be lost, the logs cannot prove that nothing was sent, and the task fails.
    :param dry_run: do everything but the POSTs, and write nothing.
    :param divides: divide a request that the vendor finds wrong, until the bad recipient stands alone and counts as
        refused. If False, the vendor's error ends the send, and a later try sends under the same ids.
    :param stops: end the send at an answer that would be the same for everybody: one that names foreign ids only, or a
        refusal for want of credit. If False, the logs are asked about the former, and the latter is a refusal like any
        other.
    :param asks: ask the logs about everybody who is not on record if the record may not be complete. If False, such a
        send is refused where the logs show any of its messages, or nothing but the record can tell.
    :param shared_key: True if other tasks or runs may send under this key. With `asks` everybody who is not known to be
        accepted is then asked about, however complete this task's record is.
    :param limits: sizes at which the send is divided or sampled.
    """

    look: LookPolicy
    connections: int = 8
    requests_per_second: float | None = None
    trust_duplicate_rejection: bool = False
    attempts: int = 8
    on_rejected: str | float = "fail"
    surely_first: bool = False
    recallable: bool = True
    durable: bool = False
    record_writes: int = 0
    untold: int = 0
    account: str = ""
    first_try_at: float | None = None
    dry_run: bool = False
    divides: bool = True
    stops: bool = True
    asks: bool = False
    shared_key: bool = False
    limits: SendLimits = LIMITS

    @classmethod
    def of_one_request(cls, look: LookPolicy, **more: Any) -> SendPolicy:
        """Return the rules for a plan of one request: whatever becomes of it, there is nobody else to spare.

        :param more: fields that differ.
        """
        rules = {"connections": 1, "attempts": 5, "divides": False, "stops": False, "asks": True}
        return cls(look, **(rules | more))

    @property
    def at_once(self) -> int:
        """The number of requests under way: no more than the pace lets begin while an intent is fresh."""
        if self.requests_per_second is None:
            return max(1, self.connections)
        return max(1, min(self.connections, int(self.requests_per_second * INTENT_TTL)))

    def check(self) -> None:
        """Refuse settings that cannot be meant. Raises OmniInputError."""
        problems = []
        if self.requests_per_second is not None and self.requests_per_second * INTENT_TTL < 1:
            # The client would hold a POST back for longer than its intent is fresh.
            problems.append(
                unexpected(
                    "connection extra requests_per_second",
                    self.requests_per_second,
                    f"{1 / INTENT_TTL} or more: what is written down as about to be sent is sent within seconds",
                )
            )
        if problems:
            raise OmniInputError("Nothing was sent: it cannot be sent as it is.", problems=problems)
