"""A seed in, a result out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.crash.checker import Judgement, judge_send, judge_wait
from tests.crash.schedule import Schedule, one_task_schedule_of, schedule_of
from tests.crash.tasks import SendTask
from tests.crash.waits import WaitTask
from tests.crash.world import CONNECT_TIMEOUT, READ_TIMEOUT, World

SLACK = 60.0


@dataclass(frozen=True)
class Result:
    """The course of one schedule."""

    seed: int
    guarantee: str
    judgement: Judgement
    events: Counter[str] = field(default_factory=Counter)
    trace: tuple[str, ...] = ()
    options: str = ""
    """Of the replay's command."""

    @property
    def replay(self) -> str:
        """The command that runs this schedule alone, with its trace."""
        return f"python -m tests.crash {self.options}--seed {self.seed} --trace"


def run(seed: int, *, trace: bool = False, focus: Callable[[Schedule], Schedule] | None = None) -> Result:
    """Run the schedule of a seed to its end and judge it. `focus` changes the schedule first."""
    return run_plan(schedule_of(seed), trace=trace, focus=focus)


def run_in_one_task(seed: int, *, trace: bool = False, focus: Callable[[Schedule], Schedule] | None = None) -> Result:
    """Run the schedule of a seed whose send waits in the same task, and judge it."""
    return run_plan(one_task_schedule_of(seed), trace=trace, focus=focus, options="--one-task ")


def run_plan(
    plan: Schedule,
    *,
    trace: bool = False,
    focus: Callable[[Schedule], Schedule] | None = None,
    options: str = "",
) -> Result:
    """Run a schedule to its end and judge it."""
    seed = plan.seed
    if focus is not None:
        plan = focus(plan)
    rng, others = random.Random(f"omni world {seed}"), plan.upheavals.other_flows(plan.flow)
    world = World(plan.settings, plan.network, rng, plan.flow, trace, _secrets(plan), others)
    waits: list[WaitTask] = []
    send = SendTask(world, plan, lambda task: _follow(world, plan, task, waits))
    world.after(0.0, send.start_try)
    came_to_an_end = world.run()
    judgement = judge_send(plan, world, send)
    judgement.wrong += sorted(world.leaks | world.report_faults)
    if not came_to_an_end:
        judgement.wrong.append("the schedule does not come to an end")
    events = _count(plan, world, send, waits)
    for wait in waits:
        events[f"wait: {wait.result.verdict.value if wait.result else 'error'}"] += 1
        if not judgement.twice and one_account(world):
            simulator = world.account(wait.home)
            judgement.wrong += judge_wait(plan, simulator, wait, patience(plan, world, wait))
    return Result(seed, plan.guarantee, judgement, events, tuple(world.trace), options)


def _secrets(plan: Schedule) -> tuple[str, ...]:
    return (*{number for people in plan.send.people for number in people}, *plan.send.texts)


def _follow(world: World, plan: Schedule, task: SendTask, waits: list[WaitTask]) -> None:
    """The wait begins at an end of the sending task, also after a failure: there is a receipt."""
    if plan.wait.one_task:
        _go_on(world, plan, task, waits)
        return
    if waits or (plan.wait.after_clears and not task.cleared):
        return
    receipt = task.receipts.standing
    if receipt is None or not receipt["bulks"]:
        world.over = True
        return

    def done() -> None:
        world.over = True

    waits.append(WaitTask(world, plan, receipt, done))
    waits[0].start()


def _go_on(world: World, plan: Schedule, task: SendTask, waits: list[WaitTask]) -> None:
    """The task itself waits when all is sent. What counts is its last wait: Airflow believes in no earlier one."""
    waits.clear()
    if not task.succeeded:
        world.over = task.cleared
        return

    def done() -> None:
        world.over = task.ended_waiting()

    assert task.end is not None
    receipt = task.end.receipt.to_json()
    if not receipt["bulks"]:
        done()  # nobody was sent to: there is nothing to wait for
        return
    waits.append(WaitTask(world, plan, receipt, done, task=task))
    waits[0].start()


def one_account(world: World) -> bool:
    """Return True if all that was taken was taken by one account, so that one wait can tell what became of it."""
    return sum(bool(simulator.record.messages) for simulator in world.simulators.values()) <= 1


def patience(plan: Any, world: World, wait: WaitTask) -> float:
    """Return the seconds that a wait may be late: a few polls, the lag of the logs, and the time it was down."""
    polls = 9 * 1.1 * plan.wait.poll_interval
    faults = world.faults_so_far * (CONNECT_TIMEOUT + READ_TIMEOUT)
    if plan.store_slowness:
        polls *= 3
    logs_down = plan.network.logs_down[1] - plan.network.logs_down[0]
    reports = 5 * plan.settings.beat_seconds
    return SLACK + polls + faults + logs_down + reports + plan.settings.log_lag_seconds + wait.downtime + wait.behind


def _count(plan: Schedule, world: World, send: SendTask, waits: list[WaitTask]) -> Counter[str]:
    events = Counter({"schedules": 1, "faults": world.faults_so_far, "tries of the send": send.try_number})
    events["posts"] = len(send.posts)
    events["posts by tries given up"] = sum(post.stale for post in send.posts)
    events["sends green"] = send.succeeded
    events[f"sends ended: {type(send.error).__name__ if send.error else 'green' if send.succeeded else 'lost'}"] = 1
    events["waits"] = len(waits)
    events["waits that refused to ask another account"] = sum(wait.restored for wait in waits if wait.task is None)
    return events
