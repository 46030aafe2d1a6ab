"""The switches: everything the vendor's documents leave open, and how fast things happen. A table, checked against
docs/simulator.md by a test. What a switch does is done where it belongs; here it only has a name, a default and values.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.omni.problems import unexpected

HOURS_48 = 172_800.0
SLOWEST = 1e-6
SOURCE_SCENARIO_KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
"""The scenario key of the source document. The first scenario gets it: the document's requests work as printed."""
LARGEST = 1e9
"""Above every number of a switch: seconds of thirty years."""
OFFSETS = ("+0000", "+0100", "-0300", "+01:00", "Z")


def _switch(default: Any, what: str, *values: Any) -> Any:
    """Make a field that is a row of the switch table. `values` empty: any value of the default's type."""
    return dataclasses.field(default=default, metadata={"what": what, "values": values})


def _prices() -> dict[str, float]:
    return {"LINE": 0.02, "SMS": 0.05}


@dataclass(frozen=True)
class Settings:
    """Callers, and behaviour of the simulated account. Frozen: `Simulator.configure` puts another in its place."""

    login: str = "demo"
    password: str = dataclasses.field(default="demo-password", repr=False)
    app_key: str = dataclasses.field(default="demo", repr=False)
    bearer_token: str = dataclasses.field(default="demo", repr=False)
    seed: int = 0
    """For made-up ids and random orders: equal seeds and equal calls give equal answers."""
    prices: Mapping[str, float] = dataclasses.field(default_factory=_prices)
    """Price of one message by channel; 0.01 for channels that are not listed."""
    default_validity_by_channel: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Seconds, where they differ from the switch `default_validity_seconds`."""

    create_status: int = _switch(201, "status of a created scenario", 201, 200)
    source_scenario: bool = _switch(False, "the document's scenario exists from the start (or reset)", False, True)
    duplicate_channels: str = _switch("accept", "a flow with one channel twice", "accept", "400")
    scenario_update: str = _switch(
        "new-messages",
        "who follows an updated flow: later messages only, or also steps not yet started",
        "new-messages",
        "in-flight",
    )
    unknown_scenario: str = _switch(
        "400",
        "send with an unknown scenario: error, use the default one, or reject each message",
        "400",
        "404",
        "default",
        "reject",
    )
    missing_content: str = _switch(
        "skip", "a step without content: skipped, error, or a failed step", "skip", "400", "reject"
    )
    bad_number: str = _switch("reject", "a malformed number: status 52 in the 200 answer, or error", "reject", "400")
    empty_destinations: str = _switch("400", "send without destinations: error, or an empty answer", "400", "200")
    max_destinations: int = _switch(0, "destinations in one request above this are a 400; 0: no limit")
    max_body_bytes: int = _switch(0, "a request body above this is a 413; 0: no limit")
    short_validity: str = _switch(
        "accept",
        "validity of 30 s or less: taken as it is, status 70 in the 200 answer, or raised to 31 s",
        "accept",
        "reject",
        "raise",
    )
    duplicates: str = _switch(
        "status-23",
        "a messageId seen before: status 23 in the answer, sent again, ignored, or rejected in a later report only",
        "status-23",
        "accept",
        "ignore",
        "report",
    )
    duplicate_scope: str = _switch(
        "account", "where a messageId may not be repeated: in the account, or under one bulkId", "account", "bulk"
    )
    duplicate_window_seconds: float = _switch(HOURS_48, "how long a messageId is remembered")
    repeated_bulk_id: str = _switch("accept", "a send with a bulkId seen before: goes on, or error", "accept", "400")
    message_credits: int = _switch(0, "after so many accepted messages the rest is refused with status 12; 0: no limit")
    refused_uses_id: bool = _switch(False, "a messageId refused in the 200 answer counts as seen", False, True)
    refused_in: str = _switch(
        "nothing", "where messages refused in the 200 answer show up", "nothing", "logs", "reports", "both"
    )
    answer_order: str = _switch("request", "order of messages[] in the answer", "request", "reversed", "random")
    echo_bulk_id: str = _switch(
        "many",
        "bulkId in the answer: for several destinations, also when the caller gave one, always",
        "many",
        "given",
        "always",
    )
    single_bulk_id: str = _switch(
        "kept", "bulkId of a message sent alone: kept, or forgotten (filters do not find it)", "kept", "dropped"
    )
    given_bulk_id: str = _switch(
        "kept",
        "the caller's bulkId of a send with several destinations: kept, forgotten, or replaced by one of the account's",
        "kept",
        "dropped",
        "replaced",
    )
    id_lists: str = _switch(
        "all", "a comma list of ids in a filter: all of them, the first only, or one odd id", "all", "first", "none"
    )
    reports: str = _switch("final", "reports: the final one only, or one per step", "final", "per-step")
    report_consumption: str = _switch(
        "read", "a report is gone once read, once its answer was written in full, or never", "read", "written", "never"
    )
    filtered_read: str = _switch("own", "a filtered read consumes its own rows, or everything", "own", "all")
    report_order: str = _switch("newest", "order of reports", "newest", "oldest", "random")
    report_bulk_id: str = _switch("sent", "bulkId in reports: as sent, empty, or absent", "sent", "empty", "absent")
    limit_above_max: str = _switch("clamp", "limit above 1000: taken as 1000, or error", "clamp", "400")
    retention_seconds: float = _switch(HOURS_48, "how long reports and logs are kept")
    notify_false: str = _switch("pull", "notify=false: reports can still be read, or there are none", "pull", "hide")
    pushed_reports: str = _switch("pull", "reports of a send with notifyUrl: can be read too, or not", "pull", "hide")
    log_lag_seconds: float = _switch(0.0, "the logs are this far behind")
    log_rows: str = _switch(
        "per-step", "logs: a row per attempted step, or the latest step's only", "per-step", "last-step"
    )
    scheduled_in_logs: bool = _switch(False, "a message with sendAt ahead is in the logs before it starts", False, True)
    operator_stops_failover: bool = _switch(
        True, "DELIVERED_TO_OPERATOR ends the validity timer; False: the step still expires", True, False
    )
    undeliverable_fails_over: str = _switch(
        "at-once",
        "an UNDELIVERABLE step starts the next one: at once, or when its validity ends",
        "at-once",
        "at-expiry",
    )
    default_validity_seconds: float = _switch(HOURS_48, "validity of a step for which none was sent")
    price_of_failed_steps: str = _switch("zero", "price of a failed step", "zero", "full")
    currency: str = _switch("EUR", "currency of prices")
    offset: str = _switch("+0000", "offset of dates in answers", *OFFSETS)
    error_body: str = _switch("legacy", "envelope of errors other than 429", "legacy", "current", "empty")
    throttle_body: str = _switch("current", "envelope of a 429", "current", "legacy", "empty")
    retry_after: bool = _switch(False, "a 429 carries Retry-After", False, True)
    throttles: bool = _switch(True, "the throttles below are enforced", True, False)
    creates_per_10_minutes: int = _switch(20, "throttle of POST /omni/1/scenarios")
    updates_per_10_minutes: int = _switch(40, "throttle of PUT /omni/1/scenarios/{key}")
    logs_per_minute: int = _switch(120, "throttle of GET /omni/1/logs")
    fates: str = _switch(
        "by-number",
        "what becomes of a message: what the last two digits of its number say, or nothing until it is decided",
        "by-number",
        "by-hand",
    )
    latency_seconds: float = _switch(0.0, "every answer comes this much later, in real seconds")
    beat_seconds: float = _switch(1.0, "the unit of the fates: how long a delivery takes")
    time_scale: float = _switch(1.0, "validity periods and beats pass this many times as fast; dates stay as they are")

    def __post_init__(self) -> None:
        problems = [problem for name in SWITCHES for problem in _problem(name, getattr(self, name))]
        if problems:
            raise ValueError("; ".join(problems))

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return settings with some values changed.

        Raises ValueError that names every unknown name and every value that is not allowed.
        """
        known = {field.name for field in dataclasses.fields(self)}
        unknown = [f"{name}: no such switch" for name in changes if name not in known]
        problems = [problem for name, value in changes.items() if name in SWITCHES for problem in _problem(name, value)]
        if unknown or problems:
            raise ValueError("; ".join(unknown + problems))
        return dataclasses.replace(self, **changes)

    def switches(self) -> dict[str, Any]:
        """Return the switches and their values (no secrets)."""
        return {name: getattr(self, name) for name in SWITCHES}

    def validity_of(self, channel: str) -> float:
        """Return the seconds that a step lives when the caller said nothing."""
        return self.default_validity_by_channel.get(channel, self.default_validity_seconds)


@dataclass(frozen=True)
class Switch:
    """One row of the table. `values` empty: any value of the default's type."""

    name: str
    default: Any
    values: tuple[Any, ...]
    what: str


SWITCHES: dict[str, Switch] = {}
SWITCHES.update(
    (field.name, Switch(field.name, field.default, field.metadata["values"], field.metadata["what"]))
    for field in dataclasses.fields(Settings)
    if "what" in field.metadata
)
"""Every switch by name, in the order of the table."""


def _problem(name: str, value: Any) -> list[str]:
    switch = SWITCHES[name]
    wanted: tuple[type, ...] = (int, float) if isinstance(switch.default, float) else (type(switch.default),)
    if not isinstance(value, wanted) or isinstance(value, bool) is not isinstance(switch.default, bool):
        return [f"{name}: {value!r} is not a {wanted[-1].__name__}"]
    if switch.values and value not in switch.values:
        return [unexpected(name, repr(value), f"one of {', '.join(map(str, switch.values))}")]
    if not switch.values and isinstance(value, int | float):
        if value < 0:
            return [f"{name}: {value!r}, must not be below 0"]
        if not value <= LARGEST or not math.isfinite(value):
            return [unexpected(name, "more than can be meant", f"up to {LARGEST:,.0f}")]
    if name == "time_scale" and value < SLOWEST:
        return [f"time_scale: {value:g}, must be above 0"]
    return []


def read_switch(text: str) -> tuple[str, Any]:
    """Read `name=value` as typed on a command line. Raises ValueError with what is wrong."""
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or name not in SWITCHES:
        raise ValueError(f"{text!r}: expected name=value with one of {', '.join(SWITCHES)}")
    kind = type(SWITCHES[name].default)
    try:
        read = {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise ValueError(f"{name}: {value!r} is not a {kind.__name__}") from None
    if problem := _problem(name, read):
        raise ValueError(problem[0])
    return name, read
