"""Batches on the harness's worker: threads are real, time is not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.budget import Budget, read_limit, read_prices
from airflow_provider_omni.delivery.outbox.engine import Outbox, SendResult
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, SendPlan, plan_batch
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.sources import rows_of_entries
from airflow_provider_omni.delivery.recipients.suppression import read_suppression
from airflow_provider_omni.omni.rate_limits import WindowLimiter
from tests.harness.worker import Worker

TEXT = {"line": {"type": "TEXT", "text": "Hello"}, "sms": {"text": "Hello"}}


class World(Worker):
    """A worker that sends batches, and the vendor."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        super().__init__(tmp_path, **settings)
        self.tries = 0

    def plan(
        self,
        recipients: Iterable[Any],
        workspace: Workspace,
        content: dict[str, Any] | None = None,
        *,
        suppress: Iterable[Any] | None = None,
        max_cost: Any = None,
        prices: Any = None,
        **spec: Any,
    ) -> SendPlan:
        if max_cost is not None:
            spec["budget"] = Budget(read_limit(max_cost), read_prices(prices))
        arguments = {
            "chunk_size": 10,
            "scenario_key": self.scenario_key,
            "identity": Identity("run-1"),
            "max_quarantined": 1.0,
        } | spec
        contents = dict(content or TEXT)
        template = MessageTemplate(contents, options=contents.pop("options", {}))
        batch = BatchSpec(content=template, **arguments)
        rows = rows_of_entries(recipients, batch.phone_field)
        listed = None
        if suppress is not None:
            listed = read_suppression(rows_of_entries(suppress, batch.phone_field), workspace, batch.numbers)
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        return plan_batch(batch, rows, workspace, now, keep_fields=True, suppression=listed)

    def send(
        self,
        recipients: Iterable[Any],
        content: dict[str, Any] | None = None,
        *,
        ledger: bool = True,
        policy: dict[str, Any] | None = None,
        folder: Any = None,
        budget: WindowLimiter | None = None,
        suppress: Iterable[Any] | None = None,
        **spec: Any,
    ) -> SendResult:
        """One try of the task."""
        self.tries += 1
        with Workspace() as workspace:
            plan = self.plan(recipients, workspace, content, suppress=suppress, **spec)
            batch = Outbox(
                plan,
                SendPolicy(LookPolicy(), **({"connections": 4} | (policy or {}))),
                self.clock.now,
                lambda: 0.5,
                LedgerTerms("memory://ledger", f"{self.tries:08x}") if ledger else None,
            )
            return self.carry_out(batch.run(), folder=folder, budget=budget, connections=4)


def numbers(count: int, start: int = 0) -> list[str]:
    """Numbers whose fate is ordinary."""
    return [f"4179{start + index:05d}00" for index in range(count)]
