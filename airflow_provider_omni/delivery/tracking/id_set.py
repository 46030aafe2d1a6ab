"""A set of message ids in eight bytes each, since a batch may have a million messages. Knows no API and no ledger."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable


class IdSet:
    """A set of message ids that keeps only their hashes. It answers `in` and `len`; it cannot list its ids."""

    __slots__ = ("_hashes",)

    def __init__(self, ids: Iterable[str]) -> None:
        self._hashes = array("Q", sorted(map(_hash, ids)))

    def __contains__(self, message_id: object) -> bool:
        wanted = _hash(str(message_id))
        place = bisect_left(self._hashes, wanted)
        return place < len(self._hashes) and self._hashes[place] == wanted

    def __len__(self) -> int:
        return len(self._hashes)


def _hash(message_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(message_id.encode(), digest_size=8).digest())
