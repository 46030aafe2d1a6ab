"""A send of one content to a few recipients: a plan with one request, whose record is in the task's state."""

from __future__ import annotations

import random
from collections.abc import Callable

from airflow_provider_omni.delivery.effects import Clock, Steps
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.engine import Outbox, SendResult
from airflow_provider_omni.delivery.outbox.plan import MessageSpec, plan_message
from airflow_provider_omni.delivery.outbox.policy import SendPolicy


def send_message(
    order: MessageSpec, policy: SendPolicy, clock: Clock, jitter: Callable[[], float] = random.random
) -> Steps[SendResult]:
    """Send an order once, however often it is run.

    :param policy: the policy of this try, made by `SendPolicy.of_one_request`.
    :param jitter: random numbers from 0 to 1, for pauses.
    """
    with Workspace(in_memory=True) as workspace:
        return (yield from Outbox(plan_message(order, workspace), policy, clock, jitter).run())
