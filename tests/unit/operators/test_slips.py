"""Slips that show when the DAG is read, before anything runs; and what must not be taken for one there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_omni.contents import LineText, Sms, Viber
from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.omni import (
    OmniCreateScenarioOperator,
    OmniSendBatchOperator,
    OmniSendMessageOperator,
)
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.unit.operators.rendered import with_values

TO = "41793026727"


def single(**arguments: Any) -> OmniSendMessageOperator:
    return OmniSendMessageOperator(
        **{"task_id": "send", "scenario_key": "K", "to": TO, "sms": {"text": "Hi"}, **arguments}
    )


def batch(**arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(
        **{"task_id": "send", "scenario_key": "K", "recipients": [TO], "sms": {"text": "Hi"}, **arguments}
    )


def sql(**arguments: Any) -> SqlToOmniOperator:
    return SqlToOmniOperator(
        **{
            "task_id": "send",
            "scenario_key": "K",
            "sql": "SELECT phone",
            "conn_id": "db",
            "sms": {"text": "Hi"},
            **arguments,
        }
    )


def notifier(**arguments: Any) -> OmniNotifier:
    return OmniNotifier(**{"scenario_key": "K", "to": TO, "sms": "Hi", **arguments})


def scenario(**arguments: Any) -> OmniCreateScenarioOperator:
    return OmniCreateScenarioOperator(
        **{"task_id": "scenario", "name": "alerts", "flow": [{"channel": "LINE"}], **arguments}
    )


SENDING = (single, batch, sql)
MANY = (batch, sql)
ALL = (*SENDING, notifier)
SLIPS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (ALL, {"sms": None}, "no content: at least one of"),
    (ALL, {"sms": None, "other_channels": {}}, "no content: at least one of"),
    (ALL, {"line": Sms(text="Hi"), "sms": None}, "line: got the model Sms, expected LineText or LineImage or"),
    (ALL, {"sms": LineText(text="Hi")}, "sms: got the model LineText, expected Sms"),
    (ALL, {"other_channels": {"viber": Sms(text="Hi")}}, "other_channels.viber: got the model Sms, expected Viber"),
    (ALL, {"other_channels": {"whatsApp": Sms(text="Hi")}}, "other_channels.whatsApp: got the model Sms, expected an"),
    (ALL, {"other_channels": Viber(text="Hi")}, "other_channels: got the model Viber, expected an object"),
    (ALL, {"number_check": "vaild"}, "number_check: got 'vaild', expected 'valid' or 'possible'"),
    (ALL, {"allowed_countries": ["THA"]}, "allowed_countries: got 'THA'"),
    (ALL, {"allowed_countries": ""}, "allowed_countries: got a blank text"),
    (ALL, {"region": "Thailand"}, "region: got 'Thailand'"),
    (ALL, {"region": "uk"}, "region: got 'uk'; the United Kingdom is GB"),
    (SENDING, {"on_rejected": "ignor"}, "on_rejected: got 'ignor', expected 'fail'"),
    ((single,), {"on_rejected": 0.1}, "on_rejected: got 0.1, expected 'fail' or 'ignore'"),
    (MANY, {"on_rejected": 2}, "on_rejected: got 2, expected 'fail', 'ignore' or a highest ratio"),
    (SENDING, {"log_grace": -1}, "log_grace: got -1, expected 0 to 300 seconds"),
    (SENDING, {"log_grace": "30"}, "log_grace: got '30'"),
    (SENDING, {"log_grace": float("nan")}, "log_grace: got nan"),
    ((batch,), {"encoding": "klingon"}, "encoding: got 'klingon', expected the name of an encoding"),
    (SENDING, {"placeholders": None}, "placeholders: got nothing"),
    (SENDING, {"notify": "no"}, "notify: got 'no', expected true or false"),
    (SENDING, {"intermediate_report": 1}, "intermediate_report: got 1"),
    (SENDING, {"notify_content_type": "json"}, "notify_content_type: got 'json', expected application/json or"),
    (SENDING, {"flow": ["SMS", "LIEN"]}, "flow[1]: got 'LIEN', expected SMS, "),
    (SENDING, {"flow": [{"channel": "SNS"}]}, "flow[0].channel: got 'SNS', expected SMS, "),
    (SENDING, {"flow": "SMS;FAX"}, "flow[1]: got 'FAX', expected SMS, "),
    (SENDING, {"flow": ["{{ params.first }}", "FAX"]}, "flow[1]: got 'FAX', expected SMS, "),
    (SENDING, {"flow": [5, "SMS"]}, "flow[0]: got a value of type int, expected the name of a channel"),
    (SENDING, {"flow": []}, "flow: got an empty list"),
    (SENDING, {"flow": ["LINE"]}, "flow: tries LINE, but there is content for SMS only"),
    (SENDING, {"send_at": datetime(2026, 12, 1)}, "send_at: got the time 2026-12-01T00:00:00, a time without an"),
    (SENDING, {"send_at": "1.12.2026 09:00"}, "send_at: got '1.12.2026 09:00', expected a time with its offset"),
    (MANY, {"chunk_size": 0}, "chunk_size: got 0, expected a whole number from 1"),
    (MANY, {"max_connections": 0}, "max_connections: got 0, expected a whole number from 1"),
    (MANY, {"max_recipients": 1.5}, "max_recipients: got 1.5, expected a whole number from 1"),
    (MANY, {"max_quarantined": 1.5}, "max_quarantined: got 1.5, expected a count"),
    (MANY, {"max_quarantined": "10%"}, "max_quarantined: got '10%', expected a count"),
    (MANY, {"phone_field": ""}, "phone_field: got ''"),
    (MANY, {"phone_field": "id", "key_field": "id"}, "key_field: is the phone_field"),
    (MANY, {"shard": "17/16"}, "shard: got '17/16'"),
    (SENDING, {"notify_url": "ftp://x"}, "notify_url: got a string of 7 characters, expected an http or https URL"),
    (SENDING, {"notify_url": 5}, "notify_url: got "),
    (SENDING, {"callback_data": "x" * 4001}, "callback_data: got a string of 4,001 characters, expected a"),
    (SENDING, {"idempotency_key": " "}, "idempotency_key: got an empty text"),
    (SENDING, {"idempotency_key": "None"}, "idempotency_key: got 'None' (a template that found nothing?)"),
    (SENDING, {"idempotency_key": 1.5}, "idempotency_key: got a value of type float, expected a text"),
    (SENDING, {"sms": "Your parcel is here"}, "sms: got a string of 19 characters, expected an object such as"),
    (SENDING, {"line": "Hi"}, "line: got a string of 2 characters, expected an object such as"),
    (SENDING, {"line": ["Hi"]}, "line: got a list of 1, expected an object such as"),
    (SENDING, {"line": 5}, "line: got a value of type int, expected an object such as"),
    (SENDING, {"other_channels": "Hi"}, "other_channels: got a string of 2 characters, expected an object"),
    (SENDING, {"other_channels": {"vibr": {}}}, "other_channels.vibr: got an unknown channel, expected one of viber, "),
    (SENDING, {"other_channels": {"sms": {}}}, "other_channels.sms: got an unknown channel, expected one of viber, "),
    (SENDING, {"other_channels": {"viber": "Hi"}}, "other_channels.viber: got a string of 2 characters, expected an"),
    (MANY, {"ledger_path": "ledgers/today"}, "ledger_path: got a relative path, expected an absolute path or a URL"),
    (MANY, {"ledger_path": Path("ledgers")}, "ledger_path: got a relative path"),
    (MANY, {"ledger_path": ""}, "ledger_path: got a blank text"),
    (MANY, {"ledger_path": 5}, "ledger_path: got a value of type int"),
    ((batch,), {"recipients": "people.xlsx"}, "recipients: got a path that ends in 'xlsx', expected paths that end in"),
    ((batch,), {"recipients": "/data/people.xlsx"}, "recipients: got a path that ends in 'xlsx'"),
    ((batch,), {"recipients": "people.csv"}, "recipients: got a relative path, expected an absolute path or a URL"),
    ((batch,), {"recipients": Path("people.csv")}, "recipients: got a relative path"),
    ((batch,), {"recipients": "Ann"}, "recipients: got a text, expected paths that end in"),
    ((batch,), {"recipients": None}, "recipients: got nothing"),
    ((batch,), {"recipients": 41793026727}, "recipients: got a value of type int"),
    ((batch,), {"recipients": {"phone": TO}}, "recipients: got a value of type dict"),
    ((batch,), {"recipients": unreached("ledgers/today")}, "recipients: got unreached(…) of a relative path"),
    ((batch,), {"recipients": unreached(None)}, "recipients: got unreached(…) of nothing"),  # type: ignore[arg-type]
    ((sql,), {"sql": " "}, "sql: got an empty text"),
    ((sql,), {"sql": None}, "sql: got nothing"),
    ((sql,), {"hook_params": "schema=shop"}, "hook_params: got something else"),
    ((scenario,), {"if_exists": "replace"}, "if_exists: got 'replace', expected 'reuse', 'update', 'create'"),
    ((scenario,), {"default": "no"}, "default: got a text"),
    ((scenario,), {"flow": [{"channel": "LIEN"}]}, "flow[0].channel: got 'LIEN'"),
    ((scenario,), {"flow": [{"channel": "LINE", "form": "x"}]}, "flow[0].form: unknown member, did you mean from?"),
    ((scenario,), {"flow": [{"channel": "LINE", "from": " "}]}, "flow[0].from: got a blank text, expected a name"),
    ((scenario,), {"flow": ["LINE"]}, "flow[0]: got a string of 4 characters, expected an object such as"),
    ((scenario,), {"flow": "LINE"}, "flow[0]: got a string of 4 characters, expected an object such as"),
    ((scenario,), {"flow": []}, "flow: got an empty list"),
    ((scenario,), {"name": " "}, "name: got a blank text"),
]  # fmt: skip
EACH = [
    pytest.param(made, arguments, line, id=f"{made.__name__}-{line.partition(' ')[0]}{number}")
    for number, (makers, arguments, line) in enumerate(SLIPS)
    for made in makers
]


@pytest.mark.parametrize(("made", "arguments", "line"), EACH)
def test_a_slip_shows_when_the_dag_is_read(made: Any, arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        made(**arguments)
    [problem] = caught.value.problems
    assert problem.startswith(line)


def test_all_slips_of_a_task_are_told_at_once_with_its_name() -> None:
    with pytest.raises(OmniInputError, match=r"OmniSendBatchOperator 'send' cannot be used as it is") as caught:
        batch(
            on_rejected="ignor", chunk_size=0, sms=None, flow=["LIEN"], log_grace=-1,
            encoding="klingon", recipients="people.xlsx", ledger_path="ledgers",
        )  # fmt: skip
    names = {problem.partition(":")[0] for problem in caught.value.problems}
    own = {"encoding", "recipients", "ledger_path"}
    assert names == {"on_rejected", "chunk_size", "no content", "flow[0]", "log_grace"} | own
    with pytest.raises(OmniInputError) as caught:
        sql(chunk_size=0, hook_params="schema=shop", sql="")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["chunk_size", "hook_params", "sql"]
    with pytest.raises(OmniInputError, match="OmniNotifier cannot be used as it is"):
        notifier(max_sms_parts=0)


def test_every_wrong_step_of_a_scenario_is_told_with_its_place_and_its_members() -> None:
    with pytest.raises(OmniInputError) as caught:
        scenario(flow=[{"channel": "LIEN", "form": "InfoLine"}, {"chanel": "SMS"}, {"channel": "SMS", "from": 5}])
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "flow[0].channel", "flow[0].form", "flow[1].channel", "flow[1].chanel", "flow[2].from",
    ]  # fmt: skip


def test_default_arguments_of_the_dag_are_looked_at_too() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1), default_args={"on_rejected": "ignor"}):
        with pytest.raises(OmniInputError, match="on_rejected"):
            single()
        with pytest.raises(OmniInputError, match="on_rejected"):
            batch(task_id="other")


@pytest.mark.parametrize("made", SENDING)
def test_what_is_a_template_may_become_anything(made: Any) -> None:
    for arguments in (
        {"flow": "{{ params.flow }}"},
        {"flow": ["{{ params.first }}", "SMS"]},
        {"flow": [{"channel": "{{ params.first }}"}]},
        {"flow": "LINE, SMS"},
        {"send_at": "{{ data_interval_end }}"},
        {"send_at": datetime(2026, 12, 1, tzinfo=UTC)},
        {"region": "{{ params.region }}"},
        {"region": "ZZ"},  # whether there is such a country takes tables
        {"line": "{{ params.line }}", "sms": None},
        {"sms": None, "other_channels": {"viber": {"text": "Hi"}}, "flow": ["VIBER"]},
        {"sms": '{"text": "Hi"}'},
        {"sms": "{{ params.sms }}"},
        {"other_channels": {"{{ params.channel }}": {"text": "Hi"}}},
        {"notify_url": "{{ params.url }}"},
        {"callback_data": "{{ params.data }}"},
        {"idempotency_key": "{{ params.key }}"},
        {"idempotency_key": 5},
    ):
        assert made(**arguments)


@pytest.mark.parametrize("made", MANY)
def test_a_batchs_templates_may_become_anything(made: Any) -> None:
    assert made(shard="{{ params.shard }}", phone_field="{{ params.field }}", key_field="{{ params.field }}")
    for path in ("{{ params.folder }}/x", "/ledgers/{{ run_id }}", "s3://bucket/x", "~/ledgers", Path("/ledgers")):
        assert made(ledger_path=path)


@pytest.mark.parametrize(
    "recipients",
    [
        "{{ params.file }}",
        "people-{{ ds }}.xlsx",
        "/data/people.csv",
        "s3://bucket/people.csv.gz",
        "~/people.jsonl",
        Path("/data/people.parquet"),
        TO,
        f"{TO}, {TO}",
        f'["{TO}"]',
        [],
        iter([TO]),
        unreached("{{ params.folder }}"),
        unreached("/ledgers/today"),
        unreached("~/ledgers"),
        lambda context: [TO],
    ],
    ids=lambda value: type(value).__name__,
)
def test_recipients_that_may_be_meant_are_not_looked_into(recipients: Any) -> None:
    assert batch(recipients=recipients)


def test_what_another_task_returns_is_not_looked_at() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)) as dag:

        @task
        def said() -> Any:
            return {"text": "Hi"}

        @task
        def flow() -> Any:
            return ["SMS"]

        sending = single(sms=said(), flow=flow())
        assert single(task_id="other", flow=[flow(), "SMS"]).task_id == "other"
    assert dag.get_task("send").upstream_task_ids == {"said", "flow"}
    assert sending.flow is not None


class Own(OmniSendMessageOperator):
    """A class of a user's, which says by itself what is sent."""

    def __init__(self, *, word: str = "Hi", **kwargs: Any) -> None:
        super().__init__(scenario_key="K", to=TO, **kwargs)
        self.sms = {"text": word}


class Late(OmniNotifier):
    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        self._templates["sms"] = {"text": "Hi"}
        super().render_template_fields(context, jinja_env)


def test_a_class_of_the_users_own_may_bring_its_content_later() -> None:
    assert Own(task_id="send").sms == {"text": "Hi"}
    assert Late(scenario_key="K", to=TO)
    with pytest.raises(OmniInputError, match="Own 'send' cannot be used"):
        Own(task_id="send", on_rejected="ignor")


@pytest.mark.parametrize("made", [single, batch])
def test_a_model_of_another_channel_that_a_class_of_the_users_own_sets_later_is_refused_before_the_send(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    sending = with_values(made(), line=Sms(text="Hi"))
    sending.render_template_fields({})
    context: Any = {
        "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="send", map_index=-1, try_number=1, max_tries=0)
    }
    with pytest.raises(AirflowFailException, match="line: got the model Sms, expected LineText or"):
        sending.execute(context)


def test_mapped_tasks_are_looked_at_with_what_each_copy_has() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        mapped = OmniSendMessageOperator.partial(task_id="send", scenario_key="K", to=TO).expand(
            sms=[{"text": "Hi"}, None]
        )
        OmniSendBatchOperator.partial(task_id="batch", scenario_key="K", recipients=[TO], sms={"text": "Hi"}).expand(
            shard=["1/2", "2/2"]
        )
        OmniSendMessageOperator.partial(task_id="each").expand_kwargs(
            [{"scenario_key": "K", "to": TO, "sms": {"text": "Hi"}, "flow": ["SMS"]}]
        )
    assert copy_of(mapped, sms={"text": "Hi"}).sms == {"text": "Hi"}
    with pytest.raises(OmniInputError, match="no content"):
        copy_of(mapped, sms=None)


def copy_of(mapped: Any, **arguments: Any) -> Any:
    return mapped.unmap(arguments | {"task_id": "send"})


def test_a_copy_of_a_task_is_not_looked_at_again() -> None:
    import copy
    import pickle

    sending = with_values(single(), on_rejected="whatever a test of the user's has set")
    assert copy.copy(sending).on_rejected == sending.on_rejected
    assert SimpleNamespace(**pickle.loads(pickle.dumps({"r": sending.on_rejected}))).r == sending.on_rejected


def test_an_alert_to_nobody_is_an_error_whoever_made_the_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://login:long-password@127.0.0.1:1/http")
    with pytest.raises(OmniInputError, match="to: got nobody"):
        notifier(to=[])({"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)})
