"""Every metric in a real run of a DAG, as a statsd server gets it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from airflow_provider_omni.delivery.metrics import METRICS
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.airflow.metrics_dag.metrics_run import ALERTED, PEOPLE

ROOT = Path(__file__).parents[3]
DAGS = str(Path(__file__).with_name("metrics_dag"))
LINE = re.compile(r"airflow\.(omni\.[a-z._]+)((?:,[^=]+=[^,:]+)*):([-\d.]+)\|(\w+)")
KINDS = {"c": "counter", "ms": "timer", "g": "gauge"}


class Sample(NamedTuple):
    """A line of the statsd protocol, with InfluxDB's tags."""

    name: str
    tags: frozenset[tuple[str, str]]
    value: float
    kind: str

    def tag(self, name: str) -> str:
        return dict(self.tags)[name]


class Listener:
    """A statsd server on loopback that keeps what it gets."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.lines: list[str] = []

    def listen(self) -> None:
        while data := self.socket.recv(65536):
            self.lines += data.decode().splitlines()

    def ours(self) -> list[Sample]:
        """The samples of our own metrics, without Airflow's prefix."""
        found = [
            re.fullmatch(r"airflow\.(omni\.[a-z._]+)((?:,[^=]+=[^,:]+)*):([-\d.]+)\|(\w+)", each) for each in self.lines
        ]
        return [
            Sample(
                each[1],
                frozenset(tuple(tag.split("=")) for tag in each[2].split(",")[1:]),  # type: ignore[misc]
                float(each[3]),
                KINDS[each[4]],
            )
            for each in found
            if each
        ]


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.listen)
    thread.start()
    try:
        yield listener
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", listener.port))
        thread.join()
        listener.socket.close()


def ran(account: RunningSimulator, dag_id: str, port: int) -> subprocess.CompletedProcess[str]:
    """Run the DAG in a process of its own, with metrics on."""
    account.faults.add("reset-before", call="send", contains=ALERTED)
    environment = os.environ | STATSD
    environment |= {"AIRFLOW__METRICS__STATSD_PORT": str(port), "AIRFLOW__CORE__DAGS_FOLDER": DAGS, "DAG_ID": dag_id}
    command = [sys.executable, "-m", "tests.integration.airflow.metrics_dag.metrics_run"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)


STATSD = {
    "AIRFLOW__METRICS__STATSD_ON": "True",
    "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
    "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
}


def total(samples: list[Sample], name: str, *tags: str) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for each in samples:
        if each.name == name:
            found[tuple(each.tag(tag) for tag in tags)] += int(each.value)
    return found


@pytest.fixture
def account(account: RunningSimulator) -> RunningSimulator:
    account.add_scenario(key="K")
    account.configure(beat_seconds=0.5)  # so that a wait looks more than once, and tells how old it is
    return account


def test_a_run_of_a_dag_makes_every_metric_with_its_tags_and_numbers_and_no_id(account: RunningSimulator) -> None:
    with listening() as listener:
        done = ran(account, "metrics", listener.port)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    samples = listener.ours()
    seen = {(each.name, each.kind, tuple(sorted(name for name, _ in each.tags))) for each in samples}
    assert seen == {(each.name, each.kind, tuple(sorted(each.tags))) for each in METRICS}
    # A batch to four people, one of whom the vendor refuses; a single send; an alert that nobody knows about.
    assert total(samples, "omni.messages", "state") == {
        ("accepted",): 4, ("rejected",): 1, ("quarantined",): 1, ("duplicate",): 1, ("unconfirmed",): 1,
    }  # fmt: skip
    assert total(samples, "omni.refusals", "status") == {("REJECTED_NETWORK",): 1}
    assert total(samples, "omni.unknown_outcomes") == {(): 1}
    # Two sensors count the batch, each for itself, and the single send counts its own.
    assert total(samples, "omni.deliveries", "channel", "outcome") == {
        ("LINE", "delivered"): 3, ("SMS", "delivered"): 2, ("SMS", "failed"): 2,
    }  # fmt: skip
    assert len([each for each in samples if each.name == "omni.delivery.seconds"]) == 5
    calls = total(samples, "omni.api.calls", "call", "status_class")
    assert calls["send", "2xx"] == 2
    assert calls["send", "none"] == 1
    assert calls["reports", "2xx"] >= 3
    assert sum(calls.values()) == len([each for each in samples if each.name == "omni.api.seconds"])
    opened = [each.value for each in samples if each.name == "omni.waits.open"]
    assert (max(opened), opened[-1]) == (1, 0)
    for each in samples:
        values = [value for name, value in each.tags if name != "hostname"]
        assert all(re.fullmatch(r"[A-Za-z_0-9]{1,40}", value) for value in values)
        assert not re.search(r"\d{4}", " ".join([each.name, *values]))
    assert not any(number in str(samples) for number in PEOPLE)


def test_nothing_fails_while_the_server_of_metrics_is_away(account: RunningSimulator) -> None:
    assert ran(account, "metrics_away", 1).returncode == 0
    assert len(account.record.acceptances) == 4
