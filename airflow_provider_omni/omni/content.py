"""The content of a request, with its options, and the request around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.omni.channels import CHANNELS
from airflow_provider_omni.omni.members import WithValidity
from airflow_provider_omni.omni.models import Destination
from airflow_provider_omni.omni.options import Options

ChannelContent = WithValidity | dict[str, Any]
"""A typed channel's model, or the object of a channel that is passed through."""

_MEMBERS = {name: known.member for name, known in CHANNELS.items()}


@dataclass(frozen=True)
class Content:
    """Message of one request to all its recipients: contents by channel, and options. Made by `check_content`.

    :param by_channel: by the channel's name, as a flow has it.
    """

    by_channel: Mapping[str, ChannelContent] = field(default_factory=dict, repr=False)
    options: Options = field(default_factory=Options)

    def to_wire(self) -> dict[str, Any]:
        """Return the channels' members of the request, without the options."""
        return {
            _MEMBERS[name]: content if isinstance(content, dict) else content.to_wire()
            for name, content in self.by_channel.items()
        }

    def channels(self) -> tuple[str, ...]:
        """Return the channels that it has something to say on, as a flow names them."""
        return tuple(self.by_channel)

    def arguments(self) -> dict[str, Any]:
        """Return the contents as the arguments of an operator; only those that are given."""
        found: dict[str, Any] = {}
        for name, content in self.by_channel.items():
            known = CHANNELS[name]
            if known.is_argument:
                found[known.member] = content
            else:
                found.setdefault("other_channels", {})[known.member] = content
        return found


@dataclass(frozen=True)
class AdvancedRequest:
    """The body of `POST /omni/1/advanced`: one content for these recipients.

    :param scenario_key: without it the account's default scenario is used, which anybody may change.
    :param bulk_id: made by the vendor when absent.
    """

    content: Content
    destinations: tuple[Destination, ...] = field(repr=False)
    scenario_key: str | None = None
    bulk_id: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object, member for member as in the source document, only what was set."""
        wire: dict[str, Any] = {}
        if self.scenario_key is not None:
            wire["scenarioKey"] = self.scenario_key
        if self.bulk_id is not None:
            wire["bulkId"] = self.bulk_id
        wire["destinations"] = [destination.to_wire() for destination in self.destinations]
        return wire | self.content.to_wire() | self.content.options.to_wire()
