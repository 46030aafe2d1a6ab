"""Rows of reports and logs that count for a batch, and what its ledger says then: what the crash harness has found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.ledger.parts import pack, unpack
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.id_set import IdSet
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait import DeliveryWait
from airflow_provider_omni.delivery.tracking.wait_limits import TrackingLimits
from airflow_provider_omni.delivery.tracking.watch import Watch, bulks_of
from airflow_provider_omni.ledger import read_outcomes, unreached
from tests.unit.delivery.batch.batchworld import World, numbers
from tests.unit.delivery.batch.test_ledger_wait import PERSONAL, SHARED, mixed, wait

HEADER = {"v": 1, "fingerprint": "of the content"}


def write_sent(world: World, part: str, *lines: dict[str, Any], header: dict[str, Any] = HEADER) -> None:
    """A part of the ledger, as a try would write it."""
    world.folder.write(f"sent/{part}.jsonl.gz", pack([header, *lines]))


def test_one_lone_message_more_than_stand_together_is_followed_too(tmp_path: Path) -> None:
    """It was left over as a group of one, and asked for at the deadline only."""
    world = World(tmp_path)
    world.send([{"phone": number, "name": number[4:9]} for number in numbers(5)], PERSONAL)
    began = world.clock.now()
    end = wait(world, limits=TrackingLimits(many_single=3, single_together=2))
    assert (end.verdict, end.summary["delivered"]) == (Verdict.SUCCESS, 5)
    assert world.clock.now() - began < 120.0


def test_a_message_that_was_refused_in_one_request_and_in_another_before_is_not_waited_for(tmp_path: Path) -> None:
    """Its first request is not on record any more, yet the vendor may show its refusal under that one's id."""
    world = World(tmp_path, refused_in="both")
    number = numbers(1)[0][:-2] + "06"
    world.send([*numbers(2, 1), number], SHARED, policy={"on_rejected": "ignore"})
    (row,) = [each for each in read_outcomes(str(world.folder.path)) if each.state == "refused"]
    now = world.clock.now()
    write_sent(
        world,
        "00002-bb-000001",
        {"bulk": "another request", "at": now, "ids": [row.message_id]},
        {"bulk": "another request", "all": "refused"},
    )
    end = wait(world)
    assert (end.verdict, end.summary["total"], end.summary["delivered"]) == (Verdict.SUCCESS, 2, 2)


def test_rows_that_are_about_a_strangers_messages_count_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(mixed(4), SHARED)
    execute, garbled = world.execute, []

    def execute_garbled(call: Any) -> Any:
        answer = execute(call)
        if "reports" in call.path and answer and not garbled:
            garbled.append(len(answer))
            return [each.model_copy(update={"message_id": f"stranger {index}"}) for index, each in enumerate(answer)]
        return answer

    world.execute = execute_garbled  # type: ignore[method-assign]
    end = wait(world, success_when="finished")
    assert garbled
    assert (end.summary["total"], end.summary["delivered"], end.summary["failed"]) == (4, 3, 1)
    assert {row.outcome for row in read_outcomes(str(world.folder.path))} == {"delivered", "failed"}


def test_whether_a_failure_is_for_good_is_said_by_the_step_that_ended_it_only(tmp_path: Path) -> None:
    """LINE: unknown user, for good. SMS: its validity ended, and its report was lost; the logs do not say why."""
    world = World(tmp_path, reports="per-step")
    world.send([number[:-2] + "46" for number in numbers(3)], SHARED)
    execute = world.execute

    def without_reports_of_sms(call: Any) -> Any:
        answer = execute(call)
        return [each for each in answer if each.channel != "SMS"] if "reports" in call.path else answer

    world.execute = without_reports_of_sms  # type: ignore[method-assign]
    wait(world, success_when="finished")
    rows = list(read_outcomes(str(world.folder.path)))
    assert {(row.outcome, row.channel, row.permanent) for row in rows} == {("failed", "SMS", None)}
    assert len(list(unreached(str(world.folder.path)).rows())) == 3


def test_a_refused_recipient_is_listed_once_however_overlapping_tries_have_written_their_attempts(
    tmp_path: Path,
) -> None:
    """The part of an older try, with a second attempt, sorts before that of a newer one, with the first attempt. The
    older one has seen the newer, and has not posted the second attempt.
    """
    world = World(tmp_path)
    number = numbers(1)[0][:-2] + "06"
    world.send([number, *numbers(2, 1)], SHARED, policy={"on_rejected": "ignore"})
    (row,) = [each for each in read_outcomes(str(world.folder.path)) if each.state == "refused"]
    second = {"bulk": "its own", "at": world.clock.now(), "ids": ["second"], "who": {"second": row.recipient}}
    write_sent(world, "00000-aa-000001", second)
    rows = list(read_outcomes(str(world.folder.path)))
    assert sorted((each.recipient == row.recipient, each.state) for each in rows) == [
        (False, "accepted"),
        (False, "accepted"),
        (True, "refused"),
    ]


def overtaken_after_a_refusal(world: World, key_field: str | None, *, again: str = "accepted") -> list[dict[str, Any]]:
    """Refused in one try, sent to in the next under another id. A third try, which had read the ledger before the
    refusal was written, has found the first id absent and has written that it is about to post it. Then it has seen
    the newer try, and stopped.
    """
    rows = [{"phone": number, "name": "N", "order": f"order {number}"} for number in numbers(4)]
    policy = {"on_rejected": "ignore"}
    world.poison = frozenset({rows[1]["phone"]})
    world.send(rows, PERSONAL, key_field=key_field, policy=policy)
    (refused,) = [each for each in read_outcomes(str(world.folder.path)) if each.state == "refused"]
    world.poison = frozenset() if again == "accepted" else world.poison
    world.send(rows, PERSONAL, key_field=key_field, policy=policy)
    (first,) = [name for name in world.folder.list("tries/") if name.startswith("tries/00001-")]
    world.folder.write("tries/00001-ff.jsonl.gz", world.folder.read(first))
    name = min(world.folder.list("sent/"))
    header = next(iter(unpack(world.folder.read(name), name))) | {"lines": 1}
    write_sent(world, "00001-ff-000002", {"bulk": refused.bulk_id, "all": "absent"}, header=header)
    late: dict[str, Any] = {"bulk": "never posted", "at": world.clock.now(), "ids": [refused.message_id]}
    late |= {"who": {refused.message_id: refused.recipient}} if key_field else {}
    write_sent(world, "00001-ff-000003", late, header=header)
    return rows


@pytest.mark.parametrize("again", ["accepted", "refused"])
@pytest.mark.parametrize("key_field", [None, "order"])
def test_an_intent_that_was_overtaken_is_neither_listed_nor_waited_for(
    tmp_path: Path, key_field: str | None, again: str
) -> None:
    world = World(tmp_path)
    overtaken_after_a_refusal(world, key_field, again=again)
    rows = list(read_outcomes(str(world.folder.path)))
    assert len({each.recipient for each in rows}) == 4
    assert sorted(each.state for each in rows) == sorted(["accepted"] * 3 + [again])
    end = wait(world)
    assert end.verdict is Verdict.SUCCESS
    assert end.summary["total"] == end.summary["delivered"] == len(world.accepted())


@pytest.mark.parametrize("key_field", [None, "order"])
def test_an_intent_that_was_overtaken_is_not_posted_by_a_later_try(tmp_path: Path, key_field: str | None) -> None:
    """The person has got the message under the next id; the first id stands in no log."""
    world = World(tmp_path)
    rows = overtaken_after_a_refusal(world, key_field)
    end = world.send(rows, PERSONAL, key_field=key_field, policy={"on_rejected": "ignore"})
    assert world.accepted() == numbers(4)
    assert (end.error, end.receipt.counts.accepted, end.receipt.counts.rejected) == (None, 4, 0)


def a_refusal_that_counts_as_accepted(world: World) -> tuple[list[dict[str, Any]], str, str]:
    """Refused in one try, sent to in the next, which died before it wrote so. A third try, which had read the ledger
    before the refusal was written, has taken the refusal's row in the logs for an acceptance. Returns the source and
    the ids of both attempts.
    """
    rows = [{"phone": number, "name": "N"} for number in numbers(4)]
    policy = {"on_rejected": "ignore"}
    world.poison = frozenset({rows[1]["phone"]})
    world.send(rows, PERSONAL, policy=policy)
    (refused,) = [each for each in read_outcomes(str(world.folder.path)) if each.state == "refused"]
    world.poison = frozenset()
    world.send(rows, PERSONAL, policy=policy)
    (taken,) = [each for each in read_outcomes(str(world.folder.path)) if each.recipient == refused.recipient]
    for name in world.folder.list("sent/"):
        header, *lines = unpack(world.folder.read(name), name)
        left = [line for line in lines if line.get("bulk") != taken.bulk_id or "ids" in line]
        if left != lines:
            (world.folder.path / name).write_bytes(pack([header | {"lines": len(left)}, *left]))
    (first,) = [name for name in world.folder.list("tries/") if name.startswith("tries/00001-")]
    world.folder.write("tries/00001-ff.jsonl.gz", world.folder.read(first))
    write_sent(world, "00001-ff-000002", {"bulk": refused.bulk_id, "all": "accepted"}, header=header | {"lines": 1})
    return rows, refused.message_id, taken.message_id


def test_a_later_attempt_in_doubt_is_listed_and_waited_for_though_a_refusal_counts_as_accepted(tmp_path: Path) -> None:
    world = World(tmp_path)
    _, refused, taken = a_refusal_that_counts_as_accepted(world)
    states = {each.message_id: each.state for each in read_outcomes(str(world.folder.path))}
    assert (len(states), states[taken], refused in states) == (4, "in_doubt", False)
    end = wait(world)
    assert (end.verdict, end.summary["total"], end.summary["delivered"]) == (Verdict.SUCCESS, 4, 4)


def test_a_later_attempt_in_doubt_is_asked_for_and_nobody_is_posted_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows, refused, taken = a_refusal_that_counts_as_accepted(world)
    before = list(world.accepted())
    end = world.send(rows, PERSONAL, policy={"on_rejected": "ignore"})
    assert (end.error, end.receipt.counts.accepted) == (None, 4)
    assert world.accepted() == before
    states = {each.message_id: each.state for each in read_outcomes(str(world.folder.path))}
    assert (len(states), states[taken], refused in states) == (4, "accepted", False)


def test_members_know_whom_they_were_made_of() -> None:
    members = IdSet(f"message {number}" for number in range(1000))
    assert len(members) == 1000
    assert all(f"message {number}" in members for number in range(1000))
    assert not [number for number in range(1000, 5000) if f"message {number}" in members]
    assert "anything" not in IdSet([])


@pytest.mark.parametrize("success_when", ["all", "finished"])
def test_refused_recipients_that_a_long_receipt_does_not_name_are_not_waited_for(
    tmp_path: Path, success_when: str
) -> None:
    """Without a ledger, of more than 100 messages, nobody knows which rows of a request are about refused ones."""
    world = World(tmp_path, refused_in="both")
    refused = [number[:-2] + "06" for number in numbers(5, start=500)]
    sent = world.send([*mixed(180), *refused], SHARED, ledger=False, policy={"on_rejected": "ignore"}, chunk_size=50)
    receipt = sent.receipt.to_json()
    assert "message_ids" not in receipt
    watch = Watch(
        bulks_of(Receipt.from_json(receipt)),
        world.clock.now() + 7200.0,
        SuccessCriterion(success_when),
        ("LINE", "SMS"),
    )
    machine = DeliveryWait(watch, world.clock.now, lambda: 0.5)
    end = world.carry_out(machine.until_decided())
    assert end.verdict is (Verdict.FAILURE if success_when == "all" else Verdict.SUCCESS)
    assert end.summary["total"] == 180
    assert success_when == "all" or (end.summary["delivered"], end.summary["failed"]) == (144, 36)


def test_news_of_a_message_that_is_followed_apart_hold_nothing_up(tmp_path: Path) -> None:
    """It was posted again on trust; its report comes with those of the first request, which has no news of its own."""
    world = World(tmp_path)
    delivered, *silent = numbers(1)[0], *(number[:-2] + "45" for number in numbers(2, 1))
    world.send([delivered, *silent], SHARED)
    ids = {each.to: each.message_id for each in world.simulator.record.acceptances}
    first = world.simulator.record.acceptances[0].bulk_id
    world.folder = LocalFolder(tmp_path / "another")
    now = world.clock.now()
    write_sent(
        world,
        "00001-aa-000001",
        {"bulk": first, "at": now, "ids": list(ids.values())},
        {"bulk": "posted again", "at": now, "ids": [ids[delivered]], "bulk_id_conclusive": False},
    )
    assert wait(world, success_when="any").verdict is Verdict.SUCCESS
    assert world.clock.now() - now < 60.0


@pytest.mark.parametrize(("sent", "outcome"), [(120.0, "pending"), (0.0, "failed")], ids=["another step", "the same"])
def test_whoever_has_a_second_sms_under_way_is_not_sent_to_again(tmp_path: Path, sent: float, outcome: str) -> None:
    """A wait has ended after that, and said of others that they have failed for want of news."""
    world = World(tmp_path)
    (number,) = numbers(1)
    flow = ("SMS", "LINE", "SMS")
    world.send([number], SHARED, flow=flow)
    (row,) = read_outcomes(str(world.folder.path))
    failed = ["SMS", "FAILED", "FAILED", 0.0, 60.0, None, None, None]
    running = ["SMS", "PENDING", "PENDING", sent, None, None, None, None]
    for number_of, steps in enumerate(([failed], [running], [failed])):
        lines = [{"v": 1, "flow": list(flow)}, {"id": row.message_id, "steps": steps, "closed": True}]
        world.folder.write(f"outcomes/00000-aa-{number_of:06d}.jsonl.gz", pack(lines))
    (row,) = read_outcomes(str(world.folder.path))
    assert row.outcome == outcome
    assert [each.number for each in unreached(str(world.folder.path)).rows()] == (
        [] if outcome == "pending" else [number]
    )
