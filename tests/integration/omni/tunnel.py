"""A proxy on loopback that records what it is told, and makes tunnels or refuses to. No test lives here."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from dataclasses import dataclass, field


@dataclass
class Tunnel:
    """Reads the head of each request, then answers with `says`, and connects it to `target` where there is one.

    :param target: the port on loopback to which every tunnel leads, whatever was asked for; None: no tunnel is made.
    :param says: what it answers first; nothing closes the connection.
    """

    target: int | None = None
    says: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"
    tls: ssl.SSLContext | None = None
    silent: bool = False
    heads: list[str] = field(default_factory=list)

    def __enter__(self) -> Tunnel:
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.close()
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._answer(sock)
        sock.close()

    def _answer(self, sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = sock.recv(65536)
            if not part:
                return
            head += part
        self.heads.append(head.decode("latin-1"))
        if self.silent:
            self._stopped.wait()
            return
        sock.sendall(self.says)
        if self.target is not None:
            with socket.create_connection(("127.0.0.1", self.target)) as there:
                self._pass_on(sock, there)

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        while not self._stopped.is_set():
            pending = isinstance(here, ssl.SSLSocket) and here.pending()
            ready = [here] if pending else select.select([here, there], [], [], 0.1)[0]
            for sock in ready:
                part = sock.recv(65536)
                if not part:
                    return
                (there if sock is here else here).sendall(part)
