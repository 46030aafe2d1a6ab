"""Schedules of batches and their waits, the same each time; and the same with one rule taken out."""

from __future__ import annotations

import functools

import pytest

from tests.crash.batch_mutants import MUTANTS
from tests.crash.batch_running import run
from tests.crash.mutating import Mutant, by_focus
from tests.crash.running import Result

SCHEDULES = 200
SLICES = 5
ENOUGH = 16
"""Schedules within which the harness must notice that a rule is missing."""
FROZEN_ENOUGH = 60
"""Batches where the moment matters at which a try is frozen."""


def seeds_of(mutant: Mutant) -> range:
    return range(FROZEN_ENOUGH if mutant.focus.__name__ == "_frozen_on_the_way" else ENOUGH)


@functools.cache
def drawn(seed: int) -> Result:
    """Run the schedule of a seed, as it is drawn: two tests look at some of them."""
    return run(seed)


@pytest.mark.parametrize("part", range(SLICES))
def test_no_schedule_of_a_batch_breaks_a_promise(part: int) -> None:
    results = [drawn(seed) for seed in range(part, SCHEDULES, SLICES)]
    broken = [f"{result.judgement}\n    {result.replay}" for result in results if result.judgement.failed]
    assert not broken, "\n".join(broken)


def test_both_guarantees_and_every_ending_of_a_wait_occur_in_these_schedules() -> None:
    results = [drawn(seed) for seed in range(60)]
    assert {result.guarantee for result in results} == {"A", "B"}
    events = sum((result.events for result in results), start=type(results[0].events)())
    for name in ("sends green", "waits from a ledger", "wait: success", "wait: failure", "wait: timeout"):
        assert events[name] > 0, name
    judged = events["waits"] - sum(count for name, count in events.items() if "not judged" in name)
    assert judged > events["waits"] / 2


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_missing_rule_is_noticed(mutant: Mutant) -> None:
    with mutant.patches():
        judgements = (run(seed, focus=mutant.focus).judgement for seed in seeds_of(mutant))
        assert any(map(mutant.noticed_in, judgements)), mutant.what


@pytest.mark.parametrize("mutant", by_focus(MUTANTS).values(), ids=by_focus(MUTANTS))
def test_the_same_schedules_break_nothing_while_the_rule_is_in(mutant: Mutant) -> None:
    results = [run(seed, focus=mutant.focus) for seed in seeds_of(mutant)]
    assert not [f"{each.judgement} {each.replay}" for each in results if each.judgement.failed]


def test_a_seed_always_stands_for_the_same_schedule_and_the_same_course() -> None:
    assert run(77, trace=True).trace == run(77, trace=True).trace
