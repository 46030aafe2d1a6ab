"""Which messages belong to a request, in eight bytes each: a batch may have a million. Knows no API and no ledger."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable


class Members:
    """A set of message ids. It may only be asked whether an id is in it."""

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
