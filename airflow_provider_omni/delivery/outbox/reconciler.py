"""The reconciler asks the logs about an unknown POST: presence from any page, absence only if it is proven.

A message is proven absent by two empty log queries, a grace time apart. The first counts only once the longest call and
a grace time are over since the latest moment at which the POST can have begun. Each must:

* be filtered by one id, over all steps and channels;
* bring a page that is not full and was read whole.

The message must not be scheduled ahead, its intent must be younger than 47 h, and it must have been posted to this very
account. Otherwise it stays unknown.

A request of several messages is looked for by its bulk id. The vendor does not publish whether it keeps a caller's bulk
id. So two empty queries by it prove nothing yet: the messages are then looked for by their own ids, unless the filter
is known to find requests of this account.

There are two queries, since two things can be late: the vendor takes a request in after its caller gave up, and the
logs lag behind what was taken in. Each may take a grace time.

Many requests in doubt are asked about side by side (`reconcile`), so that pauses overlap.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Log, Sleep, Steps, call_api
from airflow_provider_omni.delivery.interleaving import interleave
from airflow_provider_omni.delivery.messages.states import (
    UNCERTAIN,
    UNRESOLVED,
    Attempt,
    Control,
    Event,
    MessageState,
    Origin,
)
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.policy import LookPolicy
from airflow_provider_omni.delivery.tracking.safety import proves_lists
from airflow_provider_omni.delivery.tracking.watch import IDS_PER_LOOK
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError, OmniRequestError
from airflow_provider_omni.omni.models import LogRow, Status, said_at, skipped_in
from airflow_provider_omni.omni.retries import backoff

RETRY_PAUSE = 5.0
"""Seconds at least between log queries that failed."""
ONE_BY_ONE = 100
"""Messages of a request up to which each is looked for alone before the bulk id is believed.

The vendor does not publish either whether the logs read a list of ids in full; and a refused message is in no log.
"""
ALONE = 20
"""Messages of a larger request that are looked for alone, besides all of them in lists."""
CONTROLS = 3
"""Requests that are looked for to see whether the logs find bulk ids; also the number of times for each."""
LISTS = 20
"""Log queries by lists of ids for one request, at most. That is more than the largest request has messages for."""
MAX_INTERLEAVED = 200
"""Requests that are asked about side by side."""
MOST_LISTS = 200
"""Log queries by lists of message ids, for all requests together, if the logs are not known to find bulk ids.

They take some two minutes of the account's budget.
"""
MOST_ALONE = 400
"""Log queries for messages one by one, for all requests together; but no request gets fewer than `ALONE`."""
MANY_SEEN = 50
"""Messages that the vendor has seen before, up to which they are looked for one by one. More are looked for
together.
"""

_S = MessageState


@dataclass
class _Filter:
    """One filter of log queries (a bulk id, one message id, or a list of them) and the results so far.

    Times are clock seconds.
    """

    message_ids: list[str]
    bulk_id: str | None = None
    next_at: float = 0.0
    first_empty_at: float | None = None
    failures: int = 0
    done: bool = False
    found: bool = False
    """True if the bulk filter has shown some of these messages, so that it shows all that were taken."""
    checks: list[tuple[str, ...]] | None = None
    """Log queries by message ids that are left to be made, after two empty ones by the bulk id."""
    overlooked: bool = False
    """True if one of those queries has found a message that the bulk filter does not show."""
    refused: bool = False
    """True if the vendor has refused it, and it is a list."""

    def call(self) -> api.Call[list[LogRow]]:
        """Return the next log query."""
        if self.checks:
            return api.get_logs(message_ids=self.checks[0], limit=api.MAX_LIMIT)
        if self.bulk_id is not None:
            return api.get_logs(bulk_ids=(self.bulk_id,), limit=api.MAX_LIMIT)
        return api.get_logs(message_ids=tuple(self.message_ids), limit=api.MAX_LIMIT)

    @property
    def is_list(self) -> bool:
        """True if it is a list of message ids."""
        return self.bulk_id is None and len(self.message_ids) > 1


@dataclass
class BulkFilter:
    """The knowledge about the logs' filter by bulk id: whether it finds requests of this account by ids of ours.

    :param controls: requests that it must find, the best first. A wrong one does no harm (another account's, too old or
        too young for the logs): a control that is not found says nothing.
    :param works: True if the filter is known to find such requests.
    :param sole: True if no message in doubt can have been posted in another request than the one on record. Otherwise
        nothing is proven by a filter that works, or that has found some of a request's messages.
    """

    controls: list[Control] = field(default_factory=list)
    works: bool = False
    sole: bool = True
    lists_read: bool = field(default=False, init=False)
    """True if the logs were seen to read lists of message ids."""
    lists_answered: bool = field(default=False, init=False)
    """True if all lists of the last look for many messages were answered."""
    _tried: dict[str, tuple[int, float]] = field(default_factory=dict, init=False)
    """Number of vain queries for a control, and the time of the last, by bulk id."""

    def try_it(self, clock: Clock, grace: float) -> Steps[None]:
        """Look for the controls, one after the other, until one is found.

        A control that is not found says nothing: the logs may lag behind, so it is looked for again after a grace time.
        Three controls are looked for, three times each, and no more: if the vendor keeps no bulk ids, many requests in
        doubt ask here.
        """
        for control in self.controls[:CONTROLS]:
            if self.works or not self.sole:
                return
            times, last = self._tried.get(control.bulk_id, (0, 0.0))
            if times >= CONTROLS or (times and clock() < last + grace):
                continue
            self._tried[control.bulk_id] = times + 1, clock()
            try:
                rows = yield from call_api(
                    api.get_logs(bulk_ids=(control.bulk_id,), limit=1), patience=60.0, label="logs asked"
                )
            except OmniError:
                continue
            self.works = any(row.message_id in control.message_ids for row in rows)

    def have_shown(self, asked: Collection[str], rows: Iterable[LogRow]) -> None:
        """Note the answer to a query for a list of message ids. One that shows others, too, may be an answer to another
        query.
        """
        shown = {row.message_id for row in rows}
        self.lists_read = self.lists_read or (shown.issubset(asked) and proves_lists(len(shown)))

    def has_found(self) -> None:
        """Note that a query by a bulk id of ours has shown messages of that request: it is as good as a control."""
        self.works = self.works or self.sole


@dataclass
class Reconciler:
    """Resolves the messages in doubt of a request by log queries.

    :param policy: the conditions under which absence may be concluded.
    :param jitter: random numbers from 0 to 1, for pauses.
    :param bulk_filter: the knowledge about the filter, shared by all who ask at one time.
    :param one_by_one: messages up to which each is looked for alone, if the filter is not known to work.
    :param lists: queries by lists of ids, at most. Of a larger request some messages are looked for, evenly spread.
    :param loaded_at: the time at which this try has read the record, and so taken over from the earlier ones; by
        default the time at which it asks.
    :param found_in: the bulk ids that the logs name for messages that were found.
    """

    policy: LookPolicy
    clock: Clock
    jitter: Callable[[], float] = random.random
    bulk_filter: BulkFilter = field(default_factory=BulkFilter)
    one_by_one: int = ONE_BY_ONE
    lists: int = LISTS
    loaded_at: float | None = None
    here: Origin | None = None
    """Account and scenario of this try. An earlier try's message can be proven absent only if it was posted from
    there.
    """
    tells: bool = True
    """True if it notes what is waited for, and until when. Of many who ask at one time one does."""
    found_in: dict[str, str] = field(default_factory=dict, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _give_up_at: float = field(default=0.0, init=False)

    def resolve(self, attempt: Attempt) -> Steps[bool]:
        """Resolve as many messages as can be resolved. Return True if anything was learned."""
        before = dict(attempt.messages)
        self._asked_at = self.clock()
        filters = _filters(attempt, IDS_PER_LOOK if self.bulk_filter.lists_read else 1)
        give_up_at = self._give_up_at = self._asked_at + self.policy.patience
        while filters:
            for each in filters:
                if each.next_at <= self.clock():
                    yield from self._look(attempt, each)
            overlooked = any(each.done and each.overlooked for each in filters)
            refused = [one for each in filters if each.refused for one in each.message_ids]
            filters = [each for each in filters if not each.done and _unresolved(attempt, each)]
            if overlooked:
                # The vendor has not kept the bulk id: each message that is left is asked for alone, and twice.
                filters += [_Filter([message_id]) for message_id in attempt.in_state(_S.IN_DOUBT)]
            # The list may be the cause of a refusal.
            filters += [_Filter([each]) for each in refused if attempt.messages[each] in (_S.IN_DOUBT, _S.DUPLICATE_ID)]
            if not filters:
                break
            next_at = min(each.next_at for each in filters)
            if next_at > give_up_at:
                break
            if self.tells and next_at > self.clock():
                self.tells = False
                yield self._what_for(attempt, give_up_at)
            yield Sleep(max(next_at - self.clock(), 0.1))
        for message_id in attempt.in_state(_S.DUPLICATE_ID):
            attempt.apply(message_id, Event.NO_LOG_ROW)
        if attempt.in_state(_S.IN_DOUBT):
            yield Log("The logs did not tell what became of a POST.", warning=True)
            if attempt.origin is None and not attempt.ours and self.here is not None:
                yield Log("From which account it was posted is not on record: absence from these logs proves nothing.")
        return attempt.messages != before

    def _what_for(self, attempt: Attempt, give_up_at: float) -> Log:
        """Return a note on what is waited for, and until when. Without it the task looks idle."""
        proof_at = max(self._provable_at(attempt), self.clock()) + self.policy.grace
        proof, end = (datetime.fromtimestamp(each, UTC).strftime("%H:%M:%S") for each in (proof_at, give_up_at))
        count = len(attempt.in_state(_S.IN_DOUBT, _S.DUPLICATE_ID))
        return Log(
            f"Whether {count:,} message{'s were' if count != 1 else ' was'} sent is being asked of the logs: until "
            f"{proof if proof_at < give_up_at else end} UTC if they show none, until {end} UTC if they cannot "
            "be read. Nothing is sent again before."
        )

    def _look(self, attempt: Attempt, each: _Filter) -> Steps[None]:
        started = self.clock()
        try:
            rows = yield from call_api(each.call(), patience=max(self._give_up_at - started, 0.0), label="logs asked")
        except OmniError as error:
            if each.checks and len(each.checks[0]) > 1 and isinstance(error, OmniRequestError) and not error.retryable:
                # The list may be the cause of the refusal.
                each.checks = [ids for ids in each.checks if len(ids) == 1]
                self._checked(attempt, each)
                return
            yield Log(f"A look into the logs failed ({error.why}).", warning=True)
            each.failures += 1
            each.done = not error.retryable
            each.refused = each.done and each.is_list and isinstance(error, OmniRequestError)
            each.next_at = self.clock() + max(RETRY_PAUSE, backoff(each.failures, error.retry_after, self.jitter))
            return
        self._note_presence(attempt, each, rows)
        if each.bulk_id is not None and each.checks is None and any(row.message_id in attempt.messages for row in rows):
            each.found = True
            self.bulk_filter.has_found()
        if len(rows) + skipped_in(rows) >= api.MAX_LIMIT or not safety.can_be_proven(
            attempt, self.policy, self.here, self.clock(), self._provable_at(attempt)
        ):
            each.done = True
        elif skipped_in(rows) or any(row.message_id not in attempt.messages for row in rows):
            # Rows of other messages, or rows that cannot be read and may be of this very message, prove nothing.
            each.failures += 1
            each.next_at = self.clock() + max(RETRY_PAUSE, backoff(each.failures, None, self.jitter))
        elif each.checks:
            each.overlooked = each.overlooked or bool(rows)
            del each.checks[0]
            self._checked(attempt, each)
        elif started < (provable_at := self._provable_at(attempt)):
            each.next_at = provable_at
        elif (too_early := safety.seconds_too_early(attempt, self.policy, said_at(rows))) > 0:
            each.next_at = self.clock() + max(RETRY_PAUSE, too_early)
        elif safety.proves_absence(self.policy, started, each.first_empty_at):
            yield from self._conclude_or_check(attempt, each)
        elif each.first_empty_at is None:
            # The time counts from the answer: the call may have waited for a place in the budget before it was made.
            each.first_empty_at = self.clock()
            each.next_at = each.first_empty_at + self.policy.grace

    def _conclude_or_check(self, attempt: Attempt, each: _Filter) -> Steps[None]:
        """Conclude absence after two empty queries; but check by message ids first if the filter may be one that finds
        nothing.
        """
        if each.bulk_id is None or (each.found and self.bulk_filter.sole):
            _conclude_absence(attempt, each)
            return
        yield from self.bulk_filter.try_it(self.clock, self.policy.grace)
        each.checks = [] if self.bulk_filter.works else self._looks_by_id(attempt)
        self._checked(attempt, each)

    def _looks_by_id(self, attempt: Attempt) -> list[tuple[str, ...]]:
        return looks_by_id(attempt.in_state(_S.IN_DOUBT), one_by_one=self.one_by_one, lists=self.lists)

    def _checked(self, attempt: Attempt, each: _Filter) -> None:
        """Go on after one query by message ids."""
        if each.checks:
            each.next_at = self.clock()
        elif each.overlooked:
            attempt.bulk_id_conclusive = False
            each.done = True
        else:
            _conclude_absence(attempt, each)

    def _note_presence(self, attempt: Attempt, each: _Filter, rows: list[LogRow]) -> None:
        shown = _shown_in(rows)
        for row in rows:
            if row.message_id in each.message_ids:
                if attempt.messages[row.message_id] in UNCERTAIN:
                    attempt.apply(row.message_id, Event.LOG_ROW)
                    attempt.shown[row.message_id] = shown[row.message_id]
                if row.bulk_id:
                    self.found_in[row.message_id] = row.bulk_id

    def _provable_at(self, attempt: Attempt) -> float:
        taken_over_at = self._asked_at if self.loaded_at is None else self.loaded_at
        return safety.provable_at(attempt, self.policy, self._asked_at, taken_over_at)


def reconcile(
    attempts: Sequence[Attempt],
    policy: LookPolicy,
    clock: Clock,
    jitter: Any,
    bulk_filter: BulkFilter | None = None,
    loaded_at: float | None = None,
    here: Origin | None = None,
    conclude: Callable[[Sequence[Attempt]], None] | None = None,
) -> Steps[dict[str, str]]:
    """Ask about all messages in doubt of these requests, and change their states by the logs.

    Returns the requests in which messages were found, by message id.

    :param bulk_filter: the knowledge about the logs' filters; by default nothing is known.
    :param loaded_at: the time at which this try has read the record of earlier ones; now by default.
    :param here: account and scenario of this try: absence can be proven only for messages that were posted from there.
    :param conclude: draws conclusions from some messages for others: after a first look for many at once, and at the
        end.
    """
    found_in: dict[str, str] = {}
    shared = BulkFilter() if bulk_filter is None else bulk_filter
    yield from _presence(attempts, found_in, shared)
    if conclude is not None:
        # What was found tells something of others, which then need not be asked about one by one.
        conclude(attempts)
    in_doubt = [attempt for attempt in attempts if attempt.in_state(*UNCERTAIN)]
    count = max(len(in_doubt), 1)
    one_by_one, lists = max(ALONE, min(ONE_BY_ONE, MOST_ALONE // count)), max(1, min(LISTS, MOST_LISTS // count))
    reconcilers = [Reconciler(policy, clock, jitter, shared, one_by_one, lists, loaded_at, here) for _ in in_doubt]
    for reconciler in reconcilers[1:]:
        reconciler.tells = False
    machines = [reconciler.resolve(attempt) for reconciler, attempt in zip(reconcilers, in_doubt, strict=True)]
    yield from interleave(machines, clock)
    for reconciler in reconcilers:
        found_in |= reconciler.found_in
    if conclude is not None:
        conclude(attempts)
    return found_in


def _presence(attempts: Sequence[Attempt], found_in: dict[str, str], bulk_filter: BulkFilter) -> Steps[None]:
    """Look for many messages in one call. That may prove presence, never absence.

    It is for messages that would be asked for one by one: single ones, and those that the vendor has seen before. A
    whole batch may have been seen before. If there are many, those that are not found are left unconfirmed, which is
    the state they would end in.
    """
    wanted: dict[str, Attempt] = {}
    seen: list[str] = []
    for attempt in attempts:
        ids = attempt.in_state(_S.DUPLICATE_ID)
        seen += ids
        if len(attempt.messages) == 1 or not attempt.bulk_id_conclusive:
            ids = attempt.in_state(*UNRESOLVED)
        wanted |= dict.fromkeys(ids, attempt)
    ids = list(wanted)
    if len(ids) < 3:
        return
    failures = 0
    bulk_filter.lists_answered = False
    for start in range(0, len(ids), IDS_PER_LOOK):
        try:
            rows = yield from call_api(
                api.get_logs(message_ids=ids[start : start + IDS_PER_LOOK], limit=api.MAX_LIMIT),
                patience=120.0,
                label="logs asked",
            )
        except OmniError as error:
            failures += 1
            if failures == 3 or not error.retryable:
                yield Log(f"A look for many messages failed ({error.why}).", warning=True)
                break
            continue
        bulk_filter.have_shown(ids[start : start + IDS_PER_LOOK], rows)
        shown = _shown_in(rows)
        for row in rows:
            owner = wanted.get(row.message_id)
            if owner is not None and owner.messages[row.message_id] in UNRESOLVED:
                owner.apply(row.message_id, Event.LOG_ROW)
                owner.shown[row.message_id] = shown[row.message_id]
                if row.bulk_id:
                    found_in[row.message_id] = row.bulk_id
    bulk_filter.lists_answered = not failures
    if len(seen) > MANY_SEEN:
        for message_id in seen:
            if wanted[message_id].messages[message_id] is _S.DUPLICATE_ID:
                wanted[message_id].apply(message_id, Event.NO_LOG_ROW)


def _shown_in(rows: Iterable[LogRow]) -> dict[str, bool]:
    """Return the messages of these rows: True if they show that it was taken."""
    statuses: dict[str, list[Status]] = {}
    for row in rows:
        statuses.setdefault(row.message_id, []).append(row.status)
    return {message_id: safety.shows_acceptance(found) for message_id, found in statuses.items()}


def _filters(attempt: Attempt, at_once: int) -> list[_Filter]:
    """Return the filters for a request: its bulk id if all its messages are in it for certain, else their own ids.

    A message that the vendor has seen before is asked for by its own id: it may have been in another request.

    :param at_once: the number of message ids in one query; more than one only where the logs were seen to read lists.
    """
    together = attempt.in_state(_S.IN_DOUBT, _S.UNCONFIRMED)
    alone = attempt.in_state(_S.DUPLICATE_ID)
    if not safety.may_be_asked_by_bulk(attempt, together):
        together, alone = [], together + alone
    found = [_Filter(together, attempt.bulk_id)] if together else []
    return found + [_Filter(alone[start : start + at_once]) for start in range(0, len(alone), at_once)]


def looks_by_id(message_ids: list[str], *, one_by_one: int, lists: int) -> list[tuple[str, ...]]:
    """Return queries by message ids: one for each message; of many messages, one for some and lists for all that these
    hold.
    """
    if len(message_ids) <= one_by_one:
        return [(each,) for each in message_ids]
    some = evenly(message_ids, lists * IDS_PER_LOOK)
    in_lists = [tuple(some[start : start + IDS_PER_LOOK]) for start in range(0, len(some), IDS_PER_LOOK)]
    return [*((each,) for each in evenly(message_ids, ALONE)), *in_lists]


def evenly(ids: list[str], most: int) -> list[str]:
    """Return at most so many of the ids, evenly spread from the first to the last."""
    if len(ids) <= most:
        return ids
    return [ids[round(index * (len(ids) - 1) / max(most - 1, 1))] for index in range(most)]


def _conclude_absence(attempt: Attempt, each: _Filter) -> None:
    """Mark the messages that two empty queries, far enough apart, have not shown as absent."""
    for message_id in each.message_ids:
        if attempt.messages[message_id] is _S.IN_DOUBT:
            attempt.apply(message_id, Event.PROVEN_ABSENT)
    each.done = True


def _unresolved(attempt: Attempt, each: _Filter) -> bool:
    return any(attempt.messages[message_id] in (_S.IN_DOUBT, _S.DUPLICATE_ID) for message_id in each.message_ids)
