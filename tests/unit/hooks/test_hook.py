"""The hook: what it reads from a connection, what it hides, and what it makes of the vendor's answers."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import pickle
import sys
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowException, Connection

from airflow_provider_omni.get_provider_info import get_provider_info
from airflow_provider_omni.hooks import connection as connection_module
from airflow_provider_omni.hooks.omni import OmniHook, shared_async_client
from airflow_provider_omni.omni.config import EXTRAS
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError, OmniTransportError
from tests.harness.wire import LOST, Reply, Wire, ok

CONNECTION = {"conn_type": "omni", "host": "xyz.api.infobip.com", "login": "somebody", "password": "long-password"}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def connect(**fields: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", json.dumps(CONNECTION | fields))

    connect()
    return connect


@pytest.fixture
def answering(connected: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Wire]:
    def answer(*replies: Reply) -> Wire:
        wire = Wire(*replies)
        wire.put(monkeypatch)
        return wire

    return answer


def scenario(key: str, name: str = "alerts") -> dict[str, Any]:
    return {"key": key, "name": name, "flow": [{"channel": "LINE", "from": "InfoLine"}], "default": False}


FLOW = [{"channel": "LINE", "from": "InfoLine"}]


# -- the connection -------------------------------------------------------------------------------------------


def test_making_a_hook_reads_no_connection() -> None:
    OmniHook("a connection that does not exist")


def test_the_connection_is_read_once(connected: Any) -> None:
    hook = OmniHook()
    assert hook.config is hook.config
    assert hook.config.base_url == "https://xyz.api.infobip.com"


def test_every_problem_of_the_connection_is_named(connected: Any) -> None:
    connected(host="", extra={"retries": 3, "read_timeout": "soon"})
    with pytest.raises(OmniConfigurationError) as caught:
        _ = OmniHook().config
    for field in ("host", "extra.retries", "extra.read_timeout"):
        assert f"\n - {field}: " in str(caught.value)


def test_password_header_and_id_secret_are_masked(connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(connection_module, "mask_secret", masked.append)
    connected(extra={"id_secret": "pepper-pepper"})
    _ = OmniHook().config
    header = "c29tZWJvZHk6bG9uZy1wYXNzd29yZA=="
    assert masked == ["long-password", f"Basic {header}", header, "pepper-pepper"]


BROKEN_EXTRAS = ["{'allowed_recipients': ['41793026727']}", '{"allowed_recipients": ["41793026727"],}', "null", "[]"]


def as_uri(extra: str) -> str:
    return f"omni://somebody:long-password@xyz.api.infobip.com/?__extra__={quote(extra)}"


@pytest.mark.parametrize("written", ["json", "uri"])
@pytest.mark.parametrize("extra", BROKEN_EXTRAS)
async def test_a_guard_that_cannot_be_read_stops_both_halves_of_the_hook(
    connected: Any, monkeypatch: pytest.MonkeyPatch, extra: str, written: str
) -> None:
    connected(extra=extra)
    if written == "uri":
        monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", as_uri(extra))
    error = failure_of(lambda: OmniHook().config)
    assert "\n - extra: got " in str(error)
    assert "41793026727" not in str(error)
    assert_the_test_says(error)
    with pytest.raises(OmniConfigurationError):
        async with shared_async_client("omni_default"):
            pytest.fail("the guard is off")


@pytest.mark.parametrize("query", [
    "allowed_recipients=41793026727",
    "__extra__=" + quote('{"allowed_recipients": ["41793026727"]}'),
    "__extra__=" + quote('{"allowed_recipients": "41793026727"}'),
])  # fmt: skip
async def test_the_guard_of_a_connection_that_is_written_as_a_uri_holds(
    monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", f"omni://somebody:long-password@xyz.api.infobip.com/?{query}")
    assert OmniHook().config.allowed_recipients == frozenset({"41793026727"})
    async with shared_async_client("omni_default") as client:
        assert client.config.allowed_recipients == frozenset({"41793026727"})


GUARDED = {"allowed_recipients": ["41793026727"]}
WHOLE = '{"conn_type": "omni", "host": "xyz.api.infobip.com", "login": "me", "password": "long-password", '


@pytest.mark.parametrize("written", [
    "omni://me:long-password@xyz.api.infobip.com/?allowed_recipients=41793026727&allowed_recipients=*",
    "omni://me:long-password@xyz.api.infobip.com/?allowed_recipients=41793026727&__extra__=%7B%7D",
    "omni://me:long-password@xyz.api.infobip.com/?__extra__=%7B%7D&allowed_countries=CH",
    "omni://me:long-password@xyz.api.infobip.com/#?allowed_recipients=41793026727",
    WHOLE + '"extra": {"allowed_recipients": "41793026727", "allowed_recipients": "*"}}',
    WHOLE + '"extra": {"allowed_recipients": "41793026727"}, "extra": {}}',
])  # fmt: skip
async def test_a_guard_that_airflow_passes_over_in_a_variable_is_never_off(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", written)
    error = failure_of(lambda: OmniHook().config)
    assert "\n - extra: got " in str(error)
    assert not any(word in str(error) for word in ("long-password", "4179"))
    with pytest.raises(OmniConfigurationError):
        async with shared_async_client("omni_default"):
            pytest.fail("the guard is off")


@pytest.mark.parametrize("extra", [GUARDED, {"read_timeout": 5}, {"region": "TH", "id_secret": "a b&c=#d"}, {}])
@pytest.mark.parametrize("as_json", [True, False])
def test_what_airflow_itself_writes_of_a_connection_is_read(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], as_json: bool
) -> None:
    written = Connection(
        conn_id="c",
        conn_type="omni",
        host="xyz.api.infobip.com",
        login="me#1",
        password="long?p#a=s&s",
        extra=json.dumps(extra),
    )
    text = written.as_json() if as_json and hasattr(written, "as_json") else written.get_uri()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", text)
    assert OmniHook().config.id_secret == extra.get("id_secret")


def test_a_guard_that_a_uri_leaves_blank_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", "omni://me:long-password@xyz.api.infobip.com/?allowed_recipients=")
    assert "\n - extra.allowed_recipients: got " in str(failure_of(lambda: OmniHook().config))


@pytest.mark.parametrize("emptied", [None, "", " ", "\n", [""]])
async def test_a_guard_that_somebody_has_emptied_never_means_everybody(connected: Any, emptied: Any) -> None:
    connected(extra={"allowed_recipients": emptied})
    error = failure_of(lambda: OmniHook().config)
    assert "\n - extra.allowed_recipients: got " in str(error)
    assert "'*' everybody" in str(error)
    assert_the_test_says(error)
    with pytest.raises(OmniConfigurationError):
        async with shared_async_client("omni_default"):
            pytest.fail("the guard is off")


async def test_the_test_of_a_connection_refuses_an_allowed_recipient_that_is_no_number(connected: Any) -> None:
    connected(extra={"allowed_recipients": "41793026727; 12"})
    error = failure_of(lambda: OmniHook().config)
    assert "extra.allowed_recipients: … is no number" in str(error)
    assert_the_test_says(error)
    with pytest.raises(OmniConfigurationError):
        async with shared_async_client("omni_default"):
            pytest.fail("the guard is off")


SHAPES: tuple[dict[str, Any], ...] = (
    {}, {"host": "xyz.api.infobip.com/omni/1"}, {"host": "https://xyz.api.infobip.com//"}, {"host": " a.example\n"},
    {"host": "a b.example"}, {"host": "me:long-password@a.example"}, {"host": "https://me:long-password@a.example"},
    {"host": "https://https://a.example"}, {"host": "a.example:8443"}, {"host": "a.example:8443/omni"},
    {"host": "omni://a.example"}, {"host": "a.example?x=1"}, {"host": "[::1]"}, {"host": "::1"}, {"host": ""},
    {"schema": "http"}, {"schema": "https://"}, {"schema": " HTTPS "}, {"schema": "omni/1"},
    {"port": "8443"}, {"port": "https"}, {"port": 99999}, {"port": 0}, {"port": "0"},
    {"password": "long-password\n"}, {"password": "long\r\nX-Other: password"}, {"password": "l@ng:/p?ss#%41"},
    {"password": ""}, {"login": ""}, {"login": "a:b"}, {"login": "me\n"}, {"login": "m\ne"},
    *({"extra": extra} for extra in (
        '{"allowed_recipients": null}', '{"allowed_recipients": ""}', '{"allowed_recipients": ["41793026727"]}',
        '{"allowed_recipients": "+41793026727, 0041793026728"}', '{"allowed_recipients": "12"}',
        '{"read_timeout": "5", "max_connections": 3}', '{"id_secret": "12345"}', '{"id_secret": "null"}',
        '{"id_secret": "a+b c%20d"}', '{"unknown": 1}', '{"auth_type": "app"}', '{"allow_plain_http": "yes"}',
    )),
)  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_test_refuses_what_a_task_refuses_though_airflow_hands_it_a_uri(
    monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any]
) -> None:
    """Airflow tests a connection under another name, as the URI that it makes of its fields."""
    from airflow.models.connection import Connection

    fields = CONNECTION | shape
    monkeypatch.setenv("AIRFLOW_CONN_TRANSIENT", Connection(conn_id="transient", **fields).get_uri())
    Wire(ok({"scenarios": []})).put(monkeypatch)
    tested, said = OmniHook("transient").test_connection()
    config = None
    with contextlib.suppress(OmniConfigurationError):
        config = connection_module._config_of(
            SimpleNamespace(**({"schema": None, "port": None, "extra": None} | fields)), "of_a_test"
        )
    assert tested is (config is not None), said
    if config is not None:
        assert OmniHook("transient").config == config
    assert "long" not in said


@pytest.mark.parametrize("uri", [
    "postgres://somebody:long-password@xyz.api.infobip.com/db", "//somebody:long-password@xyz.api.infobip.com",
])  # fmt: skip
async def test_the_password_of_a_connection_of_another_type_stays_there(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", uri)
    assert "\n - conn_type: got " in str(failure_of(lambda: OmniHook().config))
    with pytest.raises(OmniConfigurationError, match="conn_type"):
        async with shared_async_client("omni_default"):
            pytest.fail("connected")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Port could not be cast to integer value as 'long-pass'"),
        AirflowException("Invalid connection string: omni://me:long-pass://word@xyz.api.infobip.com."),
    ],
)
async def test_airflow_quotes_a_password_in_a_broken_connection_and_we_do_not(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    async def broken_there(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(OmniHook, "get_connection", broken)
    monkeypatch.setattr("airflow.providers.common.compat.connection.get_async_connection", broken_there)
    caught = [failure_of(lambda: OmniHook().config)]
    with pytest.raises(OmniConfigurationError) as raised:
        async with shared_async_client("omni_default"):
            pytest.fail("connected")
    for each in (*caught, raised.value):
        assert "percent-encoded" in str(each)
        assert "long-pass" not in "".join(traceback.format_exception(each))


@pytest.mark.parametrize(
    "written",
    [
        "omni://me:long-password@xyz.api.infobip.com:port",
        "omni://me:long-password@xyz.api.infobip.com:99999",
        "omni://me:long/password@xyz.api.infobip.com",
        "omni://me:long-password@https://xyz.api.infobip.com",
        json.dumps(CONNECTION | {"port": "port"}),
        json.dumps(CONNECTION | {"prot": 8443}),
        json.dumps(CONNECTION)[:-1],
    ],
)
async def test_a_variable_that_airflow_cannot_read_is_told_as_that_and_not_as_a_connection_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", written)
    error = failure_of(lambda: OmniHook().config)
    assert "'omni_default' cannot be read" in str(error)
    assert_the_test_says(error)
    with pytest.raises(OmniConfigurationError, match="cannot be read"):
        async with shared_async_client("omni_default"):
            pytest.fail("connected")


@pytest.mark.parametrize("conn_id", [None, "", " ", "None", "null", 7, b"omni_default"], ids=repr)
async def test_what_names_no_connection_is_one_clear_problem_in_both_halves(conn_id: Any) -> None:
    error = failure_of(lambda: OmniHook(conn_id).config)
    assert isinstance(error, OmniConfigurationError)
    (problem,) = error.problems
    assert problem.startswith("omni_conn_id: got ")
    assert problem.endswith("expected the id of a connection, such as 'omni_default'")
    with pytest.raises(OmniConfigurationError, match="omni_conn_id: got "):
        async with shared_async_client(conn_id):
            pytest.fail("connected")


async def test_a_connection_that_is_not_there_is_a_retryable_error_with_a_code_in_both_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_OMNI_DEFAULT", raising=False)
    error = failure_of(lambda: OmniHook().config)
    assert isinstance(error, OmniConfigurationError)
    assert error.retryable  # a secrets backend that does not answer looks the same
    assert error.problems == ("omni_conn_id: got 'omni_default', expected a connection that exists",)
    assert error.__context__ is None
    with pytest.raises(OmniConfigurationError, match="OMNI-111"):
        async with shared_async_client("omni_default"):
            pytest.fail("connected")


def test_a_uri_in_place_of_a_connections_id_is_not_shown() -> None:
    error = failure_of(lambda: OmniHook("omni://me:hunter2@example.com").config)
    assert isinstance(error, OmniConfigurationError)
    assert "hunter2" not in str(error)


def test_a_password_with_the_line_end_of_its_file_is_masked_without_it(
    connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr(connection_module, "mask_secret", masked.append)
    connected(password="long-password\n")
    _ = OmniHook().config
    assert masked[0] == "long-password"


def test_testing_a_connection_only_lists_one_scenario(answering: Any) -> None:
    wire = answering(ok({"scenarios": []}))
    OmniHook().test_connection()
    (call,) = wire.request_history
    assert (call.method, call.path_url) == ("GET", "/omni/1/scenarios?page=0&limit=1")


def test_testing_a_connection_that_cannot_be_used_says_why(connected: Any) -> None:
    connected(password="")
    assert_the_test_says(failure_of(lambda: OmniHook().config))


def assert_the_test_says(error: OmniConfigurationError) -> None:
    """The Test of the connection fails with all of the problems, in one line."""
    good, said = OmniHook().test_connection()
    assert not good
    assert all(problem.rstrip(".") in said for problem in error.problems or (error.message.rstrip("."),))
    assert "\n" not in said


def failure_of(action: Callable[[], Any]) -> OmniConfigurationError:
    with pytest.raises(OmniConfigurationError) as caught:
        action()
    return caught.value


def test_the_form_has_every_extra_of_the_connection_and_no_other() -> None:
    (form,) = get_provider_info()["connection-types"]
    assert set(form["conn-fields"]) == set(EXTRAS)


FORM: dict[str, dict[str, Any]] = get_provider_info()["connection-types"][0]["conn-fields"]
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "null": (type(None),)
}  # fmt: skip


def takes(name: str, value: Any) -> bool:
    """Return True if the form saves this value: by type, choice, limits and length, as Airflow's pages read them."""
    schema = FORM[name]["schema"]
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if not any(type(value) in KINDS[each] for each in types):
        return False
    if value is None:
        return True
    if "enum" in schema:
        return value in schema["enum"]
    if isinstance(value, str):
        return len(value) <= schema.get("maxLength", len(value)) and (value != "" or "null" in types)
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


NUMBERS = (-1, 0, 0.009, 0.01, 0.05, 0.099, 0.1, 0.5, 1, 1.5, 8, 999, 1000, 1001, 3599.5, 3600, 3600.1, 100_000)
TYPED: list[tuple[str, Any]] = [
    *((name, value) for name in ("connect_timeout", "read_timeout", "requests_per_second", "max_connections")
      for value in (*NUMBERS, None, True, "soon")),
    *(("auth_type", value) for value in ("basic", "app", "bearer", "oauth", None, 1)),
    *(("number_check", value) for value in ("valid", "possible", "none", None, True)),
    *((name, value) for name in ("trust_duplicate_rejection", "allow_plain_http")
      for value in (True, False, None, 1, "yes")),
    *((name, value) for name in ("allowed_recipients", "allowed_countries") for value in ("*", None, "")),
    ("allowed_recipients", "+41793026727\n+41793026728\n"), ("allowed_countries", "TH, SG"),
    ("region", "TH"), ("region", None), ("region", "Thailand"), ("id_secret", "made once"), ("id_secret", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), TYPED, ids=str)
def test_the_form_and_the_connection_take_the_same_values(connected: Any, name: str, value: Any) -> None:
    """Test and the first call tell where the form has no rule for a text, such as of a number's digits."""
    connected(extra={name: value})
    refused = ""
    try:
        _ = OmniHook().config
    except OmniConfigurationError as error:
        refused = str(error)
    assert takes(name, value) is (refused == "")
    assert refused == "" or f"extra.{name}: " in refused


def test_what_the_form_shows_is_what_counts_without_it(connected: Any) -> None:
    """Airflow up to 3.3 saves every field, with its default or as null; later ones those that were touched."""
    connected(extra={name: spec["schema"]["default"] for name, spec in FORM.items()})
    untouched = OmniHook().config
    connected(extra={})
    assert untouched == OmniHook().config


def test_no_field_of_the_form_shows_null_and_each_has_words() -> None:
    for spec in FORM.values():
        schema = spec["schema"]
        assert None not in schema.get("enum", ())
        assert set(schema.get("values_display", ())) == set(schema.get("enum", ()))
        assert spec["label"]
        assert spec["description"].endswith(".")


class AirflowsField:
    """Field as Airflow 3.0 and 3.1 make it; Airflow 2 has `options` only."""

    def __init__(self, label: str, validators: Any = (), **options: Any) -> None:
        self.label, self.validators, self.options = label, validators, options
        self.param = SimpleNamespace(schema={"type": ["string", "null"], "title": label}, value=options["default"])


@pytest.fixture
def older_form(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], type[Exception]]:
    """The fields for Airflow before 3.2, and the error by which one is refused."""
    refused = type("ValidationError", (ValueError,), {})
    kinds = {each: type(each, (AirflowsField,), {}) for each in ("BooleanField", "PasswordField", "StringField")}
    looks = {each: type(each, (), {}) for each in ("BS3TextFieldWidget", "BS3TextAreaFieldWidget",
                                                   "BS3PasswordFieldWidget")}  # fmt: skip
    monkeypatch.setitem(sys.modules, "wtforms", SimpleNamespace(**kinds, ValidationError=refused))
    monkeypatch.setitem(sys.modules, "flask_appbuilder", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "flask_appbuilder.fieldwidgets", SimpleNamespace(**looks))
    return OmniHook.get_connection_form_widgets(), refused


def test_the_form_of_airflow_3_1_has_the_rules_of_later_ones(older_form: Any) -> None:
    fields, _ = older_form
    assert list(fields) == list(FORM)
    for name, spec in FORM.items():
        assert fields[name].param.schema == {**spec["schema"], "title": spec["label"]} or name == "requests_per_second"
        assert fields[name].param.value == spec["schema"]["default"]
        assert fields[name].options["description"] == spec["description"]


def test_the_form_of_airflow_3_1_shows_no_error_at_a_number_that_is_empty_unless_set(older_form: Any) -> None:
    """An empty number is 0 there."""
    fields, _ = older_form
    for field in fields.values():
        if field.param.value is None:
            assert field.param.schema.get("minimum", 0) <= 0


def test_the_form_of_airflow_2_shows_lines_passwords_and_switches_as_such(older_form: Any) -> None:
    fields, _ = older_form
    assert type(fields["allowed_recipients"].options["widget"]).__name__ == "BS3TextAreaFieldWidget"
    assert type(fields["id_secret"]).__name__ == "PasswordField"
    assert type(fields["allow_plain_http"]).__name__ == "BooleanField"
    assert fields["read_timeout"].options["default"] == "30"


def test_the_form_of_airflow_2_does_not_take_an_emptied_guard_which_it_would_leave_out(older_form: Any) -> None:
    fields, refused = older_form
    for name, value in {"allowed_recipients": "41793026727", "allowed_countries": "TH"}.items():
        assert fields[name].options["default"] == "*"
        (check,) = fields[name].validators
        for emptied in ("", " ", None):
            with pytest.raises(refused, match=r"\* for everybody"):
                check(SimpleNamespace(data={"conn_type": "omni"}), SimpleNamespace(data=emptied))
            check(SimpleNamespace(data={"conn_type": "postgres"}), SimpleNamespace(data=emptied))
        check(SimpleNamespace(data={"conn_type": "omni"}), SimpleNamespace(data=value))


def test_the_form_of_airflow_2_refuses_what_the_connection_refuses_and_no_other_type_of_connection(
    older_form: Any,
) -> None:
    fields, refused = older_form
    wrong = {"auth_type": "oauth", "read_timeout": "soon", "max_connections": "1.5", "region": "Thailand",
             "number_check": "none", "requests_per_second": "0", "id_secret": " "}  # fmt: skip
    for name, value in wrong.items():
        (check,) = fields[name].validators
        with pytest.raises(refused, match=name):
            check(SimpleNamespace(data={"conn_type": "omni"}), SimpleNamespace(data=value))
        check(SimpleNamespace(data={"conn_type": "postgres"}), SimpleNamespace(data=value))
        check(SimpleNamespace(data={"conn_type": "omni"}), SimpleNamespace(data=""))


def test_the_labels_for_older_airflow_are_the_same() -> None:
    (form,) = get_provider_info()["connection-types"]
    assert OmniHook.get_ui_field_behaviour()["relabeling"] == form["ui-field-behaviour"]["relabeling"]
    assert set(OmniHook.get_ui_field_behaviour()) == {"hidden_fields", "relabeling", "placeholders"}


# -- scenarios ------------------------------------------------------------------------------------------------


def test_scenarios_are_listed_until_a_short_page(answering: Any) -> None:
    full = ok({"scenarios": [scenario(str(number)) for number in range(100)]})
    wire = answering(full, full, ok({"scenarios": [scenario("last")]}))
    assert len(OmniHook().list_scenarios()) == 201
    assert [call.qs["page"] for call in wire.request_history] == [["0"], ["1"], ["2"]]


def test_a_scenario_that_is_there_is_reused_without_a_second_call(answering: Any) -> None:
    wire = answering(ok({"scenarios": [scenario("A")]}))
    assert OmniHook().ensure_scenario("alerts", FLOW).key == "A"
    assert len(wire.request_history) == 1


def test_a_scenario_whose_creation_was_not_answered_is_looked_up_and_not_created_twice(answering: Any) -> None:
    wire = answering(ok({"scenarios": []}), LOST, ok({"scenarios": [scenario("A")]}))
    assert OmniHook().ensure_scenario("alerts", FLOW).key == "A"
    assert [call.method for call in wire.request_history] == ["GET", "POST", "GET"]


def test_a_scenario_that_was_not_created_after_all_is_an_error_for_airflows_retry(answering: Any) -> None:
    answering(ok({"scenarios": []}), LOST, ok({"scenarios": []}))
    with pytest.raises(OmniTransportError):
        OmniHook().ensure_scenario("alerts", FLOW)


def test_if_exists_create_asks_for_no_list(answering: Any) -> None:
    wire = answering(ok(scenario("B"), 201))
    assert OmniHook().ensure_scenario("alerts", FLOW, if_exists="create").key == "B"
    assert [call.method for call in wire.request_history] == ["POST"]


def test_update_replaces_a_scenario(answering: Any) -> None:
    wire = answering(ok(scenario("A")))
    OmniHook().update_scenario("A", "alerts", FLOW, default=True)
    assert (wire.request_history[0].method, wire.request_history[0].path) == ("PUT", "/omni/1/scenarios/A")
    assert wire.request_history[0].json() == {"name": "alerts", "flow": FLOW, "default": True}


def test_a_flow_that_cannot_be_used_is_refused_before_any_call(answering: Any) -> None:
    wire = answering()
    with pytest.raises(OmniInputError, match="channel"):
        OmniHook().create_scenario("alerts", [{"channel": "PIGEON"}])
    assert wire.request_history == []


# -- messages: the responses of the source document -----------------------------------------------------------


def test_response_of_creating_a_scenario(answering: Any) -> None:
    flow = [{"from": "InfoLine", "channel": "LINE"}, {"from": "InfoSMS", "channel": "SMS"}]
    key = "CC9F01A5DC7BEE2C2B829D203482A654"
    answering(ok({"key": key, "name": "My LINE-SMS scenario", "flow": flow, "default": True}))
    made = OmniHook().create_scenario("My LINE-SMS scenario", flow, default=True)
    assert (made.key, made.name, made.default) == (key, "My LINE-SMS scenario", True)
    assert [(step.channel, step.from_) for step in made.flow] == [("LINE", "InfoLine"), ("SMS", "InfoSMS")]


def test_response_of_sending_a_text_message(answering: Any) -> None:
    status = {
        "groupId": 1,
        "groupName": "PENDING",
        "id": 7,
        "name": "PENDING_ENROUTE",
        "description": "Message sent to next instance",
    }
    message_id = "50c24400-124f-4678-9f4b-309e994a4deb"
    row = {"to": {"phoneNumber": "41793026731"}, "status": status, "messageId": message_id}
    wire = answering(ok({"messages": [row]}))
    body = {
        "scenarioKey": "CC9F01A5DC7BEE2C2B829D203482A654",
        "destinations": [{"to": {"phoneNumber": "41793026727"}}],
        "line": {"type": "TEXT", "text": "For those who are."},
        "sms": {"text": "For those who are not."},
    }
    sent = OmniHook().send_advanced(body)
    assert wire.request_history[0].json() == body
    assert [(each.message_id, each.status.name) for each in sent.messages] == [(message_id, "PENDING_ENROUTE")]


def test_response_of_getting_delivery_reports(answering: Any) -> None:
    report = {
        "bulkId": "",
        "price": {"pricePerMessage": 0.000000, "currency": "HRK"},
        "status": {
            "id": 5,
            "groupId": 3,
            "groupName": "DELIVERED",
            "name": "DELIVERED_TO_HANDSET",
            "description": "Message delivered to handset",
        },
        "error": {
            "id": 0,
            "name": "NO_ERROR",
            "description": "No Error",
            "groupId": 0,
            "groupName": "OK",
            "permanent": False,
        },
        "messageId": "1215f543ab19-345f-adbd-12ad31451ed25f35",
        "doneAt": "2019-01-10T16:27:20.098+0000",
        "messageCount": 1,
        "sentAt": "2019-01-10T16:27:18.497+0000",
        "to": "41793026727",
        "channel": "LINE",
    }
    wire = answering(ok({"results": [report]}))
    (read_report,) = OmniHook().get_reports()
    assert wire.request_history[0].path == "/omni/1/reports"
    assert read_report.message_id == "1215f543ab19-345f-adbd-12ad31451ed25f35"
    assert read_report.status.name == "DELIVERED_TO_HANDSET"
    assert read_report.error is not None
    assert read_report.error.permanent is False
    assert read_report.channel == "LINE"
    assert read_report.done_at is not None
    assert read_report.done_at.isoformat() == "2019-01-10T16:27:20.098000+00:00"


@pytest.mark.parametrize("read", [lambda: OmniHook().get_reports(bulk_id="b"), lambda: OmniHook().get_logs()])
def test_rows_that_cannot_be_read_are_left_out_with_a_warning(
    answering: Any, read: Any, caplog: Any, capsys: Any
) -> None:
    answering(ok({"results": [{"messageId": None, "status": {}}, {"messageId": "m", "status": {}}]}))
    assert [row.message_id for row in read()] == ["m"]
    # Airflow 2 logs through the standard library, Airflow 3 to the standard output.
    assert "1 row(s) of the answer could not be read" in caplog.text + capsys.readouterr().out


def test_a_read_of_reports_that_failed_is_not_repeated_because_they_are_handed_out_once(answering: Any) -> None:
    wire = answering(LOST, ok({"results": []}))
    with pytest.raises(OmniTransportError):
        OmniHook().get_reports(bulk_id="b")
    assert len(wire.request_history) == 1


def test_a_send_that_failed_is_not_repeated(answering: Any) -> None:
    wire = answering(LOST)
    with pytest.raises(OmniTransportError):
        OmniHook().send_advanced({"destinations": [{"to": {"phoneNumber": "41793026727"}}], "sms": {"text": "Hello"}})
    assert len(wire.request_history) == 1


def send_to(*addresses: dict[str, str]) -> Any:
    return OmniHook().send_advanced({"destinations": [{"to": to} for to in addresses], "sms": {"text": "Hello"}})


def test_a_request_with_anybody_outside_of_the_allowed_recipients_is_refused_as_a_whole(
    connected: Any, answering: Any
) -> None:
    wire = answering(ok({"messages": []}))
    connected(extra={"allowed_recipients": ["+41 79 302 67 27"]})
    with pytest.raises(OmniInputError) as caught:
        send_to(
            {"phoneNumber": "41793026727"},
            {"phoneNumber": "41793026731"},
            {"emailAddress": "somebody@example.com"},
            {"phoneNumber": "41793026727", "emailAddress": "somebody@example.com"},
            {"phoneNumber": "12"},
        )
    assert [line.split(":")[0] for line in caught.value.problems] == [
        f"destinations[{index}]" for index in (1, 2, 3, 4)
    ]
    assert not any(part in str(caught.value) for part in ("4179", "example"))
    assert wire.request_history == []


def test_a_request_to_a_country_that_is_not_allowed_is_refused_as_a_whole(connected: Any, answering: Any) -> None:
    wire = answering(ok({"messages": []}))
    connected(extra={"allowed_countries": ["CH"], "region": "TH"})
    with pytest.raises(OmniInputError) as caught:
        send_to(
            {"phoneNumber": "41793026727"}, {"phoneNumber": "+66812345678"}, {"phoneNumber": "0812345678"},
            {"emailAddress": "somebody@example.com"},
        )  # fmt: skip
    assert [line.split(":")[0] for line in caught.value.problems] == [f"destinations[{index}]" for index in (1, 2, 3)]
    assert wire.request_history == []
    send_to({"phoneNumber": "41793026727"})
    assert len(wire.request_history) == 1


def test_a_request_to_allowed_recipients_only_is_posted(connected: Any, answering: Any) -> None:
    wire = answering(ok({"messages": []}))
    connected(extra={"allowed_recipients": "41793026727"})
    send_to({"phoneNumber": "0041 79 302 67 27"})
    assert len(wire.request_history) == 1


@pytest.mark.parametrize("extra", [{"allowed_recipients": "41793026727"}, {"allowed_countries": "CH"}])
@pytest.mark.parametrize("number", ["+41 (0)79 302 67 27", "410793026727", "\u0664\u0661793026727", "+041793026727"])
def test_a_number_that_is_only_read_as_an_allowed_one_is_not_posted_as_it_stands(
    connected: Any, answering: Any, extra: dict[str, Any], number: str
) -> None:
    """The vendor is told it as it stands, and may read it otherwise."""
    wire = answering(ok({"messages": []}))
    connected(extra=extra)
    with pytest.raises(OmniInputError, match=r"destinations\[0\]"):
        send_to({"phoneNumber": number})
    assert wire.request_history == []


def test_an_empty_list_of_allowed_recipients_lets_the_hook_post_to_nobody(connected: Any, answering: Any) -> None:
    wire = answering()
    connected(extra={"allowed_recipients": []})
    with pytest.raises(OmniInputError, match=r"destinations\[0\]"):
        send_to({"phoneNumber": "41793026727"})
    assert wire.request_history == []


def test_a_body_with_several_mistakes_is_one_error_that_names_them_all(answering: Any) -> None:
    wire = answering()
    body = {"scenario": "K", "destinations": [{"to": {}}], "line": {"type": "TEXTS"}, "bulkId": 7}
    with pytest.raises(OmniInputError) as caught:
        OmniHook().send_advanced(body)
    for field in ("scenario", "destinations[0]", "line.type", "bulkId"):
        assert f"\n - {field}" in str(caught.value)
    assert wire.request_history == []


def test_logs_are_asked_with_the_names_of_the_api(answering: Any) -> None:
    wire = answering(ok({"results": []}))
    OmniHook().get_logs(bulk_ids=["a", "b"], channel="SMS", general_status="REJECTED")
    query = {"bulkId": ["a,b"], "channel": ["SMS"], "generalStatus": ["REJECTED"], "limit": ["1000"]}
    assert wire.request_history[0].qs == query


# -- what a task may return ------------------------------------------------------------------------------------


def through_xcom(value: Any) -> Any:
    """The value that the next task gets: Airflow writes it down, and reads it by its own rules."""
    try:
        from airflow.sdk.serde import deserialize, serialize
    except ImportError:
        from airflow.serialization.serde import deserialize, serialize
    written = json.dumps(serialize(value))
    assert not any(private in written for private in ("41793026727", "Dear Ann", "ann@example.com", "customer 17"))
    return deserialize(json.loads(written))


STATUS = {"groupId": 5, "groupName": "REJECTED", "id": 6, "name": "REJECTED_NETWORK", "description": "no 41793026727"}
ROW = {
    "messageId": "m", "to": "41793026727", "text": "Dear Ann", "callbackData": "customer 17", "status": STATUS,
    "channel": "SMS", "bulkId": "b", "sentAt": "2026-01-10T16:27:18.497+0000",
    "price": {"pricePerMessage": 0.05, "currency": "EUR"},
}  # fmt: skip


def test_the_answer_of_a_send_crosses_to_the_next_task_without_a_number(answering: Any) -> None:
    answering(ok({"messages": [{"to": {"phoneNumber": "41793026727"}, "status": STATUS, "messageId": "m"}]}))
    sent = OmniHook().send_advanced(
        {"destinations": [{"to": {"phoneNumber": "41793026727"}}], "sms": {"text": "Hello"}}
    )
    assert sent.messages[0].to == {"phoneNumber": "41793026727"}
    assert sent["messages"][0]["to"] == {"phoneNumber": "4179…727"}
    read_there = through_xcom(sent)
    assert read_there["messages"][0]["message_id"] == "m"
    assert read_there["messages"][0]["status"]["name"] == "REJECTED_NETWORK"
    assert type(read_there) is dict


@pytest.mark.parametrize("method", ["get_reports", "get_logs"])
def test_reports_and_logs_cross_to_the_next_task_without_numbers_and_texts(answering: Any, method: str) -> None:
    answering(ok({"results": [ROW, {**ROW, "to": "ann@example.com"}]}))
    kind = "report" if method == "get_reports" else "log row"
    rows = getattr(OmniHook(), method)(**({"bulk_id": "b"} if kind == "report" else {}))
    assert (rows[0].to, rows[0]["to"], rows[1]["to"]) == ("41793026727", "4179…727", "…")
    assert (rows[0].callback_data if kind == "report" else rows[0].text) in ("customer 17", "Dear Ann")
    (first, _) = through_xcom(rows)
    assert (first["message_id"], first["channel"], first["price"]["currency"]) == ("m", "SMS", "EUR")
    assert first["sent_at"] == rows[0].sent_at
    assert not {"text", "callback_data"} & set(first)


def test_a_scenario_crosses_to_the_next_task_in_the_shape_that_operators_take(answering: Any) -> None:
    answering(ok({"scenarios": [scenario("A")]}), ok({"scenarios": [scenario("A")]}), ok(scenario("A")))
    found = [OmniHook().ensure_scenario("alerts", FLOW), OmniHook().list_scenarios()[0], OmniHook().get_scenario("A")]
    for each in found:
        assert through_xcom(each) == {"key": "A", "name": "alerts", "flow": FLOW, "default": False}
        assert (each.key, each.flow[0].channel, each.flow[0].from_) == ("A", "LINE", "InfoLine")


def test_neither_a_repr_nor_a_pickle_of_a_result_has_a_number(answering: Any) -> None:
    answering(ok({"results": [ROW]}))
    rows = OmniHook().get_logs()
    for shown in (repr(rows), str(rows[0]), f"{rows[0]['status']}", str(pickle.dumps(rows)), repr(copy.deepcopy(rows))):
        assert "41793026727" not in shown
        assert "Ann" not in shown
    with pytest.raises(AttributeError):
        _ = rows[0].no_such_member


# -- triggers -------------------------------------------------------------------------------------------------


async def test_triggers_of_one_connection_share_a_client_and_the_last_one_closes_it(connected: Any) -> None:
    entered = asyncio.Event()
    leave = asyncio.Event()
    clients: list[Any] = []

    async def trigger() -> None:
        async with shared_async_client("omni_default") as client:
            clients.append(client)
            if len(clients) == 2:
                entered.set()
            await leave.wait()

    tasks = [asyncio.create_task(trigger()) for _ in range(2)]
    await entered.wait()
    leave.set()
    await asyncio.gather(*tasks)
    assert clients[0] is clients[1]


async def test_a_changed_connection_gets_a_client_of_its_own(connected: Any) -> None:
    async with shared_async_client("omni_default") as before:
        connected(password="another-password")
        async with shared_async_client("omni_default") as after:
            assert after is not before
