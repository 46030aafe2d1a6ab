"""Schedules of alerts whose callbacks run more than once, the same each time; and the same with one rule taken out."""

from __future__ import annotations

import functools

import pytest

from tests.crash.alert_mutants import MUTANTS
from tests.crash.alerts import run
from tests.crash.mutating import Mutant, by_focus
from tests.crash.running import Result

SCHEDULES = 400
SLICES = 4
SEEDS = range(12)


@functools.cache
def drawn(seed: int) -> Result:
    """Run the schedule of a seed, as it is drawn: two tests look at some of them."""
    return run(seed)


@pytest.mark.parametrize("part", range(SLICES))
def test_no_schedule_of_callbacks_that_run_twice_breaks_a_promise(part: int) -> None:
    results = [drawn(seed) for seed in range(part, SCHEDULES, SLICES)]
    broken = [f"{result.judgement}\n    {result.replay}" for result in results if result.judgement.failed]
    assert not broken, "\n".join(broken)


def test_runs_that_look_that_find_and_that_post_all_occur_in_these_schedules() -> None:
    results = [drawn(seed) for seed in range(100)]
    events = sum((result.events for result in results), start=type(results[0].events)())
    for name in ("runs that looked", "runs that posted", "runs that found it sent", "processes killed or frozen"):
        assert events[name] > 10, name
    assert events["runs that looked"] < events["runs of callbacks"]
    assert any(result.judgement.excepted for result in results)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_harness_notices_when_a_rule_of_alerts_is_taken_out(mutant: Mutant) -> None:
    with mutant.patches():
        assert any(mutant.noticed_in(run(seed, focus=mutant.focus).judgement) for seed in SEEDS), mutant.what


@pytest.mark.parametrize("mutant", by_focus(MUTANTS).values(), ids=by_focus(MUTANTS))
def test_the_same_alerts_break_nothing_while_the_rule_is_in(mutant: Mutant) -> None:
    broken = [result.judgement for seed in SEEDS if (result := run(seed, focus=mutant.focus)).judgement.failed]
    assert not broken
