"""`POST /omni/1/advanced`: what is checked, what is accepted, what the answer says."""

from __future__ import annotations

import hashlib
import json
import math
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.simulator import outcomes
from airflow_provider_omni.simulator.envelopes import ApiProblem, read_time
from airflow_provider_omni.simulator.fates import DEFAULT_FATE, UNDECIDED, Fate, Reporting, fate_of
from airflow_provider_omni.simulator.message_index import MessageIndex
from airflow_provider_omni.simulator.messages import Content, Message, MessageStore
from airflow_provider_omni.simulator.outcomes import Status
from airflow_provider_omni.simulator.record import Acceptance, Record, Refusal, digits
from airflow_provider_omni.simulator.requests_kept import SentRequest
from airflow_provider_omni.simulator.scenarios import Scenario, ScenarioStore
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.timeline import (
    CONTENT_MEMBERS,
    SHORTEST_VALIDITY,
    UNIT_SECONDS,
    Change,
    FlowStep,
    Step,
    milliseconds,
    plan,
    validity_seconds,
)

MANDATORY: dict[str, dict[str, tuple[str, ...]]] = {
    "LINE": {
        "TEXT": ("text",),
        "IMAGE": ("url", "thumbnailUrl"),
        "AUDIO": ("url", "duration"),
        "VIDEO": ("url", "thumbnailUrl"),
        "STICKER": ("packageId", "stickerId"),
        "FLEX": ("altText", "contents"),
    },
    "SMS": {"TEXT": ("text",)},
}
"""Channel → content type → members that must be there. TEXT when no type is given."""

URL_LIMIT = 1000
CALLBACK_DATA_LIMIT = 4000
FURTHEST_SEND_AT = 180 * 86_400.0


@dataclass(frozen=True)
class _Request:
    """A send request, checked."""

    scenario: Scenario | None
    content: Content
    destinations: list[Mapping[str, Any]]
    bulk_id: str
    bulk_id_given: bool
    starts_at: float


class Sender:
    """Takes send requests in."""

    def __init__(
        self, store: MessageStore, index: MessageIndex, scenarios: ScenarioStore, record: Record, rng: random.Random
    ) -> None:
        self._store = store
        self._index = index
        self._scenarios = scenarios
        self._record = record
        self._rng = rng
        self._seen: dict[tuple[str, str], float] = {}
        self._bulk_ids: set[str] = set()

    def send(self, body: Any, now: float, settings: Settings, sent: SentRequest | None = None) -> dict[str, Any]:
        """Accept or refuse every destination and build the answer. Raises ApiProblem for the whole request."""
        request = self._read(body, now, settings, sent)
        self._bulk_ids.add(request.bulk_id)
        entries = [self._take(request, destination, now, settings) for destination in request.destinations]
        if settings.answer_order == "reversed":
            entries.reverse()
        elif settings.answer_order == "random":
            self._rng.shuffle(entries)
        echo = (
            len(entries) > 1
            or settings.echo_bulk_id == "always"
            or (settings.echo_bulk_id == "given" and request.bulk_id_given)
        )
        return {"bulkId": request.bulk_id, "messages": entries} if echo else {"messages": entries}

    def _read(self, body: Any, now: float, settings: Settings, sent: SentRequest | None) -> _Request:
        if not isinstance(body, dict):
            raise ApiProblem(400, {"body": ["must be an object"]})
        raw = body.get("destinations")
        destinations = [raw] if isinstance(raw, dict) else raw if raw is not None else []
        if not isinstance(destinations, list) or not all(isinstance(one, dict) for one in destinations):
            raise ApiProblem(400, {"destinations": ["must be a list of objects"]})
        if not destinations and settings.empty_destinations == "400":
            raise ApiProblem(400, {"destinations": ["may not be empty"]})
        if 0 < settings.max_destinations < len(destinations):
            raise ApiProblem(400, {"destinations": [f"size must be between 1 and {settings.max_destinations}"]})
        problems = _problems(body, now)
        for position, one in enumerate(destinations):
            if not isinstance(one.get("messageId"), str | None):
                problems[f"destinations[{position}].messageId"] = ["must be a string"]
        if settings.bad_number == "400":
            for position, one in enumerate(destinations):
                if address_problem(one) is not None:
                    problems[f"destinations[{position}].to"] = ["must hold a valid address"]
        if problems:
            raise ApiProblem(400, problems)
        scenario = self._scenario(body.get("scenarioKey"), settings)
        contents = {
            channel: body[member] for channel, member in CONTENT_MEMBERS.items() if body.get(member) is not None
        }
        if scenario is not None:
            missing = [step.channel for step in scenario.flow if step.channel not in contents]
            if len(missing) == len(scenario.flow) or (missing and settings.missing_content == "400"):
                raise ApiProblem(400, {CONTENT_MEMBERS[channel]: ["may not be null"] for channel in missing})
        bulk_id = body.get("bulkId")
        if bulk_id in self._bulk_ids and settings.repeated_bulk_id == "400":
            raise ApiProblem(400, {"bulkId": ["was used before"]})
        content = Content(
            scenario_key=scenario.key if scenario else str(body.get("scenarioKey")),
            by_channel=contents,
            callback_data=body.get("callbackData"),
            notify=body.get("notify"),
            notify_url=body.get("notifyUrl"),
            digest=_digest(contents),
            request=sent,
        )
        send_at = body.get("sendAt")
        starts_at = now if send_at is None else max(now, read_time(send_at))
        if bulk_id and len(destinations) > 1 and settings.given_bulk_id == "replaced":
            bulk_id, given = self._made_up_id(), False
        else:
            given = bool(bulk_id)
        return _Request(scenario, content, destinations, bulk_id or self._made_up_id(), given, starts_at)

    def follow(self, scenario: Scenario, now: float, settings: Settings) -> None:
        """Let messages under way take the steps of an updated flow from where they are."""
        for message in list(self._store.all()):
            if message.content.scenario_key != scenario.key or not message.steps:
                continue
            kept = sum(1 for step in message.steps if step.started_at <= now)
            begin = message.steps[kept - 1].failed_at if kept else message.starts_at
            if begin is None or begin <= now:
                continue
            fate = fate_of(message.to) if message.to.isdigit() else DEFAULT_FATE
            later = plan(scenario.flow[kept:], message.content.by_channel, fate, begin, settings)
            self._store.replan(message, kept, later, now, settings)
            self._index.touch(message, now)

    def forget(self, messages: Sequence[Message]) -> None:
        """Let ids be sent again as if they had never been seen."""
        ids = {message.message_id for message in messages}
        self._seen = {key: at for key, at in self._seen.items() if key[0] not in ids}
        self._bulk_ids -= {message.bulk_id for message in messages}

    def _scenario(self, key: str | None, settings: Settings) -> Scenario | None:
        scenario = self._scenarios.find(key)
        if scenario is None and settings.unknown_scenario == "default":
            scenario = self._scenarios.default()
        if scenario is None and settings.unknown_scenario != "reject":
            raise ApiProblem(404 if settings.unknown_scenario == "404" else 400, {"scenarioKey": ["unknown scenario"]})
        return scenario

    def _take(
        self, request: _Request, destination: Mapping[str, Any], now: float, settings: Settings
    ) -> dict[str, Any]:
        """Accept or refuse one destination and build its entry of the answer."""
        raw_to = destination.get("to")
        address: Mapping[str, Any] = raw_to if isinstance(raw_to, dict) else {}
        message_id = destination.get("messageId") or self._made_up_id()
        phone_number = address.get("phoneNumber")
        to = digits(phone_number) if isinstance(phone_number, str) else ""
        fate = UNDECIDED if settings.fates == "by-hand" else fate_of(to) if to else DEFAULT_FATE
        if len(request.destinations) == 1:
            forgotten = settings.single_bulk_id == "dropped"
        else:
            forgotten = request.bulk_id_given and settings.given_bulk_id == "dropped"
        message = Message(
            message_id=message_id,
            bulk_id="" if forgotten else request.bulk_id,
            to=to or _other_address(address),
            content=request.content,
            flow=request.scenario.flow if request.scenario else (),
            accepted_at=now,
            starts_at=request.starts_at,
            reporting=fate.reporting,
            steps=[],
        )
        status = self._judge(request, message, destination, fate, now, settings)
        return {"to": dict(address), "status": status.to_wire(), "messageId": message_id}

    def _judge(
        self,
        request: _Request,
        message: Message,
        destination: Mapping[str, Any],
        fate: Fate,
        now: float,
        settings: Settings,
    ) -> Status:
        """Decide about one destination, do what was decided, return the status of its entry."""
        key = (message.message_id, request.bulk_id if settings.duplicate_scope == "bulk" else "")
        seen_at = self._seen.get(key)
        if (
            seen_at is not None
            and now - seen_at <= settings.duplicate_window_seconds
            and settings.duplicates != "accept"
        ):
            return self._repeated(message, now, settings)
        refusal = address_problem(destination) or fate.refused
        if request.scenario is None:
            refusal = outcomes.REJECTED_PLATFORM
        elif settings.short_validity == "reject" and _too_short(message, settings):
            refusal = outcomes.BAD_VALIDITY
        if refusal is None and 0 < settings.message_credits <= len(self._record.acceptances):
            refusal = outcomes.REFUSALS[12]
        if refusal is not None:
            self._refuse(message, refusal, now, settings)
            if settings.refused_uses_id:
                self._seen[key] = now
            return refusal
        self._seen[key] = now
        message.steps = plan(message.flow, message.content.by_channel, fate, message.starts_at, settings)
        if settings.scheduled_in_logs:
            message.steps[0].logged_ms = milliseconds(now)
        message.in_logs = fate.reporting is not Reporting.NOTHING
        content = message.content
        message.in_reports = not (
            (content.notify is False and settings.notify_false == "hide")
            or (content.notify_url is not None and settings.pushed_reports == "hide")
        )
        self._store.add(message, settings)
        self._index.add(message, now)
        self._record.messages.append(message)
        self._record.acceptances.append(
            Acceptance(message.message_id, message.bulk_id, message.to, content.scenario_key, now, content.digest)
        )
        return fate.answer_status

    def _repeated(self, message: Message, now: float, settings: Settings) -> Status:
        """Answer a messageId that was seen before, where the account does not send it again."""
        self._record.refusals.append(Refusal(message.message_id, message.to, outcomes.DUPLICATE.id, now))
        if settings.duplicates == "status-23":
            return outcomes.DUPLICATE
        if settings.duplicates == "report":
            self._add_rejected(message, outcomes.DUPLICATE, now + settings.beat_seconds / settings.time_scale, settings)
        return outcomes.ENROUTE

    def _refuse(self, message: Message, status: Status, now: float, settings: Settings) -> None:
        message.refusal = status
        self._index.add(message, now)
        self._record.refusals.append(Refusal(message.message_id, message.to, status.id, now))
        message.in_logs = settings.refused_in in ("logs", "both")
        message.in_reports = settings.refused_in in ("reports", "both")
        if message.in_logs or message.in_reports:
            self._add_rejected(message, status, now, settings)

    def _add_rejected(self, message: Message, status: Status, at: float, settings: Settings) -> None:
        """Let a message that was not sent show up as rejected; a repeated id only in the reports."""
        first = message.flow[0] if message.flow else FlowStep("SMS", None)
        duplicate = status is outcomes.DUPLICATE
        message.in_logs = message.in_logs and not duplicate
        error = outcomes.DUPLICATE_MESSAGE if duplicate else outcomes.NO_ERROR
        step = Step(first.channel, first.sender, None, at, at, milliseconds(at), at, [Change(at, status, error, at)])
        message.steps = [step]
        message.reporting = Reporting.NORMAL
        self._store.add(message, settings)

    def _made_up_id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))


def _problems(body: Mapping[str, Any], now: float) -> dict[str, list[str]]:
    """Return what is wrong with a send request apart from its destinations and its scenario: member path → why."""
    problems: dict[str, list[str]] = {}
    for name in ("scenarioKey", "bulkId", "callbackData", "notifyUrl"):
        if body.get(name) is not None and not isinstance(body[name], str):
            problems[name] = ["must be a string"]
    if isinstance(body.get("callbackData"), str) and len(body["callbackData"]) > CALLBACK_DATA_LIMIT:
        problems["callbackData"] = [f"size must be between 0 and {CALLBACK_DATA_LIMIT}"]
    if body.get("sendAt") is not None:
        try:
            ahead = read_time(str(body["sendAt"])) - now
        except ValueError:
            problems["sendAt"] = ["must be a date and time"]
        else:
            if ahead >= FURTHEST_SEND_AT:
                problems["sendAt"] = ["must be less than 180 days ahead"]
    for channel, member in CONTENT_MEMBERS.items():
        if body.get(member) is not None:
            problems.update(_content_problems(channel, member, body[member]))
    return problems


def _content_problems(channel: str, member: str, content: Any) -> dict[str, list[str]]:
    if not isinstance(content, dict):
        return {member: ["must be an object"]}
    problems: dict[str, list[str]] = {}
    types = MANDATORY.get(channel, {})
    kind = str(content.get("type") or "TEXT")
    if types and channel == "LINE" and kind not in types:
        problems[f"{member}.type"] = [f"must be one of {', '.join(types)}"]
    for name in types.get("TEXT" if channel == "SMS" else kind, ()):
        if content.get(name) in (None, ""):
            problems[f"{member}.{name}"] = ["may not be empty"]
    for name in ("url", "thumbnailUrl"):
        if isinstance(content.get(name), str) and len(content[name]) > URL_LIMIT:
            problems[f"{member}.{name}"] = [f"size must be between 0 and {URL_LIMIT}"]
    unit = str(content.get("validityPeriodTimeUnit") or "MINUTES").upper()
    if unit not in UNIT_SECONDS:
        problems[f"{member}.validityPeriodTimeUnit"] = [f"must be one of {', '.join(UNIT_SECONDS)}"]
    try:
        validity = float(content.get("validityPeriod") or 0)
        if not (math.isfinite(validity) and validity >= 0):
            problems[f"{member}.validityPeriod"] = ["must be a positive number"]
    except (TypeError, ValueError, OverflowError):
        problems[f"{member}.validityPeriod"] = ["must be a number"]
    return problems


def address_problem(destination: Mapping[str, Any]) -> Status | None:
    """Return the status with which a malformed address is refused: None when it is fine."""
    address = destination.get("to")
    if not isinstance(address, dict) or not any(address.values()):
        return outcomes.MISSING_TO
    number = address.get("phoneNumber")
    if number is None:
        return None
    bare = number.removeprefix("+").removeprefix("00") if isinstance(number, str) else ""
    return None if bare.isascii() and bare.isdigit() and 6 <= len(bare) <= 15 else outcomes.BAD_DESTINATION


def _other_address(address: Mapping[str, Any]) -> str:
    return next((str(value) for value in address.values() if value), "")


def _too_short(message: Message, settings: Settings) -> bool:
    return any(
        validity_seconds(message.content.by_channel[step.channel], step.channel, settings) < SHORTEST_VALIDITY
        for step in message.flow
        if step.channel in message.content.by_channel
    )


def _digest(contents: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(contents, sort_keys=True).encode(), digest_size=12).hexdigest()
