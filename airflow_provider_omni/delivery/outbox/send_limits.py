"""The sizes and times by which a send writes, posts and samples. `safety.py` decides by `INTENT_TTL`."""

from __future__ import annotations

from dataclasses import dataclass

INTENT_TTL = 5.0
"""Seconds after its intent within which a POST begins, at the latest. An older intent is written anew before its POST,
so that a try that was replaced learns of it.
"""
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
"""Failed writes in a row that end the send."""
UNKNOWN_IN_A_ROW = 16
"""Requests in a row with unknown outcome, after which the logs are asked before more is posted.

The limit is higher for more than eight connections: two requests for each of them.
"""
CONCURRENT_INTENT_WRITES = 3
"""Windows that are written at one time, where writing takes longer than posting."""
REFUSALS_IN_A_ROW = 20
"""Recipients, each alone in a request, refused by HTTP in a row with none accepted between. Then they are not the
cause, and the send stops.
"""


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Sizes at which a send is divided or sampled. Tests make them small.

    :param part_rows: rows in one part of `plan/` or `quarantine/`.
    :param all_asked: ids up to which the logs are asked for everyone if the record may be lost: twenty calls a round.
        Of more people, half are first ones and half by chance.
    """

    part_rows: int = 10_000
    all_asked: int = 1000


LIMITS = SendLimits()
