"""Problems with the options of a send, as far as they show without a model and without a recipient.

Each function returns the problems as lines for an error, an empty list if there are none. Operators ask when a DAG is
read and when a task begins. Pure, and loads nothing that takes long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.masking import describe, mask_numbers_in, shown_name
from airflow_provider_omni.omni.problems import unexpected, unknown
from airflow_provider_omni.omni.unfilled import is_template

IF_EXISTS = ("reuse", "update", "create")
MOST_PLACES = 10
"""Places of mistakes in one list that an error names."""


def flag_problems(name: str, value: Any) -> list[str]:
    """Return the problems with a flag that is no template: any text would mean yes."""
    if type(value) is bool:
        return []
    kind = "a text" if isinstance(value, str) else describe(value, True)
    return [unexpected(name, kind, "True or False; it is no template")]


def if_exists_problems(if_exists: Any) -> list[str]:
    """Return the problems with an `if_exists`, which says how to treat a scenario that is there."""
    if isinstance(if_exists, str) and if_exists in IF_EXISTS:
        return []
    return [unexpected("if_exists", describe(if_exists, True), ", ".join(map(repr, IF_EXISTS)))]


def flow_problems(flow: Sequence[Any], *, steps: bool = False, rendered: bool = True) -> list[str]:
    """Return the problems with the items of a flow, each under its place.

    :param flow: names of channels, or steps such as `{"channel": "LINE", "from": "InfoLine"}`.
    :param steps: True for the flow of a scenario, which has steps only, and whose members all count.
    :param rendered: False while a DAG is read: then nobody can judge what has a template in it.
    """
    if not flow:
        return [unexpected("flow", "an empty list", "a list of channels such as ['LINE', 'SMS']")]
    judged = [(f"flow[{at}]", item) for at, item in enumerate(flow) if rendered or not _has_template(item)]
    problems = [line for where, item in judged for line in _step_problems(where, item, steps)]
    if len(problems) > MOST_PLACES:
        problems[MOST_PLACES:] = [f"flow: {len(problems) - MOST_PLACES:,} more problems like these"]
    return problems


def _has_template(item: Any) -> bool:
    """Return True if Airflow has still to render or resolve something in a step."""
    if isinstance(item, Mapping):
        return any(map(_has_template, item)) or any(map(_has_template, item.values()))
    return is_template(item) if isinstance(item, str) else callable(getattr(item, "resolve", None))


def _step_problems(where: str, item: Any, steps: bool) -> Iterator[str]:
    if not isinstance(item, Mapping):
        if steps:
            yield unexpected(where, describe(item), 'an object such as {"channel": "LINE", "from": "InfoLine"}')
        else:
            yield from _name_problems(where, item)
        return
    if "channel" in item:
        yield from _name_problems(f"{where}.channel", item["channel"])
    else:
        yield f"{where}.channel: missing"
    if not steps:
        return
    for name in item:
        if name not in _STEP:
            import difflib

            close = difflib.get_close_matches(str(name), _STEP[:2], n=1)
            field = f"{where}.{shown_name(name)}"
            yield f"{field}: unknown member, did you mean {close[0]}?" if close else unknown(field, _STEP[:2], "member")
    sender = item.get("from", item.get("from_"))
    if sender is not None and (not isinstance(sender, str) or not sender.strip()):
        yield unexpected(f"{where}.from", "a blank text" if isinstance(sender, str) else describe(sender), "a name")


_STEP = ("channel", "from", "from_")
"""Members of a scenario's step; the last is how Python writes the one before."""


def _name_problems(where: str, name: Any) -> Iterator[str]:
    if not isinstance(name, str) or not name.strip():
        yield unexpected(where, "a blank text" if isinstance(name, str) else describe(name), "the name of a channel")
    elif name.strip().upper() not in Channel.__members__:
        yield unexpected(where, mask_numbers_in(repr(name.strip()[:40])), ", ".join(Channel.__members__))


def channels_of(flow: Iterable[Any]) -> tuple[str, ...]:
    """Return the channels of a flow without problems, in upper case."""
    named = (item["channel"] if isinstance(item, Mapping) else item for item in flow)
    return tuple(name.strip().upper() for name in named)


def mismatch_problems(channels: Iterable[str], said: Iterable[str]) -> list[str]:
    """Return the problems with a flow that has no channel with content; none if either side is not known.

    :param channels: the flow's channels, in upper case.
    :param said: the channels that there is content for, in upper case.
    """
    channels, said = list(channels), list(said)
    if not channels or not said or set(channels) & set(said):
        return []
    tries = mask_numbers_in(", ".join(channels))
    return [f"flow: tries {tries}, but there is content for {', '.join(said)} only: nobody would get anything"]
