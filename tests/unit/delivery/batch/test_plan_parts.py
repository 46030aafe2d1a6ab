"""The people that a ledger keeps: rows that change from try to try, rows that were left out, who may look."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.layout import SubFolder
from airflow_provider_omni.delivery.ledger.parts import TryId, pack
from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.messages.codec import step_of
from airflow_provider_omni.delivery.messages.status import StatusUpdate
from airflow_provider_omni.ledger import purge_plan, read_quarantine, unreached
from airflow_provider_omni.omni.errors import OmniInputError, OmniRejectedError
from airflow_provider_omni.omni.statuses import StepState
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers

OLD, NEW = numbers(2)


def _row(number: str, **fields: str) -> dict[str, str]:
    return {"phone": number, "id": "c1", "name": "Ada"} | fields


def _send(world: World, *rows: dict[str, str], **more: Any) -> Any:
    return world.send(rows, key_field="id", **more)


def _again(world: World, *, unknown: bool = False) -> list[tuple[Any, Any]]:
    rows = unreached(str(world.folder.path), include_unknown=unknown).rows()
    return [(row.number, (row.fields or {})["name"]) for row in rows]


def _failed(world: World, message_id: str) -> None:
    """A wait has seen that a message did not arrive."""
    steps = [step_of(StatusUpdate(message_id, "SMS", StepState.FAILED, "UNDELIVERABLE", None, None))]
    lines = [{"v": 1, "flow": ["SMS"]}, {"id": message_id, "bulk": "b", "steps": steps}]
    world.folder.write(TryId(0, "abc").part("outcomes/", 1), pack(lines))


def _plan_lines(world: World) -> list[Any]:
    return [
        json.loads(line)
        for name in world.folder.list("plan/")
        for line in gzip.decompress(world.folder.read(name)).splitlines()
    ]


# -- rows that change --------------------------------------------------------------------------------------------------


def test_whose_key_has_moved_to_another_number_before_anything_was_sent_is_resent_to_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill" if post == 1 else None
    with pytest.raises(KilledError):
        _send(world, _row(OLD))
    assert _send(world, _row(NEW)).error is None
    assert world.accepted() == [NEW]
    assert _again(world, unknown=True) == [(NEW, "Ada")]


def test_who_was_accepted_under_the_old_number_is_resent_to_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert _send(world, _row(OLD)).error is None
    assert _send(world, _row(NEW)).error is None
    assert world.accepted() == [OLD]
    assert [line["to"] for line in _plan_lines(world)] == [OLD, NEW]
    _failed(world, _plan_lines(world)[0]["id"])
    assert _again(world) == [(OLD, "Ada")]


def test_who_was_refused_or_never_posted_to_is_resent_to_as_the_last_try_knew_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.poison = frozenset({OLD})
    assert isinstance(_send(world, _row(OLD)).error, OmniRejectedError)
    world.poison = frozenset()
    world.fault = lambda post: "refuse-auth"
    assert _send(world, _row(NEW, name="Ada B."), _row(OLD, id="c2")).error is not None
    assert sorted(_again(world)) == sorted([(NEW, "Ada B."), (OLD, "Ada")])


def test_a_row_that_has_not_changed_is_written_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [_row(OLD, name="Zoë \u2028"), _row(NEW, id='c"2\n')]
    for _ in range(3):
        assert _send(world, *rows).error is None
    assert len(_plan_lines(world)) == 2
    for _ in range(2):
        assert _send(world, rows[0], rows[1] | {"name": "Bea"}).error is None
    assert len(_plan_lines(world)) == 3
    # Back to what it was: that is another change.
    assert _send(world, *rows).error is None
    assert len(_plan_lines(world)) == 4


def test_who_left_the_source_before_being_posted_to_is_not_resent_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill" if post == 1 else None
    with pytest.raises(KilledError):
        world.send(numbers(3), chunk_size=1, policy={"connections": 1})
    world.fault = lambda post: None
    assert world.send(numbers(2)).error is None
    assert [row.number for row in unreached(str(world.folder.path)).rows()] == []


def test_who_came_back_into_the_source_and_was_not_posted_to_is_resent_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill" if post == 1 else None
    for people in (numbers(3), numbers(2), numbers(3)):
        world.posts = 0
        with pytest.raises(KilledError):
            world.send(people, chunk_size=1, policy={"connections": 1})
    left_out = [row.number for row in unreached(str(world.folder.path), include_unknown=True).rows()]
    assert sorted(left_out) == numbers(3)


def test_whose_message_was_accepted_and_failed_is_resent_to_although_they_have_left_the_source(tmp_path: Path) -> None:
    world = World(tmp_path)
    gone, stays = numbers(2)
    assert world.send([gone, stays]).error is None
    world.send([stays])
    (message_id,) = (line["id"] for line in _plan_lines(world) if line["to"] == gone)
    _failed(world, message_id)
    assert [row.number for row in unreached(str(world.folder.path)).rows()] == [gone]


# -- rows that were left out -------------------------------------------------------------------------------------------


def test_when_the_last_try_has_left_nobody_out_the_quarantine_is_empty(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(["12", *numbers(2)])
    assert [row.row for row in read_quarantine(str(world.folder.path))] == [0]
    world.send(numbers(3))
    assert list(read_quarantine(str(world.folder.path))) == []


# -- who may look ------------------------------------------------------------------------------------------------------


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("shard", [None, Shard(1, 1)])
def test_numbers_in_a_local_ledger_are_readable_by_their_owner_only(tmp_path: Path, shard: Shard | None) -> None:
    world = World(tmp_path)
    folder = world.folder if shard is None else SubFolder(world.folder, shard.folder)
    world.send(numbers(2), shard=shard, folder=folder)
    top = world.folder.path / (shard.folder if shard else "")
    assert _mode(top / "plan") == 0o700
    assert {_mode(path) for path in (top / "plan").iterdir()} == {0o600}
    # The triggerer may run as somebody else: the umask decides.
    assert _mode(top / "sent") & 0o077


def test_what_was_purged_is_not_written_again_by_a_retry(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(3))
    assert purge_plan(str(world.folder.path)) == 1
    assert purge_plan(str(world.folder.path)) == 0
    assert world.send([*numbers(5), "12"]).error is None
    assert world.accepted() == numbers(5)
    assert world.folder.list("plan/") == []
    assert [row.row for row in read_quarantine(str(world.folder.path))] == [5]
    with pytest.raises(OmniInputError, match="plan/ was removed"):
        list(unreached(str(world.folder.path)).rows())


def test_a_purge_of_no_ledger_makes_none(tmp_path: Path) -> None:
    with pytest.raises(OmniInputError, match="ledger: got a place that no batch has used"):
        purge_plan(str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()
