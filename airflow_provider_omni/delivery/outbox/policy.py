"""How a batch behaves where the API leaves it open, and what a user may choose. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_omni.delivery.options import rejected_problems
from airflow_provider_omni.delivery.outbox.reconciler import FENCE, LookPolicy
from airflow_provider_omni.omni.errors import OmniInputError

INTENT_TTL = FENCE
"""Seconds: an older intent is written anew before its POST, so that a try that was replaced learns of it."""
MAX_INTENT_RENEWALS = 5
"""How often one request's intent may grow old before its POST: then writing is slower than sending can wait for."""
WINDOW_SECONDS = 0.5
"""How long a window should last: long enough that writing does not hold up sending, short enough to be asked about."""
MAX_WINDOW_ROUNDS = 16
"""Requests in a window, for each lane: where requests are small, several rounds of the lanes share one write."""
WRITE_ATTEMPTS = 4
"""Writes in a row that may fail before the batch ends."""
UNKNOWN_IN_A_ROW = 16
"""Requests in a row (at least two for each lane) with unknown outcome, after which the logs are asked before more is
posted.
"""
CONCURRENT_INTENT_WRITES = 3
"""Windows that are written at the same time, where writing takes longer than posting."""
REFUSALS_IN_A_ROW = 20
"""Lone recipients refused by HTTP in a row, with none accepted between: then it is not the recipients."""
NOTE_EVERY = 5.0
"""Seconds between notes of progress."""


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """Where the batch's ledger is (for the receipt), and the token that tells this try from all others."""

    path: str
    token: str


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """How a batch is sent.

    :param look: when absence may be concluded from the logs.
    :param connections: requests under way at the same time.
    :param requests_per_second: the client's pace, so that no more requests are begun than it lets through in time.
    :param trust_duplicate_rejection: post again, same ids, what stays unknown.
    :param attempts: posts in a row that certainly had no effect (429, no connection) before giving up.
    :param on_rejected: `fail`, `ignore`, or the highest tolerated ratio of refused recipients.
    :param surely_first: this is known to be the first try ever, so an empty record means that nothing was posted.
    :param recallable: what is on record is all there is: the try before has said that it ended
        (`tries.py`). Else the logs are asked before anybody is sent to of whom the record does not know.
    :param durable: a record in Airflow's state of the task outlives its try. Else a batch without a ledger is refused
        in a later try.
    :param record_writes: how often the record was written when the try before ended; an older one is not all there is.
    :param untold: how many earlier tries may have sent something that is not on record.
    :param account: `OmniConfig.account_mark`, which tells accounts apart.
    :param first_try_at: for the others, seconds since the epoch before which no try of this send can have begun; None:
        not known.
    :param dry_run: everything but the POSTs, and nothing is written.
    """

    look: LookPolicy
    connections: int = 8
    requests_per_second: float | None = None
    trust_duplicate_rejection: bool = False
    attempts: int = 8
    on_rejected: str | float = "fail"
    surely_first: bool = False
    recallable: bool = True
    durable: bool = False
    record_writes: int = 0
    untold: int = 0
    account: str = ""
    first_try_at: float | None = None
    dry_run: bool = False

    @property
    def lanes(self) -> int:
        """Requests under way: no more than the pace lets begin while an intent is fresh."""
        if self.requests_per_second is None:
            return max(1, self.connections)
        return max(1, min(self.connections, int(self.requests_per_second * INTENT_TTL)))

    def check(self) -> None:
        """Refuse what cannot be meant. Raises OmniInputError."""
        problems = []
        if self.requests_per_second is not None and self.requests_per_second * INTENT_TTL < 1:
            # The client would hold a POST back for longer than its intent holds.
            problems.append(
                f"connection extra requests_per_second: found {self.requests_per_second}, a batch needs "
                f"{1 / INTENT_TTL} or more: what is written down as about to be sent is sent within seconds"
            )
        problems += rejected_problems(self.on_rejected, ratio=True)
        if problems:
            raise OmniInputError("Nothing was sent: the batch cannot be sent as it is.", problems=problems)
