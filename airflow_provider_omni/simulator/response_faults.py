"""Carrying out a fault: the answers of calls that took no effect, and what becomes of the answers of those that did."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_omni.simulator.envelopes import ApiProblem, error_reply, json_reply
from airflow_provider_omni.simulator.faults import Fault
from airflow_provider_omni.simulator.outcomes import ENROUTE, REFUSALS
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.wire import Ending, WireReply

NO_ANSWER = WireReply(0, {}, b"")
"""Stands for the answer that never comes. Its status 0 is what the record shows."""


def instead_of_effect(fault: Fault, settings: Settings) -> WireReply:
    """Build what the caller gets from a BEFORE fault other than `hold-before`."""
    return _BEFORE[fault.kind](fault, settings)


def faulty_reply(fault: Fault, reply: WireReply, settings: Settings) -> WireReply:
    """Build what the caller gets from an AFTER fault other than `hold-after`."""
    return _AFTER[fault.kind](fault, reply, settings)


def _error(status: int) -> Callable[[Fault, Settings], WireReply]:
    def build(fault: Fault, settings: Settings) -> WireReply:
        retry_after = fault.retry_after
        if retry_after is None and status == 429 and settings.retry_after:
            retry_after = 1.0
        return error_reply(ApiProblem(fault.status or status, retry_after=retry_after), settings, fault.body)

    return build


def _ended(ending: Ending) -> WireReply:
    return dataclasses.replace(NO_ANSWER, ending=ending)


def _redirect(_fault: Fault, _settings: Settings) -> WireReply:
    return WireReply(302, {"location": "/somewhere/else"}, b"")


_BEFORE: Mapping[str, Callable[[Fault, Settings], WireReply]] = {
    "throttle": _error(429),
    "error-before": _error(503),
    "reset-before": lambda _fault, _settings: _ended(Ending.RESET),
    "close-before": lambda _fault, _settings: _ended(Ending.CLOSED),
    "refuse-auth": _error(401),
    "forbid": _error(403),
    "redirect": _redirect,
}


def _truncated(fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    return dataclasses.replace(reply, ending=Ending.TRUNCATED, sent_bytes=int(len(reply.body) * fault.fraction))


def _with_body(body: bytes) -> Callable[[Fault, WireReply, Settings], WireReply]:
    return lambda _fault, reply, _settings: dataclasses.replace(reply, body=body)


def _wrong_shape(_fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    body = json.loads(reply.body)
    return json_reply(reply.status, {name: {"unexpected": True} for name in body} if isinstance(body, dict) else {})


def _foreign_ids(_fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    def foreign(position: int, entry: Any) -> Any:
        if not isinstance(entry, dict) or "messageId" not in entry:
            return entry
        return {**entry, "messageId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{position} {entry['messageId']}"))}

    return _entries_changed(reply, lambda entries: [foreign(position, entry) for position, entry in enumerate(entries)])


def _missing_entries(fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    return _entries_changed(reply, lambda entries: entries[: max(0, len(entries) - fault.count)])


def _contradiction(fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    """Name some messages twice: what was taken is refused in the same answer, and the other way round."""

    def opposite(entry: Any) -> Any:
        if not isinstance(entry, dict) or not isinstance(entry.get("status"), dict):
            return entry
        other = REFUSALS[6] if entry["status"].get("groupId") != REFUSALS[6].group_id else ENROUTE
        return {**entry, "status": other.to_wire()}

    return _entries_changed(reply, lambda entries: entries + [opposite(entry) for entry in entries[-fault.count :]])


def _entries_changed(reply: WireReply, change: Callable[[list[Any]], list[Any]]) -> WireReply:
    body = json.loads(reply.body)
    changed = {name: change(value) if name in ("messages", "results") else value for name, value in body.items()}
    return json_reply(reply.status, changed)


def _huge(fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    return dataclasses.replace(reply, body=reply.body + b" " * max(0, fault.mebibytes * 2**20 - len(reply.body)))


def _drip(fault: Fault, reply: WireReply, _settings: Settings) -> WireReply:
    return dataclasses.replace(reply, ending=Ending.DRIPPED, drip_seconds=fault.seconds)


_AFTER: Mapping[str, Callable[[Fault, WireReply, Settings], WireReply]] = {
    "error-after": lambda fault, _reply, settings: _error(500)(fault, settings),
    "reset-after": lambda _fault, reply, _settings: dataclasses.replace(reply, ending=Ending.RESET),
    "close-after": lambda _fault, reply, _settings: dataclasses.replace(reply, ending=Ending.CLOSED),
    "truncated": _truncated,
    "unreadable": _with_body(b"\xff\xfe<html>not JSON</html>"),
    "empty": _with_body(b""),
    "wrong-shape": _wrong_shape,
    "foreign-ids": _foreign_ids,
    "missing-entries": _missing_entries,
    "contradiction": _contradiction,
    "huge": _huge,
    "drip": _drip,
}
