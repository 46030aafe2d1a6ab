"""The keys and ids that are made where the user gives none: golden ones, mapped ones, and those of loops."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.operators.keys import default_key, loop_index, public_map_index, shared_key
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY
from tests.harness.clock import SkippingClock


@pytest.fixture
def vendor(omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, clock: SkippingClock) -> RunningSimulator:
    clock.follow = omni_simulator.advance
    omni_simulator.configure(source_scenario=True, duplicates="accept")
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


def context(map_index: int | None = -1, loop: Any = None) -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=map_index)
    return {"ti": ti} | ({} if loop is None else {"loop": SimpleNamespace(index=loop)})


def in_loop(task: Any, index: int, try_number: int = 1, clears: int = 0) -> Any:
    """The iteration of a loop: the state of each is its own, all else is the same."""
    task.state.clear()
    run = SimpleNamespace(clear_number=clears, run_after=datetime.now(UTC) - timedelta(hours=1))
    return task.context(try_number) | {"loop": SimpleNamespace(index=index, max_iterations=3), "dag_run": run}


def single(**arguments: Any) -> OmniSendMessageOperator:
    content = {"sms": {"text": "Hello"}, "flow": ["LINE", "SMS"], "to": "41793026727"}
    return OmniSendMessageOperator(**{"task_id": "send", "scenario_key": SOURCE_SCENARIO_KEY, **content, **arguments})


def batch(**arguments: Any) -> OmniSendBatchOperator:
    content = {"sms": {"text": "Hello"}, "flow": ["LINE", "SMS"], "recipients": ["41793026727"]}
    return OmniSendBatchOperator(**{"task_id": "send", "scenario_key": SOURCE_SCENARIO_KEY, **content, **arguments})


PEOPLE = [f"4179302{index:02d}27" for index in range(20)]


def sent(vendor: RunningSimulator) -> list[str]:
    return [each.message_id for each in vendor.record.acceptances]


def test_outside_of_loops_the_keys_are_what_they_have_always_been() -> None:
    assert default_key(context()) == '["dag", "run", "task", -1]'
    assert default_key(context(map_index=7)) == '["dag", "run", "task", 7]'
    assert shared_key(context(map_index=7)) == '["dag", "run", "task"]'


def test_outside_of_loops_the_ids_are_what_they_have_always_been(vendor: Any, task: Any) -> None:
    single().execute(task.context())
    task.state.clear()
    batch().execute(task.context())
    task.state.clear()
    run = SimpleNamespace(clear_number=0, start_date=None)
    batch(shard="1/1").execute(task.context(map_index=3) | {"dag_run": run})
    single_and_batch = "71689b7d-4f23-5a09-ac78-3a3b266d3baf"
    assert sent(vendor) == [single_and_batch, single_and_batch, "4721f361-724c-5a0d-ba2e-be57a9a67c76"]


def test_each_iteration_of_a_loop_has_keys_of_its_own() -> None:
    made = [make(context(loop=index)) for index in range(3) for make in (default_key, shared_key)]
    assert len(set(made)) == 6
    assert default_key(context(loop=0)) != default_key(context())
    assert shared_key(context(loop=2)) == shared_key(context(map_index=5, loop=2))


def test_a_loop_that_is_not_airflows_changes_no_key() -> None:
    strange = [{"loop": value} for value in (None, 3, "text", SimpleNamespace(index="1"), SimpleNamespace(index=True))]
    assert {default_key(context() | each) for each in strange} == {default_key(context())}
    assert [loop_index(each) for each in strange] == [None] * 5


def test_no_map_index_is_the_one_of_a_task_that_is_not_mapped() -> None:
    assert default_key(context(map_index=None)) == default_key(context())
    assert public_map_index(SimpleNamespace()) == -1


@pytest.mark.parametrize("make", [single, batch, lambda: batch(shard="1/1")], ids=["single", "batch", "shard"])
def test_three_iterations_of_a_loop_are_three_messages(make: Any, vendor: Any, task: Any) -> None:
    receipts = [make().execute(in_loop(task, index)) for index in range(3)]
    assert len(set(sent(vendor))) == 3
    assert [each["counts"]["accepted"] for each in receipts] == [1, 1, 1]


def test_a_retry_inside_a_loop_sends_nothing_again(vendor: Any, task: Any) -> None:
    first = in_loop(task, 1)
    single().execute(first)
    first["ti"].try_number = 2
    single().execute(first)
    assert len(sent(vendor)) == 1


@pytest.mark.parametrize("make", [single, batch], ids=["single", "batch"])
def test_an_iteration_that_the_clear_of_an_earlier_one_has_made_anew_sends_nothing_again(
    make: Any, vendor: Any, task: Any, tmp_path: Any, clock: SkippingClock
) -> None:
    """It is another task instance then, without state and at its first try."""
    ledger = {"ledger_path": str(tmp_path)} if make is batch else {}
    make(**ledger).execute(in_loop(task, 1))
    again = make(**ledger).execute(in_loop(task, 1, clears=1))
    assert len(sent(vendor)) == 1
    assert again["counts"]["accepted"] == 1


def test_a_batch_without_ledger_that_a_clear_has_made_anew_is_refused(vendor: Any, task: Any) -> None:
    batch().execute(in_loop(task, 1))
    with pytest.raises(Exception, match="1 of 1 that were looked for stand in the vendor's logs"):
        batch().execute(in_loop(task, 1, clears=1))
    assert len(sent(vendor)) == 1


@pytest.mark.parametrize("make", [single, batch], ids=["single", "batch"])
def test_a_key_of_ones_own_that_says_nothing_of_the_iteration_is_warned_about(
    make: Any, vendor: Any, task: Any, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    ledger = {"ledger_path": str(tmp_path)} if make is batch else {"dry_run": True}
    run = {"dag_run": SimpleNamespace(clear_number=0, start_date=None)}
    make(idempotency_key="reminder 12", **ledger).execute(in_loop(task, 2) | run)
    assert "{{ loop.index }}" in capsys.readouterr().out
    make(idempotency_key="reminder 12/2", dry_run=True).execute(in_loop(task, 2))
    assert "{{ loop.index }}" not in capsys.readouterr().out


def test_a_ledger_that_all_iterations_share_is_refused_and_the_error_says_what_to_put_into_its_path(
    vendor: Any, task: Any, tmp_path: Any
) -> None:
    path = str(tmp_path / "ledger")
    batch(ledger_path=path).execute(in_loop(task, 0))
    with pytest.raises(Exception, match=r"\{\{ loop\.index \}\}"):
        batch(ledger_path=path).execute(in_loop(task, 1))
    assert len(sent(vendor)) == 1
    batch(ledger_path=f"{path}/1").execute(in_loop(task, 1))
    assert len(sent(vendor)) == 2


@pytest.mark.parametrize("send", [single, batch])
def test_a_send_that_another_tasks_function_executes_is_refused_before_it_is_taken_for_a_repeat(
    vendor: RunningSimulator, task: Any, send: Any
) -> None:
    """A loop in a task: the second text to the same person was never sent, and its receipt said "accepted"."""
    within = task.context() | {"task": SimpleNamespace(task_id="loop")}
    for text in ("one", "two"):
        with pytest.raises(AirflowFailException, match="got 'send' within the task 'loop', expected a task of the DAG"):
            send(sms={"text": text}).execute(within)
    assert vendor.record.acceptances == []
    assert send().execute(task.context() | {"task": SimpleNamespace(task_id="send")})["counts"]["accepted"] == 1


def shards(task: Any, count: int, clears: int = 0) -> list[Any]:
    """A try of each shard; their state is kept from clear to clear, that of a new one is empty."""
    run = SimpleNamespace(clear_number=clears, start_date=None, run_after=datetime.now(UTC) - timedelta(hours=1))
    ended: list[Any] = []
    for index in range(count):
        mine = copy.copy(task)
        mine.state = task.by_shard.setdefault(index, {})
        context = mine.context(clears + 1 if mine.state else 1, map_index=index) | {"dag_run": run}
        try:
            ended.append(batch(recipients=PEOPLE, shard=f"{index + 1}/{count}").execute(context)["counts"]["accepted"])
        except AirflowFailException as error:
            ended.append(str(error))
    return ended


def test_a_new_shard_of_a_cleared_run_sends_to_nobody_whom_another_shard_has_sent_to(vendor: Any, task: Any) -> None:
    """Two shards were made three. The third is a new task instance, at its first try, with an empty state."""
    task.by_shard = {}
    assert sum(shards(task, 2)) == len(PEOPLE)
    first, second, third = shards(task, 3, clears=1)
    assert "sent under another key" in first
    assert "sent under another key" in second
    assert "stand in the vendor's logs" in third
    assert len(sent(vendor)) == len(set(sent(vendor))) == len(PEOPLE)
