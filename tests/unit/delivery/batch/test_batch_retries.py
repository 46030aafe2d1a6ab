"""Batches that are about to post something again, or to say what earlier tries have sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.engine import Outbox
from airflow_provider_omni.delivery.outbox.policy import LookPolicy, SendPolicy
from airflow_provider_omni.delivery.outbox.previous_receipt import previous_receipt
from airflow_provider_omni.delivery.outbox.store_factory import LedgerTerms
from airflow_provider_omni.delivery.tracking.wait_together import wait_for
from airflow_provider_omni.delivery.tracking.watch import Watch, bulks_of
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import (
    OmniContentChangedError,
    OmniInputError,
    OmniRateLimitError,
    OmniServerError,
    OmniStorageError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.stepping import Stepped

HOUR = 3600.0
TRUST = {"trust_duplicate_rejection": True}


def killed_after_post(world: World, number: int) -> None:
    world.fault = lambda post: "kill-after" if post == number else None


def unkilled(world: World) -> None:
    world.fault = lambda post: None


def followed(world: World, receipt: dict[str, Any]) -> dict[str, Any]:
    """The summary of a wait on the receipt alone."""
    watch = Watch(bulks_of(Receipt.from_json(receipt)), deadline=world.clock.now() + 24 * HOUR, flow=("LINE", "SMS"))
    machine = wait_for(watch, world.clock.now, "abc").until_decided()
    end = world.carry_out(machine, memory=ProcessMemory())
    return end.summary


def test_an_old_not_sent_is_not_written_again_after_a_newer_intent(tmp_path: Path) -> None:
    world = World(tmp_path, duplicates="accept")
    slow_down, lost = OmniRateLimitError("slow down", status=429), OmniStorageError("S3 gave up", retryable=True)
    script = [
        ("part: ", None),  # the plan
        ("part: ", None),  # who is left out
        ("intent R1", None),
        ("POST R1", None),
        ("intent R3", None),
        ("POST R2", slow_down),
        ("intent R5", lost),
        ("POST R3", None),
        ("intent R2, intent R7", None),  # its newer intent is there …
        ("R2=not_sent", lost),  # … when the write of the older news fails, and is made again
        ("intent R8", 1.5),
        ("intent R5", None),
        ("POST R2", "kill"),
    ]
    with Workspace() as workspace:
        plan = world.plan(numbers(12), workspace, chunk_size=1)
        policy, terms = SendPolicy(LookPolicy(), connections=2), LedgerTerms("memory://ledger", "aa")
        batch = Outbox(plan, policy, world.clock.now, lambda: 0.5, terms)
        with pytest.raises(KilledError):
            Stepped(world, script).run(batch)
    world.clock.advance(600)
    assert world.send(numbers(12), chunk_size=1).error is None
    assert world.accepted() == numbers(12)


def test_trust_in_refused_ids_ends_when_the_vendor_may_have_forgotten_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    killed_after_post(world, 1)
    with pytest.raises(KilledError):
        world.send(numbers(1), policy=TRUST)
    world.clock.advance(72 * HOUR)
    end = world.send(numbers(1), policy=TRUST)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert world.posts == 1


def test_posting_again_on_trust_does_not_make_an_old_post_young(tmp_path: Path) -> None:
    world = World(tmp_path)
    killed_after_post(world, 1)
    with pytest.raises(KilledError):
        world.send(numbers(3), policy=TRUST)
    world.clock.advance(40 * HOUR)
    mend_logs = world.failing("logs")
    mend = world.failing("advanced")
    assert isinstance(world.send(numbers(3), policy=TRUST).error, OmniUnknownOutcomeError)
    mend()
    mend_logs()
    world.clock.advance(20 * HOUR)
    assert isinstance(world.send(numbers(3)).error, OmniUnknownOutcomeError)
    assert world.accepted() == numbers(3)


@pytest.mark.parametrize("ledger", [True, False])
def test_what_is_found_absent_is_not_sent_with_another_text(tmp_path: Path, ledger: bool) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill" if post == 2 else None
    with pytest.raises(KilledError):
        world.send(numbers(20), {"sms": {"text": "old price"}}, ledger=ledger, policy={"connections": 2})
    unkilled(world)
    world.clock.advance(300)
    end = world.send(numbers(20), {"sms": {"text": "new price"}}, ledger=ledger)
    assert isinstance(end.error, OmniContentChangedError)
    assert "not sent: 10" in str(end.error)
    assert len({each.content_hash for each in world.simulator.record.acceptances}) == 1


def test_answers_that_name_nobody_stop_the_batch_like_other_unknown_ones(tmp_path: Path) -> None:
    world = World(tmp_path)
    execute = world.execute

    def nothing(call: Call[Any]) -> Any:
        if call.method != "POST":
            return execute(call)
        world.posts += 1
        return read(call, Response(200, {}, b'{"messages": []}'))

    world.execute = nothing  # type: ignore[method-assign]
    assert world.send(numbers(1000), chunk_size=1).error is not None
    assert world.posts < 100


def test_a_pace_that_outlasts_an_intent_is_refused() -> None:
    with pytest.raises(OmniInputError, match=r"requests_per_second: got 0\.08, expected 0\.2 or more: what"):
        SendPolicy(LookPolicy(), requests_per_second=0.08).check()


# -- receipts of what earlier tries have sent --------------------------------------------------------------------------


@pytest.mark.parametrize("ledger", [True, False])
def test_a_try_that_cannot_begin_publishes_the_receipt_of_the_one_before(tmp_path: Path, ledger: bool) -> None:
    world = World(tmp_path)
    killed_after_post(world, 3)
    with pytest.raises(KilledError):
        world.send(numbers(40), ledger=ledger, policy={"connections": 1})
    unkilled(world)
    with Workspace() as workspace:
        spec = world.plan(numbers(1), workspace).spec
    world.published.clear()
    with Workspace() as workspace:
        terms = LedgerTerms("memory://ledger", "0b") if ledger else None
        world.carry_out(previous_receipt(spec, workspace, terms))
    (receipt,) = world.published
    counts = receipt["counts"]
    assert world.posts == 3
    # Of the second request, if its answer was there when the next window was written.
    assert counts["accepted"] in (10, 20)
    assert sum(each["messages"] for each in receipt["bulks"]) == counts["accepted"] + counts["unconfirmed"] >= 30
    assert receipt["ledger_path"] == ("memory://ledger" if ledger else None)


def test_a_first_try_that_cannot_begin_publishes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    with Workspace() as workspace:
        spec = world.plan(numbers(1), workspace).spec
    with Workspace() as workspace:
        steps = previous_receipt(spec, workspace, LedgerTerms("memory://ledger", "0b"))
        assert world.carry_out(steps) is None
    assert not world.published
    assert not world.folder.list("")


def test_a_scenario_that_cannot_be_read_costs_no_receipt(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(10))
    mend = world.failing("scenarios")
    end = world.send(numbers(10))
    mend()
    assert isinstance(end.error, OmniServerError)
    assert (end.receipt.counts.accepted, end.receipt.flow) == (10, ("LINE", "SMS"))
    assert world.published[-1]["counts"]["accepted"] == 10


def test_a_ledger_that_cannot_be_written_costs_no_receipt(tmp_path: Path) -> None:
    class ReadOnly(LocalFolder):
        def write(self, name: str, data: bytes) -> None:
            if not name.startswith("tries/"):
                raise OmniStorageError("no space left", retryable=True)
            super().write(name, data)

    world = World(tmp_path)
    world.send(numbers(10))
    end = world.send(numbers(10), folder=ReadOnly(world.folder.path))
    assert isinstance(end.error, OmniStorageError)
    assert world.published[-1]["counts"]["accepted"] == 10


def test_without_a_ledger_more_than_a_hundred_requests_are_followed_all_the_same(tmp_path: Path) -> None:
    world = World(tmp_path)
    everyone = numbers(60 * 8)
    world.poison = frozenset(everyone[3::8])
    receipt = world.send(everyone, ledger=False, chunk_size=8, policy={"on_rejected": "ignore"}).receipt.to_json()
    assert len(receipt["bulks"]) > 100
    assert followed(world, receipt)["total"] == receipt["counts"]["accepted"] == 60 * 7


def test_a_message_that_the_vendor_has_in_another_request_is_followed_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(4), ledger=False)
    world.memory = ProcessMemory()  # the run was deleted, and triggered again under its id with more people
    end = world.send(numbers(6), ledger=False)
    assert end.receipt.counts.accepted == 6
    assert followed(world, end.receipt.to_json())["delivered"] == 6


def test_a_try_that_finds_everybody_told_something_else_says_so(tmp_path: Path) -> None:
    """Send as tasks mapped over texts do where all share one shard's ledger: the second text is sent to nobody."""
    world = World(tmp_path)
    assert world.send(numbers(3), {"sms": {"text": "One"}}).error is None
    end = world.send(numbers(3), {"sms": {"text": "Two"}})
    assert end.error is None
    assert len(world.accepted()) == 3
    told = [line for line in world.lines if "Same idempotency_key, other content: 3 messages went out" in line]
    assert len(told) == 1
    assert "give each an idempotency_key and a ledger_path of its own" in told[0]


def test_other_content_names_the_key_field_where_that_has_changed(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [{"phone": number, "id": number[-4:]} for number in numbers(2)]
    assert world.send(rows).error is None
    error = world.send(rows, key_field="id").error
    assert isinstance(error, OmniContentChangedError)
    assert "The key_field has changed: it was None and is 'id'." in str(error)
    assert "another idempotency_key and ledger_path" in str(error)


@pytest.mark.parametrize("on_rejected", ["ignore", "fail"])
def test_reasons_of_refusals_are_logged_in_the_vendors_words_whatever_is_tolerated(
    tmp_path: Path, on_rejected: str
) -> None:
    world = World(tmp_path)
    end = world.send(numbers(2), scenario_key="nosuch", policy={"on_rejected": on_rejected}, flow=("LINE", "SMS"))
    assert (end.error is None) == (on_rejected == "ignore")
    assert "Refused: 2 × BAD_REQUEST (scenarioKey: unknown scenario)" in world.lines
    assert on_rejected == "ignore" or "scenarioKey: unknown scenario" in str(end.error)


def test_without_a_ledger_the_receipt_of_a_killed_try_lists_whatever_was_posted(tmp_path: Path) -> None:
    world = World(tmp_path)
    killed_after_post(world, 4)
    with pytest.raises(KilledError):
        world.send(numbers(60), ledger=False, policy={"connections": 1})
    posted = {json.loads(call.body or b"")["bulkId"] for call in world.calls if call.method == "POST"}
    assert len(posted) == 4
    assert posted <= {each["bulk_id"] for each in world.published[-1]["bulks"]}


def test_what_was_written_down_and_then_not_posted_is_not_in_the_receipt(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.failing("advanced")
    end = world.send(numbers(60), ledger=False, policy={"connections": 1, "attempts": 1})
    assert end.error is not None
    execute = [call for call in world.calls if call.method == "POST"]
    assert not execute
    listed = {each for bulk in end.receipt.bulks for each in bulk.message_ids}
    assert len(listed) == end.receipt.counts.unconfirmed
