"""A notifier for callbacks, deadline alerts and human-in-the-loop operators.

Thin: `delivery/outbox/alerts.py` sends.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_omni.hooks.connection import DEFAULT_CONN_ID
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.notifications.occasions import (
    DEDUPE,
    KNOWN_TO_ONE,
    LOG_URL,
    TRY,
    Occasion,
    cannot_be_repeat,
    completed,
    ids_of,
    known_to_all,
    occasion_of,
    subject_of,
)
from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS, OWN_ARGUMENTS
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.operators.keys import warning_about_own_key
from airflow_provider_omni.operators.known_arguments import KnownArguments
from airflow_provider_omni.operators.masked_fields import MaskedField, MaskedFields, TextField, unmask
from airflow_provider_omni.operators.slips import content_slips, refuse_slips, setting_slips

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_omni.delivery.outbox.alerts import Alert
    from airflow_provider_omni.delivery.outbox.engine import SendResult
    from airflow_provider_omni.delivery.outbox.plan import MessageSpec
    from airflow_provider_omni.omni.api import Call
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.omni.line import Line
    from airflow_provider_omni.omni.sms import Sms
    from airflow_provider_omni.operators.account import Account

PATIENCE = 15.0
"""Seconds that a notification may spend on log queries about its own message, because callbacks must not hold their
process for long. That is time to find it in the logs; to prove that it is not there takes longer.
"""
LOOK_TIMEOUTS = (2.0, 3.0)
"""Seconds to connect and to answer for one log query, at most. Airflow ends a worker's callbacks after 20 s (`[core]
task_success_overtime`), and those of a DAG file after 50: a vendor whose logs hang must not cost the alert.
"""
_LOADED_AT = time.monotonic()
"""Time at which this module was loaded. A task's process loads it with its DAG. A process that was forked from another
counts as older, and so asks the logs.
"""
SMS_PARTS = 2
MOST_SMS_PARTS = 255
"""Parts that an SMS can have."""


class OmniNotifier(MaskedFields, KnownArguments, BaseNotifier):
    """Tells people what happened, by LINE with SMS failover: `on_failure_callback=OmniNotifier(…)`.

    Works as a callback of tasks and DAGs (sync), for deadline alerts in the triggerer (async) and as `notifiers=` of
    human-in-the-loop operators. In a triggerer, templates must not use more of the context than `dag_run` and
    `deadline`.

    **Airflow may run a callback twice.** If that is possible, the notifier first looks for its own message in the
    vendor's logs, and does not send it again if it stands there. It sends if the logs do not show it or cannot be read.
    So two runs at one moment send twice, unless the vendor refuses repeated message ids.

    **An alert goes out whatever it holds.** Texts are cut with a mark. A text that is blank or cannot be rendered is
    replaced by the name of the occasion, and an undefined name in a text is left out. A channel or a number that cannot
    be used is left out with a warning; if none is left, the notifier raises and nothing is sent.

    A send is not repeated when its outcome is unknown. The notifier raises if nothing was sent: Airflow logs that and
    goes on; a human-in-the-loop operator's task fails.

    :param scenario_key: the key of the scenario.
    :param to: as for `OmniSendMessageOperator`: a number, a list of numbers, or destinations; numbers in a text may
        have commas between them.
    :param line: the LINE message; a text may stand for `{"type": "TEXT", "text": …}`.
    :param sms: the SMS; a text may stand for `{"text": …}`.
    :param other_channels: objects for other channels by the API's names, as for `OmniSendMessageOperator`.
    :param max_sms_parts: parts to which an SMS is cut; each part costs. Default 2: 306 characters, or 134 if one of
        them is not in GSM-7. No template.
    :param dedupe: the alerts that count as one and are sent once. `try` (default): one content about one try of a task.
        `task`: one set of templates about a task of a run, for all its tries, mapped copies and iterations. `run`: one
        set of templates about a DAG run, for all its tasks. No template.
    :param region: country of numbers without a country code, as for `OmniSendMessageOperator`. Default: the
        connection's.
    :param allowed_countries: countries that may be sent to, as for `OmniSendMessageOperator`. Default: the
        connection's.
    :param number_check: `valid` or `possible`, as for `OmniSendMessageOperator`. Default: the connection's.
    :param idempotency_key: name of the notification, instead of one made from content and occasion; one key and
        recipient make one message id.
    :param omni_conn_id: the connection. Default `omni_default`.
    """

    template_fields: Sequence[str] = (
        "scenario_key",
        "to",
        *CONTENT_ARGUMENTS,
        "region",
        "idempotency_key",
        "omni_conn_id",
    )

    to = MaskedField()
    line = TextField()
    sms = TextField()
    other_channels = TextField()

    def __init__(
        self,
        *,
        scenario_key: str | Mapping[str, Any] | XComArg,
        to: Any,
        line: str | Mapping[str, Any] | Line | None = None,
        sms: str | Mapping[str, Any] | Sms | None = None,
        other_channels: Mapping[str, Mapping[str, Any]] | None = None,
        max_sms_parts: int = SMS_PARTS,
        dedupe: str = TRY,
        region: str | None = None,
        allowed_countries: Sequence[str] | None = None,
        number_check: str | None = None,
        idempotency_key: str | None = None,
        omni_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scenario_key = scenario_key
        self.to = to
        self.line = _as_object("line", line)
        self.sms = _as_object("sms", sms)
        self.other_channels = other_channels
        self.max_sms_parts = max_sms_parts
        self.dedupe = dedupe
        self.region = region
        self.allowed_countries = allowed_countries
        self.number_check = number_check
        self.idempotency_key = idempotency_key
        self.omni_conn_id = omni_conn_id
        settings = _setting_slips(max_sms_parts, dedupe)
        refuse_slips(self, [*settings, *setting_slips(self), *content_slips(self)])
        self._templates = {name: getattr(self, name) for name in self.template_fields}
        self._said = {name: getattr(self, name) for name in CONTENT_ARGUMENTS}
        """The contents as they were rendered last. The fields of these names show their shape only."""
        self._named_by: dict[str, Any] | None = None
        """The contents that name the alert, if they are not those that are sent."""
        self._is_rendered = False
        """True if the templates were rendered for the next occasion."""

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render from the templates each time, because one notifier may serve several tasks of a process.

        Fields that name the account and the people must render. An alert goes out even if its content does not.
        """
        from airflow_provider_omni.notifications.rendering import lenient, mentions

        context = cast("Context", completed(context))
        self._is_rendered = False
        for name, template in self._templates.items():
            setattr(self, name, template)
        env = jinja_env or self.get_template_env(dag=_with_templates(context.get("dag")))
        strict = [name for name in self.template_fields if name not in (*CONTENT_ARGUMENTS, "idempotency_key")]
        self._do_render_template_fields(self, strict, context, env, set())
        self.idempotency_key = self._own_key(context, env)
        env = lenient(env)
        self._said = self._contents(context, env)
        for name, content in self._said.items():
            setattr(self, name, content)
            try:
                getattr(type(self), name).finish(self)
            except Exception:  # noqa: BLE001  what has no shape is shown as nothing, and must not cost the alert
                setattr(self, name, None)
        self._named_by = None
        templates = {name: self._templates[name] for name in CONTENT_ARGUMENTS}
        if mentions(templates, ("exception", LOG_URL, *KNOWN_TO_ONE)):
            self._named_by = self._contents(cast("Context", known_to_all(context)), env, quietly=True)
        self._is_rendered = True

    def notify(self, context: Context) -> None:
        """Send, from a worker or the DAG processor."""
        self._render_once(context)
        from airflow_provider_omni.delivery.drivers import run
        from airflow_provider_omni.hooks.metrics import observer_of_calls, recorder
        from airflow_provider_omni.omni.client import OmniClient
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.storage.process import ProcessMemory

        with OmniHook(self.omni_conn_id) as hook:
            alert = self._alert(context, Account.of(hook))
            with OmniClient(_hasty(hook.config), observe=observer_of_calls()) as hasty:
                end = run(
                    alert.run(),
                    client=_TwoClients(hook.get_conn(), hasty),
                    memory=ProcessMemory(),
                    budget=logs_budget(hook.config.account),
                    log=cast("Any", self.log),
                    metrics=recorder(),
                )
        self._report(end)

    async def async_notify(self, context: Context) -> None:
        """Send, from a triggerer."""
        self._render_once(context)
        from airflow_provider_omni.delivery.drivers import arun
        from airflow_provider_omni.hooks.metrics import observer_of_calls, recorder
        from airflow_provider_omni.omni.aio import shared_client
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.storage.process import AsyncProcessMemory

        account = await Account.of_async(self.omni_conn_id)
        alert, config = self._alert(context, account), account.config
        observe = observer_of_calls()
        async with shared_client(config, observe) as client, shared_client(_hasty(config), observe) as hasty:
            end = await arun(
                alert.run(),
                client=_TwoClients(client, hasty),
                memory=AsyncProcessMemory(),
                budget=logs_budget(config.account),
                log=cast("Any", self.log),
                metrics=recorder(),
            )
        self._report(end)

    def _render_once(self, context: Context) -> None:
        """Render, unless Airflow has: a user's own callback may call `notify(context)` by hand."""
        if not self._is_rendered:
            self.render_template_fields(context)
        self._is_rendered = False

    # -- what is sent ------------------------------------------------------------------------------------------------

    def _alert(self, context: Context, account: Account) -> Alert:
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.messages.ids import Identity
        from airflow_provider_omni.delivery.outbox.alerts import Alert
        from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
        from airflow_provider_omni.notifications.wording import in_plain_words
        from airflow_provider_omni.operators.callback_data import callback_data_of

        instead = f"Airflow: {subject_of(context)}"
        plan, config = self._plan(account, self._said, instead), account.config
        key, occasion = self.idempotency_key, Occasion(())
        if key is None:
            occasion = occasion_of(context, self.dedupe)
            key = json.dumps([*occasion.names, self._content_name(plan, account, occasion, instead)])
        elif warning := warning_about_own_key(context, key):
            self.log.warning("%s", warning)
        plan = replace(
            plan,
            identity=Identity(key, config.id_secret),
            # To read the scenario's own flow would cost a call, and only a follower of the messages needs it.
            flow=plan.flow or plan.content.channels(),
            callback_data=callback_data_of(*ids_of(context)),
        )
        first = (
            self.idempotency_key is None
            and self.dedupe == TRY
            and cannot_be_repeat(context, time.time(), time.monotonic() - _LOADED_AT, _seconds_until_lost())
        )
        return Alert(
            plan,
            SendPolicy.of_one_request(
                LookPolicy(read_timeout=config.longest_call, patience=PATIENCE),
                trust_duplicate_rejection=config.trust_duplicate_rejection,
            ),
            steady_clock(time.time, time.monotonic),
            may_be_repeat=not first,
            plainer=in_plain_words(plan.content, self.max_sms_parts),
            again_after=occasion.again_after,
        )

    def _plan(self, account: Account, contents: dict[str, Any], instead: str, *, quietly: bool = False) -> MessageSpec:
        """Return a plan with the contents that can be sent, and the people who can be sent to. If the connection cannot
        be used, raise one error that names what is wrong with all contents as well.
        """
        from airflow_provider_omni.notifications.wording import mended, reachable, usable
        from airflow_provider_omni.omni.arguments import read_arguments
        from airflow_provider_omni.operators.arguments import numbers_of, read_message
        from airflow_provider_omni.operators.settings import NumberSettings

        contents, done = mended(contents, self.max_sms_parts, instead)
        given = {name: getattr(self, name) for name in NumberSettings.model_fields}
        to = unmask(self.to)
        if account.error is None:
            contents, problems = usable(contents)
            # `read_message` below names the problems of these arguments with all others.
            to, nobody = reachable(to, numbers_of(account.config, read_arguments(NumberSettings, given, [])))
            for what, lines in (("was changed to go out", done), ("goes out without", [*problems, *nobody])):
                if lines and not quietly:
                    self.log.warning("The alert %s: %s", what, "; ".join(lines))
        given |= {"scenario_key": self.scenario_key, "placeholders": False, **contents}
        return read_message(account, given, to=to, key="notification")

    def _content_name(self, plan: MessageSpec, account: Account, occasion: Occasion, instead: str) -> str:
        """Return the part of the alert's name that comes from its content."""
        from airflow_provider_omni.notifications.rendering import name_of_content, name_of_templates
        from airflow_provider_omni.omni.errors import OmniInputError
        from airflow_provider_omni.omni.validation import check_content

        if occasion.by_template:
            return name_of_templates({name: self._templates[name] for name in ("scenario_key", *CONTENT_ARGUMENTS)})
        named_by = self._said if self._named_by is None else self._named_by
        try:
            content = check_content(**named_by)
        except OmniInputError:
            content = self._plan(account, named_by, instead, quietly=True).content
        return name_of_content(plan, content)

    # -- rendering ---------------------------------------------------------------------------------------------------

    def _own_key(self, context: Context, env: jinja2.Environment) -> str | None:
        """Return the user's own key; None if there is none, or if it renders to nothing."""
        template = self._templates["idempotency_key"]
        if template is None:
            return None
        try:
            key = self.render_template(template, context, env)
        except Exception as error:  # noqa: BLE001  whatever a template does: the alert must go out
            self.log.warning(
                "idempotency_key cannot be rendered (%s): the alert has its usual name.", type(error).__name__
            )
            return None
        said = "" if key is None else str(key).strip()
        if said in ("", "None"):
            self.log.warning("idempotency_key renders to nothing: the alert has its usual name.")
            return None
        return key if isinstance(key, str) else said

    def _contents(self, context: Context, env: jinja2.Environment, *, quietly: bool = False) -> dict[str, Any]:
        from airflow_provider_omni.notifications.rendering import render_each

        def failed(where: str, error: Exception) -> None:
            if not quietly:
                self.log.warning("%s cannot be rendered (%s), and is left out.", where, type(error).__name__)

        def rendered(name: str) -> Any:
            return render_each(
                self._templates[name], name, lambda text: self.render_template(text, context, env), failed
            )

        return {name: _as_object(name, rendered(name)) for name in CONTENT_ARGUMENTS}

    def _report(self, end: SendResult) -> None:
        from airflow_provider_omni.hooks.metrics import recorder
        from airflow_provider_omni.omni.words import some

        if (metrics := recorder()) is not None:
            metrics.record(end.measured)
        counts = end.receipt.counts
        self.log.info("Notification: %d of %s accepted.", counts.accepted, some(counts.requested, "recipient"))
        if end.error is not None:
            raise end.error


send_omni_notification = OmniNotifier
"""The notifier under the second name that Airflow's own notifiers have as well."""


class _TwoClients:
    """Two clients: one for calls that must not be cut short, another for log queries, of which none is essential."""

    def __init__(self, client: Any, hasty: Any) -> None:
        self._client = client
        self._hasty = hasty

    def execute(self, call: Call[Any]) -> Any:
        """Execute the call with the client for it. An async client's coroutine is returned."""
        from airflow_provider_omni.omni.api import LOGS

        return (self._hasty if call.path == LOGS else self._client).execute(call)


def _hasty(config: OmniConfig) -> OmniConfig:
    connect, answer = LOOK_TIMEOUTS
    return replace(
        config, connect_timeout=min(config.connect_timeout, connect), read_timeout=min(config.read_timeout, answer)
    )


def _as_object(name: str, content: Any) -> Any:
    """Return the object that a text stands for in an argument of its own; other values unchanged."""
    return OWN_ARGUMENTS[name].of_text(content) if name in OWN_ARGUMENTS and isinstance(content, str) else content


def _with_templates(dag: Any) -> Any:
    """Return the DAG if it can make an environment for templates, else None. The DAG that `dag.test()` gives to a DAG's
    own callbacks cannot, and must not cost the alert.
    """
    return dag if hasattr(dag, "get_template_env") else None


def _setting_slips(max_sms_parts: Any, dedupe: Any) -> list[str]:
    from airflow_provider_omni.omni.masking import describe

    problems = []
    if type(max_sms_parts) is not int or not 1 <= max_sms_parts <= MOST_SMS_PARTS:
        problems.append(
            unexpected("max_sms_parts", describe(max_sms_parts, True), f"a whole number from 1 to {MOST_SMS_PARTS}")
        )
    if dedupe not in DEDUPE:
        problems.append(unexpected("dedupe", describe(dedupe, True), ", ".join(map(repr, DEDUPE))))
    return problems


def _seconds_until_lost() -> float:
    """Return the seconds without a heartbeat after which Airflow takes a worker for dead; 0 if they cannot be read."""
    from airflow.providers.common.compat.sdk import conf

    for name in ("task_instance_heartbeat_timeout", "scheduler_zombie_task_threshold"):  # the latter in Airflow 2
        with contextlib.suppress(Exception):  # whatever is wrong with the setting: then the logs are asked
            if (seconds := conf.get("scheduler", name, fallback=None)) is not None:
                return float(seconds)
    return 0.0
