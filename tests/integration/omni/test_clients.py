"""Both clients against real sockets: what they send, what they make of every way in which an exchange can break.

Every test runs with the sync and with the async client, and counts requests at the server.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
import zlib
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.aio import AsyncOmniClient, shared_client
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.omni.content import AdvancedRequest
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniServerError,
    OmniTransportError,
)
from airflow_provider_omni.omni.models import Address, Destination
from airflow_provider_omni.omni.validation import check_content
from tests.integration.omni.calling import Run, config
from tests.integration.omni.trickster import Behaviour, Trickster, close, drip, flood, raw, reply, reset, silent

NUMBER = "41793026727"
EMPTY = b'{"results":[]}'
SENT = json.dumps({"messages": [{"messageId": "m", "status": {"groupId": 1, "id": 7}}]}).encode()
SEND = api.send_advanced(
    AdvancedRequest(
        check_content(sms={"text": "hello"}), (Destination(to=Address(phone_number=NUMBER), message_id="m"),)
    )
)
REPORTS = api.get_reports(bulk_id="b")
LOGS = api.get_logs(message_ids=["m"], to=NUMBER)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def test_a_request_says_who_asks_and_nothing_about_anybody_else(run: Run) -> None:
    with Trickster([reply(200, SENT)]) as server:
        [answer] = run(config(server.url), SEND)
    [seen] = server.requests
    assert answer.messages[0].message_id == "m"
    assert seen.line == "POST /omni/1/advanced HTTP/1.1"
    assert seen.headers["authorization"] == "Basic ZGVtbzpzZWNyZXQtd29yZA=="
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"
    assert json.loads(seen.body) == {
        "destinations": [{"to": {"phoneNumber": NUMBER}, "messageId": "m"}],
        "sms": {"text": "hello"},
    }


def test_a_plus_in_a_time_and_a_comma_between_ids_survive_the_way(run: Run) -> None:
    since = datetime(2026, 11, 23, 18, 41, tzinfo=UTC)
    with Trickster([reply(200, EMPTY)]) as server:
        run(config(server.url), api.get_logs(bulk_ids=["a+b", "c d"], sent_since=since))
    assert server.requests[0].line == (
        "GET /omni/1/logs?bulkId=a%2Bb%2Cc%20d&sentSince=2026-11-23T18%3A41%3A00.000%2B00%3A00&limit=1000 HTTP/1.1"
    )


def test_connections_are_kept_alive(run: Run) -> None:
    with Trickster([reply(200, EMPTY)]) as server:
        assert run(config(server.url), REPORTS, LOGS, REPORTS) == [[], [], []]
    assert (server.connections, len(server.requests)) == (1, 3)


def test_cookies_of_one_answer_do_not_come_back_in_the_next_request(run: Run) -> None:
    with Trickster([reply(200, EMPTY, "Set-Cookie: a=b\r\n")]) as server:
        run(config(server.url), LOGS, LOGS)
    assert "cookie" not in server.requests[1].headers


def test_the_password_of_a_netrc_file_is_not_used(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Trickster([reply(200, EMPTY)]) as server:
        assert run(config(server.url), LOGS) == [[]]
    assert server.requests[0].headers["authorization"] == "Basic ZGVtbzpzZWNyZXQtd29yZA=="


def test_a_proxy_of_the_environment_is_not_asked_about_this_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Trickster([reply(200, EMPTY)]) as server:
        assert run(config(server.url), LOGS) == [[]]


# --- certainly not sent ----------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def assert_not_sent(error: Any, words: str) -> None:
    assert isinstance(error, OmniTransportError), error
    assert (error.effect, error.retryable) == (Effect.NONE, True)
    assert words in str(error)
    assert "Nothing was sent" in str(error)


def test_a_refused_connection_means_that_nothing_was_sent(run: Run) -> None:
    [error] = run(config(f"http://127.0.0.1:{free_port()}"), SEND)
    assert_not_sent(error, "refused")


def test_a_name_that_nobody_knows_means_that_nothing_was_sent(run: Run) -> None:
    [error] = run(config("https://omni.invalid"), SEND)
    assert_not_sent(error, "could not be resolved")


def test_a_connection_that_is_not_made_in_time_means_that_nothing_was_sent(run: Run) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fills the queue of a listener that accepts nobody: the kernel then drops what comes
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        [error] = run(config(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.3), SEND)
    assert_not_sent(error, "connect_timeout")


def test_all_addresses_of_a_host_have_the_connect_timeout_together(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        deaf = []
        for _ in range(16):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            deaf.append(listener.getsockname())
        _resolves_to(monkeypatch, *deaf)
        started = time.monotonic()
        [error] = run(config("https://many.example", connect_timeout=0.8, read_timeout=0.2), SEND)
        took = time.monotonic() - started
    assert_not_sent(error, "connect_timeout")
    assert took < 8.0, "each with a connect_timeout of its own would take 12.8 s"


def test_an_address_that_does_not_answer_leaves_time_for_the_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack, Trickster([reply(200, SENT)]) as server:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        there = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        _resolves_to(monkeypatch, listener.getsockname(), there)
        [answer] = run(config("http://many.example", allow_plain_http=True, connect_timeout=1.0), SEND)
    assert not isinstance(answer, OmniError), answer
    assert len(server.requests) == 1


def test_a_name_that_is_resolved_too_late_means_that_nothing_was_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Trickster([reply(200, SENT)]) as server:
        there = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        _resolves_to(monkeypatch, there, seconds=0.6)
        started = time.monotonic()
        slow = config("http://slow.example", allow_plain_http=True, connect_timeout=0.2, read_timeout=5)
        [error] = run(slow, SEND)
        took = time.monotonic() - started
        assert_not_sent(error, "connect_timeout")
        assert server.requests == []
    assert took < 4.0, "the read_timeout is 5 s"


def test_a_server_that_takes_the_request_in_slowly_cannot_hold_us_beyond_the_time_outs(run: Run) -> None:
    body = AdvancedRequest(
        check_content(sms={"text": "hello"}),
        tuple(Destination(to=Address(phone_number=NUMBER), message_id=f"{index:0200d}") for index in range(60_000)),
    )
    call = api.send_advanced(body)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        [error] = run(config(url, connect_timeout=0.3, read_timeout=0.4), call)
        took = time.monotonic() - started
    assert error.effect is Effect.UNKNOWN
    assert took < 15.0, "0.7 s on a quiet machine; without a bound it would never end"


def _resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int], seconds: float = 0.0) -> None:
    """Let every name have these addresses, whatever the port, after some time."""

    def resolve(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        time.sleep(seconds)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def later(self: Any, host: Any, port: Any, **_: Any) -> list[Any]:
        await asyncio.sleep(seconds)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", later)


def test_a_server_that_speaks_no_tls_means_that_nothing_was_sent(run: Run) -> None:
    with Trickster([raw(b"HTTP/1.1 200 OK\r\n\r\n")]) as server, socket.create_server(("127.0.0.1", 0)) as plain:
        del server
        threading.Thread(target=_answer_in_the_clear, args=(plain,), daemon=True).start()
        [error] = run(config(f"https://127.0.0.1:{plain.getsockname()[1]}"), SEND)
    assert_not_sent(error, "TLS")


def _answer_in_the_clear(listener: socket.socket) -> None:
    with listener.accept()[0] as sock:
        sock.recv(10)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        sock.recv(65536)


def test_a_certificate_that_nobody_vouches_for_means_that_nothing_was_sent(run: Run, tls: ssl.SSLContext) -> None:
    with Trickster([reply(200, SENT)], tls=tls) as server:
        [error] = run(config(server.url), SEND)
    assert_not_sent(error, "certificate")
    assert server.requests == []


def test_the_authorities_of_the_environment_are_believed(
    run: Run, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with Trickster([reply(200, SENT), close], tls=tls) as server:
        answer, error = run(config(server.url), SEND, SEND)
    assert answer.messages[0].message_id == "m"
    assert error.effect is Effect.UNKNOWN


# --- unknown ---------------------------------------------------------------------------------------------------------

BROKEN: dict[str, Behaviour] = {
    "closed without a byte": close,
    "reset": reset,
    "half a status line": raw(b"HTTP/1."),
    "half the headers": raw(HEAD),
    "half the body": raw(HEAD + b'Content-Length: 500\r\n\r\n{"messages":'),
    "half a chunk": raw(HEAD + b'Transfer-Encoding: chunked\r\n\r\n50\r\n{"mess'),
    "no last chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "a bad chunk length": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "not HTTP": raw(b"\x00\xff garbage \r\n\r\n"),
    "a header without end": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000),
    "too many headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5_000 + b"\r\n"),
    "a status of four digits": raw(b"HTTP/1.1 9999 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "bad gzip": raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"),
    "half of a gzip": raw(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 15\r\n\r\n" + gzip.compress(b'{"messages":[]}' * 9)[:15]
    ),
    "negative length": raw(HEAD + b"Content-Length: -5\r\n\r\n{}"),
    "cut where the length is not said": raw(HEAD + b"Connection: close\r\n\r\n" + SENT[:20]),
    "a body for another length": raw(HEAD + b"Content-Length: 2\r\n\r\n" + SENT),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_send_whose_answer_breaks_is_unknown_and_is_not_posted_again(run: Run, how: str) -> None:
    with Trickster([BROKEN[how]]) as server:
        [error] = run(config(server.url), SEND)
    assert isinstance(error, (OmniTransportError, OmniProtocolError)), error
    assert (error.effect, error.path) == (Effect.UNKNOWN, "POST /omni/1/advanced")
    assert len(server.requests) == 1


UNREADABLE = {
    "half the body": b"Content-Length: 500\r\n\r\n{",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
    "bad gzip": b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
    "half of a gzip": b"Content-Encoding: gzip\r\nContent-Length: 15\r\n\r\n" + gzip.compress(b'{"a":[]}' * 99)[:15],
    "html": b"Content-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
    "bytes": b"Content-Length: 4\r\n\r\n\xff\x00\xfe\x01",
}


@pytest.mark.parametrize("how", UNREADABLE)
@pytest.mark.parametrize("status", [400, 401, 429])
def test_a_refusal_is_one_whatever_becomes_of_its_body(run: Run, status: int, how: str) -> None:
    head = f"HTTP/1.1 {status} X\r\nRetry-After: 3\r\nConnection: close\r\n".encode()
    with Trickster([raw(head + UNREADABLE[how]), reply(200, SENT)]) as server:
        error, answer = run(config(server.url), SEND, SEND)
    assert (error.status, error.effect, error.retry_after) == (status, Effect.NONE, 3.0)
    assert answer.messages[0].message_id == "m"
    assert [seen.connection for seen in server.requests] == [1, 2]


def test_a_refusal_whose_body_never_ends_is_one_after_read_timeout(run: Run) -> None:
    dripping = drip(b"HTTP/1.1 429 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")
    with Trickster([dripping, reply(200, SENT)]) as server:
        error, answer = run(config(server.url, read_timeout=0.4), SEND, SEND)
    assert (type(error), error.effect) == (OmniRateLimitError, Effect.NONE)
    assert answer.messages[0].message_id == "m"


@pytest.mark.parametrize("how", ["closed without a byte", "reset", "half a status line", "half the body"])
@pytest.mark.parametrize("call", [REPORTS, LOGS])
def test_no_http_layer_repeats_a_read_when_a_kept_alive_connection_breaks(run: Run, how: str, call: Any) -> None:
    with Trickster([reply(200, EMPTY), BROKEN[how], reply(200, EMPTY)]) as server:
        first, error, third = run(config(server.url), call, call, call)
    assert (first, third) == ([], [])
    assert isinstance(error, (OmniTransportError, OmniProtocolError)), error
    assert error.effect is Effect.UNKNOWN
    assert [seen.connection for seen in server.requests] == [1, 1, 2]


async def test_bare_aiohttp_would_repeat_it_which_is_why_the_test_above_is_worth_something() -> None:
    with Trickster([reply(200, EMPTY), close, reply(200, EMPTY)]) as server:
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.get(server.url + REPORTS.target) as response:
                    await response.read()
    assert len(server.requests) == 3


def test_a_connection_that_was_closed_while_idle_is_replaced(run: Run) -> None:
    with Trickster([raw(HEAD + b"Content-Length: 14\r\nConnection: close\r\n\r\n" + EMPTY)]) as server:
        assert run(config(server.url), REPORTS, REPORTS) == [[], []]
    assert (server.connections, len(server.requests)) == (2, 2)


SLOW: dict[str, Behaviour] = {
    "nothing comes": silent,
    "the status line drips": drip(b"HTTP/1.1 200 ", b"O"),
    "the headers drip": drip(HEAD, b"X: y\r\n"),
    "the body drips": drip(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks drip": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "go on, and on": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("how", SLOW)
def test_a_slow_answer_cannot_hold_us_beyond_the_time_outs(run: Run, how: str) -> None:
    with Trickster([SLOW[how]]) as server:
        started = time.monotonic()
        [error] = run(config(server.url, connect_timeout=0.3, read_timeout=0.4), SEND)
        took = time.monotonic() - started
    assert (error.effect, len(server.requests)) == (Effect.UNKNOWN, 1)
    assert took < 3


def test_an_answer_over_64_mib_is_refused(run: Run) -> None:
    with Trickster([flood(HEAD + b"\r\n", b" " * 2**20, 70)]) as server:
        [error] = run(config(server.url, read_timeout=20), LOGS)
    assert isinstance(error, OmniProtocolError)
    assert "64 MiB" in str(error)


def test_an_answer_over_64_mib_is_refused_before_it_is_unpacked(run: Run) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(400)) + packer.flush()
    head = HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with Trickster([raw(head + bomb)]) as server:
        tracemalloc.start()
        [error] = run(config(server.url, read_timeout=30), LOGS)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert isinstance(error, OmniProtocolError)
    assert "64 MiB" in str(error)
    assert peak < 300 * 2**20


def test_a_packed_answer_is_unpacked(run: Run) -> None:
    with Trickster([reply(200, gzip.compress(EMPTY), "Content-Encoding: gzip\r\n")]) as server:
        assert run(config(server.url), REPORTS) == [[]]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused(run: Run, status: int) -> None:
    with Trickster([reply(200, EMPTY)]) as other:
        with Trickster([reply(status, b"", f"Location: {other.url}/omni/1/logs\r\n")]) as server:
            [error] = run(config(server.url), LOGS)
        assert isinstance(error, OmniProtocolError)
        assert (error.status, error.retryable, other.connections) == (status, False, 0)


def test_an_error_answer_leaves_the_connection_usable(run: Run) -> None:
    with Trickster([reply(503, b""), reply(429, b"", "Retry-After: 3\r\n"), reply(200, EMPTY)]) as server:
        failed, slowed, rows = run(config(server.url), LOGS, LOGS, LOGS)
    assert (type(failed), type(slowed), rows) == (OmniServerError, OmniRateLimitError, [])
    assert (slowed.retry_after, server.connections) == (3.0, 1)


@pytest.mark.parametrize("behaviour", [close, reply(200, b"?"), reply(400, b""), silent])
def test_no_error_holds_a_number_a_text_or_the_password(run: Run, behaviour: Behaviour) -> None:
    with Trickster([behaviour]) as server:
        errors = run(config(server.url, read_timeout=0.3), SEND, LOGS)
    for error in errors:
        told = "".join(str(part) + repr(part) for part in (error, error.__cause__, error.__context__, vars(error)))
        assert NUMBER not in told
        assert "hello" not in told
        assert "secret-word" not in told


@pytest.mark.parametrize("behaviour", [close, reply(200, b"?"), reply(400, b"{}"), reply(401, b"{}"), reply(302, b"")])
def test_no_variable_around_an_error_shows_a_number_a_text_or_the_password(run: Run, behaviour: Behaviour) -> None:
    """Report an error as programs do that report errors with the variables of each frame would."""
    with Trickster([behaviour]) as server:
        [error] = run(config(server.url, id_secret="pepper-word"), SEND)
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    shown = {
        f"{frame.name}: {name}": value
        for frame in frames
        if "airflow_provider_omni" in frame.filename or "site-packages" in frame.filename
        for name, value in (frame.locals or {}).items()
    }
    assert shown
    words = ("secret-word", "ZGVtbzpz", "pepper-word", NUMBER, "hello")
    assert [where for where, value in shown.items() if any(word in value for word in words)] == []


ODD_HEADERS = {
    "a line that is no header": b"oops\r\nWWW-Authenticate: Basic realm=secret-word\r\n",
    "a header without a name": b": secret-word\r\n",
    "the body right after a header": b"X-Echo secret-word 41793026727\r\n",
    "several parts": b"Content-Type: multipart/mixed; boundary=secret-word\r\n",
    "a name that is none": b"X\x00Y secret-word: y\r\n",
}


@pytest.mark.parametrize("odd", ODD_HEADERS.values(), ids=ODD_HEADERS)
@pytest.mark.parametrize("level", ["DEBUG", "WARNING"])
def test_nothing_of_an_answer_whose_headers_cannot_be_read_stands_in_the_log(
    run: Run, odd: bytes, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level)
    with Trickster([raw(b"HTTP/1.1 200 OK\r\n" + odd + b"Connection: close\r\n\r\n" + SENT)]) as server:
        run(config(server.url), SEND)
    assert len(server.requests) == 1
    assert [word for word in ("secret-word", NUMBER) if word in caplog.text] == []


def test_the_pace_of_the_connection_is_kept() -> None:
    waits: list[float] = []
    with (
        Trickster([reply(200, EMPTY)]) as server,
        OmniClient(config(server.url, requests_per_second=0.1), waits.append) as client,
    ):
        client.execute(LOGS)
        client.execute(LOGS)
    assert [round(wait) for wait in waits] == [10]


def test_many_threads_share_a_client_within_its_connections() -> None:
    with Trickster([reply(200, EMPTY)]) as server, OmniClient(config(server.url, max_connections=3)) as client:
        threads = [threading.Thread(target=client.execute, args=(LOGS,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 20
    assert server.connections <= 3


async def test_many_tasks_share_a_client_within_its_connections() -> None:
    with Trickster([reply(200, EMPTY)]) as server:
        async with AsyncOmniClient(config(server.url, max_connections=3)) as client:
            await asyncio.gather(*(client.execute(LOGS) for _ in range(20)))
    assert len(server.requests) == 20
    assert server.connections <= 3


async def test_users_in_one_event_loop_share_one_session_until_the_last_has_gone() -> None:
    with Trickster([reply(200, EMPTY)]) as server:
        settings = config(server.url)
        async with shared_client(settings) as one:
            async with shared_client(settings) as other:
                await other.execute(LOGS)
            await one.execute(LOGS)
            assert one is other
        async with shared_client(settings) as later:
            assert later is not one
    assert server.connections == 1


async def test_a_cancelled_call_gives_its_connection_slot_back() -> None:
    with Trickster([silent, reply(200, EMPTY)]) as server:
        async with AsyncOmniClient(config(server.url, max_connections=1)) as client:
            task = asyncio.create_task(client.execute(LOGS))
            while not server.requests:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.execute(LOGS) == []
