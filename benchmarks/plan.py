"""Design section 6, planning: recipients a second on one core, and peak memory of a whole batch from CSV with a ledger.

python -m benchmarks.plan [--people 1000000]
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.engine import Outbox
from airflow_provider_omni.delivery.outbox.plan import BatchSpec, plan_batch
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.recipients.contents import MessageTemplate
from airflow_provider_omni.delivery.recipients.sources import rows_of_csv
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.storage.process import ProcessMemory
from benchmarks.minimal_server import running

ROOT = Path(__file__).resolve().parent.parent
TEXT = {"line": {"type": "TEXT", "text": "Hello"}, "sms": {"text": "Hello"}}


def write_csv(path: Path, people: int) -> None:
    """A table of people with a few fields."""
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("phone,customer,city\n")
        file.writelines(f"+4179{index * 7919 % 10_000_000:07d},C{index},Zürich\n" for index in range(people))


def spec() -> BatchSpec:
    return BatchSpec(Identity(f"run-{uuid.uuid4()}", "secret"), "K", MessageTemplate(TEXT), ("LINE", "SMS"))


def speed(people: int) -> tuple[float, float]:
    """Recipients a second of CPU time, and of real time: reading, normalising, ids, chunks with their bulk ids."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        write_csv(path, people)
        cpu, real = time.process_time(), time.perf_counter()
        with path.open(newline="", encoding="utf-8") as lines, Workspace() as workspace:
            plan = plan_batch(spec(), rows_of_csv(lines, "phone"), workspace, datetime.now(UTC), keep_fields=True)
            plan.lay_out(499)
            assert sum(1 for _ in plan.laid_out()) == -(-people // 499)
        return people / (time.process_time() - cpu), people / (time.perf_counter() - real)


def peak_mebibytes(people: int, url: str) -> float:
    """Peak memory of this process above what it had after its imports, for a whole batch."""
    gc.collect()
    port = int(url.rsplit(":", 1)[1])
    config = OmniConfig.from_connection("127.0.0.1", "http", port, "demo", "demo-password", {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        write_csv(path, people)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with path.open(newline="", encoding="utf-8") as lines, Workspace() as workspace, OmniClient(config) as client:
            plan = plan_batch(spec(), rows_of_csv(lines, "phone"), workspace, datetime.now(UTC), keep_fields=True)
            batch = Outbox(
                plan, SendPolicy(LookPolicy()), time.time, ledger=LedgerTerms(folder, uuid.uuid4().hex)
            )  # fmt: skip
            end = run(
                batch.run(), client=client, memory=ProcessMemory(), folder=LocalFolder(Path(folder) / "ledger"),
                connections=8, log=logging.getLogger("benchmark"),
            )  # fmt: skip
        assert end.error is None, end.error
        assert end.receipt.counts.accepted == people
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Run all rows; memory in processes of their own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--memory-of", type=int)
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.memory_of:
        print(json.dumps(peak_mebibytes(options.memory_of, options.url)))
        return
    cpu, real = speed(min(options.people, 200_000))
    print(f"plan building: {cpu:,.0f} recipients a second of CPU time, {real:,.0f} a second (target 40,000)")
    with running() as url:
        found = {
            people: float(
                subprocess.run(
                    [sys.executable, "-m", "benchmarks.plan", "--memory-of", str(people), "--url", url],
                    check=True, capture_output=True, text=True, cwd=ROOT,
                ).stdout
            )
            for people in (options.people // 10, options.people)
        }  # fmt: skip
    few, many = found.values()
    print(f"peak memory above the imports, {options.people:,} recipients: {many:.0f} MiB (target 100)")
    print(f"… more than for {options.people // 10:,}: {many - few:.0f} MiB (target 10)")


if __name__ == "__main__":
    main()
