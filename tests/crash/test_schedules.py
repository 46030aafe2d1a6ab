"""Five hundred schedules, the same each time. `make soak SCHEDULES=20000` runs as many as you like."""

from __future__ import annotations

import functools

import pytest

from tests.crash.running import Result, run

SCHEDULES = 500
SLICES = 10


@functools.cache
def drawn(seed: int) -> Result:
    """Run the schedule of a seed, as it is drawn: two tests look at some of them."""
    return run(seed)


@pytest.mark.parametrize("part", range(SLICES))
def test_no_schedule_of_faults_and_kills_breaks_a_promise(part: int) -> None:
    results = [drawn(seed) for seed in range(part, SCHEDULES, SLICES)]
    broken = [f"{result.judgement}\n    {result.replay}" for result in results if result.judgement.failed]
    assert not broken, "\n".join(broken)


def test_both_guarantees_every_ending_and_every_fault_occur_in_these_schedules() -> None:
    results = [drawn(seed) for seed in range(100)]
    assert {result.guarantee for result in results} == {"A", "B"}
    events = sum((result.events for result in results), start=type(results[0].events)())
    for name in ("posts by tries given up", "faults", "wait: success", "wait: failure", "wait: timeout"):
        assert events[name] > 0, name
    assert events["tries of the send"] > len(results)


def test_a_seed_always_stands_for_the_same_schedule_and_the_same_course() -> None:
    assert run(77, trace=True).trace == run(77, trace=True).trace
