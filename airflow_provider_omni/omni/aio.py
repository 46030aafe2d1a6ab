"""The async client: moves the bytes of a call with aiohttp, for the triggerer.

The twin of `client.py`: the same calls, the same answers, the same errors. Nothing is repeated here, and aiohttp, which
by itself repeats a GET when a kept-alive connection breaks, is kept from it: a repeated report read loses reports.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_omni import __version__
from airflow_provider_omni.omni.api import Call, Observer
from airflow_provider_omni.omni.config import OmniConfig, authorization_header
from airflow_provider_omni.omni.environment import Way, find_way, load_context
from airflow_provider_omni.omni.failures import CUT_SHORT, Failure, chain, failure_error, through_a_proxy
from airflow_provider_omni.omni.rate_limits import rate_limiter_of
from airflow_provider_omni.omni.responses import MAX_ANSWER_BYTES, Response, read, refuses

T = TypeVar("T")

CHUNK = 64 * 1024
_tls_context = load_context
"""The authorities of both clients; to be cleared where a bundle changes within a tick of the file system's clock."""


class AsyncOmniClient:
    """Executes calls over kept-alive connections, at most `config.max_connections` at a time, in one event loop.

    Time-outs are always set, TLS is always verified; redirects, netrc and cookies are not used.

    :param config: the account.
    :param sleep: waits for the rate limiter; for tests.
    :param observe: sees each call when it has ended. Default: nobody does.
    """

    def __init__(
        self,
        config: OmniConfig,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        observe: Observer | None = None,
    ) -> None:
        self.config = config
        self._observe = observe
        self._sleep = sleep
        self._rate_limiter = rate_limiter_of(config.account, config.requests_per_second)
        self._slots = asyncio.Semaphore(config.max_connections)
        self._session: aiohttp.ClientSession | None = None
        self._way = Way()
        self._secrets = config.secrets

    async def execute(self, call: Call[T]) -> T:
        """Return the call's model, or one of `errors.py`. Made once, whatever happens."""
        async with self._slots:
            if wait := self._rate_limiter.reserve():
                await self._sleep(wait)
            answer = await self._observed(call)
        return read(call, answer, self._secrets)

    async def close(self) -> None:
        """Close the connections that are kept alive. The client can be used again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> AsyncOmniClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _observed(self, call: Call[Any]) -> Response:
        if self._observe is None:
            return await self._exchange(call)
        began, status = time.monotonic(), None
        try:
            response = await self._exchange(call)
            status = response.status
            return response
        finally:
            self._observe(call, status, time.monotonic() - began)

    async def _exchange(self, call: Call[Any]) -> Response:
        session = await self._open()
        proxy = self._way.proxy
        progress = _Progress()
        try:
            async with session.request(
                call.method,
                URL(self.config.base_url + call.target, encoded=True),
                data=call.body,
                headers=self._headers(call),
                proxy=None if proxy is None else proxy.url,
                proxy_headers=None if proxy is None else proxy.headers,
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                body = await _body(response)
                if body is not None:
                    return Response(response.status, response.headers, body)
            failure = Failure.TOO_LONG
        except _ExchangeFailedError as error:
            failure = _failure(error.cause, progress.connected, proxy is not None)
        except Exception as error:  # noqa: BLE001  whatever the library raises, the caller must learn the effect
            failure = _failure(error, progress.connected, proxy is not None)
        # Raised out here, so that no library's message, which has the query in it, hangs on to our error.
        raise failure_error(call, failure, self._way)

    def _headers(self, call: Call[Any]) -> dict[str, str]:
        """Return the account's own headers. They go with each request, never with the session: aiohttp asks a proxy for
        a tunnel with the session's headers, and makes the proxy's login of this one.
        """
        headers = {"Authorization": authorization_header(self.config)}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    async def _open(self) -> aiohttp.ClientSession:
        """Return the session, made at the first call, since it belongs to the event loop that runs then."""
        if self._session is None or self._session.closed:
            way = await asyncio.to_thread(find_way, self.config.base_url)
            if self._session is None or self._session.closed:
                self._way = way
                self._session = self._new_session(way.tls or True)
        return self._session

    def _new_session(self, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
        connected = aiohttp.TraceConfig()
        connected.on_connection_create_end.append(_note_connected)
        connected.on_connection_reuseconn.append(_note_connected)
        connect, answer = self.config.connect_timeout, self.config.read_timeout
        return aiohttp.ClientSession(
            # `_slots` is the limit, so that waiting for a connection costs nothing of the time-outs.
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            timeout=aiohttp.ClientTimeout(
                total=connect + answer, connect=connect, sock_connect=connect, sock_read=answer
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_tell_failures_apart,),
            trace_configs=[connected],
            trust_env=False,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"airflow-provider-omni/{__version__}",
            },
        )


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, decompressed; None if it is too long. Empty if it cannot be read and the status says it all."""
    parts = bytearray()
    try:
        async for part in response.content.iter_chunked(CHUNK):
            parts += part
            if len(parts) > MAX_ANSWER_BYTES:
                response.close()
                return b"" if refuses(response.status) else None
    except Exception:
        if refuses(response.status):
            response.close()
            return b""
        raise
    return bytes(parts)


@dataclass
class _Progress:
    """The stage that a request has reached: before it has a connection, nothing of it can have left."""

    connected: bool = False


async def _note_connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _event: Any) -> None:
    context.trace_request_ctx.connected = True


class _ExchangeFailedError(Exception):
    """The middleware's form of every failure. No subclass of aiohttp's errors or of OSError: those are repeated."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("the exchange failed")
        self.cause = cause


async def _tell_failures_apart(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Tell failures apart: a client middleware around connecting, sending and reading the headers.

    aiohttp repeats an idempotent request once if a ClientOSError or ServerDisconnectedError comes out of here.
    """
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001
        cause = error
    raise _ExchangeFailedError(cause)


def _failure(error: Exception, connected: bool, proxied: bool) -> Failure:
    causes = chain(error)
    failure = Failure.BROKEN if connected else Failure.NOT_CONNECTED
    for kinds, named in _SENT if connected else _NOT_SENT:
        if any(isinstance(cause, kinds) for cause in causes):
            failure = named
            break
    if connected or not proxied:
        return failure
    refused = next((cause for cause in causes if isinstance(cause, aiohttp.ClientHttpProxyError)), None)
    return through_a_proxy(failure, None if refused is None else refused.status)


_Kinds = tuple[type[BaseException], ...]

_NOT_SENT: tuple[tuple[_Kinds, Failure], ...] = (
    ((aiohttp.ClientConnectorDNSError, socket.gaierror, aiohttp.InvalidURL, UnicodeError), Failure.NO_NAME),
    ((aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError), Failure.CERTIFICATE),
    (CUT_SHORT, Failure.CUT_SHORT),
    ((aiohttp.ClientSSLError, ssl.SSLError), Failure.TLS),
    ((TimeoutError,), Failure.CONNECT_TIMEOUT),
    ((ConnectionRefusedError,), Failure.REFUSED),
)
_SENT: tuple[tuple[_Kinds, Failure], ...] = (
    ((TimeoutError,), Failure.READ_TIMEOUT),
    ((aiohttp.ClientResponseError, aiohttp.http_exceptions.HttpProcessingError), Failure.NOT_HTTP),
    ((UnicodeError,), Failure.NOT_HTTP),
)


# --- one client for everybody in an event loop -----------------------------------------------------------------------


@dataclass
class _Shared:
    client: AsyncOmniClient
    users: int = 0


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[OmniConfig, _Shared]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def shared_client(config: OmniConfig, observe: Observer | None = None) -> AsyncIterator[AsyncOmniClient]:
    """Return the one client that this event loop has for the account, as all triggers of a connection use it.

    It is made for the first user and closed after the last.

    :param observe: sees each call when it has ended. That of the first user counts.
    """
    clients = _shared.setdefault(asyncio.get_running_loop(), {})
    entry = clients.setdefault(config, _Shared(AsyncOmniClient(config, observe=observe)))
    entry.users += 1
    try:
        yield entry.client
    finally:
        entry.users -= 1
        if not entry.users:
            del clients[config]
            await entry.client.close()
