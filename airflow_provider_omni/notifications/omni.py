"""A notifier for callbacks, deadline alerts and human-in-the-loop operators. Thin: `delivery/sending.py` sends."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_omni.hooks.omni import DEFAULT_CONN_ID, OmniHook, shared_async_client
from airflow_provider_omni.operators.private import PrivateField, reveal

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_omni.delivery.effects import Steps
    from airflow_provider_omni.delivery.sending import Send, SendEnd
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.omni.content import Line, Sms

PATIENCE = 60.0
"""Seconds that a notification may spend on asking what became of it: callbacks must not hold their process for long."""


class OmniNotifier(BaseNotifier):
    """Tells people what happened, by LINE with SMS failover: ``on_failure_callback=OmniNotifier(…)``.

    Works as a callback of tasks and DAGs (sync), for deadline alerts in the triggerer (async) and as ``notifiers=`` of
    human-in-the-loop operators. Where it runs in a triggerer, templates must not use more of the context than
    ``dag_run`` and ``deadline``.

    A notification has no memory: it is sent once per task try and content, is not repeated when its outcome is
    unknown, and raises when it was not sent. Airflow logs that and goes on; a human-in-the-loop operator's task fails.

    :param scenario_key: the key of the scenario.
    :param to: as for ``OmniSendMessageOperator``: a number, a list of numbers, or destinations.
    :param line: the LINE message; a text may stand for ``{"type": "TEXT", "text": …}``.
    :param sms: the SMS; a text may stand for ``{"text": …}``.
    :param other_channels: objects for other channels by the API's names, passed through.
    :param idempotency_key: names the notification; one key and recipient make one message id. Default: made of DAG,
        run, task, try and content.
    :param omni_conn_id: the connection. Default ``omni_default``.
    """

    template_fields: Sequence[str] = (
        "scenario_key",
        "to",
        "line",
        "sms",
        "other_channels",
        "idempotency_key",
        "omni_conn_id",
    )

    to = PrivateField()

    def __init__(
        self,
        *,
        scenario_key: str | Mapping[str, Any] | XComArg,
        to: Any,
        line: str | Mapping[str, Any] | Line | None = None,
        sms: str | Mapping[str, Any] | Sms | None = None,
        other_channels: Mapping[str, Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None,
        omni_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scenario_key = scenario_key
        self.to = to
        self.line = {"type": "TEXT", "text": line} if isinstance(line, str) else line
        self.sms = {"text": sms} if isinstance(sms, str) else sms
        self.other_channels = other_channels
        self.idempotency_key = idempotency_key
        self.omni_conn_id = omni_conn_id
        self._templates = {name: getattr(self, name) for name in self.template_fields}

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render from the templates each time: one notifier may serve several tasks of a process."""
        for name, template in self._templates.items():
            setattr(self, name, template)
        super().render_template_fields(context, jinja_env)

    def notify(self, context: Context) -> None:
        """Send, from a worker or the DAG processor."""
        from airflow_provider_omni.delivery.drivers import run
        from airflow_provider_omni.omni.limits import logs_budget
        from airflow_provider_omni.storage.process import ProcessMemory

        with OmniHook(self.omni_conn_id) as hook:
            end = run(
                self._send(context, hook.config).run(),
                client=hook.get_conn(),
                memory=ProcessMemory(),
                budget=logs_budget(hook.config.account),
                note=cast("Any", self.log),
            )
        self._report(end)

    async def async_notify(self, context: Context) -> None:
        """Send, from a triggerer."""
        from airflow_provider_omni.delivery.drivers import arun
        from airflow_provider_omni.omni.limits import logs_budget
        from airflow_provider_omni.storage.process import AsyncProcessMemory

        async with shared_async_client(self.omni_conn_id) as client:
            end = await arun(
                _without_publishing(self._send(context, client.config).run()),
                client=client,
                memory=AsyncProcessMemory(),
                budget=logs_budget(client.config.account),
                note=cast("Any", self.log),
            )
        self._report(end)

    def _send(self, context: Context, config: OmniConfig) -> Send:
        from airflow_provider_omni.delivery.asking import LookRules
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.identity import Identity
        from airflow_provider_omni.delivery.sending import Send, SendRules
        from airflow_provider_omni.operators.arguments import read_plan

        key = self.idempotency_key
        plan = read_plan(
            idempotency_key="notification" if key is None else key,
            scenario_key=self.scenario_key,
            to=reveal(self.to),
            line=self.line,
            sms=self.sms,
            other_channels=self.other_channels,
            id_secret=config.id_secret,
            allowed_recipients=config.allowed_recipients,
        )
        if key is None:
            named = json.dumps([*_occasion(context), plan.fingerprint])
            plan = replace(plan, identity=Identity(named, config.id_secret))
        # The scenario's own flow would cost a call, and matters only to who follows the messages.
        plan = replace(plan, flow=plan.flow or plan.content.channels())
        rules = SendRules(
            look=LookRules(read_timeout=config.longest_call, patience=PATIENCE),
            surely_first=True,
        )
        return Send(plan, rules, steady_clock(time.time, time.monotonic))

    def _report(self, end: SendEnd) -> None:
        counts = end.receipt.counts
        self.log.info("Notification: %d of %d recipients accepted.", counts.accepted, counts.requested)
        if end.error is not None:
            raise end.error


send_omni_notification = OmniNotifier
"""The notifier under the name that Airflow's own notifiers have beside their class."""


def _occasion(context: Mapping[str, Any]) -> list[Any]:
    """What is notified about. A notification about the same thing makes the same ids, so that a vendor who refuses
    repeated ids sends it once even when Airflow runs it twice.
    """
    ti = context.get("ti") or context.get("task_instance")
    if ti is not None:
        return ["notification", ti.dag_id, ti.run_id, ti.task_id, getattr(ti, "map_index", -1), ti.try_number]
    run, deadline = context.get("dag_run"), context.get("deadline")
    names = [
        _member(run, "dag_id"),
        _member(run, "run_id"),
        _member(deadline, "id"),
        _member(deadline, "deadline_time"),
    ]
    return ["notification", *(str(name) for name in names)] if any(names) else ["notification", str(uuid.uuid4())]


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _without_publishing(steps: Steps[SendEnd]) -> Steps[SendEnd]:
    """Drop the receipts: a notification has no XCom to put them in."""
    from airflow_provider_omni.delivery.effects import Publish
    from airflow_provider_omni.omni.errors import OmniError

    reply: Any = None
    error: OmniError | None = None
    while True:
        try:
            effect = steps.send(reply) if error is None else steps.throw(error)
        except StopIteration as stop:
            return cast("SendEnd", stop.value)
        reply, error = None, None
        if isinstance(effect, Publish):
            continue
        try:
            reply = yield effect
        except OmniError as caught:
            error = caught
