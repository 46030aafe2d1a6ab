"""The trigger: what Airflow stores of it, and what comes out of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time import task_runner
from airflow.triggers.base import DiscrimatedTriggerEvent, TriggerEvent
from pydantic import TypeAdapter

from airflow_provider_omni.delivery.tracking.wait import DeliveryWait
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.errors import OmniAuthenticationError
from airflow_provider_omni.storage.process import AsyncProcessMemory
from airflow_provider_omni.storage.xcom import XComMemory
from airflow_provider_omni.triggers.omni import DeliveryEvent, OmniDeliveryTrigger

WATCH = Watch((Bulk("b", 2),), deadline=1_800_000_000.0, flow=("LINE", "SMS")).to_json()


def trigger(**arguments: Any) -> OmniDeliveryTrigger:
    task = {"dag_id": "dag", "run_id": "run", "task_id": "wait", "map_index": 3, "try_number": 2}
    return OmniDeliveryTrigger(**{"watch": WATCH, "omni_conn_id": "omni_other"} | task | arguments)


def test_a_trigger_made_anew_from_what_airflow_stored_is_the_same() -> None:
    path, arguments = trigger().serialize()
    assert path == f"{OmniDeliveryTrigger.__module__}.{OmniDeliveryTrigger.__qualname__}"
    assert OmniDeliveryTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)


def test_airflows_own_row_gives_the_arguments_back() -> None:
    _, arguments = trigger().serialize()
    assert Trigger.from_object(trigger()).kwargs == arguments


def test_arguments_of_another_version_do_not_stop_a_wait_that_is_under_way() -> None:
    arguments = trigger().serialize()[1]
    assert OmniDeliveryTrigger(**arguments, poll_mode="fast").serialize()[1] == arguments
    assert OmniDeliveryTrigger(watch=WATCH).serialize()[1]["omni_conn_id"] == "omni_default"


def test_the_journal_stands_in_the_waiting_tasks_xcoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    memory = trigger()._memory()
    assert isinstance(memory, XComMemory)
    assert memory._task.names == {"dag_id": "dag", "run_id": "run", "task_id": "wait", "map_index": 3}
    assert memory._try_number == 2


def test_delivery_reports_of_every_try_stand_under_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    reports = trigger()._xcoms()
    assert reports is not None
    assert reports._try_number is None


def test_a_trigger_that_knows_no_task_keeps_its_journal_in_memory() -> None:
    assert isinstance(OmniDeliveryTrigger(watch=WATCH)._memory(), AsyncProcessMemory)


def test_where_no_supervisor_answers_the_journal_is_kept_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dag.test()` of Airflow 3.0, where every XCom access of a trigger raises ImportError."""
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    assert isinstance(trigger()._memory(), AsyncProcessMemory)


@pytest.mark.filterwarnings("error")
def test_an_event_is_a_line_of_words_in_the_log_and_reaches_the_task_whole() -> None:
    """Airflow writes `repr(event)` into the task's log, and carries the event from process to process by its fields."""
    payload = {"status": "success", "message": "60 of 60 delivered", "summary": {"failed_message_ids": ["m" * 36]}}
    event = DeliveryEvent(payload)
    assert repr(event) == str(event) == "TriggerEvent<success: 60 of 60 delivered>"
    carried = TypeAdapter(DiscrimatedTriggerEvent)
    written = carried.dump_json(carried.validate_python(event), exclude_unset=True)
    assert carried.validate_json(written) == TriggerEvent(payload)  # type: ignore[no-untyped-call]


async def test_an_error_becomes_an_event_so_that_the_task_decides_about_retry_and_skip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(self: DeliveryWait) -> Any:
        raise OmniAuthenticationError("wrong password", status=401)
        yield

    monkeypatch.setenv("AIRFLOW_CONN_OMNI_OTHER", "omni://login:long-password@127.0.0.1:1/http")
    monkeypatch.setattr(DeliveryWait, "poll", refused)
    events = [event.payload async for event in trigger().run()]
    (event,) = events
    delivery = event.pop("delivery")
    assert (delivery["kind"], delivery["state"]) == ("wait", "error")
    assert delivery["error"] == {"code": "OMNI-121", "message": "wrong password [HTTP 401]"}
    assert event == {
        "status": "error",
        "error": "OmniAuthenticationError",
        "message": "wrong password [HTTP 401]",
        "retryable": False,
    }


@pytest.mark.parametrize(
    "watch",
    [
        {},
        {"bulks": [["b", 1, ["m"], "new"]], "deadline": 1.0},
        WATCH | {"success_when": "most"},
        WATCH | {"deadline": []},
    ],
)
async def test_arguments_that_cannot_be_read_become_an_event_too(watch: dict[str, Any]) -> None:
    (event,) = [event.payload async for event in trigger(watch=watch).run()]
    assert (event["status"], event["error"], event["retryable"]) == ("error", "OmniInputError", False)


async def test_no_event_comes_before_the_scheduler_can_have_noticed_the_workers_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def at_once(self: OmniDeliveryTrigger) -> dict[str, str]:
        return {"status": "success"}

    monkeypatch.setattr(OmniDeliveryTrigger, "_wait", at_once)
    monkeypatch.setattr("airflow_provider_omni.triggers.omni.asyncio.sleep", sleep)
    monkeypatch.setattr("airflow_provider_omni.triggers.omni.EVENT_NOT_BEFORE", 5.0)
    assert [event.payload async for event in trigger().run()] == [{"status": "success"}]
    assert [round(seconds) for seconds in slept] == [5]
