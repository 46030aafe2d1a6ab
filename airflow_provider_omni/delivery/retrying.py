"""Make several attempts at something, with a pause after each that fails: the one retry loop of all machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_provider_omni.delivery.effects import Sleep, Steps
from airflow_provider_omni.omni.errors import OmniError, OmniStaleTryError, OmniStorageError
from airflow_provider_omni.omni.retries import backoff

T = TypeVar("T")


class UnfinishedError(Exception):
    """Raised by an attempt that must be repeated although no call or write of it has failed."""


def is_failed_write(error: OmniError) -> bool:
    """Return True if a write has failed and may be repeated. A try that was replaced does not repeat its writes."""
    return isinstance(error, OmniStorageError) and not isinstance(error, OmniStaleTryError)


def retrying(
    attempt: Callable[[], Steps[T]],
    most: int,
    jitter: Callable[[], float],
    *,
    repeats: Callable[[OmniError], bool] = lambda error: error.retryable,
    has_time: Callable[[float], bool] | None = None,
    least: float = 0.0,
) -> Steps[T]:
    """Make attempts until one succeeds. Return its result, or raise the error of the last one.

    :param most: attempts that are made, at most.
    :param jitter: random numbers from 0 to 1, for pauses.
    :param repeats: says whether another attempt may follow an error.
    :param has_time: says whether there is time for a pause of so many seconds and another attempt; None: there is.
    :param least: seconds that a pause lasts, at least.
    """
    number = 1
    while True:
        try:
            return (yield from attempt())
        except (OmniError, UnfinishedError) as error:
            asked = error.retry_after if isinstance(error, OmniError) else None
            if number == most or (isinstance(error, OmniError) and not repeats(error)):
                raise
            pause = max(least, backoff(number, asked, jitter))
            if has_time is not None and not has_time(pause):
                raise
        yield Sleep(pause)
        number += 1
