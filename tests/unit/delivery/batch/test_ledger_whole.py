"""What a ledger's folder must hold to be believed: files of others do not matter, parts that are gone or damaged do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_omni.delivery.batch.sharding import Shard
from airflow_provider_omni.delivery.drivers import run
from airflow_provider_omni.delivery.ledger import purge_plan, read_outcomes, read_quarantine, unreached
from airflow_provider_omni.delivery.ledger.opening import SubFolder, check_shards, ledgers_in
from airflow_provider_omni.delivery.ledger.parts import TryName
from airflow_provider_omni.delivery.ledger.waiting import wait_for
from airflow_provider_omni.delivery.verdict import Verdict
from airflow_provider_omni.delivery.watch import Watch
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.storage.process import ProcessMemory
from tests.unit.delivery.batch.batchworld import KilledError, World, numbers

FOLDERS = ("", "tries", "plan", "sent", "outcomes", "quarantine")
FOREIGN = (".DS_Store", ".nfs0000", "._00001-00000001-000001.jsonl.gz", "copies/00001-00000001.jsonl.gz", "README.txt")


def _litter(world: World) -> None:
    for folder in FOLDERS:
        for name in FOREIGN:
            path = world.folder.path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"none of ours")


def _wait(world: World) -> Verdict | None:
    watch = Watch((), deadline=world.clock.now() + 86400, flow=("LINE", "SMS"), ledger_path="memory://ledger")
    return run(
        wait_for(watch, world.clock.now, "abc").until_decided(),
        client=world,
        memory=ProcessMemory(),
        folder=world.folder,
        sleep=world.clock.advance,
    ).verdict


def _parts(world: World, folder: str) -> list[str]:
    return [name for name in world.folder.list(folder) if TryName.of(name)]


def test_files_of_others_in_the_ledger_are_passed_over_by_all_who_read_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    _litter(world)
    assert world.send([*numbers(20), "12"]).error is None
    assert world.send([*numbers(25), "12"]).error is None
    assert world.accepted() == numbers(25)
    told = str(world.folder.path)
    assert len(list(unreached(told, include_unknown=True).rows())) == 25
    for _ in range(2):
        assert _wait(world) is Verdict.SUCCESS
    assert len(list(read_outcomes(told))) == 25
    assert [row.row for row in read_quarantine(told)] == [25]


def test_files_of_others_make_no_ledger(tmp_path: Path) -> None:
    world = World(tmp_path)
    _litter(world)
    (world.folder.path / "shard-1-of-3").mkdir()
    (world.folder.path / "shard-1-of-3" / ".DS_Store").write_bytes(b"none of ours")
    assert list(ledgers_in(world.folder)) == []
    check_shards(world.folder, Shard(1, 2))
    check_shards(world.folder, None)


def test_a_purge_removes_what_a_killed_try_has_left_unfinished(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(2))
    (world.folder.path / "plan" / ".unfinished-1").write_bytes(b"half")
    purge_plan(str(world.folder.path))
    assert world.folder.list("plan/") == []


@pytest.mark.parametrize("folder", ["tries/", "plan/", "sent/"])
def test_a_part_of_ours_that_is_damaged_stops_the_send(tmp_path: Path, folder: str) -> None:
    world = World(tmp_path, duplicates="accept")
    world.send(numbers(20))
    (world.folder.path / _parts(world, folder)[0]).write_bytes(b"damaged, and long enough to be a part")
    end = world.send(numbers(30))
    assert isinstance(end.error, OmniStorageError)
    assert not end.error.retryable
    assert world.accepted() == numbers(20)


# -- whose it is -------------------------------------------------------------------------------------------------------


def _truncate(world: World, name: str) -> None:
    data = world.folder.read(name)
    (world.folder.path / name).write_bytes(data[: len(data) // 2])


def test_whose_the_ledger_is_any_try_may_tell(tmp_path: Path) -> None:
    from airflow_provider_omni.delivery.identity import Identity

    world = World(tmp_path)
    world.send(numbers(5))
    world.send(numbers(5))
    _truncate(world, _parts(world, "tries/")[0])
    world.memory = ProcessMemory()
    end = world.send(numbers(5), identity=Identity("run-2"))
    assert isinstance(end.error, OmniInputError)
    assert world.send(numbers(8)).error is None
    assert world.accepted() == numbers(8)


def test_a_ledger_with_sent_parts_that_nobody_says_is_theirs_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(5))
    _truncate(world, _parts(world, "tries/")[0])
    end = world.send(numbers(8))
    assert isinstance(end.error, OmniStorageError)
    assert world.accepted() == numbers(5)


def test_a_try_that_died_while_it_wrote_its_file_does_not_block_the_next(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.folder.path / "tries").mkdir(parents=True)
    (world.folder.path / "tries" / "00001-00ff.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    assert world.send(numbers(5)).error is None
    assert world.accepted() == numbers(5)


# -- parts that are gone -----------------------------------------------------------------------------------------------


def _first_try_expired(world: World) -> None:
    for name in world.folder.list(""):
        if "/00001-" in name:
            world.folder.delete(name)


def _begin_expired(world: World) -> None:
    """What was written last is still there, of the only try."""
    for name in (*world.folder.list("tries/"), *world.folder.list("sent/")[:2]):
        if "/00001-" in name:
            world.folder.delete(name)


@pytest.mark.parametrize(("tries", "expire"), [(2, _first_try_expired), (1, _begin_expired)])
def test_a_ledger_of_which_the_oldest_parts_are_gone_is_refused(
    tmp_path: Path, tries: int, expire: Callable[[World], None]
) -> None:
    world = World(tmp_path, duplicates="accept")
    rules = {"connections": 1}
    if tries == 2:
        world.fault = lambda post: "kill" if post == 3 else None
        with pytest.raises(KilledError):
            world.send(numbers(40), rules=rules)
    world.fault = lambda post: None
    world.send(numbers(40), rules=rules)
    world.memory = ProcessMemory()
    expire(world)
    end = world.send(numbers(40))
    assert isinstance(end.error, OmniStorageError)
    assert "no file of try 1" in str(end.error)
    assert not end.error.retryable
    assert world.accepted() == numbers(40)


# -- how it is divided -------------------------------------------------------------------------------------------------


def test_a_batch_that_is_divided_in_another_way_is_refused_the_ledger(tmp_path: Path) -> None:
    whole, divided = World(tmp_path / "whole"), World(tmp_path / "divided")
    whole.send(numbers(20))
    shard = Shard(2, 3)
    divided.send(numbers(20), folder=SubFolder(divided.folder, shard.folder), shard=shard)
    check_shards(whole.folder, None)
    check_shards(divided.folder, Shard(1, 3))
    with pytest.raises(OmniInputError, match="found a division into 2, the ledger has a send without shards"):
        check_shards(whole.folder, Shard(1, 2))
    with pytest.raises(OmniInputError, match="found no shard, the ledger has shard-2-of-3"):
        check_shards(divided.folder, None)
    with pytest.raises(OmniInputError, match="found a division into 2, the ledger has shard-2-of-3"):
        check_shards(divided.folder, Shard(1, 2))
