"""The link from a task instance to the page that shows its delivery."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

PAGE = "omni-deliveries"
"""The name of the page in Airflow's own addresses, as `plugins/omni.py` says it."""


class TaskLink(BaseOperatorLink):
    """Leads from a task instance of a send or a wait to the page that shows what became of it."""

    @property
    def name(self) -> str:
        """Return the label of the button."""
        return "OMNI delivery"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address, relative to Airflow's `<base>`, so that it holds below any path."""
        map_index = -1 if ti_key.map_index is None else ti_key.map_index
        return delivery_address(ti_key.dag_id, ti_key.run_id, ti_key.task_id, map_index)


def delivery_address(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Return the address of a delivery's page, relative to the root of Airflow's pages."""
    found = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    return f"plugin/{PAGE}?{urlencode(found, quote_via=quote)}"
