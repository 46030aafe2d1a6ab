"""Failures while a connection is made: nothing had left, in both clients, with words for what it was."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from airflow_provider_omni.omni.errors import Effect, OmniTransportError
from tests.integration.omni.calling import Run, config
from tests.integration.omni.test_proxies_and_certificates import REPORTS, SEND
from tests.integration.omni.trickster import Trickster, reply
from tests.integration.omni.tunnel import Tunnel

pytestmark = pytest.mark.usefixtures("environment")


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on which every connection is served so, then closed."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with suppress(OSError), sock:
                    serve(sock)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def closes(sock: socket.socket) -> None:
    """Nothing is read, nothing is said."""


def closes_after_hello(sock: socket.socket) -> None:
    sock.recv(65536)


def resets(sock: socket.socket) -> None:
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says_http(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def says_junk(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"220 mail.example ESMTP\r\n" * 20)


def alerts(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(bytes.fromhex("15030300020228"))


SERVERS = {
    "closes at once": (closes, "was closed before it stood"),
    "closes after the client's hello": (closes_after_hello, "was closed before it stood"),
    "resets": (resets, "was closed before it stood"),
    "speaks http": (says_http, "TLS handshake failed"),
    "speaks something else": (says_junk, "TLS handshake failed"),
    "knows none of our versions": (alerts, "TLS handshake failed"),
}


@pytest.mark.parametrize("call", [SEND, REPORTS], ids=["a send", "a read"])
@pytest.mark.parametrize(("serve", "words"), SERVERS.values(), ids=SERVERS)
def test_a_handshake_that_comes_to_nothing_means_that_nothing_was_sent(
    run: Run, serve: Callable[[socket.socket], None], words: str, call: Any
) -> None:
    with listening(serve) as port:
        [error] = run(config(f"https://127.0.0.1:{port}"), call)
    assert type(error) is OmniTransportError, error
    assert (error.effect, error.retryable) == (Effect.NONE, True)
    assert words in str(error)
    assert "check the connection's host" in str(error)


def test_a_server_of_older_tls_versions_gets_nothing(run: Run, tls: ssl.SSLContext) -> None:
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with Trickster([reply(200)], tls=tls) as server:
        [error] = run(config(server.url), SEND)
    assert (type(error), error.effect) == (OmniTransportError, Effect.NONE), error
    assert "TLS handshake failed" in str(error)
    assert server.requests == []


@pytest.mark.parametrize(("serve", "words"), SERVERS.values(), ids=SERVERS)
def test_the_same_in_a_tunnel_names_the_proxy_too(
    run: Run, environment: Any, serve: Callable[[socket.socket], None], words: str
) -> None:
    with listening(serve) as port, Tunnel(port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        [error] = run(config("https://omni.example"), SEND)
    assert (type(error), error.effect) == (OmniTransportError, Effect.NONE), error
    assert ("did not make the connection" if "closed" in words else words) in str(error)
    assert f"the proxy is http://127.0.0.1:{proxy.port} (from HTTPS_PROXY)" in str(error)


@pytest.mark.parametrize(("serve", "words"), SERVERS.values(), ids=SERVERS)
def test_the_same_from_a_proxy_that_should_speak_tls_itself(
    run: Run, environment: Any, serve: Callable[[socket.socket], None], words: str
) -> None:
    with listening(serve) as port:
        environment.setenv("HTTPS_PROXY", f"https://127.0.0.1:{port}")
        [error] = run(config("https://omni.example"), SEND)
    assert (type(error), error.effect) == (OmniTransportError, Effect.NONE), error
    assert ("did not make the connection" if "closed" in words else words) in str(error)
    assert f"the proxy is https://127.0.0.1:{port} (from HTTPS_PROXY)" in str(error)
