"""Tries that must not believe what they see: another place for the record, listings that fail, answers about a repeated
POST, a try that was replaced.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_omni.delivery.effects import Json
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.ledger.parts import TRIES
from airflow_provider_omni.delivery.ledger.remote_folders import RemoteFolder
from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.receipt import Receipt
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait_together import wait_for
from airflow_provider_omni.delivery.tracking.watch import Watch, bulks_of
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniContentChangedError,
    OmniInputError,
    OmniProtocolError,
    OmniStaleTryError,
    OmniStorageError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.failures import Failure, failure_error
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers


def _vendor_accepts_repeated_ids(tmp_path: Path) -> World:
    return World(tmp_path, duplicates="accept")


def _answers(world: World, *scripted: Callable[[Call[Any]], Any]) -> None:
    """The answers of the first POSTs."""
    execute, script = world.execute, list(scripted)

    def answer(call: Call[Any]) -> Any:
        return script.pop(0)(call) if call.method == "POST" and script else execute(call)

    world.execute = answer  # type: ignore[method-assign]


def _said(call: Call[Any], message_id: str | None, number: int, name: str) -> Any:
    ids = [each["messageId"] for each in json.loads(call.body or b"")["destinations"]]
    status = {"groupName": name.split("_")[0], "id": number, "name": name}
    messages = [{"messageId": message_id or each, "status": status} for each in ids]
    return read(call, Response(200, {}, json.dumps({"messages": messages}).encode()))


@pytest.mark.parametrize(("before", "after"), [("ledger", "other"), ("memory", "ledger"), ("ledger", "memory")])
def test_a_try_that_keeps_its_record_elsewhere_than_the_one_before_sends_nothing(
    tmp_path: Path, before: str, after: str
) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    assert world.send(numbers(5), ledger=before != "memory").error is None
    other = LocalFolder(tmp_path / "other") if after == "other" else None
    end = world.send(numbers(5), ledger=after != "memory", folder=other)
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == numbers(5)


def test_without_a_memory_that_lasts_a_ledger_is_believed(tmp_path: Path) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    assert world.send(numbers(5)).error is None
    world.memory = ProcessMemory()
    assert world.send(numbers(8)).error is None
    assert world.accepted() == numbers(8)


def test_a_task_whose_shard_has_changed_places_sends_nothing_without_a_ledger(tmp_path: Path) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    world.send(numbers(20), ledger=False, shard=Shard(1, 2))
    sent = world.accepted()
    end = world.send(numbers(20), ledger=False, shard=Shard(2, 2))
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == sent


def test_another_key_field_under_the_same_key_is_other_content(tmp_path: Path) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    rows = [{"phone": number, "id": str(index)} for index, number in enumerate(numbers(5))]
    assert world.send(rows).error is None
    assert isinstance(world.send(rows, key_field="id").error, OmniContentChangedError)
    assert world.accepted() == numbers(5)


def test_a_ledger_whose_parts_cannot_be_listed_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    assert world.send(numbers(5)).error is None
    world.memory = ProcessMemory()
    scandir = os.scandir

    def broken(path: Any) -> Any:
        if str(path).rstrip("/").endswith("sent"):
            raise OSError(5, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", broken)
    assert isinstance(world.send(numbers(5)).error, OmniStorageError)
    assert world.accepted() == numbers(5)


def test_a_remote_ledger_that_cannot_be_listed_is_not_an_empty_one() -> None:
    class Broken(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
        cachable = False

        def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
            raise PermissionError(path)

    with pytest.raises(OmniStorageError):
        RemoteFolder(Broken(), "/ledger").list("sent/")
    assert RemoteFolder(fsspec.filesystem("memory"), "/not-there").list("sent/") == []


def test_a_ledger_that_does_not_show_what_was_just_written_is_not_believed(tmp_path: Path) -> None:
    class Blind(LocalFolder):
        def list(self, prefix: str) -> list[str]:
            return [] if prefix == TRIES else super().list(prefix)

    world = World(tmp_path)
    end = world.send(numbers(5), folder=Blind(tmp_path / "blind"))
    assert isinstance(end.error, OmniStorageError)
    assert world.accepted() == []


@pytest.mark.parametrize("refusal", ["in the answer", "by HTTP"])
def test_a_refusal_of_what_was_posted_again_on_trust_says_nothing_about_the_first_post(
    tmp_path: Path, refusal: str
) -> None:
    world = World(tmp_path)
    mend = world.failing("logs")
    execute = world.execute

    def accepted_unheard(call: Call[Any]) -> Any:
        execute(call)
        raise failure_error(call, Failure.BROKEN)

    def refused(call: Call[Any]) -> Any:
        if refusal == "by HTTP":
            return read(call, Response(400, {}, b"{}"))
        return _said(call, None, 6, "REJECTED_NETWORK")

    _answers(world, accepted_unheard, refused)
    policy = {"trust_duplicate_rejection": True}
    end = world.send(numbers(1), policy=policy)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.receipt.counts.unconfirmed == 1
    mend()
    assert world.send(numbers(1), policy=policy).error is None
    assert world.accepted() == numbers(1)


def test_who_stays_unconfirmed_keeps_the_task_from_succeeding_and_is_asked_about_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    execute = world.execute

    def foreign(call: Call[Any]) -> Any:
        execute(call)
        return _said(call, "not-ours", 26, "PENDING_ACCEPTED")

    mend = world.failing("logs")
    _answers(world, foreign)
    assert isinstance(world.send(numbers(2)).error, OmniProtocolError)
    end = world.send(numbers(2))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.receipt.counts.unconfirmed == 2
    mend()
    assert world.send(numbers(2)).error is None
    assert world.accepted() == numbers(2)


def test_messages_in_doubt_to_people_who_left_the_source_keep_the_task_from_succeeding(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill-after" if post == 1 else None
    with pytest.raises(KilledError):
        world.send(numbers(2))
    mend = world.failing("logs")
    end = world.send(numbers(2, start=50))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    mend()
    assert world.send(numbers(2, start=50)).error is None
    assert world.accepted() == sorted(numbers(2) + numbers(2, start=50))


class _Replaced(ProcessMemory):
    """The effects of a try that was replaced: reads look empty, writes are refused."""

    def load(self, key: str) -> Json:
        return None

    def save(self, key: str, value: Json) -> None:
        raise OmniStaleTryError("replaced")


@pytest.mark.parametrize("ledger", [True, False])
def test_a_try_that_was_replaced_writes_no_receipt_and_stops_nobody(tmp_path: Path, ledger: bool) -> None:
    world = World(tmp_path)
    assert world.send(numbers(5), ledger=ledger).error is None
    receipts, parts = len(world.published), world.folder.list("")
    world.memory = _Replaced()
    assert isinstance(world.send(numbers(5), ledger=ledger).error, OmniStaleTryError)
    assert len(world.published) == receipts
    assert world.folder.list("") == parts
    assert world.accepted() == numbers(5)


@pytest.mark.parametrize("ledger", [True, False])
def test_messages_posted_again_on_trust_in_another_request_are_followed_once_and_found(
    tmp_path: Path, ledger: bool
) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill-after" if post == 1 else None
    policy = {"trust_duplicate_rejection": True}
    with pytest.raises(KilledError):
        world.send(numbers(4), ledger=ledger, policy=policy)
    mend = world.failing("logs")
    # Two have left the source, so the others are posted again in another request than the vendor has them from.
    receipt = world.send(numbers(2), ledger=ledger, policy=policy).receipt.to_json()
    mend()
    watch = Watch(
        () if ledger else bulks_of(Receipt.from_json(receipt)),
        deadline=world.clock.now() + 86400,
        flow=("LINE", "SMS"),
        ledger_path="memory://ledger" if ledger else None,
    )
    end = world.carry_out(wait_for(watch, world.clock.now, "abc").until_decided(), memory=ProcessMemory())
    assert end.verdict is Verdict.SUCCESS
    assert (end.summary["total"], end.summary["delivered"]) == (4, 4)


# -- proofs of absence ----------------------------------------------------------------------------------------------


def _until_absent(world: World, people: list[str]) -> Any:
    """A try that is lost, then one that proves that nothing was sent and cannot send either. Returns the lost POST."""
    lost: list[Call[Any]] = []
    execute = world.execute

    def lose_the_post(call: Call[Any]) -> Any:
        if call.method == "POST":
            lost.append(call)
            raise KilledError
        return execute(call)

    world.execute = lose_the_post  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        world.send(people)
    world.execute = execute  # type: ignore[method-assign]
    world.clock.advance(300.0)
    world.fault = lambda post: "refused"
    assert world.send(people).error is not None
    world.fault = lambda post: None
    return lost[0]


@pytest.mark.parametrize("frozen_try_wakes_up", [True, False])
def test_what_an_earlier_try_found_absent_is_asked_for_again(tmp_path: Path, frozen_try_wakes_up: bool) -> None:
    """A frozen try may have woken up and posted since, also where the POST of the one that looked had no effect."""
    world, people = _vendor_accepts_repeated_ids(tmp_path), numbers(3)
    post = _until_absent(world, people)
    if frozen_try_wakes_up:
        world.execute(post)
    world.clock.advance(600.0)
    assert world.send(people).error is None
    assert world.accepted() == people


def test_an_old_proof_of_absence_does_not_outlast_the_logs(tmp_path: Path) -> None:
    world, people = _vendor_accepts_repeated_ids(tmp_path), numbers(3)
    world.execute(_until_absent(world, people))
    world.clock.advance(60 * 3600.0)
    assert isinstance(world.send(people).error, OmniUnknownOutcomeError)
    assert world.accepted() == people


# -- trust in an account that refuses repeated ids ------------------------------------------------------------------


@pytest.mark.parametrize("tries_at_hours", [(60,), (40, 80)])
def test_what_is_unknown_for_two_days_is_not_posted_again_on_trust(
    tmp_path: Path, tries_at_hours: tuple[int, ...]
) -> None:
    """The account, too, forgets ids. What counts is when they may have been posted for the first time."""
    world, people = World(tmp_path), numbers(3)
    policy = {"trust_duplicate_rejection": True}
    began = world.clock.now()
    world.fault = lambda post: "reset-after"
    mend = world.failing("logs")
    world.send(people, policy=policy)
    for hours in tries_at_hours:
        world.clock.advance(began + hours * 3600.0 - world.clock.now())
        if hours == tries_at_hours[-1]:
            world.fault = lambda post: None
        world.send(people, policy=policy)
    mend()
    assert world.accepted() == people


@pytest.mark.parametrize("given_bulk_id", ["kept", "dropped", "replaced"])
@pytest.mark.parametrize("id_lists", ["all", "first", "none"])
@pytest.mark.parametrize("ledger", [True, False])
def test_an_answer_that_was_lost_costs_nobody_a_second_message_whether_or_not_the_bulk_id_is_kept(
    tmp_path: Path, given_bulk_id: str, id_lists: str, ledger: bool
) -> None:
    world = World(tmp_path, duplicates="accept", given_bulk_id=given_bulk_id, id_lists=id_lists)
    world.fault = {2: "kill-after", 3: "reset-after"}.get
    with pytest.raises(KilledError):
        world.send(numbers(30), ledger=ledger, policy={"connections": 1})
    assert world.send(numbers(30), ledger=ledger).error is None
    assert world.accepted() == numbers(30)


def test_where_another_request_is_found_by_its_bulk_id_nobody_is_looked_for_by_ids_of_their_own(
    tmp_path: Path,
) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    world.fault = {2: "reset-before"}.get
    assert world.send(numbers(30), policy={"connections": 1}).error is None
    assert world.accepted() == numbers(30)
    assert not [call for call in world.calls if "messageId" in dict(call.query)]


def _looks(world: World, since: int) -> list[dict[str, str]]:
    return [dict(call.query) for call in world.calls[since:] if "logs" in call.path]


@pytest.mark.parametrize("ledger", [True, False])
def test_a_request_that_an_earlier_try_had_accepted_shows_that_the_logs_find_bulk_ids(
    tmp_path: Path, ledger: bool
) -> None:
    """So a crash on the last request costs one look for another one, and nobody is looked for by ids of their own."""
    world = _vendor_accepts_repeated_ids(tmp_path)
    assert world.send(numbers(20), ledger=ledger).error is None
    world.fault = {3: "kill"}.get
    with pytest.raises(KilledError):
        world.send(numbers(30), ledger=ledger)
    before = len(world.calls)
    assert world.send(numbers(30), ledger=ledger).error is None
    assert world.accepted() == numbers(30)
    looks = _looks(world, before)
    assert not [look for look in looks if "messageId" in look]
    assert sum(look["limit"] == "1" for look in looks) == 1


def test_a_request_that_is_found_by_its_bulk_id_is_as_good_as_one_that_was_answered(tmp_path: Path) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    world.fault = {1: "reset-after", 2: "kill"}.get
    with pytest.raises(KilledError):
        world.send(numbers(20), policy={"connections": 1})
    before = len(world.calls)
    assert world.send(numbers(20)).error is None
    assert world.accepted() == numbers(20)
    looks = _looks(world, before)
    assert not [look for look in looks if "messageId" in look or look["limit"] == "1"]


@pytest.mark.parametrize("given_bulk_id", ["dropped", "replaced"])
def test_a_bulk_id_of_the_vendors_own_does_not_show_that_the_logs_find_ours(tmp_path: Path, given_bulk_id: str) -> None:
    """The logs have named it for messages whose answer was lost, and it stands in the ledger since."""
    world = World(tmp_path, duplicates="accept", given_bulk_id=given_bulk_id)
    world.fault = {1: "reset-after"}.get
    assert world.send(numbers(10), policy={"connections": 1}).error is None
    world.fault = {2: "kill-after"}.get
    with pytest.raises(KilledError):
        world.send(numbers(20), policy={"connections": 1})
    world.fault = lambda post: None
    assert world.send(numbers(20)).error is None
    assert world.accepted() == numbers(20)


def test_where_the_record_is_lost_a_filter_that_works_does_not_tell_in_which_request_somebody_stands(
    tmp_path: Path,
) -> None:
    """A try that is not on record has found ten people absent, and has sent to nine of them in another request."""
    world = _vendor_accepts_repeated_ids(tmp_path)
    world.fault = {2: "kill"}.get
    with pytest.raises(KilledError):
        world.send(numbers(20), ledger=False, policy={"connections": 1})
    world.fault = lambda post: None
    older = dict(world.memory._entries)
    assert world.send(numbers(19), ledger=False).error is None
    world.memory._entries = older
    began = world.clock.now() - 600
    policy = {"record_complete": False, "durable": True, "unaccounted": 2, "first_try_at": began}
    world.send(numbers(20), ledger=False, policy=policy)
    assert world.accepted() == numbers(20)


def test_where_others_use_the_logs_too_a_429_holds_all_looks_back(tmp_path: Path) -> None:
    """Forty single messages are in doubt, and the account has ten calls a minute left for this process."""
    world = World(tmp_path, duplicates="accept", logs_per_minute=10, id_lists="none")
    world.fault = dict.fromkeys(range(1, 41), "reset-before").get
    budget = world.clock.budget()
    for _ in range(4):
        before = len(world.calls)
        end = world.send(numbers(40), chunk_size=1, budget=budget, policy={"connections": 1})
        refused = sum(each.status == 429 for each in world.simulator.record.calls)
        assert refused <= len(_looks(world, before)) / 2
        if end.error is None:
            break
    assert world.accepted() == sorted(numbers(40))


@pytest.mark.parametrize("count", [1, 2, 10])
def test_messages_that_an_answer_names_twice_are_asked_for_and_sent_once(tmp_path: Path, count: int) -> None:
    world = _vendor_accepts_repeated_ids(tmp_path)
    execute = world.execute

    def contradicted(call: Call[Any]) -> Any:
        if call.method == "POST":
            world.fault = lambda post: None
            world.simulator.faults.add("contradiction", count=count)
            reply = world.handle(call)
            return read(call, Response(reply.status, reply.headers, reply.body))
        return execute(call)

    world.execute = contradicted  # type: ignore[method-assign]
    world.send(numbers(20))
    world.execute = execute  # type: ignore[method-assign]
    end = world.send(numbers(20))
    assert end.error is None
    assert end.receipt.counts.accepted == 20
    assert world.accepted() == numbers(20)


def test_what_was_posted_last_is_asked_about_too_and_is_not_called_unknown(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "reset-before"
    end = world.send(numbers(3))
    assert end.error is not None
    assert (end.error.effect, end.error.retryable) == (Effect.NONE, True)
    assert "3 messages were not sent" in str(end.error)
    assert end.receipt.counts.unconfirmed == 0
    world.fault = lambda post: None
    assert world.send(numbers(3)).error is None
    assert world.accepted() == numbers(3)
