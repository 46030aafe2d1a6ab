"""The dispatcher: several requests under way at once, and windows of intents written ahead of them.

A window's intents are written together, while earlier requests are still under way, so that writing does not hold up
sending. The outcomes learned since the last write go with them. A request takes a free connection while its intent is
fresh; otherwise its intent is written anew. Nothing is posted after a write that failed, and nothing after a newer try
has begun.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from airflow_provider_omni.delivery.effects import (
    CallApi,
    Clock,
    Done,
    Gather,
    Log,
    Measure,
    Publish,
    Report,
    Sleep,
    Steps,
    Submit,
)
from airflow_provider_omni.delivery.messages.intent_log import uniform
from airflow_provider_omni.delivery.messages.states import (
    UNCERTAIN,
    UNRESOLVED,
    Attempt,
    Control,
    Event,
    MessageState,
)
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.plan import SendPlan
from airflow_provider_omni.delivery.outbox.policy import SendPolicy
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.outbox.requests import ErrorAction, InFlight, Request, action_for, read_response
from airflow_provider_omni.delivery.outbox.send_limits import (
    CONCURRENT_INTENT_WRITES,
    INTENT_TTL,
    MAX_INTENT_RENEWALS,
    MAX_WINDOW_ROUNDS,
    REFUSALS_IN_A_ROW,
    UNKNOWN_IN_A_ROW,
    WINDOW_SECONDS,
    WRITE_ATTEMPTS,
)
from airflow_provider_omni.delivery.outbox.stores import IntentStore
from airflow_provider_omni.omni.bulk import BulkResponse, send_bulk
from airflow_provider_omni.omni.errors import (
    OmniError,
    OmniProtocolError,
    OmniRejectedError,
    OmniStaleTryError,
    OmniStorageError,
)
from airflow_provider_omni.omni.retries import backoff

_S = MessageState
SEND = "POST /omni/1/advanced"


class Dispatcher:
    """Posts requests until none is left or something stops the send.

    The reason for a stop stands in `progress.stop`. Errors of writing are raised once nothing is under way any more.
    """

    def __init__(
        self,
        plan: SendPlan,
        chunk: int,
        policy: SendPolicy,
        store: IntentStore,
        progress: SendProgress,
        clock: Clock,
        jitter: Callable[[], float],
        notes: Callable[[], Iterable[Log | Report | Measure]],
        publish: Callable[[], Publish] | None = None,
    ) -> None:
        """Prepare to post the plan's requests.

        :param chunk: messages in one request.
        :param notes: returns notes of progress when it is time for some.
        :param publish: makes the effect that publishes the receipt, if nothing else tells what to follow after a death.
        """
        self.plan = plan
        self.chunk = chunk
        self.policy = policy
        self.store = store
        self.progress = progress
        self.clock = clock
        self.jitter = jitter
        self.notes = notes
        self.publish = publish
        self.broken: OmniError | None = None
        self._waiting: deque[Request] = deque()
        self._laid_out: Iterator[Request] = plan.laid_out()
        self._writing: dict[int, tuple[list[InFlight], dict[str, dict[str, Any]]]] = {}
        self._learned: dict[int, Counter[MessageState]] = {}
        self._ready: deque[InFlight] = deque()
        self._under_way: dict[int, tuple[InFlight, int]] = {}
        self._tags = 0
        self._failure: OmniError | None = None
        self._paused_until = 0.0
        self._throttled = 0
        self._unwritable = 0
        self._unknown = 0
        self._round = 0
        self._alone_refused = 0
        self._controlled = False
        self._window = policy.at_once
        self._ahead = 1
        self._last_window_at: float | None = None

    def add(self, requests: Iterable[Request]) -> None:
        """Have these requests posted, too."""
        self._waiting.extend(requests)

    def run(self) -> Steps[None]:
        """Post requests until none is left, something stops the send, or too many outcomes in a row are unknown.

        In the last case `broken` is set, and a further call goes on from there.

        Raises OmniStorageError (also for a stale try) after all that was under way has ended.
        """
        self.broken, self._unknown = None, 0
        while True:
            yield from self._start_windows()
            yield from self._start_posts()
            if not self._writing and not self._under_way:
                if self._halted or not (self._ready or self._waiting):
                    break
                yield Sleep(max(self._paused_until - self.clock(), 0.01))
                continue
            done: list[Done] = yield Gather()
            for each in done:
                if each.tag in self._writing:
                    yield from self._window_written(each)
                else:
                    yield from self._answered(each)
            yield from self.notes()
        if self._failure is not None:
            raise self._failure

    @property
    def _halted(self) -> bool:
        return self.progress.stop is not None or self._failure is not None or self.broken is not None

    # -- windows -----------------------------------------------------------------------------------------------------

    def _start_windows(self) -> Steps[None]:
        """Write intents ahead of the connections: enough to keep them busy while the next are written."""
        while not self._halted and self.clock() >= self._paused_until and len(self._writing) < self.store.writers:
            prepared = len(self._ready) + sum(len(window) for window, _ in self._writing.values())
            if prepared >= self._window * self._ahead:
                return
            requests = self._take(self._window)
            if not requests:
                return
            yield from self._write_window(requests)

    def _take(self, most: int) -> list[Request]:
        """Return the next requests, with no more messages than all connections hold at once with full requests."""
        room = self.policy.at_once * self.chunk
        taken: list[Request] = []
        while len(taken) < most:
            request = self._waiting.popleft() if self._waiting else next(self._laid_out, None)
            if request is None:
                break
            if taken and len(request.ids) > room:
                self._waiting.appendleft(request)
                self._window = max(len(taken), self.policy.at_once)
                break
            room -= len(request.ids)
            taken.append(request)
        return taken

    def _write_window(self, requests: list[Request]) -> Steps[None]:
        now = self.clock()
        scheduled, here = self.plan.scheduled_at, self.store.here
        window = [request.begin(now, scheduled(request.content, now), here) for request in requests]
        for each in window:
            self.progress.schedule(each.attempt.scheduled_at)
        for request in requests:
            request.intent_written = True
            for _, carried in self._writing.values():
                # This outcome is older than the intent: if its write fails, it must not be written after the intent.
                carried.pop(request.bulk_id, None)
        self._tags += 1
        outcomes, self.progress.unwritten = self.progress.unwritten, {}
        self._writing[self._tags], self._learned[self._tags] = (window, outcomes), self.progress.learned()
        attempts = [each.attempt for each in window]
        writes = self.store.writes(attempts, list(outcomes.values()), [request.labels() for request in requests])
        yield Submit(self._tags, writes)

    def _window_written(self, done: Done) -> Steps[None]:
        (window, outcomes), learned = self._writing.pop(done.tag), self._learned.pop(done.tag)
        attempts = [each.attempt for each in window]
        try:
            if done.error is not None:
                raise done.error
            self.store.written(attempts, done.results)
        except OmniError as error:
            self.store.not_written(attempts)
            self.progress.unwritten = outcomes | self.progress.unwritten
            yield from self._window_failed(window, error, "An intent could not be written")
            return
        if outcomes:
            self.progress.on_record(learned)
        if self._last_window_at is not None and not self._ready and len(self._under_way) < self.policy.at_once:
            # The connections ran dry meanwhile: write further ahead.
            self._ahead = min(self._ahead + 1, CONCURRENT_INTENT_WRITES)
        self._measure(self.clock())
        if self.publish is not None and not all(each.request.published for each in window):
            for each in window:
                self.announce(each.request)
            try:
                yield self.publish()
            except OmniError as error:
                # Nobody could follow these messages if this process died.
                yield from self._window_failed(window, error, "The receipt could not be published")
                return
            for each in window:
                each.request.published = True
        self._unwritable = 0
        self._count_renewals(window)
        self._ready.extend(window)

    def _count_renewals(self, window: list[InFlight]) -> None:
        """Count the intents that have grown too old by the time their requests are ready, and end a send that would
        renew them for ever. Those that grow old later, while the connections are busy, do not count.
        """
        now = self.clock()
        for each in window:
            if safety.is_fresh(each.attempt.intent_at, now):
                continue
            each.request.intent_renewals += 1
            if each.request.intent_renewals > MAX_INTENT_RENEWALS:
                self._failure = OmniStorageError(
                    f"Writing down what is about to be sent takes longer than {INTENT_TTL:.0f} s again and again; "
                    "nothing is posted on intents that old. Try a nearer ledger_path or a smaller chunk_size.",
                    retryable=True,
                )

    def announce(self, request: Request) -> None:
        """Count a request's messages as unconfirmed ahead of its POST. If this process dies right after it, whoever
        waits by the receipt must not take them for never sent.
        """
        self.progress.follow(request.bulk_id, request.ids, bulk_id_conclusive=request.bulk_id_conclusive)
        if not request.announced:
            self.progress.move(request.state_before, dict.fromkeys(request.ids, _S.IN_DOUBT))
            request.announced = True

    def _window_failed(self, window: list[InFlight], error: OmniError, what: str) -> Steps[None]:
        """Post nothing of a window. It is written anew after a pause, or the send ends."""
        self._waiting.extendleft(each.request for each in reversed(window))
        self._unwritable += 1
        if isinstance(error, OmniStaleTryError) or not error.retryable or self._unwritable >= WRITE_ATTEMPTS:
            self._failure = self._failure or error
            return
        pause = backoff(self._unwritable, None, self.jitter)
        self._paused_until = max(self._paused_until, self.clock() + pause)
        yield Log(f"{what} ({type(error).__name__}); nothing was posted by it.", warning=True)

    def _measure(self, now: float) -> None:
        """Adapt the number of requests in a window to the time it should last: many small requests, or a few large
        ones.
        """
        if self._last_window_at is not None and now > self._last_window_at:
            lasted, at_once = now - self._last_window_at, self.policy.at_once
            if lasted < WINDOW_SECONDS / 2:
                self._window = min(self._window * 2, at_once * MAX_WINDOW_ROUNDS)
            elif lasted > WINDOW_SECONDS * 2:
                self._window = max(self._window // 2, at_once)
        self._last_window_at = now

    # -- posts -------------------------------------------------------------------------------------------------------

    def _start_posts(self) -> Steps[None]:
        while self._ready and not self._halted and len(self._under_way) < self.policy.at_once:
            now = self.clock()
            if now < self._paused_until:
                return
            flight = self._ready.popleft()
            request, attempt = flight.request, flight.attempt
            if not safety.is_fresh(attempt.intent_at, now):
                self._waiting.append(request)
                continue
            if self.progress.first_post_at is None:
                self.progress.first_post_at = now
            self._tags += 1
            self._under_way[self._tags] = (flight, self._round)
            self.progress.move(_S.IN_DOUBT if request.announced else request.state_before, attempt.messages)
            request.announced = request.published = False
            # From here on it may arrive, even if this process dies before it is answered.
            self.progress.follow(request.bulk_id, request.ids, bulk_id_conclusive=request.bulk_id_conclusive)
            self.progress.posted += len(request.ids)
            to, tail = request.people.destinations, self.plan.tail(request.content, attempt.scheduled_at)
            call = send_bulk(self.plan.spec.scenario_key, request.bulk_id, to, tail)
            yield Submit(self._tags, (CallApi(call, label="POST"),))

    def _answered(self, done: Done) -> Steps[None]:
        flight, begun_in = self._under_way.pop(done.tag)
        if done.error is not None:
            yield from self._failed(flight, done.error, begun_in)
            return
        request, attempt = flight.request, flight.attempt
        answer: BulkResponse = done.results[0]
        read = read_response(answer, attempt, doubtful=request.state_before is _S.IN_DOUBT)
        self._throttled = 0
        self._settled(attempt)
        if uniform(attempt.messages) is _S.IN_DOUBT:
            self._count_unknown(OmniProtocolError("The answer to a send names nobody", path=SEND))
        else:
            self._unknown = 0
        self.progress.refused.update(read.refused)
        self.progress.may_succeed_later = self.progress.may_succeed_later or read.may_succeed_later
        if _S.ACCEPTED in attempt.messages.values():
            self._alone_refused = 0
            if not self._controlled and len(request.ids) > 1 and request.bulk_id_conclusive:
                self._controlled = True
                self.progress.bulk_filter.controls.append(Control(request.bulk_id, request.ids))
        if read.foreign and self.policy.stops:
            self._stop(
                OmniProtocolError(
                    "The answer to a send names only messages that are not ours; it is never posted again, and no "
                    "other",
                    path=SEND,
                )
            )
        if read.stops is not None and self.policy.stops:
            self._stop(OmniRejectedError(f"The vendor refuses everybody: {read.stops}.", retryable=True))

    def _failed(self, flight: InFlight, error: OmniError, begun_in: int) -> Steps[None]:
        request, attempt = flight.request, flight.attempt
        action = action_for(error, len(request.ids))
        if action in (ErrorAction.BISECT, ErrorAction.REFUSED) and not self.policy.divides:
            action = ErrorAction.STOP
        if action is ErrorAction.UNKNOWN:
            self.progress.open.append(attempt)
            self.progress.note_outcome(attempt)
            self._count_unknown(error)
            if len(self.progress.open) == 1:
                yield Log(f"The outcome of a POST is unknown ({error.label}): the logs will be asked.", warning=True)
            return
        if action is ErrorAction.REFUSED and request.state_before is _S.IN_DOUBT:
            # It was posted again on trust: the refusal of this POST says nothing about the one before.
            self._settled(attempt)
            return
        if action is ErrorAction.REFUSED:
            self._alone_refused += 1
            message_id = request.ids[0]
            reason = error.vendor_code or f"HTTP {error.status}"
            attempt.apply(message_id, Event.REFUSED)
            attempt.reasons[message_id] = reason
            # The ledger keeps the code; the log has the vendor's words besides, such as "scenarioKey: unknown".
            words = "; ".join(error.problems[:3])
            self.progress.refused[f"{reason} ({words})" if words else reason] += 1
            self._settled(attempt)
            if self._alone_refused >= REFUSALS_IN_A_ROW:
                self._stop(error)
            return
        self.progress.posted -= len(request.ids)
        flight.had_no_effect()
        self.progress.move(_S.IN_DOUBT, attempt.messages)
        self.progress.note_outcome(attempt)
        if action is ErrorAction.STOP:
            self._stop(error)
        elif action is ErrorAction.BISECT:
            self._waiting.extendleft(reversed(request.bisect(self.plan.ids)))
        else:
            self._waiting.appendleft(request)
            yield from self._back_off(error, begun_in)

    def _count_unknown(self, error: OmniError) -> None:
        self.progress.lost = error
        self._unknown += 1
        if self._unknown >= max(2 * self.policy.at_once, UNKNOWN_IN_A_ROW):
            self.broken = error

    def _back_off(self, error: OmniError, begun_in: int) -> Steps[None]:
        """Pause all connections. An error of a request that was begun before the last pause does not count again."""
        if begun_in == self._round:
            self._round += 1
            self._throttled += 1
            if self._throttled >= self.policy.attempts:
                self._stop(error)
                return
            pause = backoff(self._throttled, error.retry_after, self.jitter)
            self._paused_until = max(self._paused_until, self.clock() + pause)
            yield Log(f"Nothing was sent by a POST ({error.label}); the next comes in {pause:.1f} s.")
        elif error.retry_after:
            self._paused_until = max(self._paused_until, self.clock() + backoff(1, error.retry_after, self.jitter))

    def _settled(self, attempt: Attempt) -> None:
        """Take note of an answer. Messages that it left open are asked about later."""
        self.progress.move(_S.IN_DOUBT, attempt.messages)
        self.progress.note_outcome(attempt)
        # After an answer with foreign ids nothing is posted again; the logs may still show what was taken.
        doubt = UNRESOLVED if self.policy.stops else UNCERTAIN
        if uniform(attempt.messages) is not _S.ACCEPTED and attempt.in_state(*doubt):
            self.progress.open.append(attempt)

    def _stop(self, error: OmniError) -> None:
        self.progress.stop = self.progress.stop or error

    def give_back(self) -> None:
        """Post nothing more. Messages that may have an intent on record and were not posted are noted as certainly not
        sent.
        """
        for request in (*(each.request for each in self._ready), *self._waiting):
            if request.intent_written and request.state_before is not _S.IN_DOUBT:
                line = {"bulk": request.bulk_id, "all": request.unposted.value}
                self.progress.unwritten.setdefault(request.bulk_id, line)
                self.progress.follow(request.bulk_id, ())
                unposted = dict.fromkeys(request.ids, request.unposted)
                if request.announced:
                    self.progress.move(_S.IN_DOUBT, unposted)
                self.progress.note_each(unposted)
        self._ready.clear()
        self._waiting.clear()
