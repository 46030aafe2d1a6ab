"""The Test of a connection: one sentence for each thing that can be wrong, against servers on this machine."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.simulator.faults import Fault
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.omni.test_clients import free_port
from tests.integration.omni.test_handshakes import closes, listening, says_http
from tests.integration.omni.trickster import Trickster, reply, silent
from tests.integration.omni.tunnel import Tunnel

PASSWORD = "long-password"
FIELDS = {"conn_type": "omni", "login": "demo", "password": PASSWORD}
Test = Callable[..., tuple[bool, str]]

HTML = b"<html><body>Welcome to our web site</body></html>"
AS_HTML = "Content-Type: text/html\r\n"


@pytest.fixture
def tested(environment: Any) -> Test:
    """Tests a connection to this URL. Whatever comes of it is one sentence without a secret."""

    def test(url: str, extra: dict[str, Any] | None = None, **fields: Any) -> tuple[bool, str]:
        more = {"connect_timeout": 2, "read_timeout": 2, **(extra or {})}
        environment.setenv("AIRFLOW_CONN_TESTED", json.dumps(FIELDS | {"host": url, "extra": more} | fields))
        good, said = OmniHook("tested").test_connection()
        assert "\n" not in said
        assert said.endswith(".")
        assert not any(secret in said for secret in (PASSWORD, "hidden-word", "41793026727", "Basic "))
        return good, said

    return test


def test_a_login_that_is_taken_is_well(tested: Test, omni_simulator: RunningSimulator) -> None:
    good, said = tested(omni_simulator.url, password="demo-password")
    assert (good, said) == (True, "Signed in; scenarios can be listed.")


@pytest.mark.parametrize(("extra", "words"), [
    ({}, "check login and password; an API key or a token needs 'Sign in with' (auth_type) app or bearer"),
    ({"auth_type": "app"}, "check the API key in the password"),
    ({"auth_type": "bearer"}, "check the token in the password"),
], ids=["basic", "app", "bearer"])  # fmt: skip
def test_a_login_that_is_refused_says_what_to_check(
    tested: Test, omni_simulator: RunningSimulator, extra: dict[str, Any], words: str
) -> None:
    good, said = tested(omni_simulator.url, extra, password="wrong-password")
    assert not good
    assert said.startswith(f"Not signed in: {words}")


def test_a_login_without_the_right_to_scenarios_can_be_used_for_sending(
    tested: Test, omni_simulator: RunningSimulator
) -> None:
    omni_simulator.faults.add(Fault("forbid"))
    good, said = tested(omni_simulator.url, password="demo-password")
    assert good
    assert "without the right to manage scenarios" in said
    assert "give operators the flow" in said


@pytest.mark.parametrize(("status", "body", "words"), [
    (200, HTML, "is no OMNI API: check the connection's host"),
    (200, b"", "is no OMNI API: check the connection's host"),
    (404, HTML, "is no OMNI API: check the connection's host"),
    (401, HTML, "not in the words of the OMNI API: check the connection's host"),
    (403, HTML, "not in the words of the OMNI API: check the connection's host"),
    (302, HTML, "A redirect came"),
    (429, b"", "slow down; test again in a minute"),
    (500, b"", "fails with HTTP 500: test again"),
    (502, HTML, "fails with HTTP 502: test again"),
])  # fmt: skip
def test_a_server_that_is_not_omnis_or_fails_is_told_as_that(
    tested: Test, status: int, body: bytes, words: str
) -> None:
    with Trickster([reply(status, body, AS_HTML)]) as server:
        good, said = tested(server.url)
        assert not good
        assert words in said
        assert urlsplit(server.url).netloc in said or status == 429


def test_a_host_that_is_not_found_is_named(tested: Test) -> None:
    good, said = tested("https://xyz123.omni.invalid")
    assert not good
    assert "could not be resolved: check the connection's host (xyz123.omni.invalid)" in said


def test_a_connection_that_is_refused_names_host_and_port(tested: Test) -> None:
    port = free_port()
    good, said = tested(f"https://127.0.0.1:{port}")
    assert not good
    assert f"refused: check the connection's host and port (127.0.0.1:{port})" in said


def test_a_certificate_that_nobody_known_has_signed_says_how_to_name_who_did(
    tested: Test, tls: ssl.SSLContext, environment: Any
) -> None:
    environment.delenv("REQUESTS_CA_BUNDLE")
    with Trickster([reply()], tls=tls) as server:
        good, said = tested(server.url)
    assert not good
    assert "certificate could not be verified" in said
    assert "REQUESTS_CA_BUNDLE" in said


@pytest.mark.parametrize(("serve", "words"), [
    (says_http, "TLS handshake failed: check the connection's host and scheme"),
    (closes, "closed before it stood: check the connection's host and port"),
])  # fmt: skip
def test_a_port_that_speaks_no_tls_is_told(tested: Test, serve: Any, words: str) -> None:
    with listening(serve) as port:
        good, said = tested(f"https://127.0.0.1:{port}")
    assert not good
    assert words in said


@pytest.mark.parametrize(("says", "words"), [
    (None, "proxy could not be reached: check its address"),
    (b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", "proxy did not make the connection"),
    (b"HTTP/1.1 407 X\r\n\r\n", "proxy refuses the login in its URL"),
], ids=["down", "refuses", "login"])  # fmt: skip
def test_a_proxy_that_is_to_blame_is_named_without_its_login(
    tested: Test, environment: Any, says: bytes | None, words: str
) -> None:
    with Tunnel(says=says or b"") as proxy:
        port = proxy.port if says else free_port()
        environment.setenv("HTTPS_PROXY", f"http://somebody:hidden-word@127.0.0.1:{port}")
        good, said = tested("https://omni.example")
    assert not good
    assert words in said
    assert f"http://127.0.0.1:{port} (from HTTPS_PROXY)" in said


def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(tested: Test, environment: Any) -> None:
    environment.setenv("HTTPS_PROXY", "socks5://somebody:hidden-word@127.0.0.1:1080")
    good, said = tested("https://omni.example")
    assert not good
    assert "is a SOCKS proxy" in said
    assert "(from HTTPS_PROXY)" in said


def test_an_answer_that_does_not_come_names_the_time_out(tested: Test) -> None:
    with Trickster([silent]) as server:
        good, said = tested(server.url, {"read_timeout": 0.3})
    assert not good
    assert "within read_timeout" in said


def test_a_connection_that_does_not_stand_names_the_time_out(tested: Test) -> None:
    with Tunnel(silent=True) as silent_one:  # a server that takes the connection and says nothing of TLS
        good, said = tested(f"https://127.0.0.1:{silent_one.port}", {"connect_timeout": 0.3})
    assert not good
    assert "within connect_timeout: check the connection's host and port" in said


@pytest.mark.parametrize(("fields", "extra", "words"), [
    ({"host": "http://omni.example"}, {}, "schema: got http, expected https"),
    ({"host": "http://x.api.infobip.com"}, {"allow_plain_http": True}, "schema: got http, expected https"),
    ({"password": ""}, {}, "password: missing"),
    ({"login": ""}, {}, "login: missing"),
    ({"host": ""}, {}, "host: missing"),
    ({}, {"read_timout": 30}, "extra.read_timout: unknown option, did you mean read_timeout?"),
    ({}, {"Allowed_Recipients": "*"}, "extra.Allowed_Recipients: unknown option, did you mean allowed_recipients?"),
    ({}, {"timezone": "UTC"}, "extra.timezone: got an unknown option, expected one of auth_type, "),
    ({}, {"allowed_recipients": None}, "extra.allowed_recipients: got "),
    ({}, {"allowed_recipients": "+41793026727\n12"}, "extra.allowed_recipients: "),
    ({}, {"auth_type": "oauth"}, "extra.auth_type: got "),
    ({}, {"max_connections": 0}, "extra.max_connections: got 0, expected a whole number from 1 to 1000"),
], ids=str)  # fmt: skip
def test_a_connection_that_a_task_would_refuse_is_refused_with_what_is_wrong(
    tested: Test, fields: dict[str, Any], extra: dict[str, Any], words: str
) -> None:
    good, said = tested("https://omni.example", extra, **fields)
    assert not good
    assert said.startswith("The connection cannot be used: ")
    assert words in said


def test_two_problems_are_one_sentence(tested: Test) -> None:
    good, said = tested("", {"read_timout": 30}, password="")
    assert not good
    assert said.count("; ") >= 2
    assert os.linesep not in said
