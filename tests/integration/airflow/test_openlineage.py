"""Airflow's OpenLineage provider, with its file transport: the events of a DAG's run, as another system gets them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from airflow.providers.common.compat.openlineage import facet as known_facets
from openlineage.client.generated.base import EventType, InputDataset, Job, OutputDataset, Run, RunEvent

from airflow_provider_omni.operators.openlineage_facets import FACET, OmniDeliveryRunFacet
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.vendor import SharedServer

PEOPLE = {"41793026727": "Zaphod", "41793026741": "Ford", "41793026731": "Marvin"}
Event = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def account(vendor_server: SharedServer) -> Iterator[RunningSimulator]:
    with vendor_server.hosting() as simulator:
        simulator.configure(beat_seconds=0.05, source_scenario=True)
        simulator.reset()
        yield simulator


@pytest.fixture(scope="module")
def written(account: RunningSimulator, airflow_db: Path, folder: Path) -> str:
    """The transport's file after a run of the DAG `lineage`. Its settings are those that tell others the most."""
    rows = list(PEOPLE.items())
    (folder / "people.csv").write_text("phone,name\n" + "".join(f"{number},{name}\n" for number, name in rows))
    (folder / "stop.csv").write_text("phone\n41793026731\n")
    with sqlite3.connect(folder / "shop.db") as database:
        database.execute("create table people (phone, name)")
        database.executemany("insert into people values (?, ?)", rows)
    events = folder / "events.jsonl"
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "lineage_dags"),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(events), "append": True}),
        "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": "True",
        "AIRFLOW__OMNI__SHOW_TEXTS": "True",
        "AIRFLOW_VAR_LINEAGE_FOLDER": str(folder),
        "AIRFLOW_CONN_OMNI_DEFAULT": account.airflow_connection_json,
        "AIRFLOW_CONN_SHOP": json.dumps({"conn_type": "sqlite", "host": str(folder / "shop.db")}),
    }
    command = [sys.executable, "-m", "airflow", "dags", "test", "lineage"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert events.exists(), done.stdout + done.stderr
    return events.read_text()


@pytest.fixture(scope="module")
def events(written: str) -> list[Event]:
    return [json.loads(line) for line in written.splitlines()]


def end_of(events: list[Event], task: str) -> Event:
    (end,) = [
        event
        for event in events
        if event["job"]["name"] == f"lineage.{task}" and event["eventType"] in ("COMPLETE", "FAIL")
    ]
    return end


def names(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["namespace"], each["name"]) for each in datasets]


def delivery(event: Event) -> dict[str, Any]:
    return {name: value for name, value in event["run"]["facets"][FACET].items() if not name.startswith("_")}


def test_a_batch_tells_its_files_its_ledger_and_its_counts(events: list[Event], folder: Path) -> None:
    end = end_of(events, "send")
    assert names(end["inputs"]) == [("file", f"{folder}/people.csv"), ("file", f"{folder}/stop.csv")]
    assert names(end["outputs"]) == [("file", f"{folder}/ledger")]
    assert end["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 3
    counts = delivery(end)["counts"]
    assert (counts["requested"], counts["accepted"], counts["suppressed"]) == (3, 2, 1)


def test_a_sensor_tells_who_was_reached_by_which_channel_and_the_cost(events: list[Event], folder: Path) -> None:
    end = end_of(events, "wait")
    assert names(end["inputs"]) == names(end["outputs"]) == [("file", f"{folder}/ledger")]
    told = delivery(end)
    assert told.pop("cost").keys() == {"EUR"}
    assert told == {"total": 2, "delivered": 2, "failed": 0, "pending": 0, "by_channel": {"LINE": 1, "SMS": 1}}


def test_a_query_tells_its_tables(events: list[Event], folder: Path) -> None:
    end = end_of(events, "queried")
    assert names(end["inputs"]) == [("sqlite://shop", "public.people")]
    assert names(end["outputs"]) == [("file", f"{folder}/of_query")]
    assert end["job"]["facets"]["sql"]["query"] == (
        "SELECT phone, name FROM people WHERE name <> '…' AND name <> :name"
    )


def test_a_send_that_has_waited_in_the_triggerer_tells_what_it_sent_and_what_came_of_it(events: list[Event]) -> None:
    end = end_of(events, "listed")
    told = delivery(end)
    assert names(end["inputs"]) == [("sqlite://shop", "public.people")]
    assert told["counts"]["accepted"] == 2
    assert (told["delivered"], told["by_channel"]) == (2, {"LINE": 1, "SMS": 1})


def test_a_task_that_failed_tells_its_counts_too(events: list[Event]) -> None:
    end = end_of(events, "failed")
    assert end["eventType"] == "FAIL"
    assert (delivery(end)["total"], delivery(end)["failed"]) == (1, 1)


def test_every_event_is_one_of_openlineage_s_own(events: list[Event]) -> None:
    assert len(events) >= 10
    for event in events:
        datetime.fromisoformat(event["eventTime"])
        RunEvent(
            eventTime=event["eventTime"],
            producer=event["producer"],
            eventType=EventType(event["eventType"]),
            run=Run(**event["run"]),
            job=Job(**event["job"]),
            inputs=[InputDataset(**each) for each in event["inputs"]],
            outputs=[OutputDataset(**each) for each in event["outputs"]],
        )
        for facet in facets(event):
            assert facet["_producer"].startswith("https://")
            assert "#/$defs/" in facet["_schemaURL"]


def test_our_facets_have_the_members_of_their_classes_and_no_others(events: list[Event]) -> None:
    ours = [
        (name, facet)
        for event in events
        for name, facet in [
            *event["run"]["facets"].items(),
            *event["job"]["facets"].items(),
            *(each for output in event["outputs"] for each in output["outputFacets"].items()),
        ]
    ]
    classes: dict[str, Any] = {
        FACET: OmniDeliveryRunFacet,
        "sql": known_facets.SQLJobFacet,
        "outputStatistics": known_facets.OutputStatisticsOutputDatasetFacet,
    }
    assert classes.keys() <= {name for name, _ in ours}
    for name, facet in ours:
        if name in classes:
            assert facet["_schemaURL"] == classes[name]._get_schema()
            assert facet.keys() <= {each.name for each in attrs.fields(classes[name])}


def facets(event: Event) -> Iterator[dict[str, Any]]:
    for holder in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for name in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(name, {}).values()


def test_no_event_holds_a_number_a_text_a_key_or_a_secret(written: str, account: RunningSimulator) -> None:
    text = json.dumps([json.loads(line) for line in written.splitlines()], ensure_ascii=False)
    secrets = (
        "Zaphod",
        "Ford",
        "Marvin",
        "Trillian",
        "918273",
        "4179302",
        "Dear",
        account.password,
    )
    assert [word for word in secrets if word in text] == []


def test_datasets_and_facets_of_ours_hold_no_message_id(events: list[Event], account: RunningSimulator) -> None:
    ids = [each.message_id for each in account.record.acceptances]
    assert len(ids) == 7
    for event in events:
        # Airflow's own hold a sensor's arguments, by a setting of this test, and the error of a task.
        run = {name: facet for name, facet in event["run"]["facets"].items() if name not in ("airflow", "errorMessage")}
        text = json.dumps([run, event["job"], event["inputs"], event["outputs"]])
        assert [each for each in ids if each in text] == []
