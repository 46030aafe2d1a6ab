"""The subscriptions that a wait reads: a request, a single message, or many single messages. Counts and marks only;
decides nothing.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.watch import Bulk


@dataclass(eq=False)
class Subscription:
    """One filter by which reports are read: a request's bulk id, or the id of a message alone in its request."""

    bulk: Bulk
    expected: int | None
    counts: DeliveryCounts = field(default_factory=DeliveryCounts)
    counts_outdated: bool = True
    """True if updates came after the counts were made."""
    journal_loaded: bool = False
    """True once the journal was read back."""
    dirty: bool = False
    logs_due: bool = True
    report_read_failed: bool = False
    """True if a read of reports has failed since the last log query. Only the logs may still have that page."""
    reports_unread: bool = True
    """True until all reports that there were have been read, and again after each read that failed."""
    idle_polls: int = 0
    read_at: float = 0.0
    """Time at which reports were last read; `looked_at` is the time of the last log query. The oldest comes first."""
    looked_at: float = 0.0
    changed_at: float = 0.0
    """Time at which something new was last heard of one of its messages."""
    shown: frozenset[str] = frozenset()
    """Messages that the last log query has shown. If it asked for one message alone, that message, shown or not."""
    rows_at_last_look: tuple[float, int] | None = None
    ids: set[str] = field(default_factory=set)
    """Ids of its messages that are known. If the request does not list them, those seen so far."""
    member_ids: Container[str] | None = None
    """Set of messages that can belong to it. None: the listed messages, or every message seen if none is listed."""
    by_time_window: bool = False
    """True if it has no filter of its own: its single messages are followed through time windows of the logs."""
    unconfirmed_failures: set[str] = field(default_factory=set)
    """Messages whose failure does not count yet, since not every step was seen to fail."""
    heard_since_logs: bool = False
    """True if the journal or a report has told something new since the last log query."""
    failed_after_others: bool = False
    """True if a message counts as failed that had more than one step, or may have had."""
    samples: tuple[str, ...] = ()
    """Some of its message ids, to be asked for one by one if its bulk id shows no row."""
    next_sample: int | None = None
    """Index of the sample that is asked for next. None: no sample was asked for yet."""
    sampled_at: float = 0.0
    """Time at which a sample was last asked for. The oldest comes first."""
    unseen: bool = False
    """True if the last log query by its filter has shown no row."""
    heard: bool = False
    """True once a report or a row about one of its messages was read."""
    evicted: bool = False
    """True if nothing more can come. Only its counts are kept."""

    @property
    def total(self) -> int:
        """Number of its messages, as far as it is known."""
        return len(self.ids) if self.expected is None else self.expected

    @property
    def surplus(self) -> int:
        """Number of messages seen beyond its size: refused ones, of which the receipt does not list the ids."""
        return max(0, len(self.ids) - self.total)

    @property
    def open(self) -> bool:
        """True while there may be more to read."""
        return self.expected is None or self.counts.unsettled > 0

    @property
    def name(self) -> str:
        """The id that the logs are asked for."""
        return self.bulk.message_ids[0] if self.bulk.alone else self.bulk.bulk_id or ""

    def knows(self, message_id: str) -> bool:
        """Return True if the message belongs to this subscription. Refused ones may show up under its bulk id, too."""
        if self.member_ids is not None:
            return message_id in self.member_ids
        return not self.bulk.message_ids or message_id in self.ids
