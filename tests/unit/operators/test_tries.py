"""An operator's knowledge of earlier tries when there is no record of them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.delivery.outbox.tries import OTHERS
from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.operators.tries import first_try_at, trying
from airflow_provider_omni.storage.process import ProcessMemory

DUE = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = datetime(2026, 1, 2, tzinfo=UTC)


def context(try_number: int = 2, clear_number: int = 0, **run: Any) -> Any:
    dag_run = {"clear_number": clear_number, "start_date": STARTED, "run_after": DUE} | run
    return {"ti": SimpleNamespace(try_number=try_number), "dag_run": SimpleNamespace(**dag_run)}


class Log:
    """The log of a task; nobody reads it."""

    def info(self, *_: Any) -> None: ...

    def warning(self, *_: Any) -> None: ...


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
    with trying(made, ProcessMemory(), Log()) as this:
        assert this.tries.record_complete is surely
        assert ((this.tries.not_before or 0.0) > DUE.timestamp()) is surely
        # How many tries were put aside is not known: refusals in them made further ids.
        assert surely or this.tries.unaccounted == OTHERS


def test_a_try_before_which_nothing_was_written_knows_how_many_there_were() -> None:
    with trying(context(4), ProcessMemory(), Log()) as this:
        assert this.tries.unaccounted == 3


def test_no_try_began_before_the_run() -> None:
    assert first_try_at(context()) == STARTED.timestamp()


def test_a_cleared_runs_tries_began_when_it_was_due_at_the_earliest() -> None:
    assert first_try_at(context(clear_number=1)) == DUE.timestamp()


def test_on_airflow_2_a_run_was_due_at_the_end_of_its_interval() -> None:
    run = context(clear_number=1, run_after=None, data_interval_end=STARTED)
    assert first_try_at(run) == STARTED.timestamp()


def test_a_time_that_is_still_to_come_says_nothing_about_earlier_tries() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert first_try_at(context(clear_number=1, run_after=later)) is None


def test_where_airflow_does_not_tell_about_clears_the_run_may_have_been_cleared() -> None:
    run = {"dag_run": SimpleNamespace(start_date=STARTED, run_after=DUE)}
    assert first_try_at(run) == DUE.timestamp()


class Stopped(Exception):
    """Ends the operator where it would begin to send."""


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, vendor: Any) -> list[Any]:
    """The policies of the sends that are begun; none of them is carried out."""
    seen: list[Any] = []

    def begin(_plan: Any, policy: Any, _clock: Any) -> Any:
        seen.append(policy)
        raise Stopped

    monkeypatch.setattr("airflow_provider_omni.delivery.outbox.message.send_message", begin)
    return seen


def send(task: Any, **arguments: Any) -> None:
    operator = OmniSendMessageOperator(
        task_id="send", scenario_key="K", to="41793026727", sms={"text": "x"}, **arguments
    )
    context = task.context(try_number=2)
    context["dag_run"] = SimpleNamespace(clear_number=0, start_date=STARTED)
    with pytest.raises(Stopped):
        operator.execute(context)


def test_a_retry_asks_the_logs_where_no_try_has_said_that_it_began(task: Any, policy: list[Any]) -> None:
    """Airflow has dropped the state of the task, or the first try ran on one below 3.3."""
    send(task)
    assert not policy[0].record_complete


def test_a_retry_sends_at_once_where_the_first_try_has_ended_before_it_came_to_send(
    task: Any, policy: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = os.environ["AIRFLOW_CONN_OMNI_DEFAULT"]
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://127.0.0.1")
    with pytest.raises(AirflowFailException):
        OmniSendMessageOperator(task_id="send", scenario_key="K", to="41793026727", sms={"text": "x"}).execute(
            task.context()
        )
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", uri)
    send(task)
    assert policy[0].record_complete


def test_a_try_that_something_ended_while_it_was_sending_has_not_said_that_it_ended(
    task: Any, policy: list[Any]
) -> None:
    send(task)
    send(task)
    assert not policy[1].record_complete


def test_under_a_key_of_ones_own_the_logs_are_asked_and_can_prove_that_nothing_was_sent(
    task: Any, policy: list[Any]
) -> None:
    send(task, idempotency_key="order 7")
    assert policy[0].shared_key
    assert policy[0].first_try_at is not None


def test_log_grace_is_how_late_the_logs_may_be(task: Any, policy: list[Any]) -> None:
    send(task, log_grace=5)
    assert policy[0].look.grace == 5
