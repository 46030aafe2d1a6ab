"""A seed in, a result out: a batch and its wait."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from unittest.mock import patch

from airflow_provider_omni.delivery.tracking import ledger_watch
from tests.crash.batch_checker import judge_batch_send
from tests.crash.batch_outcomes import Case, judge_batch_wait
from tests.crash.batch_schedule import BatchSchedule, batch_schedule_of, one_task_batch_of
from tests.crash.batch_tasks import BatchTask
from tests.crash.breaking_workspace import BreakingWorkspace
from tests.crash.checker import wrong_account
from tests.crash.fake_stores import Bucket
from tests.crash.running import Result, one_account, patience
from tests.crash.waits import WaitTask
from tests.crash.world import World

MOST_EVENTS = 400_000
SLOW_READ = 1.5
"""Seconds that reading a part of the ledger takes, on average at the most."""


def run(seed: int, *, trace: bool = False, focus: Callable[[BatchSchedule], BatchSchedule] | None = None) -> Result:
    """Run the schedule of a seed to its end and judge it. `focus` changes the schedule first."""
    return run_plan(batch_schedule_of(seed), trace=trace, focus=focus, options="--batches ")


def run_in_one_task(
    seed: int, *, trace: bool = False, focus: Callable[[BatchSchedule], BatchSchedule] | None = None
) -> Result:
    """Run the schedule of a seed whose batch waits in the same task, and judge it."""
    return run_plan(one_task_batch_of(seed), trace=trace, focus=focus, options="--one-task-batches ")


def run_plan(
    plan: BatchSchedule,
    *,
    trace: bool = False,
    focus: Callable[[BatchSchedule], BatchSchedule] | None = None,
    options: str = "",
) -> Result:
    """Run a schedule to its end and judge it."""
    seed = plan.seed
    if focus is not None:
        plan = focus(plan)
    rng = random.Random(f"omni batch world {seed}")
    others = plan.upheavals.other_flows(plan.flow)
    world = World(plan.settings, plan.network, rng, plan.flow, trace, _secrets(plan), others)
    waits: list[WaitTask] = []
    send = BatchTask(world, plan, Bucket(rng, plan.store_failures), lambda task: _follow(world, plan, task, waits))
    try:
        with patch.object(ledger_watch, "Workspace", _workspaces(plan)):
            world.after(0.0, send.start_try)
            came_to_an_end = world.run(MOST_EVENTS)
        judgement = judge_batch_send(plan, world, send)
        judgement.wrong += sorted(world.leaks | world.report_faults)
        if not came_to_an_end:
            judgement.wrong.append("the schedule does not come to an end")
        events = _count(plan, world, send, waits)
        for wait in waits:
            behind = patience(plan, world, wait) + _reading(wait)
            wrong, reason = [], "two accounts have taken some"
            if one_account(world):
                simulator = world.account(wait.home)
                wrong, reason = judge_batch_wait(Case(plan, simulator, send, wait, behind))
            judgement.wrong += [*wrong, *wrong_account(world, wait, send.receipts.most_accepted if plan.ledger else 0)]
            events[f"wait: {wait.result.verdict.value if wait.result else 'error'}"] += 1
            events[f"waits whose verdict is not judged: {reason}"] += bool(reason)
    finally:
        send.close()
    return Result(seed, plan.guarantee, judgement, +events, tuple(world.trace), options)


def _workspaces(plan: BatchSchedule) -> Callable[[], BreakingWorkspace]:
    """Makes those of the wait."""
    numbers = itertools.count(1)
    return lambda: BreakingWorkspace(plan.workspace_breaks.of(plan.seed, f"read {next(numbers)}"))


def _secrets(plan: BatchSchedule) -> tuple[str, ...]:
    rows = [row for source in plan.send.sources for row in source]
    return (*{row["phone"] for row in rows}, *{f"Dear {row['name']}" for row in rows}, "Hello to you")


def _follow(world: World, plan: BatchSchedule, task: BatchTask, waits: list[WaitTask]) -> None:
    """The wait begins at an end of the sending task, also after a failure: there is a receipt."""
    if plan.wait.one_task:
        _go_on(world, plan, task, waits)
        return
    if waits or (plan.wait.after_clears and not task.cleared):
        return
    moved = plan.send.moved_at is not None and task.try_number >= plan.send.moved_at  # what to follow is not in it
    standing = task.receipts.standing
    if moved or standing is None or not (standing["bulks"] or (plan.ledger and task.posts)):
        world.over = world.over or task.cleared
        return

    def done() -> None:
        world.over = True

    receipt = {name: value for name, value in standing.items() if name != "message_ids" or plan.ids_listed}
    waits.append(WaitTask(world, plan, receipt, done, task.bucket if plan.ledger else None))
    waits[0].start()


def _go_on(world: World, plan: BatchSchedule, task: BatchTask, waits: list[WaitTask]) -> None:
    """The task itself waits when all is sent. What counts is its last wait: Airflow believes in no earlier one."""
    waits.clear()
    moved = plan.send.moved_at is not None and task.try_number >= plan.send.moved_at
    if task.end is None or moved:
        world.over = task.cleared
        return

    def done() -> None:
        world.over = task.ended_waiting()

    receipt = task.end.receipt.to_json()
    if not (receipt["bulks"] or receipt["ledger_path"]):
        done()  # nobody was sent to: there is nothing to wait for
        return
    receipt = {name: value for name, value in receipt.items() if name != "message_ids" or plan.ids_listed}
    waits.append(WaitTask(world, plan, receipt, done, task.bucket if plan.ledger else None, task))
    waits[0].start()


def _reading(wait: WaitTask) -> float:
    """Return the extra seconds of polls because the ledger is read, written, and asked again where that fails."""
    if wait.ledger is None:
        return 0.0
    often = 10 if wait.plan.wait.mode == "reschedule" else wait.copies
    again = 4 if wait.plan.store_failures or wait.plan.workspace_breaks.share else 1
    return often * again * (60.0 + SLOW_READ * len(wait.ledger.parts))


def _count(plan: BatchSchedule, world: World, send: BatchTask, waits: list[WaitTask]) -> Counter[str]:
    events = Counter({"schedules": 1, "faults": world.faults_so_far, "tries of the send": send.try_number})
    events["processes killed or frozen"] = world.crash_points
    events["posts"] = len(send.posts)
    events["posts by tries given up"] = sum(post.stale for post in send.posts)
    events["messages accepted"] = len(world.record.acceptances)
    events["sends green"] = send.end is not None
    events[f"sends ended: {type(send.error).__name__ if send.error else 'green' if send.end else 'lost'}"] = 1
    events["waits"] = len(waits)
    events["waits that refused to ask another account"] = sum(wait.restored for wait in waits if wait.task is None)
    events["waits from a ledger"] = sum(wait.bucket is not None for wait in waits)
    return events
