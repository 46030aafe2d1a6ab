"""The sync client: moves the bytes of a call with requests, for workers.

What the bytes mean is decided in `responses.py`, whether to try again in `retries.py`. Nothing is repeated here.
"""

from __future__ import annotations

import http.client
import io
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import allowed_gai_family

from airflow_provider_omni import __version__
from airflow_provider_omni.omni.api import Call, Observer
from airflow_provider_omni.omni.config import OmniConfig, authorization_header
from airflow_provider_omni.omni.environment import Way, find_way
from airflow_provider_omni.omni.failures import CUT_SHORT, Failure, chain, failure_error, through_a_proxy
from airflow_provider_omni.omni.rate_limits import rate_limiter_of
from airflow_provider_omni.omni.responses import MAX_ANSWER_BYTES, Response, read, refuses

T = TypeVar("T")

CHUNK = 256 * 1024
"""Bytes that are read at once: an answer about a full request in one or two reads. Each read gives the interpreter's
lock away, and a busy process gets it back late.
"""


class OmniClient:
    """Executes calls over kept-alive connections, at most `config.max_connections` at a time. Safe to share by threads.

    Time-outs are always set, TLS is always verified; redirects, netrc and cookies are not used.

    :param config: the account.
    :param sleep: waits for the rate limiter; for tests.
    :param observe: sees each call when it has ended. Default: nobody does.
    """

    def __init__(
        self, config: OmniConfig, sleep: Callable[[float], None] = time.sleep, observe: Observer | None = None
    ) -> None:
        self.config = config
        self._observe = observe
        self._sleep = sleep
        self._rate_limiter = rate_limiter_of(config.account, config.requests_per_second)
        self._adapter: _Adapter | None = None
        self._opening = threading.Lock()
        self._secrets = config.secrets
        self._headers = {
            "Authorization": authorization_header(config),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"airflow-provider-omni/{__version__}",
        }

    def execute(self, call: Call[T]) -> T:
        """Return the call's model, or one of `errors.py`. Made once, whatever happens."""
        if wait := self._rate_limiter.reserve():
            self._sleep(wait)
        return read(call, self._observed(call), self._secrets)

    def close(self) -> None:
        """Close the connections that are kept alive. The client can be used again."""
        if self._adapter is not None:
            self._adapter.close()

    def __enter__(self) -> OmniClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> _Adapter:
        """Return the adapter, made at the first call: what the environment says about the way may be an error."""
        with self._opening:
            if self._adapter is None:
                self._adapter = _Adapter(find_way(self.config.base_url), self.config.max_connections)
            return self._adapter

    def _observed(self, call: Call[Any]) -> Response:
        if self._observe is None:
            return self._exchange(call)
        began, status = time.monotonic(), None
        try:
            response = self._exchange(call)
            status = response.status
            return response
        finally:
            self._observe(call, status, time.monotonic() - began)

    def _exchange(self, call: Call[Any]) -> Response:
        adapter = self._adapter or self._open()
        _BOUNDS.begin(self.config.connect_timeout, self.config.read_timeout)
        try:
            response = adapter.send(
                self._prepared(call),
                stream=True,
                timeout=(self.config.connect_timeout, self.config.read_timeout),
                verify=True,
                proxies=adapter.proxies,
            )
            with response:
                body = _body(response)
                if body is not None:
                    return Response(response.status_code, response.headers, body)
            failure = Failure.TOO_LONG
        except Exception as error:  # noqa: BLE001  whatever the libraries raise, the caller must learn the effect
            failure = _failure(error)
        # Raised out here, so that no library's message, which has the query in it, hangs on to our error.
        raise failure_error(call, failure, adapter.way)

    def _prepared(self, call: Call[Any]) -> requests.PreparedRequest:
        """Put together by hand: a session's preparation merges environment, cookies and netrc into every request."""
        request = requests.PreparedRequest()
        request.method = call.method
        request.url = self.config.base_url + call.target
        request.headers = CaseInsensitiveDict(self._headers)
        request.body = call.body
        if call.body is not None:
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(call.body))
        return request


def _body(response: requests.Response) -> bytes | None:
    """Return the body, decompressed; None if it is too long. Empty if it cannot be read and the status says it all."""
    parts = bytearray()
    try:
        for part in response.raw.stream(CHUNK, decode_content=True):
            parts += part
            if len(parts) > MAX_ANSWER_BYTES:
                return b"" if refuses(response.status_code) else None
    except Exception:
        if refuses(response.status_code):
            return b""
        raise
    return bytes(parts)


def _failure(error: Exception) -> Failure:
    causes = chain(error)
    kinds_of_failure = _SENT if _BOUNDS.sent else _NOT_SENT
    failure = Failure.BROKEN if _BOUNDS.sent else Failure.NOT_CONNECTED
    for kinds, named in kinds_of_failure:
        if any(isinstance(cause, kinds) for cause in causes):
            failure = named
            break
    refused = next((cause for cause in causes if isinstance(cause, _NoTunnelError)), None)
    return failure if refused is None else through_a_proxy(failure, refused.status)


class _NotConnectedError(urllib3.exceptions.HTTPError):
    """Raised by connections only: nothing of the request had left. Passes through urllib3 and requests as it is."""


class _NoTunnelError(_NotConnectedError):
    """It was on the way through a proxy.

    :param status: the HTTP status by which it has refused; None where it has not.
    """

    def __init__(self, status: int | None) -> None:
        super().__init__("no tunnel")
        self.status = status


_Kinds = tuple[type[BaseException], ...]

_NOT_SENT: tuple[tuple[_Kinds, Failure], ...] = (
    ((socket.gaierror, urllib3.exceptions.NameResolutionError, UnicodeError), Failure.NO_NAME),
    ((ssl.SSLCertVerificationError,), Failure.CERTIFICATE),
    (CUT_SHORT, Failure.CUT_SHORT),
    ((ssl.SSLError,), Failure.TLS),
    ((ConnectionRefusedError,), Failure.REFUSED),
    ((TimeoutError,), Failure.CONNECT_TIMEOUT),
)
_SENT: tuple[tuple[_Kinds, Failure], ...] = (
    ((urllib3.exceptions.ReadTimeoutError, TimeoutError), Failure.READ_TIMEOUT),
    ((http.client.RemoteDisconnected, ConnectionError, http.client.IncompleteRead), Failure.BROKEN),
    ((urllib3.exceptions.IncompleteRead,), Failure.BROKEN),
    ((urllib3.exceptions.DecodeError, http.client.HTTPException, UnicodeError), Failure.NOT_HTTP),
    ((requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError), Failure.NO_NAME),
)


# --- below requests: connections that say whether anything was sent, and calls that have a deadline ------------------


class _Bounds(threading.local):
    """Deadlines of this thread's call. The proof of absence relies on the call having ended by then.

    requests has a time-out for each address of a host, and for each piece that is written; nothing for the whole.
    """

    begin_by = end_by = float("inf")
    sent = False
    """Something of the request may have left: a call that fails before that certainly had no effect."""

    def begin(self, connect: float, answer: float) -> None:
        """Begin a call: its request must have begun to leave within `connect` seconds, and all be over in the sum."""
        self.begin_by = time.monotonic() + connect
        self.end_by = self.begin_by + answer
        self.sent = False


_BOUNDS = _Bounds()


def _left(until: float) -> float:
    """Return the seconds until then. Raises TimeoutError when it has come."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _resolved(host: str, port: int) -> list[Any]:
    """Return the addresses of a host. The system's resolver knows no time-out, so it is asked in a thread."""
    host = host.strip("[]")
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  raised where it is waited for
            answer.put(error)

    threading.Thread(target=ask, name="omni-resolver", daemon=True).start()
    try:
        found = answer.get(timeout=_left(_BOUNDS.begin_by))
    except queue.Empty:
        raise TimeoutError("timed out") from None
    if isinstance(found, Exception):
        raise found
    return list(found)


def _connected(host: str, port: int, options: Any, source: Any) -> socket.socket:
    """Return a connection to the first address that takes one: all of them together have the time, in equal shares."""
    addresses = _resolved(host, port)
    failed: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            failed = error
            continue
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(_left(_BOUNDS.begin_by) / (len(addresses) - index))
            if source:
                sock.bind(source)
            sock.connect(address)
            sock.settimeout(_left(_BOUNDS.begin_by))
        except OSError as error:
            sock.close()
            failed = error
            continue
        return sock
    raise failed


class _BoundedRaw(io.RawIOBase):
    """A socket's bytes until a moment, not just within a time-out per byte: a server that drips cannot hold us.

    To the second: the socket's time-out is set anew only when it is off by that much.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, timeout: float) -> None:
        self._raw, self._sock, self._set = raw, sock, timeout
        self._deadline = time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._set - left > min(1.0, self._set / 10):
            self._sock.settimeout(left)
            self._set = left
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """An answer that must have come, all of it, within the socket's time-out from when it is waited for, and while
    the call may last.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if (timeout := sock.gettimeout()) is not None:
            timeout = max(min(timeout, _BOUNDS.end_by - time.monotonic()), 0.001)
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_BoundedRaw(raw, sock, timeout), buffer_size=CHUNK)

    def begin(self) -> None:
        """Read status and headers. What of these cannot be read stays unread: urllib3 would write it into the log,
        where it may echo a login.
        """
        super().begin()
        self.headers.defects = []
        self.headers.set_payload("")


class _Bounded:
    """The common half of both kinds of connection: bounds, and an error of its own while nothing has left."""

    sock: Any
    host: str
    port: int
    socket_options: Any
    source_address: Any
    proxy: Any
    _leaving = False
    """Something of the present request has left."""
    _connecting = False
    """Everything is sent to the proxy itself now, to be connected."""

    def _new_conn(self) -> socket.socket:
        return _connected(getattr(self, "_dns_host", self.host), self.port, self.socket_options, self.source_address)

    def connect(self) -> None:
        """Connect, through a proxy too, while a request may still begin."""
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        except Exception as error:
            if getattr(self, "proxy", None) is not None:
                raise _NoTunnelError(_refusal(error)) from error
            raise _NotConnectedError("not connected") from error
        finally:
            self._connecting = False
        self._leaving = False

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        """Begin a request."""
        self._leaving = False
        super().putrequest(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        """Write within what is left of the call; begin no request later than it may."""
        if self.sock is None:
            self.connect()
        if not self._leaving:
            try:
                _left(_BOUNDS.begin_by)
            except TimeoutError as error:
                raise _NotConnectedError("too late to begin") from error
            self._leaving = True
        self.sock.settimeout(_left(_BOUNDS.begin_by if self._connecting else _BOUNDS.end_by))
        _BOUNDS.sent = _BOUNDS.sent or not self._connecting
        super().send(data)  # type: ignore[misc]


def _refusal(error: BaseException) -> int | None:
    """Return the status by which a proxy has refused; the standard library has it in its words only."""
    found = [re.match(r"Tunnel connection failed: (\d{3})\b", str(each)) for each in chain(error)]
    return next((int(match[1]) for match in found if match), None)


class _Connection(_Bounded, HTTPConnection):
    response_class = _BoundedResponse


class _TlsConnection(_Bounded, HTTPSConnection):
    response_class = _BoundedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """requests' adapter over the connections above, for one way: its proxy, and the authorities that it believes."""

    def __init__(self, way: Way, connections: int) -> None:
        self.way = way
        self.proxies = {} if way.proxy is None else {"https": way.proxy.url}
        super().__init__(pool_connections=2, pool_maxsize=connections, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self.way.tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        tls = self.way.tls
        manager = super().proxy_manager_for(proxy, ssl_context=tls, proxy_ssl_context=tls, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002
        return {} if self.way.proxy is None else self.way.proxy.headers

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Leave it to the context of the way: requests would add the authorities of certifi to it."""
        conn.cert_reqs = "CERT_REQUIRED"
