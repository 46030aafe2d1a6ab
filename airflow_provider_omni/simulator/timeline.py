"""The arithmetic of failover: from a flow, a fate and validity periods to what happens when. Pure; nothing here waits.

A message's whole future is known when it is accepted, so it is worked out once and then only looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.omni.channels import CHANNELS
from airflow_provider_omni.simulator import outcomes
from airflow_provider_omni.simulator.fates import Fate, Moment, Reporting, Since
from airflow_provider_omni.simulator.outcomes import Status, StepError
from airflow_provider_omni.simulator.settings import HOURS_48, Settings

CONTENT_MEMBERS: dict[str, str] = {known.name: known.member for known in CHANNELS.values() if not known.older}
"""Channel → member of the send request that holds its content."""

UNIT_SECONDS: dict[str, float] = {
    "NANOSECONDS": 1e-9,
    "MICROSECONDS": 1e-6,
    "MILLISECONDS": 1e-3,
    "SECONDS": 1.0,
    "MINUTES": 60.0,
    "HOURS": 3600.0,
    "DAYS": 86_400.0,
}
SHORTEST_VALIDITY = 31.0
UNDELIVERABLE = 2


@dataclass(frozen=True)
class FlowStep:
    """One step of a scenario."""

    channel: str
    sender: str | None


@dataclass(slots=True)
class Change:
    """The step got this status at that time."""

    at: float
    status: Status
    error: StepError
    reported_at: float


@dataclass(slots=True, eq=False)
class Step:
    """One attempted channel of one message, with all that will happen to it, oldest first.

    `logged_ms`: its `sentAt`, in whole milliseconds since 1970, as the logs show and compare it; it is in the logs from
    then on. `failed_at`: when it has failed for good, so that the next step starts; None when it does not fail.
    """

    channel: str
    sender: str | None
    text: str | None
    started_at: float
    expires_at: float
    logged_ms: int
    failed_at: float | None = None
    changes: list[Change] = field(default_factory=list)
    cancelled: bool = False

    def at(self, moment: float) -> Change | None:
        """Return the latest change up to a time: None while nothing was heard."""
        latest = None
        for change in self.changes:
            if change.at <= moment:
                latest = change
        return latest


def validity_seconds(content: Mapping[str, Any], channel: str, settings: Settings) -> float:
    """Return how long a step lives, in the vendor's seconds: 48 h at most. A number in a string counts as a number."""
    raw = content.get("validityPeriod")
    if raw is None:
        return min(settings.validity_of(channel), HOURS_48)
    seconds = float(raw) * UNIT_SECONDS[str(content.get("validityPeriodTimeUnit") or "MINUTES").upper()]
    if seconds < SHORTEST_VALIDITY and settings.short_validity == "raise":
        seconds = SHORTEST_VALIDITY
    return min(seconds, HOURS_48)


def milliseconds(moment: float) -> int:
    """Return a time in whole milliseconds, rounded down but for the error of floating point."""
    return int(moment * 1000 + 1e-3)


def plan(
    flow: Sequence[FlowStep], contents: Mapping[str, Any], fate: Fate, start: float, settings: Settings
) -> list[Step]:
    """Work out every step that will be attempted, from `start` on. Steps without content follow `missing_content`."""
    steps: list[Step] = []
    begin: float | None = start
    for flow_step in flow:
        content = contents.get(flow_step.channel)
        if content is None and settings.missing_content == "skip":
            continue
        if begin is None:
            break
        steps.append(_attempt(flow_step, content, fate, begin, settings))
        begin = steps[-1].failed_at
    return steps


def _attempt(
    flow_step: FlowStep, content: Mapping[str, Any] | None, fate: Fate, begin: float, settings: Settings
) -> Step:
    """Work out one step. The first of failure, handset delivery and expiry settles it; later moments still show."""
    beat = settings.beat_seconds / settings.time_scale
    known = content or {}
    expires_at = begin + validity_seconds(known, flow_step.channel, settings) / settings.time_scale
    text = known.get("text")
    shown = text if isinstance(text, str) else None
    step = Step(flow_step.channel, flow_step.sender, shown, begin, expires_at, milliseconds(begin))
    if content is None:
        step.changes.append(Change(begin, outcomes.REJECTED_PLATFORM, outcomes.BAD_REQUEST, begin))
        step.failed_at = begin
        return step
    moments = fate.sms if flow_step.channel == "SMS" else fate.chat
    settled = False
    for moment in moments:
        at = (begin if moment.since is Since.START else expires_at) + moment.after * beat
        if at > expires_at and not settled:
            settled = _expire(step)
        step.changes.append(Change(at, moment.status, moment.error, at + moment.report_after * beat))
        if not settled:
            settled = _settles(moment, settings, last=moment is moments[-1])
            if moment.status.failed:
                waits = moment.status.group_id == UNDELIVERABLE and settings.undeliverable_fails_over == "at-expiry"
                step.failed_at = expires_at if waits else at
    if not settled:
        _expire(step)
    return step


def _settles(moment: Moment, settings: Settings, *, last: bool) -> bool:
    """Return whether a step is over with this moment: an operator delivery is, when nothing more is to come."""
    status = moment.status
    return status.failed or status.on_handset or (status.at_operator and last and settings.operator_stops_failover)


def _expire(step: Step) -> bool:
    """Let a step run out of validity: unknown to the end when the operator had it."""
    at_operator = any(change.status.at_operator for change in step.changes)
    status = outcomes.EXPIRED_UNKNOWN if at_operator else outcomes.EXPIRED
    step.changes.append(Change(step.expires_at, status, outcomes.VALIDITY_EXPIRED, step.expires_at))
    step.failed_at = step.expires_at
    return True


def reported(steps: Sequence[Step], reporting: Reporting, settings: Settings) -> Iterator[tuple[float, Step, Change]]:
    """Yield what comes out as reports: when, of which step, which change."""
    if reporting in (Reporting.NO_REPORTS, Reporting.NOTHING):
        return
    for position, step in enumerate(steps):
        is_last = position == len(steps) - 1
        for change in step.changes:
            if change.status.group_id in (0, 1):
                continue
            if change.status.failed and not is_last and settings.reports == "final":
                continue
            yield change.reported_at, step, change
            if reporting is Reporting.TWICE:
                yield change.reported_at + settings.beat_seconds / settings.time_scale, step, change
