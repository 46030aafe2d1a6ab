"""Limits of this process: the rate limit of a connection, and the budget of logs calls. Per account, thread-safe.

Nothing here waits: each says how long to, so that a thread, an event loop and a test can do it their own way.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from airflow_provider_omni.omni.problems import unexpected

Clock = Callable[[], float]

LOGS_PER_MINUTE = 100
"""The vendor allows 120 calls a minute and account; other callers and processes of the account need some of them."""

WINDOW = 60.0


FIRST_HOLD = 10.0
LONGEST_RETRY_AFTER = 300.0


class WindowLimiter:
    """At most `per_minute` calls in any 60 seconds, and none for a while after the vendor has refused one with a 429:
    then other processes of the account have used up what this one would have taken.

    :param per_minute: calls in a window.
    :param clock: monotonic seconds; for tests.
    :param jitter: 0 to 1; for tests.
    """

    def __init__(
        self, per_minute: int = LOGS_PER_MINUTE, clock: Clock = time.monotonic, jitter: Clock = random.random
    ) -> None:
        if per_minute < 1:
            raise ValueError(unexpected("per_minute", per_minute, "at least 1"))
        self._per_minute = per_minute
        self._clock = clock
        self._jitter = jitter
        self._taken: deque[float] = deque()
        self._refused = 0
        self._held_until = float("-inf")
        self._hold = 0.0
        self._lock = threading.Lock()

    def try_take(self) -> float:
        """Take a place. Return 0.0 if it was taken, else the seconds to wait before asking again.

        Those who are refused are spread over as much of the next window as their number needs, at random: so
        nobody is always the last, and they do not come back all at once.
        """
        with self._lock:
            now = self._clock()
            if now < self._held_until:
                return self._held_until - now + self._spread()
            while self._taken and self._taken[0] <= now - WINDOW:
                self._taken.popleft()
            if len(self._taken) < self._per_minute:
                self._taken.append(now)
                self._refused = max(0, self._refused - 1)
                return 0.0
            return max(self._taken[0] + WINDOW - now + self._spread(), 0.001)

    def hold_back(self, retry_after: float | None = None) -> None:
        """Take note of a 429: nobody calls for 10 seconds; for twice as long, up to a minute, if the last 429 is not a
        minute ago. Those that come while nobody may call were on their way before, and do not count again.

        :param retry_after: seconds that the vendor asks for, of which five minutes are believed.
        """
        with self._lock:
            now = self._clock()
            if now >= self._held_until:
                again = now < self._held_until + WINDOW
                self._hold = min(2 * self._hold, WINDOW) if again else FIRST_HOLD
                self._held_until = now + self._hold
            asked = min(max(retry_after or 0.0, 0.0), LONGEST_RETRY_AFTER)
            self._held_until = max(self._held_until, now + asked)

    def _spread(self) -> float:
        """Return the seconds to add to the wait of one more who is refused."""
        self._refused = min(self._refused + 1, self._per_minute)
        return WINDOW * self._refused / self._per_minute * self._jitter()


class RateLimiter:
    """At most `per_second` calls, evenly: everybody gets the next free slot, in the order of asking.

    :param per_second: None is no limit.
    """

    def __init__(self, per_second: float | None, clock: Clock = time.monotonic) -> None:
        self._gap = 0.0 if per_second is None else 1.0 / per_second
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Return the seconds to wait before the call; its slot is taken."""
        if not self._gap:
            return 0.0
        with self._lock:
            now = self._clock()
            slot = max(self._next, now)
            self._next = slot + self._gap
            return slot - now


_lock = threading.Lock()
_budgets: dict[str, WindowLimiter] = {}
_paces: dict[tuple[str, float | None], RateLimiter] = {}


def logs_budget(account: str) -> WindowLimiter:
    """Return the one budget of logs calls that this process has for the account (`OmniConfig.account`)."""
    with _lock:
        return _budgets.setdefault(account, WindowLimiter())


def rate_limiter_of(account: str, per_second: float | None) -> RateLimiter:
    """Return the one rate limit that all clients of this process keep for the account, sync and async."""
    with _lock:
        return _paces.setdefault((account, per_second), RateLimiter(per_second))
