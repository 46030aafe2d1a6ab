"""Send to 2,000 people, with a ledger, and wait until it is known what became of everybody.

Most get it on LINE, a fifth by SMS; some are refused or out of reach, and ten rows hold no number at all.
"""

from __future__ import annotations

import tempfile
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendBatchOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

FOLDER = f"{tempfile.gettempdir()}/omni-batches/{{{{ dag.dag_id }}}}/{{{{ run_id }}}}"
OFTEN = ["27"] * 60 + ["28"] * 10 + ["40"] * 15 + ["41"] * 5
FATES = [*OFTEN, "43", "42", "10", "49", "49", "49", "60", "60", "62", "61"]
"""Last two digits of a hundred numbers."""

with DAG(
    "omni_batch_of_2000",
    description="2,000 people, with a ledger",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["omni", "try me"],
    doc_md=__doc__,
) as dag:

    @task
    def write_people(folder: str) -> str:
        """Stand for whatever makes the file."""
        rows = [
            f"{'none' if place % 200 == 7 else f'4179{place:05d}{FATES[place % len(FATES)]}'},customer-{place},"
            f"{'Bern' if place % 2 else 'Basel'}"
            for place in range(2_000)
        ]
        path = ObjectStoragePath(folder) / "people.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["phone,customer,shop", *rows]))
        return str(path)

    scenario = OmniCreateScenarioOperator(
        task_id="scenario",
        name="LINE, then SMS",
        flow=[{"channel": "LINE", "from": "InfoLine"}, {"channel": "SMS", "from": "InfoSMS"}],
    )
    send = OmniSendBatchOperator(
        task_id="send",
        scenario_key=scenario.output,
        recipients=write_people(FOLDER),
        key_field="customer",
        line={"type": "TEXT", "text": "The shop in {shop} is open today.", "validityPeriod": 1},
        sms={"text": "The shop in {shop} is open today.", "validityPeriod": 5},
        ledger_path=f"{FOLDER}/ledger",
        on_rejected="ignore",
        retries=3,
    )
    delivered = OmniDeliverySensor(
        task_id="delivered", receipt=send.output, success_when="finished", deferrable=True, poke_interval=5
    )
