"""The wait: read, write down, decide; heal by the logs what the read-once reports did not bring.

One machine for all modes. A poking sensor drives one :meth:`Wait.poll` at a time, a trigger :meth:`Wait.until_decided`.

What each death costs, and why nothing is lost:

* before a report read: nothing was consumed;
* after the read, before the write: the page is gone from the reports; the logs look at the next start brings it back;
* after the write: the next copy reads the journal first thing.

Two copies of a trigger steal pages from each other. Each merges before it writes, and the logs look that comes every
few polls without progress brings what the other took.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_omni.delivery.effects import Ask, Clock, Load, Note, Pause, Save, Steps
from airflow_provider_omni.delivery.journal import decode, encode
from airflow_provider_omni.delivery.tracking import Outcome, Sighting, Tracker
from airflow_provider_omni.delivery.verdict import Goal, Tally, Verdict, judge
from airflow_provider_omni.delivery.watch import Bulk, Watch
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniBusyError,
    OmniError,
    OmniRequestError,
    OmniStaleTryError,
    OmniStorageError,
)
from airflow_provider_omni.omni.models import LogRow, Report
from airflow_provider_omni.omni.retries import backoff
from airflow_provider_omni.omni.statuses import StepState

PAGE = 1000
"""Rows a page of reports or logs can hold; a shorter page is the last."""
MAX_PAGES = 100
"""Pages of reports read in one go for one bulk; a server that never gives a short page must not hold us."""
QUIET_POLLS = 4
"""Polls without progress after which the logs are asked."""
LOG_LAG = 30.0
"""Seconds that the logs may lag behind; two looks this far apart that agree tell the size of an unknown bulk."""
LAST_LOOK_PATIENCE = 300.0
"""Seconds that the last looks may take before giving up at the deadline, with waiting for the budget of log calls."""
LAST_LOOKS = 4
"""How often a look that fails is repeated before giving up at the deadline."""
REFUSALS = 3
"""Polls in a row that the API may refuse (401, 403, other 4xx) before the wait ends with that error."""


@dataclass(frozen=True, slots=True)
class WaitEnd:
    """How a wait ended. ``summary`` is JSON without numbers and texts."""

    verdict: Verdict
    summary: dict[str, Any]
    explanation: str


@dataclass
class _Source:
    """One filter by which reports are read: a bulk, or a message that is alone in its request."""

    bulk: Bulk
    expected: int | None
    tally: Tally = field(default_factory=Tally)
    stale: bool = True
    """The tally does not yet hold all that was seen."""
    recalled: bool = False
    """The journal was read back."""
    unsaved: bool = False
    logs_due: bool = True
    quiet: int = 0
    rows_at_last_look: tuple[float, int] | None = None
    ids: set[str] = field(default_factory=set)
    """Messages that are known to be in it: all that were seen, where it does not list them."""
    members: Container[str] | None = None
    """Which messages can be in it; None: those that it lists, or whichever are seen."""

    @property
    def total(self) -> int:
        return len(self.ids) if self.expected is None else self.expected

    @property
    def surplus(self) -> int:
        """How many more messages were seen than are in it: refused ones, where the receipt does not list who is."""
        return max(0, len(self.ids) - self.total)

    @property
    def open(self) -> bool:
        """Whether there may be more to read."""
        return self.expected is None or self.tally.unsettled > 0

    def knows(self, message_id: str) -> bool:
        """Whether a row is about one of its messages. Refused ones may show up under its bulk id, too."""
        if self.members is not None:
            return message_id in self.members
        return not self.bulk.message_ids or message_id in self.ids


class Wait:
    """Follows the messages of a :class:`Watch` until the verdict falls.

    ``clock`` gives wall-clock seconds; ``jitter`` a number in [0, 1) that spreads the polls of many waits.
    ``refusals``: polls in a row that the API may refuse; 1 where each poll is a wait of its own (reschedule mode).
    """

    def __init__(
        self, watch: Watch, clock: Clock, jitter: Callable[[], float] = random.random, refusals: int = REFUSALS
    ) -> None:
        self.watch = watch
        self.refusals = refusals
        self.clock = clock
        self.jitter = jitter
        self.tracker = Tracker(watch.flow, watch.settle_seconds)
        self._sources = [_Source(bulk, bulk.messages, ids=set(bulk.message_ids)) for bulk in watch.bulks]
        self._refused_polls = 0
        self._started = False

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls; at the deadline at the latest."""
        while True:
            end = yield from self.poll()
            if end is not None:
                return end
            pause = self.watch.poll_interval * (0.9 + 0.2 * self.jitter())
            yield Pause(max(0.0, min(pause, self.watch.deadline - self.clock())))

    def poll(self) -> Steps[WaitEnd | None]:
        """Read once what is there to read. Returns the end, or None while it is not decided."""
        yield from self._recall()
        if not self._started:
            self._started = True
            if (end := self._decide(closing=False)) is not None:
                return end
        refusal: OmniError | None = None
        closing = self.clock() >= self.watch.deadline
        for source in self._sources:
            if source.open:
                refusal = (yield from self._read(source)) or refusal
            elif source.unsaved:
                yield from self._write_down(source, news=False)
        yield from self._look(closing=closing)
        self._refused_polls = self._refused_polls + 1 if refusal is not None else 0
        if refusal is not None and self._refused_polls >= self.refusals:
            raise refusal
        return self._decide(closing=closing)

    # -- reading -------------------------------------------------------------------------------------------------

    def _recall(self) -> Steps[None]:
        """Read back what an earlier try, or an earlier copy of this trigger, has written down."""
        for source in self._sources:
            if source.recalled:
                continue
            try:
                entry = yield Load(source.bulk.journal_key)
            except OmniStorageError as error:
                yield Note(
                    f"The journal could not be read ({type(error).__name__}); it will be repeated.", warning=True
                )
                continue
            source.recalled = True
            self._take(source, decode(entry))

    def _read(self, source: _Source) -> Steps[OmniError | None]:
        """Drain the reports of one source. Returns the refusal, if the API refused."""
        if self.watch.logs_only:
            source.logs_due = True
            return None
        for _ in range(MAX_PAGES):
            try:
                page: list[Report] = yield Ask(api.get_reports(**source.bulk.report_filter, limit=PAGE))
            except OmniError as error:
                # The page may have been handed out to nobody: only the logs still have it.
                source.logs_due = True
                yield Note(f"A read of reports failed ({type(error).__name__}); the logs will be asked.", warning=True)
                return error if isinstance(error, OmniAuthenticationError | OmniRequestError) else None
            news = self._take(source, (Sighting.of(report) for report in page))
            source.quiet = 0 if news else source.quiet + 1
            yield from self._write_down(source, news=news)
            if len(page) < PAGE:
                break
        if source.quiet >= QUIET_POLLS or self._may_close_unheard(source):
            source.logs_due = True
        return None

    def _may_close_unheard(self, source: _Source) -> bool:
        """Whether a failure may soon close a message because nothing more is heard: the logs must have been asked."""
        return not self.tracker.last_channel and source.tally.lingering > 0

    def _look(self, *, closing: bool) -> Steps[None]:
        """Ask the logs about every source that is due; one call for many lone messages."""
        due = [each for each in self._sources if each.open and (each.logs_due or closing or each.expected is None)]
        for source in due:
            source.logs_due = True
        until = self.clock() + (LAST_LOOK_PATIENCE if closing else 0.0)
        for attempt in range(1, LAST_LOOKS + 1 if closing else 2):
            for source in due:
                if not source.bulk.alone and source.logs_due:
                    yield from self._look_for_bulk(source, until)
            yield from self._look_for_lone([each for each in due if each.bulk.alone], until)
            if self.clock() >= until:
                return
            if attempt == LAST_LOOKS or not any(each.logs_due for each in due):
                return
            yield Pause(backoff(attempt, None, self.jitter))

    def _look_for_bulk(self, source: _Source, until: float) -> Steps[None]:
        assert source.bulk.bulk_id is not None
        rows = yield from self._ask_logs(until, bulk_ids=(source.bulk.bulk_id,))
        if rows is not None:
            yield from self._heal(source, rows)
            self._size_up(source, full=len(rows) >= PAGE)

    def _look_for_lone(self, sources: list[_Source], until: float) -> Steps[None]:
        waiting = [each for each in sources if each.logs_due]
        while waiting:
            group = waiting[: self._ids_in_one_look(waiting)]
            rows = yield from self._ask_logs(until, message_ids=tuple(each.bulk.message_ids[0] for each in group))
            if rows is None:
                waiting = waiting[len(group) :]
                continue
            found: dict[str, list[LogRow]] = {}
            for row in rows:
                found.setdefault(row.message_id, []).append(row)
            unseen = [each for each in group if each.bulk.message_ids[0] not in found]
            if unseen and len(group) > 1 and self.watch.ids_per_look > 1:
                # Whether the vendor reads a list of ids in full is not certain: one id at a time is.
                one = unseen[0].bulk.message_ids[0]
                rows = yield from self._ask_logs(until, message_ids=(one,))
                if rows is None:
                    waiting = waiting[len(group) :]
                    continue
                if rows:
                    self.watch = replace(self.watch, ids_per_look=1)
                    continue
            for source in group:
                yield from self._heal(source, found.get(source.bulk.message_ids[0], []))
            waiting = waiting[len(group) :]

    def _ids_in_one_look(self, sources: list[_Source]) -> int:
        length = taken = 0
        for source in sources[: self.watch.ids_per_look]:
            length += len(source.bulk.message_ids[0]) + 1
            if length > api.MAX_IDS_LENGTH:
                break
            taken += 1
        return max(taken, 1)

    def _ask_logs(self, until: float, **ids: tuple[str, ...]) -> Steps[list[LogRow] | None]:
        """Ask the logs, with patience until then. None where that failed; the sources stay due."""
        patience = max(0.0, until - self.clock())
        try:
            return (yield Ask(api.get_logs(**ids, limit=PAGE), patience=patience))  # type: ignore[arg-type,no-any-return]
        except OmniBusyError:
            return None
        except OmniError as error:
            yield Note(f"A look into the logs failed ({type(error).__name__}); it will be repeated.", warning=True)
            return None

    def _heal(self, source: _Source, rows: list[LogRow]) -> Steps[None]:
        source.logs_due = False
        source.quiet = 0
        news = self._take(source, (Sighting.of(row) for row in rows))
        yield from self._write_down(source, news=news)

    def _size_up(self, source: _Source, *, full: bool) -> None:
        """Settle how many messages an unknown bulk has: two looks, far enough apart, that agree."""
        if source.expected is not None or full:
            return
        now, seen = self.clock(), len(source.ids)
        if source.rows_at_last_look is None or source.rows_at_last_look[1] != seen:
            source.rows_at_last_look = (now, seen)
        elif seen and now - source.rows_at_last_look[0] >= LOG_LAG:
            source.expected = seen
            source.stale = True

    def _take(self, source: _Source, sightings: Iterable[Sighting]) -> bool:
        """Take sightings in. Returns whether any is worth writing down: more than "still under way"."""
        news = False
        for sighting in sightings:
            if not source.knows(sighting.message_id):
                continue
            new_id = sighting.message_id not in source.ids
            source.ids.add(sighting.message_id)
            if self.tracker.observe(sighting) or new_id:
                source.stale = True
                news = news or sighting.state is not StepState.PENDING
        return news

    def _write_down(self, source: _Source, *, news: bool) -> Steps[None]:
        """Merge with what is written, and write. Until that succeeded nothing is decided from it."""
        source.unsaved = source.unsaved or news
        if not source.unsaved:
            return
        try:
            written = yield Load(source.bulk.journal_key)
            source.recalled = True
            self._take(source, decode(written))
            yield Save(source.bulk.journal_key, encode(self._worth_keeping(source)))
            source.unsaved = False
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Note(f"The journal could not be written ({type(error).__name__}); it will be repeated.", warning=True)

    def _worth_keeping(self, source: _Source) -> Iterable[Sighting]:
        for message_id in sorted(source.ids):
            for step in self.tracker.steps(message_id):
                if step.state is not StepState.PENDING:
                    yield step

    # -- deciding ------------------------------------------------------------------------------------------------

    def tally(self, *, closing: bool = False) -> Tally:
        """The counts over all messages. Only bulks that something happened to are counted anew."""
        now = self.clock()
        total = Tally()
        for source in self._sources:
            ageing = not self.tracker.last_channel and source.open
            if source.stale or closing or ageing:
                source.tally = self._count(source, now, closing=closing)
                source.stale = False
            total.merge(source.tally)
        return total

    def _count(self, source: _Source, now: float, *, closing: bool) -> Tally:
        tally = Tally(total=source.total)
        surplus = source.surplus
        for message_id in sorted(source.ids):
            standing = self.tracker.standing(message_id, now, closing=closing)
            if standing.by is None and standing.outcome is Outcome.PENDING:
                continue
            if surplus and standing.by and self._may_be_refused(standing.by):
                surplus -= 1
                continue
            tally.add(message_id, standing, self.tracker.steps(message_id), self.watch.goal.delivered_means)
        return tally

    def _may_be_refused(self, step: Sighting) -> bool:
        """Whether a message looks as refused ones do where they show up: one step failed, none has followed."""
        first = step.channel != self.tracker.last_channel or len(self.tracker.flow) == 1
        return step.state is StepState.FAILED and first

    def _decide(self, *, closing: bool) -> WaitEnd | None:
        tally = self.tally(closing=closing)
        if any(source.unsaved or not source.recalled for source in self._sources) and not closing:
            return None  # not written down yet, or not all that was written down could be read: counts must be whole
        goal = self.watch.goal
        if any(source.expected is None for source in self._sources):
            if closing and not tally.total:
                verdict = Verdict.TIMEOUT
            elif closing:
                verdict = judge(tally, goal, deadline_passed=True, unsent=self.watch.unsent)
            else:
                early = goal.success_when == "any" and tally.delivered > 0 and not goal.settle
                verdict = Verdict.SUCCESS if early else Verdict.OPEN
        else:
            verdict = judge(tally, goal, deadline_passed=closing, unsent=self.watch.unsent)
        if verdict is Verdict.OPEN:
            return None
        return WaitEnd(verdict, tally.summary(self.watch.ledger_path), explain(verdict, tally, goal, self.watch.unsent))


def explain(verdict: Verdict, tally: Tally, goal: Goal, unsent: int = 0) -> str:
    """Say how it ended: counts only. ``unsent``: the refused and the never posted, of whom no goal counts one."""
    if not tally.total and unsent and verdict is Verdict.FAILURE:
        return f"Nobody was sent to: the vendor refused, or the send never reached, all {unsent} recipients."
    counts = f"{tally.delivered} of {tally.total} delivered, {tally.failed} failed, {tally.pending} open"
    if unsent:
        counts += f"; not counted: {unsent} who were refused or never sent to"
    if verdict is Verdict.SUCCESS:
        return f"Delivery goal {goal.success_when!r} reached: {counts}."
    if verdict is Verdict.FAILURE:
        return f"Delivery goal {goal.success_when!r} cannot be reached any more: {counts}."
    return f"The deadline came before delivery goal {goal.success_when!r} was reached: {counts}."
