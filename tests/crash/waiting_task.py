"""Airflow's part in a task that sends and then waits: it may be killed or cleared while it waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.crash.fake_stores import FakeTaskState
from tests.crash.upheavals import GONE
from tests.crash.world import World


class WaitingTask:
    """Base of sending tasks that may wait themselves. A retry of them sends, and then waits anew."""

    world: World
    plan: Any
    task_state: FakeTaskState
    try_number: int

    def start_try(self) -> None:
        """Begin the next try."""
        raise NotImplementedError

    def lose(self, what: str | None) -> None:
        """Lose something of what Airflow keeps of the task."""
        raise NotImplementedError

    def forget_end(self) -> None:
        """Forget how the try before has ended."""
        raise NotImplementedError

    def give_retries(self) -> None:
        """Have as many retries as at first."""
        raise NotImplementedError

    def ended_waiting(self) -> bool:
        """Note that the wait has ended. Return True if the task is not cleared any more."""
        raise NotImplementedError

    def lost_waiting(self) -> None:
        """Notice later that the process that waited is dead, or frozen, and retry. Losses while it waits cost none of
        its retries, so that there is an end to judge.
        """
        number = self.try_number
        self.world.after(self.plan.send.heartbeat, lambda: self._wait_anew(number, "the waiting try is given up"))

    def cleared_waiting(self, end: Callable[[], None]) -> None:
        """The user clears the task while it waits. Its process is ended a little later."""
        self.world.after(self.plan.upheavals.killed_after, end)
        self.give_retries()
        if self.plan.airflow == "3.4":
            self.lose(GONE)
        self._wait_anew(self.try_number, "the user clears the task while it waits")

    def _wait_anew(self, number: int, why: str) -> None:
        if number != self.task_state.current:
            return
        self.world.say("airflow", why)
        self.forget_end()
        self.task_state.current = -number
        self.world.after(self.plan.send.retry_delay, self.start_try)
