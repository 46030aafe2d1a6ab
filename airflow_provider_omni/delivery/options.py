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

MOST_LOG_GRACE = 300
"""Seconds. Two of them must fit into the time that a try gives the logs."""

IF_EXISTS = ("reuse", "update", "create")


def flag_problems(name: str, value: Any) -> list[str]:
    """Return the problems with a flag that is no template: any text would mean yes."""
    if type(value) is bool:
        return []
    kind = "a text" if isinstance(value, str) else describe(value, True)
    return [unexpected(name, kind, "True or False; it is no template")]


def whole_problems(name: str, value: Any) -> list[str]:
    """Return the problems with a whole number from 1, or None."""
    if value is None or (type(value) is int and value >= 1):
        return []
    return [unexpected(name, describe(value, type(value) in (int, float)), "a whole number from 1")]


def grace_problems(log_grace: Any) -> list[str]:
    """Return the problems with a `log_grace`."""
    if type(log_grace) in (int, float) and 0 <= log_grace <= MOST_LOG_GRACE:
        return []
    return [unexpected("log_grace", describe(log_grace, True), f"0 to {MOST_LOG_GRACE} seconds")]


def rejected_problems(on_rejected: Any, *, ratio: bool) -> list[str]:
    """Return the problems with an `on_rejected`.

    :param ratio: True if it may also be the highest share of refused recipients.
    """
    if isinstance(on_rejected, str) and on_rejected in ("fail", "ignore"):
        return []
    is_number = isinstance(on_rejected, int | float) and not isinstance(on_rejected, bool)
    if ratio and is_number and 0 <= on_rejected <= 1:
        return []
    allowed = "'fail', 'ignore' or a highest ratio such as 0.02" if ratio else "'fail' or 'ignore'"
    return [unexpected("on_rejected", describe(on_rejected, True), allowed)]


def if_exists_problems(if_exists: Any) -> list[str]:
    """Return the problems with an `if_exists`, which says how to treat a scenario that is there."""
    if isinstance(if_exists, str) and if_exists in IF_EXISTS:
        return []
    return [unexpected("if_exists", describe(if_exists, True), ", ".join(map(repr, IF_EXISTS)))]


def quarantine_problems(most: Any) -> list[str]:
    """Return the problems with a `max_quarantined`."""
    if (type(most) is int and most >= 0) or (type(most) is float and 0 <= most <= 1):
        return []
    return [
        unexpected(
            "max_quarantined", describe(most, True), "a count of rows such as 20, or a share of them such as 0.1"
        )
    ]


def field_problems(phone_field: Any, key_field: Any) -> list[str]:
    """Return the problems with the names of two fields: that of the number, and that which tells people apart."""
    problems = []
    if not isinstance(phone_field, str) or not phone_field:
        problems.append(unexpected("phone_field", describe(phone_field, True), "the name of a field"))
    if key_field is not None and (not isinstance(key_field, str) or not key_field):
        problems.append(unexpected("key_field", describe(key_field, True), "the name of a field"))
    if key_field is not None and key_field == phone_field:
        problems.append(
            "key_field: is the phone_field, and a number that is written in two ways would be two people. Leave "
            "key_field out: the number tells recipients apart, however it is written"
        )
    return problems


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
