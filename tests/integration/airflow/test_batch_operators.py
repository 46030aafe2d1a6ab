"""Batches by their operators, against a simulator over sockets: sources, retries, ledgers, shards, what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.operators.omni import OmniSendBatchOperator
from airflow_provider_omni.simulator.running import RunningSimulator
from tests.integration.airflow.batchtask import TEXT, BatchTask, numbers


def operator(**arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(**{"task_id": "send", "scenario_key": KEY, **TEXT, **arguments})


KEY = "CC9F01A5DC7BEE2C2B829D203482A654"


def test_a_list_is_sent(account: RunningSimulator, batch_task: BatchTask) -> None:
    receipt = operator(recipients=numbers(30)).execute(batch_task.context())
    assert receipt["counts"]["accepted"] == 30
    assert receipt == batch_task.xcoms["return_value"]
