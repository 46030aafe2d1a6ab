"""Operators that send to many people. Thin: `delivery/outbox/` decides who gets which message."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_omni.hooks.omni import DEFAULT_CONN_ID, OmniHook
from airflow_provider_omni.omni.channels import CONTENT_ARGUMENTS
from airflow_provider_omni.operators.failing import fail_without_retry
from airflow_provider_omni.operators.known_arguments import KnownArguments
from airflow_provider_omni.operators.masked_fields import MaskedFields, MaskedKey, MaskedUrl, TextField, unmask
from airflow_provider_omni.operators.recipients import RecipientsField, open_rows, recipients_slips
from airflow_provider_omni.operators.slips import batch_slips, encoding_slips, refuse_slips

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_omni.delivery.effects import Folder, Memory, Steps
    from airflow_provider_omni.delivery.ledger.shards import Shard
    from airflow_provider_omni.delivery.outbox.engine import Outbox
    from airflow_provider_omni.delivery.recipients.sources import Row
    from airflow_provider_omni.delivery.results.unreached import Unreached
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.omni.line import Line
    from airflow_provider_omni.omni.sms import Sms
    from airflow_provider_omni.operators.cancellation import CancellationToken
    from airflow_provider_omni.storage.send_reports import SendReports

T = TypeVar("T")


class BatchOperator(MaskedFields, KnownArguments, BaseOperator):
    """Base of the operators that send to many people. A subclass gives the rows.

    The arguments are described at `OmniSendBatchOperator`.
    """

    template_fields: Sequence[str] = (
        "scenario_key",
        *CONTENT_ARGUMENTS,
        "flow",
        "phone_field",
        "key_field",
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
        line: Mapping[str, Any] | Line | None = None,
        sms: Mapping[str, Any] | Sms | None = None,
        other_channels: Mapping[str, Mapping[str, Any]] | None = None,
        placeholders: bool = True,
        flow: Sequence[str] | XComArg | None = None,
        phone_field: str = "phone",
        key_field: str | None = None,
        ledger_path: Any = None,
        shard: str | None = None,
        chunk_size: int | None = None,
        max_connections: int | None = None,
        max_recipients: int | None = None,
        send_at: datetime | str | None = None,
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
        self.ledger_path = ledger_path
        self.shard = shard
        self.chunk_size = chunk_size
        self.max_connections = max_connections
        self.max_recipients = max_recipients
        self.send_at = send_at
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
        refuse_slips(self, [*batch_slips(self), *self.source_slips()])
        self._stop: CancellationToken | None = None

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

    def execute(self, context: Context) -> dict[str, Any]:
        """Send to everybody who was not sent to yet, and return the receipt."""
        from airflow_provider_omni.delivery.clock import steady_clock
        from airflow_provider_omni.delivery.messages.workspace import Workspace
        from airflow_provider_omni.delivery.outbox.engine import Outbox
        from airflow_provider_omni.delivery.outbox.plan import needed_fields, plan_batch
        from airflow_provider_omni.delivery.outbox.previous_receipt import previous_receipt
        from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
        from airflow_provider_omni.delivery.recipients.contents import RenderedContents
        from airflow_provider_omni.operators.account import Account
        from airflow_provider_omni.operators.arguments import (
            REFUSAL,
            BatchArguments,
            collecting,
            given_to,
            read_batch,
            read_policy,
            without_echoes,
        )
        from airflow_provider_omni.operators.cancellation import CancellationToken
        from airflow_provider_omni.operators.keys import refuse_within_another_task, refuse_without_a_task
        from airflow_provider_omni.operators.tries import told_of, trying
        from airflow_provider_omni.storage.send_reports import SendReports
        from airflow_provider_omni.storage.worker import worker_memory

        with fail_without_retry():
            refuse_without_a_task(context)
            refuse_within_another_task(self.task_id, context)
        reports = SendReports(context["ti"], self.log)
        self._stop = CancellationToken()
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
            account, now = Account.of(hook), datetime.now(UTC)
            config = account.config
            problems: list[str] = []  # with any of these, nobody knows what earlier tries have sent
            besides: list[str] = []
            contents, ledger, folder = None, None, None
            spec, told = read_batch(config, given_to(self, BatchArguments), problems, besides, key=self._key(context))
            policy = read_policy(
                config,
                told,
                this.tries,
                problems,
                retries=self.retries or 0,
                durable=memory.durable,
                has_ledger=self.ledger_path is not None,
            )
            with collecting(problems):
                ledger, folder = self._open_ledger(spec.shard)
            with collecting(besides):
                self.check_source()
            if spec.content.contents:  # else they could not be read
                with collecting(besides):
                    contents = RenderedContents(spec.content, workspace, now)
            if problems or account.error is not None:
                account.refuse(REFUSAL, without_echoes([*besides, *problems], self.emptied))
            besides = without_echoes(besides, self.emptied)
            terms = None if ledger is None else LedgerTerms(ledger, uuid.uuid4().hex)
            try:
                account.refuse(REFUSAL, besides)
                assert contents is not None
                with self.open_rows(needed_fields(spec, contents)) as rows:
                    plan = plan_batch(spec, rows, workspace, now, keep_fields=folder is not None, contents=contents)
            except Exception:
                if not self.post_nothing:
                    # The sends of an earlier try can be followed all the same.
                    steps = previous_receipt(spec, workspace, terms, account=config.account_mark)
                    self._run(steps, 1, config, memory, folder, reports)
                raise
            batch = Outbox(plan, policy, steady_clock(time.time, time.monotonic), ledger=terms)
            this.busy = True
            try:
                end = self._run(batch.run(), policy.connections, config, memory, folder, reports)
            except BaseException:
                # Airflow ends the task, perhaps for a time-out: requests that wait in a thread are not posted any more,
                # and everything paid for can be followed.
                self._stop.told = True
                self._publish_at_last(batch, reports)
                raise
            this.busy, this.writes = False, end.writes
            receipt = reports.receipt = end.receipt.to_json()
            self.log.info("%s", told_of(receipt["counts"], end.sent, dry_run=self.post_nothing))
            if end.error is not None:
                raise end.error
        return receipt

    def on_kill(self) -> None:
        """Post nothing more. Requests under way are still answered, if Airflow gives them the time."""
        if self._stop is not None:
            self._stop.told = True

    # -- from arguments to values ------------------------------------------------------------------------------------

    def _key(self, context: Context) -> Callable[[Shard | None], str]:
        """Return the function that names the send if the user has not."""
        from airflow_provider_omni.operators.keys import default_key, shared_key, warning_about_own_key

        own_key = unmask(self.idempotency_key)
        if own_key is not None and (warning := warning_about_own_key(context, own_key)):
            self.log.warning("%s", warning)
        return lambda shard: default_key(context) if shard is None else shared_key(context)

    def _open_ledger(self, shard: Shard | None) -> tuple[str | None, Folder | None]:
        """Return the ledger's path for the receipt, and its folder. A shard has a folder of its own."""
        from airflow_provider_omni.delivery.ledger.layout import DividedFolder
        from airflow_provider_omni.storage.object_storage import ledger_folder, text_of
        from airflow_provider_omni.storage.places import ledger_place

        if self.ledger_path is None:
            return None, None
        place = ledger_place(self.ledger_path)
        path = text_of(place)
        folder = ledger_folder(place)
        if shard is not None:
            return f"{path.rstrip('/')}/{shard.folder}", DividedFolder(folder, shard)
        # If the shard cannot be read, nobody knows how the batch is divided.
        return path, folder if self.shard is not None else DividedFolder(folder, None)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _run(
        self,
        steps: Steps[T],
        connections: int,
        config: OmniConfig,
        memory: Memory,
        folder: Folder | None,
        reports: SendReports,
    ) -> T:
        from airflow_provider_omni.delivery.drivers import run
        from airflow_provider_omni.omni.client import OmniClient
        from airflow_provider_omni.omni.rate_limits import logs_budget
        from airflow_provider_omni.operators.cancellation import CancellableClient

        assert self._stop is not None
        with OmniClient(replace(config, max_connections=connections), sleep=self._stop.sleep) as client:
            return run(
                steps,
                client=CancellableClient(client, self._stop),
                memory=memory,
                budget=logs_budget(config.account),
                publish=reports.publish,
                report=reports.report,
                log=cast("Any", self.log),
                sleep=self._stop.sleep,
                folder=folder,
                connections=connections,
            )

    def _publish_at_last(self, batch: Outbox, reports: SendReports) -> None:
        if self.post_nothing:
            return
        try:
            reports.publish(batch.receipt().to_json())
        except Exception as error:  # noqa: BLE001  the error that ends the task counts more
            self.log.warning("The receipt could not be pushed (%s).", type(error).__name__)


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
    :param send_at: as at `OmniSendMessageOperator`, without placeholders; so are `notify`, `notify_url`,
        `notify_content_type`, `callback_data` and `intermediate_report`.
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

    def check_source(self) -> None:
        """Raise OmniInputError for an encoding that does not exist."""
        from airflow_provider_omni.delivery.recipients.encodings import read_encoding

        read_encoding(self.encoding)

    def open_rows(self, needed: Sequence[str] = ()) -> AbstractContextManager[Iterable[Row]]:
        """Open `recipients` as rows."""
        return open_rows(self.recipients, self.phone_field, needed, self.log.warning, self.encoding)
