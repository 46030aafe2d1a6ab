"""From a sensor's rendered arguments to a watch. Pure; knows no Airflow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.messages.receipt import MOST_WITHOUT_LEDGER
from airflow_provider_omni.delivery.tracking.verdict import SuccessCriterion
from airflow_provider_omni.delivery.tracking.watch import (
    RECEIPT,
    Bulk,
    Watch,
    accepted_of_receipt,
    account_of_receipt,
    bulks_of_ids,
    bulks_of_receipt,
    distinct,
    no_receipt,
    unsent_of_receipt,
)
from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.omni.written import (
    MOST_PLACES,
    WHY_EMPTY,
    came_out_empty,
    is_nothing,
    read_list,
    read_object,
)

DEFAULT_TIMEOUT = 47 * 3600.0
"""Seconds. A step without a validity runs up to 48 hours, and reports and logs are kept for no longer than that."""
MARGIN = 3600.0
"""Seconds that a wait goes on after the last channel's validity has ended."""
LOGS_ONLY_BULKS = 60
"""More bulks than this cannot be followed by the logs alone: the vendor allows 120 calls a minute."""
MOST_LEDGERS = 100
"""Ledgers that one sensor follows: at the deadline each is read to its end within the same five minutes."""
MOST_WARNINGS = 3
MOST_IDS = 5000
"""Message ids in all receipts of a sensor: they stand in the trigger's arguments."""


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
    emptied: Collection[str] = (),
    warn: Callable[[str], None] = lambda _: None,
) -> Watch:
    """Read what a user typed into a watch, or raise one `OmniInputError` that names every problem.

    :param started_at: when the wait began, seconds since the epoch.
    :param timeout: seconds from `started_at`; None: the validity of the receipt's channels and an hour, else 47
        hours.
    :param flow: the channels of the scenario, where it was read; a receipt's own flow counts more.
    :param account: `OmniConfig.account_mark` of the connection. Raises OmniConfigurationError where a receipt was made
        with another account.
    :param emptied: names of arguments that were given and came out as None.
    :param warn: is told what may be a mistake, and is none for certain.
    """
    problems: list[str] = []
    goal = parts = None
    receipts: list[tuple[str, Any]] = []
    missing = 0
    problems += came_out_empty(emptied)
    try:
        named = _named(receipt, message_ids, bulk_ids, emptied)
        if named == "receipt":
            receipts, missing = _receipts(receipt)
            parts = _parts(receipts)
        else:
            parts = [Part(bulks=bulks_of_ids(message_ids=message_ids, bulk_ids=bulk_ids))]
    except OmniInputError as error:
        problems += error.problems
    try:
        goal = SuccessCriterion(success_when, delivered_means, bool(settle))
    except OmniInputError as error:
        problems += error.problems
    if not isinstance(settle, bool):
        problems.append(f"settle: found {type(settle).__name__}, allowed is True or False")
    if last_channel is not None and (not isinstance(last_channel, str) or last_channel.upper() not in list(Channel)):
        problems.append(f"last_channel: found {describe(last_channel, True)}, allowed is one of {', '.join(Channel)}")
    problems += _too_many(parts or [], logs_only=logs_only, several=len(receipts) > 1)
    if problems or parts is None or goal is None:
        raise OmniInputError("The sensor cannot wait for this.", problems=problems)
    for name, each in receipts:
        check_account(account, account_of_receipt(each), f"the one that the {name} is from")
    if timeout is not None:
        for words in islice(_time_warnings(receipts, started_at, timeout), MOST_WARNINGS):
            warn(words)
    otherwise = tuple(flow) or ((last_channel.upper(),) if last_channel else ())
    whole = Watch(
        bulks=(),
        deadline=started_at + timeout
        if timeout is not None
        else max((_default_deadline(each, started_at) for _, each in receipts or [("", None)])),
        goal=goal,
        poll_interval=max(poll_interval, 0.1),
        missing=missing,
    )
    watches = [
        replace(
            whole,
            bulks=part.bulks,
            flow=part.flow or otherwise,
            # Where there is a ledger, what is read is written down in it.
            logs_only=logs_only and part.ledger_path is None,
            ledger_path=part.ledger_path,
            unsent=part.unsent,
            accepted=part.accepted,
            # A ledger says it itself.
            account=part.account or ("" if part.ledger_path else account),
        )
        for part in parts
    ]
    if len(watches) == 1:
        return watches[0]
    return replace(whole, parts=tuple(each.as_part() for each in watches))


@dataclass(frozen=True)
class Part:
    """What is followed together: all requests without a ledger whose flow is the same, or one ledger."""

    bulks: tuple[Bulk, ...] = ()
    flow: tuple[str, ...] = ()
    ledger_path: str | None = None
    unsent: int = 0
    accepted: int = 0
    account: str = ""


def _named(receipt: Any, message_ids: Any, bulk_ids: Any, emptied: Collection[str]) -> str:
    """Which of the three says what to wait for."""
    values = {"receipt": receipt, "message_ids": message_ids, "bulk_ids": bulk_ids}
    named = [name for name, value in values.items() if value is not None]
    if len(named) == 1:
        return named[0]
    found = " and ".join(named) or "none of them"
    problems = [f"receipt, message_ids, bulk_ids: found {found}, allowed is exactly one"]
    if not named and any(name in emptied for name in values):
        problems = []  # it was said
    raise OmniInputError("The sensor cannot wait for this.", problems=problems)


def _receipts(receipt: Any) -> tuple[list[tuple[str, Any]], int]:
    """The receipts, each once and with its name in errors; and how many in the list were none.

    A list may be empty: a mapped task has made no copies, so that nobody should have been sent to.
    """
    value = read_object("receipt", receipt, RECEIPT)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        if not isinstance(value, Mapping):
            raise OmniInputError("The sensor cannot wait for this.", problems=[f"receipt: {no_receipt(value)}"])
        return [("receipt", value)], 0
    read = read_list("receipt", value, RECEIPT)
    found = [(f"receipt[{index}]", each) for index, each in enumerate(read) if not is_nothing(each)]
    missing = len(read) - len(found)
    if missing and not found:
        problem = f"receipt: got a list of {missing} that are all empty, expected {RECEIPT}. {WHY_EMPTY}"
        raise OmniInputError("The sensor cannot wait for this.", problems=[problem])
    if len(read) == 1:
        found = [("receipt", each) for _, each in found]
    # The same requests twice are the same send; of two sends to nobody, each has its own people.
    once = {_same(each) or name: (name, each) for name, each in reversed(found)}
    return list(reversed(once.values())), missing


def _same(receipt: Any) -> str:
    """What tells a receipt with something to follow from others; empty where there is nothing."""
    if not isinstance(receipt, Mapping) or not (receipt.get("bulks") or _ledger_of(receipt)):
        return ""
    return json.dumps(receipt, sort_keys=True, default=repr)


def _parts(receipts: Sequence[tuple[str, Any]]) -> list[Part]:
    """What the receipts say is to be followed. Raises OmniInputError that names every one that is none."""
    problems: list[str] = []
    parts: dict[Any, Part] = {}
    for name, receipt in receipts:
        path = _ledger_of(receipt)
        if not isinstance(receipt, Mapping):
            problems.append(f"{name}: {no_receipt(receipt)}")
            continue
        try:
            # With a ledger, the receipt may not list all; the ledger does.
            bulks = bulks_of_receipt(receipt, name) if path is None else ()
        except OmniInputError as error:
            problems += error.problems
            continue
        flow, account = _flow_of(receipt), account_of_receipt(receipt)
        key = (flow, account) if path is None else _place(path)
        known = parts.setdefault(key, Part(flow=flow, ledger_path=path, account=account))
        unsent, accepted = unsent_of_receipt(receipt), accepted_of_receipt(receipt)
        parts[key] = replace(
            known,
            bulks=(*known.bulks, *bulks),
            # Two receipts of one ledger are of two tries, or of batches that share it.
            unsent=known.unsent + unsent if path is None else max(known.unsent, unsent),
            accepted=known.accepted + accepted if path is None else max(known.accepted, accepted),
            account=known.account or account,
        )
    accounts = {account for _, each in receipts if (account := account_of_receipt(each))}
    if len(accounts) > 1:
        problems.append(
            f"receipt: got receipts from {len(accounts)} accounts, expected those of one: a sensor asks the account "
            "that its omni_conn_id leads to; give each account's sends a sensor"
        )
    if problems:
        if len(problems) > MOST_PLACES:
            problems[MOST_PLACES:] = [f"receipt: {len(problems) - MOST_PLACES:,} more problems like these"]
        raise OmniInputError("The sensor cannot wait for this.", problems=problems)
    made = [replace(each, bulks=distinct(each.bulks)) for each in parts.values()]
    # A send to nobody has nothing to follow; where it is the only one, that is what the wait is about.
    return [each for each in made if each.bulks or each.ledger_path or each.unsent] or made[:1] or [Part()]


def _too_many(parts: Sequence[Part], *, logs_only: bool, several: bool) -> list[str]:
    """What makes it too much for one sensor: the calls that the vendor allows, and what a trigger is given."""
    problems: list[str] = []
    requests = sum(len(part.bulks) for part in parts)
    ids = sum(len(bulk.message_ids) for part in parts for bulk in part.bulks)
    ledgers = sum(part.ledger_path is not None for part in parts)
    if logs_only and requests > LOGS_ONLY_BULKS:
        problems.append(
            f"mode: 'reschedule' on Airflow before 3.3 can follow {LOGS_ONLY_BULKS} requests, found {requests}; "
            "allowed: deferrable=True, mode='poke', or Airflow 3.3"
        )
    if several:
        instead = "give the sends a ledger_path, or a sensor each: OmniDeliverySensor.partial(…).expand(receipt=…)"
        if requests > MOST_WITHOUT_LEDGER or ids > MOST_IDS:
            problems.append(
                f"receipt: got {some(requests, 'request')} with {some(ids, 'message id')} in no ledger, expected "
                f"up to {MOST_WITHOUT_LEDGER:,} and {MOST_IDS:,}; {instead}"
            )
        if ledgers > MOST_LEDGERS:
            problems.append(
                f"receipt: got {ledgers:,} ledgers, expected up to {MOST_LEDGERS}; give the sensor fewer, or each its "
                "own: OmniDeliverySensor.partial(…).expand(receipt=…)"
            )
    return problems


def _place(path: str) -> str:
    """A ledger's path as it is compared: the same folder may be written in some ways."""
    scheme, separator, rest = path.removeprefix("file://").rpartition("://")
    return f"{scheme}{separator}{re.sub('/+', '/', rest).rstrip('/')}"


def _ledger_of(receipt: Any) -> str | None:
    path = receipt.get("ledger_path") if isinstance(receipt, dict) and not receipt.get("dry_run") else None
    return path if isinstance(path, str) and path else None


def _flow_of(receipt: Any) -> tuple[str, ...]:
    flow = receipt.get("flow") if isinstance(receipt, dict) else None
    return tuple(str(step) for step in flow) if isinstance(flow, list) else ()


def _time_warnings(receipts: Sequence[tuple[str, Any]], started_at: float, timeout: float) -> Iterator[str]:
    """What speaks against a time that the user gave: it ends while messages may still be under way, or before they are
    sent.
    """
    ends = started_at + timeout
    for name, receipt in receipts:
        send_at, validity = _seconds(receipt.get("send_at")), _validity_of(receipt)
        if send_at is not None and send_at >= ends:
            yield (
                f"timeout: the wait ends at {_moment(ends)}, and the messages of the {name} are sent at "
                f"{_moment(send_at)}: until then nothing can be known of them."
            )
            continue
        begins = send_at or _seconds(receipt.get("sent_at")) or started_at
        if validity is not None and begins + validity > ends:
            yield (
                f"timeout: the wait ends at {_moment(ends)}, and by their validity periods the channels of the {name} "
                f"may be tried until {_moment(begins + validity)}: who is under way at the end counts as pending. "
                "Without a timeout the wait is long enough."
            )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _validity_of(receipt: Mapping[str, Any]) -> float | None:
    """For how long all channels together may be tried, in seconds; None where not all say it."""
    validity = receipt.get("validity_seconds")
    return validity if isinstance(validity, int | float) and not isinstance(validity, bool) and validity > 0 else None


def _default_deadline(receipt: Any, started_at: float) -> float:
    """The validity of all channels and an hour, counted from when the first is tried; 47 hours where not all say it."""
    known = receipt if isinstance(receipt, dict) else {}
    begins = max(started_at, _seconds(known.get("send_at")) or 0.0)
    validity = _validity_of(known)
    return begins + (DEFAULT_TIMEOUT if validity is None else validity + MARGIN)


def _seconds(moment: Any) -> float | None:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
