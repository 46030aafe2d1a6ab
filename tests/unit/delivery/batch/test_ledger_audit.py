"""A look through a ledger finds whatever is gone or damaged, all at once, and changes nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from airflow_provider_omni.delivery.ledger.audit import audit
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.results.reader import purge_plan
from tests.unit.delivery.batch.batchworld import World, numbers


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    world = World(tmp_path)
    world.send([*numbers(40), "no number"])
    assert isinstance(world.folder, LocalFolder)
    return world.folder


def first(folder: LocalFolder, kind: str) -> Path:
    return folder.path / folder.list(kind)[0]


def test_a_ledger_as_a_batch_leaves_it_is_whole(folder: LocalFolder) -> None:
    before = folder.list("")
    found = audit(folder)
    assert found.whole
    assert (found.damaged, found.missing, found.unfinished, found.foreign) == ((), (), 0, 0)
    assert found.lines > 40
    assert sum(found.parts.values()) == len(before)
    assert folder.list("") == before


def test_a_part_of_what_was_sent_that_is_gone_is_missing(folder: LocalFolder) -> None:
    part = first(folder, "sent/")
    part.unlink()
    found = audit(folder)
    assert not found.whole
    assert [part.name.startswith(name.removeprefix("sent/")) for name in found.missing] == [True]


def test_the_file_of_a_try_that_is_gone_is_missing(folder: LocalFolder) -> None:
    first(folder, "tries/").unlink()
    assert audit(folder).missing == ("tries/00001",)


def test_a_part_that_cannot_be_read_is_damaged_and_not_missing_besides(folder: LocalFolder) -> None:
    part = first(folder, "sent/")
    part.write_bytes(b"something else")
    found = audit(folder)
    assert found.damaged == (f"sent/{part.name}",)
    assert found.missing == ()


def test_a_part_that_holds_less_than_it_says_is_damaged(folder: LocalFolder) -> None:
    part = first(folder, "sent/")
    lines = gzip.decompress(part.read_bytes()).splitlines(keepends=True)
    part.write_bytes(gzip.compress(b"".join(lines[:-1])))
    assert audit(folder).damaged == (f"sent/{part.name}",)


def test_everything_is_named_at_once(folder: LocalFolder) -> None:
    first(folder, "sent/").unlink()
    first(folder, "tries/").unlink()
    first(folder, "quarantine/").write_bytes(b"something else")
    found = audit(folder)
    assert len(found.missing) == 2
    assert len(found.damaged) == 1


def test_a_plan_that_is_gone_is_told_unless_it_was_purged(folder: LocalFolder, tmp_path: Path) -> None:
    for name in folder.list("plan/"):
        (folder.path / name).unlink()
    assert audit(folder).plan_gone
    purge_plan(folder)
    found = audit(folder)
    assert (found.plan_gone, found.purged, found.whole) == (False, True, True)


def test_unfinished_parts_and_files_of_others_are_counted_and_do_no_harm(folder: LocalFolder) -> None:
    part = first(folder, "sent/")
    writer, _, _ = part.name.rpartition("-")
    (part.parent / f"{writer}-000099.jsonl.gz").write_bytes(b"\x1f\x8b")
    (folder.path / "sent" / ".DS_Store").write_bytes(b"x")
    found = audit(folder)
    assert (found.unfinished, found.foreign, found.whole) == (1, 1, True)
