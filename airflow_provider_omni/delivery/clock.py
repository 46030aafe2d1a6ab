"""The clock of a machine: it starts at the wall clock's time and from there on never steps.

A machine waits and concludes from having waited: that a POST is over, that the logs have caught up. A step of the wall
clock (NTP, an administrator) would look like time that has passed. Clocks of different processes differ, so no proof
rests on a difference of two processes' times that is smaller than an hour (`outbox/reconciler.py`).
"""

from __future__ import annotations

import time

from airflow_provider_omni.delivery.effects import Clock


def steady_clock(wall: Clock, elapsed: Clock) -> Clock:
    """Return a clock for one machine.

    :param wall: seconds since the epoch, `time.time`. Asked once.
    :param elapsed: seconds from any start that never step, `time.monotonic`. On a system with a clock of the boot, that
        one replaces `time.monotonic`, since the time for which a machine was suspended has passed as well.
    """
    if elapsed is time.monotonic and hasattr(time, "CLOCK_BOOTTIME"):
        elapsed = _since_boot
    began, zero = wall(), elapsed()
    return lambda: began + (elapsed() - zero)


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
