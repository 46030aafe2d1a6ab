"""The decisions that keep a message from being sent twice, as pure functions.

The crash harness takes these rules out, one at a time, and must notice: tests/crash/mutants.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_provider_omni.delivery.messages.states import Attempt, MessageState, Origin
from airflow_provider_omni.delivery.outbox.policy import LookPolicy
from airflow_provider_omni.delivery.outbox.send_limits import INTENT_TTL
from airflow_provider_omni.omni.models import Status
from airflow_provider_omni.omni.statuses import Group, group_of, is_refusal

SHARED_ATTEMPTS = 5
"""Further ids of a person that are looked for where other tasks send under the same key."""


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


def time_of_rows(said_at: float | None, now: float) -> float:
    """Return the time by which the age of a row counts: the vendor's own, which has dated the row, if it is known.

    :param said_at: time of the answer by the vendor's clock; None if it does not say.
    :param now: time by the clock of this process.
    """
    return now if said_at is None else said_at


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
