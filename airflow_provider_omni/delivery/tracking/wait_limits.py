"""The sizes and times by which a wait reads, asks and writes."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PAGES = 100
"""Pages of reports read at once for one subscription. Bounds the read if a server never gives a short page."""
IDLE_POLLS = 4
"""Polls without progress after which the logs are asked."""
ALL_SHOWN = 120.0
"""Seconds after which the logs show all messages of a request."""
CLOSING_READS = 120.0
"""Seconds after the deadline in which the last reads of reports must end."""
FAILED_READS = 3
"""Reads of single messages' reports that may fail in a row before the others wait for the next poll."""
CLOSING = 300.0
"""Seconds after the deadline in which the last reads and log queries must end. Airflow ends the wait after 600 s."""
LONGEST_LEAD = 3600.0
"""Seconds by which the last round of log queries may begin before the deadline, at most. Many requests take long."""
LAST_LOOKS = 6
"""Rounds of log queries at the deadline, while queries fail."""
LAST_WRITES = 8
"""Tries to write down at the deadline what was read, at most, within `CLOSING`."""
JOURNAL_PATIENCE = 1800.0
"""Seconds for which the journal may be out of reach before the wait ends with an error, far from its deadline."""
JOURNAL_TRIES = 10
"""Failed tries that must come before that, since polls may be half an hour apart."""
REFUSALS = 3
"""Polls in a row that the API may refuse (401, 403, other 4xx) before the wait ends with that error."""
SERVED = 100
"""Subscriptions that one poll can ask for. With more, each poll and each process begins with another one."""
WORDS = 20
"""Subscriptions that are queried once more before a verdict that rests on operator deliveries, or on failures. More
would take long.
"""
SAMPLES = 5
"""Messages that one poll asks for by their own ids because their requests' bulk ids show no row."""
IN_A_THREAD = 200
"""Number of rows above which a page is taken in beside the event loop."""


@dataclass(frozen=True, slots=True)
class TrackingLimits:
    """Sizes of a wait that follows the messages of a ledger. Tests make them small.

    :param many_single: number of single messages above which they are followed through time windows of the logs.
    :param single_together: single messages whose counts are kept together.
    :param page: rows of a page of the logs in a time window. A shorter page is the last one.
    :param news_in_a_part: messages with news after which a part is written before more is read.
    :param count_together: messages that are counted in one computation.
    :param looks_by_id: calls for messages that no time window has shown, in a round before the deadline.
    """

    many_single: int = 100
    single_together: int = 1000
    page: int = 1000
    news_in_a_part: int = 5000
    count_together: int = 2000
    looks_by_id: int = 20


LIMITS = TrackingLimits()
