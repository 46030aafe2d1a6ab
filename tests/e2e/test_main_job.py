"""The main job on a real Airflow, judged by the simulator's record: the DAG of `make demo`, and the README's DAG."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from dev.airflow_stack import AirflowStack


def run(stack: AirflowStack, dag_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Run a DAG; the run's id, and what the simulator has accepted on the way."""
    before = len(stack.simulator.record("acceptances")["acceptances"])
    run_id = stack.api.trigger(dag_id)
    state = stack.wait_for_run(dag_id, run_id)
    assert state == "success", stack.describe_run(dag_id, run_id)
    return run_id, stack.simulator.record("acceptances")["acceptances"][before:]


@pytest.mark.parametrize(
    ("dag_id", "numbers"),
    [
        ("omni_line_sms", {"41793026727", "41793026740"}),
        ("order_shipped", {"41793026727", "41793026731"}),
        ("omni_send_and_wait", {"41793026727", "41793026740"}),
    ],
)
def test_everybody_gets_one_message(stack: AirflowStack, dag_id: str, numbers: set[str]) -> None:
    _, acceptances = run(stack, dag_id)

    assert Counter(one["to"] for one in acceptances) == Counter(numbers)


def test_sensor_tells_who_was_reached_on_which_channel(stack: AirflowStack) -> None:
    run_id, _ = run(stack, "omni_line_sms")

    summary = stack.api.xcom("omni_line_sms", run_id, "delivered")

    assert (summary["delivered"], summary["by_channel"]) == (2, {"LINE": 1, "SMS": 1})


def test_task_that_sends_and_waits_returns_its_receipt_and_who_was_reached(stack: AirflowStack) -> None:
    run_id, _ = run(stack, "omni_send_and_wait")

    receipt = stack.api.xcom("omni_send_and_wait", run_id, "send")

    assert receipt["counts"]["accepted"] == 2
    assert receipt["delivery"]["by_channel"] == {"LINE": 1, "SMS": 1}


def test_delivered_messages_of_one_dag_run_another_that_knows_their_counts(stack: AirflowStack) -> None:
    run_id, acceptances = run(stack, "omni_taskflow")

    def runs() -> list[Any] | None:
        found = stack.rows("select run_id from dag_run where dag_id = 'omni_when_delivered' and state = 'success'")
        return found or None

    ((next_run,),) = stack.wait_until(runs, "omni_when_delivered runs by itself")
    assert Counter(one["to"] for one in acceptances) == Counter(["41793026727", "41793026740", "41793026731"])
    said = stack.api.xcom("omni_when_delivered", next_run, "hand_over_to_the_courier")
    assert said == "2 of 2 were told: {'LINE': 1, 'SMS': 1}"
    extras = stack.rows("select extra from asset_event where source_run_id = ?", run_id)
    assert len(extras) == 1


def test_next_run_is_a_new_send(stack: AirflowStack) -> None:
    _, first = run(stack, "omni_line_sms")
    _, second = run(stack, "omni_line_sms")

    assert not {one["message_id"] for one in first} & {one["message_id"] for one in second}


def test_cleared_run_asks_for_the_same_messages_and_sends_nothing_again(stack: AirflowStack) -> None:
    run_id, before = run(stack, "omni_line_sms")
    stack.api.clear("omni_line_sms", run_id)

    assert stack.wait_for_run("omni_line_sms", run_id) == "success"
    mine = {message["message_id"] for message in before}
    sent = [one["message_id"] for one in stack.simulator.record("acceptances")["acceptances"]]
    assert Counter(one for one in sent if one in mine) == Counter(mine)
