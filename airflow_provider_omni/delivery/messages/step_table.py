"""Steps of many messages, joined in a workspace: whatever is told of a step, in any order and any number of times."""

from __future__ import annotations

import json
from decimal import Decimal

from airflow_provider_omni.delivery.messages.codec import step_of, update_of
from airflow_provider_omni.delivery.messages.status import StatusUpdate, merged, place_of
from airflow_provider_omni.delivery.messages.workspace import Workspace


class StepTable:
    """A table of steps. A workspace has one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        workspace.execute(
            "CREATE TABLE step (id TEXT, channel TEXT, step TEXT, PRIMARY KEY (id, channel)) WITHOUT ROWID"
        )

    def merge(self, fresh: StatusUpdate, *, apart: bool) -> None:
        """Take in what is told of a step.

        :param apart: True if "under way" and the operator's word are kept apart from a step that has ended
            (`Flow.kept_apart`).
        """
        message_id, place = fresh.message_id, place_of(fresh, apart=apart)
        known = self._workspace.scalar("SELECT step FROM step WHERE id = ? AND channel = ?", message_id, place)
        if known is not None:
            fresh = merged(update_of(message_id, json.loads(known)), fresh, apart=apart)
        self._workspace.execute(
            "INSERT OR REPLACE INTO step (id, channel, step) VALUES (?, ?, ?)",
            message_id,
            place,
            json.dumps(step_of(fresh)),
        )

    def of(self, message_id: str) -> list[StatusUpdate]:
        """Return the steps of a message."""
        found = self._workspace.rows("SELECT step FROM step WHERE id = ?", message_id)
        return [update_of(message_id, json.loads(step)) for (step,) in found]

    def costs(self) -> dict[str, Decimal]:
        """Return the cost of all steps together, by currency."""
        total: dict[str, Decimal] = {}
        for message_id, step in self._workspace.rows("SELECT id, step FROM step"):
            update = update_of(message_id, json.loads(step))
            if update.cost is not None and update.currency:
                total[update.currency] = total.get(update.currency, Decimal(0)) + Decimal(update.cost)
        return total
