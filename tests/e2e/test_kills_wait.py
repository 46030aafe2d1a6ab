"""Triggerers are killed, stopped and frozen while a sensor waits. One report was read by then, another comes later.

The reports are handed out once: who reads one and dies has taken it away from everybody else. A triggerer that is new
takes seconds for its first access to an XCom, so each test leaves the next one what it has.
"""

from __future__ import annotations

import json
import signal

import psutil

from dev.airflow_stack import AirflowStack
from tests.e2e.dags.people import LINE_VALIDITY, bulk_of, messages_of, people_of
from tests.e2e.scenes import PATIENCE, Run, hold, one_each, send_by_hand, wait_until_held

TRIGGERERS = ("triggerer", "triggerer-2")


def wait_on_one_of_two(stack: AirflowStack, dag_id: str) -> tuple[Run, str]:
    """Send, and start the DAG that waits for it; the run, and the triggerer that has it. There is another one."""
    send_by_hand(stack, dag_id)
    run = Run.of(stack, dag_id, "wait")
    for name in TRIGGERERS:
        if stack.processes.find(name) is None:
            stack.start_component(name)
    return run, triggerer_of(run)


def triggerer_of(run: Run, other_than: str | None = None) -> str:
    """The triggerer that has the run's trigger, once it is not `other_than`."""

    def taken() -> str | None:
        host = run.task().triggerer_host
        return None if host == other_than else host

    return run.stack.wait_until(taken, f"a triggerer other than {other_than} to take the trigger", PATIENCE)


def wait_until_read(stack: AirflowStack, dag_id: str) -> None:
    """Wait until the report about the first person has left the account."""

    def read() -> bool:
        reports = stack.simulator.record("reports_read")["reports_read"]
        return any(report["message_id"] == messages_of(dag_id)[0] for report in reports)

    stack.wait_until(read, "the first report to be read", PATIENCE)


def wait_until_written(run: Run) -> None:
    """Wait until what was read stands in the journal."""
    key = f"omni_journal_{bulk_of(run.dag_id)}_try_1"
    stack = run.stack

    def written() -> bool:
        # The sensor has written an entry that says nothing.
        entry = stack.api.xcom(run.dag_id, run.run_id, "wait", key)
        return messages_of(run.dag_id)[0] in json.dumps(entry)

    stack.wait_until(written, "the journal", PATIENCE)


def assert_that_both_outcomes_are_known(run: Run) -> None:
    """Let the second person get the SMS, and see what the sensor says."""
    run.stack.simulator.advance(LINE_VALIDITY + 2)
    assert run.end() == "success", run.described()
    summary = run.returned()
    assert (summary["total"], summary["delivered"]) == (2, 2)
    assert summary["by_channel"] == {"LINE": 1, "SMS": 1}


def test_report_that_died_with_its_triggerer_is_found_again(stack: AirflowStack) -> None:
    hold(stack, "hold-after", "reports", bulk_of("waiting_killed"))
    run, triggerer = wait_on_one_of_two(stack, "waiting_killed")
    held = wait_until_held(stack, "reports")
    wait_until_read(stack, "waiting_killed")

    stack.signal_component(triggerer, signal.SIGKILL)
    stack.simulator.release(held)
    triggerer_of(run, other_than=triggerer)

    assert_that_both_outcomes_are_known(run)


def test_two_triggerers_that_both_have_the_trigger_take_nothing_from_each_other(stack: AirflowStack) -> None:
    run, triggerer = wait_on_one_of_two(stack, "waiting_twice")
    wait_until_read(stack, "waiting_twice")
    main = stack.processes.find(triggerer)
    assert main is not None

    frozen: list[psutil.Process] = [main, *main.children(recursive=True)]
    for process in frozen:
        process.suspend()
    triggerer_of(run, other_than=triggerer)
    for process in reversed(frozen):
        process.resume()

    assert_that_both_outcomes_are_known(run)


def test_report_that_was_read_before_the_triggerer_was_stopped_is_not_forgotten(stack: AirflowStack) -> None:
    run, triggerer = wait_on_one_of_two(stack, "waiting_terminated")
    wait_until_read(stack, "waiting_terminated")
    wait_until_written(run)

    stack.signal_component(triggerer, signal.SIGTERM)
    triggerer_of(run, other_than=triggerer)

    assert_that_both_outcomes_are_known(run)


def test_task_that_is_killed_while_it_waits_for_what_it_sent_goes_on_waiting_and_sends_nothing_again(
    stack: AirflowStack,
) -> None:
    run = Run.of(stack, "sends_and_waits")
    first = people_of(run.dag_id)[0]

    def read() -> bool:
        sent = {one["message_id"] for one in stack.simulator.record("acceptances")["acceptances"] if one["to"] == first}
        return any(one["message_id"] in sent for one in stack.simulator.record("reports_read")["reports_read"])

    stack.wait_until(read, "the first report to be read", PATIENCE)
    run.process().kill()

    stack.simulator.advance(LINE_VALIDITY + 2)
    assert run.end() == "success", run.described()
    assert run.task().try_number == 2
    delivery = run.returned()["delivery"]
    assert (delivery["delivered"], delivery["by_channel"]) == (2, {"LINE": 1, "SMS": 1})
    assert run.messages() == one_each(run.dag_id)
