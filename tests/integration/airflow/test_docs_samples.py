"""Every Python sample of README.md and docs/, run by Airflow as it stands, each alone: nobody has read the one above.

What the samples name is here: the vendor, an S3 on loopback with files of people, a database, a variable. A part of a
DAG is put into one. A sample of which nothing is run fails, so that nobody forgets to say how it is run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import sqlite3
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow import settings
from airflow.dag_processing.dagbag import DagBag
from moto.server import ThreadedMotoServer

from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.operators.omni import OmniSendBatchOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.airflow.batchtask import TEXT, BatchTask, numbers
from tests.integration.samples import BLOCKS, Block

DAY = datetime(2026, 11, 23, tzinfo=UTC)
BUCKET = "my-bucket"
PEOPLE = "phone\n41793026727\n41793026731\n"
FILES = ("people/2026-11-23.csv", "people/2026-11-23.csv.gz", "bern.csv", "basel.csv")
LEDGER = "/data/ledgers/shipped/2026-11-23"
MESSAGE = "m"

FAILING = """
from airflow.sdk import task
@task(on_failure_callback=tell_the_team)
def failing():
    raise ValueError("on purpose")
failing()
"""
RUN_BY = {
    "tell_the_team = ": FAILING,
    "def find_scenario(": "find_scenario()",
    "def not_reached(": 'not_reached({"recipients": [{"to": 0, "message_id": "m"}]}, {"failed_message_ids": ["m"]})',
}
"""Sign of a sample → text that its reader adds to it, so that it is run."""
READS = "read_outcomes("
"""A sample with this is no task: it is run where it stands."""
OF_AIRFLOW_3_4 = "loop.index"
"""A sample with this is loaded only: no Airflow that has loops is released."""
ENDS = {"failing": "failed", "open_ticket": "skipped"}
"""Tasks that do not succeed."""

SAMPLES = [block for block in BLOCKS if block.is_sample]


def dag_file(block: Block) -> str:
    """The sample as a file of the DAGs folder."""
    if block.is_dag:
        return block.code
    parts = [block.code, *(added for found, added in RUN_BY.items() if found in block.code)]
    body = textwrap.indent("\n".join(parts), "    ")
    return f"from airflow.sdk import DAG\nwith DAG('sample_{block.page.stem}_{block.line}', schedule=None):\n{body}"


@pytest.fixture(scope="module")
def bucket() -> Iterator[None]:
    """An S3 on loopback as `aws_default`, with the samples' files of people."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    names = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("s3", endpoint_url=url, **names)
    client.create_bucket(Bucket=BUCKET)
    for name in FILES:
        people = PEOPLE.encode()
        client.put_object(Bucket=BUCKET, Key=name, Body=gzip.compress(people) if name.endswith(".gz") else people)
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "a-key", "password": "a-secret", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield
    server.stop()


@pytest.fixture
def world(account: RunningSimulator, bucket: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """All that the samples name."""
    shop = tmp_path / "shop.db"
    with sqlite3.connect(shop) as database:
        database.execute("CREATE TABLE shipped (order_id, phone, name)")
        rows = [(1, "41793026727", "Ford"), (2, "41793026743", "Arthur")]
        database.executemany("INSERT INTO shipped VALUES (?, ?, ?)", rows)
        database.execute("CREATE TABLE customers (customer_id, phone)")
        database.executemany("INSERT INTO customers VALUES (?, ?)", [row[:2] for row in rows])
        database.execute("CREATE TABLE opted_out (number_hash)")
        database.execute("INSERT INTO opted_out VALUES (?)", (hashlib.sha256(b"41793026743").hexdigest(),))
    for name in ("SHOP", "CRM"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "sqlite", "host": str(shop)}))
    monkeypatch.setenv("AIRFLOW_VAR_ON_CALL", "41793026727")
    with OmniHook() as hook:
        destination = {"to": {"phoneNumber": "41793026727"}, "messageId": MESSAGE}
        scenario = "CC9F01A5DC7BEE2C2B829D203482A654"
        hook.send_advanced({"scenarioKey": scenario, "destinations": [destination], "sms": {"text": "Hello"}})
    return account


def states_of(file: Path, dags: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run all DAGs of a file as `dag.test()` does, with short polls; the state of each task."""
    monkeypatch.setattr(settings, "DAGS_FOLDER", str(dags))
    bag = DagBag(str(file))
    assert bag.import_errors == {}
    states: dict[str, str] = {}
    for dag in bag.dags.values():
        for task in dag.tasks:
            if "poke_interval" in task.__dict__:
                task.__dict__["poke_interval"] = 0.1
        done = dag.test(logical_date=DAY)
        states |= {f"{ti.task_id} {ti.map_index}": str(ti.state) for ti in done.get_task_instances()}
    return states


@pytest.mark.parametrize(
    "block", [block for block in SAMPLES if OF_AIRFLOW_3_4 not in block.code and READS not in block.code], ids=str
)
def test_a_sample_runs_as_it_stands(
    block: Block, world: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "sample.py").write_text(dag_file(block))
    before = len(world.record.calls)

    states = states_of(dags / "sample.py", dags, monkeypatch)

    assert states
    assert states == {name: ENDS.get(name.partition(" ")[0], "success") for name in states}
    assert len(world.record.calls) > before or "def not_reached(" in block.code


@pytest.mark.parametrize("block", [block for block in SAMPLES if OF_AIRFLOW_3_4 in block.code], ids=str)
def test_a_sample_for_a_later_airflow_is_loaded(block: Block) -> None:
    names: dict[str, Any] = {}
    exec(compile(block.code, str(block), "exec"), names)


@pytest.mark.parametrize("block", [block for block in SAMPLES if READS in block.code], ids=str)
def test_a_sample_that_reads_a_ledger_reads_what_a_batch_has_left(
    block: Block,
    account: RunningSimulator,
    batch_task: BatchTask,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ledger = str(tmp_path / "ledger")
    send = OmniSendBatchOperator(
        task_id="send",
        recipients=[*numbers(10), "no number"],
        scenario_key="CC9F01A5DC7BEE2C2B829D203482A654",
        ledger_path=ledger,
        **TEXT,  # type: ignore[arg-type]
    )
    send.execute(batch_task.context())
    assert LEDGER in block.code
    capsys.readouterr()

    exec(compile(block.code.replace(LEDGER, ledger), str(block), "exec"), {})

    assert len(capsys.readouterr().out.splitlines()) == 11
