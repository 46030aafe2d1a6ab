"""The clock that machines are given: the wall clock of the moment at which they began, and from there on one that never
steps.

A machine waits, and concludes from having waited: that a POST is over, that the logs have caught up. Were it to look at
the wall clock, a step of it (NTP, an administrator) would be taken for time that has passed. Between processes clocks
differ; no proof rests on a difference of two processes' times that is smaller than an hour (`outbox/reconciler.py`).
"""

from __future__ import annotations

import time

from airflow_provider_omni.delivery.effects import Clock


def steady_clock(wall: Clock, elapsed: Clock) -> Clock:
    """A clock for one machine.

    :param wall: seconds since the epoch, `time.time`; asked once.
    :param elapsed: seconds from anywhere that never step, `time.monotonic`. In its place the clock of the boot is
        taken where there is one, since the time for which a machine was suspended has passed as well.
    """
    if elapsed is time.monotonic and hasattr(time, "CLOCK_BOOTTIME"):
        elapsed = _since_boot
    began, zero = wall(), elapsed()
    return lambda: began + (elapsed() - zero)


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
