"""One message of a command's own: to whom, with what in it, and what the answer to its send says."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni.channels import CHANNELS
from airflow_provider_omni.omni.errors import OmniAuthenticationError, OmniInputError, OmniProtocolError
from airflow_provider_omni.omni.masking import mask_number
from airflow_provider_omni.omni.models import Status
from airflow_provider_omni.omni.problems import unexpected

OF_TEXT = tuple(name for name, known in CHANNELS.items() if known.home is not None)
"""Channels for which a text alone is a content."""
USUAL = ("LINE", "SMS")
"""Channels that content is sent for where the scenario cannot be read."""


@dataclass(frozen=True)
class OneMessage:
    """A message that can be posted several times under its id.

    :param number: digits only, with country code.
    :param flow: the channels of its scenario; empty where that cannot be read.
    """

    number: str = field(repr=False)
    text: str = field(repr=False)
    scenario_key: str
    flow: tuple[str, ...] = ()
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def body(self, bulk_id: str) -> dict[str, Any]:
        """Return the body of a send with this message alone."""
        return {
            "scenarioKey": self.scenario_key,
            "bulkId": bulk_id,
            "destinations": [{"to": {"phoneNumber": self.number}, "messageId": self.message_id}],
            **contents_of(self.text, self.flow),
        }

    def shown_number(self, whole: bool) -> str:
        """Return the number, masked unless `whole`."""
        return self.number if whole else mask_number(self.number)

    @property
    def shown_scenario(self) -> str:
        """The scenario in words, with its flow where it is known."""
        return f"{self.scenario_key} ({' → '.join(self.flow)})" if self.flow else self.scenario_key


def contents_of(text: str, flow: Sequence[str]) -> dict[str, Any]:
    """Return a text as the contents of the channels of a flow.

    Raises OmniInputError if none of the channels takes a text alone.
    """
    channels = [name for name in OF_TEXT if name in (flow or USUAL)]
    if not channels:
        problem = unexpected("scenario", f"a flow of {', '.join(flow)}", f"one with {', '.join(OF_TEXT)} in it")
        raise OmniInputError("A text alone cannot be sent by this scenario; nothing was sent.", problems=(problem,))
    return {CHANNELS[name].member: CHANNELS[name].of_text(text) for name in channels}


def prepare(hook: OmniHook, to: str, text: str, scenario_key: str | None) -> OneMessage:
    """Read number and scenario. Nothing is sent.

    :param scenario_key: None: the account's default scenario.

    Raises OmniInputError that says what is wrong with them.
    """
    number = number_of(hook, to)
    if not text.strip():
        raise OmniInputError("Nothing was sent.", problems=(unexpected("--text", "a blank text", "a text"),))
    found: Mapping[str, Any] | None = None
    if scenario_key is None:
        found = next(iter(hook.list_scenarios(is_default=True)), None)
        if found is None:
            problem = unexpected("--scenario", "none, and the account has no default", "a scenario's key")
            raise OmniInputError("Nothing was sent.", problems=(problem,))
    else:
        try:
            found = hook.get_scenario(scenario_key)
        except OmniAuthenticationError as error:
            if error.status != 403:
                raise
    if found is None:
        return OneMessage(number, text, str(scenario_key))
    flow = tuple(step["channel"].upper() for step in found["flow"])
    message = OneMessage(number, text, found["key"], flow)
    contents_of(text, flow)
    return message


def number_of(hook: OmniHook, to: str) -> str:
    """Return a number as the API wants it, read by the rules of the connection. Raises OmniInputError."""
    from airflow_provider_omni.delivery.recipients.guard import rules_of
    from airflow_provider_omni.delivery.recipients.numbers import InvalidNumberError, normalise

    try:
        return normalise(to, rules_of(hook.config))
    except InvalidNumberError as error:
        raise OmniInputError("Nothing was sent.", problems=(f"--to: {error}",)) from None


def status_of(answer: Mapping[str, Any], message_id: str) -> Status:
    """Return the status of this message in the answer to its send. Raises OmniProtocolError if it is not there."""
    for entry in answer["messages"]:
        if entry["message_id"] == message_id:
            return Status.model_validate(dict(entry["status"]))
    raise OmniProtocolError("The answer to the send does not name the message: ask the logs, do not send it again.")
