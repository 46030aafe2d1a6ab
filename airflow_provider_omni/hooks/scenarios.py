"""The scenario to use: decide if `ensure_scenario` reuses, updates or creates one, given those that the account has.
Makes no calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_provider_omni.delivery.options import if_exists_problems
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.models import NewScenario, Scenario
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import WHY_EMPTY, empty_words, is_nothing
from airflow_provider_omni.omni.written import read_object


@dataclass(frozen=True, slots=True)
class Reuse:
    """Use this scenario unchanged."""

    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Replace:
    """Update the scenario with this key."""

    key: str
    scenario: NewScenario


@dataclass(frozen=True, slots=True)
class Create:
    """Create this scenario."""

    scenario: NewScenario


Decision: TypeAlias = Reuse | Replace | Create


def decide(existing: Iterable[Scenario], wanted: NewScenario, if_exists: str) -> Decision:
    """Return the decision that brings the account to a scenario like `wanted`.

    The vendor makes a second scenario of one name without complaint, so names are compared here:

    | the account has | `reuse` | `update` | `create` |
    | --- | --- | --- | --- |
    | none of that name | create | create | create |
    | that name and flow | that one | that one | create |
    | that name, one other flow | error | replace its flow | create |
    | that name, several other flows | error | error (which one?) | create |

    A repeated creation leaves several with that name and flow. Of these the default one counts, else the lowest key, so
    that every run finds one and the same. If `wanted` is to be the default and the scenario found is not, it is
    updated; the default is never demoted, since that would leave other callers without one.

    Raises `OmniInputError` for an unknown `if_exists`, `OmniConfigurationError` for the errors above.
    """
    if problems := if_exists_problems(if_exists):
        raise OmniInputError("The scenario cannot be made", problems=problems)
    if if_exists == "create":
        return Create(wanted)
    namesakes = sorted(
        (each for each in existing if each.name == wanted.name), key=lambda each: (not each.default, each.key)
    )
    if not namesakes:
        return Create(wanted)
    same = [each for each in namesakes if _same_flow(each, wanted)]
    if same:
        return Replace(same[0].key, wanted) if wanted.default and not same[0].default else Reuse(same[0])
    if if_exists == "update" and len(namesakes) == 1:
        keep_default = bool(wanted.default or namesakes[0].default)
        return Replace(namesakes[0].key, wanted.model_copy(update={"default": keep_default}))
    raise OmniConfigurationError(_conflict(namesakes, wanted, if_exists))


def read_scenario(key: Any, flow: Any, problems: list[str]) -> tuple[str, Any]:
    """Return a scenario's key and flow, from its key or from the dict that `OmniCreateScenarioOperator` returned, also
    as text.

    A value that cannot be a key (a template that found nothing, or something else) is added to `problems`: the vendor
    would refuse every recipient.
    """
    expected = "a scenario's key, or what OmniCreateScenarioOperator returned"
    try:
        key = read_object("scenario_key", key, expected)
    except OmniInputError as error:
        problems += error.problems
        return "", flow
    if isinstance(key, Mapping):
        if not isinstance(key.get("key"), str):
            problems.append(unexpected("scenario_key", "an object without a text under 'key'", expected))
            return "", flow
        flow = key.get("flow") if is_nothing(flow) or not flow else flow
        key = key["key"]
    if is_nothing(key):
        problems.append(unexpected("scenario_key", empty_words(key), f"{expected}. {WHY_EMPTY}"))
    elif not isinstance(key, str) or len(key.split()) != 1 or not key.strip().isprintable():
        problems.append(unexpected("scenario_key", describe(key), expected))
    else:
        return key.strip(), flow
    return "", flow


def channels_of_flow(flow: Any) -> tuple[str, ...]:
    """Return the channels of steps as `OmniCreateScenarioOperator` returns them; empty if the value is no such list."""
    steps = flow if isinstance(flow, list | tuple) else ()
    channels = [step.get("channel") if isinstance(step, Mapping) else step for step in steps]
    return tuple(name.upper() for name in channels if isinstance(name, str)) if all(channels) else ()


def _conflict(namesakes: Sequence[Scenario], wanted: NewScenario, if_exists: str) -> str:
    found = "; ".join(f"{each.key} ({_words(each.flow)})" for each in namesakes[:5])
    advice = (
        "remove the doubt by using another name"
        if if_exists == "update"
        else "use another name, or if_exists='update' to replace the flow for everybody who sends with it"
    )
    return (
        f"The account has a scenario named {wanted.name!r} with another flow than {_words(wanted.flow)}: {found}. "
        f"Nothing was changed; {advice}."
    )


def _same_flow(saved: Scenario, wanted: NewScenario) -> bool:
    """Return True if the flows agree. A step without sender matches any: the vendor fills in the account's own."""
    steps = list(zip(_flow(saved.flow), _flow(wanted.flow), strict=False))
    return len(saved.flow) == len(wanted.flow) and all(
        channel == wanted_channel and wanted_sender in (None, sender)
        for (channel, sender), (wanted_channel, wanted_sender) in steps
    )


def _flow(steps: Iterable[object]) -> list[tuple[str, str | None]]:
    return [(str(getattr(step, "channel", "")).upper(), getattr(step, "from_", None)) for step in steps]


def _words(steps: Iterable[object]) -> str:
    return (
        " → ".join(f"{channel} from {sender!r}" if sender else channel for channel, sender in _flow(steps))
        or "no steps"
    )
