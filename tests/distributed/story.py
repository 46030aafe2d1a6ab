"""The story of the test of several machines, and the observations of it. The tests judge.

Six shards of one batch run on two workers with two slots each, and answers are held back until both have posted
something that they know no answer of. Then one worker loses its power. Later every sensor waits for reports that the
vendor has already handed out, the answers are held back again, and the triggerer with the most sensors loses its power.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_omni.ledger import OutcomeRow, read_outcomes
from dev.airflow_api import Task
from dev.airflow_stack import StackError
from dev.distributed import TRIGGERERS, WORKERS, DistributedStack
from tests.distributed.people import LINE_VALIDITY, NUMBER, write_people

DAGS = Path(__file__).parent / "dags"
DAG_ID = "distributed_shards"
SHARDS = 6
BEFORE = 8
"""Requests that are answered before answers are held back."""

CONNECTION = {"connect_timeout": 2, "read_timeout": 20}
"""Seconds. Longer than answers are held back; what a lost worker has posted is asked for only later than that."""


@dataclass(frozen=True)
class Story:
    """The observations."""

    state: str
    """The end of the DAG run."""
    lost_sends: list[Task]
    """Tasks that ran on the worker when it was lost."""
    lost_waits: list[Task]
    """The sensors whose triggers ran in the triggerer when it was lost."""
    lost_reports: int
    """Reports that were handed out by then, in answers that nobody has read."""
    sends: list[Task]
    waits: list[Task]
    receipts: list[dict[str, Any]]
    summaries: list[dict[str, Any]]
    record: dict[str, list[dict[str, Any]]]
    outcomes: list[OutcomeRow]
    telling_logs: list[str]
    """Log files of Airflow's, its tasks' and its triggers' that hold a phone number."""
    described: str
    """The tasks' states and the ends of their logs, for a person who looks for the reason."""


def play(stack: DistributedStack, say: Callable[[str], None]) -> Story:
    """Run the DAG on a started stack, and take down one worker and one triggerer on the way."""
    ledger = stack.folder / "ledger"
    people = stack.folder / "people.csv"
    write_people(people)
    stack.simulator.add_fault("hold-after", call="send", skip=BEFORE, times=None)
    run_id = stack.api.trigger(DAG_ID, conf={"people": str(people), "ledger": str(ledger)})
    try:
        # A worker has at most four requests under way, so that five are of both.
        stack.simulator.wait_for("held", 5, timeout=120)
        say("both workers wait for answers")
        lost_sends = _lose_worker(stack, run_id)
        say(f"worker lost, with {len(lost_sends)} shards")
        stack.simulator.add_fault("hold-after", call="reports", times=None)
        _wait_for_all(stack, run_id, "send", "success", timeout=200)
        say("all shards sent")
        _wait_for_all(stack, run_id, "delivered", "deferred", timeout=60)
        stack.simulator.wait_for("held", SHARDS, timeout=90)
        lost_reports = len(stack.simulator.record("reports_read")["reports_read"])
        say(f"all sensors wait for answers, with {lost_reports} reports")
        lost_waits = _lose_triggerer(stack, run_id)
        say(f"triggerer lost, with {len(lost_waits)} sensors")
        stack.simulator.advance(LINE_VALIDITY + 1)
        state = stack.wait_for_run(DAG_ID, run_id, timeout=200)
        say(f"the run has ended: {state}")
    except TimeoutError as error:
        raise StackError(f"{error}\n{stack.describe_run(DAG_ID, run_id)}\n{stack.tail()}") from None
    tasks = stack.api.tasks(DAG_ID, run_id)
    return Story(
        state=state,
        lost_sends=lost_sends,
        lost_waits=lost_waits,
        lost_reports=lost_reports,
        sends=[task for task in tasks if task.task_id == "send"],
        waits=[task for task in tasks if task.task_id == "delivered"],
        receipts=[stack.api.xcom(DAG_ID, run_id, "send", map_index=shard) for shard in range(SHARDS)],
        summaries=[stack.api.xcom(DAG_ID, run_id, "delivered", map_index=shard) for shard in range(SHARDS)],
        record=stack.simulator.record("acceptances"),
        outcomes=list(read_outcomes(str(ledger))),
        telling_logs=[str(log) for log, text in stack.logs() if log.stem != "simulator" and NUMBER.search(text)],
        described="\n".join([stack.describe_run(DAG_ID, run_id), *_given_up(stack, run_id, tasks)]),
    )


def _lose_worker(stack: DistributedStack, run_id: str) -> list[Task]:
    """Take down the worker with the most shards, then let the answers go; what ran there."""
    running = [task for task in _tasks(stack, run_id, "send") if task.state == "running"]
    victim = _busiest([task.hostname for task in running if task.hostname in WORKERS])
    stack.kill_machine(victim)
    stack.simulator.clear_faults()
    stack.simulator.release()
    return [task for task in running if task.hostname == victim]


def _lose_triggerer(stack: DistributedStack, run_id: str) -> list[Task]:
    """Take down the triggerer with the most sensors, let the answers go, and wait until the other has taken them."""
    waiting = _tasks(stack, run_id, "delivered")
    victim = _busiest([task.triggerer_host for task in waiting if task.triggerer_host in TRIGGERERS])
    stack.kill_machine(victim)
    stack.simulator.clear_faults()
    stack.simulator.release()

    def taken_over() -> bool:
        return all(task.triggerer_host not in (None, victim) for task in _tasks(stack, run_id, "delivered"))

    stack.wait_until(taken_over, "the other triggerer to take over", timeout=60)
    return [task for task in waiting if task.triggerer_host == victim]


def _given_up(stack: DistributedStack, run_id: str, tasks: list[Task]) -> Iterator[str]:
    """The logs of the tries that were not the last."""
    for task in tasks:
        for number in range(1, task.try_number):
            yield f"{task.task_id}[{task.map_index}], try {number}"
            yield stack.api.task_log(DAG_ID, run_id, task.task_id, number, task.map_index)


def _busiest(hosts: list[Any]) -> str:
    ((host, _count),) = Counter(hosts).most_common(1)
    return str(host)


def _wait_for_all(stack: DistributedStack, run_id: str, task_id: str, state: str, timeout: float) -> None:
    def reached() -> bool:
        tasks = _tasks(stack, run_id, task_id)
        if failed := [task for task in tasks if task.state in ("failed", "upstream_failed")]:
            raise StackError(f"{failed}\n{stack.describe_run(DAG_ID, run_id)}")
        return len(tasks) == SHARDS and all(task.state == state for task in tasks)

    stack.wait_until(reached, f"all of {task_id} to be {state}", timeout, every=1.0)


def _tasks(stack: DistributedStack, run_id: str, task_id: str) -> list[Task]:
    return [task for task in stack.api.tasks(DAG_ID, run_id) if task.task_id == task_id]


class Clock:
    """Says what happens with the seconds since the start: what a person wants to see of a long test."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._began:6.1f} s  {line}", flush=True)
