"""Read the body of a send, as the API's documents show it, into its model: for `OmniHook.send_advanced`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_omni.omni.channels import OTHER_CHANNELS, OWN_ARGUMENTS
from airflow_provider_omni.omni.content import AdvancedRequest, Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe, shown_name
from airflow_provider_omni.omni.models import Destination
from airflow_provider_omni.omni.options import option_members
from airflow_provider_omni.omni.problems import unexpected, unknown
from airflow_provider_omni.omni.validation import check_content, check_destination

_OPTIONS = option_members()
_MEMBERS = ("scenarioKey", "bulkId", "destinations", *OWN_ARGUMENTS, *OTHER_CHANNELS, *_OPTIONS)


def read_body(body: Mapping[str, Any]) -> AdvancedRequest:
    """Read a body such as `{"scenarioKey": …, "destinations": […], "line": {…}, "sms": {…}}`.

    Raises `OmniInputError` that names every problem at once.
    """
    problems = [unknown(shown_name(name), _MEMBERS, "member") for name in body if name not in _MEMBERS]
    destinations = _destinations(body.get("destinations"), problems)
    for name in ("scenarioKey", "bulkId"):
        if name in body and (not isinstance(body[name], str) or not body[name]):
            problems.append(unexpected(name, describe(body[name]), "a text that is not empty"))
    content: Content | None = None
    try:
        content = check_content(
            **{name: body.get(name) for name in OWN_ARGUMENTS},
            other_channels={name: body[name] for name in OTHER_CHANNELS if name in body},
            **{name: body[name] for name in _OPTIONS if name in body},
        )
    except OmniInputError as error:
        problems += error.problems
    if problems or content is None:
        raise OmniInputError("The request cannot be sent as it is; nothing was sent.", problems=problems)
    return AdvancedRequest(content, destinations, body.get("scenarioKey"), body.get("bulkId"))


def _destinations(value: Any, problems: list[str]) -> tuple[Destination, ...]:
    if not isinstance(value, list) or not value:
        problems.append(unexpected("destinations", describe(value), "a list of at least one destination"))
        return ()
    found = []
    for index, each in enumerate(value):
        try:
            found.append(check_destination(each, f"destinations[{index}]"))
        except OmniInputError as error:
            problems += error.problems
    return tuple(found)
