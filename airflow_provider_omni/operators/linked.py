"""A link to the delivery for users' own subclasses of our operators.

Airflow gives a plugin's link to classes by their names, which are those of ours. A subclass brings its link itself: the
worker writes its address into an XCom when the task ends or defers.
"""

from __future__ import annotations

from typing import Any

OURS = __name__.partition(".")[0]
"""The package. Its own classes get the plugin's link, for which no XCom is written."""
PAGES_SINCE = (3, 1)
"""The first Airflow with pages of plugins."""


class LinkedToDelivery:
    """Base of the operators and the sensor whose task instances have a delivery to show."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.partition(".")[0] == OURS:
            return
        links = getattr(cls, "operator_extra_links", ())
        # One that is computed is the author's own business.
        if not isinstance(links, list | tuple) or not _has_pages():
            return
        from airflow_provider_omni.operators.delivery_link import TaskLink

        if not any(isinstance(link, TaskLink) for link in links):
            cls.operator_extra_links = (*links, TaskLink())  # type: ignore[attr-defined]


def _has_pages() -> bool:
    from airflow import __version__

    major, minor, *_ = __version__.split(".")
    return (int(major), int(minor)) >= PAGES_SINCE
