"""The harness is checked: with a rule taken out it must find broken promises, and none with the rule in."""

from __future__ import annotations

import pytest

from tests.crash import mutants, wait_mutants
from tests.crash.mutating import Mutant, by_focus
from tests.crash.running import run

MUTANTS = mutants.MUTANTS | wait_mutants.MUTANTS
SEEDS = range(16)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_harness_notices_when_a_rule_is_taken_out(mutant: Mutant) -> None:
    with mutant.patches():
        assert any(mutant.noticed_in(run(seed, focus=mutant.focus).judgement) for seed in SEEDS), mutant.what


@pytest.mark.parametrize("mutant", by_focus(MUTANTS).values(), ids=by_focus(MUTANTS))
def test_the_same_schedules_break_nothing_while_the_rule_is_in(mutant: Mutant) -> None:
    broken = [result.judgement for seed in SEEDS if (result := run(seed, focus=mutant.focus)).judgement.failed]
    assert not broken
