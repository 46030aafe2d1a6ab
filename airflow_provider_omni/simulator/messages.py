"""The messages of the simulated account, their reports and their log rows. `reading.py` and `sending.py` speak HTTP.

Reports wait in a heap until their time has come, then in an index until somebody reads them: a read costs what it
returns.
"""

from __future__ import annotations

import bisect
import functools
import heapq
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.simulator.fates import Reporting
from airflow_provider_omni.simulator.outcomes import Status
from airflow_provider_omni.simulator.requests_kept import SentRequest
from airflow_provider_omni.simulator.settings import Settings
from airflow_provider_omni.simulator.timeline import Change, FlowStep, Step, milliseconds, reported


@dataclass(frozen=True)
class Content:
    """Content of one send request, shared by all its messages. `by_channel`: channel → content object."""

    scenario_key: str
    by_channel: Mapping[str, Mapping[str, Any]]
    callback_data: str | None
    notify: bool | None
    notify_url: str | None
    digest: str
    request: SentRequest | None = None

    @functools.cached_property
    def words(self) -> str:
        """Every text of every channel, folded for a search that does not look at case."""
        return "\n".join(_texts(self.by_channel)).casefold()


@dataclass(slots=True, eq=False)
class Message:
    """A message that the account knows of. `to` is digits only; `steps` is its whole future.

    `number`: its place among all that was ever sent, from 1; 0 while nobody lists it. `state` and `channel`: where it
    stood, and on which channel, when it was last looked at, see `message_index.py`. `refusal`: the status with which it
    was refused in the 200 answer.
    """

    message_id: str
    bulk_id: str
    to: str
    content: Content
    flow: tuple[FlowStep, ...]
    accepted_at: float
    starts_at: float
    reporting: Reporting
    steps: list[Step]
    in_logs: bool = True
    in_reports: bool = True
    queued: list[ReportEntry] = field(default_factory=list)
    number: int = 0
    state: str = ""
    channel: str = ""
    refusal: Status | None = None


@dataclass(slots=True, eq=False)
class ReportEntry:
    """A report that waits for its time, or for its reader."""

    number: int
    available_at: float
    message: Message
    step: Step
    change: Change
    cancelled: bool = False


class MessageStore:
    """All messages, and the two ways of asking about them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._numbers = itertools.count()
        self._by_id: dict[str, list[Message]] = {}
        self._by_bulk: dict[str, list[Message]] = {}
        self._rows: list[tuple[int, int, Message, Step]] = []
        self._due: list[tuple[float, int, ReportEntry]] = []
        self._unread: dict[int, ReportEntry] = {}
        self._unread_by_id: dict[str, dict[int, ReportEntry]] = {}
        self._unread_by_bulk: dict[str, dict[int, ReportEntry]] = {}

    def add(self, message: Message, settings: Settings) -> None:
        """Take in a message whose steps are planned."""
        self._by_id.setdefault(message.message_id, []).append(message)
        if message.bulk_id:
            self._by_bulk.setdefault(message.bulk_id, []).append(message)
        self._plan_rows(message, message.steps)
        self._plan_reports(message, settings)

    def replan(
        self,
        message: Message,
        kept: int,
        later: list[Step],
        now: float,
        settings: Settings,
        news: Change | None = None,
    ) -> None:
        """Keep the first `kept` steps and put others in place of the rest; reports already out stay out.

        `news`: a change of this very moment, which has no report yet.
        """
        self._ripen(now, settings)
        for step in message.steps[kept:]:
            step.cancelled = True
        for entry in message.queued:
            entry.cancelled = True
        message.queued.clear()
        message.steps = message.steps[:kept] + later
        self._plan_rows(message, later)
        self._plan_reports(message, settings, after=now, news=news)

    def _plan_rows(self, message: Message, steps: Iterable[Step]) -> None:
        if message.in_logs:
            for step in steps:
                bisect.insort(self._rows, (step.logged_ms, next(self._numbers), message, step))

    def _plan_reports(
        self, message: Message, settings: Settings, after: float = 0.0, news: Change | None = None
    ) -> None:
        if not message.in_reports:
            return
        for available_at, step, change in reported(message.steps, message.reporting, settings):
            if available_at <= after and change is not news:
                continue
            entry = ReportEntry(next(self._numbers), available_at, message, step, change)
            message.queued.append(entry)
            heapq.heappush(self._due, (available_at, entry.number, entry))

    def remove(self, messages: Sequence[Message]) -> None:
        """Forget messages, their reports and their log rows."""
        gone = {id(message) for message in messages}
        for message in messages:
            for entry in message.queued:
                entry.cancelled = True
            message.queued.clear()
            for entry in list(self._unread_by_id.get(message.message_id, {}).values()):
                if entry.message is message:
                    self._forget(entry)
            for index, key in ((self._by_id, message.message_id), (self._by_bulk, message.bulk_id)):
                if key in index:
                    index[key] = [other for other in index[key] if id(other) not in gone]
                    if not index[key]:
                        del index[key]
        self._rows = [row for row in self._rows if id(row[2]) not in gone]

    def unread_of(self, message: Message, now: float, settings: Settings) -> list[ReportEntry]:
        """Return the reports of one message that could be read now, without reading them."""
        self._ripen(now, settings)
        waiting = self._unread_by_id.get(message.message_id, {}).values()
        return [entry for entry in waiting if entry.message is message]

    def all(self) -> Iterator[Message]:
        """Yield every message."""
        return itertools.chain.from_iterable(self._by_id.values())

    def take_reports(
        self,
        now: float,
        settings: Settings,
        *,
        bulk_id: str | None = None,
        message_id: str | None = None,
        channel: str | None = None,
        limit: int,
    ) -> list[ReportEntry]:
        """Return up to `limit` unread reports, and forget them as the switches say."""
        self._ripen(now, settings)
        if message_id is not None:
            pool = self._unread_by_id.get(message_id, {})
        elif bulk_id is not None:
            pool = self._unread_by_bulk.get(bulk_id, {})
        else:
            pool = self._unread
        ordered: Iterable[ReportEntry] = pool.values()
        if settings.report_order == "newest":
            ordered = reversed(pool.values())
        elif settings.report_order == "random":
            ordered = self._rng.sample(list(pool.values()), len(pool))
        taken = list(
            itertools.islice(
                (
                    entry
                    for entry in ordered
                    if (bulk_id is None or entry.message.bulk_id == bulk_id)
                    and (channel is None or entry.step.channel == channel)
                ),
                limit,
            )
        )
        filtered = not (bulk_id is None and message_id is None and channel is None)
        if settings.report_consumption != "never":
            gone = list(self._unread.values()) if filtered and settings.filtered_read == "all" else taken
            for entry in gone:
                self._forget(entry)
        return taken

    def give_back(self, entries: Iterable[ReportEntry]) -> None:
        """Make reports readable again: their answer was not written in full."""
        for entry in entries:
            self._keep(entry)

    def unread(self, now: float, settings: Settings) -> int:
        """Return how many reports could be read now."""
        self._ripen(now, settings)
        return len(self._unread)

    def _ripen(self, now: float, settings: Settings) -> None:
        while self._due and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)[2]
            if not entry.cancelled:
                entry.message.queued.remove(entry)
                self._keep(entry)
        horizon = now - settings.retention_seconds
        while self._unread:
            oldest = next(iter(self._unread.values()))
            if oldest.available_at >= horizon:
                break
            self._forget(oldest)

    def _keep(self, entry: ReportEntry) -> None:
        self._unread[entry.number] = entry
        self._unread_by_id.setdefault(entry.message.message_id, {})[entry.number] = entry
        if entry.message.bulk_id:
            self._unread_by_bulk.setdefault(entry.message.bulk_id, {})[entry.number] = entry

    def _forget(self, entry: ReportEntry) -> None:
        self._unread.pop(entry.number, None)
        for index, key in (
            (self._unread_by_id, entry.message.message_id),
            (self._unread_by_bulk, entry.message.bulk_id),
        ):
            entries = index.get(key)
            if entries is not None:
                entries.pop(entry.number, None)
                if not entries:
                    del index[key]

    def rows(
        self,
        now: float,
        settings: Settings,
        *,
        message_ids: Sequence[str] = (),
        bulk_ids: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[tuple[Message, Step, Change | None]]:
        """Yield log rows as the logs show them now, newest first: the message, the step, its latest change."""
        seen_at = now - settings.log_lag_seconds
        seen_ms = milliseconds(seen_at)
        earliest = max(milliseconds(now - settings.retention_seconds), milliseconds(since or 0.0))
        latest = seen_ms if until is None else min(seen_ms, milliseconds(until))
        messages = [message for key in message_ids for message in self._by_id.get(key, ())]
        if not message_ids:
            messages = [message for key in bulk_ids for message in self._by_bulk.get(key, ())]
        found: Iterable[tuple[int, int, Message, Step]]
        if message_ids or bulk_ids:
            candidates = (
                (step.logged_ms, number, message, step)
                for number, message in enumerate(messages)
                if message.in_logs and (not bulk_ids or message.bulk_id in bulk_ids)
                for step in message.steps
            )
            found = sorted(
                (row for row in candidates if earliest <= row[0] <= latest), key=lambda row: row[:2], reverse=True
            )
        else:
            first = bisect.bisect_left(self._rows, earliest, key=lambda row: row[0])
            behind = bisect.bisect_right(self._rows, latest, key=lambda row: row[0])
            found = (self._rows[position] for position in range(behind - 1, first - 1, -1))
        for _, _, message, step in found:
            if step.cancelled:
                continue
            if settings.log_rows == "last-step" and any(
                other.logged_ms <= seen_ms for other in message.steps[message.steps.index(step) + 1 :]
            ):
                continue
            yield message, step, step.at(seen_at)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text inside a value of JSON."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, list):
            waiting.extend(reversed(one))
