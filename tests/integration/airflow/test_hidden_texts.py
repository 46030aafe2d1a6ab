"""Airflow's tables after sends whose texts come from Variables, XComs, a query's parameters: none of them, anywhere."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow import settings
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator

NUMBER, OTHER = "41793026727", "41793026731"
SECRETS = {"WHO": NUMBER, "NAME": "Zaphod", "CODE": "918273"}
TRAP = "{{ var.value.name }} of Betelgeuse"
MESSAGE: dict[str, Any] = {
    "scenario_key": "CC9F01A5DC7BEE2C2B829D203482A654",
    "flow": ["SMS"],
    "sms": {"text": "Dear {{ var.value.name }}, your code is {{ var.value.code }}"},
    "callback_data": "{{ var.value.who }}",
    "notify_url": "https://hooks.example/{{ var.value.code }}?of={{ var.value.who }}",
}


class Say(BaseOperator):
    """Returns texts that people have typed. Pushes nothing that Airflow would keep but the texts themselves."""

    def execute(self, context: Any) -> Any:
        return [{"text": f"{TRAP} {index}"} for index in range(2)]


with DAG("texts", schedule=None, user_defined_macros={"typed": lambda: f"{TRAP} 2"}) as dag:
    OmniSendMessageOperator(task_id="one", to="{{ var.value.who }}", **MESSAGE)
    OmniSendMessageOperator(
        task_id="typed", to=NUMBER, placeholders=False, **MESSAGE | {"sms": {"text": "{{ typed() }}"}}
    )
    OmniSendBatchOperator(task_id="many", recipients="[{{ var.value.who }}]", **MESSAGE)
    SqlToOmniOperator(
        task_id="queried",
        conn_id="shop",
        sql="SELECT phone FROM people WHERE name = '{{ var.value.name }}' AND code = :code",
        parameters={"code": "{{ var.value.code }}"},
        **MESSAGE,
    )
    OmniSendMessageOperator.partial(
        task_id="mapped",
        to="{{ var.value.who }}",
        placeholders=False,
        **{name: MESSAGE[name] for name in MESSAGE if name != "sms"},
    ).expand(sms=Say(task_id="say").output)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table people (phone, name, code)")
        database.execute("insert into people values (?, 'Zaphod', '918273')", [OTHER])
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(connection))


def kept(database: Path) -> dict[str, str]:
    """Every table of Airflow's database but the DAG's own source, and the XComs that a task of the user's pushed."""
    with sqlite3.connect(database) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        rows = {name: connection.execute(f'select * from "{name}"').fetchall() for name in tables}
    for name in ("dag_code", "serialized_dag"):
        rows.pop(name, None)
    # Other tests of this process have typed numbers into the `conf` of their runs.
    rows["dag_run"] = [row for row in rows["dag_run"] if "texts" in row]
    rows["xcom"] = [row for row in rows["xcom"] if "say" not in row]
    return {name: repr(found) for name, found in rows.items()}


def test_texts_names_codes_and_numbers_are_sent_and_kept_nowhere(
    account: RunningSimulator,
    airflow_db: Path,
    shop: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(settings, "DAGS_FOLDER", str(Path(__file__).parent))
    said: list[str] = []
    execute = OmniClient.execute

    def listened(client: OmniClient, call: Any) -> Any:
        if call.path == "/omni/1/advanced":
            said.append(json.loads(call.body)["sms"]["text"])
        return execute(client, call)

    monkeypatch.setattr(OmniClient, "execute", listened)
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"AIRFLOW_VAR_{name}", value)
    run = dag.test()
    states = {f"{ti.task_id}{ti.map_index}": str(ti.state) for ti in run.get_task_instances()}
    assert set(states.values()) == {"success"}, states
    assert Counter(said) == {"Dear Zaphod, your code is 918273": 3} | {f"{TRAP} {index}": 1 for index in range(3)}
    words = ("Zaphod", "918273", "4179302", "Betelgeuse")
    found = kept(airflow_db)
    assert "<text, 32 characters>" in found["rendered_task_instance_fields"]
    leaks = [(name, word) for name, text in found.items() for word in words if word in text]
    assert leaks == []
    printed = "".join(capfd.readouterr()) + caplog.text
    assert [word for word in words if word in printed] == []
