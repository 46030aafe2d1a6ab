"""A worker in this process: the product's own loop, its threads too, with the vendor behind it and a test's clock.

For whole tries and waits. Where a test says what each effect comes to, driver.py has the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.delivery.effects import Folder, Memory, Steps
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.metrics import Recorder
from airflow_provider_omni.omni.rate_limits import WindowLimiter
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.clock import SkippingClock
from tests.harness.direct import DirectVendor
from tests.harness.driver import KilledError, watched

T = TypeVar("T")


class Worker(DirectVendor):
    """Carries machines out. `memory`, `folder`: what outlives a try. `published`, `lines`: receipts, and what was
    logged.
    """

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        super().__init__(SkippingClock(), **settings)
        self.memory = ProcessMemory()
        self.folder = LocalFolder(tmp_path / "ledger")
        self.published: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self._logger = logging.Logger("worker", logging.INFO)
        self._logger.addHandler(_Lines(self.lines))
        self.metrics: Recorder | None = None

    def carry_out(
        self,
        steps: Steps[T],
        *,
        before: Callable[[Any], None] | None = None,
        until: float | None = None,
        memory: Memory | None = None,
        folder: Folder | None = None,
        budget: WindowLimiter | None = None,
        connections: int = 1,
    ) -> T:
        """Return a machine's end. Raises KilledError where a hook, a fault of the vendor's or `until` kills it.

        :param before: hook: sees each effect that the machine yields.
        :param until: the time at which the process is killed, as soon as it sleeps.
        :param budget: the account's looks into the logs; None: one that nothing was taken from.
        """

        def sleep(seconds: float) -> None:
            self.clock.advance(seconds)
            if until is not None and self.clock.now() > until:
                raise KilledError

        return run(
            steps if before is None else watched(steps, before),
            client=self,
            memory=memory or self.memory,
            budget=budget or self.clock.budget(),
            publish=self.published.append,
            log=self._logger,
            sleep=sleep,
            folder=folder or self.folder,
            connections=connections,
            metrics=self.metrics,
        )


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
