"""An empty ledger in a later try, where Airflow remembers nothing: it is believed only if the logs know of nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.outbox import missing_record
from airflow_provider_omni.delivery.outbox.send_limits import LIMITS, SendLimits
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.errors import (
    OmniError,
    OmniInputError,
    OmniRejectedError,
    OmniRequestError,
    OmniServerError,
    OmniStaleTryError,
    OmniUnknownOutcomeError,
)
from airflow_provider_omni.omni.models import Rows
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers


def _world(tmp_path: Path, **settings: Any) -> World:
    return World(tmp_path, duplicates="accept", **settings)


def _later_try(world: World, recipients: Any, folder: Any = None, **more: Any) -> Any:
    """A try that is not the first, on an Airflow that remembers nothing; the run began five minutes ago."""
    world.memory = ProcessMemory()
    began = {"first_try_at": world.clock.now() - 300, "is_first_try": False, "record_complete": False}
    began |= {"unaccounted": world.tries}
    return world.send(recipients, folder=folder, policy=began | more.pop("policy", {}), **more)


def _looks(world: World) -> list[Call[Any]]:
    return [call for call in world.calls if "logs" in call.path]


def _first_try(world: World, recipients: Any, killed_at: int, **more: Any) -> None:
    world.fault = lambda post: "kill-after" if post == killed_at else None
    with pytest.raises(KilledError):
        world.send(recipients, policy={"connections": 1}, **more)
    world.fault = lambda post: None


@pytest.mark.parametrize("people", [3, 3000])
def test_a_later_try_with_another_ledger_than_the_first_sends_nothing(tmp_path: Path, people: int) -> None:
    world = _world(tmp_path)
    _first_try(world, numbers(people), 1)
    sent = world.accepted()
    end = _later_try(world, numbers(people), LocalFolder(tmp_path / "other"))
    assert isinstance(end.error, OmniInputError)
    assert "one that all workers see" in str(end.error)
    assert not any(number in str(end.error) for number in numbers(people))
    assert world.accepted() == sent
    # Nor does the next one, after the refused one has left its file.
    assert isinstance(_later_try(world, numbers(people), LocalFolder(tmp_path / "other")).error, OmniInputError)
    assert _later_try(world, numbers(people), policy={"limits": SendLimits(all_asked=20)}).error is None
    assert world.accepted() == numbers(people)


def test_some_are_found_by_chance_whatever_order_the_source_has_now(tmp_path: Path) -> None:
    world = _world(tmp_path)
    _first_try(world, numbers(3000), 15)
    shuffled = sorted(numbers(3000), key=lambda number: number[::-1] + number, reverse=True)[::-1]
    end = _later_try(world, reversed(shuffled), LocalFolder(tmp_path / "other"))
    assert isinstance(end.error, OmniInputError)


@pytest.mark.parametrize("id_lists", ["first", "none"])
def test_where_the_logs_do_not_read_lists_of_ids_a_lost_ledger_is_noticed_all_the_same(
    tmp_path: Path, id_lists: str
) -> None:
    world = _world(tmp_path, id_lists=id_lists)
    world.fault = {5: "kill"}.get
    with pytest.raises(KilledError):
        world.send(numbers(60), policy={"connections": 1})
    sent = world.accepted()
    end = _later_try(world, numbers(60), LocalFolder(tmp_path / "elsewhere"))
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == sent


def test_a_first_try_that_died_before_it_sent_anything_does_not_stop_the_next(tmp_path: Path) -> None:
    world = _world(tmp_path)
    begun = world.clock.now()
    end = _later_try(world, numbers(3000))
    assert end.error is None
    assert world.accepted() == numbers(3000)
    # Two looks, the second when whatever may have been under way stands in the logs.
    assert 90 <= world.clock.now() - begun < 200
    assert len(_looks(world)) <= 2 * (LIMITS.all_asked // 50 + missing_record.LATER + 2 * missing_record.ALONE)
    assert any("knows of no message" in line for line in world.lines)


def test_what_was_under_way_when_the_first_try_died_is_found_by_the_second_look(tmp_path: Path) -> None:
    world = _world(tmp_path, log_lag_seconds=25.0)
    _first_try(world, numbers(3), 1)
    end = _later_try(world, numbers(3), LocalFolder(tmp_path / "other"))
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == numbers(3)


@pytest.mark.parametrize(("people", "keyed"), [(3, False), (3, True), (1500, False)])
def test_whom_an_earlier_try_sent_to_under_new_ids_after_a_refusal_is_found_too(
    tmp_path: Path, people: int, keyed: bool
) -> None:
    """The first try found no credit, the second sent to everybody, and the third finds another ledger."""
    world = _world(tmp_path)
    rows: Any = [{"phone": each, "id": f"c{each}"} for each in numbers(people)] if keyed else numbers(people)
    more = {"key_field": "id"} if keyed else {}
    assert world.send(numbers(1, start=50_000), ledger=False, identity=Identity("another")).error is None
    world.memory = ProcessMemory()
    world.simulator.configure(message_credits=1)
    for _ in range(2):
        assert isinstance(world.send(rows, **more).error, OmniRejectedError)
    world.simulator.configure(message_credits=0)
    assert world.send(rows, **more).error is None
    sent = world.accepted()
    end = _later_try(world, rows, LocalFolder(tmp_path / "other"), **more)
    assert isinstance(end.error, OmniInputError)
    assert world.accepted() == sent


def test_rows_that_cannot_be_read_prove_no_absence(tmp_path: Path) -> None:
    """They may be about those very messages: then everybody would get the message again."""
    world = _world(tmp_path)
    _first_try(world, numbers(3), 1)
    execute = world.execute

    def garbled(call: Call[Any]) -> Any:
        rows = execute(call)
        if "logs" not in call.path:
            return rows
        unreadable = Rows()
        unreadable.skipped = len(rows)
        return unreadable

    world.execute = garbled  # type: ignore[method-assign]
    end = _later_try(world, numbers(3), LocalFolder(tmp_path / "other"))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.error.retryable
    assert "rows that cannot be read" in str(end.error)
    assert world.accepted() == numbers(3)


def test_a_ledger_that_knows_of_something_needs_no_look(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.send(numbers(5)).error is None
    assert _later_try(world, numbers(8)).error is None
    assert world.accepted() == numbers(8)
    assert not _looks(world)


@pytest.mark.parametrize(
    "policy",
    [{"is_first_try": True}, {"record_complete": True}, {"dry_run": True}],
    ids=lambda policy: next(iter(policy)),
)
def test_where_an_empty_ledger_means_nothing_was_sent_nobody_is_asked(tmp_path: Path, policy: dict[str, Any]) -> None:
    world = _world(tmp_path)
    assert _later_try(world, numbers(3), policy=policy).error is None
    assert not _looks(world)


def test_what_another_try_has_sent_on_this_ledger_meanwhile_is_no_lost_record(tmp_path: Path) -> None:
    """One that was frozen before it wrote its file, and woke up."""
    world = _world(tmp_path)
    execute = world.execute

    def woken(call: Call[Any]) -> Any:
        if "logs" in call.path:
            world.execute = execute  # type: ignore[method-assign]
            assert world.send(numbers(3)).error is None
        return execute(call)

    world.execute = woken  # type: ignore[method-assign]
    end = _later_try(world, numbers(3))
    assert isinstance(end.error, OmniStaleTryError)
    assert world.accepted() == numbers(3)
    assert len(world.published) == 2


def _logs_answer(world: World, *answers: Any) -> None:
    execute, script = world.execute, list(answers)

    def scripted(call: Call[Any]) -> Any:
        if "logs" not in call.path or not script:
            return execute(call)
        answer = script.pop(0)
        if isinstance(answer, OmniError):
            raise answer
        return read(call, Response(200, {}, answer))

    world.execute = scripted  # type: ignore[method-assign]


DOWN = OmniServerError("down", status=503)
FORBIDDEN = OmniRequestError("not for you", status=403)
STRANGER = b'{"results": [{"messageId": "a-stranger", "status": {"groupName": "PENDING", "id": 7, "name": "PENDING"}}]}'


@pytest.mark.parametrize(("answers", "retryable"), [([DOWN] * 5, True), ([FORBIDDEN], False), ([STRANGER] * 5, True)])
def test_where_the_logs_do_not_tell_nothing_is_sent(tmp_path: Path, answers: list[Any], retryable: bool) -> None:
    world = _world(tmp_path)
    _logs_answer(world, *answers)
    end = _later_try(world, numbers(3))
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.error.retryable is retryable
    assert world.posts == 0
    if retryable:
        assert _later_try(world, numbers(3)).error is None


def test_logs_that_fail_now_and_then_are_asked_again(tmp_path: Path) -> None:
    world = _world(tmp_path)
    _logs_answer(world, DOWN, STRANGER, DOWN)
    assert _later_try(world, numbers(3)).error is None
    assert world.accepted() == numbers(3)


@pytest.mark.parametrize("hours", [None, 47])
def test_a_first_try_further_back_than_the_logs_reach_may_have_sent_anything(tmp_path: Path, hours: int | None) -> None:
    world = _world(tmp_path)
    began = None if hours is None else world.clock.now() - hours * 3600
    end = _later_try(world, numbers(3), policy={"first_try_at": began})
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert not end.error.retryable
    assert "idempotency_key" in str(end.error)
    assert world.posts == 0


def test_messages_that_are_scheduled_ahead_are_in_no_log_yet(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    world = _world(tmp_path)
    later = datetime.fromtimestamp(world.clock.now() + 7200, UTC)
    content = {"sms": {"text": "Hello"}, "options": {"send_at": later}}
    end = _later_try(world, numbers(3), content=content)
    assert isinstance(end.error, OmniUnknownOutcomeError)
    assert end.error.retryable
    assert world.posts == 0


def test_up_to_a_thousand_people_everyone_is_asked_for(tmp_path: Path) -> None:
    for people in (20, 21):
        world = _world(tmp_path / str(people))
        asked = set()
        execute = world.execute

        def noting(call: Call[Any], execute: Any = execute, asked: set[str] = asked) -> Any:
            asked.update(value for name, value in call.query if name == "messageId")
            return execute(call)

        world.execute = noting  # type: ignore[method-assign]
        assert _later_try(world, numbers(people), policy={"limits": SendLimits(all_asked=20)}).error is None
        told = ",".join(asked).split(",")
        assert (len(set(told)) == people) is (people == 20)
