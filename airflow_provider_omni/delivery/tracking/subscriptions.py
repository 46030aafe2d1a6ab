"""What a wait reads from: a request, a lone message, or many lone messages. Counts and marks only; decides nothing."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from airflow_provider_omni.delivery.tracking.verdict import DeliveryCounts
from airflow_provider_omni.delivery.tracking.watch import Bulk


@dataclass(eq=False)
class Subscription:
    """One filter by which reports are read: a bulk, or a message that is alone in its request."""

    bulk: Bulk
    expected: int | None
    tally: DeliveryCounts = field(default_factory=DeliveryCounts)
    stale: bool = True
    """The tally does not yet hold all that was seen."""
    recalled: bool = False
    """The journal was read back."""
    unsaved: bool = False
    logs_due: bool = True
    lost: bool = False
    """A read of reports has failed since the last look: only the logs may still have that page."""
    quiet: int = 0
    read_at: float = 0.0
    """When reports were last read, and the logs last asked: who has waited longest comes first."""
    looked_at: float = 0.0
    shown: frozenset[str] = frozenset()
    """Messages of which the last look into the logs has told: where it was asked for one alone, that one."""
    rows_at_last_look: tuple[float, int] | None = None
    ids: set[str] = field(default_factory=set)
    """Messages that are known to be in it: all that were seen, where it does not list them."""
    members: Container[str] | None = None
    """Which messages can be in it; None: those that it lists, or whichever are seen."""
    sliced: bool = False
    """It has no filter: its messages are followed through time slices of the logs."""
    doubted: set[str] = field(default_factory=set)
    """Messages whose failure does not count yet, since not every step was seen to fail."""
    samples: tuple[str, ...] = ()
    """Some of its messages, to be looked for by their own ids where its filter shows none."""
    next_sample: int | None = None
    """Whose turn it is; None: nobody's yet."""
    sampled_at: float = 0.0
    """When one of them was last looked for: who has waited longest comes first."""
    unseen: bool = False
    """The last look by its filter has shown nothing at all."""
    heard: bool = False
    """Something was heard of one of its messages."""
    released: bool = False
    """Nothing more can come; only its counts are kept."""

    @property
    def total(self) -> int:
        """How many messages it has, as far as is known."""
        return len(self.ids) if self.expected is None else self.expected

    @property
    def surplus(self) -> int:
        """How many more messages were seen than are in it: refused ones, where the receipt does not list who is."""
        return max(0, len(self.ids) - self.total)

    @property
    def open(self) -> bool:
        """Whether there may be more to read."""
        return self.expected is None or self.tally.unsettled > 0

    @property
    def name(self) -> str:
        """The id that the logs are asked for."""
        return self.bulk.message_ids[0] if self.bulk.alone else self.bulk.bulk_id or ""

    def knows(self, message_id: str) -> bool:
        """Whether a row is about one of its messages. Refused ones may show up under its bulk id, too."""
        if self.members is not None:
            return message_id in self.members
        return not self.bulk.message_ids or message_id in self.ids
