"""Batches by their operators, against a simulator: retries, ledgers, shards, refusals, and what is shown."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.ledger import read_outcomes, read_quarantine, unreached
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.omni.errors import (
    OmniRejectedError,
    OmniStoppedError,
    OmniStorageError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.operators.omni import OmniSendBatchOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.airflow.batchtask import TEXT, BatchTask, numbers
from tests.unit.operators.rendered import with_values

pytestmark = pytest.mark.usefixtures("skipping")

KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
NO_CREDIT, REJECTED, BOTH_FAIL = "12", "52", "42"


def operator(**arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(**{"task_id": "send", "scenario_key": KEY, "log_grace": 0, **TEXT, **arguments})


def accepted(account: RunningSimulator) -> list[str]:
    return sorted(each.to for each in account.record.acceptances)


@pytest.fixture
def account(account: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """Short time-outs, since what is unknown is asked about after them."""
    connection = json.loads(account.airflow_connection_json) | {"extra": {"connect_timeout": 0.5, "read_timeout": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", json.dumps(connection))
    return account


class Posts:
    """Counts the requests that are posted, and does something before the n-th."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = 0
        self.before: dict[int, Any] = {}
        self.after: dict[int, Any] = {}
        self._lock = threading.Lock()
        execute = OmniClient.execute

        def counted(client: OmniClient, call: Any) -> Any:
            number = 0
            if call.method == "POST":
                with self._lock:
                    self.seen += 1
                    number = self.seen
            self.before.get(number, lambda: None)()
            answer = execute(client, call)
            self.after.get(number, lambda: None)()
            return answer

        monkeypatch.setattr(OmniClient, "execute", counted)


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Posts:
    return Posts(monkeypatch)


@pytest.fixture(params=["ledger", "task state"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The place of the record, as arguments."""
    return {"ledger_path": str(tmp_path / "ledger")} if request.param == "ledger" else {}


# -- what is sent, and what is returned ------------------------------------------------------------------------------


def test_everybody_gets_one_message_and_the_receipt_says_so(
    account: RunningSimulator, batch_task: BatchTask, kept: dict[str, Any]
) -> None:
    receipt = operator(recipients=numbers(95), chunk_size=10, **kept).execute(batch_task.context())
    assert accepted(account) == numbers(95)
    assert receipt["counts"] == {
        "requested": 95, "accepted": 95, "unconfirmed": 0, "rejected": 0, "quarantined": 0, "duplicates": 0,
    }  # fmt: skip
    assert (len(receipt["bulks"]), len(receipt["message_ids"])) == (10, 95)
    assert receipt["ledger_path"] == kept.get("ledger_path")
    assert receipt == batch_task.xcoms["return_value"]


def test_each_row_fills_its_own_text(account: RunningSimulator, batch_task: BatchTask) -> None:
    rows = [{"phone": number, "name": name} for number, name in zip(numbers(3), ("Ann", "Bo", "Ann"), strict=True)]
    receipt = operator(recipients=rows, line=None, sms={"text": "Hi {name}"}).execute(batch_task.context())
    assert sorted(bulk["messages"] for bulk in receipt["bulks"]) == [1, 2]
    assert len({each.content_hash for each in account.record.acceptances}) == 2


def test_bad_rows_are_left_out_and_the_ledger_says_why(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    rows = [{"phone": number} for number in (*numbers(2), "12", numbers(1)[0])] + [{"name": "nobody"}]
    ledger = str(tmp_path / "ledger")
    receipt = operator(recipients=rows, ledger_path=ledger, max_quarantined=2).execute(batch_task.context())
    counts = receipt["counts"]
    assert (counts["requested"], counts["accepted"], counts["quarantined"], counts["duplicates"]) == (5, 2, 2, 1)
    assert [row.row for row in read_quarantine(ledger)] == [2, 4]


def test_a_scenario_that_was_just_made_brings_its_flow(account: RunningSimulator, batch_task: BatchTask) -> None:
    scenario = {"key": KEY, "flow": [{"channel": "LINE"}, {"channel": "SMS"}], "name": "n", "default": False}
    receipt = operator(recipients=numbers(1), scenario_key=scenario).execute(batch_task.context())
    assert receipt["flow"] == ["LINE", "SMS"]
    assert [call.path for call in account.record.calls] == ["/omni/1/advanced"]


def test_the_receipt_brings_along_what_a_time_out_is_made_of(account: RunningSimulator, batch_task: BatchTask) -> None:
    line = {"type": "TEXT", "text": "Hi", "validityPeriod": 5}
    sms = {"text": "Hi", "validityPeriod": 1, "validityPeriodTimeUnit": "HOURS"}
    receipt = operator(recipients=numbers(1), line=line, sms=sms).execute(batch_task.context())
    assert receipt["validity_seconds"] == 300 + 3600


def test_a_dry_run_posts_nothing_writes_nothing_and_counts(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    receipt = operator(recipients=numbers(95), chunk_size=10, ledger_path=str(ledger), dry_run=True).execute(
        batch_task.context()
    )
    assert (receipt["requests"], receipt["recipients"], receipt["sms_parts"]) == (10, 95, 95)
    assert not account.record.acceptances
    assert not ledger.exists()
    assert list(batch_task.xcoms) == ["omni_delivery"]  # which says that it was a dry run


def test_max_connections_is_how_many_requests_are_under_way(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts
) -> None:
    together = threading.Barrier(3)
    posts.before = dict.fromkeys(range(1, 7), lambda: together.wait(timeout=30))
    operator(recipients=numbers(6), chunk_size=1, max_connections=3).execute(batch_task.context())
    assert len(accepted(account)) == 6


def test_progress_and_the_end_stand_in_the_log_without_a_number(
    account: RunningSimulator,
    batch_task: BatchTask,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    operator(recipients=[*numbers(30), "12"], chunk_size=10).execute(batch_task.context())
    said = caplog.text + "".join(capsys.readouterr())
    assert "30 accepted" in said
    assert "1 quarantined" in said
    assert not any(number in said for number in numbers(30))


# -- refused before anything is sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"recipients": numbers(101), "chunk_size": 1}, "ledger_path: is needed for more than 100 requests"),
        ({"recipients": numbers(11), "max_recipients": 10}, "max_recipients: got 11 people, expected up to 10"),
        (
            {"recipients": numbers(1), "idempotency_key": "mine"},
            "ledger_path: an idempotency_key of your own",
        ),
        ({"recipients": numbers(1), "shard": "17/16"}, "shard: got '17/16'"),
        ({"recipients": numbers(1), "chunk_size": 500}, "chunk_size: got 500, expected up to 499"),
        ({"recipients": numbers(1), "max_connections": 0}, "max_connections"),
        ({"recipients": numbers(1), "log_grace": -1}, "log_grace"),
        ({"recipients": numbers(1), "on_rejected": "perhaps"}, "on_rejected"),
        ({"recipients": numbers(1), "line": None, "sms": None}, "content"),
        ({"recipients": numbers(1), "flow": ["VIBER"]}, "nobody would get anything"),
        ({"recipients": ["1", "2"]}, "not one row of 2 can be used"),
    ],
)
def test_what_cannot_be_meant_fails_for_good_before_anything_is_sent(
    account: RunningSimulator, batch_task: BatchTask, arguments: dict[str, Any], says: str
) -> None:
    # What is written so in a DAG file, Airflow already refuses there: see tests/unit/operators/test_slips.py.
    sending = with_values(operator(recipients=arguments["recipients"]), **arguments)
    with pytest.raises(AirflowFailException, match=says):
        sending.execute(batch_task.context())
    assert not account.record.acceptances


def test_before_airflow_3_3_a_batch_with_retries_needs_a_ledger(account: RunningSimulator, tmp_path: Path) -> None:
    old = BatchTask(durable=False)
    with pytest.raises(AirflowFailException, match=r"ledger_path: .* Airflow before 3\.3"):
        operator(recipients=numbers(1), retries=2).execute(old.context())
    assert not account.record.acceptances
    operator(recipients=numbers(1), retries=2, ledger_path=str(tmp_path)).execute(old.context())
    assert accepted(account) == numbers(1)


# -- tries -------------------------------------------------------------------------------------------------------------


def test_a_second_try_sends_nothing_and_returns_the_same(
    account: RunningSimulator, batch_task: BatchTask, kept: dict[str, Any]
) -> None:
    send = operator(recipients=numbers(50), chunk_size=10, **kept)
    first = send.execute(batch_task.context())
    again = send.execute(batch_task.context(try_number=2))
    assert accepted(account) == numbers(50)
    varying = {"bulks": 0, "message_ids": 0, "sent_at": 0}
    assert again | varying == first | varying
    assert sorted(again["message_ids"]) == sorted(first["message_ids"])


def test_a_retry_after_a_failure_in_the_middle_sends_the_rest_only(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts, kept: dict[str, Any]
) -> None:
    send = operator(recipients=numbers(60), chunk_size=10, max_connections=2, **kept)
    posts.before[4] = lambda: account.configure(password="changed")
    with pytest.raises(AirflowFailException, match="goes on with who is left"):
        send.execute(batch_task.context())
    sent = accepted(account)
    assert 0 < len(sent) < 60
    assert batch_task.xcoms["return_value"]["counts"]["accepted"] == len(sent)
    account.configure(password="demo-password")
    receipt = send.execute(batch_task.context(try_number=2))
    assert accepted(account) == numbers(60)
    assert receipt["counts"]["accepted"] == 60


def test_an_account_without_credit_stops_the_batch_at_once_and_may_be_retried(
    account: RunningSimulator, batch_task: BatchTask, kept: dict[str, Any]
) -> None:
    people = [*numbers(20), numbers(1, 20)[0][:-2] + NO_CREDIT, *numbers(40, 21)]
    send = operator(recipients=people, chunk_size=10, max_connections=1, **kept)
    with pytest.raises(OmniRejectedError, match="NOT_ENOUGH_CREDITS") as raised:
        send.execute(batch_task.context())
    assert raised.value.retryable
    assert "not sent" in str(raised.value)
    assert len(accepted(account)) < 60


class TimeOut(BaseException):
    """The exception that Airflow raises in the middle of anything."""


@pytest.mark.parametrize("at", [1, 3, 6])
def test_an_exception_out_of_the_blue_leaves_a_state_to_go_on_from(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts, kept: dict[str, Any], at: int
) -> None:
    def out_of_the_blue(*_: Any) -> None:
        raise TimeOut

    before = signal.signal(signal.SIGUSR1, out_of_the_blue)
    try:
        posts.after[at] = lambda: os.kill(os.getpid(), signal.SIGUSR1)
        send = operator(recipients=numbers(60), chunk_size=10, max_connections=2, **kept)
        with pytest.raises(TimeOut):
            send.execute(batch_task.context())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert "return_value" in batch_task.xcoms
    posts.after.clear()
    receipt = send.execute(batch_task.context(try_number=2))
    assert accepted(account) == numbers(60)
    assert receipt["counts"]["accepted"] == 60


def test_what_was_under_way_when_the_task_was_ended_stands_in_the_receipt(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts
) -> None:
    def out_of_the_blue(*_: Any) -> None:
        raise TimeOut

    before = signal.signal(signal.SIGUSR1, out_of_the_blue)
    try:
        posts.before[1] = lambda: os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(TimeOut):
            operator(recipients=numbers(20), chunk_size=20).execute(batch_task.context())
    finally:
        signal.signal(signal.SIGUSR1, before)
    receipt = batch_task.xcoms["return_value"]
    assert receipt["counts"]["unconfirmed"] == 20
    assert [bulk["messages"] for bulk in receipt["bulks"]] == [20]


def test_a_task_that_is_killed_posts_nothing_more_and_goes_on_later(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts, kept: dict[str, Any]
) -> None:
    send = operator(recipients=numbers(60), chunk_size=10, max_connections=1, **kept)
    posts.before[3] = send.on_kill
    with pytest.raises(OmniStoppedError, match="Airflow ended this task"):
        send.execute(batch_task.context())
    assert len(accepted(account)) == 30
    assert batch_task.xcoms["return_value"]["counts"]["accepted"] == 30
    send.execute(batch_task.context(try_number=2))
    assert accepted(account) == numbers(60)


@pytest.mark.parametrize("fault", ["error-after", "reset-after", "reset-before", "truncated"])
def test_a_lost_answer_is_looked_up_not_sent_again(
    account: RunningSimulator, batch_task: BatchTask, kept: dict[str, Any], fault: str
) -> None:
    account.faults.add(fault, call="send", times=2, skip=1)
    operator(recipients=numbers(60), chunk_size=10, max_connections=2, **kept).execute(batch_task.context())
    assert accepted(account) == numbers(60)


def test_a_source_that_changed_between_two_tries_sends_to_the_new_only(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts, kept: dict[str, Any]
) -> None:
    posts.before[3] = lambda: account.configure(password="changed")
    with pytest.raises(AirflowFailException):
        operator(recipients=numbers(60), chunk_size=10, max_connections=1, **kept).execute(batch_task.context())
    account.configure(password="demo-password")
    changed = list(reversed(numbers(60, 5)))
    operator(recipients=changed, chunk_size=10, **kept).execute(batch_task.context(try_number=2))
    assert max(Counter(accepted(account)).values()) == 1
    assert set(accepted(account)) >= set(changed)


def test_the_same_key_with_another_text_is_refused_while_somebody_is_left(
    account: RunningSimulator, batch_task: BatchTask, posts: Posts, kept: dict[str, Any]
) -> None:
    posts.before[2] = lambda: account.configure(password="changed")
    with pytest.raises(AirflowFailException):
        operator(recipients=numbers(30), chunk_size=10, max_connections=1, **kept).execute(batch_task.context())
    account.configure(password="demo-password")
    with pytest.raises(AirflowFailException, match="Same idempotency_key, other content"):
        operator(recipients=numbers(30), chunk_size=10, sms={"text": "Other"}, **kept).execute(
            batch_task.context(try_number=2)
        )
    assert len(accepted(account)) == 10


def test_a_new_run_sends_anew(account: RunningSimulator, tmp_path: Path) -> None:
    for run_id in ("one", "two"):
        operator(recipients=numbers(5), ledger_path=str(tmp_path / run_id)).execute(BatchTask().context(run_id=run_id))
    assert accepted(account) == sorted(numbers(5) * 2)


def test_another_run_is_refused_the_ledger_of_this_one(account: RunningSimulator, tmp_path: Path) -> None:
    operator(recipients=numbers(5), ledger_path=str(tmp_path)).execute(BatchTask().context())
    with pytest.raises(AirflowFailException, match="the ledger belongs to another send"):
        operator(recipients=numbers(5), ledger_path=str(tmp_path)).execute(BatchTask().context(run_id="another"))
    assert accepted(account) == numbers(5)


def test_a_key_of_ones_own_sends_once_over_all_runs(account: RunningSimulator, tmp_path: Path) -> None:
    for run_id in ("one", "two"):
        operator(recipients=numbers(5), idempotency_key="autumn", ledger_path=str(tmp_path)).execute(
            BatchTask().context(run_id=run_id)
        )
    assert accepted(account) == numbers(5)


def test_an_outcome_that_stays_unknown_fails_with_what_to_do(
    account: RunningSimulator, batch_task: BatchTask, kept: dict[str, Any]
) -> None:
    account.faults.add("reset-after", call="send")
    account.faults.add("forbid", call="logs", times=None)
    with pytest.raises(OmniUnknownOutcomeError, match="Clear the task to ask once more"):
        operator(recipients=numbers(10), **kept).execute(batch_task.context())
    assert batch_task.xcoms["return_value"]["counts"]["unconfirmed"] == 10
    account.faults.clear()
    receipt = operator(recipients=numbers(10), **kept).execute(batch_task.context(try_number=2))
    assert receipt["counts"]["accepted"] == 10
    assert accepted(account) == numbers(10)


def _later_try_before_3_3() -> Any:
    context = BatchTask(durable=False).context(try_number=2)
    context["dag_run"].start_date = datetime.now(UTC) - timedelta(minutes=5)
    return context


def test_before_airflow_3_3_a_retry_that_finds_another_ledger_than_the_first_try_sends_nothing(
    account: RunningSimulator, posts: Posts, tmp_path: Path
) -> None:
    account.configure(duplicates="accept")
    posts.after[3] = lambda: account.configure(password="changed")
    arguments: dict[str, Any] = {"recipients": numbers(60), "chunk_size": 10, "max_connections": 1, "retries": 3}
    with pytest.raises(AirflowFailException):
        operator(ledger_path=str(tmp_path / "worker 1"), **arguments).execute(BatchTask(durable=False).context())
    account.configure(password="demo-password")
    with pytest.raises(AirflowFailException, match="one that all workers see"):
        operator(ledger_path=str(tmp_path / "worker 2"), **arguments).execute(_later_try_before_3_3())
    assert accepted(account) == numbers(30)
    operator(ledger_path=str(tmp_path / "worker 1"), **arguments).execute(_later_try_before_3_3())
    assert accepted(account) == numbers(60)


def test_before_airflow_3_3_a_retry_goes_on_whose_first_try_died_before_it_sent_anything(
    account: RunningSimulator, tmp_path: Path
) -> None:
    send = operator(recipients=numbers(30), ledger_path=str(tmp_path / "ledger"), retries=3, key_field=None)
    send.recipients = str(tmp_path / "not there.csv")
    with pytest.raises(OmniStorageError):
        send.execute(BatchTask(durable=False).context())
    send.recipients = numbers(30)
    send.execute(_later_try_before_3_3())
    assert accepted(account) == numbers(30)


# -- refused recipients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_rejected", "fails"), [("fail", True), (0.05, True), (0.2, False), ("ignore", False)])
def test_on_rejected_decides_whether_refusals_fail_the_task(
    account: RunningSimulator, batch_task: BatchTask, on_rejected: Any, fails: bool
) -> None:
    people = [*numbers(9), numbers(1, 9)[0][:-2] + REJECTED]
    send = operator(recipients=people, on_rejected=on_rejected)
    if fails:
        with pytest.raises(AirflowFailException, match="1 of 10 messages was refused"):
            send.execute(batch_task.context())
    else:
        send.execute(batch_task.context())
    assert batch_task.xcoms["return_value"]["counts"]["rejected"] == 1


# -- shards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_ledger", [True, False])
def test_shards_send_to_everybody_once_whatever_the_order_of_rows(
    account: RunningSimulator, tmp_path: Path, with_ledger: bool
) -> None:
    for index in range(5):
        people = numbers(200) if index % 2 else list(reversed(numbers(200)))
        ledger = {"ledger_path": str(tmp_path)} if with_ledger else {}
        receipt = operator(recipients=people, shard=f"{index + 1}/5", chunk_size=20, **ledger).execute(
            BatchTask().context(map_index=index)
        )
        assert receipt["ledger_path"] == (f"{tmp_path}/shard-{index + 1}-of-5" if with_ledger else None)
    assert accepted(account) == numbers(200)
    if with_ledger:
        assert len(list(read_outcomes(str(tmp_path)))) == 200


def test_a_shards_ids_do_not_depend_on_its_map_index(account: RunningSimulator, tmp_path: Path) -> None:
    for map_index in (0, 7):
        operator(recipients=numbers(50), shard="1/2", ledger_path=str(tmp_path)).execute(
            BatchTask().context(map_index=map_index)
        )
    assert max(Counter(accepted(account)).values()) == 1


def test_another_division_of_the_same_ledger_is_refused(account: RunningSimulator, tmp_path: Path) -> None:
    operator(recipients=numbers(50), shard="1/2", ledger_path=str(tmp_path)).execute(BatchTask().context())
    sent = len(account.record.acceptances)
    with pytest.raises(
        AirflowFailException,
        match="shard: got a division into 3, expected the division of the ledger, which has shard-1-of-2",
    ):
        operator(recipients=numbers(50), shard="1/3", ledger_path=str(tmp_path)).execute(BatchTask().context())
    assert len(account.record.acceptances) == sent


@pytest.mark.parametrize(("before", "after"), [("1/2", None), (None, "1/2")])
@pytest.mark.parametrize("key", [None, "another key"])
def test_a_batch_in_shards_and_one_without_are_refused_the_same_ledger(
    account: RunningSimulator, tmp_path: Path, before: str | None, after: str | None, key: str | None
) -> None:
    operator(recipients=numbers(50), shard=before, ledger_path=str(tmp_path)).execute(BatchTask().context())
    sent = accepted(account)
    again = operator(recipients=numbers(50), shard=after, ledger_path=str(tmp_path), idempotency_key=key)
    with pytest.raises(AirflowFailException, match="the division of the ledger"):
        again.execute(BatchTask().context(try_number=2))
    assert accepted(account) == sent


# -- what is kept and shown --------------------------------------------------------------------------------------------


def test_no_number_stands_in_xcom_state_outcomes_or_errors(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    people = [*numbers(9), numbers(1, 9)[0][:-2] + REJECTED]
    ledger = tmp_path / "ledger"
    with pytest.raises(AirflowFailException) as raised:
        operator(recipients=people, ledger_path=str(ledger)).execute(batch_task.context())
    outcomes = [row.to_json() for row in read_outcomes(str(ledger))]
    assert len(outcomes) == 10
    shown = json.dumps([batch_task.xcoms, batch_task.state, outcomes]) + str(raised.value)
    assert not any(number in shown for number in people)
    assert TEXT["sms"]["text"] not in shown


def test_after_a_batch_to_nobody_nobody_is_unreached(account: RunningSimulator, tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    operator(recipients=[], ledger_path=first).execute(BatchTask().context())
    again = operator(recipients=unreached(first), ledger_path=second).execute(BatchTask().context(run_id="again"))
    assert again["counts"]["requested"] == 0


def test_the_unreached_of_no_ledger_are_an_error(account: RunningSimulator, tmp_path: Path) -> None:
    operator(recipients=numbers(2), ledger_path=str(tmp_path / "first")).execute(BatchTask().context())
    for path in (tmp_path, tmp_path / "other"):
        with pytest.raises(AirflowFailException, match="a ledger that no batch has used"):
            operator(recipients=unreached(str(path))).execute(BatchTask().context(run_id="again"))


def test_the_unreached_of_one_batch_are_the_recipients_of_another(account: RunningSimulator, tmp_path: Path) -> None:
    people = [{"phone": number, "name": f"n{number[-4:-2]}"} for number in numbers(4)]
    people[1]["phone"] = refused = people[1]["phone"][:-2] + REJECTED
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    text: dict[str, Any] = {"line": None, "sms": {"text": "Hi {name}"}}
    operator(recipients=people, ledger_path=first, on_rejected="ignore", **text).execute(BatchTask().context())
    receipt = operator(task_id="again", recipients=unreached(first), ledger_path=second, on_rejected="ignore", **text)
    counts = receipt.execute(BatchTask().context(run_id="again"))["counts"]
    assert (counts["requested"], counts["rejected"]) == (1, 1)
    assert [each.to for each in account.record.refusals] == [refused, refused]


def test_a_green_batch_whose_state_airflow_has_dropped_is_not_sent_again_when_it_is_cleared(
    account: RunningSimulator, batch_task: BatchTask
) -> None:
    """With [state_store] clear_on_success, and with a clear from Airflow 3.4 on."""
    account.configure(duplicates="accept")
    operator(recipients=numbers(3)).execute(batch_task.context())
    batch_task.state.clear()
    context = batch_task.context(try_number=2)
    context["dag_run"].clear_number = 1
    context["dag_run"].run_after = datetime.now(UTC) - timedelta(minutes=5)
    with pytest.raises(AirflowFailException, match="stand in the vendor's logs"):
        operator(recipients=numbers(3)).execute(context)
    assert accepted(account) == numbers(3)


def test_a_batch_that_was_sent_below_3_3_is_not_sent_again_by_a_clear_after_the_upgrade(
    account: RunningSimulator, batch_task: BatchTask
) -> None:
    account.configure(duplicates="accept")
    operator(recipients=numbers(3)).execute(BatchTask(durable=False).context())
    context = batch_task.context(try_number=2)
    context["dag_run"].clear_number = 1
    context["dag_run"].run_after = datetime.now(UTC) - timedelta(minutes=5)
    with pytest.raises(AirflowFailException, match="stand in the vendor's logs"):
        operator(recipients=numbers(3)).execute(context)
    assert accepted(account) == numbers(3)


def test_before_airflow_3_3_a_cleared_batch_needs_the_ledger_that_it_was_sent_with(account: RunningSimulator) -> None:
    operator(recipients=numbers(3)).execute(BatchTask(durable=False).context())
    with pytest.raises(AirflowFailException, match="there is no record of it"):
        operator(recipients=numbers(3)).execute(BatchTask(durable=False).context(try_number=2))
    assert accepted(account) == numbers(3)


def test_a_cleared_batch_whose_record_is_there_goes_on(account: RunningSimulator, batch_task: BatchTask) -> None:
    operator(recipients=numbers(3)).execute(batch_task.context())
    context = batch_task.context(try_number=2)
    context["dag_run"].clear_number = 1
    operator(recipients=numbers(5)).execute(context)
    assert accepted(account) == numbers(5)
