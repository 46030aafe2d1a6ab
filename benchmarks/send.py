"""Design section 6, sending: ratios against a bare `requests.Session` loop, in one run, against a minimal server.

python -m benchmarks.send [--quick]
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.engine import Outbox
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, SendPlan, plan_batch
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.sources import rows_of_entries
from airflow_provider_omni.omni.bulk import destinations, send_bulk
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.storage.process import ProcessMemory
from benchmarks.minimal_server import running

CHUNK = 499
TEXT = {"line": {"type": "TEXT", "text": "Hello"}, "sms": {"text": "Hello"}}


def numbers(count: int) -> Iterator[str]:
    """So many people."""
    return (f"4179{index:07d}" for index in range(count))


def made(workspace: Workspace, rows: Iterable[Any], content: dict[str, Any]) -> SendPlan:
    spec = BatchSpec(
        identity=Identity(f"run-{uuid.uuid4()}"),
        scenario_key="K",
        content=MessageTemplate(content),
        flow=("LINE", "SMS"),
    )
    return plan_batch(spec, rows_of_entries(rows, "phone"), workspace, datetime.now(UTC), keep_fields=True)


def bodies(plan: SendPlan, chunk: int) -> list[bytes]:
    """Bodies as the batch posts them."""
    found = []
    for content, people in plan.chunks(chunk):
        bulk_id = plan.ids.bulk_id(people.ids)
        found.append(send_bulk("K", bulk_id, people.destinations, plan.tail(content)).body or b"")
    return found


def bare(url: str, posts: list[bytes], connections: int) -> float:
    """Seconds that a bare loop takes."""
    local = threading.local()

    def post(body: bytes) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.auth = ("demo", "demo-password")
        answer = local.session.post(
            url + "/omni/1/advanced", data=body, headers={"Content-Type": "application/json"}, timeout=30
        )
        assert answer.json()["messages"]

    begun = time.perf_counter()
    if connections == 1:
        for body in posts:
            post(body)
    else:
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(post, posts))
    return time.perf_counter() - begun


def ours(url: str, plan: SendPlan, connections: int) -> float:
    """Seconds that the batch takes: with a ledger, from its first POST (then the plan is ready) to its verdict."""
    config = OmniConfig.from_connection(
        url.split("//")[1].split(":")[0],
        "http",
        int(url.rsplit(":", 1)[1]),
        "demo",
        "demo-password",
        {"max_connections": connections},
    )
    with tempfile.TemporaryDirectory() as folder, OmniClient(config) as client:
        batch = Outbox(
            plan, SendPolicy(LookPolicy(), connections=connections), time.time,
            ledger=LedgerTerms(folder, uuid.uuid4().hex[:12]),
        )  # fmt: skip
        end = run(
            batch.run(), client=client, memory=ProcessMemory(), folder=LocalFolder(Path(folder)),
            connections=connections,
            log=logging.getLogger("benchmark"),
        )  # fmt: skip
        took = time.time() - (end.receipt.sent_at or 0.0)
    assert end.error is None, end.error
    assert end.receipt.counts.accepted == plan.intake.people
    return took


def compare(title: str, target: float, measure: Callable[[], tuple[float, float]], rounds: int) -> None:
    """Print the median ratio of some rounds: theirs / ours, so that above 1 we are the faster."""
    pairs = [measure() for _ in range(rounds)]
    ratio = statistics.median(theirs / mine for theirs, mine in pairs)
    mine, theirs = statistics.median(each[1] for each in pairs), statistics.median(each[0] for each in pairs)
    print(f"{title:<78} {ratio:6.2f} (target {target})   ours {mine:.2f} s, theirs {theirs:.2f} s", flush=True)


def main() -> None:
    """Run all rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the people")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    people = 10_000 if options.quick else 100_000
    personal = 1_000 if options.quick else 10_000

    def shared(url: str, connections: int, theirs: int, chunk: int = CHUNK) -> Callable[[], tuple[float, float]]:
        def measure() -> tuple[float, float]:
            with Workspace() as workspace:
                plan = made(workspace, numbers(people), TEXT)
                posts = bodies(plan, chunk)
                return bare(url, posts, theirs), ours(url, plan, connections)

        return measure

    with running() as url:
        compare(f"one text to {people:,}, no latency: bare loop / ours", 0.9, shared(url, 8, 1), options.rounds)
        compare(
            f"one text to {people:,}, no latency: bare loop in 8 threads / ours", 0.9, shared(url, 8, 8), options.rounds
        )
    with running(0.05) as url:
        compare(
            f"one text to {people:,}, 50 ms, 8 connections: bare loop / ours", 0.9, shared(url, 8, 8), options.rounds
        )

        def one_by_one() -> tuple[float, float]:
            with Workspace() as workspace:
                plan = made(workspace, numbers(people), TEXT)
                few = [
                    send_bulk("K", "b", destinations([(str(uuid.uuid4()), 41790000000)]), plan.tail(1)).body or b""
                ] * 800
                return bare(url, few, 8) * people / 800, ours(url, plan, 8)

        compare(f"the same, against one POST for each of {people:,}", 50, one_by_one, 1)

        def texts() -> tuple[float, float]:
            with Workspace() as workspace:
                rows = [{"phone": number, "name": f"N{number}"} for number in numbers(personal)]
                plan = made(workspace, rows, {"sms": {"text": "Dear {name}"}})
                return personal / 640, ours(url, plan, 32)

        compare(f"{personal:,} personal texts, 50 ms, 32 connections: 640/s / ours", 0.9, texts, options.rounds)


if __name__ == "__main__":
    main()
