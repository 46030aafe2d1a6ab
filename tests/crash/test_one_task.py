"""Single sends and batches that wait in the same task: killed and cleared while they wait, too."""

from __future__ import annotations

import pytest

from tests.crash import batch_mutants, batch_running, mutants, wait_mutants
from tests.crash.running import run_in_one_task

SCHEDULES = 300
BATCHES = 150
SLICES = 6
MUTANTS = {
    name: (mutants.MUTANTS | wait_mutants.MUTANTS)[name]
    for name in (
        "no-reconcile",
        "no-fence",
        "ids-depend-on-the-try",
        "a-receipt-counts-what-was-posted-only",
        "a-record-that-was-dropped-is-believed",
        "a-clear-while-a-try-runs-is-an-end-of-it",
        "no-journal",
        "under-way-is-failed",
    )
}
BATCH_MUTANTS = {
    name: batch_mutants.MUTANTS[name]
    for name in (
        "trust-is-renewed",
        "lists-of-ids-prove-absence",
        "no-look-at-the-start",
        "what-another-copy-has-read-is-not-looked-for",
        "each-part-is-judged-alone",
    )
}


@pytest.mark.parametrize("part", range(SLICES))
def test_no_schedule_of_a_task_that_sends_and_waits_breaks_a_promise(part: int) -> None:
    results = [run_in_one_task(seed) for seed in range(part, SCHEDULES, SLICES)]
    broken = [f"{result.judgement}\n    {result.replay}" for result in results if result.judgement.failed]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("part", range(SLICES))
def test_no_schedule_of_a_batch_that_waits_breaks_a_promise(part: int) -> None:
    results = [batch_running.run_in_one_task(seed) for seed in range(part, BATCHES, SLICES)]
    broken = [f"{result.judgement}\n    {result.replay}" for result in results if result.judgement.failed]
    assert not broken, "\n".join(broken)


def test_tasks_are_killed_cleared_and_ended_in_every_way_while_they_wait() -> None:
    results = [run_in_one_task(seed, trace=True) for seed in range(150)]
    traces = "\n".join(line for result in results for line in result.trace)
    assert "the waiting try is given up" in traces
    assert "the user clears the task while it waits" in traces
    events = sum((result.events for result in results), start=type(results[0].events)())
    for name in ("wait: success", "wait: failure", "wait: timeout"):
        assert events[name] > 0, name


@pytest.mark.parametrize("name", MUTANTS)
def test_the_family_notices_when_a_rule_is_taken_out(name: str) -> None:
    mutant = MUTANTS[name]
    with mutant.patches():
        assert any(mutant.noticed_in(run_in_one_task(seed, focus=mutant.focus).judgement) for seed in range(16))


@pytest.mark.parametrize("name", BATCH_MUTANTS)
def test_the_family_of_batches_notices_when_a_rule_is_taken_out(name: str) -> None:
    mutant = BATCH_MUTANTS[name]
    with mutant.patches():
        results = (batch_running.run_in_one_task(seed, focus=mutant.focus) for seed in range(16))
        assert any(mutant.noticed_in(result.judgement) for result in results)


def test_somebody_suppressed_whose_message_was_refused_and_then_accepted_is_counted_once() -> None:
    assert not batch_running.run_in_one_task(1301423).judgement.failed
