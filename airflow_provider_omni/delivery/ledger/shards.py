"""Shards: `shard="3/16"` is one worker's share of a batch. The recipient's key decides, not the order of rows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected

_SHARD = re.compile(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*")


def spread(recipient_key: str) -> int:
    """Return 64 bits that stand for a recipient and decide its shard."""
    digest = hashlib.sha256(recipient_key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


@dataclass(frozen=True, slots=True)
class Shard:
    """The share `number` (from 1) of `count`."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str | None) -> Shard | None:
        """Read a text such as `3/16`; None for None.

        Raises OmniInputError, also for an empty text: a template that found nothing must not make every shard send to
        everybody.
        """
        if text is None:
            return None
        match = _SHARD.fullmatch(str(text))
        if match and 1 <= int(match[1]) <= int(match[2]):
            return cls(int(match[1]), int(match[2]))
        found = describe(str(text)[:30], True)
        raise OmniInputError(
            "Nothing was sent: the shard cannot be used",
            problems=(unexpected("shard", found, "a part and a number of parts such as '3/16'"),),
        )

    def holds(self, recipient_key: str) -> bool:
        """Return True if this recipient belongs to the shard. Every recipient belongs to exactly one."""
        return self.holds_spread(spread(recipient_key))

    def holds_spread(self, value: int) -> bool:
        """Return True if the recipient of this `spread` belongs to the shard."""
        return value % self.count == self.number - 1

    @property
    def folder(self) -> str:
        """The name of the shard's own folder in a ledger."""
        width = len(str(self.count))
        return f"shard-{self.number:0{width}d}-of-{self.count}"
