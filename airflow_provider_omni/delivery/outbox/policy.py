"""The choices that a batch leaves to its user, and the limits where the API leaves them open. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_omni.delivery.options import rejected_problems
from airflow_provider_omni.delivery.outbox.reconciler import FENCE, LookPolicy
from airflow_provider_omni.omni.errors import OmniInputError

INTENT_TTL = FENCE
"""Seconds after which an intent is written anew before its POST, so that a try that was replaced learns of it."""
MAX_INTENT_RENEWALS = 5
"""Times that one request's intent may grow too old before its POST. More often means that writing is too slow to
send.
"""
WINDOW_SECONDS = 0.5
"""Seconds that a window should last: long enough that writing does not hold up sending, short enough to be asked
about.
"""
MAX_WINDOW_ROUNDS = 16
"""Requests in a window for each connection, at most. Small requests of several rounds share one write."""
WRITE_ATTEMPTS = 4
"""Failed writes in a row that end the batch."""
UNKNOWN_IN_A_ROW = 16
"""Requests in a row with unknown outcome, after which the logs are asked before more is posted.

The limit is higher for more than eight connections: two requests for each of them.
"""
CONCURRENT_INTENT_WRITES = 3
"""Windows that are written at one time, where writing takes longer than posting."""
REFUSALS_IN_A_ROW = 20
"""Recipients, each alone in a request, refused by HTTP in a row with none accepted between. Then they are not the
cause, and the batch stops.
"""
NOTE_EVERY = 5.0
"""Seconds between notes of progress."""


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """The ledger of a batch.

    :param path: its place, for the receipt.
    :param token: tells this try from all others.
    """

    path: str
    token: str


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """The rules by which a batch is sent.

    :param look: the conditions under which absence may be concluded from the logs.
    :param connections: the number of requests under way at one time.
    :param requests_per_second: the client's pace. No more requests are begun than it lets through in time. None: no
        limit.
    :param trust_duplicate_rejection: post messages that stay unknown again, with their ids, since the account refuses
        ids that it has seen.
    :param attempts: POSTs in a row that certainly had no effect (429, no connection), after which the batch gives up.
    :param on_rejected: `fail`, `ignore`, or the highest tolerated share of refused recipients.
    :param surely_first: True if this is known to be the first try ever. An empty record then means that nothing was
        posted.
    :param recallable: True if the record is complete, because the try before has said that it ended (`tries.py`).
        Otherwise the logs are asked before anybody is sent to of whom the record does not know.
    :param durable: True if a record in Airflow's state of the task outlives its try. Otherwise a later try of a batch
        without a ledger is refused.
    :param record_writes: the number of times that the record was written when the try before ended. A record that was
        written less often is not complete.
    :param untold: the number of earlier tries that may have sent something that is not on record.
    :param account: `OmniConfig.account_mark`, which tells accounts apart.
    :param first_try_at: for a later try, seconds since the epoch before which no try of this send can have begun. If it
        is None (not known) and the record may be lost, the logs cannot prove that nothing was sent, and the task fails.
    :param dry_run: do everything but the POSTs, and write nothing.
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
        """The number of requests under way: no more than the pace lets begin while an intent is fresh."""
        if self.requests_per_second is None:
            return max(1, self.connections)
        return max(1, min(self.connections, int(self.requests_per_second * INTENT_TTL)))

    def check(self) -> None:
        """Refuse settings that cannot be meant. Raises OmniInputError."""
        problems = []
        if self.requests_per_second is not None and self.requests_per_second * INTENT_TTL < 1:
            # The client would hold a POST back for longer than its intent is fresh.
            problems.append(
                f"connection extra requests_per_second: found {self.requests_per_second}, a batch needs "
                f"{1 / INTENT_TTL} or more: what is written down as about to be sent is sent within seconds"
            )
        problems += rejected_problems(self.on_rejected, ratio=True)
        if problems:
            raise OmniInputError("Nothing was sent: the batch cannot be sent as it is.", problems=problems)
