"""The choice of the store that keeps a send's record: a ledger, or the task's state."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_omni.delivery.outbox.ledger_store import LedgerStore
from airflow_provider_omni.delivery.outbox.stores import IntentStore
from airflow_provider_omni.delivery.outbox.task_state_store import TaskStateStore


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """The ledger of a batch.

    :param path: its place, for the receipt.
    :param token: tells this try from all others.
    """

    path: str
    token: str


def make_store(
    about: dict[str, str | None], ledger: LedgerTerms | None, expects: int | None = 0, *, one_request: bool = False
) -> IntentStore:
    """Return the store of a batch's record: its ledger, or the task's state if there is none.

    :param about: what a ledger says of a try; its `send` tells sends apart.
    :param expects: the number of times that the record was written when the try before ended; None if that try has not
        said so.
    :param one_request: True for a plan of one request.
    """
    if ledger is None:
        return TaskStateStore(about, expects, one_request=one_request)
    return LedgerStore(ledger.token, dict(about))
