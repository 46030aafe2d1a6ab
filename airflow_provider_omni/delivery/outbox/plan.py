"""The plan of a batch: all that is known before the first POST. Bad input is refused here, before anything is sent.

The whole source is read into the workspace first. So the numbers of people, duplicates, quarantined rows, requests and
SMS parts are known, and guards such as `max_recipients` hold, before anything is sent.
"""

# Every piece of SQL that is put together here is a constant of this room; values are always bound.
# ruff: noqa: S608
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.ids import Identity, fingerprint
from airflow_provider_omni.delivery.messages.workspace import PERSON, RecipientChunk, Workspace
from airflow_provider_omni.delivery.outbox.budget import Budget
from airflow_provider_omni.delivery.outbox.requests import Request
from airflow_provider_omni.delivery.outbox.send_window import SPACING, SPREAD, SendWindow
from airflow_provider_omni.delivery.recipients.addresses import Recipient, Recipients
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate, RenderedContents, store_content
from airflow_provider_omni.delivery.recipients.intake import (
    LEFT_OUT,
    NOT_LET_THROUGH,
    IntakeCounts,
    IntakeOptions,
    ingest,
)
from airflow_provider_omni.delivery.recipients.numbers import ANYWHERE, NumberRules, normalise
from airflow_provider_omni.delivery.recipients.sources import Row
from airflow_provider_omni.delivery.recipients.suppression import SUPPRESSED, Suppression
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.options import Options
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some

MAX_LOG_ROWS = 999
"""Log rows that one log query may bring while its page is surely not full."""
UNKNOWN_FLOW_STEPS = 10
"""Steps assumed for a flow that could not be read: the API knows ten channels."""
MAX_REQUESTS_WITHOUT_LEDGER = 100
MAX_QUARANTINED = 0.1
"""The share of rows that may be left out. A higher share is no accident: a column was read wrongly."""
RECIPIENTS_AT_ONCE = 4000
"""People that are read from the workspace at once."""
READ_AT_ONCE = 8
"""Requests that are read from the workspace at once, with up to a thousand people each."""
SYSTEMATIC = 20
"""Rows of a shard that cannot all be bad by chance. With fewer rows, they can."""
REASONS_SHOWN = 20
"""Reasons of quarantined rows that are named in a log or an error."""
_AS_ALLOWED = NumberRules(check="possible")
"""The rules for the list of allowed numbers. A listed number that is not valid is judged when a recipient has it."""
EXAMPLES = 5
"""Quarantined rows that are named in a log or an error."""


def chunk_limit(flow: Sequence[str] | None) -> int:
    """Return the number of messages that one request may hold, so that all their log rows fit on a page that is not
    full.
    """
    return MAX_LOG_ROWS // max(len(flow) if flow else UNKNOWN_FLOW_STEPS, 1)


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """The order for one content to a few recipients, in one request.

    :param identity: key and secret of the send.
    :param content: as it goes out: braces in it stand for themselves.
    :param flow: the scenario's channels. None: the scenario is read before the POST.
    :param callback_data: text for requests whose options have none; no part of the fingerprint. None: no text.
    :param window: the hours in which it may go out. None: at any time.
    """

    identity: Identity
    scenario_key: str
    content: Content = field(repr=False)
    recipients: Recipients
    flow: tuple[str, ...] | None = None
    callback_data: str | None = field(default=None, repr=False)
    window: SendWindow | None = None


@dataclass(frozen=True)
class BatchSpec:
    """The order for a batch, as the user typed it.

    :param identity: key and secret of the send. All shards of a batch have one key.
    :param content: with placeholders.
    :param flow: the scenario's channels. None: the scenario is read before the first POST.
    :param phone_field: the field with the phone number.
    :param key_field: another field, which tells people apart. None: the number does.
    :param chunk_size: messages in one request. None, and the highest value: as many as one log query surely shows (999
        divided by the flow's steps).
    :param max_recipients: a batch with more people is refused before anything is sent. A shard, too, counts the people
        of the whole source. None: no limit.
    :param shard: the share of the recipients that is sent to. None: all.
    :param allowed_recipients: international numbers. Everybody else is quarantined. None: everybody is allowed.
    :param numbers: how numbers are read, and the countries that may be sent to.
    :param max_quarantined: a batch with more unusable rows is refused before anything is sent. A count, or a share of
        the rows.
    :param budget: the most that the send may cost, with the prices to estimate it by. None: no limit.
    :param one_request: True if all people are sent to in one request; more than it can hold are refused.
    :param callback_data: text for requests whose options have none; no part of the fingerprint. None: no text.
    :param window: the hours in which messages may go out. None: at any time.
    :param zone_field: the field with the recipient's time zone, by which these hours are meant.
    """

    identity: Identity
    scenario_key: str
    content: MessageTemplate = field(repr=False)
    flow: tuple[str, ...] | None = None
    phone_field: str = "phone"
    key_field: str | None = None
    chunk_size: int | None = None
    max_recipients: int | None = None
    shard: Shard | None = None
    allowed_recipients: frozenset[str] | None = field(default=None, repr=False)
    numbers: NumberRules = ANYWHERE
    max_quarantined: float = MAX_QUARANTINED
    budget: Budget | None = None
    one_request: bool = False
    callback_data: str | None = field(default=None, repr=False)
    window: SendWindow | None = None
    zone_field: str | None = None

    def chunk_problems(self, flow: tuple[str, ...] | None) -> list[str]:
        """Return the problems of `chunk_size` with a flow; none while the flow is not known."""
        size = self.chunk_size
        if flow is None or type(size) is not int or size <= chunk_limit(flow):
            return []
        return [
            unexpected(
                "chunk_size",
                size,
                f"up to {chunk_limit(flow)} for a flow of {some(len(flow), 'step')}: the log rows of one "
                "request must fit on one page",
            )
        ]

    def chunk(self, flow: tuple[str, ...] | None) -> int:
        """Return the number of messages in one request."""
        limit = chunk_limit(flow)
        return limit if self.chunk_size is None else min(self.chunk_size, limit)


class SendPlan:
    """The people of a send in its workspace, and the counts of its rows. Made by `plan_batch` or `plan_message`.

    :param options: of all requests.
    :param only: the number of everybody's content, if all have the same.
    :param fields: the fields that texts need.
    :param suppression: the list of those who must not be sent to; None if there is none.
    """

    def __init__(
        self,
        spec: BatchSpec,
        intake: IntakeCounts,
        workspace: Workspace,
        *,
        options: Options,
        only: int | None,
        fields: tuple[str, ...] = (),
        suppression: Suppression | None = None,
    ) -> None:
        self.spec = spec
        self.suppression = suppression
        self.intake = intake
        self.workspace = workspace
        self.ids = spec.identity
        self.options = options
        self.fields = fields
        self._only = only
        self._tail: tuple[int, str, str | None] = (0, "", None)
        self._zones: tuple[str | None, ...] | None = None
        self._waiting = 0
        self._spacing = SPACING

    def scheduled_at(self, content: int, now: float) -> float | None:
        """Return the time at which the vendor is asked to send a content; None for at once. In seconds since the epoch.

        :param content: the content's number.
        :param now: the time at which it is posted.
        """
        if self.spec.window is None:
            return self._send_at
        opening = self.spec.window.opening(now, self._content(content)[1])
        if opening is None:
            return None
        self._waiting += 1
        return round(opening + self._waiting * self._spacing % SPREAD, 3)

    def spread_over(self, requests: int) -> None:
        """Spread requests that wait for the hours to begin.

        :param requests: the number of requests of this try.
        """
        self._spacing = min(SPREAD / max(requests, 1), SPACING)

    def latest_schedule(self, now: float) -> float | None:
        """Return the latest time that the vendor is asked to send anything at; None if all goes out at once."""
        window = self.spec.window
        return self._send_at if window is None else window.latest(now, self._all_zones())

    def latest_schedule_of_others(self, now: float) -> float | None:
        """Return the same for what other tries may have posted, whose clocks may be others."""
        window = self.spec.window
        return self._send_at if window is None else window.latest_of_others(now, self._all_zones())

    @property
    def _send_at(self) -> float | None:
        return self.options.send_at.timestamp() if self.options.send_at else None

    def _all_zones(self) -> tuple[str | None, ...]:
        if self._zones is None:
            self._zones = tuple(row[0] for row in self.workspace.all("SELECT DISTINCT zone FROM content"))
        return self._zones

    @property
    def fingerprint(self) -> str:
        """A hash that tells "same key, other content" apart: of scenario, contents with their placeholders, and
        options.

        Recipients are not in it. The field that tells them apart is: with another `key_field` everybody has another id.
        """
        return fingerprint(
            {"scenarioKey": self.spec.scenario_key, "options": self.options.to_wire()}
            | ({} if self.spec.key_field is None else {"keyField": self.spec.key_field})
            | ({} if self.spec.content.placeholders else {"placeholders": False})
            # A ledger and the record of a batch belong to one key and secret. That of a single send takes any key, but
            # not another secret: everybody would have a new id, and get the message twice.
            | ({"namespace": str(self.spec.identity.namespace)} if self.spec.one_request else {})
            | self.spec.content.typed()
        )

    def about(self) -> dict[str, Any]:
        """Return what a ledger says of a try: hashes and names of fields, no recipient and no text."""
        return {
            "send": self.ids.send_id(self.spec.shard.folder if self.spec.shard else ""),
            "fingerprint": self.fingerprint,
            "scenario_key": self.spec.scenario_key,
            "phone_field": self.spec.phone_field,
            "key_field": self.spec.key_field,
        }

    def left(self) -> int:
        """Return the number of people whom this try may post to."""
        return int(self.workspace.scalar("SELECT count(*) FROM person WHERE todo = 1"))

    def requests(self, chunk: int) -> int:
        """Return the number of requests for the people who are left.

        :param chunk: messages in one request.
        """
        if self._only is not None:
            return -(-self.left() // chunk)
        return int(
            self.workspace.scalar(
                "SELECT coalesce(sum((n + ? - 1) / ?), 0) FROM "
                "(SELECT count(*) AS n FROM person WHERE todo = 1 GROUP BY content)",
                chunk,
                chunk,
            )
        )

    def sms_parts(self) -> int:
        """Return the number of SMS parts if everybody who is left were sent the SMS: an upper estimate of the cost."""
        if self._only is not None:
            return self.left() * int(self.workspace.scalar("SELECT parts FROM content WHERE id = ?", self._only))
        return int(
            self.workspace.scalar(
                "SELECT coalesce(sum(n * content.parts), 0) FROM "
                "(SELECT content, count(*) AS n FROM person WHERE todo = 1 GROUP BY content) AS each "
                "JOIN content ON content.id = each.content"
            )
        )

    def chunks(self, size: int) -> Iterator[tuple[int, RecipientChunk]]:
        """Yield the people who are left, by content, in the order of the source: a content's number and its next
        people.

        They are read as they are asked for. A mark that changes meanwhile counts for the people who are read later.

        :param size: people in a chunk.
        """
        if self._only is not None:
            yield from ((self._only, people) for people in self._in_order(size))
            return
        self.workspace.execute("CREATE INDEX IF NOT EXISTS person_content ON person (content)")
        after: tuple[int, int] = (-1, -1)
        page: list[Any] = []
        while True:
            if len(page) < size:
                fresh = self.workspace.all(
                    f"SELECT {PERSON}, content FROM person INDEXED BY person_content "
                    "WHERE (content, seq) > (?, ?) AND todo = 1 ORDER BY content, seq LIMIT ?",
                    *after,
                    max(size, RECIPIENTS_AT_ONCE),
                )
                if fresh:
                    after = fresh[-1][4], fresh[-1][0]
                page += fresh
            if not page:
                return
            content, taken = page[0][4], 0
            while taken < min(size, len(page)) and page[taken][4] == content:
                taken += 1
            yield content, RecipientChunk.of(page[:taken])
            page = page[taken:]

    def _in_order(self, size: int) -> Iterator[RecipientChunk]:
        """Yield chunks in the order of the source. Several are read at a time."""
        after, most = -1, size * max(1, RECIPIENTS_AT_ONCE // size)
        while page := self.workspace.all(
            f"SELECT {PERSON} FROM person WHERE seq > ? AND todo = 1 ORDER BY seq LIMIT ?", after, most
        ):
            after = page[-1][0]
            for start in range(0, len(page), size):
                yield RecipientChunk.of(page[start : start + size])

    def lay_out(self, size: int) -> None:
        """Put the requests together for everybody who is left, so that nothing is left to compute between POSTs."""
        for content, people in self.chunks(size):
            self.workspace.execute(
                "INSERT INTO request (content, bulk, ids, destinations, labels) VALUES (?, ?, ?, ?, ?)",
                content, self.ids.bulk_id(people.ids), *people.stored(),
            )  # fmt: skip
        self.workspace.sending = True

    def laid_out(self) -> Iterator[Request]:
        """Yield the requests that `lay_out` has put together, read a few at a time as they are asked for."""
        after = 0
        while page := self.workspace.all(
            "SELECT no, content, bulk, ids, destinations, labels FROM request WHERE no > ? ORDER BY no LIMIT ?",
            after, READ_AT_ONCE,
        ):  # fmt: skip
            after = page[-1][0]
            for _, content, bulk_id, *people in page:
                yield Request(content, RecipientChunk.from_stored(*people), bulk_id)

    def tail(self, content: int, scheduled_at: float | None = None) -> str:
        """Return the members of a request that hold this content and its time.

        :param scheduled_at: what `scheduled_at` has returned for it.
        """
        tail, _ = self._content(content)
        if self.spec.window is None or scheduled_at is None:
            return tail  # a time of the user's own is among the options
        send_at = Options(send_at=datetime.fromtimestamp(scheduled_at, UTC)).to_wire()
        return ",".join(filter(None, (tail, to_json(send_at).decode()[1:-1])))

    def _content(self, content: int) -> tuple[str, str | None]:
        if content != self._tail[0]:
            ((tail, zone),) = self.workspace.all("SELECT tail, zone FROM content WHERE id = ?", content)
            self._tail = content, ",".join(filter(None, (tail, self._callback_data()))), zone
        return self._tail[1], self._tail[2]

    def _callback_data(self) -> str:
        """Return the member for a request whose options have no callback data; empty if there is none."""
        if self.spec.callback_data is None or self.options.callback_data is not None:
            return ""
        return f'"callbackData":{json.dumps(self.spec.callback_data, ensure_ascii=False)}'

    def quarantined(self) -> Iterator[tuple[int, str, str | None]]:
        """Yield place, reason and the user's own key (or None) of every row that is left out."""
        yield from self.workspace.rows(
            "SELECT place, reason, key FROM quarantine UNION ALL "
            "SELECT seq, ?, key FROM suppressed WHERE NOT sent ORDER BY 1",
            SUPPRESSED,
        )


def plan_batch(
    spec: BatchSpec,
    rows: Iterable[Row],
    workspace: Workspace,
    now: datetime,
    *,
    keep_fields: bool = False,
    contents: RenderedContents | None = None,
    suppression: Suppression | None = None,
) -> SendPlan:
    """Read the whole source and make the plan.

    :param now: the time against which times in the options are checked.
    :param keep_fields: keep the rows themselves, for a ledger.
    :param contents: those of the order, if they were checked before the source was opened.
    :param suppression: the list of those who must not be sent to, if there is one.

    Raises OmniInputError for contents, options and guards, before anything is sent. Bad rows are quarantined.
    """
    contents = contents or RenderedContents(spec.content, workspace, now, spec.zone_field)
    allowed = spec.allowed_recipients
    options = IntakeOptions(
        spec.phone_field,
        spec.key_field,
        None if allowed is None else frozenset(normalise(each, _AS_ALLOWED) for each in allowed),
        spec.shard,
        keep_fields,
        numbers=spec.numbers,
        count_other_shards=spec.max_recipients is not None,
        suppression=suppression,
    )
    intake = ingest(rows, options, contents, spec.identity, workspace)
    plan = SendPlan(
        spec,
        intake,
        workspace,
        options=contents.options,
        only=contents.same_for_all,
        fields=contents.fields,
        suppression=suppression,
    )
    _guard(plan)
    return plan


def plan_message(order: MessageSpec, workspace: Workspace) -> SendPlan:
    """Make the plan of an order for one request."""
    content, to = order.content, order.recipients
    template = MessageTemplate(content.arguments(), placeholders=False)
    spec = BatchSpec(
        order.identity,
        order.scenario_key,
        template,
        order.flow,
        one_request=True,
        callback_data=order.callback_data,
        window=order.window,
    )
    only, ids = store_content(content, workspace), order.identity
    workspace.executemany(
        "INSERT INTO person (seq, id, address, content, todo) VALUES (?, ?, ?, ?, 1)",
        ((each.place, ids.message_id(each.key), _address_of(each), only) for each in to.people),
    )
    reasons = Counter({NOT_LET_THROUGH: to.quarantined} if to.quarantined else {})
    counts = IntakeCounts(
        to.requested, len(to.people), quarantined=to.quarantined, duplicates=to.duplicates, reasons=reasons
    )
    return SendPlan(spec, counts, workspace, options=content.options, only=only)


def _address_of(person: Recipient) -> int | str:
    wire = person.address.to_wire()
    return int(wire["phoneNumber"]) if wire.keys() == {"phoneNumber"} else json.dumps(wire)


def needed_fields(spec: BatchSpec, contents: RenderedContents) -> tuple[str, ...]:
    """Return the fields that every row must have beside its number: the key's, and those that texts need."""
    key = () if spec.key_field is None else (spec.key_field,)
    return tuple(dict.fromkeys((*key, *(name for name in contents.fields if name != spec.phone_field))))


def _guard(plan: SendPlan) -> None:
    intake, limit = plan.intake, plan.spec.max_recipients
    found = intake.people + intake.other_shards
    if limit is not None and found > limit:
        where = "" if plan.spec.shard is None else f" in all shards together ({plan.spec.shard.count:,})"
        raise OmniInputError(
            "Nothing was sent: there are more recipients than allowed",
            problems=(unexpected("max_recipients", f"{some(found, 'person', 'people')}{where}", f"up to {limit:,}"),),
        )
    bad = intake.quarantined - sum(intake.reasons[reason] for reason in LEFT_OUT)
    # A shard may have few rows, and these bad ones, by chance.
    if bad >= (1 if plan.spec.shard is None else SYSTEMATIC) and bad == intake.requested:
        raise OmniInputError(
            f"Nothing was sent: not one row of {intake.requested:,} can be used",
            problems=(*quarantine_lines(plan), *quarantine_examples(plan)),
        )
    _refuse_too_many(plan, bad)


def _refuse_too_many(plan: SendPlan, bad: int) -> None:
    """Raise OmniInputError if more rows cannot be used than `max_quarantined` allows."""
    most, rows = plan.spec.max_quarantined, plan.intake.requested
    if isinstance(most, int):
        too_many, allowed = bad > most, f"{most:,}"
    else:
        # A shard may have few rows, and some of these bad ones, by chance.
        too_many = bad > most * rows + 1e-9 and (plan.spec.shard is None or bad >= SYSTEMATIC)
        allowed = f"{most:.4g} of them"
    if too_many:
        where = "" if plan.spec.shard is None else " of this shard"
        line = unexpected(
            "max_quarantined",
            f"{bad:,} of {some(rows, 'row')}{where} that cannot be used",
            f"at most {allowed}. Was a column read wrongly? The reasons follow. Where the others are to be "
            f"sent to all the same, raise it: max_quarantined={bad} (rows) or {_share_above(bad, rows)} (a "
            "share of them)",
        )
        raise OmniInputError(
            "Nothing was sent: too many rows cannot be used",
            problems=(line, *quarantine_lines(plan), *quarantine_examples(plan)),
        )


def _share_above(part: int, whole: int) -> float:
    """Return the next full percent above a share."""
    return min(1.0, (part * 100 // whole + 1) / 100)


def quarantine_examples(plan: SendPlan) -> list[str]:
    """Return the first quarantined rows as lines, for a person who has no ledger to read them from."""
    found = plan.workspace.all("SELECT place, reason FROM quarantine ORDER BY place LIMIT ?", EXAMPLES)
    return [f"row {place}: {reason}" for place, reason in found]


def quarantine_lines(plan: SendPlan) -> list[str]:
    """Return the reasons of quarantined rows as lines for a person, with their counts, the commonest first."""
    found = plan.intake.reasons.most_common(REASONS_SHOWN)
    lines = [f"{count:,} × {reason}" for reason, count in found]
    if len(plan.intake.reasons) > REASONS_SHOWN:
        lines.append(f"and {len(plan.intake.reasons) - REASONS_SHOWN:,} other reasons")
    return lines
