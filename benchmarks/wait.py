"""Design section 6, waiting: 1,000 deferred waits of 1,000 messages each in one event loop, as in one triggerer.

python -m benchmarks.wait [--waits 1000] [--ledger]

Prints how late the loop was, how often reports were asked for, and how many journal writes that made. The journal is
kept by a stand-in for the triggerer's supervisor, which carries out 60 messages a second, one after the other; with
`--ledger` outcomes go into ledgers on the local disk.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from airflow_provider_omni.delivery.drivers import arun
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.ledger.parts import SENT, TRIES, VERSION, TryId, pack
from airflow_provider_omni.delivery.messages.states import Attempt, MessageState
from airflow_provider_omni.delivery.outbox.stores import intent_line
from airflow_provider_omni.delivery.tracking.wait_together import wait_for
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch
from airflow_provider_omni.omni.aio import shared_client
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.rate_limits import WindowLimiter
from benchmarks.minimal_server import running

BULKS, MESSAGES, ROUNDS = 2, 500, 4
"""Requests of a wait, messages of a request, and polls over which a request's reports come in."""
POLL = 30.0
SUPERVISOR = 60.0
"""Messages a second that a triggerer's supervisor takes (measured, see the design)."""
TICK = 0.005


class Supervisor:
    """Keeps journals; carries out one message at a time."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.counts: Counter[str] = Counter()


class Journal:
    """One task's memory behind the supervisor."""

    durable = True

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.entries: dict[str, Any] = {}

    async def load(self, key: str) -> Any:
        """Read."""
        await self._message("load")
        return self.entries.get(key)

    async def save(self, key: str, value: Any) -> None:
        """Write."""
        await self._message("save")
        self.entries[key] = value

    async def _message(self, what: str) -> None:
        async with self.supervisor.turn:
            await asyncio.sleep(1 / SUPERVISOR)
        self.supervisor.counts[what] += 1


class Counting:
    """The client, counting calls, and seconds between two reads of one bulk."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.counts: Counter[str] = Counter()
        self.last: dict[Any, float] = {}
        self.closest = float("inf")

    async def execute(self, call: Any) -> Any:
        """Execute it."""
        self.counts[call.path] += 1
        if call.path.endswith("reports"):
            now, bulk = time.monotonic(), dict(call.query)["bulkId"]
            self.closest = min(self.closest, now - self.last.get(bulk, -1e9))
            self.last[bulk] = now
        return await self.client.execute(call)


async def measure_lag(lags: list[float]) -> None:
    """Measure how late a short sleep ends, until cancelled."""
    while True:
        due = time.perf_counter() + TICK
        await asyncio.sleep(TICK)
        lags.append(max(0.0, time.perf_counter() - due))


def bulk_ids(wait: int) -> list[str]:
    """The ids of a wait's requests; the server's messages are called `<bulk id>-<number>`."""
    return [f"bulk-{wait}-{each}" for each in range(BULKS)]


def write_ledger(folder: LocalFolder, wait: int) -> None:
    """Write the ledger of a batch: everybody accepted."""
    name = TryId(1, "0a")
    folder.write(name.part(TRIES), pack([{"v": VERSION}]))
    lines: list[Any] = [{"v": VERSION, "fingerprint": "f"}]
    for bulk_id in bulk_ids(wait):
        ids = dict.fromkeys([f"{bulk_id}-{each}" for each in range(MESSAGES)], MessageState.IN_DOUBT)
        lines.append(intent_line(Attempt(bulk_id, time.time(), messages=ids), {}))
        lines.append({"bulk": bulk_id, "all": MessageState.ACCEPTED.value})
    folder.write(name.part(SENT, 1), pack(lines))


async def waits(url: str, count: int, ledgers: Path | None) -> None:
    """Run them all and print what was measured."""
    port = int(url.rsplit(":", 1)[1])
    config = OmniConfig.from_connection("127.0.0.1", "http", port, "demo", "demo-password", {})
    supervisor, lags = Supervisor(), list[float]()
    budget = WindowLimiter()
    quiet = logging.getLogger("benchmark")
    quiet.setLevel(logging.ERROR)

    async def one(wait: int, client: Counting) -> Any:
        await asyncio.sleep(POLL * wait / count)  # deferrals come one after the other
        path = None if ledgers is None else ledgers / str(wait)
        bulks = tuple(Bulk(each, MESSAGES) for each in bulk_ids(wait)) if path is None else ()
        watch = Watch(
            bulks, time.time() + 3600, flow=("LINE", "SMS"), poll_interval=POLL,
            ledger_path=None if path is None else str(path),
        )  # fmt: skip
        return await arun(
            wait_for(watch, time.time, uuid.uuid4().hex).until_decided(),
            client=client, memory=Journal(supervisor), budget=budget, log=quiet,
            folder=None if path is None else LocalFolder(path),
        )  # fmt: skip

    async with shared_client(config) as shared:
        client = Counting(shared)
        lag = asyncio.create_task(measure_lag(lags))
        begun, cpu = time.perf_counter(), time.process_time()
        ends = await asyncio.gather(*(one(wait, client) for wait in range(count)))
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        lag.cancel()
    assert all(end.summary["delivered"] == BULKS * MESSAGES for end in ends)
    lags.sort()
    print(f"{count:,} waits of {BULKS * MESSAGES:,} messages, polled every {POLL:.0f} s: decided after {took:.0f} s")
    print(f"event loop late by p50 {lags[len(lags) // 2] * 1e3:.1f} ms, p99 {lags[int(len(lags) * 0.99)] * 1e3:.1f} ms "
          f"(target 50), at most {lags[-1] * 1e3:.0f} ms; {cpu / took:.0%} of one core")  # fmt: skip
    reports, logs = client.counts["/omni/1/reports"], client.counts["/omni/1/logs"]
    print(f"reports asked for {reports:,} times; two reads of one bulk at least {client.closest:.0f} s apart (target: "
          f"one a poll); logs {logs:,} times")  # fmt: skip
    done = supervisor.counts
    print(f"journal: {done['save']:,} writes and {done['load']:,} reads, {sum(done.values()) / took:.0f} a second")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--waits", type=int, default=1000)
    parser.add_argument("--ledger", action="store_true", help="outcomes go into ledgers")
    options = parser.parse_args()
    with running(reports=MESSAGES // ROUNDS) as url, tempfile.TemporaryDirectory() as folder:
        ledgers = Path(folder) if options.ledger else None
        for wait in range(options.waits if ledgers else 0):
            write_ledger(LocalFolder(Path(folder) / str(wait)), wait)
        asyncio.run(waits(url, options.waits, ledgers))


if __name__ == "__main__":
    main()
