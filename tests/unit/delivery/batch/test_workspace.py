"""The workspace file fails: full disks, folders that are gone. Real files and SQLite's own errors throughout."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_omni.delivery.drivers import arun
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.recipients.numbers import normalise
from airflow_provider_omni.delivery.tracking.verdict import Verdict
from airflow_provider_omni.omni.errors import Effect, OmniStorageError
from tests.unit.delivery.batch.batchworld import World
from tests.unit.delivery.batch.waits import machine_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def numbers(count: int) -> list[str]:
    return [normalise(f"4179{index:05d}00") for index in range(count)]


def fill_up(workspace: Workspace) -> None:
    """From now on the disk is full: SQLite gets no further page."""
    pages = workspace.scalar("PRAGMA page_count")
    workspace.sql.execute(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def workspaces(monkeypatch: pytest.MonkeyPatch) -> list[Workspace]:
    """Every workspace file that is made."""
    made: list[Workspace] = []
    original = Workspace.__init__

    def remember(self: Workspace, folder: str | None = None) -> None:
        original(self, folder)
        made.append(self)

    monkeypatch.setattr(Workspace, "__init__", remember)
    return made


def test_a_folder_that_is_not_there_is_told_before_anything_is_sent(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OmniStorageError) as caught:
        world.send(numbers(3))
    assert (caught.value.effect, caught.value.retryable) == (Effect.NONE, True)
    for words in ("No such file or directory", "TMPDIR", "Nothing was sent by this try"):
        assert words in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert world.simulator.record.acceptances == []


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OmniStorageError, match="Not a directory"):
        Workspace(str(tmp_path / "file"))


def test_a_file_that_cannot_be_made_in_the_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(OmniStorageError, match="unable to open database file"):
        Workspace()


def test_a_disk_that_fills_up_while_recipients_are_read_ends_it_before_anything_is_sent(
    world: World, workspaces: list[Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Workspace.executemany

    def full(self: Workspace, query: str, values: Any) -> None:
        fill_up(self)
        original(self, query, values)

    monkeypatch.setattr(Workspace, "executemany", full)
    with pytest.raises(OmniStorageError, match="database or disk is full") as caught:
        world.send(numbers(2000))
    assert caught.value.effect is Effect.NONE
    assert "Nothing was sent by this try" in str(caught.value)
    assert world.simulator.record.acceptances == []


@pytest.mark.parametrize("posted", [1, 3])
def test_a_disk_that_fills_up_while_it_sends_leaves_nobody_out_and_sends_to_nobody_twice(
    world: World, workspaces: list[Workspace], posted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = numbers(400)
    original = world.execute
    posts = []

    def execute(call: Any) -> Any:
        if call.method == "POST":
            posts.append(call)
            if len(posts) == posted:
                monkeypatch.setattr(Workspace, "execute", broken)
                monkeypatch.setattr(Workspace, "executemany", broken)
                monkeypatch.setattr(Workspace, "all", broken)
        return original(call)

    def broken(self: Workspace, *_: Any) -> Any:
        fill_up(self)
        self.scalar("INSERT INTO quarantine VALUES (1, zeroblob(1000000), NULL) RETURNING place")

    monkeypatch.setattr(world, "execute", execute)
    with monkeypatch.context(), pytest.raises(OmniStorageError, match="database or disk is full") as caught:
        world.send(people)
    assert caught.value.effect is Effect.UNKNOWN
    assert "sends to nobody twice" in str(caught.value)
    monkeypatch.undo()
    assert world.send(people).error is None
    assert Counter(each.to for each in world.simulator.record.acceptances) == Counter(people)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_wait_whose_workspace_fails_reads_its_ledger_again_and_does_not_die_of_it(
    world: World, workspaces: list[Workspace], asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.send(numbers(20)).error is None
    workspaces.clear()
    original = Workspace.executemany

    def full(self: Workspace, query: str, values: Any) -> None:
        if len(workspaces) <= 3:
            fill_up(self)
            query, values = "INSERT INTO quarantine VALUES (1, zeroblob(?), NULL)", [(1_000_000,)]
        original(self, query, values)

    monkeypatch.setattr(Workspace, "executemany", full)
    machine = machine_of(world, success_when="finished")
    end = asyncio.run(_in_a_loop(world, machine)) if asynchronous else world.carry_out(machine.until_decided())
    assert (end.verdict, end.summary["total"]) == (Verdict.SUCCESS, 20)
    assert len(workspaces) > 3


async def _in_a_loop(world: World, machine: Any) -> Any:
    async def execute(call: Any) -> Any:
        return world.execute(call)

    steps, client = machine.until_decided(), SimpleNamespace(execute=execute)
    return await arun(steps, client=client, memory=cast("Any", None), folder=world.folder, sleep=world.clock.asleep)


def test_a_database_that_rows_come_from_is_not_taken_for_the_workspace() -> None:
    with pytest.raises(sqlite3.OperationalError), Workspace():
        raise sqlite3.OperationalError("database is locked")


def test_a_mistake_of_ours_is_not_taken_for_a_full_disk() -> None:
    with pytest.raises(sqlite3.ProgrammingError), Workspace() as workspace:
        workspace.execute("INSERT INTO other_shards VALUES (?)", 1, 2)
