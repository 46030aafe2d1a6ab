"""A mutant: a rule that is taken out of the product, and schedules led to where it matters.

Patches of the harness, not switches of the product. With each mutant the harness must find broken promises.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from airflow_provider_omni.delivery.effects import Label
from airflow_provider_omni.delivery.messages.delivery_report import DELIVERY_KEY
from airflow_provider_omni.delivery.messages.states import Attempt, Origin
from airflow_provider_omni.delivery.outbox import tries
from airflow_provider_omni.storage.delivery_reports import Reporter
from tests.crash import processes
from tests.crash.breaking_workspace import Breaks
from tests.crash.clocks import Clocks
from tests.crash.elsewhere import Elsewhere
from tests.crash.processes import CrashPoint, Phase
from tests.crash.schedule import Schedule
from tests.crash.upheavals import Upheavals
from tests.crash.world import LATEST

Patches = Callable[[], contextlib.AbstractContextManager[Any]]
Focus = Callable[[Any], Any]


def believed() -> contextlib.AbstractContextManager[Any]:
    """For rules that are two deep: besides, every record is taken for all there is, also that of a killed try."""
    return patch.object(tries.Tries, "record_complete", True)


def spared(*labels: Label, reply: Any = None) -> contextlib.AbstractContextManager[Any]:
    """Effects with these labels do not happen, and are answered with this: the rule is that they do."""
    assert "" not in labels
    return patch.dict(processes.SPARED, dict.fromkeys(labels, reply))


@contextlib.contextmanager
def forgiven(label: Label) -> Iterator[None]:
    """That an effect with this label has failed is passed over."""
    processes.FORGIVEN.add(label)
    try:
        yield
    finally:
        processes.FORGIVEN.discard(label)


def reports_that_must_be_written() -> contextlib.AbstractContextManager[Any]:
    """The writer of a delivery report lets the errors of that through."""

    def show(self: Any, make: Callable[[], dict[str, Any]]) -> None:
        self._ti.xcom_push(key=DELIVERY_KEY, value=make())

    return patch.object(Reporter, "show", show)


def as_known(attempt: Attempt, here: Origin | None) -> bool:
    """In place of `Attempt.is_from`: what is not known to be from elsewhere is from here."""
    return attempt.origin is None or attempt.origin == here


@dataclass(frozen=True)
class Mutant:
    """A rule that is taken out, and what must then go wrong: `twice`, `never` or `wrong`.

    `focus`: leads any schedule to where the rule matters; everything else in it stays random.
    """

    name: str
    what: str
    breaks: str
    focus: Focus
    patches: Patches

    def noticed_in(self, judgement: Any) -> bool:
        """Return True if the judge has found what must go wrong."""
        return judgement.failed and bool(getattr(judgement, self.breaks))


def by_focus(mutants: dict[str, Mutant]) -> dict[str, Mutant]:
    """One mutant for each focus: while the rules are in, all mutants of a focus have the same schedules."""
    first = {id(mutant.focus): name for name, mutant in reversed(mutants.items())}
    return {name: mutants[name] for name in mutants if first[id(mutants[name].focus)] == name}


def registering(mutants: dict[str, Mutant]) -> Callable[[str, Focus], Callable[[Callable[[], Any]], Callable[[], Any]]]:
    """A decorator that enters a mutant into a table: `breaks` and `focus` of it; its docstring says what it is."""

    def mutant(breaks: str, focus: Focus) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        def register(function: Callable[[], Any]) -> Callable[[], Any]:
            name = function.__name__.strip("_").replace("_", "-")
            assert function.__doc__
            mutants[name] = Mutant(name, function.__doc__, breaks, focus, contextlib.contextmanager(function))
            return function

        return register

    return mutant


def focused(
    *,
    send: dict[str, Any] | None = None,
    wait: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    **rest: Any,
) -> Focus:
    """Change some fields of a schedule. Nothing lies outside of the promise in a focused one."""

    def focus(plan: Schedule) -> Schedule:
        switches = {"log_lag_seconds": min(plan.settings.log_lag_seconds, LATEST), **(settings or {})}
        if rest.get("guarantee") == "B":
            switches |= {"duplicates": "accept", "refused_uses_id": False}
        unbroken: dict[str, Any] = {
            "clocks": Clocks(),
            "publish_failures": 0.0,
            "publish_slowness": 0.0,
            "upheavals": Upheavals(),
        }
        others: dict[str, Any] = {}
        if hasattr(plan, "workspace_breaks"):  # a batch
            unbroken["workspace_breaks"] = Breaks()
            others = {"suppressed": (), "shut": None}
        return replace(
            plan,
            send=replace(plan.send, **others | (send or {})),
            wait=replace(plan.wait, **(wait or {})),
            network=replace(plan.network, **(network or {})),
            settings=plan.settings.changed(switches),
            outside=(),
            **unbroken | rest,
        )

    return focus


CALM: dict[str, Any] = {"rate": 0.0, "logs_down": (0.0, 0.0)}
B: dict[str, Any] = {"guarantee": "B", "airflow": "3.3", "store_failures": 0.0, "store_slowness": 0.0}
A: dict[str, Any] = B | {"guarantee": "A"}
FAULTLESS: dict[str, Any] = {"crash_points": (None,) * 6, "presumed_dead_after": None, "clears": (), "trust": False}
QUIET: dict[str, Any] = FAULTLESS | {"send_in": None}
RETRIED: dict[str, Any] = QUIET | {"retries": 3, "retry_delay": 1.0, "heartbeat": 30.0, "flow_given": True}
TRUSTED: dict[str, Any] = RETRIED | {"trust": True, "people": (("41793020027",),), "texts": ("Hello",)}


def answer_lost(*faults: str, lag: float | None = None, **send: Any) -> Focus:
    """A calm schedule whose first POSTs meet these faults."""
    return focused(
        **B,
        network=CALM | {"posts": faults},
        send=RETRIED | {"people": (("41793020027",),), "texts": ("Hello",)} | send,
        settings={} if lag is None else {"log_lag_seconds": lag},
    )


def tried_again(*crash_points: CrashPoint) -> Focus:
    """A calm schedule whose tries meet these crash points."""
    return focused(
        **B,
        network=CALM | {"posts": ()},
        send=RETRIED | {"crash_points": crash_points, "people": (("41793020027",),), "texts": ("Hello",)},
    )


def mode_of(mode: str, success_when: str = "all", **more: Any) -> dict[str, Any]:
    """A wait in a mode, with nothing else special about it."""
    return {
        "mode": mode,
        "success_when": success_when,
        "delivered_means": "group",
        "settle": False,
        "crash_points": (None,),
        "lost_events": 0,
        "second_copy_after": None,
        "after_clears": False,
        "elsewhere": Elsewhere(),
        "in_parts": False,
    } | more


def watched(
    *fates: str,
    every: float | None = None,
    settings: dict[str, Any] | None = None,
    success_when: str = "all",
    timeout: float = 1500.0,
    mode: str = "trigger",
    elsewhere: Elsewhere | None = None,
    poll_interval: float = 20.0,
) -> Focus:
    """A wait of polls of 20 s for these fates, with or without a second reader."""
    return focused(
        **B,
        flow=("LINE", "SMS"),
        network=CALM | {"posts": (), "second_reader_every": every},
        send=RETRIED
        | {
            "people": (tuple(f"4179302{index:02d}{fate}" for index, fate in enumerate(fates)),),
            "validity": (120, 300),
            "texts": ("Hello",),
        },
        wait=mode_of(
            mode, success_when, poll_interval=poll_interval, timeout=timeout, elsewhere=elsewhere or Elsewhere()
        ),
        settings={"beat_seconds": 20.0, "filtered_read": "own", **(settings or {})},
    )


FROM_DAYS_AGO = focused(
    **B,
    flow=("LINE", "SMS"),
    network=CALM | {"posts": (), "second_reader_every": None},
    send=RETRIED | {"people": (("41793020027", "41793020145"),), "validity": (108_000, 108_000), "texts": ("Hello",)},
    wait=mode_of(
        "trigger",
        "finished",
        poll_interval=1800.0,
        timeout=300_000.0,
        crash_points=(CrashPoint(1, Phase.BEFORE, after=54 * 3600.0),),
    ),
    settings={"filtered_read": "own"},
)


def unsettled(*, crash_point: CrashPoint | None = None, **upheavals: Any) -> Focus:
    """A calm schedule of one person, cleared once, with these upheavals. `crash_point`: of the first try."""
    return focused(
        **B,
        network=CALM | {"posts": ()},
        send=RETRIED
        | {
            "people": (("41793020027",),),
            "texts": ("Hello",),
            "clears": (600.0,),
            "crash_points": (crash_point,),
            "first_try_known": True,
            "shared_key": False,
            "flow_given": True,
        },
        upheavals=Upheavals(**upheavals),
    )
