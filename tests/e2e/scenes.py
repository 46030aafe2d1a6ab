"""A run of a DAG on the stack, and what the tests do to its processes. The simulator holds them still meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import psutil
import requests

from dev.airflow_api import Task
from dev.airflow_stack import AirflowStack
from tests.e2e.dags.people import LINE_VALIDITY, SCENARIO, bulk_of, messages_of, people_of

PASSWORD = "e2e-Kennwort-7Rq"
ID_SECRET = "e2e-Geheimnis-x4T"
"""The secrets of every connection in the e2e tests."""

PATIENCE = 120.0
"""Seconds for whatever a loaded machine may take long for."""


@dataclass(frozen=True)
class Run:
    """One run of a DAG, with the task that the test is about."""

    stack: AirflowStack
    dag_id: str
    run_id: str
    task_id: str
    sent_before: int
    """Messages that the vendor had accepted when the run began."""

    @classmethod
    def of(cls, stack: AirflowStack, dag_id: str, task_id: str = "send", conf: dict[str, Any] | None = None) -> Run:
        """Start a run."""
        sent_before = len(stack.simulator.record("acceptances")["acceptances"])
        return cls(stack, dag_id, stack.api.trigger(dag_id, conf), task_id, sent_before)

    def of_task(self, task_id: str) -> Run:
        """One run, seen from another task."""
        return replace(self, task_id=task_id)

    def task(self) -> Task:
        """Its task, as Airflow sees it."""
        return self.stack.api.task(self.dag_id, self.run_id, self.task_id)

    def process(self) -> psutil.Process:
        """The process in which the task's code runs now."""
        return self.stack.task_process(self.dag_id, self.run_id, self.task_id, timeout=PATIENCE)

    def wait_for_task(self, *states: str, try_number: int = 0) -> Task:
        """Wait until the task is in one of `states`, on this try or a later one."""
        return self.stack.wait_for_task(
            self.dag_id, self.run_id, self.task_id, *states, try_number=try_number, timeout=PATIENCE
        )

    def end(self) -> str:
        """Wait for the end of the run; how it ended."""
        return self.stack.wait_for_run(self.dag_id, self.run_id, timeout=PATIENCE)

    def log(self, try_number: int) -> str:
        """The log of one try of the task."""
        return self.stack.api.task_log(self.dag_id, self.run_id, self.task_id, try_number)

    def described(self) -> str:
        """States and logs, for a failed test."""
        return self.stack.describe_run(self.dag_id, self.run_id)

    def returned(self) -> Any:
        """The value that the task has pushed: a receipt or a summary."""
        return self.stack.api.xcom(self.dag_id, self.run_id, self.task_id)

    def accepted(self) -> Counter[str]:
        """The number of messages that the vendor has accepted for each number since the run began."""
        accepted = self.stack.simulator.record("acceptances")["acceptances"][self.sent_before :]
        return Counter(one["to"] for one in accepted)

    def messages(self) -> Counter[str]:
        """Accepted messages of the DAG's people, by number."""
        mine = people_of(self.dag_id)
        return Counter({number: count for number, count in self.accepted().items() if number in mine})


def one_each(dag_id: str) -> Counter[str]:
    """The end of `Run.messages` that is right."""
    return Counter(people_of(dag_id))


def hold(stack: AirflowStack, kind: str, call: str, contains: str | None = None) -> None:
    """Have the next call held back; with `contains` the next one with this text in query or body."""
    stack.simulator.add_fault(kind, call=call, contains=contains)


def wait_until_held(stack: AirflowStack, call: str) -> int:
    """Wait until the simulator holds a call; the id to let it go with."""
    stack.simulator.wait_for("held", call=call, timeout=PATIENCE)
    (held,) = [one["id"] for one in stack.simulator.held() if one["call"] == call]
    return int(held)


def send_by_hand(stack: AirflowStack, dag_id: str) -> None:
    """Send to the people of a DAG that only waits."""
    validity = {"validityPeriod": LINE_VALIDITY, "validityPeriodTimeUnit": "SECONDS"}
    body = {
        "scenarioKey": SCENARIO,
        "bulkId": bulk_of(dag_id),
        "destinations": [
            {"to": {"phoneNumber": number}, "messageId": message_id}
            for number, message_id in zip(people_of(dag_id), messages_of(dag_id), strict=True)
        ],
        "line": {"type": "TEXT", "text": "Hello"} | validity,
        "sms": {"text": "Hello"} | validity,
    }
    url = f"{stack.simulator.url}/omni/1/advanced"
    requests.post(url, json=body, auth=("demo", PASSWORD), timeout=10).raise_for_status()


@dataclass(frozen=True)
class Frozen:
    """A task's process, stopped with the supervisor that beats its heart: as on a machine that is suspended."""

    process: psutil.Process
    supervisor: psutil.Process

    @classmethod
    def of(cls, process: psutil.Process) -> Frozen:
        """Stop a task's process."""
        supervisor = process.parent()
        assert supervisor is not None
        supervisor.suspend()
        process.suspend()
        return cls(process, supervisor)

    def wake(self, stack: AirflowStack) -> None:
        """Continue the process, and its supervisor when the process waits for it.

        Airflow's supervisor ends a process that is not wanted any more at its next heartbeat. So the process is first.
        """
        before = pauses = self.process.num_ctx_switches().voluntary
        self.process.resume()

        def waits() -> bool:
            nonlocal pauses
            earlier, pauses = pauses, self.process.num_ctx_switches().voluntary
            return before < earlier == pauses and self.process.status() == psutil.STATUS_SLEEPING

        stack.wait_until(waits, "the process to ask its supervisor", PATIENCE)
        self.supervisor.resume()

    def wait_for_end(self, stack: AirflowStack) -> None:
        """Wait until the process is gone."""
        stack.wait_until(lambda: not self.process.is_running() or _is_zombie(self.process), "its end", PATIENCE)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
