"""The simulator on a socket: Starlette and uvicorn with httptools, with which absolute-form request targets work.

Faults are done to the connection for real here: reset (RST), closed, cut short, held back, dripped. What they are is
decided by the engine. Needs the extra `simulator`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.simulator.access import ControlAccess
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.control import CONTROL_CALLS, ControlCall
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.envelopes import ApiProblem, error_reply
from airflow_provider_omni.simulator.inbox_views import overview
from airflow_provider_omni.simulator.page_files import CAREFUL, HEADERS, ROOT, page_file
from airflow_provider_omni.simulator.wire import Ending, WireReply, WireRequest

TRANSPORT = "omni_simulator.transport"
DRIP_BYTES = 16
CHUNK_BYTES = 2**20
SHUTDOWN_SECONDS = 1
LARGEST_BODY = 16 * 2**20
"""Bytes of a request, which are read before anybody is asked for a login. A thousand recipients take a tenth of it."""
LARGEST_CONTROL_BODY = 2**20
EVENT_SECONDS = 0.25
"""Changes that are closer together than this are one event."""
HEARTBEAT_SECONDS = 15.0
RECONNECT_MS = 2000
MOST_STREAMS = 64
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionInScope(HttpToolsProtocol):
    """Puts the connection's transport into the ASGI scope, so that a fault can drop it."""

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        cast("dict[str, object]", self.scope)[TRANSPORT] = self.transport


class VendorCalls:
    """The ASGI application that answers as the vendor does."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request to its end, whatever that is."""
        body = await _body(scope, receive, LARGEST_BODY)
        if body is None:
            reply = error_reply(ApiProblem(413), self._accounts.first.settings)
            headers = {**reply.headers, "connection": "close"}
            await _complete(dataclasses.replace(reply, headers=headers), scope[TRANSPORT], receive, send)
            return
        request = WireRequest(
            method=scope["method"],
            target_path=scope["raw_path"].decode("ascii"),
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
        )
        reply = self._accounts.of_request(request.headers).handle(request)
        if reply.released is not None:
            reply = await asyncio.shield(asyncio.wrap_future(reply.released))
        if reply.delay:
            await asyncio.sleep(reply.delay)
        await _DELIVERIES[reply.ending](reply, scope[TRANSPORT], receive, send)


async def _body(scope: Scope, receive: Receive, largest: int) -> bytes | None:
    """Return the body of a request; None where it is, or says that it is, longer than `largest`."""
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not length.isdigit() or len(length) > 18 or int(length) > largest:
        return None
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > largest:
            return None
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(body)


def _start(reply: WireReply) -> Message:
    headers = {**reply.headers, "content-length": str(len(reply.body))}
    return {
        "type": "http.response.start",
        "status": reply.status,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }


async def _complete(reply: WireReply, _transport: asyncio.Transport, _receive: Receive, send: Send) -> None:
    await send(_start(reply))
    for begin in range(0, len(reply.body), CHUNK_BYTES):
        await send({"type": "http.response.body", "body": reply.body[begin : begin + CHUNK_BYTES], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _reset(_reply: WireReply, transport: asyncio.Transport, receive: Receive, _send: Send) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
    await _gone(receive)


async def _closed(_reply: WireReply, transport: asyncio.Transport, receive: Receive, _send: Send) -> None:
    transport.close()
    await _gone(receive)


async def _truncated(reply: WireReply, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
    await send(_start(reply))
    await send({"type": "http.response.body", "body": reply.body[: reply.sent_bytes], "more_body": True})
    transport.close()
    await _gone(receive)


async def _dripped(reply: WireReply, _transport: asyncio.Transport, _receive: Receive, send: Send) -> None:
    await send(_start(reply))
    for begin in range(0, len(reply.body), DRIP_BYTES):
        await send({"type": "http.response.body", "body": reply.body[begin : begin + DRIP_BYTES], "more_body": True})
        await asyncio.sleep(reply.drip_seconds)
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Wait until the server has noticed that the connection is gone, so that it does not try to answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


_DELIVERIES: Mapping[Ending, Callable[[WireReply, asyncio.Transport, Receive, Send], Awaitable[None]]] = {
    Ending.COMPLETE: _complete,
    Ending.RESET: _reset,
    Ending.CLOSED: _closed,
    Ending.TRUNCATED: _truncated,
    Ending.DRIPPED: _dripped,
}


def build_app(accounts: Accounts, access: ControlAccess) -> ASGIApp:
    """Build the application: the page, control calls under `/simulator/`, everything else is the vendor's."""
    routes: list[Route | Mount] = [
        Route(call.path, _control_endpoint(call, accounts, access), methods=[call.method]) for call in CONTROL_CALLS
    ]
    routes += [
        Route("/", _page_endpoint(access), methods=["GET"]),
        Route("/simulator/pages/{name}", _page_endpoint(access), methods=["GET"]),
        Route("/simulator/events", EventStreams(accounts, access).endpoint, methods=["GET"]),
    ]
    return Starlette(routes=[*routes, Mount("/", app=VendorCalls(accounts))])


def _refused(access: ControlAccess, request: Request) -> JSONResponse | None:
    refusal = access.refusal(request.method, request.headers)
    if refusal is None:
        return None
    status, reason = refusal
    headers = {**CAREFUL, **({"www-authenticate": 'Basic realm="OMNI simulator"'} if status == 401 else {})}
    return JSONResponse({"error": reason}, status, headers)


async def _members(request: Request) -> dict[str, Any]:
    """Return the members of a control call. Raises ValueError, and HTTPException for what is too long."""
    body = await _body(request.scope, request.receive, LARGEST_CONTROL_BODY)
    if body is None:
        raise HTTPException(413, f"body: longer than {LARGEST_CONTROL_BODY:,} bytes")
    if request.method == "GET":
        return {name: value for name, value in request.query_params.items() if name != "account"}
    members = json.loads(body or b"{}")
    if not isinstance(members, dict):
        raise ValueError("body: must be an object")
    return members


def _check_names(members: Mapping[str, Any], known: Sequence[str]) -> None:
    if "any" not in " ".join(known) and (unknown := [name for name in members if name not in known]):
        raise ValueError(unexpected(", ".join(unknown), "an unknown member", f"one of {', '.join(known) or 'none'}"))


def _guarded(
    access: ControlAccess, answer: Callable[[Request], Awaitable[Any]]
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """Let only those in who may, and answer what is wrong as JSON."""

    async def endpoint(request: Request) -> JSONResponse:
        refused = _refused(access, request)
        if refused is not None:
            return refused
        try:
            return JSONResponse(await answer(request), headers=CAREFUL)
        except HTTPException as problem:
            return JSONResponse({"error": problem.detail}, problem.status_code, CAREFUL)
        except RecursionError:
            return JSONResponse({"error": "body: nested too deeply"}, 400, CAREFUL)
        except ValueError as problem:
            return JSONResponse({"error": str(problem)}, 400, CAREFUL)

    return endpoint


def _control_endpoint(call: ControlCall, accounts: Accounts, access: ControlAccess) -> Callable[..., Any]:
    async def answer(request: Request) -> Any:
        members = await _members(request)
        _check_names(members, call.members)
        asked = accounts if call.of_all else accounts.get(request.query_params.get("account"))
        return await call.handler(asked, members)

    return _guarded(access, answer)


def _page_endpoint(access: ControlAccess) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        refused = _refused(access, request)
        if refused is not None:
            return refused
        file = page_file(request.path_params.get("name", ROOT))
        if file is None:
            return JSONResponse({"error": "no such file"}, 404, CAREFUL)
        return Response(file.body, headers=HEADERS, media_type=file.kind)

    return endpoint


class EventStreams:
    """Tells pages when what they show has changed: the overview, at once and with every change.

    Nothing is queued for a page that reads slowly: it gets the newest overview next.
    """

    def __init__(self, accounts: Accounts, access: ControlAccess) -> None:
        self._accounts = accounts
        self._access = access
        self._open = 0

    async def endpoint(self, request: Request) -> Response:
        """Answer with a stream of events."""
        refused = _refused(self._access, request)
        if refused is not None:
            return refused
        if self._open >= MOST_STREAMS:
            return JSONResponse({"error": f"{MOST_STREAMS} pages are open already"}, 503, CAREFUL)
        try:
            simulator = self._accounts.get(request.query_params.get("account"))
        except ValueError as problem:
            return JSONResponse({"error": str(problem)}, 400, CAREFUL)
        headers = {**CAREFUL, "cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._events(simulator), headers=headers, media_type="text/event-stream")

    async def _events(self, simulator: Simulator) -> AsyncIterator[str]:
        self._open += 1
        try:
            shown: Any = None
            quiet = 0.0
            while True:
                now = {**overview(simulator), "accounts": self._accounts.logins()}
                changed = {name: value for name, value in now.items() if name != "time"}
                if changed != shown:
                    shown, quiet = changed, 0.0
                    yield f"retry: {RECONNECT_MS}\nevent: overview\ndata: {json.dumps(now)}\n\n"
                elif quiet >= HEARTBEAT_SECONDS:
                    quiet = 0.0
                    yield ": still here\n\n"
                await asyncio.sleep(EVENT_SECONDS)
                quiet += EVENT_SECONDS
        finally:
            self._open -= 1


class Server(uvicorn.Server):
    """A uvicorn server that tells when it is ready and leaves signals to others."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then tell."""
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def make_server(app: ASGIApp, on_ready: Callable[[], None]) -> Server:
    """Build a server: `await server.serve(sockets=[bind(host, port)])` runs it, `should_exit = True` stops it."""
    config = uvicorn.Config(
        app,
        http=ConnectionInScope,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return Server(config, on_ready)


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 takes a free one. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # Named with its protocol, else asyncio leaves Nagle's algorithm on, and an answer's body waits 40 ms for the peer.
    bound = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.set_inheritable(False)
    except OSError:
        bound.close()
        raise
    return bound


def base_url(host: str, port: int) -> str:
    """Return the address to type into a connection; a wildcard address becomes loopback."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
