"""Airflow's part in an alert: the processes that run its callback. And the judge of what they did together.

Written without any code of `delivery/` but the machine itself: what counts is the vendor's record, and when it was
asked.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow_provider_omni.contents import Sms
from airflow_provider_omni.delivery.effects import CallApi, Steps
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.outbox.alerts import Alert
from airflow_provider_omni.delivery.outbox.plan import MessageSpec
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.notifications import occasions
from airflow_provider_omni.omni.api import LOGS
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.simulator.record import Acceptance
from tests.crash.alert_schedule import LOST_AFTER, AlertSchedule, Copy, alert_schedule_of
from tests.crash.checker import Judgement
from tests.crash.clocks import Clocks, clock_of
from tests.crash.fake_stores import FakeTaskState, ForgetfulMemory
from tests.crash.processes import Process
from tests.crash.running import Result
from tests.crash.world import CONNECT_TIMEOUT, GRACE, READ_TIMEOUT, World
from tests.harness.driver import watched

TEXT = "load failed"
KEPT = 47 * 3600.0
"""Seconds before a look. Messages that the vendor took earlier the logs may not show."""
SLOW = 5.0
"""Seconds after which nobody looks any more: the alert must go out."""
OVERLAP = "the logs could not show it yet when the later run looked"
FORGOTTEN = "the vendor had forgotten it when the later run came"
UNREADABLE = "the logs could not be read, or not in time"


@dataclass(frozen=True)
class Look:
    """A look into the logs: when it was made, by which ids, and whether and until when it was answered."""

    at: float
    ids: frozenset[str]
    answered: bool
    over_at: float


@dataclass
class Run:
    """One process, as the world saw it. Times are the vendor's."""

    copy: Copy
    began_at: float = 0.0
    looks: list[Look] = field(default_factory=list)
    posts: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    """Time at which each POST was decided on, and its ids."""
    end: Any = None


def run(seed: int, *, trace: bool = False, focus: Callable[[AlertSchedule], AlertSchedule] | None = None) -> Result:
    """Run the schedule of a seed to its end and judge it. `focus` changes the schedule first."""
    plan = alert_schedule_of(seed)
    if focus is not None:
        plan = focus(plan)
    secrets = (*plan.people, TEXT)
    world = World(plan.settings, plan.network, random.Random(f"omni alert world {seed}"), plan.flow, trace, secrets)
    runs = [Run(copy) for copy in plan.copies]
    for index, each in enumerate(runs):
        world.after(each.copy.after, _starter(world, plan, index, each))
    came_to_an_end = world.run()
    judgement = _judge_alerts(plan, world, runs)
    judgement.wrong += sorted(world.leaks)
    if not came_to_an_end:
        judgement.wrong.append("the schedule does not come to an end")
    events = Counter({"schedules": 1, "faults": world.faults_so_far, "runs of callbacks": len(runs)})
    events["processes killed or frozen"] = world.crash_points
    events["runs that looked"] = sum(bool(each.looks) for each in runs)
    events["runs that posted"] = sum(bool(each.posts) for each in runs)
    events["runs that found it sent"] = sum(bool(each.looks and not each.posts and each.end) for each in runs)
    return Result(seed, plan.guarantee, judgement, events, tuple(world.trace), "--alerts ")


def _starter(world: World, plan: AlertSchedule, index: int, each: Run) -> Callable[[], None]:
    def start() -> None:
        each.began_at = world.now()
        name = f"{each.copy.process} {index}"
        world.say("airflow", f"{name} runs the callback")

        def ended(process: Process, value: Any, error: OmniError | None) -> None:
            assert error is None, error
            each.end = value
            world.say("airflow", f"{process.name} ends: {value.error or 'success'}")

        def posted(process: Process, call: Any, decided_at: float) -> None:
            ids = frozenset(entry["messageId"] for entry in json.loads(call.body)["destinations"])
            each.posts.append((decided_at, ids))

        Process(
            world,
            name,
            _watched(world, each, machine_of(world, plan, index, each.copy).run()),
            ForgetfulMemory(FakeTaskState(world.rng), 0),
            ended=ended,
            lost=lambda process: None,
            crash_point=each.copy.crash_point,
            posted=posted,
        ).begin()

    return start


def machine_of(world: World, plan: AlertSchedule, index: int, copy: Copy) -> Alert:
    """Make what the notifier makes in this process."""
    context = _context(world, copy)
    occasion = occasions.occasion_of(context, plan.dedupe)
    content = Content({"SMS": Sms(text=TEXT)})
    wall = world.now() + copy.step
    first = plan.dedupe == "try" and occasions.cannot_be_repeat(context, wall, copy.age, LOST_AFTER)
    return Alert(
        MessageSpec(
            identity=Identity(json.dumps([*occasion.names, "content"])),
            scenario_key=world.scenario_key,
            content=content,
            recipients=read_recipients(list(plan.people)),
            flow=content.channels(),
        ),
        SendPolicy.of_one_request(LookPolicy(read_timeout=CONNECT_TIMEOUT + READ_TIMEOUT, grace=GRACE, patience=15.0)),
        clock_of(world, Clocks(by_turns=(copy.off,)), plan.seed, f"alert {index}", index),
        world.rng.random,
        may_be_repeat=not first,
        again_after=occasion.again_after,
    )


def _context(world: World, copy: Copy) -> dict[str, Any]:
    """Return the context that Airflow gives to the callback in this process."""
    if copy.process == "triggerer":
        return {"dag_run": {"dag_id": "dag", "run_id": "run"}, "deadline": {"id": "d"}}
    if copy.process == "dag":
        return {"dag": SimpleNamespace(dag_id="dag"), "run_id": "run", "reason": "task_failure"}
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="load", map_index=copy.place, try_number=1, max_tries=0)
    if copy.process == "processor":
        return {"ti": ti, "run_id": "run"}
    ti.start_date = datetime.fromtimestamp(world.now() - copy.age, UTC)
    return {"ti": ti, "run_id": "run", "exception": ValueError("boom")}


def _watched(world: World, each: Run, steps: Any) -> Steps[Any]:
    """The machine, and when it asks the logs for whom."""

    def answered(effect: Any, asked_at: float, error: OmniError | None) -> None:
        if isinstance(effect, CallApi) and effect.call.path == LOGS:
            ids = ",".join(value for name, value in effect.call.query if name == "messageId")
            each.looks.append(Look(asked_at, frozenset(ids.split(",")), error is None, world.now()))

    return watched(steps, lambda _: world.now(), answered)


# -- the judge -----------------------------------------------------------------------------------------------------


def _judge_alerts(plan: AlertSchedule, world: World, runs: list[Run]) -> Judgement:
    record = world.simulator.record
    refused = {refusal.to for refusal in record.refusals if refusal.status_id != 23}
    judgement = Judgement()
    for number in plan.people:
        taken = sorted(record.messages_for(number), key=lambda each: each.at)
        if len({each.message_id for each in taken}) > 1:
            judgement.twice.append(f"…{number[-4:]}: the runs did not make the same id")
            return judgement
        if len(taken) > 1:
            judgement.twice.append(f"…{number[-4:]} got {len(taken)} messages")
            judgement.excepted = _exception(plan, runs, taken)
            if judgement.excepted is None:
                return judgement
        if not taken and number not in refused:
            judgement.never += _never(number, runs)
    return judgement


def _exception(plan: AlertSchedule, runs: list[Run], taken: list[Acceptance]) -> str | None:
    """Return the reason why a second message is not against the promise: nobody who posted it had been shown that it
    was there.
    """
    message_id, first_at = taken[0].message_id, taken[0].at
    if plan.guarantee == "A":
        return FORGOTTEN if taken[1].at >= first_at + KEPT else None
    seen_from = first_at + plan.settings.log_lag_seconds
    reasons = []
    for each in runs:
        posted_at = min((at for at, ids in each.posts if message_id in ids), default=None)
        if posted_at is None:
            continue
        before = [look for look in each.looks if look.over_at <= posted_at]
        # Where the vendor reads no lists of ids, only a question about one id is a question.
        asked = [look for look in before if len(look.ids) == 1 or plan.settings.id_lists == "all"]
        told = [look for look in asked if look.answered and message_id in look.ids]
        if any(seen_from <= look.at < first_at + KEPT for look in told) or (not before and seen_from <= each.began_at):
            return None
        if posted_at >= first_at + KEPT:
            reasons.append(FORGOTTEN)
        elif told or not before:
            reasons.append(OVERLAP)
        elif any(not look.answered or look.over_at > each.began_at + SLOW for look in before):
            reasons.append(UNREADABLE)
        else:
            return None
    return reasons[-1] if reasons else None


def _never(number: str, runs: list[Run]) -> Iterator[str]:
    for each in runs:
        if each.end is not None and each.end.error is None:
            yield f"…{number[-4:]} got nothing, and the alert is said to have been sent"
        elif each.end is not None and not each.posts:
            yield f"…{number[-4:]} got nothing, since the logs could not be read"
