"""The DAGs that people copy, each run by Airflow from its first to its last task against the simulator."""

from __future__ import annotations

import importlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.simulator.running import RunningSimulator

LINE_ONLY, LINE_REJECTED, NEITHER = "41793026727", "41793026740", "41793026743"


def run(dag_id: str, **conf: Any) -> dict[str, str]:
    """Run a DAG as `dag.test()` does, with short polls; the state of each task, mapped ones with their index."""
    dag = importlib.import_module(f"example_dags.{dag_id}").dag
    for task in dag.tasks:
        for arguments in (task.__dict__, getattr(task, "partial_kwargs", {})):
            if "poke_interval" in arguments:
                arguments["poke_interval"] = 0.1
    run = dag.test(run_conf=conf or None)
    return {f"{ti.task_id}{'' if ti.map_index < 0 else ti.map_index}": str(ti.state) for ti in run.get_task_instances()}


def test_omni_line_sms_ends_well_with_its_default_numbers(account: RunningSimulator) -> None:
    assert set(run("omni_line_sms").values()) == {"success"}
    deliveries = [(each.to, each.channel) for each in account.record.deliveries]
    assert deliveries == [(LINE_ONLY, "LINE"), (LINE_REJECTED, "SMS")]


def test_omni_send_and_wait_ends_well_with_its_default_numbers(account: RunningSimulator) -> None:
    assert set(run("omni_send_and_wait").values()) == {"success"}
    assert [each.channel for each in account.record.deliveries] == ["LINE", "SMS"]


def test_airflow_logs_no_error_and_no_warning_about_our_xcoms_and_secrets(
    account: RunningSimulator, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run("omni_line_sms")
    said = "".join(capfd.readouterr()) + caplog.text
    assert "Delivery goal" in said  # the log was read
    assert "XCom not found" not in said
    assert "too short" not in said


def test_omni_line_sms_fails_when_somebody_got_nothing(account: RunningSimulator) -> None:
    states = run("omni_line_sms", to=[LINE_ONLY, NEITHER])
    assert states == {"scenario": "success", "send": "success", "delivered": "failed"}


def test_nothing_that_airflow_keeps_of_a_run_holds_a_number_but_the_parameters_that_were_typed(
    account: RunningSimulator, airflow_db: Path
) -> None:
    run("omni_line_sms")
    with sqlite3.connect(airflow_db) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        # The DAG's own source and parameters, and what was typed when the run was triggered.
        kept = sorted(set(tables) - {"serialized_dag", "dag_code", "dag_run"})
        rows = {name: database.execute(f"select * from {name}").fetchall() for name in kept}
    assert rows["rendered_task_instance_fields"]
    assert rows["xcom"]
    assert [name for name, found in rows.items() if LINE_ONLY in repr(found) or LINE_REJECTED in repr(found)] == []


def test_omni_media_sends_each_of_the_five_line_types_once(account: RunningSimulator) -> None:
    states = run("omni_media")
    assert len(states) == 11
    assert set(states.values()) == {"success"}
    assert len({each.content_hash for each in account.record.acceptances}) == len(account.record.acceptances) == 5


@pytest.mark.parametrize(
    ("number", "told", "publish", "ticket"),
    [(LINE_REJECTED, "success", "success", "skipped"), (NEITHER, "skipped", "skipped", "success")],
)
def test_omni_gate_goes_on_only_when_the_message_was_delivered(
    account: RunningSimulator, number: str, told: str, publish: str, ticket: str
) -> None:
    states = run("omni_gate", to=number)
    assert (states["told"], states["publish"], states["open_ticket"]) == (told, publish, ticket)


def test_omni_when_delivered_runs_when_omni_taskflow_has_delivered_and_knows_the_counts(
    account: RunningSimulator, airflow_db: Path
) -> None:
    assert set(run("omni_when_delivered").values()) == {"success"}  # by hand: nobody was told yet
    with sqlite3.connect(airflow_db) as database:
        database.execute("update dag set is_paused = 0 where dag_id = 'omni_when_delivered'")
    assert set(run("omni_taskflow").values()) == {"success"}
    assert {each.to for each in account.record.acceptances} == {LINE_ONLY, LINE_REJECTED, "41793026731"}
    with sqlite3.connect(airflow_db) as database:
        queued = database.execute("select target_dag_id from asset_dag_run_queue").fetchall()
        events = database.execute("select extra from asset_event where source_task_id = 'tell_customers'").fetchall()
    assert ("omni_when_delivered",) in queued
    ((told,),) = events  # one task, one event
    extra = json.loads(told)["omni"]
    assert (extra["counts"]["accepted"], extra["delivery"]["delivered"]) == (2, 2)
    assert not [number for number in (LINE_ONLY, LINE_REJECTED) if number in told]
    run("omni_when_delivered")
    with sqlite3.connect(airflow_db) as database:
        said = database.execute("select value from xcom where dag_id = 'omni_when_delivered'").fetchall()
    assert "Nobody was told yet" in repr(said)
    assert "2 of 2 were told" in repr(said)
