"""What is known of a batch while it is sent: everything that its receipt and its verdict need. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_omni.delivery.messages.intent_log import IntentLog, outcome_line, uniform
from airflow_provider_omni.delivery.messages.receipt import MAX_IDS, MOST_WITHOUT_LEDGER, SentBulk
from airflow_provider_omni.delivery.messages.states import MAY_HAVE_ARRIVED, Attempt, MessageState, Origin
from airflow_provider_omni.delivery.outbox.reconciler import BulkFilter
from airflow_provider_omni.omni.errors import OmniError

_S = MessageState


@dataclass
class SendProgress:
    """What is known of a batch while it is sent: everything that its receipt and its verdict need."""

    states: Counter[MessageState] = field(default_factory=Counter)
    """Messages of this batch's people, in each state."""
    refused: Counter[str] = field(default_factory=Counter)
    mendable: bool = False
    open: list[Attempt] = field(default_factory=list)
    """Requests of which something is not known."""
    most: int = MAX_IDS
    """How many requests are listed."""
    sent: dict[str, SentBulk] = field(default_factory=dict)
    """Requests that may have reached people, up to `most` of them."""
    apart: set[str] = field(default_factory=set)
    """Those of them whose messages may have been taken from an earlier request: only their own ids find them."""
    too_many: bool = False
    """There are more than stand in `sent`."""
    unwritten: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was learned and not yet written, by bulk id."""
    stop: OmniError | None = None
    """Why nothing more is posted."""
    bulk_filter: BulkFilter = field(default_factory=BulkFilter)
    """Whether the logs find this try's requests by their bulk ids."""
    lost: OmniError | None = None
    """How the last request ended whose outcome was unknown at first."""
    origins: list[Origin] = field(default_factory=list)
    """Where earlier tries have posted from what was accepted; if nothing was, what may have reached people."""
    steps: tuple[str, ...] | None = None
    """Those of what earlier tries have sent with another content or scenario; None: nothing, or it is not known."""
    first_post_at: float | None = None
    posted: int = 0
    """Messages posted by this try."""

    @classmethod
    def listing(cls, *, ledger: bool) -> SendProgress:
        """Without a ledger the receipt is all that can be followed, so it lists more."""
        return cls(most=MAX_IDS if ledger else MOST_WITHOUT_LEDGER)

    def recall(self, known: IntentLog, fingerprint: str | None = None, *, everybody: bool = False) -> None:
        """Take over what earlier tries have left: of this batch's people, or of everybody on record.

        :param fingerprint: of this try's content; None: it is not known.
        """
        self.states = known.counts(everybody=everybody)
        self.first_post_at = known.oldest()
        self.origins, self.steps = known.origins(), known.steps(fingerprint)
        for bulk_id, ids, by_bulk in known.followed_bulks(self.most + 1):
            self.follow(bulk_id, ids, by_bulk=by_bulk)

    def move(self, old: MessageState | None, messages: dict[str, MessageState]) -> None:
        """Count messages that were all in one state, or nowhere, as what they are now."""
        if old is not None:
            self.states[old] -= len(messages)
        only = uniform(messages)
        if only is not None:
            self.states[only] += len(messages)
        else:
            self.states.update(messages.values())

    def learned(self, posting: Attempt, moved: dict[str, str] | None = None) -> None:
        """Have a request's states written with the next write."""
        self.unwritten[posting.bulk_id] = outcome_line(posting, moved)
        followed = (
            list(posting.messages)
            if uniform(posting.messages) in MAY_HAVE_ARRIVED
            else posting.having(*MAY_HAVE_ARRIVED)
        )
        if moved:
            elsewhere: dict[str, list[str]] = {}
            for message_id in followed:
                if message_id in moved:
                    elsewhere.setdefault(moved[message_id], []).append(message_id)
            for bulk_id, ids in elsewhere.items():
                there = self.sent[bulk_id].message_ids if bulk_id in self.sent else ()
                self.follow(bulk_id, (*there, *(each for each in ids if each not in there)))
            followed = [each for each in followed if each not in moved]
        self.follow(posting.bulk_id, followed, by_bulk=posting.by_bulk)

    def follow(self, bulk_id: str, message_ids: Sequence[str], *, by_bulk: bool = True) -> None:
        """Note which messages of a request may have reached people."""
        if not by_bulk:
            self.apart.add(bulk_id)
            self._leave_others(bulk_id, set(message_ids))
        if not message_ids:
            self.sent.pop(bulk_id, None)
        elif bulk_id in self.sent or len(self.sent) < self.most:
            self.sent[bulk_id] = SentBulk(bulk_id, tuple(message_ids))
        else:
            self.too_many = True

    def _leave_others(self, bulk_id: str, message_ids: set[str]) -> None:
        """Posted again, they are followed in one place only."""
        for other, sent in list(self.sent.items()):
            if other != bulk_id and not message_ids.isdisjoint(sent.message_ids):
                left = tuple(each for each in sent.message_ids if each not in message_ids)
                self.follow(other, left, by_bulk=other not in self.apart)

    def bulks(self) -> list[SentBulk]:
        """For the receipt: requests; one by one, messages that their request's id may not find."""
        listed: list[SentBulk] = []
        for bulk_id, sent in self.sent.items():
            alone = bulk_id in self.apart
            listed += [SentBulk(bulk_id, (each,)) for each in sent.message_ids] if alone else [sent]
        return listed
