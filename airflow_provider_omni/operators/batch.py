"""Operators that send to many people. Thin: `delivery/outbox/` decides who gets which message."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_omni.delivery.results.unreached import Unreached
from airflow_provider_omni.hooks.connection import DEFAULT_CONN_ID
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS
from airflow_provider_omni.operators.failing import fail_without_retry
from airflow_provider_omni.operators.linked import LinkedToDelivery
from airflow_provider_omni.operators.masked_fields import MaskedFields, MaskedKey, MaskedUrl, TextField, unmask
from airflow_provider_omni.operators.recipients import RecipientsField, open_rows, recipients_slips
from airflow_provider_omni.operators.slips import batch_slips, encoding_slips, refuse_slips, suppress_slips
from airflow_provider_omni.operators.suppression import SuppressField, is_query, open_list, suppress_problems
from airflow_provider_omni.operators.waiting_send import WaitingSend

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_omni.delivery.ledger.shards import Shard
    from airflow_provider_omni.delivery.messages.workspace import Workspace
    from airflow_provider_omni.delivery.outbox.engine import Outbox
    from airflow_provider_omni.delivery.outbox.plan import BatchSpec, SendPlan
    from airflow_provider_omni.delivery.recipients.sources import Row
    from airflow_provider_omni.delivery.recipients.suppression import Suppression
    from airflow_provider_omni.omni.line import Line
    from airflow_provider_omni.omni.sms import Sms
    from airflow_provider_omni.operators.account import Account
    from airflow_provider_omni.operators.batch_order import BatchOrder
    from airflow_provider_omni.operators.batch_run import BatchRun
    from airflow_provider_omni.operators.cancellation import CancellationToken
    from airflow_provider_omni.operators.lineage import Lineage


class BatchOperator(LinkedToDelivery, MaskedFields, WaitingSend):
    """Base of the operators that send to many people. A subclass gives the rows.

    The arguments are described at `OmniSendBatchOperator`.
    """

    template_fields: Sequence[str] = (
        "scenario_key",
        *CONTENT_ARGUMENTS,
        "flow",
        "phone_field",
        "key_field",
        "suppress",
        "max_cost",
        "prices",
        "ledger_path",
        "shard",
        "send_at",
        "notify_url",
        "callback_data",
        "region",
        "idempotency_key",
        "omni_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(CONTENT_ARGUMENTS, "json")
    ui_color = "#e8f5ec"

    suppress_queries: ClassVar[bool] = False
    """True if `suppress` may be a query."""

    line = TextField()
    sms = TextField()
    other_channels = TextField()
    suppress = SuppressField()
    notify_url = TextField(MaskedUrl)
    callback_data = TextField()
    idempotency_key = TextField(MaskedKey)

    def __init__(
        self,
        *,
        scenario_key: str | Mapping[str, Any] | XComArg,
        line: Mapping[str, Any] | Line | None = None,
        sms: Mapping[str, Any] | Sms | None = None,
        other_channels: Mapping[str, Mapping[str, Any]] | None = None,
        placeholders: bool = True,
        flow: Sequence[str] | XComArg | None = None,
        phone_field: str = "phone",
        key_field: str | None = None,
        suppress: Any = None,
        ledger_path: Any = None,
        shard: str | None = None,
        chunk_size: int | None = None,
        max_connections: int | None = None,
        max_recipients: int | None = None,
        max_cost: Mapping[str, Any] | str | None = None,
        prices: Mapping[str, Any] | str | None = None,
        send_at: datetime | str | None = None,
        send_window: tuple[str, str] | None = None,
        timezone: str | None = None,
        timezone_field: str | None = None,
        notify: bool | None = None,
        notify_url: str | None = None,
        notify_content_type: str | None = None,
        callback_data: str | None = None,
        intermediate_report: bool | None = None,
        dry_run: bool = False,
        region: str | None = None,
        allowed_countries: Sequence[str] | None = None,
        number_check: str | None = None,
        max_quarantined: float = 0.1,
        idempotency_key: str | None = None,
        on_rejected: str | float = "fail",
        log_grace: float = 30.0,
        omni_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scenario_key = scenario_key
        self.line = line
        self.sms = sms
        self.other_channels = other_channels
        self.placeholders = placeholders
        self.flow = flow
        self.phone_field = phone_field
        self.key_field = key_field
        self.suppress = suppress
        self.ledger_path = ledger_path
        self.shard = shard
        self.chunk_size = chunk_size
        self.max_connections = max_connections
        self.max_recipients = max_recipients
        self.max_cost = max_cost
        self.prices = prices
        self.send_at = send_at
        self.send_window = send_window
        self.timezone = timezone
        self.timezone_field = timezone_field
        self.notify = notify
        self.notify_url = notify_url
        self.notify_content_type = notify_content_type
        self.callback_data = callback_data
        self.intermediate_report = intermediate_report
        self.post_nothing = dry_run  # `dry_run` is a method of Airflow's operators
        self.region = region
        self.allowed_countries = allowed_countries
        self.number_check = number_check
        self.max_quarantined = max_quarantined
        self.idempotency_key = idempotency_key
        self.on_rejected = on_rejected
        self.log_grace = log_grace
        self.omni_conn_id = omni_conn_id
        of_list = suppress_slips(suppress, queries=self.suppress_queries)
        refuse_slips(self, [*batch_slips(self), *of_list, *self.wait_slips(), *self.source_slips()])
        self._cancellation: CancellationToken | None = None

    def source_slips(self) -> list[str]:
        """Return the mistakes in a subclass's own arguments that show when a DAG is read. It sets them before it calls
        the constructor of this class, so that all mistakes are told at once.
        """
        return []

    def check_source(self) -> None:
        """Raise OmniInputError for a subclass's own arguments that are wrong, without opening the source."""

    def open_rows(self, needed: Sequence[str] = ()) -> AbstractContextManager[Iterable[Row]]:
        """Open the source of recipients while it is read.

        :param needed: fields that rows must have. A source with a header can check them at once.
        """
        raise NotImplementedError

    def suppress_problems(self) -> list[str]:
        """Return the problems with a suppression list that is rendered, without opening it."""
        return suppress_problems(unmask(self.suppress), queries=self.suppress_queries)

    def open_suppressed(self) -> AbstractContextManager[Iterable[Row]]:
        """Open the suppression list while it is read."""
        return open_list(unmask(self.suppress), self.phone_field)

    def send(self, context: Context) -> dict[str, Any]:
        """Send to everybody who was not sent to yet, and return the receipt."""
        from airflow_provider_omni.delivery.messages.workspace import Workspace
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.operators.batch_order import read_order
        from airflow_provider_omni.operators.batch_run import BatchRun
        from airflow_provider_omni.operators.callback_data import callback_data_of_task
        from airflow_provider_omni.operators.cancellation import CancellationToken
        from airflow_provider_omni.operators.keys import refuse_within_another_task, refuse_without_a_task
        from airflow_provider_omni.operators.tries import finish, trying
        from airflow_provider_omni.storage.send_reports import SendReports
        from airflow_provider_omni.storage.worker import worker_memory

        with fail_without_retry():
            refuse_without_a_task(context)
            refuse_within_another_task(self.task_id, context)
        self._reports = reports = SendReports(context["ti"], self.log)
        self._cancellation = CancellationToken()
        memory = worker_memory(context)
        # A ledger knows all shards, and refuses another division.
        divided = self.shard is not None and self.ledger_path is None
        with (
            fail_without_retry(),
            reports,
            trying(context, memory, self.log, divided=divided) as this,
            OmniHook(self.omni_conn_id) as hook,
            Workspace() as workspace,
        ):
            account, key = Account.of(hook), self._key(context)
            order = read_order(
                self,
                account,
                this.tries,
                workspace,
                key=key,
                durable=memory.durable,
                callback_data=callback_data_of_task(context),
            )
            if order.spec.window is not None:
                own_zones = order.spec.zone_field is not None
                self.log.info("%s", order.spec.window.told(time.time(), own_zones=own_zones))
            run = BatchRun(account.config, memory, order.folder, reports, self._cancellation, self.log)
            outbox = self._outbox(order, account, workspace, run)
            this.busy = True
            return finish(run.send(outbox), this, reports, self.log, dry_run=self.post_nothing)

    def on_kill(self) -> None:
        """Post nothing more. Requests under way are still answered, if Airflow gives them the time."""
        if self._cancellation is not None:
            self._cancellation.cancel()

    def lineage(self) -> Lineage:
        """Return what is known of the batch: the suppression file, the ledger, the receipt."""
        known, suppress = super().lineage(), unmask(self.suppress)
        return replace(
            known,
            files=() if suppress is None or is_query(suppress) else (suppress,),
            ledgers_written=known.ledgers_written
            or (() if self.ledger_path is None or self.post_nothing else (self.ledger_path,)),
        )

    # -- from arguments to values ------------------------------------------------------------------------------------

    def _key(self, context: Context) -> Callable[[Shard | None], str]:
        """Return the function that names the send if the user has not."""
        from airflow_provider_omni.operators.keys import default_key, shared_key, warning_about_own_key

        own_key = unmask(self.idempotency_key)
        if own_key is not None and (warning := warning_about_own_key(context, own_key)):
            self.log.warning("%s", warning)
        return lambda shard: default_key(context) if shard is None else shared_key(context)

    def _outbox(self, order: BatchOrder, account: Account, workspace: Workspace, run: BatchRun) -> Outbox:
        """Read the source, and return the send. If that fails, what earlier tries have sent can be followed all the
        same.
        """
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.outbox.engine import Outbox
        from airflow_provider_omni.delivery.outbox.previous_receipt import previous_receipt

        try:
            plan = self._plan(order, account, workspace)
        except Exception:
            if not self.post_nothing:
                run.carry_out(
                    previous_receipt(order.spec, workspace, order.ledger, account=account.config.account_mark)
                )
            raise
        return Outbox(plan, order.policy, steady_clock(time.time, time.monotonic), ledger=order.ledger)

    def _plan(self, order: BatchOrder, account: Account, workspace: Workspace) -> SendPlan:
        from airflow_provider_omni.delivery.outbox.plan import needed_fields, plan_batch
        from airflow_provider_omni.operators.arguments import REFUSAL

        spec, contents = order.spec, order.contents
        account.refuse(REFUSAL, order.mistakes)
        assert contents is not None
        suppression = self._read_suppression(spec, workspace)
        with self.open_rows(needed_fields(spec, contents)) as rows:
            return plan_batch(
                spec,
                rows,
                workspace,
                order.now,
                keep_fields=order.folder is not None,
                contents=contents,
                suppression=suppression,
            )

    def _read_suppression(self, spec: BatchSpec, workspace: Workspace) -> Suppression | None:
        """Read the whole suppression list, before anybody of the source is looked at."""
        if self.suppress is None:
            return None
        from airflow_provider_omni.delivery.recipients.suppression import read_suppression, reading_the_list
        from airflow_provider_omni.omni.words import some

        with reading_the_list(), self.open_suppressed() as entries:
            found = read_suppression(entries, workspace, spec.numbers)
        tell = self.log.info if found.numbers or found.hashes else self.log.warning
        listed = f"{some(found.numbers, 'number')} and {some(found.hashes, 'hash', 'hashes')}"
        tell("Suppression list: %s.", listed)
        return found


class OmniSendBatchOperator(BatchOperator):
    """Sends to many people over several connections, each once, and returns a receipt: ids and counts, no number, no
    text. Give the receipt to `OmniDeliverySensor`.

    Recipients with equal texts share requests. `{name}` in texts is filled from each recipient's row. A row that cannot
    be used is left out and counted (`quarantined`); so is a row that comes twice (`duplicates`).

    **Retries send nothing twice**, even if the source has changed meanwhile: a retry, an overlapping try and a cleared
    task make the same message ids as the first try, read the record of earlier tries, ask the vendor's logs about what
    is unknown, and send only what certainly was not sent. A new run, or another `idempotency_key`, sends anew.

    :param scenario_key: the key of the scenario, or the dict that `OmniCreateScenarioOperator` returned.
    :param recipients: numbers, or dicts (rows) with a number in `phone_field`, in a list or another iterable, also from
        XCom; or the path or URL of a file, a template: `.csv` with a header, `.jsonl`, both also with `.gz`, or
        `.parquet`; or `unreached(…)` of another batch's ledger. Renders as a path or a count.
    :param encoding: encoding of a file, by Python's name: `cp874` (Thai), `cp932` (Japanese), `cp949` (Korean), `cp950`
        (Taiwan), `utf-16-le`. Default: UTF-8. A file in another encoding is refused as a whole.
    :param line: the LINE message in the API's own field names, with `{field}` placeholders: names of a row's fields.
    :param sms: the SMS in the API's own field names, with placeholders.
    :param other_channels: objects for other channels by the API's names, with placeholders.
    :param placeholders: True (default): `{field}` in texts is filled from each row, `{{` and `}}` are braces. False:
        every brace stands for itself, and nothing is filled in. No template.
    :param flow: the scenario's channels, such as `["LINE", "SMS"]`. Default: the scenario is read once.
    :param phone_field: the field with the phone number. Default `phone`.
    :param key_field: another field that tells people apart, such as a customer's id. Then outcomes are listed under it,
        and two rows with one number and different keys are two messages. Text, a whole number, a decimal, a date or a
        UUID. Default: the number tells people apart, however it is written.
    :param suppress: a file of people who must not be sent to, as path or URL, a template: `.csv`, `.jsonl`, `.parquet`,
        or `.txt` with an entry a line, the text ones also with `.gz`. An entry is a phone number, or the SHA-256 of
        one. They are left out and counted (`suppressed`). The whole list is read before anything is sent; one that
        cannot be read refuses the send. Default: nobody.
    :param ledger_path: an absolute path or a URL such as `s3://aws_default@bucket/ledgers/{{ run_id }}`: a folder for
        this run's ledger, which holds what was sent, each outcome, and the recipients. A template. Each run, and each
        mapped task without `shard`, needs a ledger of its own; so does each iteration of a loop (`{{ loop.index }}`).
        Needed for more than 100 requests, for a key of your own, and on Airflow before 3.3 with retries.
    :param shard: a share such as `3/16`: this task sends to that part of the recipients. All 16 tasks read the same
        source; each recipient lands in one of them.
    :param chunk_size: recipients in one request. Default, and the most: 999 divided by the flow's steps.
    :param max_connections: requests under way at the same time. Default: the connection's `max_connections`.
    :param max_recipients: more people than this are refused before anything is sent; with `shard`, more than this in
        all shards together. Default: no limit.
    :param max_cost: the most that the batch may cost, such as `{"EUR": 50}`; with `shard`, this part of it. Needs
        `prices`. A batch that could cost more is refused before anything is sent; so is a later try, by what reports
        have told since. Default: no limit.
    :param prices: prices by channel, such as `{"LINE": 0.01, "SMS": {"49": 0.08, "": 0.1}}`: for everybody, or by the
        first digits of international numbers, of which the longest count; `""` is for all others. An SMS costs that for
        each of its parts. All in the currency of `max_cost`. A price that is missing for somebody refuses the batch.
    :param send_at: as at `OmniSendMessageOperator`, without placeholders; so are `notify`, `notify_url`,
        `notify_content_type`, `callback_data` and `intermediate_report`.
    :param send_window: hours of the day in which messages go out, such as `("09:00", "20:00")`, at least 15 minutes. A
        message outside of them is posted at once, and Infobip is asked to send it when they begin. Default: at any
        time. No template, like the next two.
    :param timezone: time zone of these hours, such as `Asia/Bangkok`. Needed with `send_window`.
    :param timezone_field: the field with each recipient's own time zone. One that is empty means `timezone`; a row with
        what is no time zone is left out and counted (`quarantined`). Default: none.
    :param region: country of numbers without a country code, as two letters such as `TH`; the 0 that is dialled before
        them may stand there or not. Default: the connection's `region`. Without either, each number must begin with its
        country code.
    :param allowed_countries: countries that may be sent to, such as `["TH", "SG"]`; numbers of other countries are left
        out and counted (`quarantined`). A country must be among the connection's `allowed_countries`, too. Default: the
        connection's, else all countries.
    :param number_check: `valid`: only numbers of a range that their country is known to use are sent to. `possible`:
        the right length is enough, for ranges newer than the library's tables. Default: the connection's, else `valid`.
    :param max_quarantined: rows that cannot be used and are left out before the whole batch is refused, before anything
        is sent: a count, or a share of the rows such as 0.02. Default 0.1: a column that was read wrongly is an error.
        Duplicates, and people left out by `allowed_recipients` or `allowed_countries`, do not count. With `shard`, the
        share is of the rows of this part.
    :param dry_run: everything but the POSTs; the receipt says how many requests, recipients and SMS parts it would be.
        True or False: it is no template. Default False.
    :param idempotency_key: names this send. Default: DAG id, run id, task id and map index; for a shard no map index;
        in a task-group loop its index, too.
    :param on_rejected: `fail` (default): the task fails if the vendor refused anybody, after the receipt was pushed.
        `ignore`: it succeeds. A ratio such as 0.02: it fails above that share.
    :param log_grace: seconds that the vendor's logs may be late. Default 30.
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

    template_fields: Sequence[str] = ("recipients", *BatchOperator.template_fields)

    recipients = RecipientsField()

    def __init__(
        self, *, recipients: Iterable[Any] | str | XComArg | Unreached, encoding: str | None = None, **kwargs: Any
    ) -> None:
        self.recipients = recipients
        self.encoding = encoding
        super().__init__(**kwargs)

    def source_slips(self) -> list[str]:
        """Return the mistakes in recipients that need no rendering, and in the name of their encoding."""
        return [*recipients_slips(unmask(self.recipients)), *encoding_slips(self.encoding)]

    def lineage(self) -> Lineage:
        """Return what is known of the batch, and the file or the ledger that its recipients are from."""
        known, source = super().lineage(), self.recipients
        if isinstance(source, Unreached):
            return replace(known, ledgers_read=(source.ledger_path,))
        is_file = isinstance(source, str | os.PathLike) or hasattr(source, "fs")
        return replace(known, files=(source, *known.files)) if is_file else known

    def check_source(self) -> None:
        """Raise OmniInputError for an encoding that does not exist."""
        from airflow_provider_omni.delivery.recipients.encodings import read_encoding

        read_encoding(self.encoding)

    def open_rows(self, needed: Sequence[str] = ()) -> AbstractContextManager[Iterable[Row]]:
        """Open `recipients` as rows."""
        return open_rows(self.recipients, self.phone_field, needed, self.log.warning, self.encoding)
