"""A batch is sent once, whatever happens to its requests, its tries and its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.ledger import read_outcomes
from airflow_provider_omni.omni.errors import OmniInputError, OmniRejectedError
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers


@pytest.fixture(params=[True, False], ids=["ledger", "memory"])
def kept_in_ledger(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_everybody_gets_one_message(tmp_path: Path, kept_in_ledger: bool) -> None:
    world = World(tmp_path)
    end = world.send(numbers(95), ledger=kept_in_ledger)
    assert end.error is None
    assert world.accepted() == numbers(95)
    assert world.posts == 10
    assert end.receipt.counts.accepted == end.receipt.counts.requested == 95
    assert len({bulk.bulk_id for bulk in end.receipt.bulks}) == 10


def test_a_second_try_sends_nothing(tmp_path: Path, kept_in_ledger: bool) -> None:
    world = World(tmp_path)
    first = world.send(numbers(95), ledger=kept_in_ledger)
    again = world.send(numbers(95), ledger=kept_in_ledger)
    assert world.posts == 10
    assert again.error is None
    assert again.receipt.counts == first.receipt.counts
    assert sorted(bulk.bulk_id for bulk in again.receipt.bulks) == sorted(bulk.bulk_id for bulk in first.receipt.bulks)


@pytest.mark.parametrize("fault", ["kill", "kill-after"])
@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_try_that_was_killed_is_taken_up_by_the_next(
    tmp_path: Path, kept_in_ledger: bool, fault: str, at: int
) -> None:
    world = World(tmp_path)
    world.fault = lambda post: fault if post == at else None
    with pytest.raises(KilledError):
        world.send(numbers(95), ledger=kept_in_ledger)
    end = world.send(numbers(95), ledger=kept_in_ledger)
    assert end.error is None
    assert world.accepted() == numbers(95)
    assert end.receipt.counts.accepted == 95


@pytest.mark.parametrize(
    "fault",
    ["refused", "throttle", "error-before", "error-after", "reset-before", "reset-after", "truncated", "unreadable",
     "empty", "wrong-shape", "missing-entries"],
)  # fmt: skip
def test_a_request_that_fails_is_mended_without_sending_twice(tmp_path: Path, kept_in_ledger: bool, fault: str) -> None:
    world = World(tmp_path)
    world.fault = lambda post: fault if post in (2, 5, 6) else None
    end = world.send(numbers(95), ledger=kept_in_ledger)
    assert end.error is None
    assert world.accepted() == numbers(95)
    assert end.receipt.counts.accepted == 95


def test_a_source_that_changed_between_tries_sends_to_new_people_only(tmp_path: Path, kept_in_ledger: bool) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill" if post == 6 else None
    with pytest.raises(KilledError):
        world.send(numbers(95), ledger=kept_in_ledger)
    changed = list(reversed(numbers(60, start=20)))
    end = world.send(changed, ledger=kept_in_ledger)
    assert end.error is None
    accepted = world.accepted()
    assert len(accepted) == len(set(accepted))
    assert set(accepted) >= set(changed)
    assert end.receipt.counts.accepted == 60


def test_more_than_100_requests_need_a_ledger(tmp_path: Path) -> None:
    world = World(tmp_path)
    end = world.send(numbers(101), ledger=False, chunk_size=1)
    assert isinstance(end.error, OmniInputError)
    assert "ledger_path" in str(end.error)
    assert not world.posts


def test_the_name_of_a_refusal_is_told_and_written_down_without_numbers(tmp_path: Path) -> None:
    world = World(tmp_path)
    handle = world.handle

    def naming(call: Any) -> Any:
        reply = handle(call)
        return replace(reply, body=reply.body.replace(b'"REJECTED_NETWORK"', b'"REJECTED_41790000006"'))

    world.handle = naming  # type: ignore[method-assign]
    end = world.send([*numbers(3), "41790000006"])
    assert isinstance(end.error, OmniRejectedError)
    assert "1 × REJECTED_4179…006" in end.error.message
    assert [row.reason for row in read_outcomes(str(world.folder.path)) if row.reason] == ["REJECTED_4179…006"]
