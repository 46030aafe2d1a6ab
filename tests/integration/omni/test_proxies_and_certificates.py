"""The way to the vendor: proxies, authorities, and what goes wrong before a connection stands. Both clients alike.

A proxy on loopback records what it is told, and leads every tunnel to a server on loopback.
"""

from __future__ import annotations

import base64
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.content import AdvancedRequest
from airflow_provider_omni.omni.errors import Effect, OmniConfigurationError, OmniError, OmniTransportError
from airflow_provider_omni.omni.models import Address, Destination
from airflow_provider_omni.omni.validation import check_content
from tests.integration.omni.calling import Run, config
from tests.integration.omni.test_clients import SENT, free_port
from tests.integration.omni.trickster import Trickster, close, reply, silent
from tests.integration.omni.tunnel import Tunnel

SEND = api.send_advanced(
    AdvancedRequest(
        check_content(sms={"text": "hello"}), (Destination(to=Address(phone_number="41793026727"), message_id="m"),)
    )
)
REPORTS = api.get_reports(bulk_id="b")
EMPTY = b'{"results":[]}'
VENDOR = "https://omni.example"

pytestmark = pytest.mark.usefixtures("environment")


@contextmanager
def vendor(tls: ssl.SSLContext, *behaviours: Any) -> Iterator[tuple[Trickster, int]]:
    with Trickster(behaviours or [reply(200, SENT)], tls=tls) as server:
        yield server, int(server.url.rsplit(":", 1)[1])


def secrets_of(settings: OmniConfig) -> tuple[str, ...]:
    assert "secret-word" in settings.secrets
    return settings.secrets


# --- what a proxy gets to know ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{}, {"auth_type": "app"}, {"auth_type": "bearer"}])
def test_a_proxy_is_asked_for_a_tunnel_without_a_credential_of_the_account(
    run: Run, tls: ssl.SSLContext, environment: Any, extra: dict[str, Any]
) -> None:
    settings = config(VENDOR, **extra)
    with vendor(tls) as (server, port), Tunnel(port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        [answer] = run(settings, SEND)
    assert answer.messages[0].message_id == "m"
    [head] = proxy.heads
    assert head.startswith("CONNECT omni.example:443 HTTP/1.")
    assert "authorization" not in head.lower()
    assert not any(secret in head for secret in secrets_of(settings))
    assert server.requests[0].headers["authorization"] == settings.authorization


def test_a_proxy_with_a_login_gets_that_login_and_no_other(run: Run, tls: ssl.SSLContext, environment: Any) -> None:
    settings = config(VENDOR)
    with vendor(tls) as (server, port), Tunnel(port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://m%C3%A9:p%40ss@127.0.0.1:{proxy.port}")
        [answer] = run(settings, SEND)
    assert not isinstance(answer, OmniError), answer
    login = base64.b64encode("mé:p@ss".encode()).decode()
    assert [line for line in proxy.heads[0].split("\r\n") if "authorization" in line.lower()] == [
        f"Proxy-Authorization: Basic {login}"
    ]
    assert not any(secret in proxy.heads[0] for secret in secrets_of(settings))
    assert "proxy-authorization" not in server.requests[0].headers


def test_a_proxy_that_refuses_gets_no_credential_either(run: Run, environment: Any) -> None:
    settings = config(VENDOR)
    with Tunnel(says=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        run(settings, SEND)
    assert len(proxy.heads) == 1
    assert not any(secret in proxy.heads[0] for secret in secrets_of(settings))


def test_plain_http_goes_through_no_proxy_which_would_read_the_login(
    run: Run, environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tunnel() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            environment.setenv(name, f"http://127.0.0.1:{proxy.port}")
        [error] = run(config("http://omni.invalid", allow_plain_http=True), SEND)
        assert error.effect is Effect.NONE
        with Trickster([reply(200, SENT)]) as server:
            [answer] = run(config(server.url), SEND)
    assert answer.messages[0].message_id == "m"
    assert proxy.heads == []


def test_a_proxy_may_be_spoken_to_in_tls(run: Run, tls: ssl.SSLContext, environment: Any) -> None:
    with vendor(tls) as (_, port), Tunnel(port, tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
        answers = run(config(VENDOR), SEND, SEND)
    assert [answer.messages[0].message_id for answer in answers] == ["m", "m"]
    assert len(proxy.heads) == 1


def test_a_tunnel_is_kept_for_the_next_call_and_what_breaks_in_it_is_unknown(
    run: Run, tls: ssl.SSLContext, environment: Any
) -> None:
    with vendor(tls, reply(200, SENT), close) as (_, port), Tunnel(port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        answer, error = run(config(VENDOR), SEND, SEND)
    assert answer.messages[0].message_id == "m"
    assert error.effect is Effect.UNKNOWN
    assert len(proxy.heads) == 1


def test_an_answer_that_never_comes_through_a_tunnel_is_unknown(
    run: Run, tls: ssl.SSLContext, environment: Any
) -> None:
    with vendor(tls, silent) as (_, port), Tunnel(port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        [error] = run(config(VENDOR, read_timeout=0.3), SEND)
    assert (error.effect, "read_timeout" in str(error)) == (Effect.UNKNOWN, True)
    assert "proxy" not in str(error)


# --- nothing had left ------------------------------------------------------------------------------------------------


def assert_not_sent(error: Any, kind: type[OmniError], *words: str) -> None:
    assert type(error) is kind, error
    assert error.effect is Effect.NONE
    for word in (*words, "othing was sent"):
        assert word in str(error)


REFUSALS = {
    "502": (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "did not make the connection", True),
    "503 with a body": (b"HTTP/1.1 503 X\r\nContent-Length: 3\r\n\r\nno!", "did not make the connection", True),
    "403": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "did not make the connection", True),
    "a redirect": (b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1/\r\n\r\n", "did not make the connection", True),
    "407": (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n\r\n", "refuses the login in its URL (HTTP 407)", False),
    "junk": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "did not make the connection", True),
    "407 with a body": (b"HTTP/1.1 407 X\r\nContent-Length: 5\r\n\r\nlogin", "(HTTP 407)", False),
    "nothing": (b"", "did not make the connection", True),
    "half a status line": (b"HTTP/1.1 20", "did not make the connection", True),
}


@pytest.mark.parametrize(("says", "words", "retryable"), REFUSALS.values(), ids=REFUSALS)
def test_a_proxy_that_makes_no_tunnel_means_that_nothing_was_sent_and_is_named(
    run: Run, environment: Any, says: bytes, words: str, retryable: bool
) -> None:
    with Tunnel(says=says) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://somebody:hidden-word@127.0.0.1:{proxy.port}")
        [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniTransportError, words, f"http://127.0.0.1:{proxy.port} (from HTTPS_PROXY)")
    assert error.retryable is retryable
    assert "hidden-word" not in str(error)


def test_a_proxy_that_wants_a_login_says_where_one_belongs(run: Run, environment: Any) -> None:
    with Tunnel(says=b"HTTP/1.1 407 X\r\n\r\n") as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniTransportError, "wants a login (HTTP 407): it belongs into the proxy's URL")


def test_a_tunnel_that_ends_before_the_vendors_handshake_means_that_nothing_was_sent(
    run: Run, environment: Any
) -> None:
    with Tunnel(says=b"HTTP/1.1 200 OK\r\n\r\n") as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniTransportError, "did not make the connection", f"127.0.0.1:{proxy.port}")


def test_a_proxy_that_is_silent_takes_no_longer_than_connect_timeout(run: Run, environment: Any) -> None:
    with Tunnel(silent=True) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        started = time.monotonic()
        [error] = run(config(VENDOR, connect_timeout=0.3, read_timeout=5), SEND)
    assert_not_sent(error, OmniTransportError, "connect_timeout", f"127.0.0.1:{proxy.port}")
    assert time.monotonic() - started < 1.8


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{port}", "127.0.0.1:{port}", "http://proxy.invalid:3128"])
def test_a_proxy_that_cannot_be_reached_means_that_nothing_was_sent_and_is_named(
    run: Run, environment: Any, proxy: str
) -> None:
    written = proxy.format(port=free_port())
    environment.setenv("https_proxy", written)
    [error] = run(config(VENDOR), SEND)
    shown = written if "://" in written else f"http://{written}"
    assert_not_sent(error, OmniTransportError, "The proxy could not be reached", f"{shown} (from https_proxy)")


def test_a_proxy_whose_tls_cannot_be_verified_means_that_nothing_was_sent(
    run: Run, tls: ssl.SSLContext, environment: Any
) -> None:
    environment.delenv("REQUESTS_CA_BUNDLE")
    with Tunnel(tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
        [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniTransportError, "certificate", f"https://127.0.0.1:{proxy.port}")
    assert proxy.heads == []


def test_a_proxy_that_reads_along_has_no_certificate_of_the_vendors_and_gets_nothing(
    run: Run, tls: ssl.SSLContext, environment: Any
) -> None:
    with vendor(tls) as (server, port), Tunnel(port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        [error] = run(config("https://another.example"), SEND)
    assert_not_sent(error, OmniTransportError, "certificate", f"http://127.0.0.1:{proxy.port} (from HTTPS_PROXY)")
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a", "socks", "SOCKS5"])
@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
def test_a_socks_proxy_is_refused_by_name(run: Run, environment: Any, variable: str, scheme: str) -> None:
    environment.setenv(variable, f"{scheme}://somebody:hidden-word@127.0.0.1:1080")
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(
        error, OmniConfigurationError, f"{scheme.lower()}://127.0.0.1:1080 (from {variable})", "SOCKS", "expected"
    )
    assert "hidden-word" not in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    "value", ["http://", "ftp://proxy:21", "http://proxy:hidden-word", "http://[::1", "a b", "://"]
)
def test_a_proxy_that_is_no_url_is_refused_by_its_variable(run: Run, environment: Any, value: str) -> None:
    environment.setenv("HTTPS_PROXY", value)
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniConfigurationError, "HTTPS_PROXY", "expected")
    assert "hidden-word" not in str(error)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_that_names_no_file_is_told_at_once_with_its_name(
    run: Run, environment: Any, variable: str, tmp_path: Path
) -> None:
    environment.delenv("REQUESTS_CA_BUNDLE")
    environment.setenv(variable, str(tmp_path / "company.pem"))
    for error in run(config(VENDOR), SEND, REPORTS):
        assert type(error) is OmniConfigurationError
        assert error.effect is Effect.NONE
        assert f"{str(tmp_path / 'company.pem')!r}, from {variable}, cannot be used" in str(error)
        assert "no such file" in str(error)


@pytest.mark.parametrize("content", [b"", b"no certificate\n", b"\x00\xff" * 100,
                                     b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])  # fmt: skip
def test_a_bundle_without_a_certificate_is_told_with_its_name(
    run: Run, environment: Any, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "junk.pem").write_bytes(content)
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "junk.pem"))
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniConfigurationError, "junk.pem", "REQUESTS_CA_BUNDLE", "no certificate")


def test_a_folder_that_openssl_could_find_nothing_in_is_told_at_once_with_its_name(
    run: Run, environment: Any, certificate: Path, tmp_path: Path
) -> None:
    (tmp_path / "company.pem").write_bytes(certificate.read_bytes())
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniConfigurationError, repr(str(tmp_path)), "REQUESTS_CA_BUNDLE", "openssl rehash")


def test_what_is_no_file_is_never_opened_as_a_bundle(run: Run, environment: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "pipe"))
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniConfigurationError, "pipe", "neither a file nor a folder")


@pytest.mark.parametrize("denied", ["stat", "read_text"])
def test_a_bundle_that_may_not_be_read_is_told_with_its_name(
    run: Run, environment: Any, certificate: Path, tmp_path: Path, denied: str
) -> None:
    """Root may read everything, so the system's answer is played."""
    bundle = tmp_path / "private.pem"
    bundle.write_bytes(certificate.read_bytes())
    environment.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    if denied == "stat":
        environment.setattr(Path, "stat", refuse)
    else:
        environment.setattr(ssl, "create_default_context", refuse)
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniConfigurationError, "private.pem", "it cannot be read (PermissionError)")


def test_a_bundle_that_is_gone_after_the_first_call_does_no_harm_to_the_second(
    run: Run, tls: ssl.SSLContext, environment: Any, certificate: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(certificate.read_bytes())
    environment.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def gone(sock: Any, stopped: Any) -> bool:
        bundle.unlink()
        return bool(reply(200, SENT, "Connection: close\r\n")(sock, stopped)) and False

    with vendor(tls, gone, reply(200, SENT)) as (server, _):
        answers = run(config(server.url), SEND, SEND)
    assert [answer.messages[0].message_id for answer in answers] == ["m", "m"]


# --- the same way from a worker and from a triggerer -----------------------------------------------------------------


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_each_variable_that_may_name_a_bundle_is_read(
    run: Run, tls: ssl.SSLContext, environment: Any, certificate: Path, variable: str
) -> None:
    environment.delenv("REQUESTS_CA_BUNDLE")
    environment.setenv(variable, str(certificate))
    with vendor(tls) as (server, _):
        [answer] = run(config(server.url), SEND)
    assert answer.messages[0].message_id == "m"


HASH = "88d0bdcb.0"
"""Name that `openssl rehash` gives the tests' authority: made of its name alone, which is the same each time."""


@pytest.fixture
def rehashed(certificate: Path, tmp_path: Path) -> Path:
    """A folder of authorities as openssl rehash makes it."""
    folder = tmp_path / "rehashed"
    folder.mkdir()
    (folder / HASH).write_bytes(certificate.read_bytes())
    return folder


@pytest.mark.parametrize(
    "variables",
    [
        {"REQUESTS_CA_BUNDLE": "{folder}"},
        {"SSL_CERT_FILE": "{folder}"},
        {"SSL_CERT_DIR": "{folder}"},
        {"SSL_CERT_DIR": "/nowhere:{folder}:"},
        {"SSL_CERT_FILE": "{others}", "SSL_CERT_DIR": "{folder}"},
        {"SSL_CERT_FILE": "{file}", "SSL_CERT_DIR": "/nowhere"},
    ],
)
def test_folders_of_authorities_are_read_as_openssl_reads_them(
    run: Run, tls: ssl.SSLContext, environment: Any, rehashed: Path, certificate: Path, variables: dict[str, str]
) -> None:
    environment.delenv("REQUESTS_CA_BUNDLE")
    for name, value in variables.items():
        environment.setenv(name, value.format(folder=rehashed, others=certifi.where(), file=certificate))
    with vendor(tls) as (server, _):
        [answer] = run(config(server.url), SEND)
    assert not isinstance(answer, OmniError), answer


def test_folders_of_which_none_is_usable_are_an_error(run: Run, environment: Any, tmp_path: Path) -> None:
    environment.delenv("REQUESTS_CA_BUNDLE")
    environment.setenv("SSL_CERT_DIR", f"/nowhere:{tmp_path}")
    [error] = run(config(VENDOR), SEND)
    assert_not_sent(error, OmniConfigurationError, "'/nowhere'", "from SSL_CERT_DIR", "no such file")


def test_authorities_of_ones_own_stand_alone(run: Run, tls: ssl.SSLContext, environment: Any) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    environment.setenv("SSL_CERT_FILE", "/nowhere")
    with vendor(tls) as (server, _):
        [error] = run(config(server.url), SEND)
    assert_not_sent(error, OmniTransportError, "certificate", "(from REQUESTS_CA_BUNDLE)")


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "{proxy}"},
        {"https_proxy": "{proxy}"},
        {"Https_Proxy": "{proxy}"},
        {"https_proxy": "127.0.0.1:{port}"},
        {"https_proxy": "me:word@127.0.0.1:{port}"},
        {"https_proxy": " HTTP://127.0.0.1:{port}/ "},
        {"ALL_PROXY": "{proxy}"},
        {"https_proxy": "{proxy}", "HTTPS_PROXY": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"},
        {"https_proxy": "", "all_proxy": "{proxy}"},
        {"HTTPS_PROXY": "{proxy}", "NO_PROXY": "10.0.0.0/8, example.org, omni.example:8443,.ample"},
    ],
)
def test_a_proxy_is_used_however_it_is_written(
    run: Run, tls: ssl.SSLContext, environment: Any, variables: dict[str, str]
) -> None:
    with vendor(tls) as (_, port), Tunnel(port) as proxy:
        for name, value in variables.items():
            environment.setenv(name, value.format(proxy=f"http://127.0.0.1:{proxy.port}", port=proxy.port))
        [answer] = run(config(VENDOR), SEND)
    assert not isinstance(answer, OmniError), answer
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://omni.invalid", "omni.invalid"),
        ("https://a.omni.invalid", ".omni.invalid"),
        ("https://a.omni.invalid", "*.omni.invalid"),
        ("https://omni.invalid:8443", "example.org omni.invalid:8443"),
        ("https://omni.invalid", "*"),
    ],
)
def test_a_host_that_no_proxy_names_is_gone_to_straight(run: Run, environment: Any, url: str, no_proxy: str) -> None:
    with Tunnel() as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        environment.setenv("NO_PROXY", no_proxy)
        [error] = run(config(url), SEND)
    assert_not_sent(error, OmniTransportError, "could not be resolved")
    assert proxy.heads == []
