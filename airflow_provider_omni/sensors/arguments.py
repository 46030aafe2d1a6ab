"""From a sensor's rendered arguments to a watch. Pure; knows no Airflow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, NamedTuple

from pydantic import Field, PlainValidator, StrictBool

from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.messages.receipt import MOST_WITHOUT_LEDGER, RECEIPT, Receipt, no_receipt
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch, bulks_of, bulks_of_ids, distinct
from airflow_provider_omni.omni.arguments import ArgumentModel, read_arguments
from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import WHY_EMPTY, is_nothing
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.omni.written import MOST_PLACES, came_out_empty, read_list, read_object
from airflow_provider_omni.operators.account import NOBODYS
from airflow_provider_omni.operators.slips import SOURCES, source_problems

DEFAULT_TIMEOUT = 47 * 3600.0
"""Default timeout in seconds. A step without validity runs up to 48 hours, and reports and logs are kept no longer."""
MARGIN = 3600.0
"""Seconds that a wait goes on after the last channel's validity has ended."""
LOGS_ONLY_BULKS = 60
"""Bulks that the logs alone can follow, at most: the vendor allows 120 calls a minute."""
MOST_LEDGERS = 100
"""Ledgers that one sensor follows, at most. At the deadline all are read to their end within the same five minutes."""
MOST_WARNINGS = 3
MOST_IDS = 5000
"""Message ids in all receipts of a sensor, at most, because they stand in the trigger's arguments."""


class Receipts(NamedTuple):
    """Receipts, each once and with its name in errors, and the number of empty entries in their list."""

    named: Sequence[tuple[str, Receipt]] = ()
    missing: int = 0


def _read_receipts(value: Any) -> Receipts:
    raw, missing = _receipts(value)
    return Receipts(_read(raw), missing)


def _read_channel(name: Any) -> str:
    if not isinstance(name, str) or name.upper() not in list(Channel):
        raise ValueError
    return name.upper()


class WatchArguments(ArgumentModel):
    """Arguments of a sensor.

    :param receipt: a receipt, or a list of receipts. Exactly one of `receipt`, `message_ids` and `bulk_ids` is given.
    :param message_ids: a message id, or a list of them.
    :param bulk_ids: a bulk id, or a list of them.
    :param success_when: `all`, `any`, `finished` or a ratio.
    :param delivered_means: `group` or `handset`.
    :param settle: wait for every outcome, even if the verdict is clear before.
    :param last_channel: last channel of the flow, if there is neither a flow nor a receipt with one.
    :param timeout: seconds. None: the validity of the receipt's channels and an hour; 47 hours if it does not know them
        all.
    :param poll_interval: seconds between two polls.
    """

    receipt: Annotated[Receipts, PlainValidator(_read_receipts)] | None = None
    message_ids: Annotated[tuple[Bulk, ...], PlainValidator(lambda ids: bulks_of_ids(message_ids=ids))] | None = None
    bulk_ids: Annotated[tuple[Bulk, ...], PlainValidator(lambda ids: bulks_of_ids(bulk_ids=ids))] | None = None
    success_when: Annotated[Any, PlainValidator(lambda typed: SuccessCriterion(typed).success_when)] = "all"
    delivered_means: Annotated[str, PlainValidator(lambda means: SuccessCriterion("all", means).delivered_means)] = (
        "group"
    )
    settle: StrictBool = Field(False, repr=False, description="True or False")
    last_channel: Annotated[str, PlainValidator(_read_channel)] | None = Field(
        None, description=f"one of {', '.join(Channel)}"
    )
    timeout: float | None = None
    poll_interval: float = 30.0


def read_watch(
    *,
    started_at: float,
    read_flow: Callable[[], Sequence[str]] | None = None,
    logs_only: bool = False,
    account: str = "",
    emptied: Collection[str] = (),
    problems: Iterable[str] = (),
    refuse: Callable[[str, Sequence[str]], None] = NOBODYS.refuse,
    warn: Callable[[str], None] = lambda _: None,
    **given: Any,
) -> Watch:
    """Read a user's arguments into a watch. Raises one error that names every problem: an `OmniConfigurationError` if
    the connection has any, else an `OmniInputError`.

    Raises OmniConfigurationError if a receipt was made with another account.

    :param started_at: begin of the wait, in seconds since the epoch.
    :param read_flow: reads the channels of the scenario; called when there is no problem. A receipt's own flow has
        priority.
    :param logs_only: read no reports, because they could not be written down.
    :param account: `OmniConfig.account_mark` of the connection.
    :param emptied: names of arguments that were given and came out as None.
    :param problems: what is known to be wrong with arguments that are not among `given`.
    :param refuse: is called with a sentence and all problems, and raises if there are any: `Account.refuse`.
    :param warn: is called with a sentence on anything that may be a mistake, but need not be.
    :param given: `WatchArguments`.
    """
    problems = [*came_out_empty(emptied), *problems]
    named = [name for name in SOURCES if given.get(name) is not None]
    if named or not any(name in emptied for name in SOURCES):
        problems += source_problems(named)
    arguments = read_arguments(WatchArguments, given, problems)
    receipts, missing = arguments.receipt or Receipts()
    parts = (
        [Part(bulks=arguments.message_ids or arguments.bulk_ids or ())]
        if arguments.receipt is None
        else _parts(receipts)
    )
    problems += _too_many(parts, logs_only=logs_only, several=len(receipts) > 1)
    refuse("The sensor cannot wait for this.", problems)
    timeout, last_channel = arguments.timeout, arguments.last_channel
    for name, each in receipts:
        check_account(account, each.account or "", f"the one that the {name} is from")
    if timeout is not None:
        for words in islice(_time_warnings(receipts, started_at, timeout), MOST_WARNINGS):
            warn(words)
    flow = () if read_flow is None else tuple(read_flow())
    otherwise = flow or ((last_channel,) if last_channel else ())
    whole = Watch(
        bulks=(),
        deadline=started_at + timeout
        if timeout is not None
        else max((_default_deadline(each, started_at) for _, each in receipts), default=started_at + DEFAULT_TIMEOUT),
        criterion=SuccessCriterion(arguments.success_when, arguments.delivered_means, arguments.settle),
        poll_interval=max(arguments.poll_interval, 0.1),
        begun_at=started_at,
        missing=missing,
    )
    watches = [
        replace(
            whole,
            bulks=part.bulks,
            flow=part.flow or otherwise,
            # With a ledger, reports can be written down in it.
            logs_only=logs_only and part.ledger_path is None,
            ledger_path=part.ledger_path,
            unsent=part.unsent,
            accepted=part.accepted,
            # A ledger names its account itself.
            account=part.account or ("" if part.ledger_path else account),
        )
        for part in parts
    ]
    if len(watches) == 1:
        return watches[0]
    return replace(whole, parts=tuple(each.as_part() for each in watches))


@dataclass(frozen=True)
class Part:
    """Sends that are followed together: all requests without a ledger that have one flow and account, or one ledger."""

    bulks: tuple[Bulk, ...] = ()
    flow: tuple[str, ...] = ()
    ledger_path: str | None = None
    unsent: int = 0
    accepted: int = 0
    account: str = ""


def ledgers_of(receipt: Any) -> tuple[str, ...]:
    """Return the paths of the ledgers that receipts name. Raises OmniInputError for what are no receipts.

    :param receipt: the argument, rendered and unmasked.
    """
    read = [each for _, each in _read_receipts(receipt).named if not each.dry_run]
    return tuple(each.ledger_path for each in read if each.ledger_path is not None)


def _receipts(receipt: Any) -> tuple[list[tuple[str, Any]], int]:
    """Return the receipts, each once and with its name in errors, and the number of empty entries in the list.

    A list may be empty: a mapped task has made no copies, so nobody was to be sent to.
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
        problem = unexpected("receipt", f"a list of {missing} that are all empty", f"{RECEIPT}. {WHY_EMPTY}")
        raise OmniInputError("The sensor cannot wait for this.", problems=[problem])
    if len(read) == 1:
        found = [("receipt", each) for _, each in found]
    # Equal receipts with requests are one send. Receipts of sends to nobody are kept apart, because each has its own
    # people.
    once = {_same(each) or name: (name, each) for name, each in reversed(found)}
    return list(reversed(once.values())), missing


def _same(receipt: Any) -> str:
    """Return a text by which equal receipts are found; empty for a receipt with nothing to follow."""
    if not isinstance(receipt, Mapping) or receipt.get("dry_run"):
        return ""
    if not (receipt.get("bulks") or receipt.get("ledger_path")):
        return ""
    return json.dumps(receipt, sort_keys=True, default=repr)


def _read(receipts: Sequence[tuple[str, Any]]) -> list[tuple[str, Receipt]]:
    """Read receipts. Raises OmniInputError, which names every entry that is none, and says so if not all are from one
    account.
    """
    problems: list[str] = []
    read: list[tuple[str, Receipt]] = []
    for name, value in receipts:
        try:
            read.append((name, Receipt.from_json(value, name)))
        except OmniInputError as error:
            problems += error.problems
    accounts = {each.account for _, each in read if each.account}
    if len(accounts) > 1:
        problems.append(
            unexpected(
                "receipt",
                f"receipts from {len(accounts)} accounts",
                "those of one: a sensor asks the account that its omni_conn_id leads to; give each account's "
                "sends a sensor",
            )
        )
    if problems:
        if len(problems) > MOST_PLACES:
            problems[MOST_PLACES:] = [f"receipt: {len(problems) - MOST_PLACES:,} more problems like these"]
        raise OmniInputError("The sensor cannot wait for this.", problems=problems)
    return read


def _parts(receipts: Sequence[tuple[str, Receipt]]) -> list[Part]:
    """Return the sends that the receipts name."""
    parts: dict[Any, Part] = {}
    for _, receipt in receipts:
        path, account = receipt.ledger_path, receipt.account or ""
        key = (receipt.flow, account) if path is None else _place(path)
        known = parts.setdefault(key, Part(flow=receipt.flow, ledger_path=path, account=account))
        parts[key] = replace(
            known,
            # With a ledger, the receipt need not list all bulks: the ledger does.
            bulks=(*known.bulks, *bulks_of(receipt)),
            # Two receipts of one ledger come from two tries, or from batches that share it.
            unsent=known.unsent + receipt.unsent if path is None else max(known.unsent, receipt.unsent),
            accepted=known.accepted + receipt.accepted if path is None else max(known.accepted, receipt.accepted),
            account=known.account or account,
        )
    made = [replace(each, bulks=distinct(each.bulks)) for each in parts.values()]
    # A send to nobody has nothing to follow. If there is no other send, the wait is about this one.
    return [each for each in made if each.bulks or each.ledger_path or each.unsent] or made[:1] or [Part()]


def _too_many(parts: Sequence[Part], *, logs_only: bool, several: bool) -> list[str]:
    """Return the problems of too many sends: the vendor limits calls, and a trigger's arguments must be small."""
    problems: list[str] = []
    requests = sum(len(part.bulks) for part in parts)
    ids = sum(len(bulk.message_ids) for part in parts for bulk in part.bulks)
    ledgers = sum(part.ledger_path is not None for part in parts)
    if logs_only and requests > LOGS_ONLY_BULKS:
        problems.append(
            unexpected(
                "mode",
                f"'reschedule' for {some(requests, 'request')} on Airflow before 3.3",
                f"up to {LOGS_ONLY_BULKS} requests, deferrable=True, mode='poke', or Airflow 3.3",
            )
        )
    if several:
        instead = "give the sends a ledger_path, or a sensor each: OmniDeliverySensor.partial(…).expand(receipt=…)"
        if requests > MOST_WITHOUT_LEDGER or ids > MOST_IDS:
            problems.append(
                unexpected(
                    "receipt",
                    f"{some(requests, 'request')} with {some(ids, 'message id')} in no ledger",
                    f"up to {MOST_WITHOUT_LEDGER:,} and {MOST_IDS:,}; {instead}",
                )
            )
        if ledgers > MOST_LEDGERS:
            problems.append(
                unexpected(
                    "receipt",
                    f"{ledgers:,} ledgers",
                    f"up to {MOST_LEDGERS}; give the sensor fewer, or each its own: "
                    "OmniDeliverySensor.partial(…).expand(receipt=…)",
                )
            )
    return problems


def _place(path: str) -> str:
    """Return a ledger's path in the form in which paths are compared: one folder may be written in several ways."""
    scheme, separator, rest = path.removeprefix("file://").rpartition("://")
    return f"{scheme}{separator}{re.sub('/+', '/', rest).rstrip('/')}"


def _time_warnings(receipts: Sequence[tuple[str, Receipt]], started_at: float, timeout: float) -> Iterator[str]:
    """Yield warnings about the user's timeout: it may end before messages are sent, or while they are under way."""
    ends = started_at + timeout
    for name, receipt in receipts:
        send_at, validity = receipt.send_at, receipt.validity_seconds
        if send_at is not None and send_at >= ends:
            yield (
                f"timeout: the wait ends at {_moment(ends)}, and the messages of the {name} are sent at "
                f"{_moment(send_at)}: until then nothing can be known of them."
            )
            continue
        begins = send_at or receipt.sent_at or started_at
        if validity is not None and begins + validity > ends:
            yield (
                f"timeout: the wait ends at {_moment(ends)}, and by their validity periods the channels of the {name} "
                f"may be tried until {_moment(begins + validity)}: who is under way at the end counts as pending. "
                "Without a timeout the wait is long enough."
            )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _default_deadline(receipt: Receipt, started_at: float) -> float:
    """Return the deadline: the validity of all channels and an hour after the first is tried; 47 hours if the receipt
    does not know them all.
    """
    begins = max(started_at, receipt.send_at or 0.0)
    validity = receipt.validity_seconds
    return begins + (DEFAULT_TIMEOUT if validity is None else validity + MARGIN)
