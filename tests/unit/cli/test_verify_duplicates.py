"""`verify-duplicates`: what each answer, report and log row says of an account. Its time is the test's."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_omni.cli import verify_duplicates as module
from airflow_provider_omni.cli.output import show
from airflow_provider_omni.cli.verify_duplicates import (
    MEANING,
    WORDS,
    Evidence,
    Finding,
    Verdict,
    Verification,
    answer_of,
    finding_of_answer,
    finding_of_evidence,
    verdict_of,
)
from airflow_provider_omni.omni.errors import Effect, OmniError, OmniInputError, OmniRequestError, OmniServerError
from airflow_provider_omni.omni.models import LogRow, Report, Rows, Status
from tests.harness.clock import SkippingClock

TAKEN = Status(group_id=1, group_name="PENDING", id=7, name="PENDING_ENROUTE")
DELIVERED = Status(group_id=3, group_name="DELIVERED", id=5, name="DELIVERED_TO_HANDSET")
DUPLICATE = Status(group_id=5, group_name="REJECTED", id=23, name="REJECTED_DUPLICATE_MESSAGE_ID")
NO_CREDIT = Status(group_id=5, group_name="REJECTED", id=12, name="REJECTED_NOT_ENOUGH_CREDITS")
FLOW = ("LINE", "SMS")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def log(bulk: str = "a", second: int = 0, channel: str = "LINE", status: Status = DELIVERED) -> LogRow:
    return LogRow(
        message_id="m", bulk_id=bulk, channel=channel, status=status, sent_at=NOON + timedelta(seconds=second)
    )


def report(bulk: str = "a", second: int = 0, channel: str = "LINE", status: Status = DELIVERED) -> Report:
    return Report(
        message_id="m", bulk_id=bulk, channel=channel, status=status, sent_at=NOON + timedelta(seconds=second)
    )


def evidence(logs: Sequence[LogRow] = (), reports: Sequence[Report] = ()) -> Evidence:
    found = Evidence()
    found.take(logs, reports)
    return found


# -- what is counted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logs", "reports", "count"),
    [
        ([], [], 0),
        ([log()], [], 1),
        ([log(), log(channel="SMS", second=9)], [report(), report(channel="SMS", second=9)], 1),
        ([log("a"), log("b")], [], 2),
        ([log("", 0), log("", 1)], [], 2),
        ([], [report("a"), report("b")], 2),
        ([], [report(), report()], 1),
        ([log("a"), log("b", 1), log("a", 2)], [report("a")], 3),
        ([log(status=DUPLICATE)], [report(status=DUPLICATE)], 0),
    ],
    ids=[
        "nothing",
        "one row",
        "failover is one send",
        "two requests",
        "two times",
        "two reports of two requests",
        "one report that came twice",
        "three sends",
        "a refusal is no send",
    ],
)
def test_sends_are_counted(logs: list[LogRow], reports: list[Report], count: int) -> None:
    assert evidence(logs, reports).count(FLOW) == count


def test_a_channel_that_stands_twice_in_the_flow_has_two_rows_for_each_send() -> None:
    rows = [log(second=0), log(second=5)]
    assert evidence(rows).count(("LINE", "LINE")) == 1
    assert evidence([*rows, log("b", 6)]).count(("LINE", "LINE")) == 2
    assert evidence([log()]).count(()) == 1


def test_times_that_differ_between_two_looks_are_not_two_sends() -> None:
    found = Evidence()
    found.take([log(second=0)], [])
    found.take([log(second=1)], [])
    assert found.count(FLOW) == 1


# -- what is decided --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "finding"), [(DUPLICATE, Finding.REFUSED), (TAKEN, None), (NO_CREDIT, Finding.NOT_KNOWN)]
)
def test_the_answer_to_a_repetition(status: Status, finding: Finding | None) -> None:
    assert finding_of_answer(status) is finding


@pytest.mark.parametrize(
    ("found", "closing", "finding"),
    [
        (evidence([log()]), False, None),
        (evidence([log()]), True, Finding.IGNORED),
        (evidence(), True, Finding.NOT_KNOWN),
        (evidence([log("a"), log("b")]), False, Finding.SENT),
        (evidence([log()], [report(status=DUPLICATE)]), False, Finding.REPORTED),
        (evidence([log("a"), log("b")], [report(status=DUPLICATE)]), False, Finding.SENT),
    ],
    ids=["too early", "silence", "blind", "sent", "reported", "sent whatever is reported"],
)
def test_what_logs_and_reports_say(found: Evidence, closing: bool, finding: Finding | None) -> None:
    assert finding_of_evidence(found, FLOW, 1, 0, closing=closing) is finding


def test_silence_says_nothing_if_a_report_may_be_lost() -> None:
    found = evidence([log()])
    found.lost = True
    assert finding_of_evidence(found, FLOW, 1, 0, closing=True) is Finding.NOT_KNOWN


F, V = Finding, Verdict


@pytest.mark.parametrize(
    ("other_request", "same_request", "verdict"),
    [
        (F.REFUSED, None, V.REFUSES),
        (F.REPORTED, None, V.REPORTS),
        (F.IGNORED, None, V.IGNORES),
        (F.SENT, F.REFUSED, V.IN_ONE_REQUEST),
        (F.SENT, F.REPORTED, V.IN_ONE_REQUEST),
        (F.SENT, F.IGNORED, V.IN_ONE_REQUEST),
        (F.SENT, F.REQUEST_REFUSED, V.IN_ONE_REQUEST),
        (F.SENT, F.SENT, V.SENDS_TWICE),
        (F.SENT, F.NOT_KNOWN, V.SENDS_TWICE),
        (F.NOT_KNOWN, None, V.NOT_KNOWN),
        (F.REQUEST_REFUSED, None, V.NOT_KNOWN),
    ],
)
def test_what_it_means_for_the_account(other_request: Finding, same_request: Finding | None, verdict: Verdict) -> None:
    assert verdict_of(other_request, same_request) is verdict


def test_every_finding_and_every_verdict_has_words() -> None:
    assert set(WORDS) == set(Finding)
    assert set(MEANING) == set(Verdict)


@pytest.mark.parametrize("verdict", Verdict)
def test_only_an_account_that_refuses_in_its_answer_may_be_trusted(verdict: Verdict) -> None:
    assert ("Leave trust_duplicate_rejection off" in MEANING[verdict]) is (verdict is not Verdict.REFUSES)


@pytest.mark.parametrize(
    ("other_request", "code", "guarantee"), [(F.REFUSED, 0, "A"), (F.REPORTED, 3, "B"), (F.NOT_KNOWN, 4, "B")]
)
def test_both_forms_tell_the_verdict(other_request: Finding, code: int, guarantee: str) -> None:
    answer = answer_of("m", other_request, None, ["A note."])
    assert (answer.code, answer.data["guarantee"]) == (code, guarantee)
    assert answer.data["trust_duplicate_rejection"] is (code == 0)
    out = io.StringIO()
    show(answer, "table", out)
    assert WORDS[other_request] in out.getvalue()
    assert "A note." in out.getvalue()


# -- the run ----------------------------------------------------------------------------------------------------------


class Scripted:
    """An account whose answers to posts, logs and reports are given."""

    def __init__(self, *answers: Status | OmniError, rows: Callable[[int], Sequence[LogRow]] = lambda posts: ()):
        self.answers = list(answers)
        self.rows = rows
        self.posts: list[str] = []
        self.unread: list[Report] = []
        self.failing: OmniError | None = None
        self.looks = 0

    def post(self, bulk_id: str) -> Status:
        self.posts.append(bulk_id)
        answer = self.answers.pop(0)
        if isinstance(answer, OmniError):
            raise answer
        return answer

    def logs(self) -> Sequence[LogRow]:
        self.looks += 1
        return self.rows(len(self.posts))

    def reports(self) -> Sequence[Report]:
        if self.failing is not None:
            raise self.failing
        unread, self.unread = self.unread, []
        return Rows(unread)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    clock = SkippingClock()
    clock.rule(monkeypatch, module)
    return clock


def once(_: int) -> list[LogRow]:
    return [log()]


def each_time(posts: int) -> list[LogRow]:
    return [log(f"bulk-{number}", number) for number in range(posts)]


def test_a_refusal_in_the_answer_ends_it_after_two_posts_in_two_requests(clock: SkippingClock) -> None:
    vendor = Scripted(TAKEN, DUPLICATE)
    assert Verification(vendor, FLOW, 120).run() == (Finding.REFUSED, None)
    assert len(set(vendor.posts)) == 2
    assert vendor.looks == 0


def test_a_message_that_is_not_accepted_teaches_nothing(clock: SkippingClock) -> None:
    with pytest.raises(OmniInputError) as refused:
        Verification(Scripted(NO_CREDIT), FLOW, 120).run()
    assert "REJECTED_NOT_ENOUGH_CREDITS" in refused.value.problems[0]


def test_an_id_that_is_sent_again_is_tried_in_its_first_request_too(clock: SkippingClock) -> None:
    vendor = Scripted(TAKEN, TAKEN, TAKEN, rows=each_time)
    assert Verification(vendor, FLOW, 120).run() == (Finding.SENT, Finding.SENT)
    assert vendor.posts[2] == vendor.posts[0] != vendor.posts[1]


def test_silence_is_waited_for_until_the_time_is_up_and_no_longer(clock: SkippingClock) -> None:
    began = clock.now()
    vendor = Scripted(TAKEN, TAKEN, rows=once)
    assert Verification(vendor, FLOW, 120).run() == (Finding.IGNORED, None)
    assert 120 <= clock.now() - began <= 120 + module.APART + module.POLL
    assert vendor.looks <= 42


def test_a_late_report_is_found(clock: SkippingClock) -> None:
    vendor = Scripted(TAKEN, TAKEN, rows=once)
    clock.follow = lambda _: vendor.unread.extend([report(status=DUPLICATE)] if vendor.looks == 5 else [])
    assert Verification(vendor, FLOW, 120).run() == (Finding.REPORTED, None)


def test_a_report_of_a_refusal_counts_for_one_repetition_only(clock: SkippingClock) -> None:
    vendor = Scripted(TAKEN, TAKEN, TAKEN, rows=lambda posts: each_time(min(posts, 2)))
    clock.follow = lambda _: vendor.unread.extend([report(status=DUPLICATE)] if len(vendor.posts) == 3 else [])
    assert Verification(vendor, FLOW, 120).run() == (Finding.SENT, Finding.REPORTED)


def test_logs_that_show_nothing_in_time_leave_it_open(clock: SkippingClock) -> None:
    assert Verification(Scripted(TAKEN, TAKEN), FLOW, 0).run() == (Finding.NOT_KNOWN, None)


def test_a_read_of_reports_that_may_have_lost_some_leaves_silence_open(clock: SkippingClock) -> None:
    vendor = Scripted(TAKEN, TAKEN, rows=once)
    vendor.failing = OmniServerError("It failed.")
    assert Verification(vendor, FLOW, 10).run() == (Finding.NOT_KNOWN, None)


def test_a_repetition_whose_answer_is_lost_may_have_been_sent_or_never_have_arrived(clock: SkippingClock) -> None:
    lost = OmniServerError("The vendor's side failed.", effect=Effect.UNKNOWN)
    run = Verification(Scripted(TAKEN, lost, rows=once), FLOW, 10)
    assert run.run() == (Finding.NOT_KNOWN, None)
    assert run.notes == ["A repetition failed: The vendor's side failed."]
    assert Verification(Scripted(TAKEN, lost, TAKEN, rows=each_time), FLOW, 10).run() == (Finding.SENT, Finding.SENT)


def test_a_request_that_is_refused_as_a_whole_is_told_apart(clock: SkippingClock) -> None:
    refused = OmniRequestError("The vendor refused the request.", status=400)
    vendor = Scripted(TAKEN, TAKEN, refused, rows=each_time)
    assert Verification(vendor, FLOW, 10).run() == (Finding.SENT, Finding.REQUEST_REFUSED)


def test_a_repetition_that_is_refused_for_another_reason_leaves_it_open(clock: SkippingClock) -> None:
    run = Verification(Scripted(TAKEN, NO_CREDIT), FLOW, 10)
    assert run.run() == (Finding.NOT_KNOWN, None)
    assert "REJECTED_NOT_ENOUGH_CREDITS" in run.notes[0]
