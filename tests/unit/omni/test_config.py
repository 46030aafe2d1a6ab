"""An account as one checked value."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni.config import EXTRAS, ConnectionExtras, OmniConfig, authorization_header, is_loopback
from airflow_provider_omni.omni.errors import OmniConfigurationError

HOST = "xyz123.api.infobip.com"


def make(host: Any = HOST, schema: Any = None, port: Any = None, login: Any = "me", password: Any = "secret-word",
         **extra: Any) -> OmniConfig:  # fmt: skip
    return OmniConfig.from_connection(host, schema, port, login, password, extra)


def problems(**arguments: Any) -> tuple[str, ...]:
    with pytest.raises(OmniConfigurationError) as caught:
        make(**arguments)
    assert "secret-word" not in str(caught.value)
    return caught.value.problems


@pytest.mark.parametrize(
    ("host", "schema", "port", "url"),
    [
        (HOST, None, None, f"https://{HOST}"),
        (f"https://{HOST}", None, None, f"https://{HOST}"),
        (f"https://{HOST}/", None, None, f"https://{HOST}"),
        (f" HTTPS://{HOST.upper()} ", None, None, f"https://{HOST}"),
        (HOST, "https", 8443, f"https://{HOST}:8443"),
        (f"https://{HOST}:8443", None, None, f"https://{HOST}:8443"),
        (f"{HOST}:8443", None, None, f"https://{HOST}:8443"),
        (f"{HOST}:8443", None, 8443, f"https://{HOST}:8443"),
        ("127.0.0.1", "http", 8900, "http://127.0.0.1:8900"),
        ("http://localhost:8900", None, None, "http://localhost:8900"),
        ("http://localhost", "https", 8900, "http://localhost:8900"),
        ("127.9.9.9", "http", None, "http://127.9.9.9"),
        ("::1", "http", 8900, "http://[::1]:8900"),
        ("http://[::1]:8900", None, None, "http://[::1]:8900"),
        (f"https://{HOST}///", None, None, f"https://{HOST}"),
        (f"\u200b{HOST}\xa0\r\n", " https:// ", None, f"https://{HOST}"),
        (HOST, "HTTPS:", None, f"https://{HOST}"),
        (HOST, None, 0, f"https://{HOST}"),
        (HOST, None, "0", f"https://{HOST}"),
    ],
)
def test_the_base_url_comes_from_host_schema_and_port(host: str, schema: Any, port: Any, url: str) -> None:
    assert make(host, schema, port).base_url == url


def test_plain_http_to_another_machine_needs_to_be_allowed() -> None:
    assert problems(host="http://gateway.example")[0].startswith("schema: got http, expected https")
    assert make("http://gateway.example", allow_plain_http=True).base_url == "http://gateway.example"


@pytest.mark.parametrize("host", [HOST, "infobip.com", "API.INFOBIP.COM", "api.infobip.com."])
def test_plain_http_to_the_vendor_is_never_allowed(host: str) -> None:
    assert "in the clear" in problems(host=host, schema="http", allow_plain_http=True)[0]


def test_a_name_that_only_looks_like_the_vendors_is_not_it() -> None:
    assert make("http://notinfobip.com", allow_plain_http=True).base_url == "http://notinfobip.com"


@pytest.mark.parametrize(
    "host",
    [
        None, "", "https://", "https:", f"https://https://{HOST}", f"https://{HOST}/omni/1", f"{HOST}?x=1",
        f"me:secret-word@{HOST}", "a b", "http://[x",
        "ä.example", "x..y", f"{HOST}:99999", f"{HOST}:x", f"ftp://{HOST}",
    ],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(host: Any) -> None:
    assert problems(host=host)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"host": f"me:secret-word@{HOST}"}, "host: got a URL with a login, expected scheme, host and port only"),
        ({"host": f"https://me@{HOST}"}, "host: got a URL with a login, expected scheme, host and port only"),
        (
            {"host": f"https://{HOST}/omni/1/advanced"},
            "host: got a URL with a path or a query, expected scheme, host and port only; the provider",
        ),
        ({"host": "xyz 123.api.infobip.com"}, "host: got something that is no host name"),
        ({"schema": "omni/1"}, "schema: got something else, expected https"),
        ({"schema": "://"}, None),
    ],
)
def test_a_mistake_in_host_or_schema_is_one_line_about_that_field(fields: dict[str, Any], line: str | None) -> None:
    if line is None:
        assert make(**fields).base_url == f"https://{HOST}"
        return
    [found] = problems(**fields)
    assert found.startswith(line)


def test_two_ports_that_differ_are_refused() -> None:
    assert problems(host=f"{HOST}:1", port=2) == ("port: got 2, expected 1, as the host says, or none",)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    assert problems(port=port) == (f"port: got {port}, expected 1 to 65535",)


def test_basic_authentication_is_login_and_password_in_utf_8() -> None:
    value = authorization_header(make(login="mé", password="pä:ss"))
    assert base64.b64decode(value.removeprefix("Basic ")).decode() == "mé:pä:ss"


@pytest.mark.parametrize(("auth_type", "value"), [
    ("app", "App secret-word"), ("bearer", "Bearer secret-word"), ("APP", "App secret-word"),
])  # fmt: skip
def test_a_key_or_token_is_the_password(auth_type: str, value: str) -> None:
    assert make(login=None, auth_type=auth_type).authorization == value


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ({"password": None}, "password: missing"),
        ({"password": ""}, "password: missing"),
        ({"login": None}, "login: missing"),
        ({"login": "a:b"}, "login: holds a colon"),
        ({"login": "a\nb"}, "login: holds a colon or a control"),
        ({"auth_type": "app", "password": None}, "password: missing; with auth_type app"),
        ({"auth_type": "app", "password": "secret-word\r\nX: y"}, "password: holds"),
        ({"auth_type": "bearer", "password": "sécret"}, "password: holds"),
        ({"auth_type": "oauth"}, "extra.auth_type: got a string of 5 characters, expected basic, app or bearer"),
    ],
)
def test_a_login_that_cannot_be_used_is_one_clear_line(arguments: dict[str, Any], start: str) -> None:
    assert problems(**arguments)[0].startswith(start)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("connect_timeout", 5, 5.0),
        ("read_timeout", "2.5", 2.5),
        ("requests_per_second", 0.5, 0.5),
        ("max_connections", 32, 32),
        ("max_connections", "32", 32),
        ("region", " th ", "TH"),
        ("region", "", None),
        ("allowed_countries", "TH, sg", frozenset({"TH", "SG"})),
        ("allowed_countries", ["TH"], frozenset({"TH"})),
        ("allowed_countries", [], frozenset()),
        ("allowed_countries", "*", None),
        ("number_check", "possible", "possible"),
        ("number_check", None, "valid"),
        ("allowed_recipients", ["+4179", 4178, " 004177 "], frozenset({"+4179", "4178", "004177"})),
        ("allowed_recipients", "+41793026727, 41793026728", frozenset({"+41793026727", "41793026728"})),
        ("allowed_recipients", '["41793026727"]', frozenset({"41793026727"})),
        ("allowed_recipients", [], frozenset()),
        ("allowed_recipients", "[]", frozenset()),
        ("allowed_recipients", "*", None),
        ("allowed_recipients", " * \n", None),
        ("allowed_recipients", 41793026727, frozenset({"41793026727"})),
        ("allowed_recipients", "['41793026727', '+41793026728']", frozenset({"41793026727", "+41793026728"})),
        ("allowed_recipients", "('41793026727',)", frozenset({"41793026727"})),
        ("allowed_recipients", '"41793026727"', frozenset({"41793026727"})),
        ("allowed_recipients", "(41) 79 302 67 27", frozenset({"(41) 79 302 67 27"})),
        ("allowed_recipients", "41793026727; 41793026728", frozenset({"41793026727", "41793026728"})),
        ("allowed_recipients", "41793026727\r\n41793026728\r\n", frozenset({"41793026727", "41793026728"})),
        ("allowed_recipients", "41793026727 41793026728", frozenset({"41793026727", "41793026728"})),
        ("allowed_recipients", "41793026727\u300141793026728", frozenset({"41793026727", "41793026728"})),
        ("allowed_recipients", "+41 79 302 67 27 +41 (79) 302-67-28",
         frozenset({"+41 79 302 67 27", "+41 (79) 302-67-28"})),
        ("allowed_recipients", ["41793026727, 41793026728", ""], frozenset({"41793026727", "41793026728"})),
        ("id_secret", "pepper", "pepper"),
        ("trust_duplicate_rejection", True, True),
        ("trust_duplicate_rejection", "true", True),
        ("trust_duplicate_rejection", "False", False),
        ("connect_timeout", None, 10.0),
        ("connect_timeout", "", 10.0),
    ],
)  # fmt: skip
def test_an_extra_is_read_also_from_a_string(name: str, value: Any, read: Any) -> None:
    assert getattr(make(**{name: value}), name) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connect_timeout", "ten"),
        ("connect_timeout", 0),
        ("connect_timeout", -1),
        ("connect_timeout", True),
        ("connect_timeout", float("nan")),
        ("read_timeout", float("inf")),
        ("read_timeout", [5]),
        ("read_timeout", 10**400),
        ("requests_per_second", 0),
        ("requests_per_second", {}),
        ("max_connections", 1.5),
        ("max_connections", 0),
        ("max_connections", 1001),
        ("allowed_recipients", [None]),
        ("allowed_recipients", 41793026727.0),
        ("allowed_recipients", {"a": 1}),
        ("allowed_recipients", '{"41793026727": true}'),
        ("allowed_recipients", "[broken"),
        ("allowed_recipients", "['41793026727'"),
        ("allowed_recipients", "['41793026727' '41793026728']"),
        ("allowed_recipients", "[['41793026727']]"),
        ("allowed_recipients", None),
        ("allowed_recipients", ["*"]),
        ("allowed_recipients", "41793026727, *"),
        ("allowed_recipients", ""),
        ("allowed_recipients", " , ;\n"),
        ("allowed_recipients", ["", " "]),
        ("allowed_recipients", False),
        ("region", "UK"),
        ("region", 66),
        ("allowed_countries", ""),
        ("allowed_countries", None),
        ("allowed_countries", "everywhere"),
        ("allowed_countries", {"TH": True}),
        ("number_check", "none"),
        ("number_check", True),
        ("id_secret", 5),
        ("id_secret", ""),
        ("id_secret", " "),
        ("trust_duplicate_rejection", "perhaps"),
        ("trust_duplicate_rejection", 1),
        ("allow_plain_http", "1"),
        ("auth_type", 5),
    ],
)
def test_an_extra_of_a_wrong_type_is_one_clear_line(name: str, value: Any) -> None:
    [line] = problems(**{name: value})
    assert line.startswith(f"extra.{name}: got ")
    assert line.endswith(f"expected {ConnectionExtras.model_fields[name].description}")
    assert "41793026727" not in line


@pytest.mark.parametrize("name", ["trust_duplicate_rejection", "allow_plain_http"])
def test_a_text_in_place_of_a_flag_is_told_by_its_size_and_not_as_nothing(name: str) -> None:
    assert list(problems(**{name: "hunter2"})) == [
        f"extra.{name}: got a string of 7 characters, expected true or false"
    ]


@pytest.mark.parametrize(
    "text", ["Summer2026!", "Sommer", "-", "2026!", "41793026727 (Ann)", "\u0e2a\u0e21\u0e0a\u0e32\u0e22"]
)
def test_a_text_that_is_no_number_is_no_allowed_recipient(text: str) -> None:
    expected = "got a text that is no number, expected a phone number"
    assert list(problems(allowed_recipients=text)) == [f"extra.allowed_recipients: {expected}"]
    assert list(problems(allowed_recipients=["41793026727", text])) == [f"extra.allowed_recipients[1]: {expected}"]


def test_a_bad_region_hides_no_bad_entry_of_the_guard() -> None:
    found = problems(region="Thailand", allowed_recipients=["+41 79 302 67 27", "Summer2026!"])
    assert [line.partition(":")[0] for line in found] == ["extra.allowed_recipients[1]", "extra.region"]


def test_an_unknown_extra_is_told_with_the_one_that_was_meant_or_else_with_the_known_ones() -> None:
    assert problems(timeout=5) == ("extra.timeout: unknown option, did you mean read_timeout?",)
    [line] = problems(timezone=5)
    assert line == f"extra.timezone: got an unknown option, expected one of {', '.join(EXTRAS)}"


def test_every_problem_is_named_at_once() -> None:
    found = problems(host=None, login=None, password=None, timeout=5, read_timeout="x")
    assert [line.split(":")[0] for line in found] == [
        "extra.timeout",
        "extra.read_timeout",
        "host",
        "password",
        "login",
    ]


@pytest.mark.parametrize("extra", ["{}", [], 5])
def test_an_extra_that_is_no_object_is_refused(extra: Any) -> None:
    with pytest.raises(OmniConfigurationError, match="extra: got"):
        OmniConfig.from_connection(HOST, None, None, "me", "secret-word", extra)


def test_the_defaults_hold_without_extra() -> None:
    config = OmniConfig.from_connection(HOST, login="me", password="secret-word")
    assert (config.connect_timeout, config.read_timeout, config.max_connections) == (10.0, 30.0, 8)
    assert (config.requests_per_second, config.allowed_recipients, config.id_secret) == (None, None, None)


def test_a_repr_shows_no_secret() -> None:
    shown = repr(make(id_secret="pepper", allowed_recipients=["41793026727"]))
    assert not any(secret in shown for secret in ("secret-word", "Basic", "pepper", "41793026727"))


def test_the_account_is_the_same_whatever_the_password_and_the_time_outs() -> None:
    assert make().account == make(password="other", read_timeout=5).account
    assert len({make().account, make(login="you").account, make("abc.api.infobip.com").account}) == 3
    assert make(auth_type="app").account == make(auth_type="app", login="x", password="other").account


def test_records_know_an_account_by_host_and_login_whatever_the_password() -> None:
    mark = make().account_mark
    assert len(mark) == 16
    assert mark == make(password="other", read_timeout=5, id_secret="pepper").account_mark
    assert mark == make(f"https://{HOST.upper()}.", port=443).account_mark
    assert len({mark, make(login="you").account_mark, make("abc.api.infobip.com").account_mark}) == 3
    assert mark != make(port=8443).account_mark


@pytest.mark.parametrize("auth_type", ["app", "bearer"])
def test_where_there_is_no_login_another_key_is_another_account(auth_type: str) -> None:
    first, second = (make(login=None, password=key, auth_type=auth_type) for key in ("key-one", "key-two"))
    assert first.account_mark != second.account_mark
    # A login names the account, so that its key may change.
    first, second = (make(login="mine", password=key, auth_type=auth_type) for key in ("key-one", "key-two"))
    assert first.account_mark == second.account_mark


def test_a_config_can_be_a_key() -> None:
    assert {make(allowed_recipients=["1"]): 1}[make(allowed_recipients=["1"])] == 1


def test_only_addresses_of_this_machine_are_local() -> None:
    assert is_loopback("localhost")
    assert is_loopback("127.0.0.2")
    assert not is_loopback("xyz.api.infobip.com")


def typed(extra: Any, conn_type: Any = "omni", **fields: Any) -> OmniConfig:
    """A connection as Airflow hands it out: its extra is a text."""
    whole = {"host": HOST, "schema": None, "port": None, "login": "me", "password": "secret-word", **fields}
    return OmniConfig.from_airflow(SimpleNamespace(conn_type=conn_type, extra=extra, **whole))


def typed_problems(extra: Any, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(OmniConfigurationError) as caught:
        typed(extra, **fields)
    assert "41793026727" not in str(caught.value)
    assert "secret-word" not in str(caught.value)
    return caught.value.problems


GUARDED = {"allowed_recipients": ["41793026727"]}


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ('{"allowed_recipients": ["41793026727"], "allow_plain_http": False}', "a text that is not JSON"),
        ('{"allowed_recipients": ["41793026727"],}', "a text that is not JSON"),
        ("{'allowed_recipients': ['41793026727']}", "a text that is not JSON"),
        ("allowed_recipients=41793026727", "a text that is not JSON"),
        (" ", "a text that is not JSON"),
        ("\ufeff" + json.dumps(GUARDED), "a text that is not JSON"),
        (json.dumps(GUARDED) + json.dumps(GUARDED), "a text that is not JSON"),
        ("[" * 100_000, "a text that is not JSON"),
        ("null", "nothing"),
        ("41793026727", "int"),
        ("true", "bool"),
        ('["41793026727"]', "list"),
        (json.dumps(json.dumps(GUARDED)), "JSON within JSON: it was written down twice"),
        (b"{}", "bytes"),
        (["41793026727"], "list"),
        (0, "int"),
    ],
)
def test_an_extra_that_is_no_json_object_is_refused_since_it_may_hold_a_guard(extra: Any, found: str) -> None:
    [line] = typed_problems(extra)
    assert line.startswith("extra: got ")
    assert "expected a JSON object" in line
    assert found in line


def test_a_guard_that_is_written_twice_is_refused() -> None:
    extra = '{"allowed_recipients": ["41793026727"], "allowed_recipients": null}'
    assert typed_problems(extra) == ("extra: got allowed_recipients twice, expected every option once",)


def test_an_extra_that_is_a_json_object_is_read_and_none_is_none() -> None:
    assert typed(json.dumps(GUARDED)).allowed_recipients == frozenset({"41793026727"})
    assert typed(GUARDED).allowed_recipients == frozenset({"41793026727"})
    assert [typed(nothing).allowed_recipients for nothing in (None, "", "{}")] == [None, None, None]


@pytest.mark.parametrize("kind", ["postgres", "http", "", None, 5, "omnipotent"])
def test_a_connection_of_another_type_is_refused(kind: Any) -> None:
    [line] = typed_problems(None, conn_type=kind)
    assert line.startswith("conn_type: got ")
    assert "expected 'omni'" in line


@pytest.mark.parametrize(
    ("port", "url"),
    [("8443", ":8443"), (" 8443 ", ":8443"), (8443.0, ":8443"), ("", ""), (None, "")],
)
def test_a_port_may_be_a_text(port: Any, url: str) -> None:
    assert make(port=port).base_url == f"https://{HOST}{url}"


@pytest.mark.parametrize("port", [False, "https", "84.43", "-1", "8443x", True, 84.5, [8443], "1" * 5000])
def test_a_port_that_is_no_number_is_refused(port: Any) -> None:
    [line] = problems(port=port)
    assert line.startswith("port: got ")
    assert line.endswith("expected a whole number from 1 to 65535")


def test_the_line_end_of_a_secrets_file_is_no_part_of_the_password_or_the_login() -> None:
    assert make(password="secret-word\n").authorization == make().authorization
    assert make(login="me\r\n", password="secret-word\r\n").authorization == make().authorization
    assert make(auth_type="app", password="secret-word\n").authorization == "App secret-word"
    assert make(login="me\n").account == make().account


@pytest.mark.parametrize("password", ["secret-word\r\nX: y", "\nsecret-word", "secret\x00-word", "secret-word\n "])
@pytest.mark.parametrize("auth_type", ["basic", "app", "bearer"])
def test_a_password_with_a_line_end_within_is_refused_with_words(auth_type: str, password: str) -> None:
    [line] = problems(auth_type=auth_type, password=password)
    assert line.startswith("password: holds ")


def test_a_login_of_digits_may_have_become_a_number() -> None:
    assert make(login=12345, password=67890).authorization == make(login="12345", password="67890").authorization


@pytest.mark.parametrize("field", ["host", "schema", "login", "password"])
def test_a_field_that_is_no_text_is_refused(field: str) -> None:
    assert problems(**{field: ["secret-word"]})[0].startswith(f"{field}: got a list")


@pytest.mark.parametrize("host", ["[::1%a b]", "https://[::1%a b]", "[fe80::1%\x00]", "[::1]x", "x@y"])
def test_nothing_but_a_host_goes_into_the_base_url(host: str) -> None:
    assert problems(host=host)


def test_half_a_surrogate_pair_is_refused() -> None:
    assert problems(password="secret-word\ud800")[0].startswith("login, password: hold half")


def test_a_part_of_a_password_that_slipped_into_the_scheme_is_not_shown() -> None:
    assert "word" not in "".join(problems(schema="word@xyz123.api.infobip.com"))


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.text(max_size=3))
)


@given(
    host=st.none() | st.text(max_size=30),
    schema=st.none() | st.sampled_from(["http", "https", "", "ftp"]) | st.text(max_size=5),
    port=st.none() | st.integers(-5, 70000) | st.text(max_size=5) | st.floats(),
    login=st.none() | st.text(max_size=8) | st.integers(),
    password=st.none() | st.text(max_size=8) | st.integers(),
    extra=st.dictionaries(st.sampled_from(sorted(EXTRAS)) | st.text(max_size=5), ANYTHING, max_size=4),
)
def test_any_connection_is_a_config_or_one_typed_error(
    host: Any, schema: Any, port: Any, login: Any, password: Any, extra: Any
) -> None:
    try:
        config = OmniConfig.from_connection(host, schema, port, login, password, extra)
    except OmniConfigurationError:
        return
    assert config.base_url.startswith("http")
    assert config.authorization.isascii()
    assert config.authorization.isprintable()


@pytest.mark.parametrize("name", sorted(ConnectionExtras.model_fields))
@pytest.mark.parametrize("secret", ["Summer2026!", "correcthorsebatterystaple"])
def test_no_problem_of_the_extra_shows_what_was_pasted_into_it(name: str, secret: str) -> None:
    told = ""
    try:
        OmniConfig.from_connection("x.api.infobip.com", "https", None, "user", secret, {name: secret})
    except OmniConfigurationError as error:
        told = str(error)
    assert secret.lower() not in told.lower()
