"""The plugin: what it adds to which Airflow, and that it costs nothing where no page is served."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperatorLink
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_omni.decorators.omni import OmniBatchTask, OmniSendTask
from airflow_provider_omni.operators.delivery_link import PAGE, TaskLink
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.pages.links import DeliveryLink
from airflow_provider_omni.plugins import omni
from airflow_provider_omni.plugins.omni import LINKED, OmniPlugin, views
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.harness.fresh import FreshPython, fresh_python


@pytest.fixture(scope="module")
def python() -> Iterator[FreshPython]:
    with fresh_python() as python:
        yield python


LOADED = """
import sys
import {manager} as manager
before = set(sys.modules)
import airflow_provider_omni.plugins.omni as ours
plugin = ours.OmniPlugin()
assert manager.is_valid_plugin(ours.OmniPlugin)
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("manager", ["airflow.plugins_manager", "airflow.sdk.plugins_manager"])
def test_importing_and_making_it_loads_nothing_but_its_own_module(python: FreshPython, manager: str) -> None:
    loaded = python.run(LOADED.format(manager=manager)).splitlines()[-1].split()
    assert set(loaded) <= {
        "airflow_provider_omni",
        "airflow_provider_omni.plugins",
        "airflow_provider_omni.plugins.omni",
    }


def test_airflow_finds_it_by_its_entry_point() -> None:
    (entry,) = [one for one in entry_points(group="airflow.plugins") if one.module.startswith("airflow_provider_omni")]
    assert entry.load() is OmniPlugin


def test_the_page_is_in_the_navigation_and_no_tab_shows_where_it_would_show_for_every_task() -> None:
    for version in ((3, 1), (3, 2), (3, 3)):
        (page,) = views(version, tabs=False)
        assert (page["destination"], page["url_route"], page["href"]) == ("nav", "omni-deliveries", "omni/")


def test_the_tab_shows_for_our_operators_only_since_airflow_3_4() -> None:
    _, tab = views((3, 4), tabs=False)
    assert tab["destination"] == "task_instance"
    named = {name for names in LINKED.values() for name in names}
    assert set(tab["applies_to"]["operator_name"]) == named | {kind.custom_operator_name for kind in DECORATED}


def test_the_tab_shows_for_every_task_before_3_4_if_the_configuration_says_so() -> None:
    _, tab = views((3, 3), tabs=True)
    assert "applies_to" not in tab


@pytest.mark.parametrize("version", [(2, 11), (3, 0)])
def test_nothing_is_added_to_an_airflow_without_pages(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]
) -> None:
    monkeypatch.setattr(omni, "airflow_version", lambda: version)
    plugin = OmniPlugin()
    assert (plugin.fastapi_apps, plugin.external_views, plugin.operator_extra_links) == ([], [], [])


def test_addresses_are_relative_so_that_they_hold_below_any_path() -> None:
    for view in views((3, 4), tabs=True):
        for name in ("href", "icon", "icon_dark_mode"):
            assert not view[name].startswith("/")
            assert "://" not in view[name]


def test_a_list_that_airflow_takes_views_out_of_stays_the_same_list() -> None:
    plugin = OmniPlugin()
    assert plugin.external_views is plugin.external_views
    assert plugin.fastapi_apps is plugin.fastapi_apps


def test_the_linked_operators_are_where_they_are_said_to_be() -> None:
    for module, names in LINKED.items():
        for name in names:
            assert getattr(importlib.import_module(module), name).__module__ == module


def test_the_link_leads_to_the_page_with_this_task_instance() -> None:
    key = SimpleNamespace(dag_id="a b", run_id="manual__2026-11-28T15:00:00+00:00", task_id="t&1", map_index=3)
    address = urlsplit(DeliveryLink().get_link(None, ti_key=key))
    assert address.path == "plugin/omni-deliveries"
    assert parse_qs(address.query) == {
        "dag_id": ["a b"],
        "run_id": ["manual__2026-11-28T15:00:00+00:00"],
        "task_id": ["t&1"],
        "map_index": ["3"],
    }
    # The page takes a "+" for what it is: Airflow 3.1 does not encode the one of a run's time zone.
    assert "+" not in address.query


# Users' own subclasses, whose names the plugin cannot know

KINDS = (OmniSendMessageOperator, OmniSendBatchOperator, SqlToOmniOperator, OmniDeliverySensor)
DECORATED = (OmniSendTask, OmniBatchTask)


def linked_kinds(task: Any) -> list[str]:
    return [type(link).__name__ for link in task.operator_extra_links]


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_brings_the_link_and_our_own_class_leaves_it_to_the_plugin(kind: type[Any]) -> None:
    own = type("ShopsOwn", (kind,), {"__module__": "shop.operators"})
    assert linked_kinds(own) == linked_kinds(type("Grandchild", (own,), {"__module__": "shop.more"})) == ["TaskLink"]
    assert linked_kinds(kind) == []
    assert PAGE == omni.PAGE


def test_a_subclass_keeps_the_links_that_it_has() -> None:
    class ShopLink(TaskLink):
        @property
        def name(self) -> str:
            return "shop"

    class Other(BaseOperatorLink):
        name = "other"

        def get_link(self, operator: Any, *, ti_key: Any) -> str:
            return "elsewhere"

    def own(links: Any) -> Any:
        return type("ShopsOwn", (OmniDeliverySensor,), {"__module__": "shop", "operator_extra_links": links})

    assert linked_kinds(own([Other()])) == ["Other", "TaskLink"]
    assert linked_kinds(own((ShopLink(),))) == ["ShopLink"]
    computed = property(lambda _self: ())
    assert own(computed).operator_extra_links is computed


def test_a_subclass_has_none_on_an_airflow_without_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.__version__", "2.11.2")
    assert not type("ShopsOwn", (OmniDeliverySensor,), {"__module__": "shop"}).operator_extra_links  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_mapped", [False, True])
def test_airflow_stores_the_link_of_a_subclass_and_asks_its_xcom_for_the_address(is_mapped: bool) -> None:
    own = type("ShopsOwn", (OmniSendMessageOperator,), {"__module__": "shop"})
    common = {"scenario_key": "K", "sms": {"text": "Hello"}}
    with DAG("shop", schedule=None) as dag:
        if is_mapped:
            own.partial(task_id="send", **common).expand(to=["41793026727"])
        else:
            own(task_id="send", to="41793026727", **common)
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("send")
    assert task.extra_links == ["OMNI delivery"]
    assert task.operator_extra_link_dict["OMNI delivery"].xcom_key == TaskLink().xcom_key
