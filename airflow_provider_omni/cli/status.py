"""`status`: what became of messages, from the logs alone. Reports are handed out once, and some sensor wants them."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_omni.cli.exit_codes import DONE, NOT_KNOWN
from airflow_provider_omni.cli.output import Answer, Table, command
from airflow_provider_omni.delivery.accounts import check_account
from airflow_provider_omni.delivery.messages.delivery_report import iso_time
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.messages.status import (
    Outcome,
    StatusUpdate,
    Tracker,
    channel_label,
    cost_of,
    status_label,
)
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.ids import IDS, may_be_an_id
from airflow_provider_omni.omni.masking import mask_number
from airflow_provider_omni.omni.models import LogRow, skipped_in
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.rate_limits import logs_budget
from airflow_provider_omni.omni.reasons import STATUS_WORDS
from airflow_provider_omni.omni.retries import call_with_retries
from airflow_provider_omni.omni.words import some

MOST_CALLS = 100
"""Looks into the logs that one command makes, at most. An account has 120 a minute for everybody."""
LARGEST_RECEIPT = 4 * 1024 * 1024
"""Bytes of a file that are read as a receipt, at most."""

Query = tuple[str, str]
"""`bulk_ids` or `message_ids`, and one id."""


def read_receipt(text: str) -> Receipt:
    """Read a receipt from JSON.

    Raises OmniInputError for what is none, and for one whose requests only its ledger has.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise OmniInputError(
            "The receipt cannot be used", problems=(unexpected("--receipt", "something that is not JSON", "a receipt"),)
        ) from None
    receipt = Receipt.from_json(value, "--receipt")
    if receipt.ledger_path is not None:
        problem = unexpected("--receipt", "one with a ledger", f"one without; ask: ledger show {receipt.ledger_path}")
        raise OmniInputError("The ledger has more than the receipt.", problems=(problem,))
    return receipt


def queries_of(message_ids: Iterable[str], bulk_ids: Iterable[str], receipt: Receipt | None) -> list[Query]:
    """Return the looks into the logs: one for each id, since not every account reads lists.

    A message that was posted alone is asked for by its own id: some accounts forget the request's.
    """
    found: list[Query] = [("message_ids", each) for each in message_ids]
    found += [("bulk_ids", each) for each in bulk_ids]
    for bulk in receipt.bulks if receipt is not None else ():
        alone = bulk.size == 1 and bulk.message_ids
        found.append(("message_ids", bulk.message_ids[0]) if alone else ("bulk_ids", bulk.bulk_id))
    return list(dict.fromkeys(found))


def check_queries(queries: Sequence[Query]) -> None:
    """Raise OmniInputError for no ids, for too many, and for what can be no id (it may be a number)."""
    if not queries:
        problem = unexpected("status", "nothing to ask for", "--message-id, --bulk-id or --receipt")
    elif wrong := sum(not may_be_an_id(each) for _, each in queries):
        problem = unexpected("status", some(wrong, "text") + " that can be no id", IDS)
    elif len(queries) > MOST_CALLS:
        problem = unexpected(
            "status", some(len(queries), "request"), f"up to {MOST_CALLS}: the vendor limits such calls"
        )
    else:
        return
    raise OmniInputError("Nothing was asked.", problems=(problem,))


def messages_of(rows: Iterable[LogRow], flow: Sequence[str], now: float, whole: bool) -> list[dict[str, Any]]:
    """Return what the rows tell of each message, in the order in which they were sent.

    :param flow: the channels of the messages' scenario; empty if not known.
    :param now: seconds since the epoch.
    :param whole: show numbers whole.
    """
    tracker = Tracker(flow, settle_seconds=math.inf)
    first: dict[str, LogRow] = {}
    steps: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for row in rows:
        update = StatusUpdate.of(row)
        tracker.observe(update)
        first.setdefault(row.message_id, row)
        step = {
            "channel": channel_label(row.channel),
            "status": status_label(row.status),
            "sent_at": iso_time(update.sent_at),
            "done_at": iso_time(update.done_at),
        }
        steps.setdefault(row.message_id, []).append((update.sent_at or 0.0, step))
    # The logs show the newest first; sorted by the time alone, which may be the same for two steps.
    for listed in steps.values():
        listed.sort(key=lambda each: each[0])
    found = []
    for message_id in sorted(first, key=lambda each: steps[each][0][0]):
        row = first[message_id]
        state = tracker.status_of(message_id, now)
        by = state.by
        found.append(
            {
                "message_id": message_id,
                "bulk_id": row.bulk_id,
                "to": None if row.to is None else row.to if whole else mask_number(row.to),
                "outcome": state.outcome.value,
                "channel": by.channel if by else None,
                "status": by.status if by else None,
                "cost": cost_of(list(tracker.steps(message_id))),
                "steps": [step for _, step in steps[message_id]],
            }
        )
    return found


def answer_of(messages: Sequence[dict[str, Any]], missing: Sequence[str], unreadable: int) -> Answer:
    """Return the answer.

    :param missing: ids that were asked for by themselves, and of which the logs say nothing.
    :param unreadable: rows that could not be read.
    """
    counts = {outcome.value: sum(each["outcome"] == outcome.value for each in messages) for outcome in Outcome}
    data = {"counts": counts, "messages": list(messages), "not_in_logs": list(missing), "unreadable_rows": unreadable}
    rows = [
        {
            "message": each["message_id"],
            "to": each["to"],
            "outcome": each["outcome"],
            "by": [f"{step['channel']} {step['status']}" for step in each["steps"]],
            "cost": each["cost"],
        }
        for each in messages
    ]
    if counts[Outcome.FAILED.value]:
        for row, each in zip(rows, messages, strict=True):
            row["means"] = STATUS_WORDS.get(each["status"] or "") if each["outcome"] == Outcome.FAILED.value else None
    words = [", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "Nothing found."]
    words += [f"Not in the logs (they reach back 48 hours): {each}" for each in missing]
    words += [f"{some(unreadable, 'row')} of the logs could not be read."] if unreadable else []
    return Answer(data, (Table(rows),) if rows else (), words, DONE if messages else NOT_KNOWN)


def look(
    hook: OmniHook, queries: Sequence[Query], sleep: Callable[[float], None] = time.sleep
) -> tuple[list[LogRow], list[str], int]:
    """Ask the logs. Returns their rows, the ids without any, and the number of rows that could not be read."""
    budget = logs_budget(hook.config.account)
    rows: list[LogRow] = []
    missing, unreadable = [], 0
    for kind, each in queries:
        while wait := budget.try_take():
            sleep(wait)
        call = api.get_logs(**{kind: (each,)})  # type: ignore[arg-type]
        page = call_with_retries(hook.get_conn().execute, call, sleep)
        unreadable += skipped_in(page)
        rows += page
        if not page:
            missing.append(each)
    return rows, missing, unreadable


def _text_of(file: str) -> str:
    if file == "-":
        return sys.stdin.read(LARGEST_RECEIPT)
    try:
        with Path(file).expanduser().open(encoding="utf-8") as opened:
            return opened.read(LARGEST_RECEIPT)
    except (OSError, UnicodeError) as error:
        problem = unexpected("--receipt", f"a file that cannot be read ({type(error).__name__})", "a receipt as JSON")
        raise OmniInputError("Nothing was asked.", problems=(problem,)) from None


@command
def status(arguments: argparse.Namespace) -> Answer:
    """Tell what became of messages."""
    receipt = None if arguments.receipt is None else read_receipt(_text_of(arguments.receipt))
    queries = queries_of(arguments.message_id, arguments.bulk_id, receipt)
    check_queries(queries)
    with OmniHook(arguments.conn_id) as hook:
        if receipt is not None and receipt.account:
            check_account(hook.config.account_mark, receipt.account, "the one that the receipt names")
        rows, missing, unreadable = look(hook, queries)
    flow = receipt.flow if receipt is not None else ()
    return answer_of(messages_of(rows, flow, time.time(), arguments.show_numbers), missing, unreadable)
