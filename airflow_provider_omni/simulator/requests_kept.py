"""The send requests themselves, to be looked at: the newest of them, up to a size."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_omni.simulator.wire import WireRequest

LARGEST_SUM = 64 * 2**20
"""Bytes of bodies that are kept. Older requests lose theirs first."""
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass(slots=True, eq=False)
class SentRequest:
    """One send request as it arrived, without its login. `body`: None once it is no longer kept."""

    number: int
    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class RequestsKept:
    """The newest requests, up to `largest_sum` bytes of bodies."""

    def __init__(self, largest_sum: int = LARGEST_SUM) -> None:
        self._largest_sum = largest_sum
        self._numbers = itertools.count(1)
        self._with_body: collections.deque[SentRequest] = collections.deque()
        self._sum = 0

    def keep(self, request: WireRequest, now: float) -> SentRequest:
        """Keep a request, and let go of the bodies of older ones where that is too much."""
        headers = {name: value for name, value in request.headers.items() if name not in SECRET_HEADERS}
        kept = SentRequest(next(self._numbers), now, request.method, request.target_path, headers, request.body)
        self._with_body.append(kept)
        self._sum += len(request.body)
        while self._sum > self._largest_sum:
            oldest = self._with_body.popleft()
            self._sum -= len(oldest.body or b"")
            oldest.body = None
        return kept
