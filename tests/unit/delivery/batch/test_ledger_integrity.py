"""Files for a ledger to be believed: files of others do not matter, parts that are gone or damaged do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.layout import DividedFolder, SubFolder, check_shards, ledgers_in
from airflow_provider_omni.delivery.ledger.parts import TryId, pack
from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.outbox.stores import FENCE
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.delivery.tracking.wait_together import wait_for
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.ledger import purge_plan, read_outcomes, read_quarantine, unreached
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers

FOLDERS = ("", "tries", "plan", "sent", "outcomes", "quarantine")
FOREIGN = (".DS_Store", ".nfs0000", "._00001-00000001-000001.jsonl.gz", "copies/00001-00000001.jsonl.gz", "README.txt")


def _litter(world: World) -> None:
    for folder in FOLDERS:
        for name in FOREIGN:
            path = world.folder.path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"none of ours")


def _wait(world: World, hours: float = 24.0) -> Verdict | None:
    watch = Watch((), deadline=world.clock.now() + hours * 3600.0, flow=("LINE", "SMS"), ledger_path="memory://ledger")
    return world.carry_out(wait_for(watch, world.clock.now, "abc").until_decided(), memory=ProcessMemory()).verdict


def _parts(world: World, folder: str) -> list[str]:
    return [name for name in world.folder.list(folder) if TryId.of(name)]


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
    from airflow_provider_omni.delivery.messages.ids import Identity

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
    """The last thing written, by the only try, is still there."""
    for name in (*world.folder.list("tries/"), *world.folder.list("sent/")[:2]):
        if "/00001-" in name:
            world.folder.delete(name)


@pytest.mark.parametrize(("tries", "expire"), [(2, _first_try_expired), (1, _begin_expired)])
def test_a_ledger_of_which_the_oldest_parts_are_gone_is_refused(
    tmp_path: Path, tries: int, expire: Callable[[World], None]
) -> None:
    world = World(tmp_path, duplicates="accept")
    policy = {"connections": 1}
    if tries == 2:
        world.fault = lambda post: "kill" if post == 3 else None
        with pytest.raises(KilledError):
            world.send(numbers(40), policy=policy)
    world.fault = lambda post: None
    world.send(numbers(40), policy=policy)
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
    with pytest.raises(
        OmniInputError,
        match="got a division into 2, expected the division of the ledger, which has a send without shards",
    ):
        check_shards(whole.folder, Shard(1, 2))
    with pytest.raises(
        OmniInputError, match="got no shard, expected the division of the ledger, which has shard-2-of-3"
    ):
        check_shards(divided.folder, None)
    with pytest.raises(
        OmniInputError, match="got a division into 2, expected the division of the ledger, which has shard-2-of-3"
    ):
        check_shards(divided.folder, Shard(1, 2))


@pytest.mark.parametrize(("ours", "theirs"), [(None, "1/2"), ("1/2", None), ("1/2", "2/3")])
def test_a_batch_looks_again_how_the_ledger_is_divided_once_it_has_begun(
    tmp_path: Path, ours: str | None, theirs: str | None
) -> None:
    """Two that begin at the same moment both find an empty ledger: people would get the message from both."""
    world, mine, others = World(tmp_path), Shard.parse(ours), Shard.parse(theirs)
    folder = DividedFolder(world.folder, mine)
    end = world.send(numbers(20), folder=DividedFolder(world.folder, others), shard=others)
    assert end.error is None
    sent = world.accepted()
    world.memory = ProcessMemory()
    end = world.send(numbers(20), folder=folder, shard=mine)
    assert isinstance(end.error, OmniInputError)
    assert "divided in another way" in str(end.error)
    end = world.send(numbers(20), folder=DividedFolder(world.folder, others), shard=others)
    assert end.error is None, "what the other one wrote is gone"
    assert world.accepted() == sent


# -- parts that say of each other that they were there -----------------------------------------------------------------


def _gone(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _short(path: Path) -> None:
    """A whole part that holds less than it did."""
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))


def _forgetful(tmp_path: Path) -> World:
    """A vendor who takes an id twice, and an Airflow that remembers nothing."""
    return World(tmp_path, duplicates="accept")


def _send_again(world: World, people: int) -> OmniStorageError:
    world.memory = ProcessMemory()
    before = world.accepted()
    end = world.send(numbers(people))
    assert isinstance(end.error, OmniStorageError), end.error
    assert not end.error.retryable
    assert world.accepted() == before
    return end.error


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("spoil", [_gone, _cut, _empty, _short])
def test_whichever_part_of_what_was_sent_is_gone_or_cut_short_nobody_gets_it_twice(
    tmp_path: Path, spoil: Callable[[Path], None], part: int
) -> None:
    world = _forgetful(tmp_path)
    assert world.send(numbers(60), policy={"connections": 1}).error is None
    parts = _parts(world, "sent/")
    assert len(parts) >= 4
    spoil(world.folder.path / parts[part * (len(parts) - 1) // 3])
    assert "sent/" in str(_send_again(world, 70))


@pytest.mark.parametrize("spoil", [_gone, _cut, _empty, _short])
def test_the_parts_of_a_try_that_was_killed_are_missed_by_those_that_came_after_them(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    world = _forgetful(tmp_path)
    world.fault = {5: "kill-after"}.get
    with pytest.raises(KilledError):
        world.send(numbers(100), policy={"connections": 1})
    spoil(world.folder.path / _parts(world, "sent/")[0])
    _send_again(world, 100)


def test_what_a_killed_try_has_sent_last_the_next_one_says_was_there(tmp_path: Path) -> None:
    world = _forgetful(tmp_path)
    world.fault = {2: "kill-after"}.get
    with pytest.raises(KilledError):
        world.send(numbers(100), policy={"connections": 1})
    last = _parts(world, "sent/")[-1]
    assert world.send(numbers(100)).error is None
    (world.folder.path / last).unlink()
    assert last.removesuffix(".jsonl.gz") in str(_send_again(world, 110))


def test_where_the_part_is_cut_short_that_airflow_remembers_nothing_is_sent(tmp_path: Path) -> None:
    world = _forgetful(tmp_path)
    world.fault = {1: "kill-after"}.get
    with pytest.raises(KilledError):
        world.send(numbers(10), policy={"connections": 1})  # one request, so that no other part is under way
    remembered: Any = world.memory.load(FENCE)
    _cut(world.folder.path / remembered["part"])
    before = world.accepted()
    assert isinstance(world.send(numbers(10)).error, OmniStorageError)
    assert world.accepted() == before


@pytest.mark.parametrize("kept", range(1, 12))
def test_a_restore_that_stopped_half_way_stops_the_send(tmp_path: Path, kept: int) -> None:
    world = _forgetful(tmp_path)
    assert world.send([*numbers(60), "12"], policy={"connections": 1}).error is None
    names = sorted(name for name in world.folder.list("") if TryId.of(name))
    for name in names[min(kept, len(names) - 1) :]:
        (world.folder.path / name).unlink()
    _send_again(world, 70)


def test_a_part_that_is_cut_short_and_that_nobody_says_was_there_was_never_finished(tmp_path: Path) -> None:
    world = _forgetful(tmp_path)
    assert world.send(numbers(20)).error is None
    (world.folder.path / "sent" / "00001-00000001-000999.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    assert world.send(numbers(25)).error is None
    assert world.accepted() == numbers(25)


def test_readers_and_waits_say_that_parts_are_missing(tmp_path: Path) -> None:
    world = _forgetful(tmp_path)
    assert world.send(numbers(60), policy={"connections": 1}).error is None
    (world.folder.path / _parts(world, "sent/")[0]).unlink()
    told = str(world.folder.path)
    for read in (lambda: list(read_outcomes(told)), lambda: list(unreached(told).rows())):
        with pytest.raises(OmniStorageError, match="missing or cut short"):
            read()
    assert _wait(world, hours=0.5) is Verdict.TIMEOUT


def test_a_second_send_to_the_unreached_notices_that_people_are_missing_from_the_plan(tmp_path: Path) -> None:
    world = _forgetful(tmp_path)
    assert world.send(numbers(20)).error is None
    _cut(world.folder.path / _parts(world, "plan/")[0])
    with pytest.raises(OmniInputError, match="whose plan/ lacks people"):
        list(unreached(str(world.folder.path), include_unknown=True).rows())


def test_a_ledger_of_the_version_before_is_read(tmp_path: Path) -> None:
    world = _forgetful(tmp_path)
    assert world.send(numbers(20)).error is None
    for name in world.folder.list("ends/"):
        (world.folder.path / name).unlink()
    for name in _parts(world, "sent/"):
        path = world.folder.path / name
        header, *lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        header = {key: value for key, value in header.items() if key not in ("lines", "parts")}
        path.write_bytes(pack([header, *lines]))
    assert world.send(numbers(25)).error is None
    assert world.accepted() == numbers(25)
    assert len(list(read_outcomes(str(world.folder.path)))) == 25
