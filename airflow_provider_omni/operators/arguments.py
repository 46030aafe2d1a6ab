"""From an operator's rendered arguments to a plan: everything that can be known before the first POST is refused here.

Pure; knows no Airflow.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_omni.delivery.identity import Identity
from airflow_provider_omni.delivery.plan import Recipients, SendPlan, read_recipients
from airflow_provider_omni.omni.content import OTHER_CHANNELS, Content, validity_seconds
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import Channel
from airflow_provider_omni.omni.validation import check_content, describe

ON_REJECTED = ("fail", "ignore")
MOST_LOG_GRACE = 300
"""Seconds. Two of them must fit into the time that a try gives the logs."""


def read_plan(
    *,
    idempotency_key: Any,
    scenario_key: Any,
    to: Any,
    line: Any = None,
    sms: Any = None,
    other_channels: Any = None,
    flow: Any = None,
    on_rejected: Any = "fail",
    log_grace: Any = 30.0,
    dry_run: Any = False,
    id_secret: str | None = None,
    allowed_recipients: Iterable[str] | None = None,
    now: datetime | None = None,
    **options: Any,
) -> SendPlan:
    """Read what a user typed into a plan, or raise one :class:`OmniInputError` that names every problem.

    :param scenario_key: the key, or what ``OmniCreateScenarioOperator`` returned, which brings the flow along.
    :param options: ``notify``, ``notify_url``, ``notify_content_type``, ``callback_data``, ``intermediate_report`` and
        ``send_at``.
    """
    problems: list[str] = []
    if isinstance(scenario_key, Mapping):
        flow = flow or scenario_key.get("flow")
        scenario_key = scenario_key.get("key")
    for name, value in (("idempotency_key", idempotency_key), ("scenario_key", scenario_key)):
        if not isinstance(value, str) or not value.strip():
            problems.append(f"{name}: found {describe(value)}, allowed is a text that is not blank")
    if on_rejected not in ON_REJECTED:
        problems.append(f"on_rejected: found {describe(on_rejected, True)}, allowed is 'fail' or 'ignore'")
    if isinstance(log_grace, bool) or not isinstance(log_grace, int | float) or not 0 <= log_grace <= MOST_LOG_GRACE:
        problems.append(f"log_grace: found {describe(log_grace, True)}, allowed is 0 to {MOST_LOG_GRACE} seconds")
    problems += flag_problems("dry_run", dry_run)
    problems += scenario_key_problems(scenario_key)
    channels = read_channels(flow, problems)
    content = _content(problems, line, sms, other_channels, now=now, **options)
    if content and channels and not set(channels) & set(content.channels()):
        said, tried = ", ".join(content.channels()), ", ".join(channels)
        problems.append(f"flow: tries {tried}, but there is content for {said} only: nobody would get anything")
    recipients = _recipients(problems, to, allowed_recipients)
    if problems or content is None or recipients is None:
        raise OmniInputError("The message cannot be sent as it is; nothing was sent.", problems=problems)
    return SendPlan(Identity(idempotency_key, id_secret), scenario_key, content, recipients, channels)


def with_times(receipt: dict[str, Any], content: Content) -> dict[str, Any]:
    """Add to a receipt what its follower's time-out is made of: ``validity_seconds`` of all steps, where each says its
    own, and ``send_at``, where it is sent later.
    """
    said = {"LINE": content.line, "SMS": content.sms} | {
        OTHER_CHANNELS[name]: each for name, each in content.others.items()
    }
    return times_of(receipt, said, content.options.send_at)


def times_of(receipt: dict[str, Any], said: Mapping[str, Any], send_at: datetime | None) -> dict[str, Any]:
    """The same, from each channel's content or JSON object."""
    periods = [validity_seconds(said.get(channel)) for channel in receipt["flow"]]
    times: dict[str, Any] = {}
    if periods and None not in periods:
        times["validity_seconds"] = sum(period for period in periods if period is not None)
    if send_at is not None:
        times["send_at"] = send_at.isoformat()
    return receipt | times


def flag_problems(name: str, value: Any) -> list[str]:
    """What is wrong with an argument that says yes or no and is no template: any text would mean yes."""
    if type(value) is bool:
        return []
    kind = "a text" if isinstance(value, str) else describe(value, True)
    return [f"{name}: found {kind}, allowed is True or False; it is no template"]


def scenario_key_problems(key: Any) -> list[str]:
    """What a template renders to that found nothing: it is a text, and the vendor would refuse everybody."""
    if isinstance(key, str) and key.strip() == "None":
        return ["scenario_key: found 'None' (a template that found nothing?), allowed is a scenario's key"]
    return []


def read_channels(flow: Any, problems: list[str]) -> tuple[str, ...] | None:
    """The channels of a flow, given as names or as a scenario's steps; None: to be read from the scenario."""
    if flow is None:
        return None
    if isinstance(flow, str):  # what a template renders a list to
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            flow = ast.literal_eval(flow.strip())
    steps = flow if isinstance(flow, Sequence) and not isinstance(flow, str) else []
    named = [step.get("channel") if isinstance(step, Mapping) else step for step in steps]
    names = [name for name in named if isinstance(name, str) and name]
    if not names or len(names) < len(named):
        problems.append(f"flow: found {describe(flow)}, allowed is a list of channels such as ['LINE', 'SMS']")
        return None
    channels = tuple(name.upper() for name in names)
    unknown = ", ".join(repr(name) for name in channels if name not in Channel.__members__)
    if unknown:
        problems.append(f"flow: found {unknown[:80]}, allowed are {', '.join(Channel.__members__)}")
    return channels


def _content(problems: list[str], *contents: Any, **options: Any) -> Content | None:
    try:
        return check_content(*contents, **options)
    except OmniInputError as error:
        problems += error.problems
        return None


def _recipients(problems: list[str], to: Any, allowed: Iterable[str] | None) -> Recipients | None:
    try:
        return read_recipients(to, allowed)
    except OmniInputError as error:
        problems += error.problems
        return None
