"""From measurements to Airflow's metrics: on, off, and broken."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat import sdk

from airflow_provider_omni.delivery.metrics import API_CALLS, API_SECONDS, WAITS_OPEN, Measurement
from airflow_provider_omni.hooks import metrics
from airflow_provider_omni.hooks.metrics import AirflowMetrics, OpenWaits, observer_of_calls, recorder, show_age
from airflow_provider_omni.omni import api
from airflow_provider_omni.simulator.running import RunningSimulator


class Stats:
    """Airflow's `Stats`, which keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def incr(self, *given: Any, tags: Any) -> None:
        self.calls.append(("incr", *given, tags))

    def timing(self, *given: Any, tags: Any) -> None:
        self.calls.append(("timing", *given, tags))

    def gauge(self, *given: Any, tags: Any) -> None:
        self.calls.append(("gauge", *given, tags))


class BrokenStats:
    """A backend that fails whatever it is asked for."""

    def __getattr__(self, name: str) -> Any:
        raise OSError(name)


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Stats:
    found = Stats()
    monkeypatch.setattr(sdk, "Stats", found, raising=False)
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    return found


def test_each_kind_goes_to_its_own_function_of_stats_with_tags(stats: Stats) -> None:
    AirflowMetrics().record(
        [
            Measurement(API_CALLS, (2,), {"call": "send", "status_class": "2xx"}),
            Measurement(API_SECONDS, (0.5, 1.5), {"call": "send"}),
            Measurement(WAITS_OPEN, (7,), {"hostname": "h"}),
        ]
    )
    assert stats.calls == [
        ("incr", "omni.api.calls", 2, {"call": "send", "status_class": "2xx"}),
        ("timing", "omni.api.seconds", timedelta(seconds=0.5), {"call": "send"}),
        ("timing", "omni.api.seconds", timedelta(seconds=1.5), {"call": "send"}),
        ("gauge", "omni.waits.open", 7, {"hostname": "h"}),
    ]


@pytest.mark.parametrize("switch", ["STATSD_ON", "STATSD_DATADOG_ENABLED", "OTEL_ON"])
def test_each_backend_of_airflow_turns_them_on(monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    assert recorder() is None
    assert observer_of_calls() is None
    monkeypatch.setenv(f"AIRFLOW__METRICS__{switch}", "True")
    assert recorder() is not None
    monkeypatch.setenv(f"AIRFLOW__METRICS__{switch}", "perhaps")
    assert recorder() is None


def test_a_backend_that_fails_costs_nothing_but_the_metric(
    monkeypatch: pytest.MonkeyPatch, omni_simulator: RunningSimulator
) -> None:
    from airflow_provider_omni.hooks.omni import OmniHook

    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setattr(sdk, "Stats", BrokenStats(), raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    with OmniHook() as hook:
        assert hook.list_scenarios() == []
    show_age(recorder(), 1.0)
    with OpenWaits().one(recorder()):
        pass


def test_calls_are_counted_and_timed_by_what_they_are_with_and_without_an_answer(stats: Stats) -> None:
    observe = observer_of_calls()
    assert observe is not None
    observe(api.get_scenario("SECRET-KEY"), 200, 0.25)
    observe(api.get_logs(message_ids=["m"]), None, 30.0)
    for status in (401, 403, 429, 404, 503):
        observe(api.get_reports(message_id="m"), status, 0.1)
    counted = [(tags["call"], tags["status_class"]) for kind, _, _, tags in stats.calls if kind == "incr"]
    assert counted == [
        ("get_scenario", "2xx"), ("logs", "none"),
        *[("reports", each) for each in ("401", "403", "429", "4xx", "5xx")],
    ]  # fmt: skip
    assert "SECRET-KEY" not in str(stats.calls)


def test_the_gauge_is_that_of_all_waits_of_the_process_and_an_unchanged_one_is_shown_now_and_then(
    stats: Stats, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    waits, on = OpenWaits(), recorder()
    with waits.one(on), waits.one(on):
        for _ in range(3):
            waits.show(on)
        now[0] += metrics.SHOWN_EVERY
        waits.show(on)
    assert [call[2] for call in stats.calls] == [1, 2, 2, 1, 0]


def test_while_metrics_are_off_nothing_is_loaded_for_them() -> None:
    code = """
import sys
from airflow_provider_omni.hooks.metrics import OPEN_WAITS, observer_of_calls, recorder, show_age
assert recorder() is None and observer_of_calls() is None
with OPEN_WAITS.one(None):
    show_age(None, 1.0)
print("airflow_provider_omni.delivery.metrics" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "False"


def test_an_operator_imports_nothing_of_metrics_when_a_dag_is_read() -> None:
    code = (
        "import sys, airflow_provider_omni.operators.omni; print('airflow_provider_omni.hooks.metrics' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "False"
