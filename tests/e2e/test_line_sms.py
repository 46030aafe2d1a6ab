"""The main job on a real Airflow: the example DAG `omni_line_sms`, judged by the simulator's record."""

from __future__ import annotations

from collections import Counter

from dev.airflow_stack import AirflowStack


def test_everybody_gets_one_message_and_the_run_succeeds(stack: AirflowStack) -> None:
    before = len(stack.simulator.record("acceptances")["acceptances"])

    run_id = stack.api.trigger("omni_line_sms")
    state = stack.wait_for_run("omni_line_sms", run_id)

    assert state == "success", stack.describe_run("omni_line_sms", run_id)
    acceptances = stack.simulator.record("acceptances")["acceptances"][before:]
    assert acceptances
    assert set(Counter(one["to"] for one in acceptances).values()) == {1}
