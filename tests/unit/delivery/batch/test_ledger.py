"""The ledger: parts that are whole or not there, tries that fence each other, rows that can be read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.ledger.layout import SubFolder, folder_of
from airflow_provider_omni.delivery.ledger.parts import TryId, pack, unpack
from airflow_provider_omni.delivery.ledger.remote_folders import RemoteFolder
from airflow_provider_omni.delivery.messages.ids import Identity
from airflow_provider_omni.delivery.outbox.send_limits import SendLimits
from airflow_provider_omni.ledger import purge_plan, read_outcomes, read_quarantine, unreached
from airflow_provider_omni.omni.errors import OmniInputError, OmniStaleTryError, OmniStorageError
from airflow_provider_omni.storage.process import ProcessMemory
from tests.harness.driver import KilledError
from tests.unit.delivery.batch.batchworld import World, numbers


def test_parts_come_back_line_by_line() -> None:
    lines = [{"a": 1}, {"b": ["ü", None, 1.5]}]
    assert list(unpack(pack(lines), "x")) == lines


@pytest.mark.parametrize("kept", [0, 1, 10, 30, -9, -8, -1])
def test_a_part_that_ends_in_the_middle_holds_nothing(kept: int) -> None:
    data = pack([{"a": "x" * 50}, {"b": 2}])
    assert list(unpack(data[:kept], "x")) == []


@pytest.mark.parametrize(
    "data",
    [b"plain text, no gzip at all", gzip.compress(b"{}\nnot json\n", mtime=0), pack([1])[:-6] + b"\0\0\0\0\0\0"],
    ids=["no gzip", "no JSON", "another checksum"],
)
def test_a_part_that_is_damaged_stops_everything(data: bytes) -> None:
    with pytest.raises(OmniStorageError, match="cannot be read"):
        list(unpack(data, "sent/x"))


def test_names_sort_by_try() -> None:
    first, second = TryId(1, "ff"), TryId(2, "00")
    assert first < second
    assert TryId(1, "aa") < first
    assert TryId.of(second.part("sent/", 7)) == second
    assert first.part("sent/", 999) < second.part("sent/", 1)
    assert TryId.of("sent/README.txt") is None


def test_a_local_part_is_whole_or_not_there(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path / "a" / "b")
    assert folder.list("sent/") == []
    folder.write("sent/1", b"one")
    folder.write("plan/x/2", b"two")
    assert folder.list("") == ["plan/x/2", "sent/1"]
    assert folder.list("sent/") == ["sent/1"]
    assert folder.read("sent/1") == b"one"
    folder.delete("sent/1")
    folder.delete("sent/1")
    assert folder.list("sent/") == []
    with pytest.raises(OmniStorageError):
        folder.read("sent/1")


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OmniStorageError, match="could not be written") as caught:
        LocalFolder(tmp_path / "file", "receipt").write("sent/1", b"")
    [problem] = caught.value.problems
    assert problem.startswith("receipt: got a path that could not be written (")
    assert not caught.value.retryable, "no retry makes a folder of a file"


def test_a_folder_whose_parents_cannot_be_made_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder as below /proc, where the system says that something is missing."""

    def missing(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "mkdir", missing)
    with pytest.raises(OmniStorageError, match="could not be written") as caught:
        LocalFolder(tmp_path / "ledger").write("sent/1", b"")
    assert not caught.value.retryable


class Refusing:
    """An object store that lets nobody write."""

    protocol = "s3"

    def pipe_file(self, path: str, data: bytes) -> None:
        raise PermissionError(path)


def test_a_store_that_refuses_is_tried_again_and_names_the_argument() -> None:
    with pytest.raises(OmniStorageError) as caught:
        RemoteFolder(Refusing(), "bucket/ledger").write("sent/1", b"")
    [problem] = caught.value.problems
    assert problem.startswith("ledger_path: got a URL that could not be written (PermissionError), expected one of a")
    assert caught.value.retryable


def test_any_fsspec_file_system_will_do() -> None:
    import fsspec

    folder = RemoteFolder(fsspec.filesystem("memory"), "/test-ledger/x/")
    assert folder.list("") == []
    folder.write("sent/1", b"one")
    folder.write("sent/2", b"two")
    assert folder.list("sent/") == ["sent/1", "sent/2"]
    assert SubFolder(folder, "sent").list("") == ["1", "2"]
    assert folder.read("sent/2") == b"two"
    folder.delete("sent/2")
    folder.delete("sent/2")
    assert folder.list("") == ["sent/1"]
    with pytest.raises(OmniStorageError):
        folder.read("sent/2")


def test_a_url_as_text_is_refused_since_nobody_knows_with_which_credentials() -> None:
    with pytest.raises(OmniInputError, match="ObjectStoragePath"):
        folder_of("s3://bucket/ledger")


class Overtaken(LocalFolder):
    """A folder on which another try begins while this one writes its n-th part of what is sent."""

    def __init__(self, path: Path, at: int, overtake: Any) -> None:
        super().__init__(path)
        self.at, self.overtake = at, overtake
        self.sent = 0

    def write(self, name: str, data: bytes) -> None:
        if name.startswith("sent/"):
            self.sent += 1
            if self.sent == self.at:
                self.overtake()
        super().write(name, data)


@pytest.mark.parametrize("at", [1, 2])
def test_a_try_that_was_overtaken_posts_nothing_more(tmp_path: Path, at: int) -> None:
    world = World(tmp_path)
    folder = Overtaken(
        world.folder.path, at, lambda: world.folder.write(TryId(2, "0b").part("tries/"), pack([{"v": 1}]))
    )
    end = world.send(numbers(200), folder=folder)
    assert isinstance(end.error, OmniStaleTryError)
    assert len(world.accepted()) <= 40 * (at - 1)


def test_a_newer_try_sees_what_the_overtaken_one_intended(tmp_path: Path) -> None:
    world = World(tmp_path)

    def overtake() -> None:
        folder.overtake = lambda: None
        assert world.send(numbers(200)).error is None

    folder = Overtaken(world.folder.path, 3, overtake)
    end = world.send(numbers(200), folder=folder)
    assert isinstance(end.error, OmniStaleTryError)
    assert world.accepted() == numbers(200)


class BegunTogether(LocalFolder):
    """A folder in which something else happens while a try writes its file: before that is there, or right after it."""

    def __init__(self, path: Path, meanwhile: Callable[[], Any], *, after: bool = False) -> None:
        super().__init__(path)
        self.meanwhile, self.after = meanwhile, after

    def write(self, name: str, data: bytes) -> None:
        begins = name.startswith("tries/")
        if begins and not self.after:
            self.meanwhile()
        super().write(name, data)
        if begins and self.after:
            self.meanwhile()


@pytest.mark.parametrize("token", ["00", "ff"])
def test_a_send_that_finds_the_ledger_empty_looks_again_whether_another_has_begun(tmp_path: Path, token: str) -> None:
    """Whichever of their files is the first by its name."""
    world = World(tmp_path)

    def other_send() -> None:
        world.tries = int(f"{token}000000", 16)
        assert world.send(numbers(20), identity=Identity("run-2")).error is None

    world.tries = 0x77000000
    end = world.send(numbers(20), folder=BegunTogether(world.folder.path, other_send))
    assert isinstance(end.error, OmniInputError)
    assert "the ledger belongs to another send" in str(end.error)
    assert not end.error.retryable
    assert world.accepted() == numbers(20)
    for run, refused in (("run-1", True), ("run-2", False)):
        world.memory = ProcessMemory()
        end = world.send(numbers(25), identity=Identity(run))
        assert isinstance(end.error, OmniInputError) is refused, run
    assert world.accepted() == numbers(25)
    assert {row.state for row in read_outcomes(str(world.folder.path))} == {"accepted"}


def test_of_two_sends_that_see_each_other_begin_in_one_ledger_neither_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    file_of_another = TryId(1, "0b").part("tries/"), pack([{"v": 1, "send": "another one"}])
    folder = BegunTogether(world.folder.path, lambda: world.folder.write(*file_of_another), after=True)
    for _ in range(2):
        end = world.send(numbers(20), folder=folder)
        assert isinstance(end.error, OmniInputError)
        assert "at the same moment" in str(end.error)
    assert not world.posts


def test_a_send_that_was_refused_a_ledger_does_not_say_where_its_numbers_stand(tmp_path: Path) -> None:
    """Else a second send would reach another number of the same people."""
    world = World(tmp_path)
    rows = [{"mobile": numbers(1)[0], "home": numbers(2)[1]}]
    world.poison = frozenset(numbers(1))
    world.send(rows, phone_field="mobile")
    world.folder.write(TryId(1, "00").part("tries/"), pack([{"v": 1, "send": "another one", "phone_field": "home"}]))
    assert [(row.number, row.fields) for row in unreached(str(world.folder.path)).rows()] == [
        (numbers(1)[0], {"home": numbers(2)[1], "phone": numbers(1)[0]})
    ]


def test_a_file_that_another_send_has_not_finished_stops_nobody(tmp_path: Path) -> None:
    """It looks, too, once it is there."""
    world = World(tmp_path)
    folder = BegunTogether(world.folder.path, lambda: world.folder.write("tries/00001-00.jsonl.gz", b""))
    assert world.send(numbers(20), folder=folder).error is None
    assert world.accepted() == numbers(20)


def test_a_write_that_fails_now_and_then_is_repeated(tmp_path: Path) -> None:
    world = World(tmp_path)
    folder = LocalFolder(world.folder.path)
    write, count = folder.write, 0

    def shaky(name: str, data: bytes) -> None:
        nonlocal count
        count += name.startswith("sent/")
        if name.startswith("sent/") and count in (1, 3):
            raise OmniStorageError("not now")
        write(name, data)

    folder.write = shaky  # type: ignore[method-assign]
    assert world.send(numbers(200), folder=folder).error is None
    assert world.accepted() == numbers(200)


def test_a_ledger_that_cannot_be_written_ends_the_batch_before_anything_is_posted(tmp_path: Path) -> None:
    world = World(tmp_path)
    folder = LocalFolder(world.folder.path)
    write = folder.write

    def broken(name: str, data: bytes) -> None:
        if name.startswith("sent/"):
            raise OmniStorageError("never")
        write(name, data)

    folder.write = broken  # type: ignore[method-assign]
    assert isinstance(world.send(numbers(200), folder=folder).error, OmniStorageError)
    assert not world.posts


def test_outcomes_are_rows_without_numbers(tmp_path: Path) -> None:
    world = World(tmp_path)
    bad = numbers(40)[3]
    world.poison = frozenset({bad})
    rows = [{"phone": number, "id": f"customer-{index}"} for index, number in enumerate(numbers(40))]
    world.send([*rows, {"phone": "nonsense", "id": "x"}], key_field="id")
    found = {row.recipient: row for row in read_outcomes(str(world.folder.path))}
    assert set(found) == {f"customer-{index}" for index in range(40)}
    assert (found["customer-3"].state, found["customer-3"].reason) == ("refused", "BAD_REQUEST")
    assert found["customer-4"].state == "accepted"
    assert not any(number in str(found) for number in numbers(40))
    left_out = list(read_quarantine(str(world.folder.path)))
    assert [(row.row, row.reason.split(":")[0], row.recipient) for row in left_out] == [(40, "phone number", "x")]


def test_a_recipient_who_was_tried_again_is_one_row(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.poison = frozenset({numbers(40)[3]})
    world.send(numbers(40))
    world.poison = frozenset()
    world.send(numbers(40))
    found = list(read_outcomes(str(world.folder.path)))
    assert len(found) == len({row.recipient for row in found}) == 40
    assert {row.state for row in found} == {"accepted"}


def test_only_the_private_half_holds_numbers_and_it_can_be_purged(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send([*numbers(40), "4179"])
    for name in world.folder.list(""):
        text = gzip.decompress(world.folder.read(name)).decode()
        assert any(number in text for number in numbers(40)) is name.startswith("plan/")
    assert purge_plan(str(world.folder.path)) == 1
    assert world.send(numbers(41)).error is None
    assert world.accepted() == numbers(41)


def test_the_unreached_keep_their_fields(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [{"mobile": number, "name": f"N{index}"} for index, number in enumerate(numbers(40))]
    world.poison = frozenset({numbers(40)[3]})
    world.fault = lambda post: "refuse-auth" if post == 9 else None
    end = world.send(rows, {"sms": {"text": "Dear {name}"}}, phone_field="mobile")
    assert end.error is not None
    again = list(unreached(str(world.folder.path)).rows(phone_field="phone"))
    accepted = set(world.accepted())
    assert {row.number for row in again} == set(numbers(40)) - accepted
    assert all(row.fields and row.fields["name"] == f"N{numbers(40).index(row.number)}" for row in again)
    assert all(row.fields and row.fields["phone"] == row.number for row in again)


def test_the_unreached_have_their_fields_in_the_case_that_the_second_send_asks_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "refuse-auth"
    world.send([{"phone": numbers(1)[0], "ORDER_ID": "7", "Name": "Ada", "NAME": "Eve"}])
    (row,) = unreached(str(world.folder.path)).rows(needed=("order_id", "name"))
    assert row.fields == {"phone": numbers(1)[0], "order_id": "7", "Name": "Ada", "NAME": "Eve"}


def test_the_unknown_are_resent_to_on_demand_only(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fault = lambda post: "kill" if post == 2 else None
    with pytest.raises(KilledError):
        world.send(numbers(20), policy={"connections": 1})
    told = str(world.folder.path)
    assert not list(unreached(told).rows())
    assert len(list(unreached(told, include_unknown=True).rows())) == 20


def test_without_the_private_half_nobody_can_be_resent_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(numbers(20))
    purge_plan(str(world.folder.path))
    with pytest.raises(OmniInputError, match="plan/"):
        list(unreached(str(world.folder.path)).rows())


def test_a_sharded_ledger_is_read_whole(tmp_path: Path) -> None:
    from airflow_provider_omni.delivery.ledger.shards import Shard

    world = World(tmp_path)
    for part in (1, 2, 3):
        shard = Shard(part, 3)
        assert world.send(numbers(60), shard=shard, folder=SubFolder(world.folder, shard.folder)).error is None
    assert world.accepted() == numbers(60)
    assert len(list(read_outcomes(str(world.folder.path)))) == 60


def test_rows_that_were_left_out_are_written_a_part_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    rows = [*numbers(2), *(f"1{index}" for index in range(7))]
    assert world.send(rows, policy={"limits": SendLimits(part_rows=3)}).error is None
    parts = [list(unpack(world.folder.read(name), name)) for name in world.folder.list("quarantine/")]
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [row.row for row in read_quarantine(str(world.folder.path))] == list(range(2, 9))


def test_a_second_send_before_the_wait_hears_how_many_are_left_out_since_nothing_is_known_of_them(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    assert world.send(numbers(4)).error is None
    told: list[str] = []
    assert list(unreached(str(world.folder.path)).rows(tell=told.append)) == []
    assert [line.partition(": 4. ")[0] for line in told] == [
        "Recipients of that ledger without an outcome yet, who are left out"
    ]
    told.clear()
    assert len(list(unreached(str(world.folder.path), include_unknown=True).rows(tell=told.append))) == 4
    assert told == []


def test_a_ledger_of_another_send_says_what_belongs_into_its_path(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.send(numbers(1)).error is None
    error = world.send(numbers(1), identity=Identity("another")).error
    assert isinstance(error, OmniInputError)
    assert "name run, task, where mapped {{ ti.map_index }} and in a loop {{ loop.index }} in the path" in str(error)
    [problem] = error.problems
    assert problem.startswith("ledger_path: got the ledger of another send: of another task, run or mapped copy, or ")


def test_a_ledger_of_another_send_is_not_said_to_be_an_unreadable_record_of_this_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.send(numbers(1)).error is None
    assert world.send(numbers(1), identity=Identity("another")).error is not None
    assert world.lines
    assert not any("could not be read" in line for line in world.lines)


@pytest.mark.parametrize("read", [read_outcomes, read_quarantine, purge_plan], ids=lambda each: each.__name__)
@pytest.mark.parametrize(
    ("ledger", "got"),
    [
        ("ledgers/a", "a relative path"),
        ("{tmp_path}/nowhere", "a place that no batch has used"),
        (None, "nothing"),
        ({"ledger_path": "/a", "message_ids": ["41793026727"]}, "an object"),
        (7, "a value of type int"),
    ],
    ids=["relative", "unused", "nothing", "receipt", "number"],
)
def test_what_is_no_ledger_is_one_clear_error_at_once(tmp_path: Path, read: Any, ledger: Any, got: str) -> None:
    place = ledger.format(tmp_path=tmp_path) if isinstance(ledger, str) else ledger
    with pytest.raises(OmniInputError) as caught:
        read(place)
    (problem,) = caught.value.problems
    assert problem.startswith(f"ledger: got {got}, expected the ledger_path of a batch that has run")
    assert "4179" not in str(caught.value)


@pytest.mark.parametrize("value", ["yes", "no", 1, None], ids=repr)
def test_include_unknown_is_true_or_false_and_nothing_else(value: Any) -> None:
    with pytest.raises(OmniInputError, match=r"include_unknown: got .*, expected True or False"):
        unreached("/a/ledger", include_unknown=value)
