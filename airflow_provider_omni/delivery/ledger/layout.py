"""The way from a user's name for a ledger to its folder, and from a sharded ledger to the folders of its shards."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.folders import LocalFolder
from airflow_provider_omni.delivery.ledger.parts import TRIES, TryId
from airflow_provider_omni.delivery.ledger.remote_folders import RemoteFolder
from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.omni.errors import OmniError, OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected

_SHARD = re.compile(r"(shard-\d+-of-\d+)/(.+)")


class SubFolder:
    """A folder inside another one."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._prefix = f"{name.strip('/')}/"

    @property
    def place(self) -> str:
        """Its name inside the other one."""
        return self._prefix.rstrip("/")

    def list(self, prefix: str) -> list[str]:
        """Return the names below `prefix`, as this folder sees them."""
        return [name.removeprefix(self._prefix) for name in self._folder.list(self._prefix + prefix)]

    def read(self, name: str) -> bytes:
        """Return a part's bytes."""
        return self._folder.read(self._prefix + name)

    def write(self, name: str, data: bytes) -> None:
        """Write a part."""
        self._folder.write(self._prefix + name, data)

    def delete(self, name: str) -> None:
        """Remove a part."""
        self._folder.delete(self._prefix + name)


class DividedFolder(SubFolder):
    """The folder of a batch, divided or not, inside the one that its `ledger_path` names. All tries must divide it
    alike.

    That is checked twice: here, and once more as soon as a try has written its file in `tries/`. Otherwise two tries
    that begin at one moment would both find nothing.

    :param ledger: the folder that `ledger_path` names.
    :param shard: None for a batch that is not divided.

    Raises OmniInputError if the ledger is divided in another way. If the second check fails, the try's file is removed.
    """

    def __init__(self, ledger: Folder, shard: Shard | None) -> None:
        super().__init__(ledger, "")
        self._prefix = "" if shard is None else f"{shard.folder}/"
        self._shard = shard
        check_shards(ledger, shard)

    def write(self, name: str, data: bytes) -> None:
        """Write a part. If it is the file of a try, check the division again."""
        super().write(name, data)
        if not name.startswith(TRIES):
            return
        try:
            check_shards(self._folder, self._shard)
        except OmniInputError:
            with contextlib.suppress(OmniError):
                self.delete(name)  # else nobody could go on with the other division
            raise


class Folders:
    """The ledgers of the parts of a wait, each in a folder that is named by its number."""

    def __init__(self, folders: Mapping[int, Folder]) -> None:
        self._folders = dict(folders)

    def list(self, prefix: str) -> list[str]:
        """Return the names below `prefix`, which begins with a number."""
        folder, number, rest = self._of(prefix)
        return [f"{number}/{name}" for name in folder.list(rest)]

    def read(self, name: str) -> bytes:
        """Return a part's bytes."""
        folder, _, rest = self._of(name)
        return folder.read(rest)

    def write(self, name: str, data: bytes) -> None:
        """Write a part."""
        folder, _, rest = self._of(name)
        folder.write(rest, data)

    def delete(self, name: str) -> None:
        """Remove a part."""
        folder, _, rest = self._of(name)
        folder.delete(rest)

    def _of(self, name: str) -> tuple[Folder, str, str]:
        number, _, rest = name.partition("/")
        return self._folders[int(number)], number, rest


def folder_of(ledger: Any, name: str = "ledger_path") -> Folder:
    """Return the folder of a ledger.

    :param ledger: a local path, an `ObjectStoragePath` (or another path of universal_pathlib), or a folder.
    :param name: the argument that has brought it, for errors.

    Raises OmniInputError for a URL given as text: only the caller can say which credentials reach it.
    """
    if isinstance(ledger, str):
        if ledger.startswith("file://"):
            return LocalFolder(ledger.removeprefix("file://"), name)
        if "://" in ledger:
            raise OmniInputError(
                "The ledger cannot be opened",
                problems=(unexpected("path", "the URL of an object store as text", "ObjectStoragePath(url)"),),
            )
        return LocalFolder(ledger, name)
    if isinstance(ledger, Path):
        return LocalFolder(ledger, name)
    if hasattr(ledger, "fs") and hasattr(ledger, "path"):
        protocol = getattr(ledger, "protocol", "")
        return (
            LocalFolder(ledger.path, name)
            if protocol in ("", "file", "local")
            else RemoteFolder(ledger.fs, str(ledger.path), name)
        )
    folder: Folder = ledger
    return folder


def used_ledgers(ledger: Any) -> list[Folder]:
    """Return the folders of a ledger that is to be read: itself, or those of its shards, or both.

    Raises OmniInputError for what is no place of a ledger, and for a place that no batch has used: "nothing" would else
    be the answer to a slip in a path.
    """
    expected = "the ledger_path of a batch that has run: an absolute path, or an ObjectStoragePath"
    if (isinstance(ledger, str) and "://" not in ledger) or isinstance(ledger, Path):
        local = Path(ledger).expanduser()
        if not local.is_absolute():
            raise _not_read("a relative path", expected)
        found = list(ledgers_in(local))
    elif isinstance(ledger, str) or hasattr(ledger, "fs") or callable(getattr(ledger, "list", None)):
        found = list(ledgers_in(ledger))
    else:
        receipt = "; a receipt names it as ['ledger_path']" if isinstance(ledger, Mapping) else ""
        raise _not_read(describe(ledger), expected + receipt)
    if not found:
        raise _not_read("a place that no batch has used", expected)
    return found


def _not_read(got: str, expected: str) -> OmniInputError:
    return OmniInputError("The ledger cannot be read.", problems=(unexpected("ledger", got, expected),))


def ledgers_in(ledger: Any) -> Iterator[Folder]:
    """Yield the ledger itself, or those of its shards, or both: whatever has been used."""
    folder = folder_of(ledger)
    whole, shards = _divisions(folder)
    if whole:
        yield folder
    for shard in shards:
        yield SubFolder(folder, shard)


def missing_shards(ledger: Any) -> list[str]:
    """Return the folders of shards that have never begun.

    A shard's folder tells in its name how many shards there are. It exists as soon as the shard begins, even if the
    shard is sent to nobody.
    """
    _, there = _divisions(folder_of(ledger))
    counts = {int(name.rpartition("-")[2]) for name in there}
    return [
        shard.folder
        for count in sorted(counts)
        for shard in (Shard(number, count) for number in range(1, count + 1))
        if shard.folder not in there
    ]


def check_shards(ledger: Folder, shard: Shard | None) -> None:
    """Refuse a batch that is divided in another way than the ledger's: people would get the message from both.

    That holds for any key, since a try in one division does not see what was sent in another.

    :param ledger: the folder that `ledger_path` names.
    :param shard: None for a batch that is not divided.

    Raises OmniInputError.
    """
    whole, shards = _divisions(ledger)
    found = "no shard" if shard is None else f"a division into {shard.count}"
    others = shards if shard is None else [name for name in shards if not name.endswith(f"-of-{shard.count}")]
    if shard is not None and whole:
        there = "a send without shards"
    elif others:
        there = others[0]
    else:
        return
    raise OmniInputError(
        "Nothing was sent: the ledger belongs to a batch that was divided in another way",
        problems=(
            unexpected(
                "shard",
                found,
                f"the division of the ledger, which has {there}; keep the number of shards for a run, or name another "
                "ledger_path and idempotency_key",
            ),
        ),
    )


def _divisions(folder: Folder) -> tuple[bool, list[str]]:
    """Return True if a batch without shards has used the folder itself; and the names of the used folders of shards."""
    names = folder.list("")
    shards = {match[1] for name in names if (match := _SHARD.fullmatch(name)) and TryId.of(match[2])}
    return any(TryId.of(name) for name in names), sorted(shards)
