"""The plugin that adds the page 'OMNI deliveries' to Airflow, and the links that lead to it.

Every process of Airflow imports this module and makes an `OmniPlugin`; only the API server asks it for a page. So
everything is made when it is asked for, and nothing is imported before.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.plugins_manager import AirflowPlugin
else:
    # The module that loads this one is loaded already. To import the other one would be the most expensive line here.
    _LOADER = next(
        (name for name in ("airflow.plugins_manager", "airflow.sdk.plugins_manager") if name in sys.modules), None
    )
    if _LOADER is None:
        from airflow.plugins_manager import AirflowPlugin
    else:
        AirflowPlugin = sys.modules[_LOADER].AirflowPlugin

URL_PREFIX = "/omni"
"""Path below which the API server serves the page's files and its one route."""
PAGE = "omni-deliveries"
"""The name of the page in Airflow's own addresses: `plugin/omni-deliveries`."""
TAB = "omni-delivery"
"""The name of the tab of a task instance."""

PAGES_SINCE = (3, 1)
"""The first Airflow with pages of plugins."""
SCOPED_TABS_SINCE = (3, 4)
"""The first Airflow that shows a tab for some operators only. Older ones ignore `applies_to`, and show it for all."""

LINKED = {
    "airflow_provider_omni.operators.omni": ("OmniSendMessageOperator",),
    "airflow_provider_omni.operators.batch": ("OmniSendBatchOperator",),
    "airflow_provider_omni.transfers.sql_to_omni": ("SqlToOmniOperator",),
    "airflow_provider_omni.decorators.omni": ("OmniSendTask", "OmniBatchTask"),
    "airflow_provider_omni.sensors.omni": ("OmniDeliverySensor",),
}
"""The operators whose task instances have a delivery to show, by module. Named, since importing them costs."""
DECORATORS = ("@task.omni_send", "@task.omni_batch")
"""Names by which Airflow shows the tasks of decorated functions."""


class OmniPlugin(AirflowPlugin):
    """The page 'OMNI deliveries', on Airflow 3.1 and later. Older ones have no place for it: nothing is added there."""

    name = "omni"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the application that serves the page."""
        if not _has_pages():
            return []
        from airflow_provider_omni.pages.app import make_app

        return [{"app": make_app(), "url_prefix": URL_PREFIX, "name": "OMNI deliveries"}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the page of the navigation bar, and the tab of a task instance where it may be shown."""
        return views(airflow_version(), tabs=_tabs_wanted()) if _has_pages() else []

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]
        """Return the link from a task instance to its delivery. The API server makes it: no XCom is written for it."""
        if not _has_pages():
            return []
        from airflow_provider_omni.pages.links import DeliveryLink

        return [DeliveryLink()]


def views(version: tuple[int, int], *, tabs: bool) -> list[dict[str, Any]]:
    """Return the external views for an Airflow of this version.

    Relative addresses: Airflow's pages have a `<base>`, so that they hold below any path.

    :param tabs: `[omni] delivery_tabs`: show the tab even where it cannot be kept to our own operators.
    """
    icons = {"icon": "omni/icon.svg", "icon_dark_mode": "omni/icon-dark.svg"}
    found: list[dict[str, Any]] = [
        {
            "name": "OMNI deliveries",
            "href": "omni/",
            "destination": "nav",
            "category": "browse",
            "url_route": PAGE,
            **icons,
        }
    ]
    scoped = version >= SCOPED_TABS_SINCE
    if scoped or tabs:
        where = "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"
        tab: dict[str, Any] = {
            "name": "Delivery",
            "href": f"omni/?{where}",
            "destination": "task_instance",
            "url_route": TAB,
            **icons,
        }
        if scoped:
            tab["applies_to"] = {"operator_name": [*(name for names in LINKED.values() for name in names), *DECORATORS]}
        found.append(tab)
    return found


def airflow_version() -> tuple[int, int]:
    """Return the major and the minor version of the running Airflow."""
    from airflow import __version__

    major, minor, *_ = __version__.split(".")
    return int(major), int(minor)


def _has_pages() -> bool:
    return airflow_version() >= PAGES_SINCE


def _tabs_wanted() -> bool:
    from airflow.configuration import conf

    return bool(conf.getboolean("omni", "delivery_tabs", fallback=False))
