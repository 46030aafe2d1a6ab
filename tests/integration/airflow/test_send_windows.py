"""Sends with hours of the day: nothing goes out outside of them, and no worker waits for them."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.omni.errors import OmniInputError, OmniUnknownOutcomeError
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.clock import SkippingClock
from tests.integration.airflow.batchtask import TEXT, BatchTask, numbers

SCENARIO = "CC9F01A5DC7BEE2C2B829D203482A654"


def hours(begin: float, length: float = 8.0) -> tuple[str, str]:
    """Hours of UTC that begin so many hours from now."""
    now = datetime.now(UTC)
    shown = [(now + timedelta(hours=each)).strftime("%H:%M") for each in (begin, begin + length)]
    return shown[0], shown[1]


OPEN, SHUT = (-2.0, 8.0), (3.0, 8.0)


def batch(people: Any, window: tuple[float, float], **arguments: Any) -> OmniSendBatchOperator:
    given = {"task_id": "send", "scenario_key": SCENARIO, "recipients": people, "timezone": "UTC"}
    return OmniSendBatchOperator(**given | {"send_window": hours(*window)} | TEXT | arguments)


def waits(account: RunningSimulator) -> dict[str, float]:
    """Seconds that the vendor lets pass before the first step, by number."""
    return {each.to: each.starts_at - each.accepted_at for each in account.record.messages}


def test_within_the_hours_everybody_gets_it_at_once(account: RunningSimulator, batch_task: BatchTask) -> None:
    receipt = batch(numbers(3), OPEN).execute(batch_task.context())
    assert set(waits(account).values()) == {0.0}
    assert "send_at" not in receipt


def test_outside_of_them_the_vendor_is_asked_to_send_when_they_begin_and_no_worker_waits(
    account: RunningSimulator,
    batch_task: BatchTask,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO")
    began = time.monotonic()
    receipt = batch(numbers(3), SHUT).execute(batch_task.context())
    assert time.monotonic() - began < 60
    assert len(waits(account)) == 3
    assert all(3 * 3600 - 120 < each <= 3 * 3600 + 3 for each in waits(account).values())
    assert receipt["send_at"]
    assert "UTC: what is posted now goes out from " in caplog.text + "".join(capsys.readouterr())


def test_each_gets_it_by_the_clock_where_they_are(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    there = dict(zip(numbers(3), ["Etc/GMT+6", "", "UTC"], strict=True))
    rows = [{"phone": number, "zone": zone} for number, zone in there.items()]
    receipt = batch(rows, OPEN, timezone_field="zone", ledger_path=str(tmp_path)).execute(batch_task.context())
    assert [waits(account)[number] > 0 for number in there] == [True, False, False]
    assert receipt["counts"]["accepted"] == 3
    assert receipt["send_at"]


def test_a_row_with_what_is_no_time_zone_is_left_out_and_its_value_is_not_shown(
    account: RunningSimulator,
    batch_task: BatchTask,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    zones = [*["UTC"] * 11, "41793026799"]
    rows = [{"phone": number, "zone": zone} for number, zone in zip(numbers(12), zones, strict=True)]
    receipt = batch(rows, OPEN, timezone_field="zone").execute(batch_task.context())
    assert (receipt["counts"]["accepted"], receipt["counts"]["quarantined"]) == (11, 1)
    line = "zone: got something else, expected a time zone such as Asia/Bangkok"
    assert receipt["quarantined_by_reason"] == {line: 1}
    said = caplog.text + "".join(capsys.readouterr())
    assert "1 quarantined" in said
    assert "41793026799" not in said


def test_no_two_requests_wait_for_the_same_moment_since_the_logs_are_read_by_time(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    rows = [{"phone": number, "name": f"n{index}"} for index, number in enumerate(numbers(50))]
    batch(rows, SHUT, sms={"text": "Hi {name}"}, ledger_path=str(tmp_path)).execute(batch_task.context())
    assert len({message.starts_at for message in account.record.messages}) == 50


def test_a_retry_in_other_hours_sends_nothing_again(account: RunningSimulator, batch_task: BatchTask) -> None:
    people = numbers(4)
    batch(people, SHUT).execute(batch_task.context())
    receipt = batch(people, OPEN).execute(batch_task.context(try_number=2))
    assert Counter(each.to for each in account.record.acceptances) == Counter(people)
    assert receipt["counts"]["accepted"] == 4


def test_a_single_send_has_hours_too(
    account: RunningSimulator,
    batch_task: BatchTask,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO")
    operator = OmniSendMessageOperator(
        task_id="send", scenario_key=SCENARIO, to=numbers(1)[0], send_window=hours(*SHUT), timezone="UTC", **TEXT
    )
    receipt = operator.execute(batch_task.context())
    assert all(each > 3 * 3600 - 120 for each in waits(account).values())
    assert receipt["send_at"]
    assert "UTC: what is posted now goes out from " in caplog.text + "".join(capsys.readouterr())


@pytest.mark.parametrize("later", ["send_window", "send_at"])
def test_a_key_of_ones_own_and_a_later_time_are_told_what_nobody_can_know_and_nothing_is_sent(
    account: RunningSimulator, batch_task: BatchTask, later: str
) -> None:
    ahead = {"send_at": datetime.now(UTC) + timedelta(hours=5)}
    given: Any = ahead if later == "send_at" else {"send_window": hours(*SHUT), "timezone": "UTC"}
    send = OmniSendMessageOperator(
        task_id="send", scenario_key=SCENARIO, to=numbers(1)[0], idempotency_key="order-7", **given, **TEXT
    )
    with pytest.raises(OmniUnknownOutcomeError, match="Under an idempotency_key of your own") as caught:
        send.execute(batch_task.context())
    assert "ledger_path" in str(caught.value)
    assert not account.record.acceptances


def test_a_key_of_ones_own_within_the_hours_is_sent(account: RunningSimulator, skipping: SkippingClock) -> None:
    send = OmniSendMessageOperator(
        task_id="send",
        scenario_key=SCENARIO,
        to=numbers(1)[0],
        idempotency_key="order-7",
        send_window=hours(*OPEN),
        timezone="UTC",
        **TEXT,
    )
    assert send.execute(BatchTask().context())["counts"]["accepted"] == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"timezone": None}, "timezone: missing"),
        ({"timezone": "Bangkok"}, "timezone: got a string of 7 characters"),
        ({"timezone": "../../etc/passwd"}, "timezone: got"),
        ({"send_window": ("9", "25:00")}, "send_window: got '9' and '25:00', expected two times of a day such as"),
        ({"send_window": ("9:00", "20:00")}, "send_window: got '9:00', expected two times of a day such as ('09:00'"),
        ({"send_window": ("41793026727", "20:00")}, "send_window: got '4179…727', expected"),
        ({"send_window": ("09:00", None)}, "send_window: got nothing, expected"),
        ({"send_window": ("Dear Ms Smith", "20:00")}, "send_window: got a string of 13 characters, expected"),
        ({"timezone": "localtime"}, "timezone: got"),
        ({"send_window": ("09:00", "09:00")}, "send_window: got"),
        ({"send_window": ("09:00", "09:10")}, "send_window: got 10 minutes"),
        ({"send_window": "09:00-20:00"}, "send_window: got"),
        ({"send_window": None}, "timezone: given without a send_window"),
        ({"send_window": None, "timezone": None, "timezone_field": "zone"}, "timezone_field: given without"),
        ({"send_at": datetime(2027, 1, 1, tzinfo=UTC)}, "send_at: given together with a send_window"),
    ],
)
def test_mistakes_show_when_the_dag_is_read(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        batch(["41793026727"], OPEN, **given)
    (problem,) = caught.value.problems
    assert problem.startswith(expected)


def seconds_ahead(receipt: dict[str, Any]) -> float:
    return (datetime.fromisoformat(receipt["send_at"]) - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize("given", [{}, {"send_window": None, "timezone": None}], ids=["other hours", "no hours"])
@pytest.mark.parametrize("ledger", [False, True], ids=["no ledger", "ledger"])
def test_a_receipt_tells_when_messages_go_out_by_what_was_asked_for_and_not_by_the_hours_of_a_retry(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path, given: dict[str, Any], ledger: bool
) -> None:
    path = {"ledger_path": str(tmp_path)} if ledger else {}
    first = batch(numbers(2), SHUT, **path).execute(batch_task.context())
    again = batch(numbers(2), OPEN, **path | given).execute(batch_task.context(try_number=2))
    assert again["send_at"] == first["send_at"]
    assert 3 * 3600 - 120 < seconds_ahead(again) < 3 * 3600 + 600


def test_a_retry_at_night_does_not_say_of_what_went_out_by_day_that_it_waits(
    account: RunningSimulator, batch_task: BatchTask
) -> None:
    batch(numbers(2), OPEN).execute(batch_task.context())
    assert "send_at" not in batch(numbers(2), SHUT).execute(batch_task.context(try_number=2))


def test_a_receipt_of_earlier_tries_tells_when_their_messages_go_out(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    first = batch(numbers(2), SHUT, ledger_path=str(tmp_path)).execute(batch_task.context())
    with pytest.raises(Exception, match="recipients"):
        batch(str(tmp_path / "gone.csv"), OPEN, ledger_path=str(tmp_path)).execute(batch_task.context(try_number=2))
    assert batch_task.xcoms["return_value"]["counts"]["accepted"] == 2
    assert batch_task.xcoms["return_value"]["send_at"] == first["send_at"]


@pytest.mark.parametrize("include_unknown", [False, True])
def test_a_second_send_leaves_out_those_whose_message_waits_for_its_hours(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path, include_unknown: bool
) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    batch(numbers(3), SHUT, ledger_path=first).execute(batch_task.context())
    again = batch(unreached(first, include_unknown=include_unknown), OPEN, task_id="again", ledger_path=second)
    receipt = again.execute(BatchTask().context(run_id="second"))
    assert receipt["counts"]["requested"] == 0
    assert set(Counter(each.to for each in account.record.acceptances).values()) == {1}


def test_once_their_hours_have_come_they_are_unknown_like_others(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(numbers(3), SHUT, ledger_path=str(tmp_path)).execute(batch_task.context())
    later = time.time() + 4 * 3600
    monkeypatch.setattr("airflow_provider_omni.delivery.results.unreached.time.time", lambda: later)
    assert len(list(unreached(str(tmp_path), include_unknown=True).rows())) == 3
