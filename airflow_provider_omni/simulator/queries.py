"""Queries: which messages somebody wants to see, wait for, decide or delete. Read from members or a search text."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.simulator.message_index import STATES
from airflow_provider_omni.simulator.messages import Content, Message
from airflow_provider_omni.simulator.record import digits
from airflow_provider_omni.simulator.timeline import CONTENT_MEMBERS

PREFIXES = {
    "to": "to",
    "text": "text",
    "state": "state",
    "channel": "channel",
    "bulk": "bulk_id",
    "id": "message_id",
    "scenario": "scenario_key",
}
"""Word before a colon in a search text → what it looks at."""


@dataclass(frozen=True)
class MessageQuery:
    """Criteria for the messages that are meant; None says nothing.

    `to`: the whole number, however it is written, or another address. `text`: a part of any text of any channel, in
    any case. `state`: one of `STATES`, several with commas. `channel`: the one that has delivered it, or that it is on.
    `query`: a search text, see docs/simulator.md.
    """

    to: str | None = None
    text: str | None = None
    state: str | None = None
    channel: str | None = None
    bulk_id: str | None = None
    message_id: str | None = None
    scenario_key: str | None = None
    query: str | None = None
    is_empty: bool = field(init=False, repr=False, compare=False, default=True)
    """True when every message is meant."""
    matches: Callable[[Message], bool] = field(init=False, repr=False, compare=False, default=bool)
    """Tells whether a message is meant."""

    def __post_init__(self) -> None:
        members = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        problems = [unexpected(name, repr(value), "a text") for name, value in members.items() if not _fits(value)]
        if problems:
            raise ValueError("; ".join(problems))
        tests = [_EXACT[name](value) for name, value in members.items() if value is not None and name != "query"]
        tests += _search(self.query or "")
        object.__setattr__(self, "is_empty", not tests)
        object.__setattr__(self, "matches", _all_of(tests))

    def members(self) -> dict[str, str]:
        """Return what it was built from, without what says nothing."""
        found = {name: getattr(self, name) for name in MEMBERS}
        return {name: value for name, value in found.items() if value is not None}


MEMBERS = tuple(one.name for one in fields(MessageQuery) if one.init)


def read_query(members: Mapping[str, Any]) -> MessageQuery:
    """Build a query from the members of a call. Raises ValueError."""
    return MessageQuery(**{name: members[name] for name in MEMBERS if name in members})


def _all_of(tests: Sequence[Callable[[Message], bool]]) -> Callable[[Message], bool]:
    """Return one test for all; there may be a hundred thousand messages."""
    if not tests:
        return lambda _message: True
    return tests[0] if len(tests) == 1 else lambda message: all(test(message) for test in tests)


def _fits(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _same_address(value: str) -> Callable[[Message], bool]:
    wanted = digits(value)
    return lambda message: message.to == value or (message.to == wanted and wanted != "")


def _with_text(value: str) -> Callable[[Message], bool]:
    wanted = value.casefold()
    last: tuple[Content | None, bool] = (None, False)

    def test(message: Message) -> bool:
        nonlocal last
        if message.content is not last[0]:  # a request's messages share it
            last = (message.content, wanted in message.content.words)
        return last[1]

    return test


def _in_state(value: str) -> Callable[[Message], bool]:
    wanted = frozenset(part.strip().lower() for part in value.split(",") if part.strip())
    if unknown := sorted(wanted - set(STATES)) or (not wanted and [value]):
        raise ValueError(unexpected("state", ", ".join(unknown), f"one of {', '.join(STATES)}"))
    return lambda message: message.state in wanted


def _on_channel(value: str) -> Callable[[Message], bool]:
    wanted = value.upper()
    if wanted not in CONTENT_MEMBERS:
        raise ValueError(unexpected("channel", value, f"one of {', '.join(CONTENT_MEMBERS)}"))
    return lambda message: message.channel == wanted


_EXACT: Mapping[str, Callable[[str], Callable[[Message], bool]]] = {
    "to": _same_address,
    "text": _with_text,
    "state": _in_state,
    "channel": _on_channel,
    "bulk_id": lambda value: lambda message: message.bulk_id == value,
    "message_id": lambda value: lambda message: message.message_id == value,
    "scenario_key": lambda value: lambda message: message.content.scenario_key == value,
}
_PART: Mapping[str, Callable[[str], Callable[[Message], bool]]] = {
    "to": lambda value: _part_of_address(value),
    "bulk_id": lambda value: lambda message: value in message.bulk_id,
    "message_id": lambda value: lambda message: value in message.message_id,
    "scenario_key": lambda value: lambda message: value in message.content.scenario_key,
}
"""Looks of a search text, for which a part is enough."""


def _part_of_address(value: str) -> Callable[[Message], bool]:
    wanted = digits(value)
    return lambda message: value in message.to or (wanted != "" and wanted in message.to)


def _search(text: str) -> list[Callable[[Message], bool]]:
    """Read a search text: words that must all be found, `name:part`, and quotes around what has blanks."""
    try:
        words = _words(text)
    except ValueError:
        words = text.split()
    tests = []
    for word in words:
        name, colon, value = word.partition(":")
        member = PREFIXES.get(name.lower()) if colon and value else None
        tests.append(_anywhere(word) if member is None else (_PART.get(member) or _EXACT[member])(value))
    return tests


def _words(text: str) -> list[str]:
    reader = shlex.shlex(text, posix=True, punctuation_chars=False)
    reader.whitespace_split = True
    reader.commenters = ""
    reader.escape = ""
    reader.quotes = '"'
    return list(reader)


def _anywhere(word: str) -> Callable[[Message], bool]:
    """Look for a word in text, address and ids."""
    in_text = _with_text(word)
    address = digits(word) if set(word) <= set("+0123456789 -()/.") else ""
    return lambda message: (
        in_text(message)
        or (address != "" and address in message.to)
        or word in message.to
        or word in message.message_id
        or word in message.bulk_id
    )
