"""Time that passes when somebody sleeps: hours take no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import ModuleType

import pytest

from airflow_provider_omni.omni import limits


class SkippingClock:
    """Stands for the module `time`: a sleep takes no time, and the clocks say that it did.

    `follow`: told of each sleep, such as a simulator's `advance`, so that both agree on the time.
    """

    def __init__(self, follow: Callable[[float], None] = lambda seconds: None) -> None:
        self.passed = 0.0
        self.follow = follow
        self._lock = threading.Lock()

    def time(self) -> float:
        """The machine's time, and all that was slept."""
        return time.time() + self.passed

    def monotonic(self) -> float:
        """The same of the clock that never jumps."""
        return time.monotonic() + self.passed

    def sleep(self, seconds: float) -> None:
        """Let that much time pass, at once."""
        with self._lock:
            self.passed += seconds
        self.follow(seconds)

    def rule(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        """Put it in the place of `time` in these modules; the budget of looks into the logs goes by it, too."""
        for module in modules:
            monkeypatch.setattr(module, "time", self)
        budget = limits.WindowLimiter(clock=self.monotonic)
        monkeypatch.setattr(limits, "logs_budget", lambda account: budget)
