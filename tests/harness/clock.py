"""Time that passes when somebody sleeps, and at no other time: hours take none.

It is the simulator's clock, and stands for the module `time` in what is tested: vendor and task agree on the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import ModuleType

import pytest

from airflow_provider_omni.delivery.drivers import arun, run
from airflow_provider_omni.omni import rate_limits
from airflow_provider_omni.simulator.clock import DEFAULT_MANUAL_START, ManualClock


class SkippingClock(ManualClock):
    """The one clock of a test. A sleep takes no time, and the clock says that it did.

    `start`: seconds since 1970. A test of code that also looks at the machine's time starts `from_now`.
    `follow`: told of each sleep, such as the `advance` of a simulator that has a clock of its own.
    """

    def __init__(
        self, start: float = DEFAULT_MANUAL_START, follow: Callable[[float], None] = lambda seconds: None
    ) -> None:
        super().__init__(start)
        self.follow = follow
        self._lock = threading.Lock()

    @classmethod
    def from_now(cls, follow: Callable[[float], None] = lambda seconds: None) -> SkippingClock:
        """Start at the machine's time."""
        return cls(time.time(), follow)

    def advance(self, seconds: float) -> None:
        """Let that much time pass, at once. Threads may do so at the same time."""
        with self._lock:
            super().advance(seconds)
        self.follow(seconds)

    def reach(self, at: float) -> None:
        """Let time pass until then."""
        self.advance(at - self.now())

    # What the module `time` has --------------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the seconds since 1970."""
        return self.now()

    def monotonic(self) -> float:
        """Return the same: this clock never jumps back."""
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Let that much time pass, at once."""
        self.advance(seconds)

    async def asleep(self, seconds: float) -> None:
        """Do so in an event loop."""
        self.advance(seconds)

    # What goes by it -------------------------------------------------------------------------------------------------

    def budget(self) -> rate_limits.WindowLimiter:
        """Return an account's budget of looks into the logs."""
        return rate_limits.WindowLimiter(clock=self.now, jitter=lambda: 0.5)

    def rule(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        """Put it in the place of `time` in these modules; the budget of looks into the logs goes by it, too."""
        for module in modules:
            monkeypatch.setattr(module, "time", self)
        budget = self.budget()
        monkeypatch.setattr(rate_limits, "logs_budget", lambda account: budget)

    def rule_drivers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let machines that the product's loops carry out sleep on it."""
        assert run.__kwdefaults__ is not None
        assert arun.__kwdefaults__ is not None
        monkeypatch.setitem(run.__kwdefaults__, "sleep", lambda seconds: self.advance(seconds))
        monkeypatch.setitem(arun.__kwdefaults__, "sleep", self.asleep)
