"""The loop that steps a machine of `delivery/` in one thread. What its effects come to is the world's.

The hooks: `before` each effect, `submitted` and `gathered` for what runs beside the machine. The crash harness has a
loop of its own, since its processes take turns with others (tests/crash/processes.py). Whole tries and waits in unit
tests run on the product's (`delivery/drivers.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from airflow_provider_omni.delivery.effects import Done, Gather, Steps, Submit
from airflow_provider_omni.omni.errors import OmniError

Before = TypeVar("Before")


class KilledError(Exception):
    """The process was killed here."""


class Driver:
    """Carries out a machine: does all that it asks for. A kill is a KilledError, raised by any of the methods below."""

    def __init__(self) -> None:
        self._ended: list[Done] = []

    def perform(self, effect: Any) -> Any:
        """Do one effect and return what the machine gets. Raises OmniError, which is thrown into the machine."""
        raise NotImplementedError

    def before(self, effect: Any) -> None:
        """See an effect before it is performed, wherever it is asked for."""

    def submitted(self, submit: Submit) -> None:
        """Take what is to run beside the machine: it runs at once, one effect after the other."""
        self._ended.append(self.done(submit.tag, submit.effects))

    def gathered(self) -> list[Done]:
        """Return what has ended of that."""
        ended, self._ended = self._ended, []
        return ended

    def one(self, effect: Any) -> Any:
        """Perform an effect, with its hook."""
        self.before(effect)
        return self.perform(effect)

    def done(self, tag: int, effects: tuple[Any, ...]) -> Done:
        """Perform effects in a row, until one fails."""
        try:
            return Done(tag, tuple([self.one(each) for each in effects]))
        except OmniError as error:
            return Done(tag, (), error)

    def drive(self, steps: Steps[Any]) -> Any:
        """Step a machine to its end and return its value."""
        reply: Any = None
        error: OmniError | None = None
        while True:
            try:
                effect = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            reply, error = None, None
            try:
                match effect:
                    case Submit():
                        self.submitted(effect)
                    case Gather():
                        reply = self.gathered()
                    case _:
                        reply = self.one(effect)
            except OmniError as raised:
                error = raised


def watched(
    steps: Steps[Any],
    before: Callable[[Any], Before],
    after: Callable[[Any, Before, OmniError | None], None] = lambda effect, seen, error: None,
) -> Steps[Any]:
    """Pass a machine's effects on to whichever loop runs it, and see each: what `before` has seen, `after` is given."""
    reply: Any = None
    error: OmniError | None = None
    while True:
        try:
            effect = steps.send(reply) if error is None else steps.throw(error)
        except StopIteration as stop:
            return stop.value
        seen = before(effect)
        reply, error = None, None
        try:
            reply = yield effect
        except OmniError as raised:
            error = raised
        after(effect, seen, error)
