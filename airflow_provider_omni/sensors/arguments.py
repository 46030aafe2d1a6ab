"""From a sensor's rendered arguments to a watch. Pure; knows no Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.verdict import Goal
from airflow_provider_omni.delivery.watch import (
    Bulk,
    Watch,
    accepted_of_receipt,
    account_of_receipt,
    bulks_of_ids,
    bulks_of_receipt,
    unsent_of_receipt,
)
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import Channel
from airflow_provider_omni.omni.validation import describe
from airflow_provider_omni.omni.written import read_object

DEFAULT_TIMEOUT = 47 * 3600.0
"""Seconds. A step without a validity runs up to 48 hours, and reports and logs are kept for no longer than that."""
MARGIN = 3600.0
"""Seconds that a wait goes on after the last channel's validity has ended."""
LOGS_ONLY_BULKS = 60
"""More bulks than this cannot be followed by the logs alone: the vendor allows 120 calls a minute."""


def read_watch(
    *,
    started_at: float,
    timeout: float | None,
    receipt: Any = None,
    message_ids: Any = None,
    bulk_ids: Any = None,
    success_when: Any = "all",
    delivered_means: Any = "group",
    settle: Any = False,
    flow: Sequence[str] = (),
    last_channel: Any = None,
    poll_interval: float = 30.0,
    logs_only: bool = False,
    account: str = "",
) -> Watch:
    """Read what a user typed into a watch, or raise one :class:`OmniInputError` that names every problem.

    :param started_at: when the wait began, seconds since the epoch.
    :param timeout: seconds from ``started_at``; None: the validity of the receipt's channels and an hour, else 47
        hours.
    :param flow: the channels of the scenario, where it was read; a receipt's own flow counts more.
    :param account: `OmniConfig.account_mark` of the connection. Raises OmniConfigurationError where a receipt was made
        with another account.
    """
    problems: list[str] = []
    goal = bulks = None
    try:
        receipt = read_object("receipt", receipt, "what a send operator returned, such as receipt=send.output")
        bulks = _bulks(receipt, message_ids, bulk_ids)
    except OmniInputError as error:
        problems += error.problems
    try:
        goal = Goal(success_when, delivered_means, bool(settle))
    except OmniInputError as error:
        problems += error.problems
    if not isinstance(settle, bool):
        problems.append(f"settle: found {type(settle).__name__}, allowed is True or False")
    if last_channel is not None and (not isinstance(last_channel, str) or last_channel.upper() not in list(Channel)):
        problems.append(f"last_channel: found {describe(last_channel, True)}, allowed is one of {', '.join(Channel)}")
    ledger_path = _ledger_of(receipt)
    logs_only = logs_only and ledger_path is None  # where there is a ledger, what is read is written down in it
    if bulks and logs_only and len(bulks) > LOGS_ONLY_BULKS:
        problems.append(
            f"mode: 'reschedule' on Airflow before 3.3 can follow {LOGS_ONLY_BULKS} requests, found {len(bulks)}; "
            "allowed: deferrable=True, mode='poke', or Airflow 3.3"
        )
    if problems or bulks is None or goal is None:
        raise OmniInputError("The sensor cannot wait for this.", problems=problems)
    known = account_of_receipt(receipt)
    check_account(account, known, "the one that the receipt is from")
    steps = _flow_of(receipt) or tuple(flow) or ((last_channel.upper(),) if last_channel else ())
    return Watch(
        bulks=bulks,
        deadline=started_at + timeout if timeout is not None else _default_deadline(receipt, started_at),
        goal=goal,
        flow=steps,
        poll_interval=max(poll_interval, 0.1),
        logs_only=logs_only,
        ledger_path=ledger_path,
        unsent=unsent_of_receipt(receipt),
        accepted=accepted_of_receipt(receipt),
        # A ledger says it itself.
        account=known or ("" if ledger_path else account),
    )


def _bulks(receipt: Any, message_ids: Any, bulk_ids: Any) -> tuple[Bulk, ...]:
    given = {"receipt": receipt, "message_ids": message_ids, "bulk_ids": bulk_ids}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        found = " and ".join(named) or "none of them"
        problem = f"receipt, message_ids, bulk_ids: found {found}, allowed is exactly one"
        raise OmniInputError("The sensor cannot wait for this.", problems=(problem,))
    if named == ["receipt"]:
        # With a ledger, the receipt may not list all; the ledger does.
        return bulks_of_receipt(receipt) if _ledger_of(receipt) is None else ()
    return bulks_of_ids(message_ids=message_ids, bulk_ids=bulk_ids)


def _ledger_of(receipt: Any) -> str | None:
    path = receipt.get("ledger_path") if isinstance(receipt, dict) and not receipt.get("dry_run") else None
    return path if isinstance(path, str) and path else None


def _flow_of(receipt: Any) -> tuple[str, ...]:
    flow = receipt.get("flow") if isinstance(receipt, dict) else None
    return tuple(str(step) for step in flow) if isinstance(flow, list) else ()


def _default_deadline(receipt: Any, started_at: float) -> float:
    """The validity of all channels and an hour, counted from when the first is tried; 47 hours where not all say it."""
    known = receipt if isinstance(receipt, dict) else {}
    begins = max(started_at, _seconds(known.get("send_at")) or 0.0)
    validity = known.get("validity_seconds")
    if isinstance(validity, int | float) and not isinstance(validity, bool) and validity > 0:
        return begins + validity + MARGIN
    return begins + DEFAULT_TIMEOUT


def _seconds(moment: Any) -> float | None:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
