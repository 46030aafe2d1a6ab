"""Metrics, and measurements that sends and waits add to them. Pure: a recorder that is handed in does the rest.

No metric has an id in its name or its tags, and each tag has few values. docs/monitoring.md lists the metrics; a test
compares it, the alerts and the dashboard with `METRICS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.statuses import status_names

Kind = Literal["counter", "timer", "gauge"]


class Metric(NamedTuple):
    """A metric.

    :param kind: counters count up; timers are in seconds; gauges are the value of this moment.
    :param tags: the names of its tags.
    """

    name: str
    kind: Kind
    tags: tuple[str, ...] = ()


MESSAGES = Metric("omni.messages", "counter", ("state",))
UNKNOWN_OUTCOMES = Metric("omni.unknown_outcomes", "counter")
REFUSALS = Metric("omni.refusals", "counter", ("status",))
DELIVERIES = Metric("omni.deliveries", "counter", ("channel", "outcome"))
DELIVERY_SECONDS = Metric("omni.delivery.seconds", "timer", ("channel",))
API_CALLS = Metric("omni.api.calls", "counter", ("call", "status_class"))
API_SECONDS = Metric("omni.api.seconds", "timer", ("call",))
LOG_BUDGET_WAIT = Metric("omni.log_budget.wait", "timer")
WAITS_OPEN = Metric("omni.waits.open", "gauge", ("hostname",))
WAITS_AGE = Metric("omni.waits.age", "timer")

METRICS = (
    MESSAGES,
    UNKNOWN_OUTCOMES,
    REFUSALS,
    DELIVERIES,
    DELIVERY_SECONDS,
    API_CALLS,
    API_SECONDS,
    LOG_BUDGET_WAIT,
    WAITS_OPEN,
    WAITS_AGE,
)

MOST_TIMES = 100
"""Times to delivery that one wait records for a channel. Of more, so many stand for all, evenly spread over them."""
NONE, OTHER = "none", "other"
"""Tags for what is not known, and for names of the vendor's that this version does not know."""
SINGLED_OUT = frozenset({401, 403, 429})
"""HTTP statuses with a class of their own, since each wants something else done."""


class Measurement(NamedTuple):
    """An addition to a metric.

    :param values: the amount of a counter or gauge, or each time of a timer in seconds.
    """

    metric: Metric
    values: tuple[float, ...]
    tags: dict[str, str]


class Recorder(Protocol):
    """Records measurements. Never raises and never waits: nothing depends on a metric."""

    def record(self, measurements: Iterable[Measurement]) -> None:
        """Record these."""
        ...


def counted(metric: Metric, amount: float, **tags: str) -> list[Measurement]:
    """Return the measurement of a counter; none if there is nothing to count."""
    return [Measurement(metric, (amount,), tags)] if amount > 0 else []


def measure_call(kind: str, status: int | None, seconds: float) -> list[Measurement]:
    """Return what a call of the API adds.

    :param kind: `Call.kind`.
    :param status: HTTP status of the answer; None if there was none.
    """
    return [
        *counted(API_CALLS, 1, call=kind, status_class=status_class(status)),
        Measurement(API_SECONDS, (seconds,), {"call": kind}),
    ]


def status_class(status: int | None) -> str:
    """Return `2xx` to `5xx`, or one of `SINGLED_OUT`; `none` without an answer."""
    if status is None:
        return NONE
    return str(status) if status in SINGLED_OUT else f"{status // 100}xx"


def measure_refusals(by_status: Mapping[str, int]) -> list[Measurement]:
    """Return what refusals add, by the vendor's names for the reason. A name that is not in its registry is `other`."""
    names, found = status_names(), Counter[str]()
    for name, count in by_status.items():
        found[name if name in names else OTHER] += count
    return [each for name, count in sorted(found.items()) for each in counted(REFUSALS, count, status=name)]


def measure_deliveries(
    by_outcome: Mapping[str, Mapping[str, int]], seconds: Mapping[str, Sequence[float]]
) -> list[Measurement]:
    """Return what the end of a wait adds.

    :param by_outcome: for each outcome the messages by channel.
    :param seconds: times to delivery, by channel.
    """
    found = []
    for outcome, by_channel in by_outcome.items():
        for channel, count in sorted(_by_known_channel(by_channel).items()):
            found += counted(DELIVERIES, count, channel=channel, outcome=outcome)
    for channel, times in sorted(seconds.items()):
        if times:
            found.append(Measurement(DELIVERY_SECONDS, representatives(times), {"channel": _known_channel(channel)}))
    return found


def representatives(times: Sequence[float]) -> tuple[float, ...]:
    """Return the times, or `MOST_TIMES` of them that stand for all: one from the middle of each part of equal size."""
    ordered, most = sorted(times), MOST_TIMES
    if len(ordered) > most:
        ordered = [ordered[(2 * part + 1) * len(ordered) // (2 * most)] for part in range(most)]
    return tuple(round(each, 3) for each in ordered)


def to_json(measurements: Iterable[Measurement]) -> list[Any]:
    """Return measurements as JSON, for a trigger's event."""
    return [[each.metric.name, list(each.values), each.tags] for each in measurements]


def from_json(value: object) -> list[Measurement]:
    """Read measurements from a trigger's event. What this version does not know is left out."""
    known, found = {metric.name: metric for metric in METRICS}, []
    for each in value if isinstance(value, list) else ():
        match each:
            case [str(name), [*values], dict(tags)] if name in known:
                found.append(Measurement(known[name], tuple(values), tags))
    return found


def _known_channel(name: str) -> str:
    return name if name in Channel.__members__ or name == NONE else OTHER


def _by_known_channel(counts: Mapping[str, int]) -> Counter[str]:
    found = Counter[str]()
    for name, count in counts.items():
        found[_known_channel(name)] += count
    return found
