"""Follow thousands of single-message requests by reading the logs in time windows, and by message id where a window may
have missed one.

Time windows leave gaps. A window may miss a message, because its full page cannot be cut or a clock is wrong: so unseen
messages are asked for by their ids now and then, and at the end all that are open. And a vendor may show only the last
step in its logs, so that only a report tells of a delivery on an earlier channel: so if not every step was seen to
fail, the message's report is read once before its failure counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from airflow_provider_omni.delivery.effects import Ask, Compute, Note, Pause, Steps
from airflow_provider_omni.delivery.messages.status import NEVER, Outcome, StatusUpdate
from airflow_provider_omni.delivery.tracking import policy
from airflow_provider_omni.delivery.tracking.log_queries import MESSAGES, PAGE
from airflow_provider_omni.delivery.tracking.subscriptions import Subscription
from airflow_provider_omni.delivery.tracking.time_windows import LAG, UNREAD, TimeWindows, Window
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.wait import CLOSING, LAST_LOOKS, DeliveryWait
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.models import LogRow, Report, skipped_in
from airflow_provider_omni.omni.retries import backoff
from airflow_provider_omni.omni.statuses import StepState

LOOKS_BY_ID = 20
"""Budget of calls for messages that no window has shown, per round before the deadline."""
IN_A_THREAD = 200
"""Number of rows above which a page is taken in beside the event loop."""
UNSURE = (Outcome.PENDING, Outcome.OPERATOR)


class SingleMessageWait(DeliveryWait):
    """A wait that may have many single messages. Its subclass, the wait of a ledger, says which."""

    def _begin(self) -> None:
        """Start afresh."""
        self._by_lone: dict[str, Subscription] = {}
        self._slices: TimeWindows | None = None
        self._unseen_due = self.clock() + LAG
        self._unseen_from = 0
        self._heard: set[str] = set()
        """Messages whose own report was read."""
        self._unlooked: frozenset[str] = frozenset()
        """Messages that the last round did not reach, or that the logs did not show in it."""

    def _sliced(self) -> list[Subscription]:
        return [source for source in self._sources if source.sliced and source.open]

    def _settle(self) -> Steps[None]:
        """Write down what is new, and count it."""
        yield from ()

    def _look(self, *, closing: bool) -> Steps[None]:
        if self._slices is not None and self._sliced():
            yield from self._look_at_slices(self._slices, closing=closing)
            yield from self._look_by_id(closing=closing)
        yield from super()._look(closing=closing)
        yield from self._settle()
        if any(source.doubted for source in self._sources):
            yield from self._hear_the_doubted()
            yield from self._settle()

    # -- time windows ------------------------------------------------------------------------------------------------

    def _look_at_slices(self, slices: TimeWindows, *, closing: bool) -> Steps[None]:
        """Query all open windows once. If the budget is spent, the rest comes first in the next round."""
        until = self._until(CLOSING / 2, self.watch.poll_interval)
        due = slices.due(self.clock())
        for attempt in range(1, LAST_LOOKS + 1 if closing else 2):
            yield from self._look_at(slices, due, until)
            due = slices.unread()
            if not due or not closing or attempt == LAST_LOOKS or self.clock() >= until:
                return
            yield Pause(backoff(attempt, None, self.jitter))

    def _look_at(self, slices: TimeWindows, due: list[Window], until: float) -> Steps[None]:
        waiting = due[::-1]
        while waiting:
            stretch = waiting.pop()
            rows = yield from self.looks.ask(
                until,
                sent_since=datetime.fromtimestamp(stretch.since, UTC),
                sent_until=datetime.fromtimestamp(stretch.until, UTC),
                limit=PAGE,
            )
            if rows is None and self.looks.busy:
                return
            if rows is None:
                slices.failed(stretch)
                continue
            pending = yield from self._beside(rows, lambda rows=rows: self._take_slice(rows))  # type: ignore[misc]
            # A row that cannot be parsed may be one of ours, so its window stays open.
            pending = pending or skipped_in(rows) > 0
            if len(rows) + skipped_in(rows) >= PAGE and (halves := slices.full(stretch)):
                waiting += reversed(halves)
            else:
                slices.seen(stretch, self.clock(), pending=pending, rows=len(rows) + skipped_in(rows))
            yield from self._write_if_much()
            if self.clock() >= until:
                return

    def _take_slice(self, rows: Sequence[LogRow]) -> bool:
        """Take in the rows that are ours. Returns True if one of our messages in the window may still change, a failed
        step with another to follow included.
        """
        pending, now = False, self.clock()
        for row in rows:
            source = self._by_lone.get(row.message_id)
            if source is not None and source.sliced:
                self._take(source, (StatusUpdate.of(row),))
                pending = pending or self.tracker.standing(row.message_id, now).outcome in UNSURE
        return pending

    # -- by their ids ------------------------------------------------------------------------------------------------

    def _look_by_id(self, *, closing: bool) -> Steps[None]:
        """Ask for messages by their ids: now and then for some of the unseen, at the end for all that are open."""
        now = self.clock()
        if not closing and now < self._unseen_due:
            return
        self._unseen_due = now + LAG
        open_: list[str] = yield Compute(lambda: self._open_ones(with_seen=closing))
        if not closing:
            begin = self._unseen_from = self._unseen_from % max(len(open_), 1)
            self._unseen_from += LOOKS_BY_ID * self.looks.at_once[MESSAGES] // 2
            open_ = open_[begin:] + open_[:begin]
        until = self._until(CLOSING * 2 / 3, self.watch.poll_interval)
        if not closing:
            yield from self._look_for_these(open_, until, most=LOOKS_BY_ID)
            return
        left = yield from self._look_for_these(open_, until)
        # If every window could be read, they were looked for there.
        self._unlooked = frozenset(left if self._slices is not None and self._slices.unread() else ())

    def _look_for_these(self, open_: list[str], until: float, most: float = math.inf) -> Steps[list[str]]:
        """Ask for messages by their ids. Returns those that were not reached, or that the logs do not show.

        :param open_: ids to ask for, most urgent first.
        :param until: time at which no further call begins.
        :param most: budget of calls, in which a query for several ids counts as two.
        """
        calls, unshown = 0, list[str]()
        while open_ and calls < most:
            group = open_[: self.looks.at_once[MESSAGES]]
            found = yield from self.looks.about(MESSAGES, group, until)
            calls += 2
            if found is None:
                break
            for message_id, rows in found.items():
                if not rows:
                    unshown.append(message_id)
                if source := self._by_lone.get(message_id):
                    yield from self._take_rows(source, rows)
            yield from self._write_if_much()
            untold = [each for each in group if each not in found]
            # After a full page the same are asked for again, fewer at once. Those of which an answer tells nothing come
            # last: a later list may show that the vendor reads lists.
            open_ = open_[len(group) :] + untold if found else untold + open_[len(group) :]
            if self.clock() >= until:
                break
        return open_ + unshown

    def _looked_at(self, source: Subscription, message_id: str, *, closing: bool) -> float:
        if not source.sliced:
            return super()._looked_at(source, message_id, closing=closing)
        read_at = self._slices.read_at() if self._slices is not None else NEVER
        if closing and read_at == UNREAD and message_id not in self._unlooked:
            # If a window could not be read, they were asked for by their ids.
            return self._closing_since or NEVER
        return NEVER if read_at == UNREAD else read_at

    def _open_ones(self, *, with_seen: bool) -> list[str]:
        """Return the single messages whose outcome is open, the unseen first.

        :param with_seen: include the seen. Else only the unseen are returned. Two of the seen then lead, whatever their
            outcome: if the first answer shows both, the vendor reads lists, and the unseen need not be asked for alone.
        """
        now, unseen, others, shown = self.clock(), list[str](), list[str](), list[str]()
        wanted = UNSURE if self.watch.goal.delivered_means == "handset" else UNSURE[:1]
        for source in self._sliced():
            for message_id in sorted(source.ids):
                standing = self.tracker.standing(message_id, now)
                if standing.by is None:
                    unseen.append(message_id)
                    continue
                if len(shown) < policy.LISTED:
                    shown.append(message_id)
                if standing.outcome in wanted:
                    others.append(message_id)
        if not with_seen or not (unseen or others):
            return unseen
        return [*shown, *unseen, *(each for each in others if each not in shown)]

    # -- failures of which not every step was heard ------------------------------------------------------------------

    def _count(self, source: Subscription, now: float, *, closing: bool) -> DeliveryCounts:
        steps = len(set(self.tracker.flow))
        if source.sliced and steps > 1 and not closing:
            source.doubted = {
                message_id
                for message_id in source.ids - self._heard
                if sum(step.state is StepState.FAILED for step in self.tracker.steps(message_id)) < steps
                and self.tracker.standing(message_id, now).outcome is Outcome.FAILED
            }
        return super()._count(source, now, closing=closing)

    def _hear_the_doubted(self) -> Steps[None]:
        """Read the reports of messages that seem to have failed, as many as the time allows.

        A message not reached by the deadline has failed.
        """
        until = self._until(CLOSING, self.watch.poll_interval)
        for source in [each for each in self._sources if each.doubted]:
            for message_id in sorted(source.doubted):
                if self.clock() >= until or self._writing_fails(source):
                    return
                self._heard.add(message_id)
                source.stale = True
                try:
                    page: list[Report] = yield Ask(
                        api.get_reports(message_id=message_id, limit=PAGE), label="reports read"
                    )
                except OmniError as error:
                    yield Note(f"A read of reports failed ({error.why}).", warning=True)
                    continue
                yield from self._take_rows(source, page)
                yield from self._write_if_much()

    def _write_if_much(self) -> Steps[None]:
        yield from ()

    def _beside(self, rows: Sequence[LogRow | Report], take: Callable[[], bool]) -> Steps[bool]:
        """Take rows in. Many rows are taken in beside the event loop, in a thread, so that it is not held up."""
        if len(rows) <= IN_A_THREAD:
            return take()
        news: bool = yield Compute(take)
        return news

    def _take_rows(self, source: Subscription, rows: Sequence[Report | LogRow]) -> Steps[bool]:
        return (yield from self._beside(rows, lambda: self._take(source, [StatusUpdate.of(row) for row in rows])))
