"""`@task.omni_send` and `@task.omni_batch`: what their functions return is sent, once, and stands nowhere else."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    Asset,
    BaseOperator,
    TaskDeferred,
    task,
)
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_omni.decorators.omni import OmniBatchTask, OmniSendTask
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.omni.errors import OmniError, OmniInputError
from airflow_provider_omni.operators.known_arguments import own_arguments
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.clock import SkippingClock
from tests.integration.airflow.batchtask import BatchTask, numbers
from tests.integration.airflow.test_hidden_texts import kept

NUMBER, OTHER = "41793026735", "41793026736"
TRAP = "{{ var.value.name }} of Betelgeuse"
COMMON: dict[str, Any] = {"scenario_key": "CC9F01A5DC7BEE2C2B829D203482A654", "flow": ["SMS"]}


def made(decorator: str, function: Callable[..., Any], *args: Any, **arguments: Any) -> Any:
    """The task of a decorated function, ready to run."""
    return getattr(task, decorator)(task_id="send", **COMMON | arguments)(function)(*args).operator


def accepted(account: RunningSimulator) -> Counter[str]:
    return Counter(each.to for each in account.record.acceptances)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is posted."""
    said: list[str] = []
    execute = OmniClient.execute

    def listened(client: OmniClient, call: Any) -> Any:
        if call.path == "/omni/1/advanced":
            said.append(json.loads(call.body)["sms"]["text"])
        return execute(client, call)

    monkeypatch.setattr(OmniClient, "execute", listened)
    return said


# One message


def test_a_returned_text_is_sent_with_the_arguments_of_the_decorator(
    account: RunningSimulator, batch_task: BatchTask, texts: list[str]
) -> None:
    send = made("omni_send", lambda: "Hello", to=NUMBER, sms={"validityPeriod": 5})
    receipt = send.execute(batch_task.context())
    assert (receipt["counts"]["accepted"], receipt["validity_seconds"]) == (1, 300)
    assert texts == ["Hello"]
    assert accepted(account) == {NUMBER: 1}


def test_a_returned_dict_says_who_it_goes_to(
    account: RunningSimulator, batch_task: BatchTask, texts: list[str]
) -> None:
    send = made("omni_send", lambda: {"to": [OTHER], "sms": "Hello"}, to=NUMBER)
    send.execute(batch_task.context())
    assert accepted(account) == {OTHER: 1}


def test_a_function_gets_its_own_arguments_and_the_context(account: RunningSimulator, batch_task: BatchTask) -> None:
    seen: dict[str, Any] = {}
    row = {"phone": NUMBER}

    def tell(person: Any, ti: Any = None, **context: Any) -> Any:
        seen.update(person=person, ti=ti, context=context)
        return {"to": person["phone"], "sms": "Hello"}

    send = made("omni_send", tell, row)
    context = batch_task.context()
    send.execute(context)
    assert seen["person"] is row
    assert seen["ti"] is context["ti"]
    assert "dag_run" in seen["context"]


def test_an_asset_among_the_arguments_is_an_inlet(account: RunningSimulator, batch_task: BatchTask) -> None:
    asset = Asset("x-shop://people")
    send = made("omni_send", lambda people: {"to": NUMBER, "sms": people.uri}, asset)
    send._do_render_template_fields(send, ("op_args",), batch_task.context(), None, set())
    send.execute(batch_task.context())
    assert send.inlets == [asset]


def test_arguments_named_like_airflows_own_change_nothing_but_what_the_function_gets(
    account: RunningSimulator, batch_task: BatchTask
) -> None:
    def tell(dag_run: Any) -> Any:
        return {"to": NUMBER, "sms": dag_run}

    context = batch_task.context()
    before = dict(context)
    decorated = task.omni_send(task_id="send", **COMMON)(tell)
    receipt = decorated(dag_run="a run").operator.execute(context)
    assert context == before
    assert receipt["counts"]["accepted"] == 1


def test_a_retry_of_a_send_whose_function_returns_another_text_sends_nothing_again(
    account: RunningSimulator, batch_task: BatchTask
) -> None:
    answers = iter(["Hello", "Hello again"])
    first = made("omni_send", lambda: next(answers), to=NUMBER).execute(batch_task.context())
    second = made("omni_send", lambda: next(answers), to=NUMBER).execute(batch_task.context(try_number=2))
    assert second["message_ids"] == first["message_ids"]
    assert accepted(account) == {NUMBER: 1}


@pytest.mark.parametrize("fault", ["reset-before", "reset-after"])
def test_a_retry_after_a_lost_answer_whose_function_returns_another_text_sends_nothing_twice(
    account: RunningSimulator, batch_task: BatchTask, skipping: SkippingClock, texts: list[str], fault: str
) -> None:
    account.configure(duplicates="accept")  # a vendor that would send twice
    account.faults.add(fault, call="send")
    account.faults.add("forbid", call="logs", times=None)
    with pytest.raises(OmniError):
        made("omni_send", lambda: "Hello", to=NUMBER).execute(batch_task.context())
    account.faults.clear()
    texts.clear()
    receipt = made("omni_send", lambda: "Hello again", to=NUMBER).execute(batch_task.context(try_number=2))
    assert texts == (["Hello again"] if fault == "reset-before" else [])
    assert receipt["counts"]["accepted"] == 1
    assert accepted(account) == {NUMBER: 1}


def test_a_retry_with_another_text_is_refused_while_some_have_got_the_earlier_one_and_somebody_is_left(
    account: RunningSimulator, batch_task: BatchTask, skipping: SkippingClock
) -> None:
    made("omni_send", lambda: {"to": [NUMBER], "sms": "Hello"}).execute(batch_task.context())
    with pytest.raises(AirflowFailException, match="OMNI-113"):
        made("omni_send", lambda: {"to": [NUMBER, OTHER], "sms": "Bye"}).execute(batch_task.context(try_number=2))
    assert accepted(account) == {NUMBER: 1}


def test_a_try_whose_function_fails_is_on_record_so_that_the_next_one_need_not_wait_for_the_logs(
    account: RunningSimulator, batch_task: BatchTask, skipping: SkippingClock
) -> None:
    def broken() -> Any:
        raise ConnectionError("no answer")

    begun_at = skipping.now()
    with pytest.raises(ConnectionError):
        made("omni_send", broken, to=NUMBER).execute(batch_task.context())
    made("omni_send", lambda: "Hello", to=NUMBER).execute(batch_task.context(try_number=2))
    assert skipping.now() - begun_at < 1
    assert accepted(account) == {NUMBER: 1}


@pytest.mark.parametrize("decorator", ["omni_send", "omni_batch"])
def test_a_function_may_skip_its_task(account: RunningSimulator, batch_task: BatchTask, decorator: str) -> None:
    def none_today() -> Any:
        raise AirflowSkipException("nobody to tell")

    with pytest.raises(AirflowSkipException):
        made(decorator, none_today, sms={"text": "Hello"}).execute(batch_task.context())


@pytest.mark.parametrize("decorator", ["omni_send", "omni_batch"])
@pytest.mark.parametrize("returned", [None, 918273, {"text": "Zaphod"}])
def test_a_wrong_return_is_one_error_with_a_code_and_nothing_is_sent(
    account: RunningSimulator, batch_task: BatchTask, decorator: str, returned: Any
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        made(decorator, lambda: returned, sms={"text": "Hello"}).execute(batch_task.context())
    said = str(caught.value)
    assert "Nothing was sent: the function's return value cannot be used" in said
    assert "OMNI-112" in said
    assert "\n - return" in said
    assert not [word for word in ("918273", "Zaphod") if word in said]
    assert not accepted(account)


def test_what_is_wrong_with_returned_contents_is_told_as_for_the_operator(
    account: RunningSimulator, batch_task: BatchTask
) -> None:
    with pytest.raises(AirflowFailException, match=r"\n - sms.text: .*\{name\}"):
        made("omni_send", lambda: "Dear {name}", to=NUMBER, sms={}).execute(batch_task.context())


def test_braces_are_sent_as_they_stand_where_the_user_says_so(
    account: RunningSimulator, batch_task: BatchTask, texts: list[str]
) -> None:
    made("omni_send", lambda: TRAP, to=NUMBER, sms={}, placeholders=False).execute(batch_task.context())
    assert texts == [TRAP]


@pytest.mark.parametrize("decorator", ["omni_send", "omni_batch"])
def test_after_the_wait_the_function_is_not_called_again(
    account: RunningSimulator, batch_task: BatchTask, decorator: str
) -> None:
    calls: list[int] = []

    def tell() -> Any:
        calls.append(1)
        return {"to": NUMBER} if decorator == "omni_send" else [NUMBER]

    def send() -> Any:
        return made(decorator, tell, sms={"text": "Hello"}, wait_for_delivery=True, deferrable=True)

    with pytest.raises(TaskDeferred) as caught:
        send().execute(batch_task.context())
    receipt = (caught.value.kwargs or {})["receipt"]
    assert NUMBER not in json.dumps([receipt, caught.value.trigger.serialize()])
    event = {"status": "success", "message": "done", "summary": {"delivered": 1}}
    value = send().execute_complete(batch_task.context(), event=event, receipt=receipt)
    assert value == receipt | {"delivery": {"delivered": 1}}
    assert calls == [1]


# Many


def people(count: int, start: int = 0) -> Iterator[dict[str, str]]:
    for index, number in enumerate(numbers(count, start)):
        yield {"phone": number, "name": f"{TRAP} {index % 2}"}


def many(function: Callable[..., Any], **arguments: Any) -> Any:
    return made("omni_batch", function, **{"sms": {"text": "Dear {name}"}} | arguments)


def test_yielded_rows_are_sent_with_their_fields_in_the_texts(
    account: RunningSimulator, batch_task: BatchTask, texts: list[str]
) -> None:
    receipt = many(lambda: people(5)).execute(batch_task.context())
    assert receipt["counts"]["accepted"] == 5
    assert sorted(texts) == [f"Dear {TRAP} 0", f"Dear {TRAP} 1"]


@pytest.mark.parametrize("ledger", [False, True], ids=["no ledger", "ledger"])
def test_a_retry_after_the_function_gave_other_rows_in_another_order_sends_nothing_twice(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path, ledger: bool
) -> None:
    path = {"ledger_path": str(tmp_path)} if ledger else {}
    text = {"sms": {"text": "Hello"}}  # without fields: another one for a person who is left is another content
    many(lambda: numbers(300), **text, **path).execute(batch_task.context())
    again = [*reversed(numbers(300)), *numbers(2, start=300)][100:]
    receipt = many(lambda: iter(again), **text, **path).execute(batch_task.context(try_number=2))
    assert accepted(account) == Counter(numbers(302))
    assert receipt["counts"]["accepted"] >= 202


@pytest.mark.parametrize("ledger", [False, True], ids=["no ledger", "ledger"])
@pytest.mark.parametrize("fault", ["reset-before", "reset-after"])
@pytest.mark.parametrize("post", range(3))
def test_a_retry_after_an_answer_was_lost_and_the_rows_changed_sends_nothing_twice(
    account: RunningSimulator,
    batch_task: BatchTask,
    tmp_path: Path,
    skipping: SkippingClock,
    ledger: bool,
    fault: str,
    post: int,
) -> None:
    path = {"ledger_path": str(tmp_path)} if ledger else {}
    text = {"sms": {"text": "Hello"}, "chunk_size": 20, "max_connections": 1}
    account.configure(duplicates="accept")  # a vendor that would send twice
    account.faults.add(fault, call="send", skip=post)
    account.faults.add("forbid", call="logs", times=None)
    with pytest.raises(OmniError):
        many(lambda: numbers(60), **text, **path).execute(batch_task.context())
    account.faults.clear()
    changed = [*numbers(60), *numbers(5, start=60)][5:]
    random.Random(post).shuffle(changed)
    many(lambda: iter(changed), **text, **path).execute(batch_task.context(try_number=2))
    assert set(accepted(account).values()) == {1}
    assert set(accepted(account)) >= set(changed)


def test_who_is_left_is_sent_to_with_the_fields_that_a_later_try_has_given(
    account: RunningSimulator, batch_task: BatchTask, skipping: SkippingClock, texts: list[str]
) -> None:
    def named(name: str) -> Any:
        return many(lambda: [{"phone": number, "name": name} for number in numbers(2)], chunk_size=1, max_connections=1)

    account.faults.add("reset-before", call="send", skip=1)
    account.faults.add("forbid", call="logs", times=None)
    with pytest.raises(OmniError):
        named("Ann").execute(batch_task.context())
    account.faults.clear()
    texts.clear()
    named("Ben").execute(batch_task.context(try_number=2))
    assert texts == ["Dear Ben"]
    assert accepted(account) == Counter(numbers(2))


def test_a_function_that_fails_half_way_has_sent_nothing(account: RunningSimulator, batch_task: BatchTask) -> None:
    def broken() -> Any:
        yield from people(3000)
        raise ConnectionError("the source is gone")

    with pytest.raises(ConnectionError):
        many(broken).execute(batch_task.context())
    assert not accepted(account)
    receipt = many(lambda: people(3)).execute(batch_task.context(try_number=2))
    assert receipt["counts"]["accepted"] == 3


def test_rows_are_streamed_and_never_all_in_memory(account: RunningSimulator, batch_task: BatchTask) -> None:
    alive, most = 0, 0

    class Counted(dict[str, str]):
        def __init__(self, **fields: str) -> None:
            nonlocal alive, most
            super().__init__(**fields)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows() -> Iterator[Any]:
        for number in numbers(5000):
            yield Counted(phone=number, name="Zaphod")

    receipt = many(rows, dry_run=True).execute(batch_task.context())
    assert receipt["counts"]["requested"] == 5000
    assert most < 100


def test_one_dict_that_a_function_fills_anew_for_each_row_is_read_before_it_goes_on(
    account: RunningSimulator, batch_task: BatchTask, texts: list[str], tmp_path: Path
) -> None:
    def rows() -> Iterator[Any]:
        row: dict[str, str] = {}
        for index, number in enumerate(numbers(4)):
            row.update(phone=number, name=str(index))
            yield row

    many(rows, ledger_path=str(tmp_path)).execute(batch_task.context())
    plan = b"".join(gzip.decompress(part.read_bytes()) for part in (tmp_path / "plan").glob("*.gz")).decode()
    assert [plan.count(f'"name": "{index}"') + plan.count(f'"name":"{index}"') for index in range(4)] == [1] * 4
    assert sorted(texts) == [f"Dear {index}" for index in range(4)]
    assert accepted(account) == Counter(numbers(4))


def test_nobody_to_send_to_is_no_mistake(account: RunningSimulator, batch_task: BatchTask) -> None:
    assert many(lambda: people(0)).execute(batch_task.context())["counts"]["requested"] == 0


# When the DAG is read


def test_mistakes_show_when_the_dag_is_read_under_the_decorators_name() -> None:
    with pytest.raises(OmniInputError) as caught:
        made("omni_send", lambda: "Hello", on_rejected="ask", too=NUMBER)
    assert str(caught.value).startswith("@task.omni_send 'send' cannot be used as it is.")
    assert [line.partition(":")[0] for line in caught.value.problems] == ["too", "on_rejected"]
    with pytest.raises(OmniInputError, match=r"@task\.omni_batch 'send' cannot"):
        made("omni_batch", lambda: [], recipients=[NUMBER], sms={"text": "Hello"})
    with pytest.raises(OmniInputError, match="no content"):
        made("omni_batch", lambda: [])
    with pytest.raises(OmniInputError, match="scenario_key: missing"):
        task.omni_send(task_id="send")(lambda: "Hello")()


@pytest.mark.parametrize(
    ("decorated", "operator", "replaced"),
    [
        (OmniSendTask, OmniSendMessageOperator, set()),
        (OmniBatchTask, OmniSendBatchOperator, {"recipients", "encoding"}),
    ],
)
def test_every_argument_of_the_operator_is_the_decorators_but_for_what_the_function_gives(
    decorated: Any, operator: Any, replaced: set[str]
) -> None:
    assert own_arguments(operator) - own_arguments(decorated) == replaced
    assert set(operator.template_fields) - set(decorated.template_fields) == replaced - {"encoding"}


@pytest.mark.parametrize("annotation", [dict[str, Any], "dict[str, str]", str])
def test_the_annotation_of_a_function_splits_no_receipt(annotation: Any) -> None:
    def tell() -> Any:
        return "Hello"

    tell.__annotations__["return"] = annotation
    assert made("omni_send", tell, to=NUMBER).multiple_outputs is False


def test_airflow_stores_such_a_dag_as_it_stands() -> None:
    with DAG("decorated", schedule=None) as dag:
        made("omni_send", lambda to: {"to": to}, "{{ params.to }}", sms={"text": "Hello {{ ds }}"})
        made("omni_batch", lambda: [], sms={"text": "Hello"})
    stored = DagSerialization.to_dict(dag)
    tasks = {each["__var"]["task_id"]: each["__var"] for each in stored["dag"]["tasks"]}
    assert tasks["send"]["op_args"] == ["{{ params.to }}"]
    assert tasks["send"]["sms"] == {"text": "Hello {{ ds }}"}
    assert tasks["send"]["_operator_name"] == "@task.omni_send"
    assert DagSerialization.to_dict(dag) == stored


# On a real Airflow


class Say(BaseOperator):
    """Returns people, with what they have typed."""

    def execute(self, context: Any) -> Any:
        return [{"person": {"phone": NUMBER, "name": TRAP}}]


CALLS: list[str] = []

with DAG("taskflow", schedule=None) as dag:
    found = Say(task_id="say").output

    @task.omni_send(to=NUMBER, placeholders=False, **COMMON)
    def one(name: str, ti: Any = None) -> dict[str, Any]:
        """Return a text."""
        CALLS.append("one")
        return {"sms": f"{name}: {TRAP} 1"}

    @task.omni_send(placeholders=False, **COMMON)
    def each(person: Any, greeting: str) -> Any:
        """Return who and what."""
        CALLS.append("each")
        return {"to": person["phone"], "sms": f"{greeting} {person['name']}"}

    @task.omni_send(to=NUMBER, **COMMON)
    def written(texts: Any) -> Any:
        """Return a text that the DAG's author has written."""
        CALLS.append("written")
        return texts["first"]

    @task.omni_batch(
        sms={"text": "Dear {name} on {{ 'a day' }}"},
        wait_for_delivery=True,
        deferrable=True,
        poke_interval=0.1,
        **COMMON,
    )
    def batch(rows: Any) -> Any:
        """Yield rows."""
        CALLS.append("batch")
        for row in rows:
            yield row["person"]
        yield {"phone": OTHER, "name": f"{TRAP} 2"}

    one("{{ var.value.name }}")
    each.partial(greeting="I am {{ var.value.name }},").expand_kwargs(found)
    written.expand_kwargs([{"texts": {"first": "From {{ var.value.name }}"}}])
    batch(found)


def test_what_functions_get_and_return_is_sent_and_kept_nowhere(
    account: RunningSimulator,
    airflow_db: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    texts: list[str],
) -> None:
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(Path(__file__).parent))
    monkeypatch.setenv("AIRFLOW_VAR_NAME", "Zaphod")
    CALLS.clear()
    run = dag.test()
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert set(states.values()) == {"success"}, states
    assert sorted(CALLS) == ["batch", "each", "one", "written"]  # though the batch came back from a wait
    assert Counter(texts) == Counter(
        [
            f"Zaphod: {TRAP} 1",
            f"I am Zaphod, {TRAP}",
            "From Zaphod",
            f"Dear {TRAP} on a day",
            f"Dear {TRAP} 2 on a day",
        ]
    )
    found = kept(airflow_db)
    with sqlite3.connect(airflow_db) as database:
        rendered = repr(
            database.execute("select * from rendered_task_instance_fields where dag_id = 'taskflow'").fetchall()
        )
    assert "<dict>" in rendered
    words = ("Zaphod", "Betelgeuse", NUMBER, OTHER)
    tables = {name: text for name, text in found.items() if name != "dag_run"}
    assert [(name, word) for name, text in tables.items() for word in words if word in text] == []
    printed = "".join(capfd.readouterr()) + caplog.text
    assert [word for word in words if word in printed] == []


def test_airflow_finds_both_decorators_and_their_operators() -> None:
    assert type(made("omni_send", lambda: "Hello", to=NUMBER)) is OmniSendTask
    assert type(made("omni_batch", lambda: [], sms={"text": "Hello"})) is OmniBatchTask


def test_the_guards_of_a_batch_hold_for_rows_that_a_function_returns(
    account: RunningSimulator, batch_task: BatchTask, tmp_path: Path
) -> None:
    listed, people = tmp_path / "gone.txt", [NUMBER, f"{NUMBER[:-1]}1"]
    listed.write_text(people[1])
    guards = {"suppress": str(listed), "max_cost": {"EUR": 0.1}, "prices": {"LINE": 0, "SMS": 0.1}}
    receipt = made("omni_batch", lambda: people, sms={"text": "Hello"}, **guards).execute(batch_task.context())
    assert (receipt["counts"]["suppressed"], receipt["estimated_cost"]) == (1, {"EUR": "0.1"})
    assert accepted(account) == {NUMBER: 1}
    listed.write_text("nobody")
    with pytest.raises(AirflowFailException, match="suppress: got 1 entry that cannot be read"):
        made("omni_batch", lambda: people, sms={"text": "Hello"}, **guards).execute(batch_task.context(2))
