"""The meaning of a seed for a batch: many requests on several connections, a changing source, a slow ledger.

The account's switches and the wait are drawn as those of a single send.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from airflow_provider_omni.delivery.tracking.wait_limits import TrackingLimits
from airflow_provider_omni.simulator.settings import Settings
from tests.crash.breaking_workspace import Breaks, draw_breaks
from tests.crash.clocks import Clocks, draw_clocks
from tests.crash.processes import CrashPoint, Phase
from tests.crash.schedule import (
    FAST,
    FATE_NAMES,
    HOUR,
    SLOW,
    USUAL_FATES,
    WAIT_MODES,
    Wait,
    draw_contradictions,
    draw_logs_down,
    draw_publish_failures,
    draw_publish_slowness,
    draw_settings,
    draw_validity,
    draw_wait,
    in_one_task,
)
from tests.crash.upheavals import Upheavals, draw_upheavals
from tests.crash.world import FAULTS, LATEST, NetworkFaults

SPOILT = ("gone", "cut", "empty")

Rows = tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Outbox:
    """The sending task of a batch.

    `sources`: rows by try; the last holds for all later ones. `personal`: a text for each name. `keyed`: rows are
    told apart by a key of their own. `crash_points`, `presumed_dead_after`, `clears`: as for a single send.
    `moved_at`: the try from which on the ledger's path leads to another place, where nothing is.
    """

    sources: tuple[Rows, ...]
    personal: bool
    keyed: bool
    chunk: int
    connections: int
    tries: int
    retry_delay: float
    heartbeat: float
    crash_points: tuple[CrashPoint | None, ...]
    presumed_dead_after: float | None
    clears: tuple[float, ...]
    trust: bool
    flow_given: bool
    validity: tuple[int, int]
    moved_at: int | None = None
    spoilt: str | None = None
    """The fate of a part of the ledger's sent/ before a clear: it is gone, cut, or empty."""
    shut: tuple[float, float] | None = None
    """Seconds from the start between which nothing may go out (`send_window`)."""
    suppressed: tuple[frozenset[str], ...] = ()
    """Numbers on the suppression list, by try; the last holds for all later ones. Empty: there is no list."""

    def suppressed_at(self, number: int) -> frozenset[str]:
        """Return the numbers on the list at a try."""
        return self.suppressed[min(number, len(self.suppressed)) - 1] if self.suppressed else frozenset()


@dataclass(frozen=True)
class Sizes:
    """Constants of the ledger's wait, so small that a few people are many (their names are those of the product)."""

    many_single: int = 100
    single_together: int = 1000
    page: int = 1000
    news_in_a_part: int = 5000

    @property
    def limits(self) -> TrackingLimits:
        """The value that a wait takes."""
        return TrackingLimits(self.many_single, self.single_together, self.page, self.news_in_a_part)


@dataclass(frozen=True)
class BatchSchedule:
    """Everything that a seed stands for. What a `Schedule` has, too, is called the same."""

    seed: int
    guarantee: str
    airflow: str
    ledger: bool
    settings: Settings
    network: NetworkFaults
    store_failures: float
    store_slowness: float
    send: Outbox
    wait: Wait
    sizes: Sizes
    ids_listed: bool = True
    """True if the receipt lists the message ids: there are up to 100."""
    flow: tuple[str, ...] = ("LINE", "SMS")
    clocks: Clocks = field(default=Clocks())
    publish_failures: float = 0.0
    publish_slowness: float = 0.0
    workspace_breaks: Breaks = field(default=Breaks())
    upheavals: Upheavals = field(default=Upheavals())
    outside: tuple[str, ...] = ()


def batch_schedule_of(seed: int) -> BatchSchedule:
    """Draw a schedule. The same seed gives the same one."""
    rng = random.Random(f"omni batch {seed}")
    guarantee = "A" if seed % 2 else "B"
    ledger = rng.random() < 0.75
    airflow = rng.choice(("3.3", "3.3", "3.4", "3.2")) if ledger else rng.choice(("3.3", "3.3", "3.4"))
    long = rng.random() < 0.12
    validity = draw_validity(rng, long=long)
    poll = rng.choice((900.0, 1800.0)) if long else max(rng.choice((10.0, 20.0, 30.0, 60.0)), sum(validity) / 60)
    settings = draw_settings(rng, seed, guarantee, rng.choice((0.0, 0.0, rng.uniform(0.0, LATEST))))
    return BatchSchedule(
        seed=seed,
        guarantee=guarantee,
        airflow=airflow,
        ledger=ledger,
        settings=settings,
        network=NetworkFaults(
            rate=rng.choice((0.0, 0.05, 0.15, 0.3)),
            most=rng.randint(1, 25),
            posts=tuple(rng.choice((*FAULTS["send"], None, None)) for _ in range(rng.choice((0, 0, 3)))),
            logs_down=draw_logs_down(rng),
            second_reader_every=rng.choice((None, None, None, poll * rng.uniform(0.3, 3.0))),
            contradictions=draw_contradictions(seed),
        ),
        store_failures=rng.choice((0.0, 0.0, 0.02)),
        store_slowness=0.0,
        send=_send(rng, seed, settings, validity, long=long),
        wait=_wait(rng, seed, airflow, validity, poll, long=long),
        sizes=Sizes(
            many_single=rng.choice((3, 8, 100)),
            single_together=rng.choice((2, 5, 1000)),
            page=rng.choice((12, 30, 1000)),
            news_in_a_part=rng.choice((2, 5000)),
        ),
        ids_listed=rng.random() < 0.6,
        clocks=draw_clocks(seed),
        publish_failures=draw_publish_failures(seed),
        publish_slowness=draw_publish_slowness(seed),
        workspace_breaks=draw_breaks(seed),
        upheavals=draw_upheavals(seed, old=ledger),
    )


def one_task_batch_of(seed: int) -> BatchSchedule:
    """Draw a schedule of a batch with `wait_for_delivery`."""
    return in_one_task(batch_schedule_of(seed))


def _send(rng: random.Random, seed: int, settings: Settings, validity: tuple[int, int], *, long: bool) -> Outbox:
    tries = rng.randint(1, 5)
    sources = _sources(rng, long=long)
    return Outbox(
        sources=sources,
        personal=rng.random() < 0.4,
        keyed=rng.random() < 0.3,
        chunk=rng.choice((1, 2, 3, 5)),
        connections=rng.randint(1, 5),
        tries=tries,
        retry_delay=rng.choice((1.0, 30.0, 300.0)),
        heartbeat=rng.choice((30.0, 120.0, 300.0)),
        crash_points=tuple(_draw_crash_point(rng) for _ in range(tries)),
        presumed_dead_after=rng.uniform(0.0, 20.0) if rng.random() < 0.2 else None,
        clears=()
        if rng.random() < 0.7
        else rng.choice(((20.0,), (600.0,), (20.0, 2 * HOUR), (60 * HOUR,), (40 * HOUR,) * 2)),
        trust=settings.duplicates == "status-23" and rng.random() < 0.2,
        flow_given=rng.random() < 0.7,
        validity=validity,
        spoilt=random.Random(f"{seed}:spoilt").choice((None,) * 5 + SPOILT),
        shut=_draw_shut(seed),
        suppressed=_draw_suppressed(seed, sources),
    )


def _draw_suppressed(seed: int, sources: tuple[Rows, ...]) -> tuple[frozenset[str], ...]:
    """Draw a list that changes from try to try; mostly none."""
    rng = random.Random(f"{seed}:suppressed")
    if rng.random() < 0.7:
        return ()
    everybody = sorted({row["phone"] for rows in sources for row in rows})
    shares = [rng.choice((0.0, 0.2, 0.5)) for _ in range(rng.randint(1, 4))]
    return tuple(frozenset(each for each in everybody if rng.random() < share) for share in shares)


def _draw_shut(seed: int) -> tuple[float, float] | None:
    """Return hours that nothing may go out in: mostly none, or from before the start on, or from a little later on."""
    rng = random.Random(f"{seed}:shut")
    if rng.random() < 0.8:
        return None
    since = rng.choice((-100, rng.randint(121, 150), rng.randint(0, 400)))
    return float(since), float(max(since, 0) + rng.randint(150, 900))


def _sources(rng: random.Random, *, long: bool) -> tuple[Rows, ...]:
    count = rng.randint(2, 6) if long else rng.randint(3, 30)
    fates = rng.choice((("00",), ("00", "00", "00", "40", "06", "52"), (*USUAL_FATES, "52"), tuple(FATE_NAMES)))
    if long:
        fates = (*FAST, *SLOW)
    # "00" is no fate of its own: whoever has it is delivered to at once, on the first channel.
    names = rng.choice((1, 3, 100))
    everybody = [
        {"phone": f"4179{index:05d}{rng.choice(fates)}", "name": f"Name{index % names}", "order": f"order-{index}"}
        for index in range(count + 8)
    ]
    usual = tuple(everybody[:count])
    if rng.random() < 0.4:
        return (usual,)
    changed = [everybody[rng.randint(0, 5) : rng.randint(count, count + 8)] for _ in range(3)]
    for rows in changed:
        rng.shuffle(rows)
    return (usual, *(tuple(rows) or usual for rows in changed))


def _draw_crash_point(rng: random.Random) -> CrashPoint | None:
    if rng.random() < 0.35:
        return None
    frozen = rng.choice((None, None, rng.choice((6.0, 20.0, 90.0, 400.0, 5000.0, 20_000.0))))
    at = rng.choice((rng.randint(1, 12), rng.randint(1, 80)))
    phase = rng.choice((Phase.BEFORE, Phase.DURING))
    if frozen is not None and rng.random() < 0.4:
        return CrashPoint(
            at, phase, frozen, then=CrashPoint(rng.randint(1, 6), rng.choice((Phase.BEFORE, Phase.DURING)))
        )
    return CrashPoint(at, phase, frozen)


def _wait(rng: random.Random, seed: int, airflow: str, validity: tuple[int, int], poll: float, *, long: bool) -> Wait:
    drawn = draw_wait(rng, seed, airflow if airflow in WAIT_MODES else "3.3", validity, poll, long=long)
    crash_points: list[CrashPoint | None] = []
    for crash_point in drawn.crash_points:
        if drawn.mode == "reschedule":
            crash_points += [None] * rng.choice((0, 0, rng.randint(0, 30)))
        if crash_point is not None and crash_point.only == "Publish":
            crash_point = replace(crash_point, only=rng.choice(("WritePart", "ReadPart", "ListParts")))
        elif crash_point is not None and crash_point.only is None and rng.random() < 0.5:
            crash_point = replace(crash_point, at=rng.randint(1, 150))  # the ledger alone takes some dozens of effects
        crash_points.append(crash_point)
    return replace(drawn, crash_points=tuple(crash_points))
