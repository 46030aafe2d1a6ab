"""The wait of a batch: what to follow is read from its ledger, and what was read goes into the ledger.

Decisions are those of `delivery/waiting.py`. Three things differ, since there may be a million messages: outcomes are
written as parts, several requests' together; what is known of a request is forgotten once nothing more can come (its
counts stay); and lone messages in great number are followed through time slices of the logs instead of one by one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_omni.delivery.batch.known import Known
from airflow_provider_omni.delivery.batch.scratch import Scratch
from airflow_provider_omni.delivery.effects import Ask, Clock, Compute, Fetch, ListParts, Note, Put, Steps
from airflow_provider_omni.delivery.ledger.members import Members
from airflow_provider_omni.delivery.ledger.parts import OUTCOMES, SENT, TRIES, VERSION, TryName, pack, unpack
from airflow_provider_omni.delivery.ledger.slices import Slices, Stretch
from airflow_provider_omni.delivery.ledger.steps import sighting_of, step_of
from airflow_provider_omni.delivery.tracking import Sighting
from airflow_provider_omni.delivery.verdict import Tally
from airflow_provider_omni.delivery.waiting import LAST_LOOK_PATIENCE, PAGE, REFUSALS, Wait, WaitEnd, _Source
from airflow_provider_omni.delivery.watch import Bulk, Watch
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import (
    OmniBusyError,
    OmniError,
    OmniInputError,
    OmniStaleTryError,
    OmniStorageError,
)
from airflow_provider_omni.omni.models import LogRow, skipped_in
from airflow_provider_omni.omni.statuses import StepState

MANY_LONE = 100
"""Above this many, lone messages are followed through time slices of the logs."""
LONE_TOGETHER = 1000
"""Lone messages whose counts are kept together."""
FLUSH_MESSAGES = 5000
"""Messages with news after which a part is written before more is read."""
MARGIN = 60.0
"""Seconds before the first intent at which looking begins: clocks differ."""


def wait_for(
    watch: Watch, clock: Clock, token: str, jitter: Callable[[], float] = random.random, refusals: int = REFUSALS
) -> Wait:
    """The wait for a watch: with its ledger, where it has one.

    :param token: tells this copy of the wait from all others; lower-case hex.
    """
    if watch.ledger_path is None:
        return Wait(watch, clock, jitter, refusals)
    return LedgerWait(watch, clock, token, jitter, refusals)


@dataclass(frozen=True, slots=True)
class Followed:
    """What a ledger says is to be followed.

    :param bulks: requests with several messages, and which messages count in each: rows about others may show up under
        its id, too (refused ones, ones that were taken in another request, or a stranger's).
    :param lone: ids of messages that were alone in theirs.
    :param apart: those of ``lone`` that may stand in some request's rows too.
    """

    bulks: tuple[tuple[Bulk, Members], ...]
    lone: tuple[str, ...]
    apart: tuple[str, ...]
    begin: float


class LedgerWait(Wait):
    """Follows everything that a ledger says was sent, or may have been."""

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        token: str,
        jitter: Callable[[], float] = random.random,
        refusals: int = REFUSALS,
    ) -> None:
        super().__init__(watch, clock, jitter, refusals)
        self._name = TryName(0, token)
        self._sequence = 0
        self._made = self._loaded = False
        self._news: dict[str, _Source] = {}
        self._by_bulk: dict[str, _Source] = {}
        self._by_lone: dict[str, _Source] = {}
        self._apart: dict[str, _Source] = {}
        self._released: set[int] = set()
        self._slices: Slices | None = None
        self._recalling = False

    # -- beginning ---------------------------------------------------------------------------------------------------

    def poll(self) -> Steps[WaitEnd | None]:
        """As ever. Until the ledger could be read nothing is decided."""
        try:
            yield from self._recall()
        except OmniStorageError as error:
            if not error.retryable or self.clock() >= self.watch.deadline:
                raise
            yield Note(f"The ledger could not be read ({type(error).__name__}); it will be repeated.", warning=True)
            return None
        return (yield from super().poll())

    def _recall(self) -> Steps[None]:
        """Read what was sent, and what earlier copies of this wait have written. Raises OmniStorageError, to be
        tried again.
        """
        if self._loaded:
            return
        if not self._made:
            self._make_sources((yield from self._read_sent()))
            self._made = True
        names: list[str] = yield ListParts(OUTCOMES)
        self._recalling = True
        for name in names:
            data: bytes = yield Fetch(name)
            yield Compute(lambda data=data, name=name: self._take_part(unpack(data, name)))  # type: ignore[misc]
        self._recalling = False
        self._loaded = True

    def _read_sent(self) -> Steps[Followed]:
        with Scratch() as scratch:
            known = Known(scratch)
            names: list[str] = yield ListParts(SENT)
            for name in names:
                data: bytes = yield Fetch(name)
                yield Compute(lambda data=data, name=name: _replay(known, unpack(data, name)))  # type: ignore[misc]
            followed: Followed = yield Compute(lambda: _followed(known))
            if not names and not (yield ListParts(TRIES)):
                raise OmniInputError(
                    "There is nothing to wait for",
                    problems=(
                        "ledger_path: no batch has used this ledger; that of a shard is a folder in it, and stands in "
                        "the shard's receipt",
                    ),
                )
        return followed

    def _make_sources(self, followed: Followed) -> None:
        many = len(followed.lone) > MANY_LONE
        if many:
            for start in range(0, len(followed.lone), LONE_TOGETHER):
                ids = followed.lone[start : start + LONE_TOGETHER]
                source = _Source(Bulk(None, len(ids), ids), len(ids), logs_due=False, ids=set(ids))
                self._sources.append(source)
                self._by_lone |= dict.fromkeys(ids, source)
            self._slices = Slices(followed.begin - MARGIN)
        for bulk, members in followed.bulks:
            source = _Source(bulk, bulk.messages, members=members)
            self._sources.append(source)
            self._by_bulk[bulk.bulk_id or ""] = source
        for message_id in () if many else followed.lone:
            source = _Source(Bulk(None, 1, (message_id,)), 1, ids={message_id})
            self._sources.append(source)
            self._by_lone[message_id] = source
        self._apart = {message_id: self._by_lone[message_id] for message_id in followed.apart}

    def _take_part(self, lines: Iterable[Any]) -> None:
        """Take in what an earlier copy has written. What this version cannot read the logs bring again."""
        for line in lines:
            if "steps" not in line:
                continue
            source = self._by_lone.get(line["id"]) or self._by_bulk.get(line.get("bulk") or "")
            if source is not None:
                self._take(source, [sighting_of(line["id"], step) for step in line["steps"]])

    # -- reading -----------------------------------------------------------------------------------------------------

    def _in_slices(self, source: _Source) -> bool:
        """Whether it holds lone messages, a single one too, that are followed through time slices."""
        return self._slices is not None and source.bulk.bulk_id is None

    def _read(self, source: _Source) -> Steps[OmniError | None]:
        """Reports are not read for messages that are followed in slices: it would take a call for each."""
        if self._in_slices(source):
            source.logs_due = False
            return None
        return (yield from super()._read(source))

    def _look(self, *, closing: bool) -> Steps[None]:
        if self._slices is not None:
            yield from self._look_at_slices(self._slices, closing=closing)
        hidden = [source for source in self._sources if self._in_slices(source)]
        if hidden:
            shown = [source for source in self._sources if not self._in_slices(source)]
            everything, self._sources = self._sources, shown
            try:
                yield from super()._look(closing=closing)
            finally:
                self._sources = everything
        else:
            yield from super()._look(closing=closing)
        yield from self._flush()
        self._release()

    def _look_at_slices(self, slices: Slices, *, closing: bool) -> Steps[None]:
        """One round: everything that is open since the last one. Where the budget is spent, the rest waits for the
        next.
        """
        if not any(source.open for source in self._sources if self._in_slices(source)):
            return
        patience = LAST_LOOK_PATIENCE if closing else self.watch.poll_interval
        due = slices.due(self.clock())
        while due:
            stretch = due.popleft()
            try:
                rows: list[LogRow] = yield Ask(
                    api.get_logs(
                        sent_since=datetime.fromtimestamp(stretch.since, UTC),
                        sent_until=datetime.fromtimestamp(stretch.until, UTC),
                        limit=PAGE,
                    ),
                    patience=patience,
                )
            except OmniError as error:
                slices.failed(stretch)
                if isinstance(error, OmniBusyError):
                    for rest in due:
                        slices.failed(rest)
                    return
                yield Note(f"A look into the logs failed ({type(error).__name__}); it will be repeated.", warning=True)
                continue
            # A row that cannot be read may be one of ours: its stretch stays open like that of a pending one.
            unclear = skipped_in(rows)
            pending = self._take_rows(rows) or unclear > 0
            halves: tuple[Stretch, ...] = slices.full(stretch) if len(rows) + unclear >= PAGE else ()
            if halves:
                due.extendleft(reversed(halves))
            else:
                slices.seen(stretch, self.clock(), pending=pending)
            if len(self._news) >= FLUSH_MESSAGES:
                yield from self._flush()

    def _take_rows(self, rows: list[LogRow]) -> bool:
        """Take in the rows that are ours. Returns whether one of them may still change."""
        pending = False
        for row in rows:
            source = self._by_lone.get(row.message_id)
            if source is None or not self._in_slices(source):
                continue
            sighting = Sighting.of(row)
            pending = pending or sighting.state in (StepState.PENDING, StepState.OPERATOR)
            self._take(source, (sighting,))
        return pending

    def _take(self, source: _Source, sightings: Iterable[Sighting]) -> bool:
        """As ever; and note which messages have news to be written down."""
        news, given = False, source
        for sighting in sightings:
            source = self._apart.get(sighting.message_id, given)
            if id(source) in self._released:
                continue
            if self._in_slices(source) and self._by_lone.get(sighting.message_id) is not source:
                continue
            if super()._take(source, (sighting,)) and not self._recalling:
                self._news[sighting.message_id] = source
                source.unsaved = True
                news = True
        return news

    # -- writing down ------------------------------------------------------------------------------------------------

    def _write_down(self, source: _Source, *, news: bool) -> Steps[None]:  # noqa: ARG002
        """Several requests' news go into one part; whose they are `_take` has marked. Nothing is decided before."""
        if len(self._news) >= FLUSH_MESSAGES:
            yield from self._flush()

    def _flush(self) -> Steps[None]:
        if not self._news:
            return
        taken = dict(self._news)
        lines: list[Any] = [{"v": VERSION, "flow": list(self.watch.flow)}]
        for message_id, source in taken.items():
            steps = [step_of(each) for each in self.tracker.steps(message_id) if each.state is not StepState.PENDING]
            lines.append({"id": message_id, "bulk": source.bulk.bulk_id, "steps": steps})
        self._sequence += 1
        try:
            yield Put(self._name.part(OUTCOMES, self._sequence), lambda: pack(lines))
        except OmniStaleTryError:
            raise
        except OmniStorageError as error:
            yield Note(f"Outcomes could not be written ({type(error).__name__}); it will be repeated.", warning=True)
            return
        for message_id, source in taken.items():
            self._news.pop(message_id, None)
            source.unsaved = False

    def _release(self) -> None:
        """Forget what is known of requests of which nothing more can come. Their counts stay."""
        now = self.clock()
        for source in self._sources:
            if id(source) in self._released or source.unsaved or (not source.stale and source.open):
                continue
            if source.stale:
                source.tally = super()._count(source, now, closing=False)
                source.stale = False
            if not source.open:
                self._released.add(id(source))
                for message_id in source.ids:
                    self.tracker.forget(message_id)
                    self._by_lone.pop(message_id, None)
                source.ids, source.members = set(), None

    def _count(self, source: _Source, now: float, *, closing: bool) -> Tally:
        return source.tally if id(source) in self._released else super()._count(source, now, closing=closing)


def _replay(known: Known, lines: Iterator[Any]) -> None:
    for line in lines:
        known.replay(line, None)


def _followed(known: Known) -> Followed:
    bulks: list[tuple[Bulk, Members]] = []
    lone: list[str] = []
    for bulk_id, of, followed in known.followed_requests():
        if of == 1:
            lone += followed
        else:
            bulks.append((Bulk(bulk_id, len(followed)), Members(followed)))
    apart = tuple(known.followed_apart())
    return Followed(tuple(bulks), (*lone, *apart), apart, known.oldest() or 0.0)
