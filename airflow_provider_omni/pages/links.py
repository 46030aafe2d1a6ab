"""The link of a task instance to its delivery."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_omni.plugins.omni import LINKED, PAGE


class DeliveryLink(BaseOperatorLink):
    """Leads from a task instance of a send or a wait to the page that shows what became of it.

    A plugin's link is made by the API server when it is asked for: it is there while the task still runs, and for task
    instances that are older than the page.
    """

    # Airflow compares the two names only.
    operators: ClassVar[list[Any]] = [
        SimpleNamespace(__name__=name, __module__=module) for module, names in LINKED.items() for name in names
    ]

    @property
    def name(self) -> str:
        """Return the label of the button."""
        return "OMNI delivery"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address, relative to Airflow's `<base>`, so that it holds below any path."""
        return delivery_address(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)


def delivery_address(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Return the address of a delivery's page, relative to the root of Airflow's pages."""
    found = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    return f"plugin/{PAGE}?{urlencode(found, quote_via=quote)}"
