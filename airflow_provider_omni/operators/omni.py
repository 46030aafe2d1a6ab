"""Operators that make a scenario and send a message. Thin: `delivery/` decides if and what is posted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_omni.hooks.connection import DEFAULT_CONN_ID
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS
from airflow_provider_omni.operators.batch import BatchOperator, OmniSendBatchOperator
from airflow_provider_omni.operators.failing import fail_without_retry
from airflow_provider_omni.operators.keys import (
    default_key,
    refuse_within_another_task,
    refuse_without_a_task,
    warning_about_own_key,
)
from airflow_provider_omni.operators.known_arguments import KnownArguments, own_arguments
from airflow_provider_omni.operators.linked import LinkedToDelivery
from airflow_provider_omni.operators.masked_fields import (
    MaskedField,
    MaskedFields,
    MaskedKey,
    MaskedUrl,
    TextField,
    unmask,
)
from airflow_provider_omni.operators.slips import message_slips, refuse_slips, scenario_slips
from airflow_provider_omni.operators.waiting_send import WaitingSend

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_omni.omni.line import Line
    from airflow_provider_omni.omni.sms import Sms

__all__ = ["OmniCreateScenarioOperator", "OmniSendBatchOperator", "OmniSendMessageOperator"]


class OmniCreateScenarioOperator(KnownArguments, BaseOperator):
    """Makes sure that the account has a scenario: the channels to try, in their order.

    Returns `{"key": …, "name": …, "flow": [{"channel": …, "from": …}, …], "default": …}`, and pushes each member under
    its own name, too: `scenario.output` and `scenario.output["key"]` both serve as a `scenario_key`. The former brings
    the flow along, which saves a call.

    :param name: the scenario's name. The vendor accepts two scenarios of one name; this operator does not.
    :param flow: steps such as `{"channel": "LINE", "from": "InfoLine"}`, tried in this order. `from` is the sender;
        without it the account's own is used.
    :param default: make it the account's default, for sends that name no scenario. Default False.
    :param if_exists: `reuse` (default): a scenario of this name and flow is used; this name with another flow is an
        error. `update`: its flow is replaced, for everybody who sends with it. `create`: a new one each time, and one
        more with each retry.
    :param omni_conn_id: the connection. Default `omni_default`.
    """

    template_fields: Sequence[str] = ("name", "flow", "omni_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"flow": "json"}
    ui_color = "#e8f5ec"

    def __init__(
        self,
        *,
        name: str,
        flow: Sequence[Mapping[str, str]],
        default: bool = False,
        if_exists: str = "reuse",
        omni_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        # Without this, nobody would have pushed the XCom of `scenario.output["key"]`.
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.name = name
        self.flow = flow
        self.default = default
        self.if_exists = if_exists
        self.omni_conn_id = omni_conn_id
        refuse_slips(self, scenario_slips(name, flow, default, if_exists))

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Find the scenario, or make it, and return it."""
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.operators.arguments import read_new_scenario

        with fail_without_retry(), OmniHook(self.omni_conn_id) as hook:
            flow = read_new_scenario(Account.of(hook), self.name, self.flow, self.default, self.if_exists)
            scenario = hook.ensure_scenario(self.name, flow, self.default, self.if_exists)
        self.log.info("Scenario %r has the key %s.", scenario.name, scenario.key)
        return _scenario_to_json(scenario)


class OmniSendMessageOperator(LinkedToDelivery, MaskedFields, WaitingSend):
    """Sends one content to one or a few recipients, over the channels of a scenario, in one request.

    Returns a receipt: ids and counts, no number and no text. Give it to `OmniDeliverySensor`. It stands in XCom before
    the task fails for any reason, so that everything paid for can be followed.

    **Retries send nothing twice.** A retry, an overlapping try and a cleared task make the same message ids as the
    first try, look up what earlier tries have done, and send only what certainly was not sent. A new run, or another
    `idempotency_key`, sends anew.

    :param scenario_key: the key of the scenario, or the dict that `OmniCreateScenarioOperator` returned, which brings
        the flow along without another call.
    :param to: a number, a list of numbers, or destinations such as `{"to": {"phoneNumber": "41793026727"}}`. Numbers
        are international; `+` or `00` may stand before them. Renders masked.
    :param line: the LINE message, in the API's own field names: `{"type": "TEXT", "text": …}`, `IMAGE`, `AUDIO`,
        `VIDEO`, `STICKER` or `FLEX`, or a model of `airflow_provider_omni.contents`. Default: none.
    :param sms: the SMS, `{"text": …}`, or the model. Default: none. At least one channel needs content.
    :param other_channels: objects for other channels by the API's names (`viber`, `whatsApp`, …). Those
        without a model in `airflow_provider_omni.contents` are passed through.
    :param placeholders: True (default): a text is refused if it holds something that looks like a placeholder, such as
        `{name}`, `{ order.id }` or `{{ name }}`, because this operator fills in nothing. False: the braces are meant,
        and sent as they stand. No template.
    :param flow: the scenario's channels, such as `["LINE", "SMS"]`. Default: the scenario is read once.
    :param send_at: a time with its offset, less than 180 days ahead: the first step waits until then. Default: at once.
        It cannot be taken back.
    :param send_window: hours of the day in which messages go out, such as `("09:00", "20:00")`, at least 15 minutes. A
        message outside of them is posted at once, and Infobip is asked to send it when they begin. Default: at any
        time. No template, like the next.
    :param timezone: time zone of these hours, such as `Asia/Bangkok`. Needed with `send_window`.
    :param notify: False suppresses delivery reports; then a sensor has only the logs. Default: the account's setting.
    :param notify_url: URL that the vendor pushes reports to. Default: the account's setting.
    :param notify_content_type: `application/json` or `application/xml`, for pushed reports.
    :param callback_data: up to 4,000 characters that come back in reports; an empty text for none. Default: the ids of
        DAG, run and task as JSON, with phone numbers in them masked; none if `[omni] callback_data` is off.
    :param intermediate_report: also push reports that are not final. Default False.
    :param dry_run: check everything and post nothing; the receipt then says `"dry_run": true`. Default False. No
        template.
    :param region: country of numbers without a country code, as two letters such as `TH`; the 0 that is dialled before
        them may stand there or not. Default: the connection's `region`. Without either, each number must begin with its
        country code.
    :param allowed_countries: countries that may be sent to, such as `["TH", "SG"]`; numbers of other countries are left
        out and counted (`quarantined`). A country must be among the connection's `allowed_countries`, too. Default: the
        connection's, else all countries.
    :param number_check: `valid`: only numbers of a range that their country is known to use are sent to. `possible`:
        the right length is enough, for ranges newer than the library's tables. Default: the connection's, else `valid`.
    :param idempotency_key: names this send; one key and recipient get one message. Default: DAG id, run id, task id and
        map index, and in a task-group loop its index. Must not hold the try number or the time. The vendor's logs tell
        what another task or run has sent under a key of your own, so that is known for 48 hours.
    :param on_rejected: `fail` (default): the task fails if the vendor refused any recipient, after the receipt was
        pushed. `ignore`: it succeeds, and the receipt's counts tell.
    :param log_grace: seconds that the vendor's logs may be late, and seconds after which the vendor does not take in a
        request any more that we gave up on. Default 30. It matters only while nobody knows if a request arrived: then
        the request is sent again when the logs did not show it for this long, twice. Less is faster, and risks a second
        message if the vendor is slower than that.
    :param wait_for_delivery: True: the task waits, too. It ends when enough messages were delivered, fails if they
        cannot be, and returns the receipt with the sensor's summary as `delivery`. Default False: it ends when the
        messages are sent.
    :param deferrable: wait in the triggerer, without a worker. Default: `[operators] default_deferrable`.
    :param success_when: what is enough, as for `OmniDeliverySensor`. Default `all`.
    :param poke_interval: seconds between two polls of the wait. Default 30.
    :param timeout: seconds of the wait. Default: the channels' validity periods and an hour, if the receipt knows them
        all, else 47 hours.
    :param omni_conn_id: the connection. Default `omni_default`.
    """

    template_fields: Sequence[str] = (
        "scenario_key",
        "to",
        *CONTENT_ARGUMENTS,
        "flow",
        "send_at",
        "notify_url",
        "callback_data",
        "region",
        "idempotency_key",
        "omni_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(CONTENT_ARGUMENTS, "json")
    ui_color = "#e8f5ec"

    arguments_elsewhere: ClassVar[Mapping[str, str]] = {
        **WaitingSend.arguments_elsewhere,
        **dict.fromkeys(
            sorted(own_arguments(BatchOperator)),
            "only operators that send to many have it, such as OmniSendBatchOperator",
        ),
    }

    to = MaskedField()
    line = TextField()
    sms = TextField()
    other_channels = TextField()
    notify_url = TextField(MaskedUrl)
    callback_data = TextField()
    idempotency_key = TextField(MaskedKey)

    def __init__(
        self,
        *,
        scenario_key: str | Mapping[str, Any] | XComArg,
        to: Any,
        line: Mapping[str, Any] | Line | None = None,
        sms: Mapping[str, Any] | Sms | None = None,
        other_channels: Mapping[str, Mapping[str, Any]] | None = None,
        placeholders: bool = True,
        flow: Sequence[str] | XComArg | None = None,
        send_at: datetime | str | None = None,
        send_window: tuple[str, str] | None = None,
        timezone: str | None = None,
        notify: bool | None = None,
        notify_url: str | None = None,
        notify_content_type: str | None = None,
        callback_data: str | None = None,
        intermediate_report: bool | None = None,
        dry_run: bool = False,
        region: str | None = None,
        allowed_countries: Sequence[str] | None = None,
        number_check: str | None = None,
        idempotency_key: str | None = None,
        on_rejected: str = "fail",
        log_grace: float = 30.0,
        omni_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scenario_key = scenario_key
        self.to = to
        self.line = line
        self.sms = sms
        self.other_channels = other_channels
        self.placeholders = placeholders
        self.flow = flow
        self.send_at = send_at
        self.send_window = send_window
        self.timezone = timezone
        self.notify = notify
        self.notify_url = notify_url
        self.notify_content_type = notify_content_type
        self.callback_data = callback_data
        self.intermediate_report = intermediate_report
        self.post_nothing = dry_run  # `dry_run` is a method of Airflow's operators
        self.region = region
        self.allowed_countries = allowed_countries
        self.number_check = number_check
        self.idempotency_key = idempotency_key
        self.on_rejected = on_rejected
        self.log_grace = log_grace
        self.omni_conn_id = omni_conn_id
        refuse_slips(self, [*message_slips(self), *self.wait_slips()])

    def bring_contents(self, context: Context) -> None:
        """Set arguments that a subclass knows only when the task runs. Each try calls it once, before they are read."""

    def send(self, context: Context) -> dict[str, Any]:
        """Send what is not yet sent, and return the receipt."""
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.drivers import run
        from airflow_provider_omni.delivery.outbox.message import send_message
        from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
        from airflow_provider_omni.hooks.metrics import recorder
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.operators.arguments import SendArguments, given_to, read_message
        from airflow_provider_omni.operators.callback_data import callback_data_of_task
        from airflow_provider_omni.operators.tries import finish, trying
        from airflow_provider_omni.storage.send_reports import SendReports
        from airflow_provider_omni.storage.worker import worker_memory

        with fail_without_retry():
            refuse_without_a_task(context)
            refuse_within_another_task(self.task_id, context)
        own_key = unmask(self.idempotency_key)
        if own_key is not None and (warning := warning_about_own_key(context, own_key)):
            self.log.warning("%s", warning)
        self._reports = reports = SendReports(context["ti"], self.log)
        memory = worker_memory(context)
        with (
            fail_without_retry(),
            reports,
            trying(context, memory, self.log) as this,
            OmniHook(self.omni_conn_id) as hook,
        ):
            account = Account.of(hook)
            self.bring_contents(context)
            order = read_message(
                account,
                given_to(self, SendArguments),
                to=unmask(self.to),
                key=default_key(context),
                emptied=self.emptied,
                may_be_nobody=True,
                callback_data=callback_data_of_task(context),
            )
            if order.window is not None:
                self.log.info("%s", order.window.told(time.time()))
            config = account.config
            policy = SendPolicy.of_one_request(
                LookPolicy(read_timeout=config.longest_call, grace=self.log_grace),
                trust_duplicate_rejection=config.trust_duplicate_rejection,
                on_rejected=self.on_rejected,
                record_complete=this.tries.record_complete,
                record_writes=this.tries.writes,
                # If no earlier try has a record, all of them have made the ids of the first attempt.
                unaccounted=this.tries.unaccounted if memory.durable else min(this.tries.unaccounted, 1),
                account=config.account_mark,
                # With a key of the user's own, another task or run may have sent before.
                shared_key=own_key is not None,
                first_try_at=this.tries.not_before,
                dry_run=self.post_nothing,
            )
            this.busy = True
            end = run(
                send_message(order, policy, steady_clock(time.time, time.monotonic)),
                client=hook.get_conn(),
                memory=memory,
                budget=logs_budget(config.account),
                publish=reports.publish,
                report=reports.report,
                log=cast("Any", self.log),
                sleep=time.sleep,
                metrics=recorder(),
            )
            return finish(end, this, reports, self.log, dry_run=self.post_nothing)


def _scenario_to_json(scenario: Any) -> dict[str, Any]:
    steps = [{"channel": step.channel} | ({"from": step.from_} if step.from_ else {}) for step in scenario.flow]
    return {"key": scenario.key, "name": scenario.name, "flow": steps, "default": bool(scenario.default)}
