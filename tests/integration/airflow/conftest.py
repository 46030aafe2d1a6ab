"""A simulator that lives fast, and an Airflow connection to it in the environment, where hooks and triggers find it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from airflow_provider_omni.operators import batch, cancellation, omni, tries
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.harness.clock import SkippingClock
from tests.integration.airflow.batchtask import BatchTask

S3_CONNECTION = "omni_tests_s3"


@pytest.fixture
def account(omni_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, airflow_db: Path) -> RunningSimulator:
    """The simulated account of `omni_default`: deliveries take a twentieth of a second."""
    omni_simulator.configure(beat_seconds=0.05, source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    return omni_simulator


@pytest.fixture
def skipping(account: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """Operators sleep on this clock, and the vendor's time goes with it."""
    clock = SkippingClock.from_now(account.advance)
    clock.rule(monkeypatch, batch, cancellation, omni, tries)
    return clock


@pytest.fixture
def batch_task() -> BatchTask:
    """A task on Airflow 3.3, which keeps its state over tries."""
    return BatchTask()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Any]:
    """A client of an S3 that lives as long as the tests: Airflow keeps the file system of a connection."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "a-key", "password": "a-secret", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"AIRFLOW_CONN_{S3_CONNECTION.upper()}", json.dumps(connection))
        yield boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
    server.stop()


@pytest.fixture
def s3(s3_server: Any) -> Any:
    """An empty bucket `people`."""
    buckets = [bucket["Name"] for bucket in s3_server.list_buckets()["Buckets"]]
    if "people" in buckets:
        for found in s3_server.list_objects_v2(Bucket="people").get("Contents", []):
            s3_server.delete_object(Bucket="people", Key=found["Key"])
    else:
        s3_server.create_bucket(Bucket="people")
    return s3_server
