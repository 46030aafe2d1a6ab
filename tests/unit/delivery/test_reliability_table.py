"""The table of docs/reliability.md, row by row: what is sent when a task runs again, whatever made it run again.

How Airflow keeps the record on each version is `storage/`'s; here a row is what that leaves the send with.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.delivery.effects import CallApi
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.messages.states import HORIZON
from airflow_provider_omni.delivery.outbox.engine import SendResult
from airflow_provider_omni.delivery.outbox.message import send_message
from airflow_provider_omni.delivery.outbox.plan import MessageSpec
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.stores import INDEX
from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.omni.content import Content
from airflow_provider_omni.omni.errors import OmniContentChangedError, OmniUnknownOutcomeError
from tests.unit.delivery.stage import START, Stage, row

A, B = "41793026727", "41793026731"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
TABLE_HEADER = "| what happens | what is sent | why |"


def key(run_id: str = "scheduled__1", map_index: int = -1, loop: int | None = None) -> str:
    """The default key: dag id, run id, task id, map index, and in a loop its index; never the try number."""
    return json.dumps(["dag", run_id, "task", map_index, *([] if loop is None else ["loop", loop])])


def send(stage: Stage, idempotency_key: str, to: Any = A, **policy: Any) -> SendResult:
    content = Content({"LINE": LineText(text="Hello"), "SMS": Sms(text="Hello")})
    made = MessageSpec(Identity(idempotency_key), "SCENARIO", content, read_recipients(to), ("LINE", "SMS"))
    first, ended = policy.pop("is_first_try", False), policy.pop("ended", True)
    policy["record_complete"] = ended if INDEX in stage.memory else first
    policy = SendPolicy.of_one_request(LookPolicy(), **policy)
    end: SendResult = stage.play(send_message(made, policy, stage.clock.now, lambda: 0.0))
    return end


def vendor(stage: Stage) -> Any:
    """Logs that show what was posted on this stage."""

    def answer(call: Any) -> Any:
        asked = dict(call.query).get("messageId", "").split(",")
        return [row(each) for ids in stage.posted for each in ids if each in asked]

    return answer


def first_try(to: Any = A, idempotency_key: str | None = None) -> Stage:
    stage = Stage()
    stage.logs = [vendor(stage)]
    assert send(stage, idempotency_key or key(), to, is_first_try=True).error is None
    return stage


def test_retry_after_the_answer_was_kept_sends_nothing() -> None:
    stage = first_try()
    assert send(stage, key(), is_first_try=True).error is None
    assert len(stage.posted) == 1


def test_retry_of_a_killed_try_that_is_not_on_record_asks_the_logs_first() -> None:
    stage = Stage()
    assert send(stage, key(), ended=False, unaccounted=1, first_try_at=START).error is None
    asked = [isinstance(each, CallApi) and each.call.method for each in stage.effects]
    assert asked.index("GET") < asked.index("POST")
    assert len(stage.posted) == 1


def test_retry_after_an_upgrade_finds_in_the_logs_what_was_sent_without_a_record() -> None:
    stage, old = Stage(), Stage()
    send(old, key(), is_first_try=True)
    stage.logs = [vendor(old)]
    end = send(stage, key(), ended=False, unaccounted=1, first_try_at=START)
    assert stage.posted == []
    assert end.receipt.counts.accepted == 1


def test_retry_with_another_account_adds_nobody_to_what_the_one_before_has_sent() -> None:
    stage = first_try()
    assert send(stage, key(), account="another").error is None
    assert isinstance(send(stage, key(), [A, B], account="another").error, OmniContentChangedError)
    assert len(stage.posted) == 1


def test_clear_with_the_record_kept_sends_nothing() -> None:
    stage = first_try()
    stage.clock.advance(30 * 24 * 3600.0)
    assert send(stage, key()).error is None
    assert len(stage.posted) == 1


def test_clear_with_the_record_gone_asks_the_logs_and_sends_nothing() -> None:
    stage = first_try()
    stage.memory.clear()
    end = send(stage, key(), first_try_at=START)
    assert end.error is None
    assert len(stage.posted) == 1
    assert end.receipt.counts.accepted == 1


def test_clear_with_the_record_gone_for_two_days_sends_nothing_and_says_unknown() -> None:
    stage = first_try()
    stage.memory.clear()
    stage.logs = [[]]
    stage.clock.advance(HORIZON + 3600.0)
    assert isinstance(send(stage, key(), first_try_at=START).error, OmniUnknownOutcomeError)
    assert len(stage.posted) == 1


@pytest.mark.parametrize("run_id", ["backfill__2", "manual__3"])
def test_another_run_is_another_send(run_id: str) -> None:
    stage = first_try()
    stage.memory.clear()
    assert send(stage, key(run_id), is_first_try=True).error is None
    assert len(stage.posted) == 2
    assert stage.posted[0] != stage.posted[1]


def test_the_same_run_id_again_makes_the_same_ids_so_the_logs_know_them() -> None:
    stage = first_try()
    stage.memory.clear()
    assert send(stage, key(), first_try_at=START).error is None
    assert len(stage.posted) == 1


def test_the_same_run_id_again_is_not_recognised_where_it_looks_like_a_first_try() -> None:
    stage = first_try()
    stage.memory.clear()
    send(stage, key(), is_first_try=True)
    # The ids are the same, so a vendor that refuses repeated ids refuses it; another sends it.
    assert stage.posted[0] == stage.posted[1]


def test_mapped_tasks_in_another_order_send_again_to_whoever_moved() -> None:
    stages = [first_try(number, key(map_index=index)) for index, number in enumerate((A, B))]
    for index, number in enumerate((B, A)):
        send(stages[index], key(map_index=index), number)
    assert all(len(stage.posted) == 2 for stage in stages)


def test_mapped_tasks_in_another_order_under_a_key_without_index_send_nothing() -> None:
    both = Stage()
    both.logs = [vendor(both)]
    records: list[dict[str, Any]] = [{}, {}]
    for order in ((A, B), (B, A)):
        for index, number in enumerate(order):
            both.memory = records[index]
            assert send(both, "mine", number, shared_key=True, first_try_at=START).error is None
    assert len(both.posted) == 2


def test_each_iteration_of_a_loop_is_another_send_and_a_clear_of_it_is_none() -> None:
    stage = first_try(idempotency_key=key(loop=0))
    stage.memory.clear()
    assert send(stage, key(loop=1), is_first_try=True).error is None
    assert len(stage.posted) == 2
    assert stage.posted[0] != stage.posted[1]
    stage.memory.clear()
    assert send(stage, key(loop=1), first_try_at=START).error is None
    assert len(stage.posted) == 2


def test_a_key_of_ones_own_is_one_send_over_runs_for_as_long_as_the_logs_reach() -> None:
    stage = first_try(idempotency_key="invoice 7")
    stage.memory.clear()
    assert send(stage, "invoice 7", shared_key=True, is_first_try=True, first_try_at=stage.clock.now()).error is None
    assert len(stage.posted) == 1


def test_every_row_of_the_table_is_here() -> None:
    text = PAGE.read_text()
    lines = text[text.index(TABLE_HEADER) :].split("\n\n")[0].splitlines()[2:]
    rows = [re.sub(r"[`*]", "", line.split("|")[1]).strip() for line in lines]
    assert rows == [
        "retry",
        "retry of a try that was killed before it came to send",
        "clear, Airflow 3.3",
        "clear where Airflow has no state of the task any more: below 3.3, from 3.4 on, with [state_store] "
        "clear_on_success",
        "retry or clear after an upgrade from below 3.3",
        "retry or clear with another account in the connection",
        "the same, two days later",
        "backfill, another run",
        "the run is deleted, and triggered with the same run id",
        "mapped tasks in another order",
        "the same, with an idempotency_key without the index",
        "another iteration of a task-group loop (Airflow 3.4)",
        "clear of an iteration, and of the later ones with it",
        "another run, with an idempotency_key of your own",
        "dag.test()",
    ]
