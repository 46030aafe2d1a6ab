"""The doubts of a send: what the logs, or trust in the account, say of them, and who is posted to again for it.

`reconciler.py` asks the logs. Here its findings go on record and into the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import Clock, Steps
from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import UNCERTAIN, UNRESOLVED, Attempt, Event, MessageState
from airflow_provider_omni.delivery.messages.workspace import RecipientChunk
from airflow_provider_omni.delivery.outbox import safety
from airflow_provider_omni.delivery.outbox.attempts import Attempts
from airflow_provider_omni.delivery.outbox.plan import SendPlan
from airflow_provider_omni.delivery.outbox.policy import SendPolicy
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.outbox.reconciler import MAX_INTERLEAVED, reconcile
from airflow_provider_omni.delivery.outbox.requests import Request
from airflow_provider_omni.delivery.outbox.stores import IntentStore

_S = MessageState


class Doubts:
    """Resolves messages in doubt, and makes the requests by which absent ones are posted again."""

    def __init__(
        self,
        plan: SendPlan,
        chunk: int,
        policy: SendPolicy,
        store: IntentStore,
        known: IntentLog,
        progress: SendProgress,
        attempts: Attempts,
        clock: Clock,
        jitter: Callable[[], float],
        *,
        loaded_at: float | None,
        in_lists_only: set[str],
        write: Callable[[], Steps[None]],
    ) -> None:
        """Prepare to resolve doubts of this try and of earlier ones.

        :param chunk: messages in one request.
        :param loaded_at: the time at which this try has read the record of earlier ones.
        :param in_lists_only: messages of other tasks that are too many to be asked for one by one.
        :param write: writes down the outcomes that were learned.
        """
        self._plan = plan
        self._chunk = chunk
        self._policy = policy
        self._store = store
        self._here = store.here
        self._known = known
        self._progress = progress
        self._attempts = attempts
        self._clock = clock
        self._jitter = jitter
        self._loaded_at = loaded_at
        self._in_lists_only = in_lists_only
        self._write = write
        self._controlled = False
        self.accepted_earlier = 0
        """Messages that were found accepted, and that earlier tries have posted."""
        self.by_others: set[str] = set()
        """Messages that the logs show as accepted, and that this try has not posted, or in vain."""

    def ask(self, attempts: list[Attempt]) -> Steps[list[Request]]:
        """Ask the logs about these requests. Return requests for the people whose messages are proven absent."""
        again: list[Request] = []
        if not self._controlled:
            self._controlled = True
            self._progress.bulk_filter.controls += self._known.controls(self._here, self._clock())
        for start in range(0, len(attempts), MAX_INTERLEAVED):
            group = attempts[start : start + MAX_INTERLEAVED]
            before = [dict(attempt.messages) for attempt in group]
            found_in = yield from reconcile(
                group,
                self._policy.look,
                self._clock,
                self._jitter,
                self._progress.bulk_filter,
                self._loaded_at,
                self._here,
                conclude=self._conclude if self._policy.asks else None,
            )
            for attempt, old in zip(group, before, strict=True):
                changed = {each: state for each, state in attempt.messages.items() if old[each] is not state}
                if not changed:
                    continue
                self._known.note_states(changed)
                moved = {
                    each: bulk
                    for each, bulk in found_in.items()
                    if each in attempt.messages and bulk != attempt.bulk_id
                }
                ours = self._known.people_of(list(changed))
                for message_id in ours:
                    self._progress.move(old[message_id], {message_id: attempt.messages[message_id]})
                    if attempt.messages[message_id] is _S.ACCEPTED and not attempt.ours:
                        self.accepted_earlier += 1
                        self.by_others.add(message_id)
                    elif attempt.messages[message_id] is _S.ACCEPTED and old[message_id] is _S.DUPLICATE_ID:
                        self.by_others.add(message_id)
                self._progress.note_outcome(attempt, moved)
                absent = [row for message_id, row in ours.items() if attempt.messages[message_id] is _S.ABSENT]
                again += self._requests_of(absent, _S.ABSENT)
            yield from self._write()
        return again

    def strangers(self, earlier: list[Attempt]) -> int:
        """Return the number of earlier tries' messages in doubt whose people have left the source."""
        doubt = UNCERTAIN if not self._policy.trust_duplicate_rejection else UNRESOLVED
        ids = [message_id for attempt in earlier for message_id in attempt.in_state(*doubt)]
        if self._policy.asks:
            return len(set(ids) - self._attempts.everybody())
        return len(ids) - len(self._known.people_of(ids))

    def on_trust(self, attempts: list[Attempt]) -> list[Request]:
        """Return requests that post ids in doubt again, since this account refuses ids that it has seen.

        That does not hold for ever. The vendor does not publish how long it remembers ids, so it is assumed for as long
        as its logs reach.
        """
        again: list[Request] = []
        others = self._attempts.others() if self._policy.asks else {}
        for attempt in attempts:
            trusted = [
                each
                for each in attempt.in_state(_S.IN_DOUBT)
                if safety.may_be_trusted([*others.get(each, ()), _S.IN_DOUBT], attempt, self._here, self._clock())
            ]
            people = self._known.people_of(trusted)
            for request in self._requests_of(people.values(), _S.IN_DOUBT):
                # The vendor may have them from the earlier request: its bulk id alone does not find them.
                request.bulk_id_conclusive = request.bulk_id == attempt.bulk_id and attempt.bulk_id_conclusive
                request.not_before = attempt.oldest
                again.append(request)
        return again

    def _conclude(self, group: Sequence[Attempt]) -> None:
        """Apply what the attempts of each person say of each other."""
        for attempt in group:
            self._known.note_states(attempt.messages)
        shown = {message_id: taken for attempt in group for message_id, taken in attempt.shown.items()}
        concluded = self._attempts.conclude(frozenset(self._not_shown_by_lists(group)), shown)
        for old, new in concluded.moved:
            self._progress.recount(old, new)
        for attempt in group:
            for message_id in attempt.in_state(*_S):
                if message_id in concluded.gone:
                    del attempt.messages[message_id]
                elif message_id in concluded.superseded:
                    attempt.apply(message_id, Event.SUPERSEDED)
            if not attempt.messages:
                self._progress.follow(attempt.bulk_id, ())
        asked_about = {message_id for attempt in group for message_id in attempt.messages}
        for attempt in self._known.attempts_with(set(concluded.superseded) - asked_about):
            self._progress.note_outcome(attempt)
        if concluded.gone:
            self._store.forget(concluded.gone)

    def _not_shown_by_lists(self, group: Sequence[Attempt]) -> Iterator[str]:
        """Yield other tasks' messages that are no longer looked for. All list queries were answered, but the logs were
        not seen to read lists, and the messages are too many to query singly.
        """
        if self._progress.bulk_filter.lists_answered and not self._progress.bulk_filter.lists_read:
            for attempt in group:
                yield from self._in_lists_only.intersection(attempt.in_state(_S.IN_DOUBT))

    def _requests_of(self, rows: Iterable[tuple[Any, ...]], state: MessageState) -> list[Request]:
        """Return requests for people whose messages are all in one state.

        :param rows: rows of people; the last column is the content's number.
        """
        by_content: dict[int, list[Any]] = {}
        for row in rows:
            by_content.setdefault(row[-1], []).append(row)
        requests = []
        for content, group in by_content.items():
            for start in range(0, len(group), self._chunk):
                request = Request.of(content, RecipientChunk.of(group[start : start + self._chunk]), self._plan.ids)
                request.before = dict.fromkeys(request.ids, state)
                requests.append(request)
        return requests
