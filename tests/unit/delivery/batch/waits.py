"""Waits on a batch, like a worker does them."""

from __future__ import annotations

from typing import Any

from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.wait import DeliveryWait, WaitEnd
from airflow_provider_omni.delivery.tracking.wait_limits import LIMITS, TrackingLimits
from airflow_provider_omni.delivery.tracking.watch import Watch
from tests.unit.delivery.batch.batchworld import World


def saying(text: str, line: int = 1, sms: int = 1) -> dict[str, Any]:
    """A content whose steps are tried for a minute each, so that nothing takes days."""
    return {
        "line": {"type": "TEXT", "text": text, "validityPeriod": line},
        "sms": {"text": text, "validityPeriod": sms},
    }


def machine_of(
    world: World,
    hours: float = 2.0,
    accepted: int = 0,
    account: str = "",
    flow: tuple[str, ...] = ("LINE", "SMS"),
    limits: TrackingLimits = LIMITS,
    **criterion: Any,
) -> DeliveryWait:
    """A wait that has not begun."""
    deadline = world.clock.now() + hours * 3600
    watch = Watch((), deadline, SuccessCriterion(**criterion), flow, ledger_path="memory://ledger", accepted=accepted)
    world.tries += 1
    return DeliveryWait(watch, world.clock.now, lambda: 0.5, account=account, token=f"{world.tries:08x}", limits=limits)


def wait(world: World, hours: float = 2.0, until: float | None = None, **more: Any) -> WaitEnd:
    """Wait to the end."""
    folder = more.pop("folder", None)
    return world.carry_out(machine_of(world, hours, **more).until_decided(), until=until, folder=folder)
