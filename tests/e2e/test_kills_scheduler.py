"""The scheduler is killed while a task sends, and restarted while the next one waits."""

from __future__ import annotations

import signal

from dev.airflow_stack import AirflowStack
from tests.e2e.dags.people import people_of
from tests.e2e.scenes import Run, hold, one_each, wait_until_held


def test_run_survives_its_scheduler_and_everybody_gets_one_message(stack: AirflowStack) -> None:
    hold(stack, "hold-after", "send", people_of("restarted")[0])
    run = Run.of(stack, "restarted")
    held = wait_until_held(stack, "send")

    # The task lives on, and the new scheduler knows nothing of it: it has it tried again.
    stack.signal_component("scheduler", signal.SIGKILL)
    stack.start_component("scheduler")
    run.wait_for_task("success", "failed", try_number=2)
    stack.simulator.release(held)
    stack.restart_component("scheduler")

    assert run.end() == "success", run.described()
    assert run.messages() == one_each("restarted")
    assert run.returned()["counts"]["accepted"] == 2
    summary = stack.api.xcom("restarted", run.run_id, "wait")
    assert summary["by_channel"] == {"LINE": 1, "SMS": 1}
