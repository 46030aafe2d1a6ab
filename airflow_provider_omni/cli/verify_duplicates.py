"""`verify-duplicates`: evidence on whether the account refuses a messageId that it has seen, on a phone of one's own.

The message is posted, then once more under its id in another request, since a retry may put it into another one. If
that one is sent, too, it is posted a third time within its first request. What came of a repetition is told by its
answer, or by the logs and the reports of this message alone.
"""

from __future__ import annotations

import argparse
import enum
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_omni.cli.asking import ask
from airflow_provider_omni.cli.exit_codes import DONE, NO, NOT_KNOWN
from airflow_provider_omni.cli.one_message import OneMessage, prepare, status_of
from airflow_provider_omni.cli.output import Answer, Table, command
from airflow_provider_omni.delivery.messages.status import status_label
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import Effect, OmniError, OmniInputError
from airflow_provider_omni.omni.models import LogRow, Report, Status, skipped_in
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.rate_limits import logs_budget
from airflow_provider_omni.omni.reasons import refusal_in_words
from airflow_provider_omni.omni.statuses import is_duplicate, is_refusal

POLL = 3.0
"""Seconds between two looks."""
APART = 1.0
"""Seconds between two posts, so that their messages differ in the time at which they were sent."""
LONGEST_WAIT = 3600.0


class Finding(enum.Enum):
    """Treatment of a messageId that the account has seen."""

    REFUSED = "refused"
    REPORTED = "reported"
    IGNORED = "ignored"
    SENT = "sent"
    REQUEST_REFUSED = "request_refused"
    NOT_KNOWN = "not_known"


WORDS: dict[Finding, str] = {
    Finding.REFUSED: "refused in the answer, with status 23",
    Finding.REPORTED: "taken in the answer, refused with status 23 in a later report",
    Finding.IGNORED: "taken in the answer, and nothing more was sent",
    Finding.SENT: "sent again",
    Finding.REQUEST_REFUSED: "the request was refused as a whole",
    Finding.NOT_KNOWN: "not known",
}


class Verdict(enum.Enum):
    """Meaning of the findings for the account."""

    REFUSES = "refuses"
    REPORTS = "reports"
    IGNORES = "ignores"
    IN_ONE_REQUEST = "in_one_request_only"
    SENDS_TWICE = "sends_twice"
    NOT_KNOWN = "not_known"


MEANING: dict[Verdict, str] = {
    Verdict.REFUSES: (
        "The account refuses repeated ids: nobody gets a message twice, whatever dies (guarantee A). You may set "
        "trust_duplicate_rejection on the connection: what is in doubt is then posted again instead of failing the "
        "task. For how long the account remembers an id, this does not tell: ask Infobip for 48 hours."
    ),
    Verdict.REPORTS: (
        "The account sends nothing twice, but its answer takes a repeated id, and only a later report refuses it. "
        "Leave trust_duplicate_rejection off: it counts on status 23 in the answer."
    ),
    Verdict.IGNORES: (
        "The account answers a repeated id as if it were new, and nothing more was sent as far as its logs and reports "
        "tell. Leave trust_duplicate_rejection off: it counts on status 23 in the answer."
    ),
    Verdict.IN_ONE_REQUEST: (
        "The account knows a repeated id within one request only; in another request it sends it again. Leave "
        "trust_duplicate_rejection off: a retry may put a message into another request."
    ),
    Verdict.SENDS_TWICE: (
        "The account sends a repeated id again. Leave trust_duplicate_rejection off (guarantee B, docs/reliability.md)."
    ),
    Verdict.NOT_KNOWN: (
        "Nothing can be said. Leave trust_duplicate_rejection off, and try again later or with more --wait."
    ),
}


@dataclass
class Evidence:
    """The word of logs and reports on one message so far.

    :param logged: by channel, the most steps that one look into the logs has shown.
    :param reported: by channel, the steps that reports were about.
    :param refusals: reports that refuse it as seen before.
    :param lost: True if a read of reports has failed, or had rows that could not be read: one may be lost for good.
    """

    logged: Counter[str] = field(default_factory=Counter)
    reported: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    refusals: int = 0
    lost: bool = False

    def take(self, logs: Iterable[LogRow], reports: Iterable[Report]) -> None:
        """Take in rows. Logs and reports are counted apart, since each rounds times in its own way."""
        seen: dict[str, set[tuple[str, str]]] = {}
        for row in logs:
            if not is_duplicate(row.status):
                seen.setdefault(row.channel or "", set()).add(_step_of(row))
        self.logged |= Counter({channel: len(steps) for channel, steps in seen.items()})
        for report in reports:
            if is_duplicate(report.status):
                self.refusals += 1
            else:
                self.reported.setdefault(report.channel or "", set()).add(_step_of(report))

    def count(self, flow: Sequence[str]) -> int:
        """Return how often the message was sent, as far as was seen.

        :param flow: the channels of its scenario; a channel that comes twice there has two steps for each send.
        """
        of_flow = Counter(flow)
        counts = [*self.logged.items(), *((channel, len(steps)) for channel, steps in self.reported.items())]
        return max((-(-count // max(of_flow[channel], 1)) for channel, count in counts), default=0)


def _step_of(row: LogRow | Report) -> tuple[str, str]:
    """Return what tells the step of one send from that of another: its request, and when it was sent."""
    return row.bulk_id or "", str(row.sent_at)


def finding_of_answer(status: Status) -> Finding | None:
    """Return what the answer to a repeated id says by itself; None if it was taken, so that one has to wait."""
    if is_duplicate(status):
        return Finding.REFUSED
    return Finding.NOT_KNOWN if is_refusal(status) else None


def finding_of_evidence(
    evidence: Evidence, flow: Sequence[str], sent_before: int, refusals_before: int, *, closing: bool
) -> Finding | None:
    """Return what logs and reports say of a repetition; None while they do not tell.

    :param sent_before: how often the message had been sent before it.
    :param refusals_before: reports of refusals that there were before it.
    :param closing: the time is up.
    """
    count = evidence.count(flow)
    if count > sent_before:
        return Finding.SENT
    if evidence.refusals > refusals_before:
        return Finding.REPORTED
    if not closing:
        return None
    # Silence says something only where the logs show what was sent before, and no report may be lost.
    return Finding.IGNORED if count == sent_before and not evidence.lost else Finding.NOT_KNOWN


def verdict_of(other_request: Finding, same_request: Finding | None) -> Verdict:
    """Return what two findings mean.

    :param other_request: of the id in another request.
    :param same_request: of the id in its first request; None where that was not tried.
    """
    plain = {
        Finding.REFUSED: Verdict.REFUSES,
        Finding.REPORTED: Verdict.REPORTS,
        Finding.IGNORED: Verdict.IGNORES,
    }
    if other_request in plain:
        return plain[other_request]
    if other_request is not Finding.SENT:
        return Verdict.NOT_KNOWN
    return Verdict.IN_ONE_REQUEST if same_request in (*plain, Finding.REQUEST_REFUSED) else Verdict.SENDS_TWICE


class Vendor(Protocol):
    """The account, about one message."""

    def post(self, bulk_id: str) -> Status:
        """Post the message in a request of this id, once, and return its status in the answer. Raises OmniError."""

    def logs(self) -> Sequence[LogRow]:
        """Return the message's log rows. Raises OmniError."""

    def reports(self) -> Sequence[Report]:
        """Return its reports that nobody has read yet. Raises OmniError."""


@dataclass
class Verification:
    """One run.

    :param flow: the channels of the scenario; empty if not known.
    :param patience: seconds to wait for logs and reports after each repetition that was taken, at most.
    """

    vendor: Vendor
    flow: Sequence[str]
    patience: float
    evidence: Evidence = field(default_factory=Evidence)
    first: str = field(default_factory=lambda: str(uuid.uuid4()))
    notes: list[str] = field(default_factory=list)

    def run(self) -> tuple[Finding, Finding | None]:
        """Post, repeat, wait. Returns what came of the id in another request, and in the same one.

        Raises OmniError if the message itself is not accepted: then nothing is learned.
        """
        status = self.vendor.post(self.first)
        if is_refusal(status) or is_duplicate(status):
            problem = f"the message itself was refused: {refusal_in_words(status_label(status))}"
            raise OmniInputError("Nothing was learned.", problems=(problem,))
        other_request = self._repeat(str(uuid.uuid4()), sent_before=1)
        if other_request is not Finding.SENT:
            return other_request, None
        return other_request, self._repeat(self.first, sent_before=2)

    def _repeat(self, bulk_id: str, sent_before: int) -> Finding:
        time.sleep(APART)
        refusals_before, lost_answer = self.evidence.refusals, False
        try:
            status = self.vendor.post(bulk_id)
        except OmniError as error:
            self.notes.append(f"A repetition failed: {error.message}")
            if error.effect is Effect.NONE:
                refused = error.status is not None and 400 <= error.status < 500 and error.status not in (401, 403, 429)
                return Finding.REQUEST_REFUSED if refused else Finding.NOT_KNOWN
            lost_answer = True
        else:
            if (answered := finding_of_answer(status)) is not None:
                if answered is Finding.NOT_KNOWN:
                    self.notes.append(f"A repetition was refused for another reason: {status_label(status)}.")
                return answered
        found = self._wait(sent_before, refusals_before)
        # It may never have arrived: then its silence says nothing.
        return Finding.NOT_KNOWN if lost_answer and found is Finding.IGNORED else found

    def _wait(self, sent_before: int, refusals_before: int) -> Finding:
        until = time.time() + self.patience
        while True:
            self._look()
            closing = time.time() >= until
            found = finding_of_evidence(self.evidence, self.flow, sent_before, refusals_before, closing=closing)
            if found is not None:
                return found
            time.sleep(min(POLL, max(until - time.time(), 0.0)))

    def _look(self) -> None:
        logs: Sequence[LogRow] = ()
        reports: Sequence[Report] = ()
        try:
            logs = self.vendor.logs()
            reports = self.vendor.reports()
        except OmniError as error:
            self.evidence.lost |= error.effect is not Effect.NONE
        self.evidence.lost |= bool(skipped_in(reports))
        self.evidence.take(logs, reports)


class Account:
    """The account of a connection, about one message."""

    def __init__(self, hook: OmniHook, message: OneMessage) -> None:
        self._hook = hook
        self._message = message

    def post(self, bulk_id: str) -> Status:
        """Post the message once."""
        print(f"Posting message {self._message.message_id} …", file=sys.stderr)
        return status_of(self._hook.send_advanced(self._message.body(bulk_id)), self._message.message_id)

    def logs(self) -> Sequence[LogRow]:
        """Return its log rows; none while the account's budget of looks is spent."""
        if logs_budget(self._hook.config.account).try_take():
            return ()
        return self._hook.get_conn().execute(api.get_logs(message_ids=(self._message.message_id,)))

    def reports(self) -> Sequence[Report]:
        """Return its unread reports. Nobody else waits for them: the id is this run's own."""
        return self._hook.get_conn().execute(api.get_reports(message_id=self._message.message_id))


def question_of(message: OneMessage, whole: bool) -> str:
    """Return what to ask before it is sent."""
    return (
        f"Send a message to {message.shown_number(whole)} by scenario {message.shown_scenario}, and its id again? One "
        "message is to be paid, up to three on an account that sends repeated ids."
    )


def answer_of(message_id: str, other_request: Finding, same_request: Finding | None, notes: Sequence[str]) -> Answer:
    """Return the verdict, and what it rests on."""
    verdict = verdict_of(other_request, same_request)
    rows: list[dict[str, Any]] = [{"the same id": "in another request", "was": WORDS[other_request]}]
    rows += [{"the same id": "in the same request", "was": WORDS[same_request]}] if same_request is not None else []
    data = {
        "verdict": verdict.value,
        "guarantee": "A" if verdict is Verdict.REFUSES else "B",
        "trust_duplicate_rejection": verdict is Verdict.REFUSES,
        "in_another_request": other_request.value,
        "in_the_same_request": same_request.value if same_request is not None else None,
        "message_id": message_id,
        "notes": list(notes),
    }
    code = {Verdict.REFUSES: DONE, Verdict.NOT_KNOWN: NOT_KNOWN}.get(verdict, NO)
    return Answer(data, (Table(rows),), (*notes, MEANING[verdict]), code)


@command
def verify_duplicates(arguments: argparse.Namespace) -> Answer:
    """Tell what the account does with a repeated messageId."""
    if not 0 <= arguments.wait <= LONGEST_WAIT:
        problem = unexpected("--wait", f"{arguments.wait:g}", f"seconds from 0 to {LONGEST_WAIT:g}")
        raise OmniInputError("Nothing was sent.", problems=(problem,))
    with OmniHook(arguments.conn_id) as hook:
        message = prepare(hook, arguments.to, arguments.text, arguments.scenario)
        ask(question_of(message, arguments.show_numbers), yes=arguments.yes)
        run = Verification(Account(hook, message), message.flow, arguments.wait)
        other_request, same_request = run.run()
    return answer_of(message.message_id, other_request, same_request, run.notes)
