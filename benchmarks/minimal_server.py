"""A server that is not the bottleneck: it accepts every send, hands out reports by number, and does nothing else.

    python -m benchmarks.minimal_server --latency 0.05

Prints its port. No checks, no record, no framework: what is measured against it is the client.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections import Counter
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
_BULK = re.compile(rb"GET /omni/1/reports\?bulkId=([^& ]+)")
_REPORT = (
    '{"bulkId":"%s","messageId":"%s-%d","to":"41793026727","sentAt":"2026-11-23T09:00:00.000+0000",'
    '"doneAt":"2026-11-23T09:00:07.000+0000","messageCount":1,"mccMnc":"22801",'
    '"price":{"pricePerMessage":0.01,"currency":"EUR"},"status":{"groupId":3,"groupName":"DELIVERED","id":5,'
    '"name":"DELIVERED_TO_HANDSET","description":"Message delivered to handset"},"error":{"groupId":0,"groupName":"OK",'
    '"id":0,"name":"NO_ERROR","description":"No Error","permanent":false},"channel":"LINE"}'
)
_SCENARIO = b'{"key":"K","name":"LINE-SMS","flow":[{"from":"L","channel":"LINE"},{"from":"S","channel":"SMS"}]}'


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, latency: float, reports: int, read: Counter[str]) -> None:
        self.latency = latency
        self.reports = reports
        self.read = read
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
            reply = self._reply(request)
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.transport.write, reply)  # type: ignore[attr-defined]
            else:
                self.transport.write(reply)  # type: ignore[attr-defined]

    def _reply(self, request: bytes) -> bytes:
        if request.startswith(b"POST"):
            entries = b'"},'.join([_ENTRY + each for each in _IDS.findall(request)])
            body = b'{"bulkId":"b","messages":[' + entries + b'"}]}'
        elif b"/scenarios/" in request[:200]:
            body = _SCENARIO
        elif self.reports and (bulk := _BULK.match(request)):
            body = self._next_reports(bulk[1].decode())
        else:
            body = b'{"results":[]}'
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def _next_reports(self, bulk: str) -> bytes:
        """Delivered by LINE, so many at a time: `<bulk id>-<number>`, without an end."""
        first = self.read[bulk]
        self.read[bulk] += self.reports
        rows = [_REPORT % (bulk, bulk, number) for number in range(first, first + self.reports)]
        return ('{"results":[' + ",".join(rows) + "]}").encode()


async def serve(latency: float, reports: int) -> None:
    """Serve until killed."""
    read: Counter[str] = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(latency, reports, read), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(latency: float = 0.0, reports: int = 0) -> Iterator[str]:
    """A server in a process of its own; its URL. `reports`: so many at each read of a bulk."""
    command = [sys.executable, "-m", "benchmarks.minimal_server", "--latency", str(latency), "--reports", str(reports)]
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
    parser.add_argument("--reports", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(serve(given.latency, given.reports))
