"""The error that a send ends with, if any. It contains no phone numbers. Pure."""

from __future__ import annotations

from airflow_provider_omni.delivery.messages.states import MessageState
from airflow_provider_omni.delivery.outbox.plan import SendPlan
from airflow_provider_omni.delivery.outbox.policy import SendPolicy
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniError,
    OmniInputError,
    OmniRejectedError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.reasons import refusal_in_words
from airflow_provider_omni.omni.words import some, was

_S = MessageState

RESTORE = {
    "account": "Restore the account that the connection named then (base URL, login; without a login the key or token)",
    "scenario": "Restore the scenario_key",
}
"""The remedy, by the noun for what has changed since messages were posted."""


def unknown_at_another_origin(count: int, of: str, changed: str) -> OmniUnknownOutcomeError:
    """Return the error for messages in doubt that another account, or scenario, may have.

    :param of: the number of all messages, in words.
    :param changed: "account" or "scenario".
    """
    return OmniUnknownOutcomeError(
        f"{count:,} of {of} may or may not have been sent, from another {changed} than this try has: its logs cannot "
        f"tell. Nothing was sent again. {RESTORE[changed]}, then clear the task: it asks once more.",
        retryable=False,
    )


def never_arrived(lost: OmniError | None, how_many: str) -> OmniError:
    """Return the error for requests that failed again and again, and of which the logs have proven that nothing had
    arrived.

    It is the error of the last of them: the vendor's side, or the way there, is down.

    :param lost: the error of the last request; None if not known.
    :param how_many: the beginning of the message.
    """
    kind = OmniUnknownOutcomeError if lost is None else type(lost)
    # Only its first sentence: the others say that the outcome is not known, but by now it is.
    why = "" if lost is None else f" The last one ended like this: {lost.message.partition('. ')[0].rstrip('.')}."
    return kind(
        f"{how_many}: each request failed, and the logs have shown each time that it had not arrived. A retry, or a "
        f"clear, sends them.{why}",
        status=None if lost is None else lost.status,
        path=None if lost is None else lost.path,
        vendor_code=None if lost is None else lost.vendor_code,
        effect=Effect.NONE,
        retryable=True,
    )


def final_error_of(
    plan: SendPlan,
    progress: SendProgress,
    policy: SendPolicy,
    *,
    has_ledger: bool,
    strangers: int = 0,
    at_another_origin: tuple[str, int] = ("", 0),
) -> OmniError | None:
    """Return the error that the task must fail with, or None.

    :param has_ledger: True if the send has a ledger, so that every request can be followed.
    :param strangers: the number of messages in doubt to people who have left the source.
    :param at_another_origin: "account" or "scenario", whichever has changed since messages in doubt were posted, and
        their number.

    With `trust_duplicate_rejection` the vendor's word that it has seen an id is enough.
    """
    states = progress.states
    accepted, refused = states[_S.ACCEPTED], states[_S.REFUSED]
    unknown, trusted = states[_S.IN_DOUBT] + states[_S.DUPLICATE_ID], 0
    if policy.trust_duplicate_rejection:
        trusted = states[_S.UNCONFIRMED]
    else:
        unknown += states[_S.UNCONFIRMED]
    people = plan.intake.people
    sent = accepted + refused + unknown + trusted
    how_far = (
        f"{accepted:,} of {people:,} accepted, {refused:,} refused, {unknown:,} unknown, {people - sent:,} not sent"
    )
    if progress.stop is not None:
        return _stopped(progress.stop, how_far)
    if at_another_origin[1]:
        return unknown_at_another_origin(at_another_origin[1], some(people, "message"), at_another_origin[0])
    if unknown + strangers:
        return OmniUnknownOutcomeError(
            f"{some(unknown + strangers, 'message')} may or may not have been sent, and the logs did not tell; "
            f"{how_far}. "
            "Nothing was posted again. Clear the task to ask once more; docs/reliability.md says what else can be done."
        )
    if people > sent:
        return never_arrived(
            progress.lost, f"{some(people - sent, 'message')} {was(people - sent)} not sent ({how_far})"
        )
    if progress.too_many and not has_ledger:
        return OmniInputError(
            f"All was sent that could be, but in more than {progress.most:,} requests: a receipt does not list all of "
            f"them, so not all can be followed; {how_far}.",
            problems=("ledger_path: is needed where so many requests had to be halved, or were sent by earlier tries",),
        )
    if refused and not _tolerated(policy.on_rejected, refused, sent):
        names = ", ".join(f"{count:,} × {refusal_in_words(name)}" for name, count in progress.refused.most_common(10))
        return OmniRejectedError(
            f"{refused:,} of {some(sent, 'message')} {was(refused)} refused: {names}.",
            retryable=progress.may_succeed_later,
        )
    return None


def _stopped(stop: OmniError, how_far: str) -> OmniError:
    """Return the error that stopped the send, with how far it got."""
    then = (
        "Correct the connection, then clear the task: it goes on with who is left."
        if isinstance(stop, OmniAuthenticationError)
        else "A retry or a clear goes on with who is left."
    )
    message = f"{stop.message} The send stopped there: {how_far}. {then}"
    return type(stop)(
        message,
        status=stop.status,
        vendor_code=stop.vendor_code,
        path=stop.path,
        effect=Effect.UNKNOWN if stop.effect is Effect.UNKNOWN else Effect.NONE,
        retry_after=stop.retry_after,
        problems=stop.problems,
        retryable=stop.retryable,
    )


def _tolerated(on_rejected: str | float, refused: int, sent: int) -> bool:
    if isinstance(on_rejected, str):
        return on_rejected == "ignore"
    return refused <= on_rejected * sent + 1e-9
