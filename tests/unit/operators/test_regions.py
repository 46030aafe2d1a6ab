"""`region`, `allowed_countries`, `number_check` and `max_quarantined` on every operator and the notifier."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.harness.clock import SkippingClock
from tests.unit.operators.rendered import with_values

ASKED: dict[str, Any] = {"scenario_key": SOURCE_SCENARIO_KEY, "sms": {"text": "Hello"}, "flow": ["SMS"]}
THAI = ["812345600", "0812345601", "+66 81 234 5602"]


@pytest.fixture
def account(
    omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, clock: SkippingClock
) -> RunningSimulator:
    clock.follow = omni_simulator.advance
    omni_simulator.configure(source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


@pytest.fixture
def connection(account: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(**extra: Any) -> None:
        fields = json.loads(account.airflow_connection_json) | {"extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", json.dumps(fields))

    return of


def single(**arguments: Any) -> Any:
    return OmniSendMessageOperator(task_id="send", **ASKED | {"to": THAI} | arguments)


def batch(**arguments: Any) -> Any:
    return OmniSendBatchOperator(task_id="send", **ASKED | {"recipients": THAI} | arguments)


class Sql(SqlToOmniOperator):
    """Asks a database of its own."""

    def _hook(self) -> Any:
        database = sqlite3.connect(":memory:")
        database.execute("CREATE TABLE people (phone TEXT)")
        database.executemany("INSERT INTO people VALUES (?)", [(number,) for number in THAI])
        return SimpleNamespace(get_conn=lambda: database)


def sql(**arguments: Any) -> Any:
    return Sql(task_id="send", conn_id="any", sql="SELECT phone FROM people", **ASKED | arguments)


EVERY = pytest.mark.parametrize("made", [single, batch, sql])


def reached(account: RunningSimulator) -> dict[str, str]:
    """Message ids of those who were sent to, by number."""
    return {each.to: each.message_id for each in account.record.acceptances}


@EVERY
def test_every_operator_reads_numbers_as_of_its_region(account: RunningSimulator, task: Any, made: Any) -> None:
    made(region="TH").execute(task.context())
    assert set(reached(account)) == {"66812345600", "66812345601", "66812345602"}


@EVERY
def test_every_operator_takes_the_region_of_its_connection(
    account: RunningSimulator, task: Any, made: Any, connection: Any
) -> None:
    connection(region="TH")
    made().execute(task.context())
    assert len(reached(account)) == 3


@EVERY
def test_without_a_region_nobody_gets_anything_and_the_error_says_why(
    account: RunningSimulator, task: Any, made: Any
) -> None:
    with pytest.raises(AirflowFailException, match="region=…"):
        made().execute(task.context())
    assert reached(account) == {}


@EVERY
def test_a_country_that_either_does_not_allow_is_left_out(
    account: RunningSimulator, task: Any, made: Any, connection: Any
) -> None:
    connection(region="TH", allowed_countries="CH, TH")
    receipt = made(allowed_countries=["CH"]).execute(task.context())
    assert reached(account) == {}
    assert receipt["counts"]["quarantined"] == 3


@EVERY
def test_ids_are_the_same_however_the_numbers_are_read(account: RunningSimulator, task: Any, made: Any) -> None:
    made(region="TH").execute(task.context())
    first = reached(account)
    task.state.clear()
    account.reset()
    other = ["+66812345600", "66812345601", "0066812345602"]
    made_again = single(to=other) if made is single else batch(recipients=other)
    made_again.execute(task.context())
    assert reached(account) == first


@EVERY
def test_slips_are_named_at_once(account: RunningSimulator, task: Any, made: Any) -> None:
    with pytest.raises(AirflowFailException) as caught:
        with_values(made(), region="UK", allowed_countries=["Thailand"], number_check="no").execute(task.context())
    for line in (
        "region: got 'UK'; the United Kingdom is GB",
        "allowed_countries: got 'Thailand'",
        "number_check: got",
    ):
        assert f"\n - {line}" in str(caught.value)
    assert reached(account) == {}


@EVERY
def test_a_region_that_a_template_found_nothing_for_is_a_slip(account: RunningSimulator, task: Any, made: Any) -> None:
    assert "region" in made().template_fields
    with pytest.raises(AirflowFailException, match="a template that found nothing"):
        with_values(made(), region="None").execute(task.context())


@pytest.mark.parametrize("number_check", ["possible", None])
def test_possible_numbers_are_sent_to_where_operator_or_connection_say_so(
    account: RunningSimulator, task: Any, connection: Any, number_check: str | None
) -> None:
    connection(**({} if number_check else {"number_check": "possible"}))
    OmniSendMessageOperator(task_id="send", to="491511234500", number_check=number_check, **ASKED).execute(
        task.context()
    )
    assert set(reached(account)) == {"491511234500"}


def test_a_file_with_a_tenth_of_bad_rows_and_one_more_sends_nothing(
    account: RunningSimulator, task: Any, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("phone\n" + "".join(f"+4179302{index:02d}00\n" for index in range(17)) + "0793026727\n" * 2)
    with pytest.raises(AirflowFailException, match="max_quarantined=2"):
        OmniSendBatchOperator(task_id="send", recipients=str(path), **ASKED).execute(task.context())
    assert reached(account) == {}
    told = OmniSendBatchOperator(task_id="send", recipients=str(path), max_quarantined=2, **ASKED)
    assert told.execute(task.context())["counts"]["quarantined"] == 2


def test_a_notifier_reads_numbers_as_of_its_region(account: RunningSimulator, connection: Any) -> None:
    context = {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)}
    OmniNotifier(scenario_key=SOURCE_SCENARIO_KEY, to=THAI, sms="Hello", region="TH")(context)
    assert len(reached(account)) == 3
    account.reset()
    connection(region="TH")
    OmniNotifier(scenario_key=SOURCE_SCENARIO_KEY, to="0812345600", sms="Hello")(context)
    assert set(reached(account)) == {"66812345600"}
    account.reset()
    with pytest.raises(OmniInputError, match=r"OmniNotifier cannot be used") as caught:
        OmniNotifier(scenario_key=SOURCE_SCENARIO_KEY, to=THAI, sms="Hello", allowed_countries="")(context)
    assert caught.value.problems[0].startswith("allowed_countries: got a blank text")
    assert reached(account) == {}
