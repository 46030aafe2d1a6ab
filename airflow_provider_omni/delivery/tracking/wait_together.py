"""One wait for several sends: one part for each ledger, and one for each flow of the sends without a ledger. One
summary, one verdict.

Each part is a wait of its own. It reads, writes its journal and asks the logs, and ends when all its outcomes are known
or the time is up. Only the verdict is made over all parts. The parts share the limits of a single wait: the time for
the last reads and log queries, and how early the last round begins.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, ListParts, ReadPart, Steps, WritePart
from airflow_provider_omni.delivery.messages.receipt import MAX_IDS
from airflow_provider_omni.delivery.tracking import safety
from airflow_provider_omni.delivery.tracking.log_queries import GOLDEN
from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts, Verdict, evaluate, explain
from airflow_provider_omni.delivery.tracking.wait import (
    DeliveryWait,
    Wait,
    WaitEnd,
    asked_before,
    poll_until_decided,
)
from airflow_provider_omni.delivery.tracking.wait_limits import CLOSING, LIMITS, REFUSALS, TrackingLimits
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.words import some

SHOWN_LEDGERS = 3
"""Unreadable ledgers that the explanation quotes, at most."""


class WaitTogether:
    """A wait for the parts of a `Watch`. Effects on a part's ledger go to `<number of the part>/<name>`."""

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        parts: Sequence[DeliveryWait],
        jitter: Callable[[], float] = random.random,
        account: str = "",
    ) -> None:
        self.watch = watch
        self.clock = clock
        self.jitter = jitter
        self.account = account
        self.parts = tuple(parts)
        self.counts: DeliveryCounts | None = None
        self._ends: dict[int, WaitEnd] = {}
        self._last_since: float | None = None
        """Time at which the last reads and log queries began."""

    def until_decided(self) -> Steps[WaitEnd]:
        """Poll until the verdict falls, at the latest at the deadline."""
        return (yield from poll_until_decided(self, self.watch, self.clock, self.jitter))

    def poll(self) -> Steps[WaitEnd | None]:
        """Poll each part that is not over, beginning with another part each time; then decide over all parts."""
        count = len(self.parts)
        # If each poll is a process of its own, the time decides which part comes first.
        begin = int(count * (self.clock() / self.watch.poll_interval * GOLDEN % 1.0))
        turns = ((begin + place) % count for place in range(count))
        waiting = [number for number in turns if number not in self._ends]
        looked_for = sum(self.parts[number].deliveries.looked_for for number in waiting)
        began = self.clock()
        for place, number in enumerate(waiting):
            part = self.parts[number]
            beside = looked_for - part.deliveries.looked_for
            part.share(self.account, self._share(len(waiting) - place), beside)
            end = yield from _in(number, part.poll())
            if end is not None:
                self._ends[number] = end
        end = yield from self._verdict(leaving=False)
        if end is None:
            return None
        early = self.clock() < self.watch.deadline
        if early and not (yield from self._confirmed(end.verdict, began)):
            return None  # in the next poll, or at the deadline
        return (yield from self._verdict(leaving=True))

    def _confirmed(self, verdict: Verdict, began: float) -> Steps[bool]:
        """Ask the logs about operators' words and failures on which a verdict over all parts rests, as `DeliveryWait`
        does.

        Returns False if some could not be asked about.
        """
        owners = {each: number for number, part in enumerate(self.parts) for each in part.deliveries.subscriptions}
        unasked = asked_before(verdict, list(owners), began)
        for number in sorted({owners[each] for each in unasked}):
            of_part = [each for each in unasked if owners[each] == number]
            self._ends.pop(number, None)
            if not (yield from _in(number, self.parts[number].followed.ask_again(of_part))):
                return False
        return True

    def _share(self, left: int) -> float:
        """Return the share of the closing time that one of `left` parts may take from now on."""
        now = self.clock()
        if now >= self.watch.deadline and self._last_since is None:
            self._last_since = now
        rest = CLOSING if self._last_since is None else self._last_since + CLOSING - now
        return max(0.0, rest) / left / CLOSING

    def _verdict(self, *, leaving: bool) -> Steps[WaitEnd | None]:
        """Decide over all parts.

        :param leaving: True to stop the parts that go on, if it is decided.
        """
        whole, total = True, DeliveryCounts()
        for number, part in enumerate(self.parts):
            if end := self._ends.get(number):
                total.merge(end.counts)
                whole = whole and not end.unread
                continue
            counts = yield from _in(number, part.present_counts())
            whole = whole and counts is not None
            total.merge(DeliveryCounts(total=part.least) if counts is None else counts)
        self.counts = total
        over = safety.are_over(len(self._ends), len(self.parts))
        verdict = self._evaluate(total, whole=whole, over=over)
        if verdict is Verdict.OPEN:
            return None
        for number, part in enumerate(self.parts):
            if leaving and number not in self._ends and not (yield from _in(number, part.leave_off())):
                return None
        return WaitEnd(verdict, self._summary(total), self._said(verdict, total), total)

    def _evaluate(self, total: DeliveryCounts, *, whole: bool, over: bool) -> Verdict:
        criterion, unsent = self.watch.criterion, sum(part.deliveries.unsent for part in self.parts)
        verdict = evaluate(total, criterion, deadline_passed=over, unsent=unsent)
        if whole:
            return verdict
        # Outcomes that are not known yet can only raise the counts of the delivered and of the failed.
        clear = (criterion.success_when == "any" and verdict is Verdict.SUCCESS) or (
            criterion.success_when == "all" and verdict is Verdict.FAILURE and total.failed > 0
        )
        if clear and (over or not criterion.settle):
            return verdict
        return Verdict.TIMEOUT if over else Verdict.OPEN

    def _summary(self, total: DeliveryCounts) -> dict[str, Any]:
        paths = self.watch.ledger_paths
        return total.summary(paths[0] if len(paths) == 1 else None) | {"ledger_paths": list(paths[:MAX_IDS])}

    def _said(self, verdict: Verdict, total: DeliveryCounts) -> str:
        unsent = sum(part.deliveries.unsent for part in self.parts)
        said = explain(verdict, total, self.watch.criterion, unsent, self.watch.missing)
        unread = [end.explanation for _, end in sorted(self._ends.items()) if end.unread]
        more = (
            [f"The same of {some(len(unread) - SHOWN_LEDGERS, 'more ledger')}."] if len(unread) > SHOWN_LEDGERS else []
        )
        return " ".join([said, *unread[:SHOWN_LEDGERS], *more])


def wait_for(
    watch: Watch,
    clock: Clock,
    token: str,
    jitter: Callable[[], float] = random.random,
    refusals: int = REFUSALS,
    account: str = "",
    limits: TrackingLimits = LIMITS,
) -> Wait:
    """Return the wait for a watch: over several sends if it has parts, else over one.

    :param watch: the messages to follow, the criterion and the deadline.
    :param clock: gives seconds since the epoch.
    :param token: tells this copy of the wait from all others; lower-case hex.
    :param jitter: gives a number in [0, 1) that spreads the polls of many waits.
    :param refusals: polls in a row that the API may refuse.
    :param account: `OmniConfig.account_mark` of the connection that is asked.
    :param limits: sizes at which many messages are followed.
    """
    if watch.parts:
        parts = [DeliveryWait(each, clock, jitter, refusals, account, token, limits) for each in watch.parts]
        return WaitTogether(watch, clock, parts, jitter, account)
    return DeliveryWait(watch, clock, jitter, refusals, account, token, limits)


def _in(number: int, steps: Steps[Any]) -> Steps[Any]:
    """Carry out the steps of a part, with the names in its ledger prefixed by the part's own folder."""
    folder = f"{number}/"
    reply: Any = None
    error: OmniError | None = None
    try:
        while True:
            try:
                effect = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            reply, error = None, None
            match effect:
                case ListParts(prefix):
                    effect = replace(effect, prefix=folder + prefix)
                case ReadPart(name):
                    effect = ReadPart(folder + name)
                case WritePart(name):
                    effect = replace(effect, name=folder + name)
            try:
                reply = yield effect
            except OmniError as caught:
                error = caught
            if isinstance(effect, ListParts) and error is None:
                reply = [name.removeprefix(folder) for name in reply]
    finally:
        steps.close()
