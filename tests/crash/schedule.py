"""The meaning of a seed: the account's behaviour, who is sent what, what goes wrong, what the user does."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from airflow_provider_omni.delivery.effects import Label
from airflow_provider_omni.simulator.fates import FATES
from airflow_provider_omni.simulator.settings import Settings
from tests.crash.clocks import Clocks, draw_clocks
from tests.crash.elsewhere import Elsewhere, draw_elsewhere
from tests.crash.processes import CrashPoint, Phase
from tests.crash.upheavals import Upheavals, draw_upheavals
from tests.crash.world import FAULTS, LATEST, NetworkFaults

FATE_NAMES = sorted(set(FATES) - {"73"})
"""73 is accepted and shows up nowhere, ever: no log can tell that it was sent, so nothing is promised for it."""
USUAL_FATES = ("27", "40", "41", "42", "43", "44", "45", "46", "47", "48", "49", "60", "61", "62", "63", "64")
FAST, SLOW = ("27", "40", "60", "64", "74"), ("44", "45", "45", "45", "46", "48")
AIRFLOWS = ("3.3", "3.3", "3.3", "3.4", "3.2")
WAIT_MODES = {
    "3.3": ("trigger", "trigger", "poke", "reschedule"),
    "3.4": ("trigger", "poke", "reschedule"),
    "3.2": ("trigger", "poke", "reschedule"),
}
HOUR = 3600.0


@dataclass(frozen=True)
class Send:
    """The sending task. `people`: numbers by try (the last entry holds for all later tries); `texts` likewise."""

    people: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...]
    retries: int
    retry_delay: float
    heartbeat: float
    """Seconds until Airflow gives up a try that was killed or frozen."""
    crash_points: tuple[CrashPoint | None, ...]
    presumed_dead_after: float | None
    """Airflow gives up the first try although it runs on (a partition): seconds after its start."""
    clears: tuple[float, ...]
    """The user clears the task so many seconds after it came to an end."""
    first_try_known: bool
    shared_key: bool
    """An `idempotency_key` of the user's own."""
    on_rejected: str
    trust: bool
    flow_given: bool
    send_in: float | None
    """`sendAt`, in seconds from the start."""
    validity: tuple[int, int]
    """Seconds, of LINE and of SMS."""
    other_tasks: bool = False
    """True if another task begins instead of a clear, one that sends under the same key. Only with `shared_key`."""


@dataclass(frozen=True)
class Wait:
    """The waiting task."""

    mode: str
    success_when: str | float
    delivered_means: str
    settle: bool
    poll_interval: float
    timeout: float
    retries: int
    crash_points: tuple[CrashPoint | None, ...]
    second_copy_after: float | None
    """A second copy of the trigger starts although the first runs on (a triggerer presumed dead)."""
    after_clears: bool
    """Begins after the last clear of the send, not at its first end."""
    lost_events: int
    """The number of its events that the triggerer loses by dying after the yield."""
    elsewhere: Elsewhere = field(default=Elsewhere())
    failing: tuple[tuple[Label, int], ...] = ()
    """Writes that fail so many times at first, by their labels. Never drawn."""
    reports_kept: bool = False
    """No report gets lost, so that what only reports tell is due, also where the logs show the last step alone. Never
    drawn.
    """
    in_parts: bool = False
    """Waits as for several sends at once: for each half of the receipt's requests, or the ledger, as a part."""
    one_task: bool = False
    """The sending task waits itself: it begins to wait when all is sent, and a retry of it sends and waits."""
    cleared_waiting: float | None = None
    """The user clears such a task so many seconds after it began to wait."""


@dataclass(frozen=True)
class Schedule:
    """Everything that a seed stands for."""

    seed: int
    guarantee: str
    """A: the vendor refuses a repeated message id. B: it does not."""
    airflow: str
    settings: Settings
    flow: tuple[str, ...]
    network: NetworkFaults
    store_failures: float
    store_slowness: float
    send: Send
    wait: Wait
    clocks: Clocks = field(default=Clocks())
    publish_failures: float = 0.0
    """The share of receipts that cannot be published, or nobody knows whether they were."""
    publish_slowness: float = 0.0
    """The share of receipts that take longer to publish than an intent is fresh."""
    upheavals: Upheavals = field(default=Upheavals())
    outside: tuple[str, ...] = field(default=())
    """Reason why this schedule lies outside of any promise."""


def schedule_of(seed: int) -> Schedule:
    """Draw a schedule. The same seed gives the same one."""
    rng = random.Random(f"omni crash {seed}")
    guarantee = "A" if seed % 2 else "B"
    airflow = rng.choice(AIRFLOWS)
    long = rng.random() < 0.12
    validity = draw_validity(rng, long=long)
    send = _send(rng, seed, guarantee, airflow, validity, long=long)
    poll = rng.choice((900.0, 1800.0)) if long else max(rng.choice((10.0, 20.0, 30.0, 60.0)), sum(validity) / 60)
    lag = rng.choice((0.0, 0.0, rng.uniform(0.0, LATEST)))
    outside: tuple[str, ...] = ()
    if rng.random() < 0.02:
        lag, outside = rng.uniform(120.0, 600.0), ("the logs lag behind by more than the grace time",)
    posts, logs_down = _posts(rng), draw_logs_down(rng)
    if send.trust and rng.random() < 0.6:
        # What trust is for: an answer is lost, and the logs do not tell.
        posts, logs_down = (rng.choice(("reset-after", "error-after", "slow", "late")),), (0.0, 2000.0)
    return Schedule(
        seed=seed,
        guarantee=guarantee,
        airflow=airflow,
        settings=draw_settings(rng, seed, guarantee, lag),
        flow=rng.choice((("LINE", "SMS"),) * 5 + (("SMS",), ("LINE",), ("SMS", "LINE"))),
        network=NetworkFaults(
            rate=rng.choice((0.0, 0.05, 0.15, 0.15, 0.4)),
            most=rng.randint(1, 10),
            posts=posts,
            logs_down=logs_down,
            second_reader_every=rng.choice((None, None, None, poll * rng.uniform(0.3, 3.0))),
            contradictions=draw_contradictions(seed),
        ),
        store_failures=rng.choice((0.0, 0.0, 0.0, 0.1)),
        store_slowness=rng.choice((0.0, 0.0, 0.1)),
        send=send,
        wait=draw_wait(rng, seed, airflow, validity, poll, long=long),
        clocks=draw_clocks(seed),
        publish_failures=draw_publish_failures(seed),
        publish_slowness=draw_publish_slowness(seed),
        upheavals=draw_upheavals(seed, old=True),
        outside=outside,
    )


def one_task_schedule_of(seed: int) -> Schedule:
    """Draw a schedule of a send with `wait_for_delivery`, in the triggerer or in the worker."""
    return in_one_task(schedule_of(seed))


S = TypeVar("S")


def in_one_task(plan: S) -> S:
    """Return the schedule with the send and its wait in one task. The wait asks the account that the send has used."""
    wait: Wait = plan.wait  # type: ignore[attr-defined]
    mode = "trigger" if wait.mode == "trigger" else "poke"
    rng = random.Random(f"{plan.seed}:one task")  # type: ignore[attr-defined]
    # Most are killed or cleared while they wait: that is what is new.
    killed = tuple(draw_crash_point(rng, 0.8, most=12) for _ in range(4)) if mode == "poke" else wait.crash_points
    cleared = rng.uniform(0.0, 900.0) if rng.random() < 0.3 else None
    return replace(  # type: ignore[type-var]
        plan,
        wait=replace(
            wait,
            one_task=True,
            mode=mode,
            crash_points=killed,
            cleared_waiting=cleared,
            after_clears=False,
            elsewhere=Elsewhere(),
        ),
    )


def _posts(rng: random.Random) -> tuple[str | None, ...]:
    """The first POST is where most can go wrong: half of the schedules begin with a fault in it."""
    if rng.random() < 0.5:
        return ()
    return tuple(rng.choice((*FAULTS["send"], "late", "late", None)) for _ in range(rng.choice((1, 1, 2))))


def draw_settings(rng: random.Random, seed: int, guarantee: str, lag: float) -> Settings:
    """Both settings of everything that the documents leave open."""
    draw: dict[str, Any] = {
        "duplicates": rng.choice(("status-23",) * 5 + ("ignore", "report", "report")) if guarantee == "A" else "accept",
        "refused_in": rng.choice(("nothing", "nothing", "logs", "reports", "both")),
        "answer_order": rng.choice(("request", "reversed", "random")),
        "echo_bulk_id": rng.choice(("many", "given", "always")),
        "single_bulk_id": rng.choice(("kept", "dropped")),
        "reports": rng.choice(("final", "per-step")),
        "report_consumption": rng.choice(("read", "read", "written")),
        "filtered_read": rng.choice(("own", "own", "own", "all")),
        "report_order": rng.choice(("newest", "oldest", "random")),
        "report_bulk_id": rng.choice(("sent", "empty", "absent")),
        "log_rows": rng.choice(("per-step", "per-step", "last-step")),
        "scheduled_in_logs": rng.random() < 0.5,
        "operator_stops_failover": rng.random() < 0.7,
        "price_of_failed_steps": rng.choice(("zero", "full")),
        "offset": rng.choice(("+0000", "+0100", "-0300", "+01:00", "Z")),
        "error_body": rng.choice(("legacy", "current", "empty")),
        "throttle_body": rng.choice(("legacy", "current", "empty")),
        "retry_after": rng.random() < 0.5,
        "beat_seconds": rng.choice((1.0, 5.0, 20.0, 40.0)),
    }
    ids = random.Random(f"{seed}:bulk ids")
    draw["given_bulk_id"] = ids.choice(("kept",) * 4 + ("dropped", "replaced"))
    draw["id_lists"] = ids.choice(("all",) * 4 + ("first", "none"))
    # An account that takes a repeated id with a smile, and then sends nothing although it had refused it before, cannot
    # be told from one that sends.
    draw["refused_uses_id"] = draw["duplicates"] == "status-23" and rng.random() < 0.4
    return Settings(seed=seed, log_lag_seconds=lag, **draw)


def draw_contradictions(seed: int) -> float:
    """Return the share of answers to a send that contradict themselves."""
    return random.Random(f"{seed}:contradictions").choice((0.0, 0.0, 0.0, 0.1, 0.5))


def draw_publish_failures(seed: int) -> float:
    """The share of receipts that cannot be published: mostly never, and sometimes always."""
    return random.Random(f"{seed}:publish failures").choice((0.0,) * 12 + (0.1, 0.3, 0.7, 1.0))


def draw_publish_slowness(seed: int) -> float:
    """The share of publishing that takes longer than an intent is fresh: mostly never, and sometimes always."""
    return random.Random(f"{seed}:publish slowness").choice((0.0,) * 13 + (0.1, 0.5, 1.0))


def draw_validity(rng: random.Random, *, long: bool) -> tuple[int, int]:
    """Seconds of LINE and SMS. Long flows outlast the 48 h of the logs; no single step comes near them.

    The row of a step that is silent for nearly 48 h leaves the logs when it ends: nothing could heal its lost report.
    """
    if long:
        return rng.choice(((44 * 3600, 16 * 3600), (30 * 3600, 30 * 3600), (20 * 3600, 40 * 3600)))
    return rng.choice(((60, 60), (120, 300), (600, 900)))


def draw_logs_down(rng: random.Random) -> tuple[float, float]:
    if rng.random() < 0.85:
        return (0.0, 0.0)
    since = rng.choice((0.0, rng.uniform(0.0, 600.0)))
    return (since, since + rng.choice((60.0, 300.0, 1500.0)))


def _send(
    rng: random.Random, seed: int, guarantee: str, airflow: str, validity: tuple[int, int], *, long: bool
) -> Send:
    retries = rng.choice((0, 1, 2, 3, 5))
    return Send(
        people=_people(rng, long=long),
        texts=("Hello", *(("Hello again",) if rng.random() < 0.06 else ())),
        retries=retries,
        retry_delay=rng.choice((1.0, 30.0, 300.0)),
        heartbeat=rng.choice((30.0, 120.0, 300.0)),
        crash_points=tuple(draw_crash_point(rng, 0.6, most=12) for _ in range(retries + 1)),
        presumed_dead_after=rng.uniform(0.0, 240.0) if rng.random() < 0.1 else None,
        clears=_clears(rng),
        first_try_known=rng.random() < 0.7,
        shared_key=rng.random() < 0.1,
        on_rejected=rng.choice(("fail", "ignore")),
        trust=guarantee == "A" and rng.random() < 0.25,
        flow_given=rng.random() < 0.5,
        send_in=rng.choice((300.0, 600.0, 3000.0)) if rng.random() < 0.1 else None,
        validity=validity,
        other_tasks=random.Random(f"{seed}:other tasks").random() < 0.5,
    )


def _people(rng: random.Random, *, long: bool) -> tuple[tuple[str, ...], ...]:
    count = rng.choice((1, 1, 1, 2, 3, 4))
    fates = USUAL_FATES if rng.random() < 0.6 else FATE_NAMES
    everybody = [f"4179302{index:02d}{rng.choice(fates)}" for index in range(count + 1)]
    if long and rng.random() < 0.7:
        # One is heard of at once, one at the very end: what was heard must be kept for days.
        count = 2
        everybody = [f"417930200{rng.choice(FAST)}", f"417930201{rng.choice(SLOW)}", everybody[-1]]
    usual = tuple(everybody[:count])
    if rng.random() < 0.9:
        return (usual,)
    changed = rng.choice((everybody[: count + 1], everybody[1 : count + 1], list(reversed(usual))))
    return (usual, tuple(changed))


def _clears(rng: random.Random) -> tuple[float, ...]:
    if rng.random() < 0.8:
        return ()
    return rng.choice(((20.0,), (600.0,), (2 * HOUR,), (60 * HOUR,), (20.0, 3 * HOUR)))


def draw_crash_point(rng: random.Random, chance: float, most: int) -> CrashPoint | None:
    if rng.random() >= chance:
        return None
    phase = rng.choice((Phase.BEFORE, Phase.DURING))
    frozen = rng.choice((None, None, rng.choice((20.0, 90.0, 400.0, 1500.0, 20_000.0))))
    if rng.random() < 0.3:
        return CrashPoint(
            rng.choice((1, 1, 1, 2, 3)), phase, frozen, only=rng.choice(("Save", "CallApi", "Sleep", "Publish"))
        )
    return CrashPoint(rng.randint(1, most), phase, frozen)


def draw_wait(
    rng: random.Random, seed: int, airflow: str, validity: tuple[int, int], poll: float, *, long: bool
) -> Wait:
    enough = sum(validity) + 10 * 40.0 + 40 * poll
    mode = rng.choice(WAIT_MODES[airflow])
    most = max(8, int(4 * sum(validity) / poll)) if long or rng.random() < 0.5 else 12
    retries = rng.randint(0, 3)
    crash_points = [draw_crash_point(rng, 0.6, most) for _ in range(retries + 1)]
    if long and rng.random() < 0.6:
        late = rng.uniform(0.75, 1.0) * sum(validity)
        crash_points[0] = CrashPoint(rng.randint(1, 4), rng.choice((Phase.BEFORE, Phase.DURING)), after=late)
    wait = Wait(
        mode=mode,
        success_when=rng.choice(("all", "finished") if long else ("all", "all", "all", "any", "finished", 0.5)),
        delivered_means=rng.choice(("group", "group", "handset")),
        settle=rng.random() < 0.2,
        poll_interval=poll,
        timeout=enough if long or rng.random() < 0.85 else rng.uniform(30.0, 400.0),
        retries=retries,
        crash_points=tuple(crash_points),
        second_copy_after=rng.uniform(0.0, 4 * poll) if mode == "trigger" and rng.random() < 0.15 else None,
        after_clears=rng.random() < 0.3,
        lost_events=rng.choice((0, 0, 0, 1, 2)),
    )
    in_parts = random.Random(f"{seed}:in parts").random() < 0.25
    return replace(wait, elsewhere=draw_elsewhere(seed, mode, wait.timeout), in_parts=in_parts)
