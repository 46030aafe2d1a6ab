"""The link of a task instance to its delivery, as the plugin brings it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

from airflow_provider_omni.operators.delivery_link import TaskLink
from airflow_provider_omni.plugins.omni import LINKED


class DeliveryLink(TaskLink):
    """The link of our own operators.

    A plugin's link is made by the API server when it is asked for: it is there while the task still runs, and for task
    instances that are older than the page.
    """

    # Airflow compares the two names only.
    operators: ClassVar[list[Any]] = [
        SimpleNamespace(__name__=name, __module__=module) for module, names in LINKED.items() for name in names
    ]
