"""The two loops that carry out what a machine of ``delivery/`` asks for: one for workers, one for the triggerer.

They decide nothing. Everything they touch (client, memory, clock, log) is handed in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from airflow_provider_omni.delivery.effects import (
    Ask,
    AsyncMemory,
    Effect,
    Load,
    Memory,
    Note,
    Pause,
    Publish,
    Save,
    Steps,
)
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import OmniBusyError, OmniError
from airflow_provider_omni.omni.limits import CallBudget

T = TypeVar("T")
log = logging.getLogger(__name__)


class Executes(Protocol):
    """A sync client: ``omni.client.OmniClient`` or the crash harness's."""

    def execute(self, call: Call[Any]) -> Any:
        """Execute the call, or raise one of ``omni/errors.py``."""
        ...


class ExecutesAsync(Protocol):
    """An async client: ``omni.aio.AsyncOmniClient``."""

    async def execute(self, call: Call[Any]) -> Any:
        """Execute the call, or raise one of ``omni/errors.py``."""
        ...


def run(
    steps: Steps[T],
    *,
    client: Executes,
    memory: Memory,
    budget: CallBudget | None = None,
    publish: Callable[[dict[str, Any]], None] | None = None,
    note: logging.Logger = log,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Carry out ``steps`` to their end in a worker and return what they return.

    Errors of ``omni/errors.py`` go into the machine; everything else (a SIGTERM's exception, a bug) ends it.
    """

    def perform(effect: Effect) -> Any:
        match effect:
            case Ask(call, patience):
                if patience is not None and budget is not None:
                    while wait := _place(budget, patience):
                        patience -= wait
                        sleep(wait)
                return client.execute(call)
            case Load(key):
                return memory.load(key)
            case Save(key, value):
                return memory.save(key, value)
            case Publish(receipt):
                return publish(receipt) if publish else None
            case Pause(seconds):
                return sleep(seconds)
            case Note():
                return _write(note, effect)

    reply: Any = None
    error: OmniError | None = None
    try:
        while True:
            try:
                effect = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            reply, error = None, None
            try:
                reply = perform(effect)
            except OmniError as caught:
                error = caught
    finally:
        steps.close()


async def arun(
    steps: Steps[T],
    *,
    client: ExecutesAsync,
    memory: AsyncMemory,
    budget: CallBudget | None = None,
    note: logging.Logger = log,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The same in a triggerer's event loop. A trigger publishes no receipt: sending is the workers' business."""

    async def perform(effect: Effect) -> Any:
        match effect:
            case Ask(call, patience):
                if patience is not None and budget is not None:
                    while wait := _place(budget, patience):
                        patience -= wait
                        await sleep(wait)
                return await client.execute(call)
            case Load(key):
                return await memory.load(key)
            case Save(key, value):
                return await memory.save(key, value)
            case Pause(seconds):
                return await sleep(seconds)
            case Note():
                return _write(note, effect)
            case Publish():
                raise TypeError("a trigger publishes no receipt")

    reply: Any = None
    error: OmniError | None = None
    try:
        while True:
            try:
                effect = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            reply, error = None, None
            try:
                reply = await perform(effect)
            except OmniError as caught:
                error = caught
    finally:
        steps.close()


def _place(budget: CallBudget, patience: float) -> float:
    """Take a place in the budget: 0.0 when taken, else the seconds to wait, if that is within ``patience``."""
    wait = budget.try_take()
    if wait > patience:
        raise OmniBusyError("the account's budget of log calls is used up for now")
    return wait


def _write(logger: logging.Logger, effect: Note) -> None:
    logger.log(logging.WARNING if effect.warning else logging.INFO, "%s", effect.text)
