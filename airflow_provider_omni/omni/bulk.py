"""A send with hundreds of recipients: the same bytes and the same answer as `api.send_advanced`, without a model for
each.

Where an answer is in any way unusual the models read it, so that nothing is decided here that they would decide
otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic_core import from_json

from airflow_provider_omni.omni import parsing
from airflow_provider_omni.omni.api import ADVANCED, Call
from airflow_provider_omni.omni.models import SendResponse, Status

_SAID = ("groupId", "groupName", "id", "name", "description")
"""The members of a status that its model has."""
_BETWEEN = ",\n"
"""Between two entries. A line end is in no other place of them."""


class BulkResponse(NamedTuple):
    """The entries of an answer, by status: few different ones, each with the ids of its messages in the answer's
    order.
    """

    by_status: tuple[tuple[Status, tuple[str, ...]], ...]


def destinations(to: Iterable[tuple[str, int | str]]) -> str:
    """Return the entries of a request's `destinations`, one on a line.

    :param to: message ids (of ours: nothing in them needs escaping) and addresses: a number, or the whole `to` object
        as JSON without line ends.
    """
    return _BETWEEN.join(
        [
            f'{{"to":{{"phoneNumber":"{address}"}},"messageId":"{message_id}"}}'
            if address.__class__ is int
            else f'{{"to":{address},"messageId":"{message_id}"}}'
            for message_id, address in to
        ]
    )


def some_destinations(listed: str, start: int, end: int) -> str:
    """Some of what `destinations` has listed, by position."""
    return _BETWEEN.join(listed.split(_BETWEEN)[start:end])


def send_bulk(scenario_key: str, bulk_id: str, listed: str, tail: str) -> Call[BulkResponse]:
    """Send one content to many numbers.

    :param listed: to whom, as `destinations` lists them.
    :param tail: the further members of the request as JSON, without the braces (`"line":{…},"sms":{…}`).
    """
    head = f'{{"scenarioKey":{json.dumps(scenario_key, ensure_ascii=False)},"bulkId":{json.dumps(bulk_id)}'
    body = f'{head},"destinations":[{listed}]{"," if tail else ""}{tail}}}'
    return Call("POST", ADVANCED, read_bulk, body=body.encode())


def read_bulk(body: bytes) -> BulkResponse:
    """Return the answer to a send. Raises UnreadableResponseError like `parsing.send_response`."""
    usual = _usual(body)
    if usual is not None:
        return usual
    groups: dict[Status, list[str]] = {}
    answer: SendResponse = parsing.send_response(body)
    for message in answer.messages:
        groups.setdefault(message.status, []).append(message.message_id)
    return BulkResponse(tuple((status, tuple(ids)) for status, ids in groups.items()))


def _usual(body: bytes) -> BulkResponse | None:
    """Return the answer that the models would make if its every entry has a text id and a plain status;
    None for any other answer.
    """
    try:
        entries = from_json(body)["messages"]
        if type(entries) is not list:
            return None
        ids = [entry["messageId"] for entry in entries]
        statuses = [entry["status"] for entry in entries]
        if set(map(type, ids)) - {str} or not all(ids):
            return None
        groups = _by_status(statuses, ids)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    found = []
    for (group_id, group_name, number, name, description), ids in groups.items():
        if not (type(group_id) is int and type(number) is int and type(group_name) is str and type(name) is str):
            return None
        if description is not None and type(description) is not str:
            return None
        status = Status(group_id=group_id, group_name=group_name, id=number, name=name, description=description)
        found.append((status, tuple(ids)))
    return BulkResponse(tuple(found))


def _by_status(statuses: list[Any], ids: list[str]) -> dict[tuple[Any, ...], list[str]]:
    """Ids by what their status says; nearly always all say the same."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    if statuses and statuses.count(statuses[0]) == len(statuses):
        groups[tuple([statuses[0].get(name) for name in _SAID])] = ids
        return groups
    for status, message_id in zip(statuses, ids, strict=True):
        groups.setdefault(tuple([status.get(name) for name in _SAID]), []).append(message_id)
    return groups
