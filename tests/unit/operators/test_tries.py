"""What an operator knows of earlier tries when there is no record of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.operators.tries import first_try_at, is_surely_first

KEPT = SimpleNamespace(durable=True)
FORGOTTEN = SimpleNamespace(durable=False)
DUE = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = datetime(2026, 1, 2, tzinfo=UTC)


def context(try_number: int = 2, clear_number: int = 0, **run: Any) -> Any:
    dag_run = {"clear_number": clear_number, "start_date": STARTED, "run_after": DUE} | run
    return {"ti": SimpleNamespace(try_number=try_number), "dag_run": SimpleNamespace(**dag_run)}


@pytest.mark.parametrize(
    ("try_number", "memory", "clear_number", "surely"),
    [
        (1, FORGOTTEN, 0, True),
        (2, KEPT, 0, True),
        (2, FORGOTTEN, 0, False),
        (2, KEPT, 1, False),
    ],
)
def test_no_record_means_nothing_posted_only_where_a_post_would_have_left_one(
    try_number: int, memory: Any, clear_number: int, surely: bool
) -> None:
    assert is_surely_first(context(try_number, clear_number), memory) is surely


def test_where_airflow_does_not_tell_about_clears_a_later_try_is_not_the_first() -> None:
    assert not is_surely_first({"ti": SimpleNamespace(try_number=2)}, KEPT)


REGION = {"region_id": "01a21e53-7c51-7c31-8171-d3c67c7040d1"}
NO_REGION = {"region_id": "00000000-0000-0000-0000-000000000000"}


@pytest.mark.parametrize(
    ("ti", "more", "clear_number", "surely"),
    [
        ({}, {"loop": SimpleNamespace(index=1)}, 1, False),
        (REGION, {}, 1, False),
        ({}, {"loop": SimpleNamespace(index=1)}, 0, True),
        (REGION, {}, 0, True),
        (NO_REGION, {}, 1, True),
        ({}, {}, 1, True),
    ],
)
def test_a_first_try_that_a_clear_has_made_anew_is_not_surely_the_first(
    ti: Any, more: Any, clear_number: int, surely: bool
) -> None:
    """Airflow 3.4: where an iteration of a loop is cleared, the later ones are other task instances, at try 1."""
    made = context(1, clear_number) | more
    made["ti"] = SimpleNamespace(try_number=1, **ti)
    for memory in (KEPT, FORGOTTEN):
        assert is_surely_first(made, memory) is surely
    began = first_try_at(made, KEPT) or 0.0
    assert (began > DUE.timestamp()) is surely


def test_no_try_began_before_the_run() -> None:
    assert first_try_at(context(), FORGOTTEN) == STARTED.timestamp()


def test_a_cleared_runs_tries_began_when_it_was_due_at_the_earliest() -> None:
    assert first_try_at(context(clear_number=1), KEPT) == DUE.timestamp()


def test_on_airflow_2_a_run_was_due_at_the_end_of_its_interval() -> None:
    run = context(clear_number=1, run_after=None, data_interval_end=STARTED)
    assert first_try_at(run, FORGOTTEN) == STARTED.timestamp()


def test_a_time_that_is_still_to_come_says_nothing_about_earlier_tries() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert first_try_at(context(clear_number=1, run_after=later), KEPT) is None


def test_the_first_try_begins_now() -> None:
    before = time.time()
    assert before <= (first_try_at(context(try_number=1), KEPT) or 0.0) <= time.time()


class Stopped(Exception):
    """Ends the operator where it would begin to send."""


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch, vendor: Any) -> list[Any]:
    """The rules of the sends that are begun; none of them is carried out."""
    seen: list[Any] = []

    def begin(_plan: Any, rules: Any, _clock: Any) -> Any:
        seen.append(rules)
        raise Stopped

    monkeypatch.setattr("airflow_provider_omni.delivery.sending.Send", begin)
    return seen


def send(task: Any, **arguments: Any) -> None:
    operator = OmniSendMessageOperator(
        task_id="send", scenario_key="K", to="41793026727", sms={"text": "x"}, **arguments
    )
    context = task.context(try_number=2)
    context["dag_run"] = SimpleNamespace(clear_number=0, start_date=STARTED)
    with pytest.raises(Stopped):
        operator.execute(context)


def test_a_retry_without_a_record_sends_at_once(task: Any, rules: list[Any]) -> None:
    send(task)
    assert rules[0].surely_first


def test_under_a_key_of_ones_own_the_logs_are_asked_and_can_prove_that_nothing_was_sent(
    task: Any, rules: list[Any]
) -> None:
    send(task, idempotency_key="order 7")
    assert rules[0].shared_key
    assert rules[0].first_try_at is not None


def test_log_grace_is_how_late_the_logs_may_be(task: Any, rules: list[Any]) -> None:
    send(task, log_grace=5)
    assert rules[0].look.grace == 5
