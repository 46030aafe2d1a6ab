"""The receipt of earlier tries, for a try that fails before it could begin, so that their messages can be followed.

Reads the record only. Nothing is written and nothing is posted.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from airflow_provider_omni.delivery.effects import Log, Steps
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.messages.states import MAY_HAVE_ARRIVED
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.plan import BatchSpec
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.outbox.publishing import publish_at_last
from airflow_provider_omni.delivery.outbox.receipt_builder import account_of, build_receipt
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms, make_store
from airflow_provider_omni.delivery.recipients.intake import IntakeCounts
from airflow_provider_omni.omni.errors import OmniError, OmniInputError
from airflow_provider_omni.omni.words import some


def previous_receipt(
    spec: BatchSpec,
    workspace: Workspace,
    ledger: LedgerTerms | None,
    jitter: Callable[[], float] = random.random,
    account: str = "",
    ends_with: OmniError | None = None,
) -> Steps[Receipt | None]:
    """Publish the receipt of the messages of earlier tries, and return it. None if they sent nothing, or it cannot be
    read.

    :param account: `OmniConfig.account_mark` of this try.
    :param ends_with: the error that this try ends with. It is not told once more.
    """
    known, progress = IntentLog(workspace), SendProgress.listing(ledger=ledger is not None)
    shard = spec.shard.folder if spec.shard else ""
    about: dict[str, str | None] = {"send": spec.identity.send_id(shard), "fingerprint": ""}
    store = make_store(about, ledger)
    try:
        yield from store.enter(known, dry_run=True)
    except OmniInputError as error:
        # The record is not this send's, so nothing of it is lost.
        if ends_with is None or ends_with.problems != error.problems:
            yield Log("; ".join((error.message, *error.problems)), warning=True)
        return None
    except OmniError as error:
        yield Log(f"What earlier tries have sent could not be read ({type(error).__name__}).", warning=True)
        return None
    progress.take_over(known, everybody=True)
    sent = sum(progress.states[state] for state in MAY_HAVE_ARRIVED)
    if not sent:
        return None
    intake = IntakeCounts(requested=progress.states.total())
    flow = spec.flow or store.flow or ()
    receipt = build_receipt(
        spec,
        intake,
        progress,
        flow=flow,
        ledger=ledger,
        account=account_of(known.origins(), account),
        send_at=progress.scheduled_until,
    )
    yield Log(
        f"Earlier tries have sent {some(sent, 'message')}, or may have: the receipt lists what. This try sends "
        "nothing.",
        warning=True,
    )
    yield from publish_at_last(receipt.to_json(), jitter)
    return receipt
