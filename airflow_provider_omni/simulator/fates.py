"""Fates of messages, by the last two digits of their phone numbers. A table; the arithmetic is in `timeline.py`.

A fate says what the chat step does (LINE, and every other channel that is not SMS) and what the SMS step does, if the
failover gets that far. Times are in beats: one beat is the switch `beat_seconds`, one second unless told otherwise.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from airflow_provider_omni.simulator import outcomes
from airflow_provider_omni.simulator.outcomes import Status, StepError


class Since(enum.Enum):
    """Start from which the time of a moment is counted."""

    START = "start"
    """The step's start."""
    EXPIRY = "expiry"
    """The end of the step's validity."""


class Reporting(enum.Enum):
    """Extent to which reports and logs tell of a message."""

    NORMAL = "normal"
    NO_REPORTS = "no reports"
    """It shows in the logs only."""
    NOTHING = "nothing"
    """Neither report nor log row, ever: accepted and never heard of again."""
    TWICE = "twice"
    """Every report comes a second time, one beat later."""
    SPARSE = "sparse"
    """Reports leave out every member that is not always there, and `mccMnc` is the string "null"."""


@dataclass(frozen=True)
class Moment:
    """Something that happens to a step: `after` beats, counted `since`. Its report comes `report_after` beats later."""

    after: float
    status: Status
    error: StepError = outcomes.NO_ERROR
    since: Since = Since.START
    report_after: float = 0.0


@dataclass(frozen=True)
class Fate:
    """One row of the table in docs/simulator.md.

    `refused`: the status in the 200 answer when the message is not accepted at all. `answer_status`: when it is.
    """

    what: str
    chat: tuple[Moment, ...] = ()
    sms: tuple[Moment, ...] = ()
    reporting: Reporting = Reporting.NORMAL
    refused: Status | None = None
    answer_status: Status = outcomes.ENROUTE


SILENCE: tuple[Moment, ...] = ()
DELIVERED = (Moment(1, outcomes.HANDSET),)
UNKNOWN_USER = (Moment(1, outcomes.REJECTED_PLATFORM, outcomes.UNKNOWN_USER),)
BLOCKED_USER = (Moment(1, outcomes.REJECTED_PLATFORM, outcomes.BLOCKED_USER),)
UNDELIVERABLE = (Moment(1, outcomes.NOT_DELIVERED, outcomes.PROVIDER_TIMEOUT),)
ABSENT = (Moment(1, outcomes.NOT_DELIVERED, outcomes.ABSENT_SUBSCRIBER),)
NO_SUBSCRIBER = (Moment(1, outcomes.REJECTED_OPERATOR, outcomes.UNKNOWN_SUBSCRIBER),)
LATE = (Moment(3, outcomes.HANDSET, since=Since.EXPIRY),)

DEFAULT_FATE = Fate("LINE delivered", chat=DELIVERED, sms=DELIVERED)
"""The fate of every pair of digits that is not in the table, and of addresses without a phone number."""
UNDECIDED = Fate("silent until somebody decides")
"""The fate of every message while fates are decided by hand."""


def _refused(status_id: int) -> Fate:
    status = outcomes.REFUSALS[status_id]
    return Fate(f"refused in the 200 answer: {status.id} {status.name}", refused=status)


FATES: dict[str, Fate] = {
    "06": _refused(6),
    "08": _refused(8),
    "10": _refused(10),
    "12": _refused(12),
    "17": _refused(17),
    "18": _refused(18),
    "20": _refused(20),
    "21": _refused(21),
    "52": _refused(52),
    "40": Fate("LINE rejected (7002), SMS delivered", chat=UNKNOWN_USER, sms=DELIVERED),
    "41": Fate("LINE undeliverable, SMS delivered", chat=UNDELIVERABLE, sms=DELIVERED),
    "42": Fate("LINE undeliverable, SMS undeliverable, neither for good", chat=UNDELIVERABLE, sms=ABSENT),
    "43": Fate(
        "LINE rejected (7003), SMS rejected by the operator, both for good", chat=BLOCKED_USER, sms=NO_SUBSCRIBER
    ),
    "44": Fate("LINE silent until its validity ends, SMS delivered", chat=SILENCE, sms=DELIVERED),
    "45": Fate("silent on every channel until the validity ends", chat=SILENCE, sms=SILENCE),
    "46": Fate("LINE rejected (7002), SMS silent until its validity ends", chat=UNKNOWN_USER, sms=SILENCE),
    "47": Fate(
        "LINE silent until its validity ends, SMS delivered, then LINE delivered late", chat=LATE, sms=DELIVERED
    ),
    "48": Fate(
        "LINE silent until its validity ends, SMS undeliverable, then LINE delivered late", chat=LATE, sms=ABSENT
    ),
    "49": Fate("LINE delivered slowly, after five beats", chat=(Moment(5, outcomes.HANDSET),), sms=DELIVERED),
    "60": Fate(
        "LINE rejected (7002), SMS delivered to the operator, two beats later to the handset",
        chat=UNKNOWN_USER,
        sms=(Moment(1, outcomes.OPERATOR), Moment(3, outcomes.HANDSET)),
    ),
    "61": Fate(
        "LINE rejected (7002), SMS delivered to the operator and nothing more",
        chat=UNKNOWN_USER,
        sms=(Moment(1, outcomes.OPERATOR),),
    ),
    "62": Fate(
        "LINE rejected (7002), SMS delivered to the operator, two beats later undeliverable",
        chat=UNKNOWN_USER,
        sms=(Moment(1, outcomes.OPERATOR), Moment(3, outcomes.NOT_DELIVERED, outcomes.ABSENT_SUBSCRIBER)),
    ),
    "63": Fate(
        "LINE rejected (7002), SMS delivered; the operator's report comes after the handset's",
        chat=UNKNOWN_USER,
        sms=(Moment(1, outcomes.OPERATOR, report_after=3), Moment(2, outcomes.HANDSET)),
    ),
    "64": Fate(
        "LINE delivered to the operator, two beats later to the handset",
        chat=(Moment(1, outcomes.OPERATOR), Moment(3, outcomes.HANDSET)),
        sms=DELIVERED,
    ),
    "70": Fate(
        "LINE delivered, never a report: logs only", chat=DELIVERED, sms=DELIVERED, reporting=Reporting.NO_REPORTS
    ),
    "71": Fate(
        "LINE rejected (7002), SMS delivered, never a report: logs only",
        chat=UNKNOWN_USER,
        sms=DELIVERED,
        reporting=Reporting.NO_REPORTS,
    ),
    "72": Fate(
        "LINE undeliverable, SMS undeliverable, never a report: logs only",
        chat=UNDELIVERABLE,
        sms=ABSENT,
        reporting=Reporting.NO_REPORTS,
    ),
    "73": Fate(
        "LINE delivered, and neither a report nor a log row ever says so",
        chat=DELIVERED,
        sms=DELIVERED,
        reporting=Reporting.NOTHING,
    ),
    "74": Fate("LINE delivered, reported twice", chat=DELIVERED, sms=DELIVERED, reporting=Reporting.TWICE),
    "80": Fate(
        "LINE delivered with an unknown status id and name in the group DELIVERED",
        chat=(Moment(1, outcomes.NEW_DELIVERED),),
        sms=DELIVERED,
    ),
    "81": Fate(
        "LINE failed with an unknown status id and name in the group UNDELIVERABLE, SMS delivered",
        chat=(Moment(1, outcomes.NEW_UNDELIVERABLE, outcomes.PROVIDER_TIMEOUT),),
        sms=DELIVERED,
    ),
    "82": Fate(
        "LINE reported with an unknown status group, two beats later delivered",
        chat=(Moment(1, outcomes.NEW_GROUP), Moment(3, outcomes.HANDSET)),
        sms=DELIVERED,
    ),
    "83": Fate(
        "LINE delivered, the report has only the members that are always there",
        chat=DELIVERED,
        sms=DELIVERED,
        reporting=Reporting.SPARSE,
    ),
    "84": Fate(
        "accepted as 26 PENDING_ACCEPTED instead of 7, LINE delivered",
        chat=DELIVERED,
        sms=DELIVERED,
        answer_status=outcomes.ACCEPTED,
    ),
}
"""Last two digits of the phone number → fate. 27 and 31, the numbers of the source document, are not in it."""


def fate_of(phone_number: str) -> Fate:
    """Return the fate that the last two digits of a number script."""
    return FATES.get(phone_number[-2:], DEFAULT_FATE)
