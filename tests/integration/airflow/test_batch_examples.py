"""The DAGs of batches that people copy, each run by Airflow from its first to its last task against the simulator."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_omni.ledger import read_outcomes
from airflow_provider_omni.simulator.running import RunningSimulator
from dev.settings import examples_connections
from example_dags import omni_etl_batch
from tests.integration.airflow.test_example_dags import run


def numbers_kept(database: Path, numbers: set[str]) -> set[str]:
    """The ones of these numbers that stand anywhere in Airflow's database, as text."""
    with sqlite3.connect(database) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [repr(row) for table in tables for row in connection.execute(f'SELECT * FROM "{table}"')]
    return {number for number in numbers if any(number in row for row in rows)}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that the example's docstring gives, to a file of this test's."""
    (told,) = re.findall(r"AIRFLOW_CONN_OMNI_SHOP='(.*)'", omni_etl_batch.__doc__ or "")
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_SHOP", told.replace("/tmp/omni_shop.db", str(tmp_path / "shop.db")))


@pytest.mark.usefixtures("airflow_db")
def test_a_database_of_make_up_takes_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in examples_connections(tmp_path).items():
        monkeypatch.setenv(name, value)

    database = BaseHook.get_hook(omni_etl_batch.DATABASE)
    database.run("CREATE TABLE shipped (order_id INTEGER)")

    assert database.get_records("SELECT count(*) FROM shipped") == [(0,)]


@pytest.mark.usefixtures("shop")
def test_omni_etl_batch_reaches_all_it_can_and_tells_the_unreached_again(
    account: RunningSimulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = run("omni_etl_batch", ledgers=str(tmp_path / "ledgers"))
    assert set(states.values()) == {"success"}
    sent = Counter(each.to for each in account.record.acceptances)
    assert sent == {"41793026727": 1, "41793026740": 1, "41793026731": 1, "41793026742": 2}
    (ledger,) = (tmp_path / "ledgers" / "omni_etl_batch").iterdir()
    outcomes = {row.recipient: (row.outcome, row.channel) for row in read_outcomes(ledger / "first")}
    assert outcomes == {
        "1": ("delivered", "LINE"),
        "2": ("delivered", "SMS"),
        "3": ("delivered", "LINE"),
        "4": ("failed", "SMS"),
    }
    assert [row.recipient for row in read_outcomes(ledger / "second")] == ["4"]
    assert not any(number in "".join(capsys.readouterr()) for number in sent)


def test_omni_sharded_batch_sends_to_everybody_once_and_shows_no_number(
    account: RunningSimulator, tmp_path: Path, airflow_db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = run("omni_sharded_batch", folder=str(tmp_path), people=200)
    assert states == {
        "write_people": "success",
        "scenario": "success",
        "count_outcomes": "success",
        "delivered": "success",
        **{f"send{index}": "success" for index in range(4)},
    }
    sent = Counter(each.to for each in account.record.acceptances)
    assert (len(sent), max(sent.values())) == (200, 1)
    (run_folder,) = (tmp_path / "omni_sharded_batch").iterdir()
    assert Counter(row.outcome for row in read_outcomes(run_folder / "ledger")) == {"delivered": 190, "failed": 10}
    assert not any(number in "".join(capsys.readouterr()) for number in sent)
    assert numbers_kept(airflow_db, set(sent)) == set()
