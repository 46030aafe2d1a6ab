"""Texts, names and codes in template fields: Airflow may render and resolve them, and nobody sees them afterwards."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, task
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_omni.contents import LineFlex, LineText, Sms, SmsRegional, SouthKorea
from airflow_provider_omni.operators.masked_fields import unmask
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator

NUMBER = "41793026727"
SECRETS = {"name": "Zaphod", "code": "918273", "who": NUMBER, "pin": 4711, "token": "t0k3n"}
WORDS = ("Zaphod", "918273", "79302", "4711", "t0k3n")


def single(**arguments: Any) -> OmniSendMessageOperator:
    return OmniSendMessageOperator(**{"task_id": "send", "scenario_key": "K", "to": NUMBER, **arguments})


def batch(**arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(**{"task_id": "send", "scenario_key": "K", "recipients": [NUMBER], **arguments})


def sql(**arguments: Any) -> SqlToOmniOperator:
    return SqlToOmniOperator(
        **{"task_id": "send", "scenario_key": "K", "sql": "SELECT 1", "conn_id": "shop", **arguments}
    )


def rendered(operator: Any, **context: Any) -> Any:
    operator.render_template_fields({**SECRETS, **context})
    return operator


def shown(operator: Any) -> dict[str, Any]:
    """The values that Airflow would store in its table of rendered templates, by field."""
    fields = {name: serialize_template_field(getattr(operator, name), name) for name in operator.template_fields}
    text = json.dumps(fields, ensure_ascii=False) + repr({name: getattr(operator, name) for name in fields})
    assert [word for word in WORDS if word in text] == []
    return fields


FIELDS: dict[str, Any] = {
    "line": {"type": "FLEX", "altText": "Dear {{ name }}", "contents": {"type": "BUBBLE", "body": ["{{ code }}"]}},
    "sms": {"text": "Dear {{ name }}, your code is {{ code }}", "regional": {"korea": {"title": "{{ name }}"}}},
    "other_channels": {"viber": {"text": "{{ code }}", "buttonURL": "https://e.example/{{ token }}"}},
    "callback_data": "{{ who }} {{ name }}",
    "notify_url": "https://{{ token }}@hooks.example/{{ token }}?token={{ token }}&of={{ who }}",
    "idempotency_key": "reminder-{{ who }}",
}


@pytest.mark.parametrize("operator", [single, batch, sql])
def test_no_rendered_text_name_code_or_token_is_shown_by_any_operator(operator: Any) -> None:
    shown(rendered(operator(**FIELDS)))


@pytest.mark.parametrize("operator", [single, batch])
def test_what_is_hidden_is_sent_as_it_was_rendered(operator: Any) -> None:
    sending = rendered(operator(**FIELDS))
    assert unmask(sending.sms)["text"] == "Dear Zaphod, your code is 918273"
    assert unmask(sending.line)["contents"] == {"type": "BUBBLE", "body": ["918273"]}
    assert unmask(sending.callback_data) == f"{NUMBER} Zaphod"
    assert unmask(sending.idempotency_key) == f"reminder-{NUMBER}"


def test_the_shape_of_a_message_is_shown_with_length_and_placeholders() -> None:
    text = {"type": "TEXT", "text": "Dear {name}, your order {order_id} is here", "validityPeriod": 5}
    sms = {"text": "https://e.example/a", "transliteration": "NONE", "language": {"languageCode": "TR"}}
    fields = shown(rendered(batch(line=text, sms=sms, callback_data="")))
    assert fields["line"] == {
        "type": "TEXT",
        "text": "<text, 42 characters, {name}, {order_id}>",
        "validityPeriod": 5,
    }
    assert fields["sms"] == {
        "text": "<URL, 19 characters>",
        "transliteration": "NONE",
        "language": {"languageCode": "TR"},
    }
    assert fields["callback_data"] == "<empty text>"


def test_a_key_is_shown_without_numbers_and_a_url_as_its_host() -> None:
    fields = shown(rendered(single(**FIELDS)))
    assert fields["idempotency_key"] == "reminder-4179…727"
    assert fields["notify_url"] == "https://hooks.example/…"


@pytest.mark.parametrize(
    "value",
    [
        918273,
        4711.0,
        Decimal("918273"),
        {"Zaphod": 1}.keys(),
        b"Zaphod",
        {"Zaphod"},
        ("918273", ["Zaphod"]),
        datetime.max,
    ],
)
def test_values_of_every_type_are_hidden(value: Any) -> None:
    sending = rendered(single(other_channels={"email": {"value": value}}))
    shown(sending)
    assert unmask(sending.other_channels) == {"email": {"value": value}}


def test_members_that_are_numbers_or_hold_one_are_hidden_too() -> None:
    sending = rendered(
        sql(sms={"text": "Hi"}, parameters={NUMBER: 1, "Zaphod of Betelgeuse 918273": 2, "since": "918273"})
    )
    assert shown(sending)["parameters"] == {"4179…727": "<number>", "…": "<number>", "since": "<text, 6 characters>"}
    assert unmask(sending.parameters) == {NUMBER: 1, "Zaphod of Betelgeuse 918273": 2, "since": "918273"}


@pytest.mark.parametrize("value", ["+41 79 302 67 27", "Zaphod 918273", "x" * 41, 10**8])
def test_what_is_no_word_of_the_api_is_hidden_under_its_members_too(value: Any) -> None:
    assert str(value) not in str(shown(rendered(single(line={"type": value, "text": "Hi"}))))


def test_a_rendered_value_that_looks_like_a_template_is_hidden_and_stays_as_it_is() -> None:
    fields = {"to": "{{ trap }}", "sms": {"text": "{{ trap }}"}, "callback_data": "{{ trap }}"}
    sending = rendered(single(**fields), trap="Zaphod {{ code }} 41793026727")
    shown(sending)
    sending.render_template_fields(SECRETS)  # as tasks do that render anew
    assert unmask(sending.sms) == {"text": "Zaphod {{ code }} 41793026727"}
    assert unmask(sending.to) == "Zaphod {{ code }} 41793026727"
    path = rendered(batch(recipients="{{ trap }}", sms={"text": "Hi"}), trap="Zaphod {{ code }} 41793026727")
    shown(path)


# -- what Airflow must still see ------------------------------------------------------------------------------------


def test_templates_and_texts_are_shown_as_the_author_has_written_them_until_they_are_rendered() -> None:
    assert single(**FIELDS).sms == FIELDS["sms"]
    assert single(sms={"text": "Hi"}).sms == {"text": "Hi"}


def test_xcoms_of_other_tasks_make_these_upstream_wherever_they_stand() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):

        @task
        def say() -> Any: ...

        said = say()
        for index, arguments in enumerate(
            [
                {"sms": said},
                {"sms": {"text": said}},
                {"line": {"type": "FLEX", "altText": "a", "contents": said}},
                {"other_channels": {"viber": {"text": said}}},
                {"callback_data": said, "sms": {"text": "Hi"}},
                {"idempotency_key": said, "sms": {"text": "Hi"}},
            ]
        ):
            for operator in (single, batch, sql):
                one = operator(**arguments, task_id=f"{operator.__name__}{index}")
                assert one.upstream_task_ids == {"say"}
        partial = OmniSendMessageOperator.partial(task_id="partial", scenario_key="K", sms={"text": said})
        assert partial.expand(to=["1", "2"]).upstream_task_ids == {"say"}
        mapped = OmniSendBatchOperator.partial(task_id="mapped", scenario_key="K", recipients=[NUMBER])
        assert mapped.expand(sms=said).upstream_task_ids == {"say"}


def test_templates_in_models_are_rendered() -> None:
    sending = rendered(
        single(
            line=LineText(text="Dear {{ name }}", validity_period=5),
            sms={"text": "Hi", "regional": SmsRegional(korea=SouthKorea(title="{{ name }}"))},
        )
    )
    assert unmask(sending.line) == {"type": "TEXT", "text": "Dear Zaphod", "validityPeriod": 5}
    assert unmask(sending.sms) == {"text": "Hi", "regional": {"korea": {"title": "Zaphod"}}}
    shown(sending)
    flex = LineFlex(alt_text="a", contents={"text": "{{ code }}"}, is_promotional=True)
    assert unmask(rendered(batch(line=flex, sms=Sms(text="Hi"))).line)["contents"] == {"text": "918273"}


@pytest.mark.parametrize("operator", [single, batch])
def test_what_another_task_returned_to_a_mapped_one_is_no_template(operator: Any) -> None:
    """Airflow tells by identity what comes from a task, and does not render it: a person may have typed it."""
    given: dict[str, Any] = {
        "sms": {"text": "{{ code }} for Zaphod"},
        "callback_data": "{{ code }} for Zaphod",
        "recipients" if operator is batch else "to": [NUMBER, "{{ code }} for Zaphod"],
    }
    sending = operator(**given)
    sending._do_render_template_fields(
        parent=sending,
        template_fields=sending.template_fields,
        context=SECRETS,
        jinja_env=sending.get_template_env(),
        seen_oids={id(value) for value in given.values()},
    )
    assert {name: unmask(getattr(sending, name)) for name in given} == given
    shown(sending)


class Say(BaseOperator):
    def execute(self, context: Any) -> Any: ...


@pytest.mark.parametrize("whole", [True, False])
def test_what_another_task_returned_as_arguments_is_no_template(whole: bool) -> None:
    """Airflow renders objects and lists of what `expand_kwargs` gets from a task."""
    given: dict[str, Any] = {"sms": {"text": "{{ code }} for Zaphod"}, "to": [NUMBER, "{{ code }} for Zaphod"]}
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        said: Any = Say(task_id="say").output
        partial = OmniSendMessageOperator.partial(task_id="t", scenario_key="K", callback_data="{{ code }}")
        mapped = partial.expand_kwargs(said if whole else [{"to": NUMBER}, said])
    sending = mapped.unmap(given)
    sending._do_render_template_fields(
        parent=sending,
        template_fields=sending.template_fields,
        context={**SECRETS, "ti": SimpleNamespace(map_index=1)},
        jinja_env=sending.get_template_env(),
        seen_oids=set(),
    )
    assert {name: unmask(getattr(sending, name)) for name in given} == given
    assert unmask(sending.callback_data) == SECRETS["code"]
    shown(sending)


def test_arguments_that_the_author_has_written_are_templates() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        partial = OmniSendMessageOperator.partial(task_id="t", scenario_key="K", to=NUMBER)
        mapped = partial.expand_kwargs([{"sms": {"text": "{{ code }}"}}])
    sending = mapped.unmap({"sms": {"text": "{{ code }}"}})
    rendered(sending, ti=SimpleNamespace(map_index=0))
    assert unmask(sending.sms) == {"text": SECRETS["code"]}


def test_a_query_is_shown_without_its_literals_and_runs_with_them() -> None:
    query = "SELECT phone FROM shop WHERE name = '{{ name }}' AND day > '2026-11-20' AND phone <> {{ who }} LIMIT 500"
    sending = rendered(sql(sql=query, parameters=("{{ code }}",), sms={"text": "Hi"}))
    assert shown(sending)["sql"] == (
        "SELECT phone FROM shop WHERE name = '…' AND day > '2026-11-20' AND phone <> 4179…727 LIMIT 500"
    )
    assert unmask(sending.sql).startswith("SELECT phone FROM shop WHERE name = 'Zaphod' AND")
    assert unmask(sending.parameters) == ("918273",)


@pytest.mark.parametrize(
    "literal",
    ["'Zaphod''s'", "'Za\\'phod'", '"Zaphod"', "$$Zaphod$$", "$q$Zaphod$q$", "'Zaphod", "'\\' Zaphod", "$$Zaphod"],
)
def test_every_way_of_quoting_hides_what_is_quoted(literal: str) -> None:
    assert shown(rendered(sql(sql=f"SELECT {literal}", sms={"text": "Hi"})))["sql"] == "SELECT '…'"


@pytest.mark.parametrize(
    "before",
    [
        "SELECT 1 -- don't forget\n WHERE name = '",
        "SELECT 1 /* it's */ WHERE name = '",
        "SELECT 1 # don't\n WHERE name = '",
        "SELECT 1 /* a /* b */ it's */ WHERE name = '",
        "SELECT 1 WHERE path = '\\' AND name = '",
        "SELECT 1 WHERE path = 'it\\'s' AND name = '",
        "SELECT [it's] WHERE name = '",
        "SELECT `it's` WHERE name = '",
        "SELECT q'[it's ",
        "SELECT q'!it's ",
        "SELECT '''it's ",
        "SELECT 1 WHERE name = 'O'",
        "SELECT 1 -- ",
        "SELECT 1 /* ",
    ],
)
def test_a_quote_that_is_none_shows_no_literal_whatever_the_database(before: str) -> None:
    assert "SELECT" in shown(rendered(sql(sql=before + "{{ name }}'", sms={"text": "Hi"})))["sql"]


def test_a_query_without_values_is_shown_as_it_is() -> None:
    query = "SELECT o.phone, count(*) FROM shop.orders o JOIN b ON b.id = o.id\nWHERE o.n > 3 AND x <> :x LIMIT 500"
    assert shown(rendered(sql(sql=query, sms={"text": "Hi"})))["sql"] == query


@pytest.mark.parametrize("name", ["type", "channel", "default", "duration"])
@pytest.mark.parametrize("value", ["{{ name }}", 918273, "{{ code }}"])
def test_a_parameter_of_a_query_is_hidden_whatever_its_name(name: str, value: Any) -> None:
    sending = rendered(sql(sql="SELECT 1", parameters={name: value}, sms={"text": "Hi"}))
    assert name in shown(sending)["parameters"]


def test_the_file_of_a_query_is_still_found(tmp_path: Any) -> None:
    (tmp_path / "people.sql").write_text("SELECT '{{ name }}'")
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1), template_searchpath=str(tmp_path)):
        sending = sql(sql="people.sql", sms={"text": "Hi"})
    sending.resolve_template_files()
    assert unmask(rendered(sending).sql) == "SELECT 'Zaphod'"


# -- for those who want to see them ----------------------------------------------------------------------------------


def test_texts_are_shown_where_the_configuration_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OMNI__SHOW_TEXTS", "True")
    sending = rendered(single(**FIELDS | {"sms": {"text": "Dear {{ name }}"}}))
    fields = {name: serialize_template_field(getattr(sending, name), name) for name in FIELDS}
    assert fields["sms"] == {"text": "Dear Zaphod"}
    assert repr(sending.sms) == "{'text': 'Dear Zaphod'}"  # what Airflow 2.11 stores
    assert fields["notify_url"] == "https://hooks.example/…"
    assert fields["idempotency_key"] == "reminder-4179…727"
    assert serialize_template_field(sending.to, "to") == "4179…727"


def test_parameters_of_a_query_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OMNI__SHOW_TEXTS", "True")
    sending = rendered(sql(sql="SELECT phone FROM t WHERE name = ?", sms={"text": "Hi"}, parameters=["Zaphod"]))
    assert str(sending.parameters) == "[<text, 6 characters>]"  # what Airflow's OpenLineage provider reports
    assert unmask(sending.parameters) == ["Zaphod"]


@pytest.mark.parametrize("setting", ["", "yes", "maybe", "2"])
def test_a_setting_that_is_no_flag_shows_nothing_and_fails_no_task(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("AIRFLOW__OMNI__SHOW_TEXTS", setting)
    assert shown(rendered(single(**FIELDS)))["sms"]["text"] == "<text, 32 characters>"
