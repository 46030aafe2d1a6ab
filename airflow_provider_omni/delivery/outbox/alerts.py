"""The alert: a send without memory, whose callback Airflow may run twice. It looks for its own messages before it
sends.

Airflow runs a callback again in another process when it has lost sight of the first one: the DAG processor's after the
worker's, another triggerer's after one that died. Nothing that is written down links the two. But both make equal
message ids, so the vendor's logs tell.

An alert that may be a repeat asks the logs once, at the start. A log row proves that the vendor has the message. A
missing row proves nothing. An alert that comes twice is better than one that never comes, so a message that is not seen
is sent, even if the logs cannot be read.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from airflow_provider_omni.delivery.effects import Clock, Done, Log, Save, Steps, call_api, load
from airflow_provider_omni.delivery.messages.intent_log import outcome_line
from airflow_provider_omni.delivery.messages.states import UNCERTAIN, Attempt, MessageState
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.metrics import Measurement
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.engine import Outbox, SendResult
from airflow_provider_omni.delivery.outbox.plan import MessageSpec, SendPlan, plan_message
from airflow_provider_omni.delivery.outbox.policy import SendPolicy
from airflow_provider_omni.delivery.outbox.reconciler import ONE_BY_ONE, looks_by_id
from airflow_provider_omni.delivery.outbox.stores import INDEX
from airflow_provider_omni.delivery.outbox.task_state_store import TaskStateStore
from airflow_provider_omni.delivery.recipients.addresses import Recipients
from airflow_provider_omni.delivery.retrying import retrying
from airflow_provider_omni.delivery.tracking.safety import proves_lists
from airflow_provider_omni.delivery.tracking.watch import IDS_PER_LOOK
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.bulk import BulkResponse
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniError, OmniRequestError, OmniUnknownOutcomeError
from airflow_provider_omni.omni.models import LogRow, said_at
from airflow_provider_omni.omni.statuses import is_duplicate
from airflow_provider_omni.omni.words import are, some, was

LOOK_SECONDS = 5.0
"""Seconds within which every log query must begin: callbacks have little time, and the alert must still go out in
it.
"""
FEW = 3
"""Messages up to which no list is asked for first."""
MOST_REQUESTS = 20
"""People up to whom an alert that is refused as a whole is sent to each alone."""
LOOK_ATTEMPTS = 2
MOST_OCCASIONS = 5
"""Alerts of one name that are told apart by the time between them."""


class Alert:
    """Carries out an order, unless the logs show that another run of its callback has sent it.

    :param may_be_repeat: look before sending. False if nobody can have sent before.
    :param plainer: the content to send instead if the vendor refuses the request for its content. None: no other
        content.
    :param again_after: seconds. Older messages belong to an earlier occasion of that name: this one is another, and is
        sent under the next ids. None: the name alone tells occasions apart.
    """

    def __init__(
        self,
        order: MessageSpec,
        policy: SendPolicy,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        *,
        may_be_repeat: bool,
        again_after: float | None = None,
        plainer: Content | None = None,
    ) -> None:
        self.order = order
        self.plainer = plainer
        # The record of this very run is complete: the look has shown all other messages.
        self.policy = replace(policy, record_complete=True)
        self.clock = clock
        self.jitter = jitter
        self.may_be_repeat = may_be_repeat
        self.again_after = again_after
        self._seen_before: set[str] = set()
        self._measured: list[Measurement] = []
        self._said_at: float | None = None
        """Time of the last answer of the logs, by the vendor's clock; None if it did not say."""

    def run(self) -> Steps[SendResult]:
        """Run to the end. Errors come back in the `SendResult`."""
        if self.may_be_repeat:
            yield from self._look_for()
        end = yield from self._carry_out(self.order)
        if _is_refused_as_a_whole(end):
            end = yield from self._otherwise(end)
        return replace(end, measured=tuple(self._measured))

    # -- a request that the vendor refuses ---------------------------------------------------------------------------

    def _otherwise(self, refused: SendResult) -> Steps[SendResult]:
        """Get as much of the alert out as can be: in plain words, then to each person alone, in either.

        So far nobody has got any of it who is not on the record. Returns the refusal if nothing else helps.
        """
        if self.plainer is not None and self.plainer != self.order.content:
            yield Log("The vendor refuses the alert: it is sent again as plain text.", warning=True)
            end = yield from self._again(replace(self.order, content=self.plainer))
            if not _is_refused_as_a_whole(end):
                return end
        people = self.order.recipients.people
        if not 1 < len(people) <= MOST_REQUESTS:
            return refused
        yield Log("The vendor refuses the alert: it is sent to each person alone.", warning=True)
        # The rich content may be wrong, too, besides one person's address: then only the plain words get through.
        contents = [self.order.content]
        if self.plainer is not None and self.plainer != self.order.content:
            contents.append(self.plainer)
        for person in people:
            for content in tuple(contents):
                alone = replace(self.order, content=content, recipients=Recipients((person,), 1))
                end = yield from self._again(alone)
                if not _is_refused_as_a_whole(end):
                    contents.sort(key=lambda each: each != content)  # it is tried first from now on
                    break
        # People who are left now are refused alone, too: the end says so, and what has become of the others.
        return (yield from self._again(self.order))

    def _again(self, order: MessageSpec) -> Steps[SendResult]:
        """Send the messages in another request. People who have got the other content keep it."""
        index: Any = yield from load(INDEX)
        if index is not None:
            with _planned(order) as plan:
                for entry in index.get("entries", {}).values():
                    entry["intent"]["fingerprint"] = plan.fingerprint
            yield Save(INDEX, index)
        return (yield from self._carry_out(order))

    # -- the look ----------------------------------------------------------------------------------------------------

    def _look_for(self) -> Steps[None]:
        """Put on the record the messages that the logs show, as if this run had sent them."""
        until = self.clock() + LOOK_SECONDS
        keys = [person.key for person in self.order.recipients.people]
        states: dict[str, dict[str, MessageState]] = {}
        seen = 0
        for attempt in range(1 if self.again_after is None else MOST_OCCASIONS):
            ids = {self.order.identity.message_id(key, attempt): key for key in keys}
            found = yield from self._look(list(ids), until)
            earlier = {message_id for message_id, rows in found.items() if self._is_of_an_earlier_occasion(rows)}
            shown = safety.states_of_shown(found, earlier)
            for message_id, state in shown.items():
                bulk_id = found[message_id][0].bulk_id or self.order.identity.bulk_id([message_id])
                states.setdefault(bulk_id, {})[message_id] = state
            again = [message_id for message_id, state in shown.items() if state is MessageState.REFUSED]
            seen += len(shown) - len(again)
            keys = [ids[message_id] for message_id in again]
            if not keys:
                break
        if seen:
            everybody = len(self.order.recipients.people)
            yield Log(
                f"The logs show this alert already: {seen} of {some(everybody, 'message')} {are(seen)} not sent again."
            )
        if states:
            yield Save(INDEX, self._record_of(states).to_json())

    def _record_of(self, states: dict[str, dict[str, MessageState]]) -> TaskStateStore:
        """Return a record of messages, by the requests in which they were found."""
        with _planned(self.order) as plan:
            store = TaskStateStore(plan.about() | {"account": self.policy.account}, one_request=True)
        store.flow = self.order.flow
        for bulk_id, messages in states.items():
            attempt = Attempt(bulk_id, self.clock(), bulk_id_conclusive=False, messages=messages)
            store.register(attempt, [outcome_line(attempt)])
        return store

    def _look(self, message_ids: list[str], until: float) -> Steps[dict[str, list[LogRow]]]:
        """Return the log rows of these messages, as far as they can be read in time. Any row of an answer counts.

        :param until: the time after which no query begins.
        """
        found: dict[str, list[LogRow]] = {}
        lists = _in_lists(message_ids) if len(message_ids) > FEW else []
        answered: list[str] = []
        read = False
        for ids in lists:
            if (yield from self._ask(ids, found, until)):
                answered += ids
                read = read or proves_lists(sum(each in found for each in ids))
        not_there = frozenset(answered) if read else frozenset[str]()
        missing = [each for each in message_ids if each not in found and each not in not_there]
        queries = looks_by_id(missing, one_by_one=ONE_BY_ONE, lists=0)
        whole = yield from self._ask_each(queries, found, until)
        rest = [(each,) for each in missing if (each,) not in queries]
        if not lists or any(each in found for (each,) in queries):
            # The lists were not read: what they have not shown may be there.
            whole = (yield from self._ask_each(rest[:ONE_BY_ONE], found, until)) and whole and len(rest) <= ONE_BY_ONE
        if not whole:
            left = sum(each not in found for each in message_ids)
            yield Log(
                f"The logs did not tell in time whether {some(left, 'message')} of this alert {was(left)} sent "
                "before: sent, perhaps again.",
                warning=True,
            )
        return found

    def _ask_each(
        self, queries: Sequence[tuple[str, ...]], found: dict[str, list[LogRow]], until: float
    ) -> Steps[bool]:
        """Ask one query after the other. Return True if all were answered."""
        for ids in queries:
            if not (yield from self._ask(ids, found, until)):
                return False
        return True

    def _ask(self, ids: tuple[str, ...], found: dict[str, list[LogRow]], until: float) -> Steps[bool]:
        """Ask one query, twice if it fails and there is time. Return True if it was answered."""

        def ask() -> Steps[list[LogRow] | None]:
            patience = until - self.clock()
            if patience <= 0:
                return None
            query = api.get_logs(message_ids=ids, limit=api.MAX_LIMIT)
            try:
                return (yield from call_api(query, patience=patience, label="logs asked"))
            except OmniError as error:
                yield Log(f"A look into the logs failed ({error.why}).", warning=True)
                raise

        try:
            rows = yield from retrying(
                ask, LOOK_ATTEMPTS, self.jitter, has_time=lambda pause: self.clock() + pause < until
            )
        except OmniError:
            return False
        self._said_at = said_at(rows or ())
        for row in rows or ():
            # The vendor may show other rows, too: only a row with the message's own id is about it.
            if row.message_id in ids:
                found.setdefault(row.message_id, []).append(row)
        return rows is not None

    def _is_of_an_earlier_occasion(self, rows: list[LogRow]) -> bool:
        times = [row.sent_at.timestamp() for row in rows if row.sent_at is not None]
        now = safety.time_of_rows(self._said_at, self.clock())
        return self.again_after is not None and bool(times) and now - max(times) > self.again_after

    # -- the send ----------------------------------------------------------------------------------------------------

    def _carry_out(self, order: MessageSpec) -> Steps[SendResult]:
        """Send, and note the ids that the vendor has seen before."""
        with _planned(order) as plan:
            send = Outbox(plan, self.policy, self.clock, self.jitter)
            steps = send.run()
            reply: object = None
            error: OmniError | None = None
            while True:
                try:
                    effect = steps.send(reply) if error is None else steps.throw(error)
                except StopIteration as stop:
                    end = cast("SendResult", stop.value)
                    self._measured += end.measured
                    return self._without_error_of_a_copy(send, end)
                reply, error = None, None
                try:
                    reply = yield effect
                except OmniError as caught:
                    error = caught
                    continue
                self._note_seen_before(reply)

    def _note_seen_before(self, reply: object) -> None:
        for done in reply if isinstance(reply, list) else ():
            for answer in done.results if isinstance(done, Done) else ():
                if isinstance(answer, BulkResponse):
                    self._seen_before |= {
                        each for status, ids in answer.by_status if is_duplicate(status) for each in ids
                    }

    def _without_error_of_a_copy(self, send: Outbox, end: SendResult) -> SendResult:
        """Drop the error if the vendor has seen all messages in doubt: a copy of this callback has sent them."""
        states = send.progress.each or {}
        doubtful = {message_id for message_id, state in states.items() if state in UNCERTAIN}
        if isinstance(end.error, OmniUnknownOutcomeError) and safety.is_sent_by_a_copy(doubtful, self._seen_before):
            return replace(end, error=None)
        return end


@contextlib.contextmanager
def _planned(order: MessageSpec) -> Iterator[SendPlan]:
    with Workspace(in_memory=True) as workspace:
        yield plan_message(order, workspace)


def _in_lists(message_ids: list[str]) -> list[tuple[str, ...]]:
    return [tuple(message_ids[start : start + IDS_PER_LOOK]) for start in range(0, len(message_ids), IDS_PER_LOOK)]


def _is_refused_as_a_whole(end: SendResult) -> bool:
    """Return True if the vendor finds the request wrong, so that nothing of it was sent.

    The cause may be one channel, or one number, of several. False if it is the request's id that the vendor knows
    already.
    """
    error = end.error
    if not isinstance(error, OmniRequestError) or error.status not in (400, 422):
        return False
    return not any("bulkId" in problem for problem in error.problems)
