"""docs/monitoring.md, its mapping, alerts and dashboard: they name the metrics that the code has, and no others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_omni.delivery import metrics
from airflow_provider_omni.delivery.metrics import METRICS, Metric
from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.statuses import status_names

DOCS = Path(__file__).parents[2] / "docs"
FILES = DOCS / "monitoring"
PROMTOOL = shutil.which("promtool")
NAME = re.compile(r"\bomni_[a-z_]+")
SELECTED = re.compile(r"(omni_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
VALUES = {
    "state": {"accepted", "rejected", "unconfirmed", "quarantined", "duplicate", "suppressed"},
    "outcome": {"delivered", "failed", "pending"},
    "channel": set(Channel.__members__),
    "status_class": {"2xx", "4xx", "5xx", "none", "401", "403", "429"},
    "status": status_names(),
}


def prometheus_name(metric: Metric) -> str:
    """The name that our mapping gives: counters end in `_total`, timers in their unit."""
    name = metric.name.replace(".", "_")
    if metric.kind == "counter":
        return f"{name}_total"
    return name if metric.kind == "gauge" or name.endswith("_seconds") else f"{name}_seconds"


BY_NAME = {
    f"{prometheus_name(metric)}{suffix}": metric
    for metric in METRICS
    for suffix in (("_bucket", "_count", "_sum") if metric.kind == "timer" else ("",))
}


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
    return found


def dashboard_queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def queries() -> list[str]:
    return [*dashboard_queries(), *(rule["expr"] for rule in alerts())]


def grouped_by(query: str) -> Iterator[tuple[str, str]]:
    """Yield labels that a sum keeps, each with the metric that it is over."""
    for labels, rest in re.findall(r"sum by \(([^)]*)\) (\(.*)", query):
        name = NAME.search(rest)
        assert name is not None
        yield from ((label.strip(), name[0]) for label in labels.split(","))


def test_every_metric_of_the_module_is_listed_once() -> None:
    assert sorted(each for each in vars(metrics).values() if isinstance(each, Metric)) == sorted(METRICS)
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_mapping_names_every_metric_as_alerts_and_dashboard_do() -> None:
    mapping = yaml.safe_load((FILES / "statsd_exporter.yaml").read_text())
    assert {each["match"]: each["name"] for each in mapping["mappings"]} == {
        f"*.{metric.name}": prometheus_name(metric) for metric in METRICS
    }
    with_buckets = {each["name"] for each in mapping["mappings"] if "histogram_options" in each}
    assert with_buckets == {prometheus_name(metric) for metric in METRICS if metric.kind == "timer"}
    assert mapping["defaults"] == {"observer_type": "histogram"}


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_metrics_labels_and_values_that_the_code_has(query: str) -> None:
    assert set(NAME.findall(query)) <= set(BY_NAME)
    for name, selector in SELECTED.findall(query):
        for label, sign, value in LABEL.findall(selector):
            if label == "le":
                continue
            assert label in BY_NAME[name].tags
            assert set(value.split("|") if sign == "=~" else [value]) <= VALUES[label]
    for label, name in grouped_by(query):
        assert label in (*BY_NAME[name].tags, "le")


def test_the_dashboard_shows_every_metric() -> None:
    shown = {BY_NAME[name] for query in dashboard_queries() for name in NAME.findall(query)}
    assert shown == set(METRICS)


def test_panels_of_the_dashboard_have_places_of_their_own_and_a_data_source_that_can_be_chosen() -> None:
    found = dashboard()
    places = [
        (panel["gridPos"]["x"] + column, panel["gridPos"]["y"] + row)
        for panel in found["panels"]
        for column in range(panel["gridPos"]["w"])
        for row in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert max(column for column, _ in places) < 24
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
    assert [each["type"] for each in found["templating"]["list"]] == ["datasource"]
    assert {panel["datasource"]["uid"] for panel in found["panels"]} == {"${datasource}"}


def test_every_alert_has_a_severity_and_says_what_happened_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith(".")


def test_the_page_lists_every_metric_with_its_kind_and_tags_and_every_alert() -> None:
    page = (DOCS / "monitoring.md").read_text()
    rows = {
        name: (kind, tuple(re.findall(r"`(\w+)`", tags)))
        for name, kind, tags in re.findall(r"^\| `(omni\.[a-z._]+)` \| (\w+) \|([^|]*)\|", page, re.MULTILINE)
    }
    assert rows == {metric.name: (metric.kind, metric.tags) for metric in METRICS}
    assert re.findall(r"^\| `(Omni\w+)` \|", page, re.MULTILINE) == [rule["alert"] for rule in alerts()]


@pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool here")
def test_alerts_fire_when_they_should_as_prometheus_itself_says() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", "alerts_test.yaml"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
