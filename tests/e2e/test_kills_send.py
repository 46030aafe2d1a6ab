"""The sending task is killed or frozen; the next try does the right thing. Judged by the simulator's record.

The vendor takes the same message id as often as it comes (guarantee B of docs/reliability.md), so that a second POST
would be a second message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from dev.airflow_stack import AirflowStack
from tests.e2e.dags.people import FROZEN, KILLED, people_of
from tests.e2e.scenes import PATIENCE, Frozen, Run, hold, one_each, wait_until_held

# -- SIGKILL ----------------------------------------------------------------------------------------------------------


def killed_after_effect(stack: AirflowStack, run: Run) -> None:
    """The vendor has the request, and its answer is on the way."""
    hold(stack, "hold-after", "send", people_of(run.dag_id)[0])
    process = run.process()
    held = wait_until_held(stack, "send")
    process.kill()
    stack.simulator.release(held)


def killed_before_effect(stack: AirflowStack, run: Run) -> None:
    """The request has left, and never arrives."""
    hold(stack, "hold-before", "send", people_of(run.dag_id)[0])
    process = run.process()
    held = wait_until_held(stack, "send")
    process.kill()
    stack.simulator.drop(held)


def killed_before_intent(stack: AirflowStack, run: Run) -> None:
    """It asks for the scenario, and has written nothing yet."""
    hold(stack, "hold-after", "get_scenario")
    process = run.process()
    held = wait_until_held(stack, "get_scenario")
    process.kill()
    stack.simulator.release(held)


KILLS: dict[str, Callable[[AirflowStack, Run], None]] = {
    "killed_after_effect": killed_after_effect,
    "killed_before_effect": killed_before_effect,
    "killed_before_intent": killed_before_intent,
}


@pytest.fixture(scope="module")
def killed(stack: AirflowStack, frozen: dict[str, tuple[Run, Frozen]]) -> dict[str, Run]:
    """Runs whose task was killed in its first try, each as its name says.

    Meanwhile Airflow misses the heartbeats of those that were frozen before.
    """
    runs = {}
    for dag_id in KILLED:
        runs[dag_id] = Run.of(stack, dag_id)
        KILLS[dag_id](stack, runs[dag_id])
    return runs


@pytest.mark.parametrize("dag_id", KILLED)
def test_killed_task_is_tried_again_and_everybody_gets_one_message(killed: dict[str, Run], dag_id: str) -> None:
    run = killed[dag_id]
    assert run.end() == "success", run.described()
    assert run.task().try_number > 1
    assert run.messages() == one_each(dag_id)
    assert run.returned()["counts"]["accepted"] == 2


# -- SIGSTOP, and SIGCONT when the next try has run --------------------------------------------------------------------


def frozen_before_first_intent(stack: AirflowStack, run: Run) -> Frozen:
    """It asks for the scenario, and has written nothing yet."""
    hold(stack, "hold-after", "get_scenario")
    process = run.process()
    held = wait_until_held(stack, "get_scenario")
    frozen = Frozen.of(process)
    stack.simulator.release(held)
    return frozen


def frozen_before_intent(stack: AirflowStack, run: Run) -> Frozen:
    """It was told to come again later; then it will write its intent anew, and post."""
    stack.simulator.add_fault("throttle", call="send", contains=people_of(run.dag_id)[0], retry_after=10)
    process = run.process()
    stack.wait_until(lambda: stack.simulator.count_faults("throttle"), "its first POST", PATIENCE, every=0.1)
    return Frozen.of(process)


def frozen_after_effect(stack: AirflowStack, run: Run) -> Frozen:
    """The vendor has the request, and its answer is on the way."""
    hold(stack, "hold-after", "send", people_of(run.dag_id)[0])
    process = run.process()
    held = wait_until_held(stack, "send")
    frozen = Frozen.of(process)
    stack.simulator.release(held)
    return frozen


FREEZES: dict[str, Callable[[AirflowStack, Run], Frozen]] = {
    "frozen_before_first_intent": frozen_before_first_intent,
    "frozen_before_intent": frozen_before_intent,
    "frozen_after_effect": frozen_after_effect,
}


@dataclass(frozen=True)
class Woken:
    """A run whose first try was frozen until the second had run, and then ran on to its end."""

    run: Run
    receipt: Any
    """As the second try has left it."""


@pytest.fixture(scope="module")
def frozen(stack: AirflowStack) -> dict[str, tuple[Run, Frozen]]:
    """Runs whose task was frozen in its first try, each as its name says."""
    runs = {}
    for dag_id in FROZEN:
        run = Run.of(stack, dag_id)
        runs[dag_id] = run, FREEZES[dag_id](stack, run)
    return runs


@pytest.fixture(scope="module")
def woken(stack: AirflowStack, frozen: dict[str, tuple[Run, Frozen]]) -> dict[str, Woken]:
    """All that holds after the next try of all of them has run, and the first one has gone on to its end."""
    receipts = {}
    for dag_id, (run, _) in frozen.items():
        run.wait_for_task("success", "failed", try_number=2)
        receipts[dag_id] = run.returned()
    for _, process in frozen.values():
        process.wake(stack)
        process.wait_for_end(stack)
    return {dag_id: Woken(run, receipts[dag_id]) for dag_id, (run, _) in frozen.items()}


@pytest.mark.parametrize("dag_id", FROZEN)
def test_frozen_task_is_tried_again_and_sends_nothing_when_it_wakes(woken: dict[str, Woken], dag_id: str) -> None:
    run = woken[dag_id].run
    assert run.end() == "success", run.described()
    assert run.task().try_number > 1
    assert run.messages() == one_each(dag_id)


@pytest.mark.parametrize("dag_id", FROZEN)
def test_task_that_wakes_does_not_write_over_the_receipt(woken: dict[str, Woken], dag_id: str) -> None:
    run, receipt = woken[dag_id].run, woken[dag_id].receipt
    assert receipt["counts"]["accepted"] == 2
    assert run.returned() == receipt


@pytest.mark.parametrize("dag_id", ["frozen_before_first_intent", "frozen_before_intent"])
def test_write_of_a_task_that_wakes_is_refused(woken: dict[str, Woken], dag_id: str) -> None:
    assert "This try was replaced by another one" in woken[dag_id].run.log(1)
