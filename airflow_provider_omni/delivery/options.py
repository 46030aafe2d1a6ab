"""Problems with the options of a send, as far as they show without a model and without a recipient.

Each function returns the problems as lines for an error, an empty list if there are none. Operators ask when a DAG is
read and when a task begins. Pure, and loads nothing that takes long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.masking import describe, mask_numbers_in
from airflow_provider_omni.omni.problems import unexpected

IF_EXISTS = ("reuse", "update", "create")


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


def channel_problems(channels: Iterable[str]) -> list[str]:
    """Return the problems with the names of a flow's channels, in upper case."""
    unknown = ", ".join(repr(name) for name in channels if name not in Channel.__members__)
    return [unexpected("flow", mask_numbers_in(unknown[:80]), ", ".join(Channel.__members__))] if unknown else []


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
