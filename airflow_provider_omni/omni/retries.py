"""Repeats of a call: whether and when. Decides; the waiting is done by tenacity with the sleep it is given.

Never for a send or a read-once read of which nobody knows whether it took effect: `delivery/` resolves those by
asking.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import Effect, OmniError

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
LONGEST_RETRY_AFTER = 300.0
"""Longest patience. An error that asks for more is raised at once, and Airflow's own retry is the next try."""


def may_repeat(call: Call[Any], error: BaseException) -> bool:
    """Return True if this very call may be made again after this error."""
    if not isinstance(error, OmniError) or not error.retryable:
        return False
    if (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
        return False
    return error.effect is Effect.NONE or call.repeatable


def backoff(attempt: int, retry_after: float | None = None, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after the attempt of this number, from 1.

    Doubles from attempt to attempt, up to a minute, half of it random. At least `retry_after` (capped at five minutes)
    plus a random bit, so that all who were told the same do not come back at once.
    """
    pause: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 30))
    asked = min(max(retry_after or 0.0, 0.0), LONGEST_RETRY_AFTER)
    return max(pause * (0.5 + 0.5 * jitter()), asked + min(asked, 1.0) * jitter())


def call_with_retries(
    execute: Callable[[Call[T]], T],
    call: Call[T],
    sleep: Callable[[float], None] = time.sleep,
    attempts: int = ATTEMPTS,
) -> T:
    """Execute the call, again where `may_repeat` allows it; then its last error.

    :param execute: `OmniClient.execute`.
    """
    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=_pause,
        retry=retry_if_exception(lambda error: may_repeat(call, error)),
        sleep=sleep,
        reraise=True,
    )
    return retrying(execute, call)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return backoff(state.attempt_number, getattr(error, "retry_after", None))
