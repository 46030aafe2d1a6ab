"""The inbox: what people were sent, to be searched, waited for, decided and deleted. Takes and returns plain values.

`Simulator.messages` is one: for tests, for the control calls and, through them, for the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.simulator import deciding
from airflow_provider_omni.simulator.messages import Message
from airflow_provider_omni.simulator.queries import MessageQuery

if TYPE_CHECKING:
    from airflow_provider_omni.simulator.engine import Simulator


@dataclass(frozen=True)
class SentMessage:
    """One message to one person, and where it stands.

    `channel`: the one that has delivered it, else the one that it is on. `text`: what the person reads there, None
    where the content has no text. `texts`: channel → text. `content`: channel → content, as it was sent. `at`: seconds
    since 1970.
    """

    number: int
    message_id: str
    bulk_id: str
    to: str
    scenario_key: str
    state: str
    channel: str
    text: str | None
    texts: Mapping[str, str]
    content: Mapping[str, Mapping[str, Any]]
    at: float


def sent_message(message: Message) -> SentMessage:
    """Describe a message as it stands in the index."""
    contents = message.content.by_channel
    texts = {channel: text for channel, content in contents.items() if (text := text_of(content)) is not None}
    return SentMessage(
        number=message.number,
        message_id=message.message_id,
        bulk_id=message.bulk_id,
        to=message.to,
        scenario_key=message.content.scenario_key,
        state=message.state,
        channel=message.channel,
        text=texts.get(message.channel),
        texts=texts,
        content=contents,
        at=message.accepted_at,
    )


def text_of(content: Mapping[str, Any]) -> str | None:
    """Return the text that stands for a content: of a FLEX message, the one that notifications show."""
    for name in ("text", "altText", "subject"):
        if isinstance(content.get(name), str):
            return str(content[name])
    return None


class Inbox:
    """All messages of one simulator. Criteria are the members of `MessageQuery`; without any, all are meant."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __len__(self) -> int:
        with self._simulator.looking() as account:
            return len(account.index)

    def __iter__(self) -> Iterator[SentMessage]:
        return iter(self.find())

    def find(self, **criteria: str) -> list[SentMessage]:
        """Return the messages that are meant, oldest first: `find(to="41793026727", text="hello")`."""
        query = MessageQuery(**criteria)
        with self._simulator.looking() as account:
            return [sent_message(message) for message in account.index.oldest_first() if query.matches(message)]

    def wait_for(self, count: int = 1, timeout: float = 10.0, **criteria: str) -> list[SentMessage]:
        """Wait, in real seconds, until at least `count` messages are meant, and return them. Raises TimeoutError."""
        seen_version: object = None
        found: list[SentMessage] = []

        def there(simulator: Simulator) -> bool:
            nonlocal seen_version, found
            if simulator.version != seen_version:
                seen_version = simulator.version
                found = self.find(**criteria)
            return len(found) >= count

        try:
            self._simulator.wait_until(there, timeout)
        except TimeoutError:
            wanted = ", ".join(f"{name}={value!r}" for name, value in criteria.items()) or "of any kind"
            said = f"{some(len(found), 'message')} of {count} wanted, after {timeout:g} s"
            raise TimeoutError(f"{said}: {wanted}; {len(self)} in all") from None
        return found

    def delete(self, **criteria: str) -> int:
        """Forget the messages that are meant, as if they had never been sent; return how many they were.

        Their ids may be sent again; of the record only the calls stay.
        """
        return self._simulator.delete_messages(MessageQuery(**criteria))

    def decide(self, outcome: str, **criteria: str) -> int:
        """Decide what becomes of those messages under way that are meant, now; return how many they were.

        `outcome`: a key of `deciding.OUTCOMES`.
        """
        return self._simulator.decide(outcome, MessageQuery(**criteria))


def read_outcome(value: Any) -> str:
    """Return an outcome that can be decided. Raises ValueError."""
    if value not in deciding.OUTCOMES:
        raise ValueError(unexpected("outcome", repr(value), f"one of {', '.join(deciding.OUTCOMES)}"))
    return str(value)
