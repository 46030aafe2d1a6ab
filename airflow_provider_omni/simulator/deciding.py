"""Deciding a message's fate by hand: what becomes of the channel that it is on, and what that makes of the rest."""

from __future__ import annotations

from airflow_provider_omni.simulator import outcomes
from airflow_provider_omni.simulator.fates import ABSENT, DEFAULT_FATE, UNDECIDED, UNDELIVERABLE, Fate, fate_of
from airflow_provider_omni.simulator.message_index import OPEN
from airflow_provider_omni.simulator.messages import Message, MessageStore
from airflow_provider_omni.simulator.outcomes import Status, StepError
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.timeline import Change, FlowStep, Step, plan

OUTCOMES: dict[str, str] = {
    "delivered": "the channel that it is on delivers it",
    "operator": "that channel delivers it to the operator, and nothing more is heard",
    "failed": "that channel fails, and the next one takes over",
    "expired": "that channel's validity ends, and the next one takes over",
    "all-failed": "that channel fails, and so does every later one",
}
"""Ends that can be decided for a message that is under way."""
_STATUSES: dict[str, tuple[Status, StepError]] = {
    "delivered": (outcomes.HANDSET, outcomes.NO_ERROR),
    "operator": (outcomes.OPERATOR, outcomes.NO_ERROR),
    "failed": (outcomes.NOT_DELIVERED, outcomes.PROVIDER_TIMEOUT),
    "expired": (outcomes.EXPIRED, outcomes.VALIDITY_EXPIRED),
    "all-failed": (outcomes.NOT_DELIVERED, outcomes.PROVIDER_TIMEOUT),
}
SMS_FAILED = (outcomes.NOT_DELIVERED, outcomes.ABSENT_SUBSCRIBER)
ALL_FAIL = Fate("every channel fails", chat=UNDELIVERABLE, sms=ABSENT)


def decide(message: Message, outcome: str, now: float, store: MessageStore, settings: Settings) -> bool:
    """Let the channel that a message is on end now, as was decided; False when the message is not under way."""
    if message.state not in OPEN:
        return False
    position = max(index for index, step in enumerate(message.steps) if step.started_at <= now)
    step = message.steps[position]
    for earlier in message.steps[: position + 1]:
        earlier.changes = [change for change in earlier.changes if change.at <= now]
    status, error = _STATUSES[outcome]
    if step.channel == "SMS" and status is outcomes.NOT_DELIVERED:
        status, error = SMS_FAILED
    news = Change(now, status, error, now)
    step.changes.append(news)
    step.failed_at = now if status.failed else None
    later: list[Step] = []
    if status.failed:
        fate = _fate_of_rest(message, outcome, settings)
        later = plan(_rest_of_flow(message, position), message.content.by_channel, fate, now, settings)
    store.replan(message, position + 1, later, now, settings, news)
    return True


def _fate_of_rest(message: Message, outcome: str, settings: Settings) -> Fate:
    if outcome == "all-failed":
        return ALL_FAIL
    if settings.fates == "by-hand":
        return UNDECIDED
    return fate_of(message.to) if message.to.isdigit() else DEFAULT_FATE


def _rest_of_flow(message: Message, position: int) -> tuple[FlowStep, ...]:
    """Return the steps of the flow behind one that was attempted; steps without content were never attempted."""
    attempted = [step.channel for step in message.steps[: position + 1]]
    for index, flow_step in enumerate(message.flow):
        if attempted and flow_step.channel == attempted[0]:
            attempted.pop(0)
            if not attempted:
                return message.flow[index + 1 :]
    return ()
