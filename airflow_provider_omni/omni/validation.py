"""Refusing bad input before anything is sent, with every problem named at once.

A line says which field, what it got and what was expected. It never shows a text, a URL or a number: of those
only the kind and the length. The limits are in the models: each typed channel's module and `models.py`. Phone numbers
are judged in `delivery/`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from airflow_provider_omni.omni.arguments import MAX_PROBLEMS, kind_of, problems_of, read_arguments
from airflow_provider_omni.omni.channels import (
    CONTENT_ARGUMENTS,
    NO_CONTENT,
    OTHER_CHANNELS,
    OWN_ARGUMENTS,
    Channel,
    KnownChannel,
    model_problems,
    unknown_channel,
)
from airflow_provider_omni.omni.content import ChannelContent, Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.json_check import foreign_to_json, unfit_character, unfit_in
from airflow_provider_omni.omni.masking import describe, shown_name
from airflow_provider_omni.omni.members import WithValidity
from airflow_provider_omni.omni.models import Destination, NewScenario
from airflow_provider_omni.omni.nothing import is_blank, word_for_nothing
from airflow_provider_omni.omni.options import Options
from airflow_provider_omni.omni.problems import unexpected

M = TypeVar("M", bound=BaseModel)


_TEXT_OBJECT = 'an object such as {"text": "Your parcel is here."}'


class _ProblemCollector:
    """Collects problems over several fields."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def model(self, model: type[M], value: Any, root: str) -> M | None:
        if type(value) is not dict and isinstance(value, model):
            return value
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.problems += problems_of(error, root, model)
        self._validity(model, value, root)
        return None

    def _validity(self, model: type[BaseModel], value: Any, root: str) -> None:
        """Pydantic asks about the whole object only when each member is fine; here all problems are wanted at once."""
        if not issubclass(model, WithValidity) or not isinstance(value, Mapping):
            return
        members = ("validityPeriod", "validityPeriodTimeUnit", "validity_period", "validity_period_time_unit")
        try:
            alone = WithValidity.model_validate({each: value[each] for each in members if each in value})
            if alone.validity_period is not None:
                alone.check_validity(model.shortest)
        except PydanticCustomError as error:
            said = error.context or {}
            found = [unexpected(f"{root}.{said['member']}", said["got"], said["wanted"])]
        except ValidationError as error:
            found = problems_of(error, root)
        else:
            return
        self.problems += [line for line in found if line not in self.problems]

    def add(self, field: str, got: str, expected: str) -> None:
        self.problems.append(unexpected(field, got, expected))


def check_content(*, now: datetime | None = None, **given: Any) -> Content:
    """Return the content of a request. Raises OmniInputError that names every problem at once.

    :param now: for tests.
    :param given: contents by the operators' arguments (`CONTENT_ARGUMENTS`): `line` and `sms`, each an object in the
        API's field names or a model; `other_channels`, the other channels' objects or models by their member's name
        (`whatsApp`, `viber`, …). All else are `Options`, under the names of arguments or of the API.
    """
    collector = _ProblemCollector()
    contents = {name: given.pop(name) for name in CONTENT_ARGUMENTS if name in given}
    by_channel = _check_contents(collector, contents)
    options = read_arguments(Options, given, collector.problems, now=now or datetime.now(UTC))
    if not by_channel and all(map(_is_empty, contents, contents.values())):
        collector.problems.append(NO_CONTENT)
    if collector.problems:
        raise OmniInputError("The message cannot be sent as it is; nothing was sent.", problems=collector.problems)
    return Content(by_channel, options)


def check_scenario(name: Any, flow: Any, default: Any = None) -> NewScenario:
    """Check a scenario to create or to store. Raises OmniInputError that names every problem."""
    collector = _ProblemCollector()
    steps = list(flow) if isinstance(flow, Sequence) and not isinstance(flow, str) else flow
    scenario = collector.model(NewScenario, {"name": name, "flow": steps, "default": default}, "scenario")
    if scenario is not None:
        _check_names(collector, scenario)
    if scenario is None or collector.problems:
        raise OmniInputError("The scenario cannot be used as it is; nothing was sent.", problems=collector.problems)
    return scenario


def _check_names(collector: _ProblemCollector, scenario: NewScenario) -> None:
    """Find names that phones cannot show. A sender is shown by phones, a scenario by its name."""
    names = {"scenario.name": scenario.name}
    names |= {
        f"scenario.flow[{at}].from": step.from_ for at, step in enumerate(scenario.flow) if step.from_ is not None
    }
    for field, name in names.items():
        if is_blank(name):
            collector.add(field, "a blank text", "a name")
        elif unfit := unfit_character(name, lines=False):
            collector.add(field, f"a text with {unfit}", "a name without any")


def check_destination(value: Any, root: str = "to") -> Destination:
    """Check a destination object in the API's field names. Raises OmniInputError. Judges no number."""
    collector = _ProblemCollector()
    destination = collector.model(Destination, value, root)
    if destination is None:
        raise OmniInputError("A destination cannot be used as it is; nothing was sent.", problems=collector.problems)
    return destination


def steps_without_content(flow: Sequence[str], channels: Collection[str]) -> tuple[str, ...]:
    """Return the steps of a flow that are not among the channels that there is content for. What the vendor does with
    those is not documented.
    """
    return tuple(channel for channel in flow if channel in Channel.__members__ and channel not in channels)


def _check_contents(collector: _ProblemCollector, contents: Mapping[str, Any]) -> dict[str, ChannelContent]:
    """Return the contents by channel, those with arguments of their own first."""
    good: dict[str, ChannelContent] = {}
    for name, known in OWN_ARGUMENTS.items():
        value = contents.get(name)
        if value is not None and (checked := _check_channel(collector, known, value, name)) is not None:
            good[known.name] = checked
    others = contents.get("other_channels")
    if others is None:
        return good
    if not isinstance(others, Mapping):
        collector.problems += model_problems("other_channels", others) or [
            unexpected("other_channels", kind_of(others), "an object")
        ]
        return good
    for name, value in others.items():
        other, root = OTHER_CHANNELS.get(name), f"other_channels.{shown_name(name)}"
        if other is None:
            collector.problems.append(unknown_channel(name))
        elif (checked := _check_channel(collector, other, value, root)) is not None:
            good[other.name] = checked
    return good


def _is_empty(name: str, value: Any) -> bool:
    return value is None if name in OWN_ARGUMENTS else not value


def _check_channel(collector: _ProblemCollector, known: KnownChannel, value: Any, root: str) -> ChannelContent | None:
    """Return one channel's content; None, with a problem, for what cannot be it."""
    if problem := known.model_problem(root, value):
        collector.problems.append(problem)
        return None
    typed = known.typed
    if typed is None:
        return _pass_through(collector, value, root)
    if not isinstance(value, Mapping):
        if isinstance(value, WithValidity):
            return value
        collector.add(root, kind_of(value), _TEXT_OBJECT)
        return None
    if known.text_type is None:
        return collector.model(typed.models[None], dict(value), root)
    kind = value.get("type")
    if kind is None and value and typed.foreign[known.text_type].isdisjoint(value):
        kind = known.text_type
    if not isinstance(kind, str) or kind not in typed.models:
        collector.add(f"{root}.type", describe(kind, True), "one of " + ", ".join(map(str, typed.models)))
        return None
    before = len(collector.problems)
    checked = collector.model(typed.models[kind], {**value, "type": kind}, root)
    missing = [at for at, line in enumerate(collector.problems) if at >= before and line.endswith(": missing")]
    needed = typed.needed(kind)
    if 0 < len(missing) < len(needed):
        collector.problems[missing[-1]] += f"; a message of type {kind} needs {' and '.join(needed)}"
    return checked


def _pass_through(collector: _ProblemCollector, value: Any, root: str) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        collector.add(root, kind_of(value), "an object")
        return None
    content = dict(value)
    if isinstance(text := value.get("text"), str) and (word := word_for_nothing(text)):
        collector.add(f"{root}.text", f"{word!r} (a template that found nothing?)", "a text")
    collector.problems += not_json(content, root)
    for where, found in islice(unfit_in(content, root), MAX_PROBLEMS):
        collector.add(where, found, "a text without any")
    return content


def not_json(value: Any, root: str) -> list[str]:
    """Lines such as `other_channels.viber.at: got a value of type datetime, expected what JSON has`."""
    found = islice(foreign_to_json(value, root), MAX_PROBLEMS)
    return [unexpected(each.where, each.found, "what JSON has") for each in found]
