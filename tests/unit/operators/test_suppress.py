"""`suppress` on the batch operators: files and queries of people who must not be sent to."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendBatchOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.harness.clock import SkippingClock
from tests.unit.operators.rendered import with_values

ASKED: dict[str, Any] = {"scenario_key": SOURCE_SCENARIO_KEY, "sms": {"text": "Hello"}, "flow": ["SMS"]}
ANN, BOB, EVE = "41793026700", "41793026701", "41793026702"
HASH = hashlib.sha256(f"+{EVE}".encode()).hexdigest()


@pytest.fixture
def account(
    omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, clock: SkippingClock
) -> RunningSimulator:
    clock.follow = omni_simulator.advance
    omni_simulator.configure(source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


def batch(suppress: Any, **arguments: Any) -> Any:
    return OmniSendBatchOperator(
        task_id="send", **ASKED | {"recipients": [ANN, BOB, EVE]} | arguments | {"suppress": suppress}
    )


class Sql(SqlToOmniOperator):
    """Asks a database of its own, and knows which connections were asked for."""

    asked: list[str]

    def _hook(self, argument: str = "conn_id") -> Any:
        database = sqlite3.connect(":memory:")
        database.execute("CREATE TABLE people (phone TEXT)")
        database.executemany("INSERT INTO people VALUES (?)", [(ANN,), (BOB,), (EVE,)])
        database.execute("CREATE TABLE gone (who TEXT, since TEXT)")
        database.executemany("INSERT INTO gone VALUES (?, ?)", [(f"+{BOB}", "May"), (HASH, "June"), (None, "July")])
        self.__dict__.setdefault("asked", []).append(argument)
        return SimpleNamespace(get_conn=lambda: database)


def sql(suppress: Any, **arguments: Any) -> Any:
    return Sql(
        task_id="send", conn_id="any", sql="SELECT phone FROM people", **ASKED | arguments | {"suppress": suppress}
    )


def reached(account: RunningSimulator) -> set[str]:
    return {each.to for each in account.record.acceptances}


def write(path: Path, text: str) -> str:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


FILES = {
    "gone.csv": f"phone,since\n{BOB},May\n{HASH},June\n,July\n",
    "only.csv": f"optout\n+{BOB}\n{HASH}\n",
    "gone.csv.gz": f"note;Phone\n{BOB};{BOB}\nx;{HASH}\n".replace(";", ","),
    "gone.jsonl": f'{{"phone": "{BOB}"}}\n"{HASH}"\n',
    "gone.txt": f"{BOB}\r\n\r\n  {HASH.upper()}\r\n",
    "gone.txt.gz": f"\ufeff{BOB}\n{HASH}",
}


@pytest.mark.parametrize("made", [batch, sql])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_every_kind_keeps_its_people_out(
    account: RunningSimulator, task: Any, tmp_path: Path, made: Any, name: str
) -> None:
    receipt = made(write(tmp_path / name, FILES[name])).execute(task.context())
    assert reached(account) == {ANN}
    assert receipt["counts"]["suppressed"] == 2
    assert receipt["counts"]["accepted"] == 1
    assert receipt["counts"]["quarantined"] == 0


def test_a_parquet_file_keeps_its_people_out(account: RunningSimulator, task: Any, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"gone": [int(BOB), int(EVE)]}), tmp_path / "gone.parquet")
    batch(str(tmp_path / "gone.parquet")).execute(task.context())
    assert reached(account) == {ANN}


@pytest.mark.parametrize(
    "query", ["SELECT who FROM gone", "SELECT since, who AS phone FROM gone", "/* all */ select who from gone"]
)
def test_a_query_keeps_the_people_out_whom_it_finds(account: RunningSimulator, task: Any, query: str) -> None:
    operator = sql(query)
    receipt = operator.execute(task.context())
    assert reached(account) == {ANN}
    assert receipt["counts"]["suppressed"] == 2
    assert operator.asked == ["conn_id", "conn_id"]


def test_a_query_has_a_connection_of_its_own_if_one_is_named(account: RunningSimulator, task: Any) -> None:
    operator = sql("SELECT who FROM gone", suppress_conn_id="crm")
    operator.execute(task.context())
    assert operator.asked == ["suppress_conn_id", "conn_id"]


def test_a_connection_that_is_not_there_is_told_by_the_argument_that_names_it(
    account: RunningSimulator, task: Any
) -> None:
    operator = SqlToOmniOperator(
        task_id="send", conn_id="any", sql="SELECT 1", suppress="SELECT who FROM gone", suppress_conn_id="crm", **ASKED
    )
    with pytest.raises(OmniInputError, match=r"suppress_conn_id: got 'crm'") as caught:
        operator.execute(task.context())
    assert "the suppression list cannot be used" in str(caught.value)
    assert chain_of(caught.value) == ["OmniInputError"]


def chain_of(error: BaseException | None) -> list[str]:
    """The classes of the errors that a task log shows with this one, the last first."""
    found = []
    while error is not None:
        found.append(type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def test_a_query_that_fails_is_told_once(account: RunningSimulator, task: Any) -> None:
    with pytest.raises((AirflowFailException, OmniInputError), match=r"list's query failed|cannot be used") as caught:
        sql("SELECT who FROM nowhere").execute(task.context())
    assert len(chain_of(caught.value)) == 1


REFUSED = {
    "columns.csv": ("a,b\n1,2\n", "suppress: its column 'phone' is not among the CSV header: a, b"),
    "headless.csv": (f"{BOB}\n{EVE}\n", "is the header missing?"),
    "mail.csv": ("mail\nann@example.com\n", "suppress: got 1 entry that cannot be read"),
    "empty.csv": ("", "suppress: got an empty file"),
    "empty.txt": ("\n \n", "suppress: got a file without an entry"),
    "empty.jsonl": ("", "suppress: got a file without an entry"),
    "half.txt": (f"{BOB}\nnobody\n", "suppress: entry 2: "),
    "broken.csv": (f'phone\n"{BOB}\n', "suppress: the row that begins in line 2"),
    "gone.csv.gz": (None, "is damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_that_is_no_list_refuses_the_send_before_anything_is_posted(
    account: RunningSimulator, task: Any, tmp_path: Path, name: str
) -> None:
    text, words = REFUSED[name]
    (tmp_path / name).write_text("phone\n1\n" if text is None else text)
    with pytest.raises((AirflowFailException, OmniInputError)) as caught:
        batch(str(tmp_path / name)).execute(task.context())
    told = str(caught.value)
    assert "Nothing was sent: the suppression list cannot be used. (OMNI-112" in told
    assert words in told
    assert "recipients" not in told
    assert not any(name.startswith("Omni") for name in chain_of(caught.value)[1:])
    assert not any(number in told for number in (ANN, BOB, EVE))
    assert reached(account) == set()


def test_a_file_in_another_encoding_is_to_be_saved_as_utf_8(
    account: RunningSimulator, task: Any, tmp_path: Path
) -> None:
    (tmp_path / "gone.csv").write_bytes("phone,ชื่อ\n66812345678,สมชาย\n".encode("cp874"))
    with pytest.raises(AirflowFailException) as caught:
        batch(str(tmp_path / "gone.csv")).execute(task.context())
    assert "is not UTF-8; save the file as UTF-8" in str(caught.value)
    assert "encoding" not in str(caught.value)


def test_a_file_that_is_not_there_refuses_the_send_and_a_retry_may_find_it(
    account: RunningSimulator, task: Any, tmp_path: Path
) -> None:
    path = tmp_path / "gone.txt"
    told = r"The suppression list is not there: .*gone\.txt\. Nothing was sent"
    with pytest.raises(OmniStorageError, match=told) as caught:
        batch(str(path)).execute(task.context())
    assert chain_of(caught.value) == ["OmniStorageError", "FileNotFoundError"]
    assert reached(account) == set()
    write(path, BOB)
    batch(str(path)).execute(task.context(2))
    assert reached(account) == {ANN, EVE}


def test_a_list_with_a_header_may_be_empty_and_the_log_warns(
    account: RunningSimulator, task: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receipt = batch(write(tmp_path / "gone.csv", "phone\n")).execute(task.context())
    assert receipt["counts"]["suppressed"] == 0
    assert reached(account) == {ANN, BOB, EVE}


def test_a_query_that_fails_refuses_the_send_without_the_databases_words(account: RunningSimulator, task: Any) -> None:
    with pytest.raises(AirflowFailException) as caught:
        sql("SELECT nobody FROM nowhere").execute(task.context())
    assert "suppress: it could not be run (sqlite3.OperationalError" in str(caught.value)
    assert reached(account) == set()


def test_a_retry_reads_the_list_again(account: RunningSimulator, task: Any, tmp_path: Path) -> None:
    ledger, path = str(tmp_path / "ledger"), tmp_path / "gone.txt"
    first = batch(write(path, EVE), ledger_path=ledger).execute(task.context())
    again = batch(write(path, ANN), ledger_path=ledger).execute(task.context(2))
    assert [first["counts"][name] for name in ("accepted", "suppressed")] == [2, 1]
    # Ann was sent to before she was on the list, and Eve is not on it any more.
    assert [again["counts"][name] for name in ("accepted", "suppressed")] == [3, 0]
    assert len(account.record.acceptances) == 3


SLIPS = [
    (batch, 41793026727, "suppress: got a value of type int, expected the absolute path or URL of a file"),
    (batch, [BOB], "suppress: got a value of type list"),
    (batch, "gone.csv", "suppress: got a relative path, expected an absolute path or a URL"),
    (batch, "/lists/gone.xlsx", "suppress: got a path that ends in 'xlsx'"),
    (batch, " ", "suppress: got"),
    (batch, "None", "suppress: got"),
    (batch, "SELECT who FROM gone", "suppress: got a query, expected the absolute path"),
    (sql, "gone.csv", "suppress: got a relative path"),
    (sql, "", "suppress: got"),
]


@pytest.mark.parametrize(("made", "value", "words"), SLIPS)
def test_what_can_be_no_list_is_refused_when_the_dag_is_read(made: Any, value: Any, words: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        made(value)
    (line,) = [each for each in caught.value.problems if each.startswith("suppress")]
    assert line.startswith(words)
    assert not any(number in line for number in (BOB, "41793026727"))


@pytest.mark.parametrize(("made", "value", "words"), SLIPS)
def test_what_can_be_no_list_is_refused_when_the_task_runs(
    account: RunningSimulator, task: Any, made: Any, value: Any, words: str
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        with_values(made("/lists/gone.csv"), suppress=value).execute(task.context())
    assert words in str(caught.value)
    assert reached(account) == set()


@pytest.mark.parametrize("value", [None, "/lists/gone.csv"])
def test_a_connection_without_a_query_is_a_mistake(account: RunningSimulator, task: Any, value: Any) -> None:
    with pytest.raises(OmniInputError, match="suppress_conn_id: got a connection, and no query in suppress"):
        sql(value, suppress_conn_id="crm")
    with pytest.raises(AirflowFailException, match="suppress_conn_id: got a connection, and no query in suppress"):
        with_values(sql("SELECT 1 AS phone"), suppress=value, suppress_conn_id="crm").execute(task.context())


def test_the_output_of_a_task_may_be_the_list(account: RunningSimulator, task: Any, tmp_path: Path) -> None:
    with DAG("offer", schedule=None):
        path = OmniCreateScenarioOperator(task_id="export", name="any", flow=[{"channel": "SMS"}]).output["key"]
        operator = batch(path)
    assert operator.upstream_task_ids == {"export"}
    with_values(operator, suppress=write(tmp_path / "gone.txt", BOB)).execute(task.context())
    assert reached(account) == {ANN, EVE}


def test_what_was_sent_can_be_followed_though_a_retry_finds_no_list(
    account: RunningSimulator, task: Any, tmp_path: Path
) -> None:
    ledger, path = str(tmp_path / "ledger"), tmp_path / "gone.txt"
    batch(write(path, EVE), ledger_path=ledger).execute(task.context())
    path.unlink()
    task.xcoms.clear()
    with pytest.raises(OmniStorageError):
        batch(str(path), ledger_path=ledger).execute(task.context(2))
    assert task.xcoms["return_value"]["counts"]["accepted"] == 2
    assert len(account.record.acceptances) == 2


@pytest.mark.parametrize("value", ["{{ params.gone }}", "/lists/{{ ds }}.txt", "s3://crm@bucket/gone.txt.gz"])
def test_a_template_or_a_url_is_taken_when_the_dag_is_read(value: str) -> None:
    assert batch(value).suppress == value


def test_a_file_of_a_query_is_taken_when_the_dag_is_read() -> None:
    assert sql("gone.sql").suppress == "gone.sql"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/lists/gone.csv", "'/lists/gone.csv'"),
        ("SELECT who FROM gone WHERE who != '+41793026727'", "SELECT who FROM gone WHERE who != '…'"),
        (["41793026727"], "[4179…727]"),
    ],
)
def test_a_list_is_shown_as_a_path_or_as_a_query_without_its_values(value: Any, shown: str) -> None:
    operator = sql("/lists/gone.csv")
    operator.suppress = value
    type(operator).suppress.finish(operator)
    assert repr(operator.suppress) == shown
    assert "41793026727" not in json.dumps(operator.suppress, default=str)
