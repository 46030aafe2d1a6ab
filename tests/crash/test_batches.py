"""Schedules of batches, the same each time; and the same with one rule taken out, which must be noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_omni.delivery.batch import keeping, lanes, machine
from airflow_provider_omni.delivery.effects import ListParts, Save
from airflow_provider_omni.delivery.record import MessageState
from tests.crash.batches import Plan, run
from tests.crash.processes import Mishap, Phase

SCHEDULES = 200
SLICES = 5
ENOUGH = 60
"""Schedules within which the harness must notice that a rule is missing."""


def frozen_on_the_way(plan: Plan) -> Plan:
    """The first try is frozen until long after the next, and the vendor takes whatever is sent."""
    return replace(
        plan,
        guarantee="B",
        settings=plan.settings.changed({"duplicates": "accept"}),
        mishaps=(Mishap(4 + plan.seed % 40, Phase.DURING, 5000.0),),
        tries=3,
        heartbeat=30.0,
        retry_delay=1.0,
        connections=2,
        chunk=1,
    )


@pytest.mark.parametrize("part", range(SLICES))
def test_no_schedule_of_a_batch_breaks_a_promise(part: int) -> None:
    results = [run(seed) for seed in range(part, SCHEDULES, SLICES)]
    broken = [f"{result.broken}\n    {result.replay}" for result in results if result.broken]
    assert not broken, "\n".join(broken)
    assert any(result.green for result in results)


def without_reconciling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is unknown is taken for absent."""

    def settle(postings: Any, *_: Any) -> Any:
        for posting in postings:
            for message_id in posting.having(MessageState.INTENT):
                posting.messages[message_id] = MessageState.ABSENT
        yield from ()
        return {}

    monkeypatch.setattr(machine, "settle", settle)


def without_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intents are written, but nobody looks whether another try has taken over."""
    writes = keeping.LedgerKeeper.writes
    monkeypatch.setattr(
        keeping.LedgerKeeper,
        "writes",
        lambda *args: tuple(each for each in writes(*args) if not isinstance(each, Save | ListParts)),
    )


def without_intent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written before a POST."""
    for keeper in (keeping.LedgerKeeper, keeping.MemoryKeeper):
        writes = keeper.writes
        monkeypatch.setattr(
            keeper, "writes", lambda self, intents, outcomes, labels, writes=writes: writes(self, (), outcomes, ())
        )


def with_old_intents(monkeypatch: pytest.MonkeyPatch) -> None:
    """An intent may be as old as it likes."""
    monkeypatch.setattr(lanes, "FRESH", 1e9)


@pytest.mark.parametrize("mutate", [without_reconciling, without_fence, without_intent, with_old_intents])
def test_a_missing_rule_is_noticed(
    monkeypatch: pytest.MonkeyPatch, mutate: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutate(monkeypatch)
    assert any(run(seed, focus=frozen_on_the_way).broken for seed in range(ENOUGH)), mutate.__doc__


def test_the_same_schedules_break_nothing_while_the_rules_are_in() -> None:
    assert not [result.replay for seed in range(ENOUGH) if (result := run(seed, focus=frozen_on_the_way)).broken]
