"""The receipt of a send: JSON, small whatever the batch's size, without a number and without a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_IDS = 100
"""Lists of ids in receipts and summaries end here."""
MOST_WITHOUT_LEDGER = 1000
"""Requests that a receipt lists where there is no ledger: 100 that are planned, and what comes of halving them and of
earlier tries.
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many recipients went where. `requested` is the sum of the others where the send came to its end.

    `accepted`: the vendor took them. `unconfirmed`: they may have been taken. `rejected`: certainly not
    taken. `quarantined`: not tried (bad row, or not among `allowed_recipients`). `duplicates`: asked for twice,
    sent once.
    """

    requested: int = 0
    accepted: int = 0
    unconfirmed: int = 0
    rejected: int = 0
    quarantined: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class SentBulk:
    """One request that was posted, or may have been: only its messages that are accepted or unconfirmed."""

    bulk_id: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a send operator returns. `to_json` is what stands in XCom.

    `account`: a hash that tells accounts apart (`OmniConfig.account_mark`); None: not known, and then it is left out.
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
        """`bulks` and `message_ids` are listed up to 100; without a ledger up to 1,000 bulks, since nothing else
        tells what to follow. `message_id` stands with a bulk of one message.
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
