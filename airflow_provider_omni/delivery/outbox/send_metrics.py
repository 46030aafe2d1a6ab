"""Measurements of a send: each message once, however many tries the send takes. Pure.

Only what is on record counts. If a process dies between its answer and the write, the next try finds the message in
doubt, and counts it when it knows more. If it dies between the write and the count, nobody counts it: too few is better
than twice.
"""

from __future__ import annotations

from collections import Counter

from airflow_provider_omni.delivery.messages.states import UNCERTAIN, MessageState
from airflow_provider_omni.delivery.metrics import MESSAGES, UNKNOWN_OUTCOMES, Measurement, counted, measure_refusals
from airflow_provider_omni.delivery.outbox.progress import SendProgress
from airflow_provider_omni.delivery.recipients.intake import IntakeCounts

_S = MessageState
_COUNTED = {"accepted": _S.ACCEPTED, "rejected": _S.REFUSED}
"""States that are counted as soon as they are on record, by the tag."""


class SendMetrics:
    """Counts what is new since an earlier try, and since it was asked last.

    :param progress: the state of the send, as the record has it when this is made.
    :param intake: counts of the source's rows.
    :param is_new: True if no earlier try can have counted rows that are left out.
    :param doubted: messages among those in doubt of which the earlier tries have not spoken.
    """

    def __init__(self, progress: SendProgress, intake: IntakeCounts, *, is_new: bool, doubted: int = 0) -> None:
        self._progress = progress
        self._so_far = Counter({tag: progress.states[state] for tag, state in _COUNTED.items()})
        self._in_doubt = max(0, _uncertain(progress) - doubted)
        self._refused: Counter[str] = Counter()
        self._left_out = intake if is_new else None

    def news(self, by_others: int = 0) -> list[Measurement]:
        """Return what is on record, and was not counted yet.

        :param by_others: accepted messages that another task, run or try has sent and counted.
        """
        found: list[Measurement] = []
        recorded = self._progress.recorded
        if recorded is None:
            return found
        for tag, state in _COUNTED.items():
            now = recorded[state] - (by_others if state is _S.ACCEPTED else 0)
            found += counted(MESSAGES, now - self._so_far[tag], state=tag)
            self._so_far[tag] = max(now, self._so_far[tag])
        found += measure_refusals(self._progress.refused - self._refused)
        self._refused = Counter(self._progress.refused)
        return found

    def at_end(self, by_others: int = 0, *, trusted: bool = False) -> list[Measurement]:
        """Return what is left to count when the try ends.

        :param by_others: as for `news`.
        :param trusted: True if the vendor's word that it has seen an id is enough.
        """
        found = self.news(by_others)
        if (rows := self._left_out) is not None:
            self._left_out = None
            found += counted(MESSAGES, rows.quarantined, state="quarantined")
            found += counted(MESSAGES, rows.duplicates, state="duplicate")
            found += counted(MESSAGES, rows.suppressed or 0, state="suppressed")
        uncertain = _uncertain(self._progress) - self._in_doubt
        unknown = uncertain - (self._progress.states[_S.UNCONFIRMED] if trusted else 0)
        self._in_doubt = max(self._in_doubt, _uncertain(self._progress))
        return [
            *found,
            *counted(MESSAGES, uncertain, state="unconfirmed"),
            *counted(UNKNOWN_OUTCOMES, unknown),
        ]


def _uncertain(progress: SendProgress) -> int:
    return sum(progress.states[state] for state in UNCERTAIN)
