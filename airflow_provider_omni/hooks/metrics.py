"""Records what sends and waits measure as metrics of Airflow.

Nothing depends on a metric: what goes wrong with one is dropped. While Airflow has no backend for metrics, there is no
recorder, and nothing is loaded for it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.metrics import Measurement, Recorder
    from airflow_provider_omni.omni.api import Call, Observer

BACKENDS = ("statsd_on", "statsd_datadog_enabled", "otel_on")
"""Airflow's switches for metrics, in the section `metrics`."""
SHOWN_EVERY = 10.0
"""Seconds between two records of an unchanged gauge, which backends forget after a while."""
_log = logging.getLogger(__name__)


def recorder() -> Recorder | None:
    """Return what records measurements as metrics of Airflow; None while they are off."""
    return AirflowMetrics() if metrics_are_on() else None


def metrics_are_on() -> bool:
    """Return True if Airflow has a backend for metrics. A switch that is no flag counts as off."""
    from airflow.providers.common.compat.sdk import conf

    for name in BACKENDS:
        with contextlib.suppress(Exception):  # whatever Airflow raises for what is no flag
            if conf.getboolean("metrics", name, fallback=False):
                return True
    return False


class AirflowMetrics:
    """Airflow's `Stats`, as a `Recorder`."""

    def record(self, measurements: Iterable[Measurement]) -> None:
        """Record these, and drop those that cannot be."""
        for each in measurements:
            try:
                for value in each.values:
                    _record(each, value)
            except Exception as error:  # noqa: BLE001  nothing depends on a metric
                _log.debug("A metric was dropped (%s).", type(error).__name__)


def _record(each: Measurement, value: float) -> None:
    from airflow.providers.common.compat.sdk import Stats

    name, kind, _ = each.metric
    if kind == "counter":
        Stats.incr(name, int(value), tags=each.tags)
    elif kind == "timer":
        Stats.timing(name, timedelta(seconds=value), tags=each.tags)  # a number would be in another unit on Airflow 2
    else:
        Stats.gauge(name, value, tags=each.tags)


def observer_of_calls() -> Observer | None:
    """Return what counts and times a client's calls; None while metrics are off."""
    found = recorder()
    return None if found is None else _Calls(found)


class _Calls:
    def __init__(self, metrics: Recorder) -> None:
        self._metrics = metrics

    def __call__(self, call: Call[Any], status: int | None, seconds: float) -> None:
        from airflow_provider_omni.delivery.metrics import measure_call

        self._metrics.record(measure_call(call.kind, status, seconds))


class OpenWaits:
    """Counts the waits under way in this process, for the gauge. All triggers of a triggerer share one."""

    def __init__(self) -> None:
        self._open = 0
        self._lock = threading.Lock()
        self._shown_at = float("-inf")

    @contextlib.contextmanager
    def one(self, metrics: Recorder | None) -> Iterator[None]:
        """Count one more while the block runs."""
        self._add(1, metrics)
        try:
            yield
        finally:
            self._add(-1, metrics)

    def _add(self, more: int, metrics: Recorder | None) -> None:
        with self._lock:
            self._open += more
        self.show(metrics, at_once=True)

    def show(self, metrics: Recorder | None, *, at_once: bool = False) -> None:
        """Record how many there are, at most every `SHOWN_EVERY` seconds.

        :param at_once: True if the number has changed.
        """
        now = time.monotonic()
        if metrics is not None and (at_once or now - self._shown_at >= SHOWN_EVERY):
            self._shown_at = now
            from airflow_provider_omni.delivery.metrics import WAITS_OPEN, Measurement

            metrics.record((Measurement(WAITS_OPEN, (self._open,), {"hostname": socket.gethostname()}),))


OPEN_WAITS = OpenWaits()


def show_age(metrics: Recorder | None, begun_at: float) -> None:
    """Record how old a wait is.

    :param begun_at: time at which it began, in seconds since the epoch; 0 if that is not known.
    """
    if metrics is not None and begun_at:
        from airflow_provider_omni.delivery.metrics import WAITS_AGE, Measurement

        metrics.record((Measurement(WAITS_AGE, (max(0.0, time.time() - begun_at),), {}),))
