"""The result of a single send: from its record to the receipt, and to the error that the task must fail with. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from airflow_provider_omni.delivery.flows import attempted
from airflow_provider_omni.delivery.messages.receipt import Counts, Receipt, SentBulk
from airflow_provider_omni.delivery.messages.states import (
    MAY_BE_POSTED,
    MAY_HAVE_ARRIVED,
    UNRESOLVED,
    Attempt,
    MessageState,
    Origin,
    SendRecord,
)
from airflow_provider_omni.delivery.outbox.result import account_of, never_arrived, unknown_elsewhere
from airflow_provider_omni.delivery.outbox.single_plan import SendPlan
from airflow_provider_omni.omni.errors import OmniError, OmniRejectedError, OmniUnknownOutcomeError
from airflow_provider_omni.omni.words import some, was

UNCONFIRMED = UNRESOLVED | {MessageState.UNCONFIRMED}
"""States that a receipt counts as unconfirmed: the vendor may have taken these messages."""


def verdict_of_send(
    record: SendRecord,
    message_ids: Sequence[str],
    *,
    here: Origin | None = None,
    others: Collection[str] = (),
    trust_duplicate_rejection: bool = False,
    rejected_is_failure: bool = True,
    mendable: bool = False,
    lost: OmniError | None = None,
) -> OmniError | None:
    """Return the error that the task must fail with; None if everybody was sent to.

    :param message_ids: the current id of everybody in `to`.
    :param here: account and scenario that this try posts from.
    :param others: the ids of all their attempts.
    :param trust_duplicate_rejection: take the vendor's word that it has seen an id for enough.
    :param rejected_is_failure: return an error for refused messages.
    :param mendable: True if a later try may mend one of this try's refusals.
    :param lost: the error of the last request whose outcome was unknown at first.
    """
    states = [record.state(each) for each in message_ids]
    doubt = UNRESOLVED if trust_duplicate_rejection else UNCONFIRMED
    unknown = sum(state in doubt for state in states) + _strangers(record, {*message_ids, *others}, doubt)
    elsewhere = [each for each in record.postings if each.is_elsewhere(here) and each.having(*doubt)]
    if elsewhere:
        changed = min(each.origin.changed(here) for each in elsewhere if each.origin and here)
        count = sum(len(each.having(*doubt)) for each in elsewhere)
        return unknown_elsewhere(count, some(len(states), "message"), changed)
    if unknown:
        return OmniUnknownOutcomeError(
            f"{unknown} of {some(len(states), 'message')} may or may not have been sent, and the logs did not "
            "tell. Nothing was sent again. Clear the task to ask once more; docs/reliability.md says what else can be "
            "done."
        )
    left = sum(state in MAY_BE_POSTED for state in states)
    if left:
        return never_arrived(lost, f"{left} of {some(len(states), 'message')} {was(left)} not sent")
    refused = _reasons(record, message_ids)
    if refused and rejected_is_failure:
        names = ", ".join(f"{count} × {name}" for name, count in sorted(refused.items()))
        return OmniRejectedError(
            f"{refused.total()} of {some(len(states), 'message')} {was(refused.total())} refused: {names}.",
            retryable=mendable,
        )
    return None


def receipt_of_send(
    plan: SendPlan,
    record: SendRecord,
    message_ids: Sequence[str],
    flow: tuple[str, ...] | None,
    *,
    account: str = "",
    dry_run: bool = False,
) -> Receipt:
    """Return the receipt of this moment. It tells what was sent, however content, scenario and account have changed
    since.

    It also lists messages that were sent before their people left `to`.
    """
    people = plan.recipients
    states = [record.state(each) for each in message_ids]
    followed = [each for each in record.postings if each.having(*MAY_HAVE_ARRIVED)]
    taken = [each for each in followed if each.having(MessageState.ACCEPTED)]
    origins = [each.origin for each in taken or followed if each.origin is not None]
    earlier = record.steps if followed and record.fingerprint != plan.fingerprint else None
    return Receipt(
        scenario_key=origins[0].scenario if origins else plan.scenario_key,
        flow=earlier or attempted(flow or (), plan.content.channels()),
        bulks=[bulk for posting in followed for bulk in _bulks(posting)],
        counts=Counts(
            requested=people.requested,
            accepted=states.count(MessageState.ACCEPTED),
            unconfirmed=sum(state in UNCONFIRMED for state in states),
            rejected=states.count(MessageState.REFUSED),
            quarantined=people.quarantined,
            duplicates=people.duplicates,
        ),
        sent_at=min((each.intent_at for each in followed), default=None),
        account=account_of(origins, account),
        extra={"dry_run": True} if dry_run else {},
    )


def _bulks(posting: Attempt) -> list[SentBulk]:
    """Return one entry for the request; one for each message if the request's bulk id may not find them."""
    ids = posting.having(*MAY_HAVE_ARRIVED)
    if posting.by_bulk:
        return [SentBulk(posting.bulk_id, tuple(ids))]
    return [SentBulk(posting.bulk_id, (each,)) for each in ids]


def _reasons(record: SendRecord, message_ids: Sequence[str]) -> Counter[str]:
    refused = {
        message_id: posting.reasons.get(message_id, "REJECTED")
        for posting in record.postings
        for message_id in posting.having(MessageState.REFUSED)
    }
    return Counter(refused[each] for each in message_ids if each in refused)


def _strangers(record: SendRecord, ours: Collection[str], states: Collection[MessageState]) -> int:
    """Return the number of messages in these states whose people are not in `to` any more."""
    return sum(each not in ours for posting in record.postings for each in posting.having(*states))
