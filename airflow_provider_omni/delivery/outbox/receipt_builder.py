"""The receipt of a send, from its progress. It contains no phone numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_omni.delivery.flows import attempted
from airflow_provider_omni.delivery.messages.receipt import Counts, Receipt
from airflow_provider_omni.delivery.messages.states import MessageState, Origin
from airflow_provider_omni.delivery.outbox.plan import BatchSpec
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.recipients.intake import IntakeCounts
from airflow_provider_omni.omni.members import validity_seconds

_S = MessageState


def account_of(origins: Iterable[Origin], account: str) -> str | None:
    """Return the account that must be asked about a receipt's messages: the one on record, else this try's; None if not
    known.

    :param origins: where accepted messages were posted from; if none were accepted, those that may have been. The first
        posted comes first: after it nothing is posted from another account, though others may be looked for there.
    :param account: that of this try.
    """
    return next((each.account for each in origins), account) or None


def build_receipt(
    spec: BatchSpec,
    intake: IntakeCounts,
    progress: SendProgress,
    *,
    flow: Sequence[str],
    ledger: LedgerTerms | None,
    account: str | None = None,
    contents: Mapping[str, Any] | None = None,
    send_at: float | None = None,
    extra: dict[str, Any] | None = None,
) -> Receipt:
    """Return the receipt of this moment. It tells what was sent, however content and scenario have changed since.

    Requests are listed up to 100. If there are more, they stand in the ledger only.

    :param contents: the object for each channel, for the time in which all channels together may be tried.
    :param send_at: time at which the vendor is asked to send, in seconds since the epoch.
    """
    states = progress.states
    steps = progress.steps or attempted(flow, spec.content.channels())
    periods = [validity_seconds((contents or {}).get(channel)) for channel in steps]
    known = [period for period in periods if period is not None]
    return Receipt(
        scenario_key=progress.origins[0].scenario if progress.origins else spec.scenario_key,
        flow=steps,
        bulks=() if progress.too_many and ledger is not None else progress.bulks(),
        counts=Counts(
            requested=intake.requested,
            accepted=states[_S.ACCEPTED],
            unconfirmed=states[_S.IN_DOUBT] + states[_S.DUPLICATE_ID] + states[_S.UNCONFIRMED],
            rejected=states[_S.REFUSED],
            quarantined=intake.quarantined,
            duplicates=intake.duplicates,
            suppressed=intake.suppressed,
        ),
        sent_at=progress.first_post_at,
        ledger_path=None if ledger is None else ledger.path,
        account=account,
        validity_seconds=sum(known) if periods and len(known) == len(periods) else None,
        send_at=send_at,
        extra=extra or {},
    )
