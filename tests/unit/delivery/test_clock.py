"""The clock that machines are given."""

from __future__ import annotations

import time

from airflow_provider_omni.delivery.clock import steady_clock


def test_it_begins_as_the_wall_clock_and_does_not_step_with_it() -> None:
    wall, elapsed = [1000.0], [5.0]
    clock = steady_clock(lambda: wall[0], lambda: elapsed[0])
    assert clock() == 1000.0
    elapsed[0] += 2.0
    for stepped in (5000.0, 0.0):
        wall[0] = stepped
        assert clock() == 1002.0


def test_the_time_for_which_a_machine_was_suspended_has_passed() -> None:
    before = time.time()
    clock = steady_clock(time.time, time.monotonic)
    assert before - 1.0 <= clock() <= time.time() + 1.0
