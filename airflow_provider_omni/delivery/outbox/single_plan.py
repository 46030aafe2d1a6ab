"""The plan of a single send: one content for a few recipients, in one request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_omni.delivery.messages.ids import Identity, fingerprint
from airflow_provider_omni.delivery.recipients.addresses import Recipient, Recipients
from airflow_provider_omni.omni.content import AdvancedRequest, Content
from airflow_provider_omni.omni.models import Destination


@dataclass(frozen=True, slots=True)
class SendPlan:
    """One content for a few recipients, ready to be posted in one request.

    :param flow: the scenario's channels. None: the scenario is read before the POST.
    """

    identity: Identity
    scenario_key: str
    content: Content = field(repr=False)
    recipients: Recipients
    flow: tuple[str, ...] | None = None

    @property
    def scheduled_at(self) -> float | None:
        """The time at which the vendor is asked to send (`sendAt`), in seconds since the epoch; None for at once."""
        return self.content.options.send_at.timestamp() if self.content.options.send_at else None

    @property
    def fingerprint(self) -> str:
        """A hash that tells "same key, other content" apart: of scenario, content and options, not of the recipients.

        The ids' namespace is in it, too: with another `id_secret` everybody would have a new id, and get the message
        twice.
        """
        return fingerprint(
            {"scenarioKey": self.scenario_key, "namespace": str(self.identity.namespace)}
            | self.content.to_wire()
            | {"options": self.content.options.to_wire()}
        )

    def request(self, bulk_id: str, to: Sequence[tuple[str, Recipient]]) -> AdvancedRequest:
        """Return the request that posts these messages.

        :param to: message ids with their people.
        """
        destinations = tuple(Destination(to=person.address, message_id=message_id) for message_id, person in to)
        return AdvancedRequest(self.content, destinations, self.scenario_key, bulk_id)
