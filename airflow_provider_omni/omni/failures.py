"""Names of broken exchanges, for the sync and the async client alike. Decides words and effect; does no I/O.

The words never hold what the libraries say: their messages have the URL with its query in them.
"""

from __future__ import annotations

import enum
import ssl
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import Effect, OmniError, OmniProtocolError, OmniTransportError
from airflow_provider_omni.omni.responses import MAX_ANSWER_BYTES, after_effect

if TYPE_CHECKING:
    from airflow_provider_omni.omni.environment import Way


class Failure(enum.Enum):
    """Every way in which an exchange breaks: what it is called, and what the request may have done by then."""

    NO_NAME = ("the host's name could not be resolved: check the connection's host", Effect.NONE)
    CONNECT_TIMEOUT = (
        "no connection within connect_timeout: check the connection's host and port, and what is in between",
        Effect.NONE,
    )
    REFUSED = ("the connection was refused: check the connection's host and port", Effect.NONE)
    CERTIFICATE = (
        "the TLS certificate could not be verified: check the connection's host, or name its authority in "
        "REQUESTS_CA_BUNDLE",
        Effect.NONE,
    )
    TLS = ("the TLS handshake failed: check the connection's host and scheme", Effect.NONE)
    CUT_SHORT = ("the connection was closed before it stood: check the connection's host and port", Effect.NONE)
    PROXY = (
        "the proxy did not make the connection: check the connection's host, and whether the proxy lets it through",
        Effect.NONE,
    )
    PROXY_DOWN = (
        "the proxy could not be reached: check its address, or name the connection's host in no_proxy",
        Effect.NONE,
    )
    PROXY_LOGIN = ("the proxy wants a login (HTTP 407): it belongs into the proxy's URL", Effect.NONE)
    PROXY_LOGIN_REFUSED = ("the proxy refuses the login in its URL (HTTP 407): check it", Effect.NONE)
    NOT_CONNECTED = ("no connection could be made: check the connection's host and port", Effect.NONE)
    READ_TIMEOUT = (
        "no complete answer within read_timeout: if it stays so, check the connection's host, or wait longer",
        Effect.UNKNOWN,
    )
    BROKEN = ("the connection broke before the answer was complete", Effect.UNKNOWN)
    TOO_LONG = (f"the answer is longer than {MAX_ANSWER_BYTES // 2**20} MiB", Effect.UNKNOWN)
    NOT_HTTP = ("what came back is not HTTP, or cannot be decompressed", Effect.UNKNOWN)

    @property
    def words(self) -> str:
        """The event in words."""
        return self.value[0]

    @property
    def effect(self) -> Effect:
        """Effect that the request may have had by then."""
        return self.value[1]


_PROTOCOL = frozenset({Failure.TOO_LONG, Failure.NOT_HTTP})


_FOR_GOOD = frozenset({Failure.PROXY_LOGIN, Failure.PROXY_LOGIN_REFUSED})
_OF_THE_BUNDLE = frozenset({Failure.CERTIFICATE, Failure.TLS})


def failure_error(call: Call[Any], failure: Failure, way: Way | None = None) -> OmniError:
    """Return the error of the tree for a broken exchange.

    :param way: how it went; what may be to blame of it is named while nothing had left.
    """
    if failure is Failure.PROXY_LOGIN and way is not None and way.proxy is not None and way.proxy.login is not None:
        failure = Failure.PROXY_LOGIN_REFUSED
    kind = OmniProtocolError if failure in _PROTOCOL else OmniTransportError
    words = failure.words[0].upper() + failure.words[1:]
    named = []
    if way is not None and failure.effect is Effect.NONE:
        named += [f"the proxy is {way.proxy.shown}"] if way.proxy else []
        named += [f"the authorities are {way.authorities}"] if failure in _OF_THE_BUNDLE and way.authorities else []
    error = kind(
        f"{words}{'; ' if named else ''}{', '.join(named)}. {after_effect(call, failure.effect)}",
        path=call.name,
        effect=failure.effect,
        retryable=False if failure in _FOR_GOOD else None,
    )
    error.failure = failure.name
    return error


def through_a_proxy(failure: Failure, status: int | None = None) -> Failure:
    """Return the failure to name if this one comes before the proxy has made the tunnel: then it is the proxy's.

    :param status: the HTTP status by which the proxy has refused, where it did.
    """
    if status == 407:
        return Failure.PROXY_LOGIN
    if status is not None:
        return Failure.PROXY
    if failure in (Failure.NO_NAME, Failure.REFUSED):
        return Failure.PROXY_DOWN
    return Failure.PROXY if failure in (Failure.NOT_CONNECTED, Failure.CUT_SHORT) else failure


CUT_SHORT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""Errors of the libraries for another side that goes away while a connection is made."""


def chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it was raised from or wraps, outermost first; libraries nest them in several ways."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 50:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and not any(one is known for known in found):
            found.append(one)
            waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
    return found
