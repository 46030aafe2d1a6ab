"""The receipt of a send: JSON without a number and without a text, small whatever the batch's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

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
    """

    requested: int = 0
    accepted: int = 0
    unconfirmed: int = 0
    rejected: int = 0
    quarantined: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class SentBulk:
    """One request that was or may have been posted, with its accepted and unconfirmed messages only."""

    bulk_id: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The return value of a send operator. XCom holds what `to_json` returns.

    :param account: a hash that tells accounts apart (`OmniConfig.account_mark`). None if not known; then it is left
        out.
    """

    scenario_key: str
    flow: tuple[str, ...]
    bulks: Sequence[SentBulk]
    counts: Counts
    sent_at: float | None = None
    ledger_path: str | None = None
    account: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

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
                {"bulk_id": bulk.bulk_id, "messages": len(bulk.message_ids)}
                | ({"message_id": bulk.message_ids[0]} if len(bulk.message_ids) == 1 else {})
                for bulk in self.bulks
                if bulk.message_ids
            ][:most],
            "counts": {name: getattr(self.counts, name) for name in Counts.__slots__},
            "sent_at": None if self.sent_at is None else datetime.fromtimestamp(self.sent_at, UTC).isoformat(),
            "ledger_path": self.ledger_path,
        }
        if len(message_ids) <= MAX_IDS:
            data["message_ids"] = message_ids
        if self.account:
            data["account"] = self.account
        return data | self.extra
