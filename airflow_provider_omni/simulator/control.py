"""The control calls under `/simulator/`: health, record, messages, faults, switches, time. None is the vendor's.

A table of calls, each a function from simulator and JSON to JSON; `server.py` puts them on the socket.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.simulator import inbox_views
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.envelopes import MOST_DIGITS
from airflow_provider_omni.simulator.fates import DEFAULT_FATE, FATES
from airflow_provider_omni.simulator.faults import CALLS, FAULT_KINDS, read_fault
from airflow_provider_omni.simulator.inbox import read_outcome
from airflow_provider_omni.simulator.queries import MEMBERS, read_query
from airflow_provider_omni.simulator.settings import SWITCHES

WAITABLE = ("held", "acceptances", "calls", "reports_read", "deliveries", "unread")
LONGEST_WAIT = 600.0
LARGEST_NUMBER = 1e12
PAGE = 50
"""Messages of a page unless told otherwise."""

Members = Mapping[str, Any]
Handler = Callable[[Any, Members], Awaitable[Any]]


@dataclass(frozen=True)
class ControlCall:
    """One row of the table in docs/simulator.md. `members`: of the JSON body, or of the query for a GET.

    `handler` gets the simulator of the account that is asked about; where `of_all`, all accounts.
    """

    method: str
    path: str
    members: tuple[str, ...]
    what: str
    handler: Handler
    of_all: bool = False


async def _health(simulator: Simulator, _members: Members) -> Any:
    return {
        "status": "ok",
        "time": simulator.clock.now(),
        "unread": simulator.unread_reports(),
        "held": len(simulator.held),
    }


async def _record(simulator: Simulator, members: Members) -> Any:
    record = simulator.record
    parts: dict[str, Callable[[], Any]] = {
        "acceptances": lambda: record.acceptances,
        "refusals": lambda: record.refusals,
        "deliveries": lambda: record.deliveries,
        "duplicates": record.duplicates,
        "calls": lambda: record.calls,
        "reports_read": lambda: record.reports_read,
    }
    wanted = [part for part in str(members.get("what", "")).split(",") if part] or list(parts)
    if unknown := [part for part in wanted if part not in parts]:
        raise ValueError(unexpected("what", ", ".join(unknown), f"one of {', '.join(parts)}"))
    return {part: [dataclasses.asdict(one) for one in parts[part]()] for part in wanted}


async def _switches(simulator: Simulator, _members: Members) -> Any:
    return simulator.settings.switches()


async def _set_switches(simulator: Simulator, members: Members) -> Any:
    if unknown := [name for name in members if name not in SWITCHES]:
        raise ValueError("; ".join(f"{name}: no such switch" for name in unknown))
    simulator.configure(**members)
    return simulator.settings.switches()


async def _fates(_simulator: Simulator, _members: Members) -> Any:
    return {"default": DEFAULT_FATE.what, **{ending: fate.what for ending, fate in FATES.items()}}


async def _faults(simulator: Simulator, _members: Members) -> Any:
    kinds = {
        kind.name: {"phase": kind.phase.value, "what": kind.what, "parameters": kind.parameters}
        for kind in FAULT_KINDS.values()
    }
    return {"planned": [armed.to_json() for armed in simulator.faults.planned()], "kinds": kinds}


async def _add_fault(simulator: Simulator, members: Members) -> Any:
    return simulator.faults.add(read_fault(members)).to_json()


async def _clear_faults(simulator: Simulator, _members: Members) -> Any:
    simulator.faults.clear()
    return {"planned": []}


async def _clock(simulator: Simulator, _members: Members) -> Any:
    return {"time": simulator.clock.now()}


async def _advance(simulator: Simulator, members: Members) -> Any:
    simulator.advance(_number(members, "advance", None))
    return {"time": simulator.clock.now()}


async def _held(simulator: Simulator, _members: Members) -> Any:
    return {"held": [{"id": held.id, "call": held.call, "effect": held.effect} for held in simulator.held]}


async def _release(simulator: Simulator, members: Members) -> Any:
    return {"released": len(simulator.release(_held_id(simulator, members)))}


async def _drop(simulator: Simulator, members: Members) -> Any:
    return {"dropped": simulator.drop_held(_held_id(simulator, members))}


def _held_id(simulator: Simulator, members: Members) -> int | None:
    held_id: int | None = members.get("id")
    if held_id is not None and (type(held_id) is not int or held_id not in {held.id for held in simulator.held}):
        raise ValueError(f"id: {str(held_id)[:40]} is not held")
    return held_id


async def _wait(simulator: Simulator, members: Members) -> Any:
    what, call = members.get("for"), members.get("call")
    if what not in WAITABLE:
        raise ValueError(unexpected("for", repr(what), f"one of {', '.join(WAITABLE)}"))
    if call is not None and call not in CALLS:
        raise ValueError(unexpected("call", repr(call), f"one of {', '.join(CALLS)}"))
    count = _number(members, "count", 1)
    timeout = min(_number(members, "timeout", 10.0), LONGEST_WAIT)

    def reached(watched: Simulator) -> bool:
        return _count(watched, what, call) >= count

    try:
        await asyncio.to_thread(simulator.wait_until, reached, timeout)
    except TimeoutError:
        return {"reached": False, "count": _count(simulator, what, call)}
    return {"reached": True, "count": _count(simulator, what, call)}


def _count(simulator: Simulator, what: str, call: str | None) -> int:
    record = simulator.record
    if what == "held":
        return sum(1 for held in simulator.held if call in (None, held.call))
    if what == "calls":
        return len(record.calls if call is None else record.calls_of(call))
    if what == "unread":
        return simulator.unread_reports()
    return len(getattr(record, what))


async def _messages(simulator: Simulator, members: Members) -> Any:
    before = _whole(members, "before", None)
    limit = _whole(members, "limit", PAGE)
    if not 1 <= (limit or 0) <= inbox_views.LARGEST_PAGE:
        raise ValueError(unexpected("limit", str(limit), f"1 to {inbox_views.LARGEST_PAGE}"))
    query = read_query(members)
    return await asyncio.to_thread(inbox_views.page, simulator, query, before, limit or PAGE)


async def _message(simulator: Simulator, members: Members) -> Any:
    return inbox_views.detail(simulator, _whole(members, "number", None) or 0)


async def _wait_for_messages(simulator: Simulator, members: Members) -> Any:
    criteria = _criteria(members)
    count, timeout = _number(members, "count", 1), min(_number(members, "timeout", 10.0), LONGEST_WAIT)
    reached = True
    try:
        await asyncio.to_thread(simulator.messages.wait_for, math.ceil(count), timeout, **criteria)
    except TimeoutError:
        reached = False
    answer = await asyncio.to_thread(inbox_views.page, simulator, read_query(criteria), None, inbox_views.LARGEST_PAGE)
    return {"reached": reached, "count": answer["matched"], "messages": answer["messages"]}


async def _delete_messages(simulator: Simulator, members: Members) -> Any:
    criteria = _criteria(members)
    if not criteria and members.get("all") is not True:
        raise ValueError(f"which messages? {', '.join(MEMBERS)}, or all: true")
    return {"deleted": await asyncio.to_thread(lambda: simulator.messages.delete(**criteria))}


async def _decide(simulator: Simulator, members: Members) -> Any:
    outcome, number = read_outcome(members.get("outcome")), members.get("number")
    criteria = _criteria(members)
    if number is None and not criteria and members.get("all") is not True:
        raise ValueError(f"which messages? number, {', '.join(MEMBERS)}, or all: true")
    if number is not None:
        return {"decided": simulator.decide(outcome, read_query(criteria), _whole(members, "number", None))}
    return {"decided": await asyncio.to_thread(lambda: simulator.messages.decide(outcome, **criteria))}


def _criteria(members: Members) -> dict[str, str]:
    read_query(members)
    return {name: members[name] for name in MEMBERS if members.get(name) is not None}


def _whole(members: Members, name: str, default: int | None) -> int | None:
    """Return a whole number of 1 or more; in a query it is a text."""
    value = members.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS:
        value = int(value)
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError(unexpected(name, repr(value)[:40], "a whole number of 1 or more"))
    return value


async def _accounts(accounts: Accounts, _members: Members) -> Any:
    return {"accounts": accounts.logins()}


async def _open_account(accounts: Accounts, members: Members) -> Any:
    login, password = members.get("login"), members.get("password")
    if not isinstance(login, str) or not isinstance(password, str):
        raise ValueError("login and password: must be texts")
    accounts.add(login, password)
    return {"accounts": accounts.logins()}


async def _reset(simulator: Simulator, _members: Members) -> Any:
    simulator.reset()
    return {"status": "ok"}


def _number(members: Members, name: str, default: float | None) -> float:
    value = members.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}: {value!r} is not a number of 0 or more")
    if not value <= LARGEST_NUMBER or not math.isfinite(value):
        raise ValueError(unexpected(name, "more than can be meant", f"up to {LARGEST_NUMBER:,.0f}"))
    return value


CONTROL_CALLS: tuple[ControlCall, ...] = (
    ControlCall("GET", "/simulator/health", (), "is it up; its time, unread reports, held answers", _health),
    ControlCall("GET", "/simulator/record", ("what",), "what happened; `what`: a comma list of parts", _record),
    ControlCall("GET", "/simulator/fates", (), "the table of fates", _fates),
    ControlCall("GET", "/simulator/switches", (), "the switches and their values", _switches),
    ControlCall("POST", "/simulator/switches", ("any switch",), "change switches", _set_switches),
    ControlCall("GET", "/simulator/faults", (), "the faults still to come, and the kinds there are", _faults),
    ControlCall("POST", "/simulator/faults", ("kind", "any parameter"), "plan a fault", _add_fault),
    ControlCall("DELETE", "/simulator/faults", (), "forget all faults", _clear_faults),
    ControlCall("GET", "/simulator/clock", (), "the simulated time, in seconds since 1970", _clock),
    ControlCall("POST", "/simulator/clock", ("advance",), "jump ahead by so many seconds", _advance),
    ControlCall("GET", "/simulator/held", (), "the answers that are held back", _held),
    ControlCall("POST", "/simulator/release", ("id",), "let a held answer go; without `id` all of them", _release),
    ControlCall(
        "POST", "/simulator/drop", ("id",), "let a held answer end in a reset, without effect; without `id` all", _drop
    ),
    ControlCall(
        "POST",
        "/simulator/wait",
        ("for", "call", "count", "timeout"),
        "return when there are `count` (1) of `for`, or after `timeout` (10) seconds",
        _wait,
    ),
    ControlCall(
        "GET",
        "/simulator/messages",
        (*MEMBERS, "before", "limit"),
        "a page of the messages that are meant, newest first: `limit` (50, up to 200) of those before a number",
        _messages,
    ),
    ControlCall("GET", "/simulator/message", ("number",), "everything about one message", _message),
    ControlCall(
        "POST",
        "/simulator/messages/wait",
        (*MEMBERS, "count", "timeout"),
        "return when `count` (1) messages are meant, or after `timeout` (10) seconds",
        _wait_for_messages,
    ),
    ControlCall(
        "POST",
        "/simulator/messages/decide",
        ("outcome", "number", *MEMBERS, "all"),
        "decide what becomes of the messages under way that are meant",
        _decide,
    ),
    ControlCall(
        "DELETE",
        "/simulator/messages",
        (*MEMBERS, "all"),
        "forget the messages that are meant, as if they had never been sent",
        _delete_messages,
    ),
    ControlCall("GET", "/simulator/accounts", (), "the login of every account", _accounts, of_all=True),
    ControlCall(
        "POST", "/simulator/accounts", ("login", "password"), "open another account", _open_account, of_all=True
    ),
    ControlCall("POST", "/simulator/reset", (), "forget messages, scenarios, record and faults", _reset),
)
"""Every control call, in the order of the table."""
