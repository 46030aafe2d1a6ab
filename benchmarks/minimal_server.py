"""A server that is not the bottleneck: it accepts every send and does nothing else.

    python -m benchmarks.minimal_server --latency 0.05

Prints its port. No checks, no record, no framework: what is measured against it is the client.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IDS = re.compile(rb'"messageId":"([^"]+)"')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_STATUS = (
    b'"status":{"groupId":1,"groupName":"PENDING","id":7,"name":"PENDING_ENROUTE",'
    b'"description":"Message sent to next instance"}'
)
_ENTRY = b'{"to":{"phoneNumber":"41793026727"},' + _STATUS + b',"messageId":"'
_SCENARIO = b'{"key":"K","name":"LINE-SMS","flow":[{"from":"L","channel":"LINE"},{"from":"S","channel":"SMS"}]}'


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return
            request = bytes(self.buffer[:size])
            del self.buffer[:size]
            reply = _reply(request)
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.transport.write, reply)  # type: ignore[attr-defined]
            else:
                self.transport.write(reply)  # type: ignore[attr-defined]


def _reply(request: bytes) -> bytes:
    if request.startswith(b"POST"):
        entries = b'"},'.join([_ENTRY + each for each in _IDS.findall(request)])
        body = b'{"bulkId":"b","messages":[' + entries + b'"}]}'
    elif b"/scenarios/" in request[:200]:
        body = _SCENARIO
    else:
        body = b'{"results":[]}'
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def serve(latency: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(latency: float = 0.0) -> Iterator[str]:
    """A server in a process of its own; its URL."""
    command = [sys.executable, "-m", "benchmarks.minimal_server", "--latency", str(latency)]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args().latency))
