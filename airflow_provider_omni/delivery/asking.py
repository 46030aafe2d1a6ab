"""Asking the logs what became of an unknown POST: presence from any page, absence only where it is proven.

Absence needs: a look filtered by one id, on a page that is not full, over all steps and channels, twice, a grace time
apart, the first at least read time-out + grace after the intent, for a message that is not scheduled ahead and whose
intent is younger than 47 h. Else it stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_omni.delivery.effects import Ask, Clock, Note, Pause, Steps
from airflow_provider_omni.delivery.record import Event, MessageState, Posting
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.omni.models import LogRow

PAGE = 1000
HORIZON = 47 * 3600.0
"""Seconds after which the logs (48 h) prove nothing any more."""
RETRY_PAUSE = 5.0
"""Seconds between looks that failed."""


@dataclass(frozen=True, slots=True)
class LookRules:
    """When absence may be concluded.

    ``read_timeout``: seconds that a POST of an earlier try may still be under way. ``grace``: seconds that the logs may
    lag behind (not published by the vendor; longer is safer and delays only the repair of an unknown outcome).
    ``patience``: seconds that one resolution may take before the messages stay unknown.
    """

    read_timeout: float = 30.0
    grace: float = 30.0
    patience: float = 900.0


@dataclass
class _Looks:
    """What the looks for one filter (a bulk, or one message) have shown so far."""

    message_ids: list[str]
    first_empty_at: float | None = None
    proven: bool = False


@dataclass
class Asker:
    """Resolves the open messages of a posting by looking into the logs."""

    rules: LookRules
    clock: Clock
    _failures: int = field(default=0, init=False)

    def settle(self, posting: Posting, *, by_bulk: bool = True) -> Steps[bool]:
        """Resolve what can be resolved. Returns whether anything was learned.

        ``by_bulk``: look by the bulk id (one call for all); else by each message id, for when an earlier try
        may have posted these messages in another request.
        """
        before = dict(posting.messages)
        waiting = posting.having(MessageState.INTENT, MessageState.SEEN)
        open_ids = waiting + posting.having(MessageState.UNCONFIRMED)
        groups = [_Looks(open_ids)] if by_bulk else [_Looks([each]) for each in open_ids]
        give_up_at = self.clock() + self.rules.patience
        while groups:
            failed = False
            for group in groups:
                failed = (yield from self._look(posting, group, by_bulk=by_bulk)) or failed
            groups = [group for group in groups if not group.proven and self._unresolved(posting, group)]
            if not groups:
                break
            pause = max(self._next_look(posting, groups) - self.clock(), RETRY_PAUSE if failed else 0.1)
            if self.clock() + pause > give_up_at or self._hopeless(posting):
                yield Note("The logs did not tell what became of a POST.", warning=True)
                for message_id in posting.having(MessageState.SEEN):
                    posting.learn(message_id, Event.NO_LOG_ROW)
                break
            yield Pause(pause)
        return posting.messages != before

    def _look(self, posting: Posting, group: _Looks, *, by_bulk: bool) -> Steps[bool]:
        """Look once. Returns whether the look failed."""
        started = self.clock()
        ids = {"bulk_ids": (posting.bulk_id,)} if by_bulk else {"message_ids": (group.message_ids[0],)}
        try:
            rows: list[LogRow] = yield Ask(api.get_logs(**ids, limit=PAGE), patience=self.rules.patience)  # type: ignore[arg-type]
        except OmniError as error:
            yield Note(f"A look into the logs failed ({type(error).__name__}).", warning=True)
            return True
        present = {row.message_id for row in rows}
        for message_id in group.message_ids:
            if message_id in present and posting.messages[message_id] is not MessageState.ACCEPTED:
                posting.learn(message_id, Event.LOG_ROW)
        if len(rows) >= PAGE or self._hopeless(posting) or started < self._provable_at(posting):
            return False
        if group.first_empty_at is None:
            group.first_empty_at = started
        elif started - group.first_empty_at >= self.rules.grace:
            self._conclude(posting, group)
        return False

    def _conclude(self, posting: Posting, group: _Looks) -> None:
        """Two empty looks, far enough apart: what was not seen is not there."""
        for message_id in group.message_ids:
            state = posting.messages[message_id]
            if state is MessageState.INTENT:
                posting.learn(message_id, Event.PROVEN_ABSENT)
            elif state is MessageState.SEEN:
                posting.learn(message_id, Event.NO_LOG_ROW)
        group.proven = True

    def _unresolved(self, posting: Posting, group: _Looks) -> bool:
        return any(posting.messages[each] in (MessageState.INTENT, MessageState.SEEN) for each in group.message_ids)

    def _provable_at(self, posting: Posting) -> float:
        """When the first look may count: the POST is surely over, and the logs have caught up."""
        begun = max(posting.intent_at, posting.scheduled_at or 0.0)
        return begun + self.rules.read_timeout + self.rules.grace

    def _next_look(self, posting: Posting, groups: list[_Looks]) -> float:
        firsts = [group.first_empty_at for group in groups]
        if any(first is None for first in firsts):
            return self._provable_at(posting)
        return max(first for first in firsts if first is not None) + self.rules.grace

    def _hopeless(self, posting: Posting) -> bool:
        """Whether absence can never be proven: the logs have forgotten, or the message is scheduled far ahead."""
        now = self.clock()
        return now - posting.intent_at >= HORIZON or self._provable_at(posting) - now > self.rules.patience
