"""From an operator's rendered arguments to a plan. Everything that can be known before the first POST is refused here.

Pure; knows no Airflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.options import (
    channel_problems,
    flag_problems,
    grace_problems,
    mismatch_problems,
    rejected_problems,
)
from airflow_provider_omni.delivery.outbox.plan import MessageSpec
from airflow_provider_omni.delivery.recipients.addresses import Recipients, read_recipients
from airflow_provider_omni.delivery.recipients.guard import narrowed
from airflow_provider_omni.delivery.recipients.numbers import ANYWHERE, NumberRules
from airflow_provider_omni.delivery.recipients.templates import lookalikes
from airflow_provider_omni.hooks.scenarios import read_scenario
from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS, OTHER_CHANNELS, OWN_ARGUMENTS, KnownChannel
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.validation import check_content
from airflow_provider_omni.omni.written import MOST_PLACES, empty_words, is_nothing, read_list, read_object


def read_plan(
    *,
    idempotency_key: Any,
    scenario_key: Any,
    to: Any,
    placeholders: Any = False,
    flow: Any = None,
    on_rejected: Any = "fail",
    log_grace: Any = 30.0,
    dry_run: Any = False,
    id_secret: str | None = None,
    allowed_recipients: Iterable[str] | None = None,
    region: Any = None,
    allowed_countries: Any = None,
    number_check: Any = None,
    numbers: NumberRules = ANYWHERE,
    may_be_nobody: bool = False,
    now: datetime | None = None,
    **content: Any,
) -> MessageSpec:
    """Read a user's arguments into a plan. Raises one `OmniInputError` that names every problem.

    :param idempotency_key: name of the send.
    :param scenario_key: the key, or the dict that `OmniCreateScenarioOperator` returned, which brings the flow along.
    :param to: a number, a list of numbers, or destinations.
    :param placeholders: True: refuse texts that have something in them that looks like a placeholder.
    :param flow: the channels of the scenario; None: read the scenario.
    :param on_rejected: `fail` or `ignore`.
    :param log_grace: seconds that the vendor's logs may be late.
    :param dry_run: post nothing.
    :param id_secret: the connection's `id_secret`.
    :param allowed_recipients: numbers that may be sent to; None: all.
    :param region: country of numbers without a country code. None: the region of `numbers`.
    :param allowed_countries: countries that may be sent to; `numbers` must allow them, too. None: those of `numbers`.
    :param number_check: `valid` or `possible`. None: the check of `numbers`.
    :param numbers: the connection's rules for numbers.
    :param may_be_nobody: accept an empty list in `to`, as a batch accepts an empty source.
    :param now: time by which `send_at` is judged. Default: the current time.
    :param content: the contents (`line`, `sms`, `other_channels`), each an object, a model, or a text that a template
        has rendered; and the options (`notify`, `notify_url`, `notify_content_type`, `callback_data`,
        `intermediate_report`, `send_at`).
    """
    problems: list[str] = []
    scenario_key, flow = read_scenario(scenario_key, flow, problems)
    idempotency_key = read_key(idempotency_key, problems)
    problems += rejected_problems(on_rejected, ratio=False)
    problems += grace_problems(log_grace)
    problems += flag_problems("dry_run", dry_run)
    problems += flag_problems("placeholders", placeholders)
    objects = read_objects(problems, {name: content.pop(name, None) for name in CONTENT_ARGUMENTS})
    channels = read_channels(flow, problems)
    checked = _content(problems, now=now, **objects, **content)
    if placeholders:
        problems += islice(lookalikes(objects, ""), MOST_PLACES)
    problems += mismatch_problems(channels or (), checked.channels() if checked else ())
    own = narrowed(numbers, problems, region=region, allowed_countries=allowed_countries, number_check=number_check)
    recipients = _recipients(problems, to, allowed_recipients, own, numbers.region, may_be_nobody)
    if problems or checked is None or recipients is None:
        raise OmniInputError("The message cannot be sent as it is; nothing was sent.", problems=problems)
    return MessageSpec(Identity(idempotency_key, id_secret), scenario_key, checked, recipients, channels)


def read_key(key: Any, problems: list[str]) -> str:
    """Return an `idempotency_key`. An empty one is a problem: a key that a template has made of nothing would name
    every send of every run, so that nobody after the first would get anything.
    """
    expected = "a text that names this send"
    if type(key) is int:
        key = str(key)
    if is_nothing(key):
        problems.append(unexpected("idempotency_key", empty_words(key), expected))
    elif not isinstance(key, str):
        problems.append(unexpected("idempotency_key", describe(key), expected))
    else:
        return key
    return ""


def read_objects(problems: list[str], contents: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents by argument, parsed if a template has rendered a whole object to text."""
    given: dict[str, Any] = {}
    for name, value in contents.items():
        value = _object(problems, name, value)
        if name in OWN_ARGUMENTS:
            value = _inner(problems, OWN_ARGUMENTS[name], name, value)
        elif isinstance(value, Mapping):
            value = {key: _other(problems, key, each) for key, each in value.items()}
        given[name] = value
    return given


def _other(problems: list[str], key: str, value: Any) -> Any:
    known, name = OTHER_CHANNELS.get(key), f"other_channels.{key}"
    return value if known is None else _inner(problems, known, name, _object(problems, name, value))


def _inner(problems: list[str], known: KnownChannel, name: str, value: Any) -> Any:
    """Return a channel's object, with the objects that are members of it parsed, too."""
    inner = known.typed.objects if known.typed is not None else ()
    if not isinstance(value, Mapping) or not any(isinstance(value.get(each), str) for each in inner):
        return value
    return {**value, **{each: _object(problems, f"{name}.{each}", value[each]) for each in inner if each in value}}


def _object(problems: list[str], name: str, value: Any) -> Any:
    try:
        return read_object(name, value, "an object in the API's field names, such as {'text': …}")
    except OmniInputError as error:
        problems += error.problems
        return None


def read_channels(flow: Any, problems: list[str]) -> tuple[str, ...] | None:
    """Return the channels of a flow, given as names or as a scenario's steps. None: read them from the scenario."""
    if flow is None:
        return None
    expected = "a list of channels such as ['LINE', 'SMS']"
    try:
        steps = read_list("flow", flow, expected, spaces=True)
    except OmniInputError as error:
        problems += error.problems
        return None
    named: list[Any] = [step.get("channel") if isinstance(step, Mapping) else step for step in steps]
    bad = [index for index, name in enumerate(named) if not isinstance(name, str) or not name.strip()]
    if bad or not named:
        problems += [
            unexpected(f"flow[{index}]", describe(named[index]), "the name of a channel") for index in bad[:10]
        ]
        if not named:
            problems.append(unexpected("flow", "an empty list", expected))
        return None
    channels = tuple(name.strip().upper() for name in named)
    problems += channel_problems(channels)
    return channels


def _content(problems: list[str], **content: Any) -> Content | None:
    try:
        return check_content(**content)
    except OmniInputError as error:
        problems += error.problems
        return None


def _recipients(
    problems: list[str],
    to: Any,
    allowed: Iterable[str] | None,
    numbers: NumberRules,
    home: str | None,
    may_be_nobody: bool,
) -> Recipients | None:
    try:
        return read_recipients(to, allowed, numbers, home, may_be_nobody=may_be_nobody)
    except OmniInputError as error:
        problems += error.problems
        return None
