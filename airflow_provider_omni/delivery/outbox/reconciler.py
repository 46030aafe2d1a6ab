"""Asking the logs what became of an unknown POST: presence from any page, absence only where it is proven.

Absence needs: a look filtered by one id, on a page that is not full and was read whole, over all steps and channels,
twice, a grace time apart, the first when the longest call + grace are over since the POST can have been begun, for a
message that is not scheduled ahead, whose intent is younger than 47 h, and that was posted to this very account. Else
it stays unknown.

A request of several messages is looked for by its bulk id. Whether the vendor keeps a caller's bulk id is not
published, so that two empty looks by it prove nothing yet: then the messages are looked for by their own ids, unless
the filter is known to find requests of this account.

Two looks, since two things can be late: the vendor takes a request in after its caller gave up, and the logs lag
behind what was taken in. Each may take a grace time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_provider_omni.delivery.effects import Ask, Clock, Note, Pause, Steps
from airflow_provider_omni.delivery.messages.states import Attempt, Control, Event, MessageState, Origin
from airflow_provider_omni.delivery.tracking.watch import IDS_PER_LOOK
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError, OmniRequestError
from airflow_provider_omni.omni.models import LogRow, said_at, skipped_in
from airflow_provider_omni.omni.retries import backoff

PAGE = 1000
"""Rows that a page of the logs can hold; a full one proves no absence."""
FENCE = 5.0
"""Seconds after its intent within which a POST is begun, at the latest; an older intent is written again."""
RETRY_PAUSE = 5.0
"""Seconds at least between looks that failed."""
ONE_BY_ONE = 100
"""Messages of a request up to which each is looked for alone before the bulk id is believed. Whether the logs read a
list of ids in full is not published either, and whoever was refused is in no log.
"""
ALONE = 20
"""Of a larger request so many are looked for alone, and all in lists."""
CONTROLS = 3
"""Requests that are looked for to see whether the logs find bulk ids, and how often each."""
LISTS = 20
"""Looks by lists of ids, for one request at the most: more than the largest one has messages for."""

_S = MessageState
_ASKED = (_S.INTENT, _S.SEEN, _S.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """When absence may be concluded.

    `read_timeout`: seconds that a POST of an earlier try may still be under way: the longest that a call can take.
    `grace`: seconds that the logs may lag behind, and that a request may be taken in after its caller gave up (not
    published by the vendor; longer is safer and delays only the repair of an unknown outcome).
    `patience`: seconds that one resolution may take before the messages stay unknown.
    """

    read_timeout: float = 30.0
    grace: float = 30.0
    patience: float = 900.0


@dataclass
class _Filter:
    """One filter (a bulk, or one message) and what the looks through it have shown so far. Times are clock seconds."""

    message_ids: list[str]
    bulk_id: str | None = None
    next_at: float = 0.0
    first_empty_at: float | None = None
    failures: int = 0
    done: bool = False
    found: bool = False
    """The bulk filter has shown some of these messages, so that it shows all that were taken."""
    checks: list[tuple[str, ...]] | None = None
    """Looks by message ids that are left to be made, after two empty ones by the bulk id."""
    overlooked: bool = False
    """One of those looks has found what the bulk filter does not."""

    def call(self) -> api.Call[list[LogRow]]:
        """The look."""
        if self.checks:
            return api.get_logs(message_ids=self.checks[0], limit=PAGE)
        if self.bulk_id is not None:
            return api.get_logs(bulk_ids=(self.bulk_id,), limit=PAGE)
        return api.get_logs(message_ids=(self.message_ids[0],), limit=PAGE)


@dataclass
class BulkFilter:
    """What is known of the logs' filter by bulk id: whether it finds requests of this account by the ids that we gave.

    `controls`: requests that it must find, the best first. Taken on an account's word only, they can be wrong without
    harm (another account's, too old or too young for the logs): one that is not found says nothing.
    `sole`: no message in doubt can have been posted in another request than the one that is on record. Else it proves
    nothing that the filter finds requests, nor that it has found some of a request's messages.
    """

    controls: list[Control] = field(default_factory=list)
    works: bool = False
    sole: bool = True
    _tried: dict[str, tuple[int, float]] = field(default_factory=dict, init=False)
    """How often, and when last, a control was looked for in vain."""

    def try_it(self, clock: Clock, grace: float) -> Steps[None]:
        """Look for requests that must be there, one after the other. That one is not found says nothing: the logs may
        lag behind, so it is looked for again when that is over. Three of them, three times each, and no more: where the
        vendor keeps no bulk ids, many requests in doubt ask here.
        """
        for control in self.controls[:CONTROLS]:
            if self.works or not self.sole:
                return
            times, last = self._tried.get(control.bulk_id, (0, 0.0))
            if times >= CONTROLS or (times and clock() < last + grace):
                continue
            self._tried[control.bulk_id] = times + 1, clock()
            try:
                rows: list[LogRow] = yield Ask(api.get_logs(bulk_ids=(control.bulk_id,), limit=1), patience=60.0)
            except OmniError:
                continue
            self.works = any(row.message_id in control.message_ids for row in rows)

    def has_found(self) -> None:
        """A look by a bulk id of ours has shown messages of that request: it is as good as a control."""
        self.works = self.works or self.sole


@dataclass
class Reconciler:
    """Resolves the open messages of a posting by looking into the logs.

    `bulk_filter`: what is known of it; shared by those who ask at the same time. `one_by_one`: messages up to which
    each is looked for alone, where the filter is not known to work. `lists`: looks by lists of ids, at the most; a
    request with more messages is looked for by some of them, evenly.
    `loaded_at`: when this try has read the record, and so taken over from the earlier ones; now by default.
    `found_in`: the bulk ids that the logs name for messages that were found.
    """

    rules: LookPolicy
    clock: Clock
    jitter: Callable[[], float] = random.random
    bulk_filter: BulkFilter = field(default_factory=BulkFilter)
    one_by_one: int = ONE_BY_ONE
    lists: int = LISTS
    loaded_at: float | None = None
    here: Origin | None = None
    """Where this try asks. What an earlier one has posted can be proven absent only where it was posted from."""
    tells: bool = True
    """Says what is waited for, and until when; of many who ask at the same time one does."""
    found_in: dict[str, str] = field(default_factory=dict, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _give_up_at: float = field(default=0.0, init=False)

    def settle(self, posting: Attempt) -> Steps[bool]:
        """Resolve what can be resolved. Returns whether anything was learned."""
        before = dict(posting.messages)
        self._asked_at = self.clock()
        filters = _filters(posting)
        give_up_at = self._give_up_at = self._asked_at + self.rules.patience
        while filters:
            for each in filters:
                if each.next_at <= self.clock():
                    yield from self._look(posting, each)
            overlooked = any(each.done and each.overlooked for each in filters)
            filters = [each for each in filters if not each.done and _unresolved(posting, each)]
            if overlooked:
                # The vendor has not kept the bulk id: whoever is left is asked for alone, and twice.
                filters += [_Filter([message_id]) for message_id in posting.having(_S.INTENT)]
            if not filters:
                break
            next_at = min(each.next_at for each in filters)
            if next_at > give_up_at:
                break
            if self.tells and next_at > self.clock():
                self.tells = False
                yield self._what_for(posting, give_up_at)
            yield Pause(max(next_at - self.clock(), 0.1))
        for message_id in posting.having(_S.SEEN):
            posting.learn(message_id, Event.NO_LOG_ROW)
        if posting.having(_S.INTENT):
            yield Note("The logs did not tell what became of a POST.", warning=True)
            if posting.origin is None and not posting.ours and self.here is not None:
                yield Note("From which account it was posted is not on record: absence from these logs proves nothing.")
        return posting.messages != before

    def _what_for(self, posting: Attempt, give_up_at: float) -> Note:
        """What is waited for, and until when: it looks like an idle task otherwise."""
        proof_at = max(self._provable_at(posting), self.clock()) + self.rules.grace
        proof, end = (datetime.fromtimestamp(each, UTC).strftime("%H:%M:%S") for each in (proof_at, give_up_at))
        count = len(posting.having(_S.INTENT, _S.SEEN))
        return Note(
            f"Whether {count:,} message{'s were' if count != 1 else ' was'} sent is being asked of the logs: until "
            f"{proof if proof_at < give_up_at else end} UTC if they show none, until {end} UTC if they cannot "
            "be read. Nothing is sent again before."
        )

    def _look(self, posting: Attempt, each: _Filter) -> Steps[None]:
        started = self.clock()
        try:
            rows: list[LogRow] = yield Ask(each.call(), patience=max(self._give_up_at - started, 0.0))
        except OmniError as error:
            if each.checks and len(each.checks[0]) > 1 and isinstance(error, OmniRequestError) and not error.retryable:
                # Perhaps it is the list that was refused.
                each.checks = [ids for ids in each.checks if len(ids) == 1]
                self._checked(posting, each)
                return
            yield Note(f"A look into the logs failed ({error.why}).", warning=True)
            each.failures += 1
            each.done = not error.retryable
            each.next_at = self.clock() + max(RETRY_PAUSE, backoff(each.failures, error.retry_after, self.jitter))
            return
        self._note_presence(posting, each, rows)
        if each.bulk_id is not None and each.checks is None and any(row.message_id in posting.messages for row in rows):
            each.found = True
            self.bulk_filter.has_found()
        if len(rows) + skipped_in(rows) >= PAGE or not self._can_be_proven(posting):
            each.done = True
        elif skipped_in(rows) or any(row.message_id not in posting.messages for row in rows):
            # Not what was asked for, or a row that nobody can read, perhaps of this very message: that proves nothing.
            each.failures += 1
            each.next_at = self.clock() + max(RETRY_PAUSE, backoff(each.failures, None, self.jitter))
        elif each.checks:
            each.overlooked = each.overlooked or bool(rows)
            del each.checks[0]
            self._checked(posting, each)
        elif started < (provable_at := self._provable_at(posting)):
            each.next_at = provable_at
        elif (too_early := self._too_early(posting, rows)) > 0:
            each.next_at = self.clock() + max(RETRY_PAUSE, too_early)
        elif each.first_empty_at is None:
            # From the answer on, since the call may have waited for a place in the budget before it was made.
            each.first_empty_at = self.clock()
            each.next_at = each.first_empty_at + self.rules.grace
        elif started >= each.first_empty_at + self.rules.grace:
            yield from self._conclude_or_check(posting, each)

    def _conclude_or_check(self, posting: Attempt, each: _Filter) -> Steps[None]:
        """After two looks: what was not seen is not there, unless the filter may be one that finds nothing."""
        if each.bulk_id is None or (each.found and self.bulk_filter.sole):
            _conclude_absence(posting, each)
            return
        yield from self.bulk_filter.try_it(self.clock, self.rules.grace)
        each.checks = [] if self.bulk_filter.works else self._checks(posting.having(_S.INTENT))
        self._checked(posting, each)

    def _checks(self, message_ids: list[str]) -> list[tuple[str, ...]]:
        """Looks by message ids: for each alone; of many for some alone, and for all that the lists hold in lists."""
        if len(message_ids) <= self.one_by_one:
            return [(each,) for each in message_ids]
        some = evenly(message_ids, self.lists * IDS_PER_LOOK)
        lists = [tuple(some[start : start + IDS_PER_LOOK]) for start in range(0, len(some), IDS_PER_LOOK)]
        return [*((each,) for each in evenly(message_ids, ALONE)), *lists]

    def _checked(self, posting: Attempt, each: _Filter) -> None:
        """One look by ids is over."""
        if each.checks:
            each.next_at = self.clock()
        elif each.overlooked:
            posting.by_bulk = False
            each.done = True
        else:
            _conclude_absence(posting, each)

    def _note_presence(self, posting: Attempt, each: _Filter, rows: list[LogRow]) -> None:
        for row in rows:
            if row.message_id in each.message_ids:
                if posting.messages[row.message_id] in _ASKED:
                    posting.learn(row.message_id, Event.LOG_ROW)
                if row.bulk_id:
                    self.found_in[row.message_id] = row.bulk_id

    def _provable_at(self, posting: Attempt) -> float:
        """When the first look may count: the POST is surely over, and the logs have caught up.

        A POST of this try is over when it is asked about. Of one of an earlier try all that is known is that it was
        begun at the latest a moment after this try took over; when its intent was written another clock has said.
        """
        longest, grace = self.rules.read_timeout, self.rules.grace
        if posting.ours:
            over_at = max(posting.intent_at + longest, self._asked_at)
        else:
            over_at = (self._asked_at if self.loaded_at is None else self.loaded_at) + FENCE + longest
        if posting.scheduled_at is not None:
            over_at = max(over_at, posting.scheduled_at + longest)
        return over_at + grace

    def _too_early(self, posting: Attempt, rows: list[LogRow]) -> float:
        """Seconds for which the vendor's own clock says that a message with `sendAt` cannot be in the logs yet."""
        said = said_at(rows)
        if posting.scheduled_at is None or said is None:
            return 0.0
        return posting.scheduled_at + self.rules.read_timeout + self.rules.grace - said

    def _can_be_proven(self, posting: Attempt) -> bool:
        """Whether absence can be proven: not when the logs have forgotten, nor long before a scheduled time; nor where
        another account may have been posted to, as records of versions that knew of none leave open.
        """
        now = self.clock()
        known_here = posting.ours or posting.is_from(self.here)
        return known_here and posting.is_remembered(now) and self._provable_at(posting) - now <= self.rules.patience


def _filters(posting: Attempt) -> list[_Filter]:
    """Look by the bulk where all stands or falls with one request, else message by message.

    A lone message is always asked for by its own id: whether its bulk id is kept is not published. So is one that was
    seen before, since that may have been in another request.
    """
    together = posting.having(_S.INTENT, _S.UNCONFIRMED)
    alone = posting.having(_S.SEEN)
    if len(together) == 1 or not posting.by_bulk:
        together, alone = [], together + alone
    found = [_Filter(together, posting.bulk_id)] if together else []
    return found + [_Filter([each]) for each in alone]


def evenly(ids: list[str], most: int) -> list[str]:
    """So many of them at the most, from the first to the last."""
    if len(ids) <= most:
        return ids
    return [ids[round(index * (len(ids) - 1) / max(most - 1, 1))] for index in range(most)]


def _conclude_absence(posting: Attempt, each: _Filter) -> None:
    """Two empty looks, far enough apart: what was not seen is not there."""
    for message_id in each.message_ids:
        if posting.messages[message_id] is _S.INTENT:
            posting.learn(message_id, Event.PROVEN_ABSENT)
    each.done = True


def _unresolved(posting: Attempt, each: _Filter) -> bool:
    return any(posting.messages[message_id] in (_S.INTENT, _S.SEEN) for message_id in each.message_ids)
