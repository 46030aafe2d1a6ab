"""Views of the inbox as plain JSON: the overview, a page of the list, one message with all that happened to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_omni.simulator import sms_parts
from airflow_provider_omni.simulator.account import Account
from airflow_provider_omni.simulator.clock import RealClock
from airflow_provider_omni.simulator.deciding import OUTCOMES
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.inbox import text_of
from airflow_provider_omni.simulator.message_index import OPEN, STATES, standing
from airflow_provider_omni.simulator.messages import Message, ReportEntry
from airflow_provider_omni.simulator.queries import MessageQuery
from airflow_provider_omni.simulator.reading import log_row, report_row
from airflow_provider_omni.simulator.timeline import Change, Step, reported

SNIPPET = 160
"""Characters of a text in a list."""
LONGEST_BODY = 64 * 1024
"""Bytes of a raw request that are shown."""
LARGEST_PAGE = 200


def overview(simulator: Simulator) -> dict[str, Any]:
    """Build what stands above the list: how many messages of each state there are, the time, what is planned."""
    with simulator.looking() as account:
        now = simulator.clock.now()
        return {
            "version": simulator.version,
            "login": simulator.settings.login,
            "time": now,
            "runs": isinstance(simulator.clock, RealClock),
            "total": len(account.index),
            "counts": account.index.counts(now),
            "scenarios": [scenario.to_wire() for scenario in account.scenarios.all()],
            "faults": sum(1 for _ in simulator.faults.planned()),
            "held": len(simulator.held),
            "unread": simulator.unread_reports(),
            "fates": simulator.settings.fates,
        }


def page(simulator: Simulator, query: MessageQuery, before: int | None, limit: int) -> dict[str, Any]:
    """Build a page of the list, newest first: `before` a number, at most `limit` rows.

    `matched`: messages of all pages. `matched_by_state`: how many the same query would mean in each state.
    """
    in_any_state = replace(query, state=None)
    with simulator.looking() as account:
        rows: list[dict[str, Any]] = []
        matched, is_more = len(account.index), False
        by_state: Mapping[str, int] = account.index.counts(simulator.clock.now())
        if query.is_empty:
            found = account.index.newest_first(before)
        else:
            meant = [message for message in account.index.oldest_first() if in_any_state.matches(message)]
            if not in_any_state.is_empty:
                by_state = Counter(message.state for message in meant)
            if query.state is not None:
                meant = [message for message in meant if query.matches(message)]
            matched = len(meant)
            found = (message for message in reversed(meant) if before is None or message.number < before)
        for message in found:
            if len(rows) == limit:
                is_more = True
                break
            rows.append(row(message))
        return {
            **overview(simulator),
            "messages": rows,
            "matched": matched,
            "matched_by_state": {state: by_state.get(state, 0) for state in STATES},
            "next": rows[-1]["number"] if is_more else None,
        }


def row(message: Message) -> dict[str, Any]:
    """Build a message's row of the list."""
    contents = message.content.by_channel
    used = [step.channel for step in message.flow if step.channel in contents] or list(contents)
    shown = message.channel or (used[0] if used else "")
    content = contents.get(shown, {})
    text = text_of(content)
    return {
        "number": message.number,
        "message_id": message.message_id,
        "bulk_id": message.bulk_id,
        "scenario_key": message.content.scenario_key,
        "to": message.to,
        "at": message.accepted_at,
        "starts_at": message.starts_at,
        "state": message.state,
        "channel": shown,
        "flow": used,
        "type": str(content.get("type") or ("TEXT" if text is not None else "")).upper(),
        "text": None if text is None else text[:SNIPPET],
        "hint": None if text is not None else _hint(content),
        "refusal": None if message.refusal is None else message.refusal.name,
    }


def _hint(content: Mapping[str, Any]) -> str | None:
    """Return what tells a content without text from others: its address, or its sticker."""
    found = next((content[name] for name in ("url", "imageUrl", "stickerId") if content.get(name)), None)
    return None if found is None else str(found)[:SNIPPET]


def detail(simulator: Simulator, number: int) -> dict[str, Any]:
    """Build everything about one message. Raises ValueError when there is none with this number."""
    with simulator.looking() as account:
        message = account.index.get(number)
        if message is None:
            raise ValueError(f"number: there is no message {number}")
        now = simulator.clock.now()
        settings = simulator.settings
        scenario = account.scenarios.find(message.content.scenario_key)
        logs = account.store.rows(now, settings, message_ids=[message.message_id])
        return {
            **row(message),
            "time": now,
            "scenario_name": scenario.name if scenario else None,
            "senders": {step.channel: step.sender for step in message.flow},
            "content": message.content.by_channel,
            "texts": {channel: _text(channel, content) for channel, content in message.content.by_channel.items()},
            "callback_data": message.content.callback_data,
            "notify_url": message.content.notify_url,
            "refusal": None if message.refusal is None else message.refusal.to_wire(),
            "steps": [_step(step, now) for step in message.steps],
            "next_change": standing(message, now)[2],
            "decisions": OUTCOMES if message.state in OPEN else {},
            "others": _others(account, message),
            "request": _request(message),
            "reports": list(_reports(simulator, account, message, now)),
            "logs": [log_row(*found, settings) for found in logs if found[0] is message],
        }


def _others(account: Account, message: Message) -> int:
    """Return how many other messages were sent or refused under the same bulk id."""
    if not message.bulk_id:
        return 0
    return sum(1 for other in account.index.oldest_first() if other.bulk_id == message.bulk_id) - 1


def _text(channel: str, content: Any) -> dict[str, Any]:
    text = text_of(content)
    if text is None or channel != "SMS":
        return {"text": text}
    cut = sms_parts.cut(text)
    return {"text": text, "parts": cut.parts, "alphabet": cut.alphabet, "units": cut.units}


def _step(step: Step, now: float) -> dict[str, Any]:
    return {
        "channel": step.channel,
        "sender": step.sender,
        "started_at": step.started_at,
        "expires_at": step.expires_at,
        "begun": step.started_at <= now,
        "changes": [_change(change, now) for change in step.changes],
    }


def _change(change: Change, now: float) -> dict[str, Any]:
    return {
        "at": change.at,
        "happened": change.at <= now,
        "status": change.status.to_wire(),
        "error": change.error.to_wire() if change.error.id else None,
    }


def _request(message: Message) -> dict[str, Any] | None:
    sent = message.content.request
    if sent is None:
        return None
    body = sent.body
    return {
        "number": sent.number,
        "at": sent.at,
        "method": sent.method,
        "path": sent.path,
        "headers": dict(sent.headers),
        "body": None if body is None else body[:LONGEST_BODY].decode("utf-8", "replace"),
        "bytes": None if body is None else len(body),
        "cut": body is not None and len(body) > LONGEST_BODY,
    }


def _reports(simulator: Simulator, account: Account, message: Message, now: float) -> Iterator[dict[str, Any]]:
    """Yield the reports of a message: to come, waiting to be read, read by whom, or gone."""
    if not message.in_reports:
        return
    settings = simulator.settings
    waiting = {(id(entry.step), id(entry.change)) for entry in account.store.unread_of(message, now, settings)}
    read = [one for one in simulator.record.reports_read if one.message_id == message.message_id]
    for available_at, step, change in reported(message.steps, message.reporting, settings):
        known = next((one for one in read if (one.channel, one.status_id) == (step.channel, change.status.id)), None)
        entry = ReportEntry(0, available_at, message, step, change)
        if available_at > now:
            what, at = "to come", available_at
        elif known is not None:
            read.remove(known)
            what = "lost on the way" if known.lost else f"read by a {known.by}" if known.by != "caller" else "read"
            at = known.at
        else:
            what, at = ("unread" if (id(step), id(change)) in waiting else "gone"), available_at
        body = None if what == "to come" else report_row(entry, settings)
        yield {"what": what, "at": at, "channel": step.channel, "status": change.status.name, "body": body}
