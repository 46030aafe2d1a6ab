"""A tiny threaded server that breaks HTTP in every way a network can. No fixture and no test lives here.

It reads each request whole, counts it, and lets a behaviour do what it wants with the socket. `requests` is the judge.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Seen:
    """One request as the server saw it."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


Behaviour = Callable[[socket.socket, threading.Event], bool]
"""Answers a request on the socket; True to keep the connection. The event is set when the server stops."""


@dataclass
class Trickster:
    """Behaves as the list says: the first request as the first entry, …; the last entry holds for all that follow."""

    behaviours: Sequence[Behaviour]
    tls: ssl.SSLContext | None = None
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Trickster:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.close()
        for sock in self._open:
            sock.close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            while (seen := _read_request(sock, number)) is not None:
                with self._lock:
                    self.requests.append(seen)
                    behave = self.behaviours[min(len(self.requests), len(self.behaviours)) - 1]
                if not behave(sock, self._stopped):
                    break
        except OSError:
            pass
        finally:
            sock.close()


def _read_request(sock: socket.socket, number: int) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            return None
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(65536)
    return Seen(line, headers, body, number)


def reply(status: int = 200, body: bytes = b"{}", headers: str = "") -> Behaviour:
    """A proper answer on a connection that stays open."""

    def behave(sock: socket.socket, stopped: threading.Event) -> bool:
        sock.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        return True

    return behave


def raw(data: bytes, keep: bool = False) -> Behaviour:
    """These very bytes, then the end of the connection."""

    def behave(sock: socket.socket, stopped: threading.Event) -> bool:
        sock.sendall(data)
        return keep

    return behave


def close(sock: socket.socket, stopped: threading.Event) -> bool:
    """The request was read; the connection is closed without a byte."""
    return False


def reset(sock: socket.socket, stopped: threading.Event) -> bool:
    """The request was read; the connection is reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def silent(sock: socket.socket, stopped: threading.Event) -> bool:
    """Nothing comes, until the client gives up."""
    while not stopped.is_set() and sock.recv(1):
        pass
    return False


def drip(head: bytes, drop: bytes, pause: float = 0.02) -> Behaviour:
    """The head, then a drop at a time, for ever: each comes well within any time-out per read."""

    def behave(sock: socket.socket, stopped: threading.Event) -> bool:
        sock.sendall(head)
        while not stopped.is_set():
            sock.sendall(drop)
            time.sleep(pause)
        return False

    return behave


def flood(head: bytes, block: bytes, times: int) -> Behaviour:
    """The head and a block, many times."""

    def behave(sock: socket.socket, stopped: threading.Event) -> bool:
        sock.sendall(head)
        for _ in range(times):
            sock.sendall(block)
        return False

    return behave
