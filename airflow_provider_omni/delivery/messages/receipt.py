"""The receipt of a send: JSON without a number and without a text, small whatever the send's size.

A send writes it, and whoever follows the send reads it: both here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeGuard

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.ids import IDS, may_be_an_id
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import WHY_EMPTY, empty_words, is_nothing
from airflow_provider_omni.omni.words import some

RECEIPT = "what a send operator returned, such as receipt=send.output, or a list of that"
MAX_IDS = 100
"""Limit of the lists of ids in receipts and summaries."""
MOST_WITHOUT_LEDGER = 1000
"""Limit of the requests that a receipt lists where there is no ledger.

A plan without a ledger has at most 100. Halved requests and those of earlier tries come on top.
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of recipients by what happened to them. `requested` is the sum of the others once the send has come to
    its end.

    :param accepted: taken by the vendor.
    :param unconfirmed: may have been taken.
    :param rejected: certainly not taken.
    :param quarantined: not tried (a bad row, or a number that is not among `allowed_recipients`).
    :param duplicates: asked for twice, sent once.
    :param suppressed: not tried, since they are on the suppression list; None if there is no list.
    """

    requested: int = 0
    accepted: int = 0
    unconfirmed: int = 0
    rejected: int = 0
    quarantined: int = 0
    duplicates: int = 0
    suppressed: int | None = None


@dataclass(frozen=True, slots=True)
class SentBulk:
    """One request that was or may have been posted, with its accepted and unconfirmed messages only.

    :param message_ids: all of them; in a receipt that was read, none if it does not list them.
    :param messages: their number, if they are not listed.
    """

    bulk_id: str
    message_ids: tuple[str, ...]
    messages: int = 0

    @property
    def size(self) -> int:
        """Number of messages."""
        return len(self.message_ids) or self.messages


@dataclass(frozen=True, slots=True)
class Receipt:
    """The return value of a send operator. XCom holds what `to_json` returns.

    :param flow: the channels that its messages go through, in order; empty if not known.
    :param bulks: the requests. A receipt that was read has none if it has a ledger, which lists more than a receipt.
    :param sent_at: begin of the first request, in seconds since the epoch; None if nothing was posted.
    :param account: a hash that tells accounts apart (`OmniConfig.account_mark`). None if not known; then it is left
        out.
    :param validity_seconds: seconds in which all channels together may be tried; None if not all of them are known.
    :param send_at: time at which the vendor was asked to send, in seconds since the epoch; None for at once.
    :param extra: further members.
    """

    scenario_key: str
    flow: tuple[str, ...]
    bulks: Sequence[SentBulk]
    counts: Counts
    sent_at: float | None = None
    ledger_path: str | None = None
    account: str | None = None
    validity_seconds: float | None = None
    send_at: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def dry_run(self) -> bool:
        """True if nothing was posted, since the send was a rehearsal."""
        return bool(self.extra.get("dry_run"))

    @property
    def accepted(self) -> int:
        """Number of messages that were accepted, or may have been. 0 for a dry run."""
        return 0 if self.dry_run else max(0, self.counts.accepted) + max(0, self.counts.unconfirmed)

    @property
    def unsent(self) -> int:
        """Number of people who were refused or never posted. 0 for a dry run, which posts nobody."""
        counts = self.counts
        left_out = counts.quarantined + counts.duplicates + (counts.suppressed or 0)
        settled = counts.accepted + counts.unconfirmed + left_out
        return 0 if self.dry_run else max(0, counts.requested - settled)

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as JSON.

        `bulks` and `message_ids` are listed up to 100. Without a ledger up to 1,000 bulks are listed, since nothing
        else tells what to follow. A bulk of one message has its `message_id`.
        """
        most = MAX_IDS if self.ledger_path else MOST_WITHOUT_LEDGER
        message_ids = [each for bulk in self.bulks for each in bulk.message_ids]
        data: dict[str, Any] = {
            "scenario_key": self.scenario_key,
            "flow": list(self.flow),
            "bulks": [
                {"bulk_id": bulk.bulk_id, "messages": bulk.size}
                | ({"message_id": bulk.message_ids[0]} if len(bulk.message_ids) == 1 else {})
                for bulk in self.bulks
                if bulk.size
            ][:most],
            "counts": {name: count for name in Counts.__slots__ if (count := getattr(self.counts, name)) is not None},
            "sent_at": None if self.sent_at is None else _time(self.sent_at),
            "ledger_path": self.ledger_path,
        }
        if len(message_ids) <= MAX_IDS and all(bulk.message_ids or not bulk.size for bulk in self.bulks):
            data["message_ids"] = message_ids
        if self.account:
            data["account"] = self.account
        if self.validity_seconds is not None:
            data["validity_seconds"] = self.validity_seconds
        if self.send_at is not None:
            data["send_at"] = _time(self.send_at)
        return data | self.extra

    @classmethod
    def from_json(cls, value: Any, name: str = "receipt") -> Receipt:
        """Read a receipt. Members that are missing or of another type count as not known, but for `bulks`: these say
        what to follow, where there is no ledger.

        :param value: a dict as `to_json` returns it.
        :param name: its name in errors.

        Raises OmniInputError for anything else, without showing it.
        """
        if not isinstance(value, Mapping):
            raise OmniInputError("The receipt cannot be used", problems=(f"{name}: {no_receipt(value)}",))
        rehearsal = bool(value.get("dry_run"))
        path = value.get("ledger_path") if not rehearsal else None
        path = path if isinstance(path, str) and path else None
        flow, account, validity = value.get("flow"), value.get("account"), value.get("validity_seconds")
        counts = value.get("counts")
        counts = counts if isinstance(counts, Mapping) else {}
        read = {"bulks", "counts", "message_ids", *cls.__slots__}
        return cls(
            scenario_key=str(value.get("scenario_key") or ""),
            flow=tuple(str(step) for step in flow) if isinstance(flow, list) else (),
            bulks=_read_bulks(value, name) if path is None else (),
            counts=Counts(**{each: counts[each] for each in Counts.__slots__ if type(counts.get(each)) is int}),
            sent_at=_seconds(value.get("sent_at")),
            ledger_path=path,
            account=account if isinstance(account, str) and account and not rehearsal else None,
            validity_seconds=validity if _is_amount(validity) else None,
            send_at=_seconds(value.get("send_at")),
            extra={each: member for each, member in value.items() if each not in read},
        )


def no_receipt(value: Any) -> str:
    """Return the error text for a value that is no receipt. Names only its kind, since the value may hold anything."""
    if is_nothing(value):
        return unexpected("", empty_words(value), f"{RECEIPT}. {WHY_EMPTY}")
    found = "an object without 'bulks'" if isinstance(value, Mapping) else describe(value)
    return unexpected("", found, RECEIPT)


def _read_bulks(receipt: Mapping[str, Any], name: str) -> tuple[SentBulk, ...]:
    rows = receipt.get("bulks")
    if not isinstance(rows, list):
        raise OmniInputError("The receipt cannot be used", problems=(f"{name}: {no_receipt(receipt)}",))
    problems: list[str] = []
    bulks: list[SentBulk] = []
    listed = _all_listed(receipt, rows)
    position = 0
    for index, row in enumerate(rows):
        bulk_id, messages = (row.get("bulk_id"), row.get("messages")) if isinstance(row, dict) else (None, None)
        if not isinstance(bulk_id, str) or not bulk_id or type(messages) is not int or messages < 1:
            expected = "{'bulk_id': text, 'messages': 1 or more}"
            problems.append(unexpected(f"{name}.bulks[{index}]", "something else", expected))
            continue
        ids = tuple(listed[position : position + messages])
        position += messages
        if messages == 1 and isinstance(row.get("message_id"), str):
            ids = (row["message_id"],)
        if wrong := [each for each in (bulk_id, *ids) if not may_be_an_id(each)]:
            what = unexpected(f"{name}.bulks[{index}]", some(len(wrong), "text") + " that can be no id", IDS)
            problems.append(what)
        bulks.append(SentBulk(bulk_id, ids if len(ids) == messages else (), messages))
    if problems:
        raise OmniInputError("The receipt cannot be used", problems=tuple(problems))
    return tuple(bulks)


def _all_listed(receipt: Mapping[str, Any], rows: list[Any]) -> list[str]:
    """Return the receipt's message ids, in the order of its bulks; an empty list unless it lists them all."""
    listed = receipt.get("message_ids")
    counts = [row.get("messages") for row in rows if isinstance(row, dict)]
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        return []
    return listed if sum(count for count in counts if type(count) is int) == len(listed) else []


def _is_amount(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _seconds(moment: Any) -> float | None:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
