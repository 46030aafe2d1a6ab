"""A task whose author puts the batch operator in place of the other one, or back: one key is one send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator

A, B = "41793026727", "41793026731"
SAID: dict[str, Any] = {"task_id": "send", "scenario_key": "K", "sms": {"text": "Hello"}, "flow": ["SMS"]}


def single(task: Any, *to: str) -> dict[str, Any]:
    return OmniSendMessageOperator(to=list(to), **SAID).execute(task.context())


def batch(task: Any, *to: str) -> dict[str, Any]:
    return OmniSendBatchOperator(recipients=list(to), placeholders=False, **SAID).execute(task.context())


@pytest.mark.parametrize(("before", "after"), [(single, batch), (batch, single)])
def test_nobody_is_sent_to_twice_and_the_receipt_keeps_the_messages(
    vendor: Any, task: Any, before: Any, after: Any
) -> None:
    first = before(task, A, B)
    for send in (after, before, after):
        receipt = send(task, A, B)
        assert receipt["counts"]["accepted"] == 2
        assert set(receipt["message_ids"]) == set(first["message_ids"])
    assert len(vendor.bodies) == 1


def test_what_a_batch_has_sent_by_its_ledger_is_not_sent_again_under_other_ids(
    vendor: Any, task: Any, tmp_path: Path
) -> None:
    rows = [{"phone": A, "id": "7"}]
    ledger = {"ledger_path": f"file://{tmp_path}/ledger", "key_field": "id"}
    OmniSendBatchOperator(recipients=rows, placeholders=False, **ledger, **SAID).execute(task.context())
    with pytest.raises(AirflowFailException, match="ledger_path"):
        single(task, A)
    assert len(vendor.bodies) == 1
