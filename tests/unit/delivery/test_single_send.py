"""The send: what each answer, each failure and each death leads to, and what the next try does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.delivery.effects import CallApi, Load, Publish, Save, Sleep
from airflow_provider_omni.delivery.messages.ids import Identity, recipient_key_of_address, recipient_key_of_number
from airflow_provider_omni.delivery.messages.intent_log import IntentLog, outcome_line
from airflow_provider_omni.delivery.messages.states import HORIZON, Attempt, MessageState
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.engine import SendResult
from airflow_provider_omni.delivery.outbox.message import send_message
from airflow_provider_omni.delivery.outbox.plan import MessageSpec, plan_message
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.safety import SHARED_ATTEMPTS
from airflow_provider_omni.delivery.outbox.send_limits import INTENT_TTL
from airflow_provider_omni.delivery.outbox.stores import INDEX
from airflow_provider_omni.delivery.outbox.task_state_store import TaskStateStore
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniContentChangedError,
    OmniInputError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniRejectedError,
    OmniRequestError,
    OmniServerError,
    OmniStaleTryError,
    OmniStorageError,
    OmniTransportError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.models import SendResponse, SentMessage
from airflow_provider_omni.omni.options import Options
from tests.unit.delivery.stage import START, Stage, accepted, answered, row, status

A, B, C = "41793026727", "41793026731", "41793026740"
NOT_SENT = OmniTransportError("refused", effect=Effect.NONE)
LOST = OmniTransportError("the answer never came")
LOOK = LookPolicy(read_timeout=40.0, grace=30.0, patience=900.0)
AN_HOUR_AGO = START - 3600.0


def plan(to: Any = A, text: str = "Hello", flow: Any = ("LINE", "SMS"), **options: Any) -> MessageSpec:
    content = Content({"LINE": LineText(text=text), "SMS": Sms(text=text)}, Options(**options))
    return MessageSpec(Identity("key"), "SCENARIO", content, read_recipients(to), flow)


def message_id(number: str, attempt: int = 0) -> str:
    return Identity("key").message_id(recipient_key_of_number(number), attempt)


def send(stage: Stage, made: MessageSpec | None = None, until: Any = None, **policy: Any) -> SendResult:
    """One try. A first one unless `first_try_at` is given."""
    first, ended = policy.pop("is_first_try", "first_try_at" not in policy), policy.pop("ended", True)
    policy.setdefault("record_complete", ended if INDEX in stage.memory else first)
    policy = SendPolicy.of_one_request(policy.pop("look", LOOK), **policy)
    machine = send_message(made or plan(), policy, stage.clock.now, lambda: 0.0)
    return stage.play(machine, until) if until else stage.play(machine)


def on_record(stage: Stage) -> dict[str, str]:
    """The state of each message, as a later try reads it."""
    with Workspace(in_memory=True) as workspace:
        known = IntentLog(workspace)
        for bulk in stage.memory[INDEX]["bulks"]:
            entry = stage.memory[INDEX]["entries"][bulk]
            for line in (entry["intent"], *entry["learned"]):
                known.replay(line, None)
        return {message_id: state.value for message_id, state in known.states().items()}


def counts(end: SendResult) -> dict[str, int]:
    return {name: count for name, count in end.receipt.to_json()["counts"].items() if count}


def is_post(effect: Any) -> bool:
    return isinstance(effect, CallApi) and effect.call.method == "POST"


# -- the plain way -------------------------------------------------------------------------------------------------


def test_a_send_that_nothing_disturbs_posts_once_and_is_green() -> None:
    stage = Stage()
    end = send(stage, plan([A, B]))
    assert end.error is None
    assert counts(end) == {"requested": 2, "accepted": 2}
    assert stage.posted == [[message_id(A), message_id(B)]]
    assert stage.looks == []


def test_the_intent_is_written_and_a_receipt_published_before_the_post() -> None:
    stage = Stage()
    send(stage, until=is_post)
    assert [type(effect) for effect in stage.effects][-2:] == [Save, Publish]
    assert on_record(stage) == {message_id(A): "in_doubt"}
    assert stage.published[-1]["message_ids"] == [message_id(A)]


def test_the_receipt_is_published_before_the_failure() -> None:
    stage = Stage(posts=[OmniRequestError("no", status=400)])
    end = send(stage)
    assert isinstance(end.error, OmniRequestError)
    assert stage.published[-1] == end.receipt.to_json()
    assert isinstance(stage.effects[-1], Publish)


def test_the_flow_is_read_once_and_kept() -> None:
    stage = Stage()
    assert send(stage, plan(flow=None)).receipt.flow == ("LINE", "SMS")
    assert len(stage.asked("GET", "SCENARIO")) == 1
    send(stage, plan(flow=None), first_try_at=START)
    assert len(stage.asked("GET", "SCENARIO")) == 1


def test_a_step_without_content_is_not_waited_for() -> None:
    content = Content({"LINE": LineText(text="Hello")})
    made = MessageSpec(Identity("key"), "SCENARIO", content, read_recipients(A), ("LINE", "SMS"))
    assert send(Stage(), made).receipt.flow == ("LINE",)


def test_without_the_right_to_read_scenarios_the_flow_stays_unknown_and_the_send_goes_on() -> None:
    stage = Stage(scenario=[OmniAuthenticationError("no", status=403)])
    end = send(stage, plan(flow=None))
    assert end.error is None
    assert end.receipt.flow == ()


@pytest.mark.parametrize("error", [OmniAuthenticationError("no", status=401), OmniRequestError("none", status=404)])
def test_a_scenario_that_is_not_there_stops_before_the_post(error: Exception) -> None:
    stage = Stage(scenario=[error])
    assert send(stage, plan(flow=None)).error is error
    assert stage.posted == []


def test_a_scenario_that_cannot_be_read_for_a_moment_is_asked_for_again() -> None:
    stage = Stage(scenario=[LOST, OmniServerError("down"), Stage().scenario[0]])
    assert send(stage, plan(flow=None)).error is None


def test_too_many_recipients_for_one_request_are_refused_before_the_post() -> None:
    stage = Stage()
    end = send(stage, plan([f"4179302{n:04d}" for n in range(500)]))
    assert isinstance(end.error, OmniInputError)
    assert "got 500, expected up to 499" in str(end.error)
    assert stage.posted == []


def test_a_dry_run_posts_and_writes_nothing() -> None:
    stage = Stage()
    end = send(stage, dry_run=True)
    assert end.error is None
    assert end.receipt.to_json()["dry_run"] is True
    assert stage.posted == []
    assert stage.memory == {}
    assert stage.published == []


def test_quarantined_and_doubled_recipients_are_counted() -> None:
    recipients = read_recipients([A, A, B], allowed=[A])
    made = MessageSpec(Identity("key"), "S", plan().content, recipients, ("LINE", "SMS"))
    stage = Stage()
    assert counts(send(stage, made)) == {"requested": 3, "accepted": 1, "quarantined": 1, "duplicates": 1}
    assert "Quarantined: 1 × allowed_recipients or allowed_countries" in "\n".join(stage.notes)


def test_a_send_that_leaves_everybody_out_says_why() -> None:
    stage = Stage()
    end = send(stage, MessageSpec(Identity("key"), "S", plan().content, read_recipients([A, B], allowed=[]), ("LINE",)))
    assert (end.error, stage.posted) == (None, [])
    assert "Quarantined: 2 × allowed_recipients or allowed_countries" in "\n".join(stage.notes)


def test_nobody_left_is_a_green_send_without_a_post() -> None:
    stage = Stage()
    made = MessageSpec(Identity("key"), "S", plan().content, read_recipients(A, allowed=[B]), ("LINE", "SMS"))
    assert send(stage, made).error is None
    assert send(stage, made, first_try_at=START).error is None
    assert stage.posted == []


# -- what certainly did not happen ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [NOT_SENT, OmniRateLimitError("slow down", status=429, retry_after=7.0)])
def test_what_certainly_had_no_effect_is_posted_again_with_the_same_ids(error: Exception) -> None:
    stage = Stage(posts=[error, error, accepted])
    end = send(stage)
    assert end.error is None
    assert stage.posted == [[message_id(A)]] * 3
    assert stage.looks == []


def test_retry_after_is_honoured() -> None:
    stage = Stage(posts=[OmniRateLimitError("slow down", status=429, retry_after=70.0), accepted])
    send(stage)
    assert stage.clock.now() - START >= 70.0


def test_the_intent_is_written_anew_before_every_post() -> None:
    stage = Stage(posts=[NOT_SENT, accepted])
    send(stage)
    first, second = (n for n, effect in enumerate(stage.effects) if is_post(effect))
    assert any(isinstance(effect, Save) for effect in stage.effects[first:second])


def test_after_a_number_of_attempts_the_error_is_reported_and_nothing_is_unknown() -> None:
    stage = Stage(posts=[NOT_SENT])
    end = send(stage, attempts=3)
    assert isinstance(end.error, OmniTransportError)
    assert end.error.effect is Effect.NONE
    assert end.error.message.startswith(NOT_SENT.message)
    assert len(stage.posted) == 3
    assert counts(end) == {"requested": 1}


def test_a_refused_request_is_reported_at_once_and_may_be_sent_later() -> None:
    stage = Stage(posts=[OmniRequestError("bad", status=400), accepted])
    assert isinstance(send(stage).error, OmniRequestError)
    assert len(stage.posted) == 1
    assert send(stage, first_try_at=START).error is None
    assert stage.posted == [[message_id(A)]] * 2


# -- what is unknown ------------------------------------------------------------------------------------------------

UNKNOWN = [
    LOST,
    OmniServerError("5xx", status=500),
    OmniServerError("5xx", status=503),
    OmniProtocolError("unreadable"),
    OmniProtocolError("redirect", status=302, retryable=False),
    SendResponse(messages=[]),
]


@pytest.mark.parametrize("answer", UNKNOWN, ids=lambda each: f"{type(each).__name__} {each}"[:40])
def test_what_is_unknown_is_asked_for_and_not_posted_again(answer: Any) -> None:
    stage = Stage(posts=[answer], logs=[[row(message_id(A))]])
    end = send(stage)
    assert end.error is None
    assert counts(end) == {"requested": 1, "accepted": 1}
    assert len(stage.posted) == 1


@pytest.mark.parametrize("answer", UNKNOWN, ids=lambda each: f"{type(each).__name__} {each}"[:40])
def test_what_is_proven_absent_is_posted_again_with_the_same_ids(answer: Any) -> None:
    stage = Stage(posts=[answer, accepted])
    assert send(stage).error is None
    assert stage.posted == [[message_id(A)]] * 2
    assert stage.clock.now() - START >= LOOK.read_timeout + 2 * LOOK.grace


def test_what_the_logs_do_not_tell_stays_unknown_and_the_task_says_how_many() -> None:
    stage = Stage(posts=[LOST], logs=[OmniServerError("down")])
    end = send(stage, plan([A, B]))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.error.retryable
    assert "2 messages may or may not have been sent" in str(end.error)
    assert counts(end) == {"requested": 2, "unconfirmed": 2}
    assert len(stage.posted) == 1


def test_only_what_is_absent_is_posted_again() -> None:
    stage = Stage(posts=[LOST, accepted], logs=[[row(message_id(A))]])
    end = send(stage, plan([A, B]))
    assert stage.posted == [[message_id(A), message_id(B)], [message_id(B)]]
    assert counts(end) == {"requested": 2, "accepted": 2}
    bulks = [bulk["bulk_id"] for bulk in end.receipt.to_json()["bulks"]]
    assert len(set(bulks)) == 2


@pytest.mark.parametrize("error", [LOST, OmniServerError("The vendor's side failed. Whether.", status=503)])
def test_one_try_does_not_post_for_ever_and_ends_with_what_went_wrong(error: Any) -> None:
    stage = Stage(posts=[error])
    end = send(stage)
    assert len(stage.posted) == 3
    assert type(end.error) is type(error)
    assert (end.error.status, end.error.effect, end.error.retryable) == (error.status, Effect.NONE, True)
    assert "1 message was not sent (0 of 1 accepted" in str(end.error)
    assert error.message.partition(".")[0] in str(end.error)
    assert "Whether" not in str(end.error)
    assert counts(end) == {"requested": 1}


def test_what_is_waited_for_and_until_when_stands_in_the_log() -> None:
    stage = Stage(posts=[OmniServerError("down", status=503), accepted])
    assert send(stage).error is None
    [waits] = [each for each in stage.notes if "until" in each]
    assert "Whether 1 message was sent" in waits
    until = datetime.fromtimestamp(START + 100.0, UTC).strftime("%H:%M:%S")
    assert f"until {until} UTC if they show none" in waits
    assert any("HTTP 503" in each for each in stage.notes)


# -- what the answer says -------------------------------------------------------------------------------------------


def test_entries_are_matched_by_id_never_by_position() -> None:
    def backwards(call: Any) -> SendResponse:
        answer = answered(d27="refused")(call)
        return SendResponse(messages=answer.messages[::-1])

    end = send(Stage(posts=[backwards]), plan([A, B]), on_rejected="ignore")
    assert end.receipt.to_json()["message_ids"] == [message_id(B)]


def named_twice(first: str, second: str) -> Any:
    """The answer names a message twice, with two statuses."""

    def answer(call: Any) -> SendResponse:
        once, again = (accepted(call, state).messages for state in (first, second))
        return SendResponse(messages=[*once, *again])

    return answer


@pytest.mark.parametrize(
    ("first", "second"), [("enroute", "refused"), ("refused", "enroute"), ("seen", "refused"), ("refused", "seen")]
)
def test_an_answer_that_contradicts_itself_is_no_answer_so_that_no_retry_uses_a_new_id(first: str, second: str) -> None:
    stage = Stage(posts=[named_twice(first, second)], logs=[OmniRequestError("no", status=400)])
    assert isinstance(send(stage).error, OmniUnknownOutcomeError)
    assert on_record(stage) == {message_id(A): "in_doubt"}
    stage.logs = [[row(message_id(A))]]
    assert send(stage).error is None
    assert stage.posted == [[message_id(A)]]


def test_an_answer_that_says_the_same_twice_is_an_answer() -> None:
    stage = Stage(posts=[named_twice("enroute", "enroute")])
    assert send(stage).error is None
    assert stage.looks == []


def test_an_entry_that_is_missing_is_unknown() -> None:
    def first_only(call: Any) -> SendResponse:
        return SendResponse(messages=accepted(call).messages[:1])

    stage = Stage(posts=[first_only], logs=[[row(message_id(B))]])
    end = send(stage, plan([A, B]))
    assert end.error is None
    assert len(stage.looks) == 1
    assert len(stage.posted) == 1


def foreign(call: Any) -> SendResponse:
    return SendResponse(messages=[SentMessage(message_id="not ours", status=status("enroute"))])


def test_an_answer_with_only_foreign_ids_is_never_posted_again() -> None:
    stage = Stage(posts=[foreign])
    assert isinstance(send(stage).error, OmniUnknownOutcomeError)
    assert isinstance(send(stage, first_try_at=START).error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 1


def test_an_answer_with_only_foreign_ids_is_accepted_when_the_logs_say_so() -> None:
    stage = Stage(posts=[foreign], logs=[[], [row(message_id(A))]])
    assert isinstance(send(stage).error, OmniUnknownOutcomeError)
    end = send(stage, first_try_at=START)
    assert end.error is None
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_refused_recipients_fail_the_task_with_their_reasons_and_are_not_in_the_receipt() -> None:
    stage = Stage(posts=[answered(d27="refused", d31="refused")])
    end = send(stage, plan([A, B, C]))
    assert isinstance(end.error, OmniRejectedError)
    assert "2 of 3 messages were refused: 2 × REJECTED_NETWORK (the network is not covered, " in str(end.error)
    assert not end.error.retryable
    assert counts(end) == {"requested": 3, "accepted": 1, "rejected": 2}
    assert end.receipt.to_json()["message_ids"] == [message_id(C)]


def test_refused_recipients_may_be_ignored() -> None:
    assert send(Stage(posts=[answered(d27="refused")]), on_rejected="ignore").error is None


def test_for_want_of_credit_a_send_is_refused_like_for_any_other_reason() -> None:
    end = send(Stage(posts=[answered(d27="no credit")]), plan([A, B]), on_rejected="ignore")
    assert end.error is None
    assert counts(end) == {"requested": 2, "accepted": 1, "rejected": 1}


def test_a_refusal_that_may_be_mended_is_worth_a_retry() -> None:
    end = send(Stage(posts=[answered(d27="no credit")]))
    assert end.error is not None
    assert end.error.retryable


def test_one_try_does_not_post_to_the_refused_again() -> None:
    stage = Stage(posts=[answered(d27="refused")])
    send(stage)
    assert len(stage.posted) == 1


def test_the_attempt_rises_only_after_a_recorded_refusal() -> None:
    stage = Stage(posts=[answered(d27="no credit"), answered(d27="no credit"), accepted])
    send(stage, plan([A, B]))
    send(stage, plan([A, B]), first_try_at=START)
    end = send(stage, plan([A, B]), first_try_at=START)
    assert stage.posted == [[message_id(A), message_id(B)], [message_id(A, 1)], [message_id(A, 2)]]
    assert end.error is None
    assert counts(end) == {"requested": 2, "accepted": 2}


def test_a_refusal_that_was_not_written_down_does_not_raise_the_attempt() -> None:
    stage = Stage(posts=[answered(d27="refused"), accepted])
    send(stage, until=lambda effect: isinstance(effect, Save) and len(stage.posted) == 1)
    send(stage, first_try_at=START)
    assert stage.posted == [[message_id(A)], [message_id(A)]]


def test_a_reason_never_holds_a_number() -> None:
    def says_a_number(call: Any) -> SendResponse:
        odd = status("refused").model_copy(update={"name": f"REJECTED 41793026727 {'x' * 100}"})
        return SendResponse(messages=[SentMessage(message_id=message_id(A), status=odd)])

    stage = Stage(posts=[says_a_number])
    end = send(stage)
    assert "41793026727" not in str(stage.memory) + str(end.error)


def test_seen_before_with_a_log_row_is_accepted() -> None:
    stage = Stage(posts=[answered(d27="seen")], logs=[[row(message_id(A))]])
    end = send(stage)
    assert end.error is None
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_seen_before_without_a_log_row_is_unconfirmed_and_never_accepted_nor_posted_again() -> None:
    stage = Stage(posts=[answered(d27="seen")])
    end = send(stage)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert counts(end) == {"requested": 1, "unconfirmed": 1}
    assert isinstance(send(stage, first_try_at=START).error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 1


# -- trust_duplicate_rejection --------------------------------------------------------------------------------------

DOWN = OmniServerError("down")


def test_with_trust_what_stays_unknown_is_posted_again_with_the_same_ids() -> None:
    stage = Stage(posts=[LOST, answered(d27="seen")], logs=[DOWN])
    end = send(stage, trust_duplicate_rejection=True)
    assert stage.posted == [[message_id(A)]] * 2
    assert end.error is None
    assert counts(end) == {"requested": 1, "unconfirmed": 1}


def test_trust_does_not_reach_further_back_than_the_logs() -> None:
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage)
    stage.clock.advance(HORIZON)
    end = send(stage, first_try_at=START, trust_duplicate_rejection=True)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 1


@pytest.mark.parametrize("second", [answered(d27="refused"), OmniRequestError("bad", status=400), NOT_SENT])
def test_that_a_second_post_failed_says_nothing_about_the_first(second: Any) -> None:
    stage = Stage(posts=[LOST, second], logs=[DOWN])
    end = send(stage, trust_duplicate_rejection=True, attempts=1)
    assert end.error is not None
    assert counts(end) == {"requested": 1, "unconfirmed": 1}
    assert on_record(stage) == {message_id(A): "in_doubt"}


# -- deaths, and what the next try does ------------------------------------------------------------------------------


def nth(kind: type, number: int) -> Any:
    seen: list[Any] = []

    def reached(effect: Any) -> bool:
        seen.extend([effect] if isinstance(effect, kind) else [])
        return len(seen) == number

    return reached


def test_killed_before_the_intent_was_written_the_next_try_starts_anew() -> None:
    stage = Stage()
    send(stage, until=nth(Save, 2))
    assert send(stage, first_try_at=START).error is None
    assert len(stage.posted) == 1
    assert stage.looks == []


def test_killed_between_the_post_and_its_answer_the_next_try_asks() -> None:
    stage = Stage(logs=[[row(message_id(A))]])
    send(stage, until=lambda effect: isinstance(effect, Save) and bool(stage.posted))
    end = send(stage, first_try_at=START)
    assert end.error is None
    assert len(stage.posted) == 1
    assert len(stage.looks) == 1


def test_killed_after_the_answer_was_written_the_next_try_posts_nothing() -> None:
    stage = Stage()
    send(stage)
    end = send(stage, first_try_at=START)
    assert end.error is None
    assert counts(end) == {"requested": 1, "accepted": 1}
    assert len(stage.posted) == 1
    assert stage.looks == []


def test_without_a_record_a_later_try_asks_for_each_id_first() -> None:
    stage = Stage(logs=[[], [row(message_id(B), bulk_id="theirs")], []])
    end = send(stage, plan([A, B]), first_try_at=AN_HOUR_AGO)
    assert stage.looks[0]["messageId"] == message_id(A)
    assert stage.looks[1]["messageId"] == message_id(B)
    assert stage.posted == [[message_id(A)]]
    assert end.error is None


def test_what_is_found_without_a_record_is_followed_in_the_request_that_the_logs_name() -> None:
    stage = Stage(logs=[[row(message_id(A), bulk_id="theirs")], [row(message_id(B), bulk_id="theirs")]])
    end = send(stage, plan([A, B]), first_try_at=AN_HOUR_AGO)
    assert [(bulk.bulk_id, set(bulk.message_ids)) for bulk in end.receipt.bulks] == [
        ("theirs", {message_id(A), message_id(B)})
    ]


@pytest.mark.parametrize("first_try_at", [None, START - HORIZON - 1.0])
def test_without_a_record_what_may_be_older_than_the_logs_stays_unknown(first_try_at: float | None) -> None:
    stage = Stage()
    end = send(stage, first_try_at=first_try_at)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert stage.posted == []


def test_doubt_without_a_record_outlives_the_try_that_could_not_ask() -> None:
    stage = Stage(logs=[DOWN])
    send(stage, plan([A, B]), first_try_at=AN_HOUR_AGO)
    stage.logs = [[]]
    send(stage, plan([A, B]), first_try_at=AN_HOUR_AGO)
    assert all("bulkId" not in look for look in stage.looks)


def test_a_receipt_of_doubtful_messages_lets_each_be_followed_by_its_own_id() -> None:
    stage = Stage(logs=[DOWN])
    rows = send(stage, plan([A, B]), first_try_at=AN_HOUR_AGO).receipt.to_json()["bulks"]
    assert [each["message_id"] for each in rows] == [message_id(A), message_id(B)]


def test_a_scheduled_message_of_an_unknown_try_stays_unknown_until_its_time() -> None:
    send_at = datetime.fromtimestamp(START + 7200.0, UTC)
    stage = Stage(posts=[LOST, accepted])
    assert isinstance(send(stage, plan(send_at=send_at)).error, OmniUnknownOutcomeError)
    stage.clock.reach(START + 7300.0)
    assert send(stage, plan(send_at=send_at), first_try_at=START).error is None
    assert len(stage.posted) == 2


# -- the fence ------------------------------------------------------------------------------------------------------

STALE = OmniStaleTryError("a newer try has taken over", retryable=True)
FAILS = OmniStorageError("cannot write", retryable=True)


@pytest.mark.parametrize("error", [STALE, FAILS])
def test_a_try_that_cannot_write_its_intent_posts_nothing(error: OmniStorageError) -> None:
    stage = Stage(saves=[None, error])
    end = send(stage)
    assert end.error is error
    assert stage.posted == []
    assert counts(end) == {"requested": 1}


def test_a_stale_try_does_not_publish_over_the_receipt_of_the_current_one() -> None:
    stage = Stage(saves=[STALE])
    send(stage)
    assert stage.published == []


def test_an_intent_that_took_long_to_write_is_written_again() -> None:
    stage = Stage()
    slow = iter([0.0, INTENT_TTL + 1.0, 0.0])

    def until(effect: Any) -> bool:
        stage.save_seconds = next(slow, 0.0) if isinstance(effect, Save) else 0.0
        return is_post(effect)

    send(stage, until=until)
    assert sum(isinstance(effect, Save) for effect in stage.effects) == 3
    (entry,) = stage.memory[INDEX]["entries"].values()
    assert entry["intent"]["at"] == stage.clock.now()


def test_a_store_that_is_always_slow_lets_nothing_be_posted() -> None:
    stage = Stage(save_seconds=INTENT_TTL + 1.0)
    end = send(stage)
    assert isinstance(end.error, OmniStorageError)
    assert stage.posted == []


@pytest.mark.parametrize("save_seconds", [0.0, INTENT_TTL - 1.0])
def test_a_receipt_that_takes_long_to_publish_holds_up_a_send_only_once(save_seconds: float) -> None:
    stage = Stage(save_seconds=save_seconds, publish_seconds=INTENT_TTL + 1.0)

    def until(effect: Any) -> bool:
        assert len(stage.published) < 3, "a receipt is published for each renewed intent"
        return is_post(effect)

    send(stage, until=until)
    assert [message for receipt in stage.published for message in receipt["message_ids"]] == [message_id(A)]
    (entry,) = stage.memory[INDEX]["entries"].values()
    assert stage.clock.now() - entry["intent"]["at"] <= INTENT_TTL


def test_a_receipt_is_published_anew_before_a_post_that_follows_one_without_effect() -> None:
    stage = Stage(posts=[NOT_SENT, accepted])
    send(stage)
    kinds = [effect for effect in stage.effects if isinstance(effect, Publish) or is_post(effect)]
    assert [is_post(effect) for effect in kinds] == [False, True, False, True, False]


def test_a_record_that_cannot_be_read_lets_nothing_be_posted() -> None:
    assert isinstance(send(Stage(loads=[FAILS])).error, OmniStorageError)


@pytest.mark.parametrize("damage", [{"v": 99}, [], "x", 3, {"bulks": 7}, {"entries": None}, {"entries": {}}])
def test_a_record_of_another_shape_lets_nothing_be_posted(damage: Any) -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage, attempts=1)
    posted, before = len(stage.posted), stage.memory[INDEX]
    stage.memory = {INDEX: before | damage if isinstance(damage, dict) else damage}
    assert isinstance(send(stage, first_try_at=START).error, OmniStorageError)
    assert len(stage.posted) == posted


def test_a_state_of_another_version_lets_nothing_be_posted() -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage, attempts=1)
    stage.memory[INDEX] = json.loads(json.dumps(stage.memory[INDEX]).replace("not_sent", "from the future"))
    posted = len(stage.posted)
    assert isinstance(send(stage, first_try_at=START).error, OmniStorageError)
    assert len(stage.posted) == posted


def test_an_outcome_that_cannot_be_written_down_is_still_true() -> None:
    stage = Stage(saves=[None, None, FAILS])
    end = send(stage)
    assert end.error is None
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_a_try_that_is_replaced_while_it_posts_says_so() -> None:
    assert send(Stage(saves=[None, None, STALE])).error is STALE


def test_a_try_that_was_replaced_before_its_fence_puts_no_receipt_over_the_newer_ones() -> None:
    stage = Stage(saves=[None, STALE])
    assert send(stage).error is STALE
    assert [effect for effect in stage.effects if isinstance(effect, Publish)] == []
    assert stage.posted == []


# -- same key, other content ----------------------------------------------------------------------------------------


def test_other_content_is_refused_while_something_is_left_to_send() -> None:
    stage = Stage(posts=[answered(d27="no credit")])
    send(stage, plan([A, B]))
    end = send(stage, plan([A, B], text="Bye"), first_try_at=START)
    assert isinstance(end.error, OmniContentChangedError)
    assert "1 message was or may have been sent" in str(end.error)
    assert len(stage.posted) == 1


def test_other_content_changes_nothing_where_everybody_was_sent_to() -> None:
    stage = Stage()
    send(stage)
    assert send(stage, plan(text="Bye"), first_try_at=START).error is None
    assert len(stage.posted) == 1


def test_other_content_is_sent_where_nobody_can_have_been_reached() -> None:
    stage = Stage(posts=[OmniRequestError("bad text", status=400), accepted])
    send(stage)
    assert send(stage, plan(text="Bye"), first_try_at=START).error is None
    assert stage.asked("POST", "/advanced")[-1]["line"]["text"] == "Bye"


def test_unknown_messages_count_as_sent_when_the_content_changes() -> None:
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage)
    end = send(stage, plan([A, B], text="Bye"), first_try_at=START)
    assert isinstance(end.error, OmniContentChangedError)
    assert len(stage.posted) == 1


def test_a_recipient_who_joins_later_is_sent_to_and_those_who_left_stay_in_the_receipt() -> None:
    stage = Stage()
    send(stage, plan([A, B]))
    end = send(stage, plan([B, C]), first_try_at=START)
    assert stage.posted == [[message_id(A), message_id(B)], [message_id(C)]]
    assert counts(end) == {"requested": 2, "accepted": 2}
    assert set(end.receipt.to_json()["message_ids"]) == {message_id(each) for each in (A, B, C)}


def test_an_unknown_message_to_somebody_who_left_still_stops_the_task() -> None:
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage, plan(A))
    stage.posts = [accepted]
    assert isinstance(send(stage, plan(B), first_try_at=START).error, OmniUnknownOutcomeError)


# -- what is kept and shown -----------------------------------------------------------------------------------------


def test_no_number_and_no_text_is_kept_published_or_noted() -> None:
    stage = Stage(posts=[LOST, answered(d27="refused")])
    end = send(stage, plan([A, B], text="a secret text"))
    shown = [stage.memory, stage.published, stage.notes, str(end.error), repr(end), repr(stage.effects)]
    for number in (A, B):
        assert number not in str(shown)
    assert "a secret text" not in str(shown)


def test_the_record_is_one_entry_of_the_tasks_state() -> None:
    stage = Stage(posts=[LOST, accepted])
    send(stage, plan([A, B]))
    assert list(stage.memory) == [INDEX]


def test_a_send_under_another_key_keeps_what_the_one_before_has_sent_in_its_receipt() -> None:
    stage = Stage()
    send(stage)
    end = send(stage, replace(plan(), identity=Identity("another")), first_try_at=START)
    assert end.error is None
    others = Identity("another").message_id(recipient_key_of_number(A))
    assert stage.posted == [[message_id(A)], [others]]
    assert set(end.receipt.to_json()["message_ids"]) == {message_id(A), others}


def test_a_number_that_has_another_address_beside_it_is_posted_with_both_and_named_by_the_number() -> None:
    stage = Stage()
    both = {"to": {"phoneNumber": A, "emailAddress": "a@example.org"}}
    assert send(stage, plan([both, {"to": {"emailAddress": "b@example.org"}}])).error is None
    (body,) = stage.asked("POST", "/advanced")
    assert [each["to"] for each in body["destinations"]] == [both["to"], {"emailAddress": "b@example.org"}]
    assert body["destinations"][0]["messageId"] == message_id(A)
    assert "example.org" not in str([stage.memory, stage.published, stage.notes])


def test_whoever_has_no_number_is_sent_to_under_the_next_id_after_a_refusal() -> None:
    def refuse(call: Any) -> SendResponse:
        return accepted(call, "no credit")

    stage = Stage(posts=[refuse, accepted])
    mail = {"to": {"emailAddress": "b@example.org"}}
    send(stage, plan(mail))
    assert send(stage, plan(mail), first_try_at=START).error is None
    key = recipient_key_of_address(mail["to"])
    assert stage.posted == [[Identity("key").message_id(key, attempt)] for attempt in range(2)]


def test_pauses_are_bounded() -> None:
    stage = Stage(posts=[NOT_SENT])
    send(stage)
    assert max(effect.seconds for effect in stage.effects if isinstance(effect, Sleep)) <= 60.0


def test_the_record_is_read_first_thing() -> None:
    stage = Stage()
    send(stage)
    assert isinstance(stage.effects[0], Load)


# -- a key that others use, too --------------------------------------------------------------------------------------


def test_under_a_shared_key_everybody_is_asked_for_first_even_in_a_first_try() -> None:
    stage = Stage(logs=[[row(message_id(A), bulk_id="another task's")], []])
    end = send(stage, plan([A, B]), shared_key=True, is_first_try=True, first_try_at=START)
    assert stage.posted == [[message_id(B)]]
    assert counts(end) == {"requested": 2, "accepted": 2}


def test_a_message_that_the_logs_show_in_another_request_is_followed_there() -> None:
    stage = Stage(posts=[LOST], logs=[[row(message_id(A), bulk_id="real")]])
    end = send(stage)
    assert [each["bulk_id"] for each in end.receipt.to_json()["bulks"]] == ["real"]
    again = send(stage, first_try_at=START)
    assert [each["bulk_id"] for each in again.receipt.to_json()["bulks"]] == ["real"]
    assert len(stage.posted) == 1


def test_under_a_shared_key_who_is_not_on_the_record_is_asked_for_too() -> None:
    stage = Stage(logs=[[]])
    send(stage, plan(A), shared_key=True, first_try_at=START)
    stage.logs = [[row(message_id(B))]]
    end = send(stage, plan([A, B]), shared_key=True, first_try_at=START)
    assert len(stage.posted) == 1
    assert counts(end) == {"requested": 2, "accepted": 2}


def shown(*present: str, most: int = 50, state: str = "enroute") -> Any:
    """Logs that show these messages, of the ids that they read: of a list no more than `most`."""

    def answer(call: Any) -> Any:
        asked = dict(call.query)["messageId"].split(",")[:most]
        return [row(each, state) for each in present if each in asked]

    return answer


def shown_as(**states: str) -> Any:
    """Logs that show some of A's attempts: `shown_as(m0="refused", m1="handset")`."""
    rows = {message_id(A, int(name[1:])): state for name, state in states.items()}

    def answer(call: Any) -> Any:
        return [row(each, rows[each]) for each in dict(call.query)["messageId"].split(",") if each in rows]

    return answer


def after_lost_tries(stage: Stage, lost: int = 2) -> SendResult:
    """Send as a try that knows nothing of those before it."""
    return send(stage, first_try_at=AN_HOUR_AGO, ended=False, unaccounted=lost, record_complete=False)


def asked(stage: Stage) -> list[list[str]]:
    """The message ids of each look into the logs."""
    calls = [
        effect.call for effect in stage.effects if isinstance(effect, CallApi) and effect.call.path.endswith("logs")
    ]
    return [dict(call.query)["messageId"].split(",") for call in calls if "messageId" in dict(call.query)]


def shared(stage: Stage, to: Any, **policy: Any) -> SendResult:
    """Send as one of several tasks under one key."""
    return send(stage, plan(to), shared_key=True, first_try_at=START, **policy)


def test_whom_another_task_has_sent_to_after_a_refusal_is_not_sent_to_again() -> None:
    """That task has used the id of a further attempt."""
    for attempt in range(SHARED_ATTEMPTS + 1):
        stage = Stage(logs=[shown(message_id(A, attempt))])
        end = shared(stage, A)
        assert stage.posted == []
        assert counts(end) == {"requested": 1, "accepted": 1}
        assert end.receipt.to_json()["message_ids"] == [message_id(A, attempt)]


def test_one_look_tells_of_a_message_that_another_task_has_sent() -> None:
    stage = Stage(logs=[shown(message_id(A, 1))])
    shared(stage, A)
    assert len(asked(stage)) == 1


def test_a_further_attempt_of_another_task_is_found_where_lists_of_ids_are_not_read() -> None:
    stage = Stage(logs=[shown(message_id(A, 3), most=1)])
    shared(stage, A)
    assert stage.posted == []


@pytest.mark.parametrize("try_again", [after_lost_tries, lambda stage: shared(stage, A)], ids=["lost", "shared"])
class TestARefusalThatStandsInTheLogs:
    """A refusal looks like a message that was taken and failed, and the attempt after it was taken."""

    def test_the_attempt_after_it_is_followed(self, try_again: Any) -> None:
        stage = Stage(logs=[shown_as(m0="refused", m1="handset")])
        end = try_again(stage)
        assert end.receipt.to_json()["message_ids"] == [message_id(A, 1)]
        assert counts(end) == {"requested": 1, "accepted": 1}
        assert stage.posted == []
        assert on_record(stage)[message_id(A, 1)] == "accepted"

    def test_the_attempt_after_it_is_followed_if_the_logs_show_it_later(self, try_again: Any) -> None:
        stage = Stage(logs=[shown_as(m0="refused")] * 2 + [shown_as(m0="refused", m1="handset")])
        end = try_again(stage)
        assert end.receipt.to_json()["message_ids"] == [message_id(A, 1)]
        assert counts(end) == {"requested": 1, "accepted": 1}
        assert stage.posted == []

    def test_it_is_followed_itself_where_nothing_was_posted_after_it(self, try_again: Any) -> None:
        stage = Stage(logs=[shown_as(m0="refused")])
        end = try_again(stage)
        assert (end.error, stage.posted) == (None, [])
        assert end.receipt.to_json()["message_ids"] == [message_id(A)]
        assert counts(end) == {"requested": 1, "accepted": 1}
        assert on_record(stage) == {message_id(A): "accepted"}

    def test_an_attempt_before_it_that_was_taken_is_followed(self, try_again: Any) -> None:
        stage = Stage(logs=[shown_as(m0="handset", m1="refused")])
        end = try_again(stage)
        assert end.receipt.to_json()["message_ids"] == [message_id(A)]
        assert counts(end) == {"requested": 1, "accepted": 1}
        assert stage.posted == []

    def test_a_later_try_finds_the_attempt_after_it_that_the_logs_did_not_tell_of(self, try_again: Any) -> None:
        stage = Stage(logs=[shown_as(m0="refused"), DOWN])
        assert isinstance(try_again(stage).error, OmniUnknownOutcomeError)
        stage.logs = [shown_as(m0="refused", m1="handset")]
        end = try_again(stage)
        assert end.receipt.to_json()["message_ids"] == [message_id(A, 1)]
        assert stage.posted == []


def test_who_was_refused_is_not_sent_to_again_by_a_retry_if_another_task_has_come_to_a_further_attempt() -> None:
    stage = Stage(posts=[answered(d27="no credit")])
    shared(stage, A)
    stage.logs = [shown(message_id(A, 2))]
    stage.posts = [accepted]
    shared(stage, A)
    assert len(stage.posted) == 1


@pytest.mark.parametrize("state", ["enroute", "handset", "failed"])
def test_who_was_refused_is_not_sent_to_again_if_another_task_has_used_the_same_id_since(state: str) -> None:
    stage = Stage(posts=[answered(d27="no credit")])
    shared(stage, A)
    stage.logs, stage.posts = [shown(message_id(A), state=state)], [accepted]
    end = shared(stage, A)
    assert len(stage.posted) == 1
    assert counts(end) == {"requested": 1, "accepted": 1}


@pytest.mark.parametrize("state", ["no credit", "refused"])
def test_a_refusal_that_stands_in_the_logs_is_no_message_of_another_task(state: str) -> None:
    stage = Stage(posts=[answered(d27="no credit")])
    shared(stage, A)
    stage.posts = [accepted]
    stage.logs = [lambda call: [row(message_id(A), state)] if dict(call.query)["messageId"] == message_id(A) else []]
    shared(stage, A)
    assert stage.posted[1:] == [[message_id(A, 1)]]


def test_whether_another_task_has_sent_since_a_refusal_must_be_known_before_anything_is_posted() -> None:
    stage = Stage(posts=[answered(d27="no credit")])
    shared(stage, A)
    stage.logs, stage.posts = [DOWN], [accepted]
    end = shared(stage, [A, B])
    assert end.error is not None
    assert len(stage.posted) == 1


def test_who_was_certainly_not_sent_to_may_have_been_sent_to_by_another_task_since() -> None:
    stage = Stage(posts=[NOT_SENT])
    shared(stage, A)
    posted = len(stage.posted)
    stage.logs, stage.posts = [shown(message_id(A))], [accepted]
    end = shared(stage, A)
    assert len(stage.posted) == posted
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_what_is_in_doubt_is_asked_for_by_its_own_id_where_another_task_may_have_sent_it() -> None:
    """The bulk id of this task's request shows only what was taken from that one."""
    stage = Stage(posts=[LOST], logs=[[]])
    shared(stage, [A, B], until=lambda effect: isinstance(effect, CallApi) and effect.call.path.endswith("advanced"))
    stage.logs = [shown(message_id(A), message_id(B), most=1)]
    end = shared(stage, [A, B])
    assert stage.posted == []
    assert counts(end) == {"requested": 2, "accepted": 2}


def test_of_many_people_further_attempts_are_looked_for_in_lists_and_no_further_where_these_are_not_read() -> None:
    people = [f"417930{number:05d}" for number in range(40)]
    stage = Stage()
    shared(stage, people)
    alone = {ids[0] for ids in asked(stage) if len(ids) == 1}
    in_lists = {each for ids in asked(stage) if len(ids) > 1 for each in ids}
    assert alone == {message_id(each) for each in people}
    assert {message_id(each, 1) for each in people} <= in_lists
    assert [len(each) for each in stage.posted] == [40]


def test_of_many_people_further_attempts_are_asked_for_one_by_one_where_a_list_was_not_answered() -> None:
    people = [f"417930{number:05d}" for number in range(40)]
    stage = Stage(logs=[DOWN, shown(message_id(people[-1], 1), most=1)])
    shared(stage, people)
    assert [len(each) for each in stage.posted] == [39]


def test_of_many_people_who_was_refused_at_first_is_found_where_lists_are_read() -> None:
    people = [f"417930{number:05d}" for number in range(40)]
    first, *others = people
    stage = Stage(logs=[shown(message_id(first, 1), *(message_id(each) for each in others))])
    end = shared(stage, people)
    assert stage.posted == []
    assert counts(end) == {"requested": 40, "accepted": 40}


def test_where_lists_are_read_absence_is_proven_by_them() -> None:
    people = [f"417930{number:05d}" for number in range(40)]
    stage = Stage(logs=[shown(*(message_id(each) for each in people[:30]))])
    shared(stage, people)
    assert [sorted(each) for each in stage.posted] == [sorted(message_id(each) for each in people[30:])]
    assert not [ids for ids in asked(stage) if len(ids) == 1]


def test_a_retry_looks_for_no_more_attempts_than_the_try_before() -> None:
    stage = Stage(logs=[DOWN])
    for _ in range(3):
        shared(stage, A)
    assert {each for ids in asked(stage) for each in ids} == {message_id(A, attempt) for attempt in range(6)}


def test_what_is_only_in_doubt_is_not_said_to_have_gone_out_with_the_earlier_content() -> None:
    stage = Stage(logs=[DOWN])
    shared(stage, A)
    send(stage, plan(A, text="Other words"), shared_key=True, first_try_at=START)
    assert not [note for note in stage.notes if "went out" in note]


def test_another_id_secret_does_not_send_to_everybody_again() -> None:
    stage = Stage()
    send(stage)
    moved = Stage(memory=stage.memory)
    end = send(moved, replace(plan(), identity=Identity("key", "another secret")))
    assert isinstance(end.error, OmniContentChangedError)
    assert moved.posted == []


def index_of(state: MessageState) -> Any:
    """The record of an earlier try, with one message in this state."""
    with Workspace(in_memory=True) as workspace:
        store = TaskStateStore(plan_message(plan(), workspace).about(), one_request=True)
    attempt = Attempt("bulk", START - 600.0, messages={message_id(A): state})
    store.register(attempt, [outcome_line(attempt)])
    return json.loads(json.dumps(store.to_json()))


def test_what_an_earlier_try_found_absent_is_asked_for_again() -> None:
    """A frozen try may have woken up and posted since."""
    stage = Stage(memory={INDEX: index_of(MessageState.ABSENT)}, logs=[[row(message_id(A))]])
    end = send(stage, is_first_try=False)
    assert stage.posted == []
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_what_was_found_absent_and_posted_without_effect_is_asked_for_again() -> None:
    """The proof is as old as before: a frozen try may have woken up and posted since."""
    stage = Stage(memory={INDEX: index_of(MessageState.IN_DOUBT)}, posts=[NOT_SENT], logs=[[], []])
    assert send(stage, is_first_try=False).error is not None
    posted = len(stage.posted)
    stage.posts, stage.logs = [], [[row(message_id(A))]]
    end = send(stage, is_first_try=False)
    assert len(stage.posted) == posted
    assert counts(end) == {"requested": 1, "accepted": 1}


def test_trust_counts_from_the_first_time_that_a_message_may_have_been_posted() -> None:
    """Posted again on trust after 40 hours, it is not after 80: the vendor may have forgotten the first."""
    stage = Stage(posts=[LOST], logs=[DOWN])
    send(stage, trust_duplicate_rejection=True)
    stage.clock.reach(START + 40 * 3600.0)
    send(stage, trust_duplicate_rejection=True)
    posted = len(stage.posted)
    stage.clock.reach(START + 80 * 3600.0)
    send(stage, trust_duplicate_rejection=True)
    assert len(stage.posted) == posted


# -- a record that cannot be relied on -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "half",
    [{}, {"intent": {}, "learned": []}, {"intent": None, "learned": []}],
    ids=["nothing", "no ids", "no intent"],
)
def test_an_entry_of_which_a_part_is_missing_stops_the_send(half: dict[str, Any]) -> None:
    stage = Stage()
    send(stage)
    (bulk,) = stage.memory[INDEX]["bulks"]
    stage.memory[INDEX]["entries"][bulk] = half
    end = send(stage, first_try_at=AN_HOUR_AGO)
    assert isinstance(end.error, OmniStorageError)
    assert len(stage.posted) == 1


def test_a_try_that_cannot_read_its_record_publishes_no_receipt_that_says_that_nobody_was_sent_to() -> None:
    stage = Stage()
    send(stage)
    stage.published.clear()
    stage.loads = [OmniStorageError("out of reach", retryable=True)]
    end = send(stage, first_try_at=AN_HOUR_AGO)
    assert isinstance(end.error, OmniStorageError)
    assert stage.published == []


def other_task_warnings(stage: Stage) -> list[str]:
    return [note for note in stage.notes if "another task or run has sent" in note]


def test_what_another_task_has_sent_under_the_key_is_a_warning_with_the_fingerprint_and_no_text() -> None:
    stage = Stage(logs=[shown(message_id(A))])
    send(stage, plan(A, text="Other words"), shared_key=True, first_try_at=START)
    (warning,) = other_task_warnings(stage)
    assert re.search("fingerprint [0-9a-f]{12}", warning)
    assert "Other words" not in warning


def test_a_duplicate_of_what_another_task_has_sent_meanwhile_is_a_warning_too() -> None:
    """Both have asked the logs before the other had sent."""
    stage = Stage(logs=[[], [], shown(message_id(A))], posts=[[(A, "duplicate")]])
    shared(stage, A)
    assert len(other_task_warnings(stage)) == 1


def test_a_send_under_a_shared_key_that_nobody_else_has_used_warns_of_nothing() -> None:
    stage = Stage(logs=[[]])
    shared(stage, A)
    assert len(stage.posted) == 1
    assert other_task_warnings(stage) == []


def test_a_retry_that_finds_its_own_message_in_the_logs_warns_of_no_other_task() -> None:
    stage = Stage(logs=[[], [], DOWN], posts=[LOST])
    shared(stage, A)
    stage.logs = [shown(message_id(A))]
    again = shared(stage, A)
    assert counts(again) == {"requested": 1, "accepted": 1}
    assert other_task_warnings(stage) == []


def test_the_warning_of_content_that_nobody_is_left_for_names_both_fingerprints() -> None:
    stage = Stage()
    send(stage)
    send(stage, plan(text="Other words"))
    (warning,) = [note for note in stage.notes if "nobody is left" in note]
    assert len(set(re.findall("[0-9a-f]{12}", warning))) == 2
