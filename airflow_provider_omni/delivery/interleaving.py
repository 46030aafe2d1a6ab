"""Several machines at one time in one process: while one pauses, the others go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from airflow_provider_omni.delivery.effects import Clock, Effect, Sleep, Steps
from airflow_provider_omni.omni.errors import OmniError

T = TypeVar("T")


def interleave(machines: Sequence[Steps[T]], clock: Clock) -> Steps[list[T]]:
    """Run machines side by side: while one pauses, the others go on. Return their results in order."""
    results: dict[int, T] = {}
    wake_at = dict.fromkeys(range(len(machines)), clock())
    replies: dict[int, tuple[Any, OmniError | None]] = {}
    try:
        while wake_at:
            index = min(wake_at, key=lambda each: (wake_at[each], each))
            if (wait := wake_at[index] - clock()) > 0:
                yield Sleep(wait)
                continue
            reply, error = replies.pop(index, (None, None))
            try:
                machine = machines[index]
                effect: Effect = machine.send(reply) if error is None else machine.throw(error)
            except StopIteration as stop:
                results[index] = stop.value
                del wake_at[index]
                continue
            if isinstance(effect, Sleep):
                wake_at[index] = clock() + effect.seconds
                continue
            try:
                replies[index] = ((yield effect), None)
            except OmniError as caught:
                replies[index] = (None, caught)
    finally:
        for machine in machines:
            machine.close()
    return [results[index] for index in range(len(machines))]
