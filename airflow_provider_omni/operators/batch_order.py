"""The order of a batch: what its operator's arguments and its connection ask for, read before the source is opened."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.delivery.ledger.layout import DividedFolder
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.recipients.contents import RenderedContents
from airflow_provider_omni.operators.arguments import (
    REFUSAL,
    BatchArguments,
    collecting,
    given_to,
    read_batch,
    read_policy,
    without_echoes,
)
from airflow_provider_omni.storage.object_storage import ledger_folder, text_of
from airflow_provider_omni.storage.places import ledger_place

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.effects import Folder
    from airflow_provider_omni.delivery.ledger.shards import Shard
    from airflow_provider_omni.delivery.messages.workspace import Workspace
    from airflow_provider_omni.delivery.outbox.plan import BatchSpec
    from airflow_provider_omni.delivery.outbox.policy import SendPolicy
    from airflow_provider_omni.delivery.outbox.tries import Tries
    from airflow_provider_omni.operators.account import Account
    from airflow_provider_omni.operators.batch import BatchOperator


@dataclass(frozen=True)
class BatchOrder:
    """The order of a batch, as far as it could be read.

    :param now: the time against which times in the options are checked.
    :param contents: None if they cannot be read.
    :param ledger: the ledger, for the receipt. None if there is none.
    :param folder: the ledger's folder.
    :param mistakes: problems that do not keep anybody from reading what earlier tries have sent.
    """

    spec: BatchSpec
    policy: SendPolicy
    now: datetime
    contents: RenderedContents | None
    ledger: LedgerTerms | None
    folder: Folder | None
    mistakes: tuple[str, ...]


def read_order(
    operator: BatchOperator,
    account: Account,
    tries: Tries,
    workspace: Workspace,
    *,
    key: Callable[[Shard | None], str],
    durable: bool,
    callback_data: str | None = None,
) -> BatchOrder:
    """Read the rendered arguments of an operator. Raises one error that names every problem if any of them hides what
    earlier tries have sent: a key, a ledger or an account that is not known.

    :param tries: earlier tries of this task.
    :param key: the name of the send if the user has given none.
    :param durable: True if the next try can read what this try writes into Airflow's memory.
    :param callback_data: that of the task, if the user has given none.
    """
    config, now = account.config, datetime.now(UTC)
    problems: list[str] = []  # with any of these, nobody knows what earlier tries have sent
    mistakes: list[str] = []
    place, folder, contents = None, None, None
    given = given_to(operator, BatchArguments)
    spec, arguments = read_batch(config, given, problems, mistakes, key=key, callback_data=callback_data)
    policy = read_policy(
        config,
        arguments,
        tries,
        problems,
        retries=operator.retries or 0,
        durable=durable,
        has_ledger=operator.ledger_path is not None,
    )
    with collecting(problems):
        place, folder = _open_ledger(operator, spec.shard)
    with collecting(mistakes):
        operator.check_source()
    mistakes += operator.suppress_problems()
    if spec.content.contents:  # else they could not be read
        with collecting(mistakes):
            contents = RenderedContents(spec.content, workspace, now, spec.zone_field)
    if problems or account.error is not None:
        account.refuse(REFUSAL, without_echoes([*mistakes, *problems], operator.emptied))
    ledger = None if place is None else LedgerTerms(place, uuid.uuid4().hex)
    return BatchOrder(spec, policy, now, contents, ledger, folder, tuple(without_echoes(mistakes, operator.emptied)))


def _open_ledger(operator: Any, shard: Shard | None) -> tuple[str | None, Folder | None]:
    """Return the ledger's path for the receipt, and its folder. A shard has a folder of its own."""
    if operator.ledger_path is None:
        return None, None
    place = ledger_place(operator.ledger_path)
    path = text_of(place)
    folder = ledger_folder(place)
    if shard is not None:
        return f"{path.rstrip('/')}/{shard.folder}", DividedFolder(folder, shard)
    # If the shard cannot be read, nobody knows how the batch is divided.
    return path, folder if operator.shard is not None else DividedFolder(folder, None)
