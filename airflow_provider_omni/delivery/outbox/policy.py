"""The choices of a send that are left to a user, or follow from what is known of its tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_omni.delivery.outbox.send_limits import INTENT_TTL, LIMITS, SendLimits
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.problems import unexpected


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """The conditions under which absence may be concluded.

    :param read_timeout: seconds that a POST of an earlier try may still be under way: the longest that a call can take.
    :param grace: seconds that the logs may lag behind, and that a request may be taken in after its caller gave up. The
        vendor does not publish either. A longer time is safer and delays only the repair of an unknown outcome.
    :param patience: seconds that one resolution may take before the messages stay unknown.
    """

    read_timeout: float = 30.0
    grace: float = 30.0
    patience: float = 900.0


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """The policy of a send, to one or to a million.

    :param look: the conditions under which absence may be concluded from the logs.
    :param connections: the number of requests under way at one time.
    :param requests_per_second: the client's rate limit. No more requests are begun than it lets through in time. None:
        no limit.
    :param trust_duplicate_rejection: post messages that stay unknown again, with their ids, since the account refuses
        ids that it has seen.
    :param attempts: POSTs in a row that certainly had no effect (429, no connection), after which the send gives up.
    :param on_rejected: `fail`, `ignore`, or the highest tolerated share of refused recipients.
    :param is_first_try: True if this is known to be the first try ever. An empty record then means that nothing was
        posted.
    :param record_complete: True if the record is complete, because the try before has said that it ended (`tries.py`).
        Otherwise the logs are queried for every person who is not on record before anybody is posted to.
    :param durable: True if a record in Airflow's state of the task outlives its try. Otherwise a later try of a batch
        without a ledger is refused.
    :param record_writes: the number of times that the record was written when the try before ended. A record that was
        written less often is not complete.
    :param unaccounted: the number of earlier tries that may have sent something that is not on record.
    :param account: `OmniConfig.account_mark`, which tells accounts apart.
    :param first_try_at: for a later try, seconds since the epoch before which no try of this send can have begun. If it
        is None (not known) and the record may be lost, the logs cannot prove that nothing was sent, and the task fails.
    :param dry_run: do everything but the POSTs, and write nothing.
    :param divides: divide a request that the vendor finds wrong, until the bad recipient stands alone and counts as
        refused. If False, the vendor's error ends the send, and a later try sends under the same ids.
    :param stops: end the send at an answer that would be the same for everybody: one that names foreign ids only, or a
        refusal for want of credit. If False, the logs are asked about the former, and the latter is a refusal like any
        other.
    :param asks: ask the logs about everybody who is not on record if the record may not be complete. If False, such a
        send is refused where the logs show any of its messages, or nothing but the record can tell.
    :param shared_key: True if other tasks or runs may send under this key. With `asks` everybody who is not known to be
        accepted is then asked about, however complete this task's record is.
    :param limits: sizes at which the send is divided or sampled.
    """

    look: LookPolicy
    connections: int = 8
    requests_per_second: float | None = None
    trust_duplicate_rejection: bool = False
    attempts: int = 8
    on_rejected: str | float = "fail"
    is_first_try: bool = False
    record_complete: bool = True
    durable: bool = False
    record_writes: int = 0
    unaccounted: int = 0
    account: str = ""
    first_try_at: float | None = None
    dry_run: bool = False
    divides: bool = True
    stops: bool = True
    asks: bool = False
    shared_key: bool = False
    limits: SendLimits = LIMITS

    @classmethod
    def of_one_request(cls, look: LookPolicy, **more: Any) -> SendPolicy:
        """Return the policy for a plan of one request: whatever becomes of it, there is nobody else to spare.

        :param more: fields that differ.
        """
        policy = {"connections": 1, "attempts": 5, "divides": False, "stops": False, "asks": True}
        return cls(look, **(policy | more))

    @property
    def at_once(self) -> int:
        """The number of requests under way: no more than the rate limit lets begin while an intent is fresh."""
        if self.requests_per_second is None:
            return max(1, self.connections)
        return max(1, min(self.connections, int(self.requests_per_second * INTENT_TTL)))

    def check(self) -> None:
        """Refuse settings that cannot be meant. Raises OmniInputError."""
        problems = []
        if self.requests_per_second is not None and self.requests_per_second * INTENT_TTL < 1:
            # The client would hold a POST back for longer than its intent is fresh.
            problems.append(
                unexpected(
                    "connection extra requests_per_second",
                    self.requests_per_second,
                    f"{1 / INTENT_TTL} or more: what is written down as about to be sent is sent within seconds",
                )
            )
        if problems:
            raise OmniInputError("Nothing was sent: it cannot be sent as it is.", problems=problems)
