"""One batch spread over workers: each shard sends to its part of the same file, and nobody is in two of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendBatchOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

SHARDS = 4
# The same for all workers: where these are several machines, a URL, such as s3://aws_default@my-bucket/omni
FOLDER = "{{ params.folder }}/{{ dag.dag_id }}/{{ run_id }}"

with DAG(
    "omni_sharded_batch",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni"],
    params={
        "folder": Param(f"{tempfile.gettempdir()}/omni-batches", type="string"),
        "people": Param(1000, type="integer", minimum=1),
    },
) as dag:

    @task
    def write_people(folder: str, people: int | str) -> str:
        """Stand for whatever makes the file. Each 20th number is on no channel, if the simulator is asked."""
        rows = [
            f"4179{index:05d}{'43' if index % 20 == 19 else '27'},{'Bern' if index % 2 else 'Basel'}"
            for index in range(int(people))
        ]
        path = ObjectStoragePath(folder) / "people.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["phone,shop", *rows]))
        return str(path)

    @task
    def count_outcomes(ledger: str) -> dict[str, int]:
        """Read what became of everybody, from the ledgers of all shards."""
        from airflow_provider_omni.ledger import read_outcomes

        return Counter(str(row.outcome) for row in read_outcomes(ObjectStoragePath(ledger)))

    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )

    send = OmniSendBatchOperator.partial(
        task_id="send",
        scenario_key=scenario.output,
        recipients=write_people(FOLDER, "{{ params.people }}"),
        line={"type": "TEXT", "text": "The shop in {shop} is open today.", "validityPeriod": 5},
        sms={"text": "The shop in {shop} is open today.", "validityPeriod": 60},
        ledger_path=f"{FOLDER}/ledger",
        max_connections=4,  # of each shard
        retries=3,
    ).expand(shard=[f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)])

    # One answer for all shards. A sensor for each would be .partial(…).expand(receipt=send.output).
    delivered = OmniDeliverySensor(
        task_id="delivered", receipt=send.output, success_when="finished", deferrable=True, poke_interval=5
    )

    delivered >> count_outcomes(f"{FOLDER}/ledger")
