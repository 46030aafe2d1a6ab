"""From what a user calls a ledger to its folder, and from a sharded ledger to those of its shards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_omni.delivery.batch.sharding import Shard
from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.folder import LocalFolder
from airflow_provider_omni.delivery.ledger.remote import RemoteFolder
from airflow_provider_omni.omni.errors import OmniInputError

_SHARD = re.compile(r"^(shard-\d+-of-\d+)/")


class SubFolder:
    """A folder inside another one."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._prefix = f"{name.strip('/')}/"

    def list(self, prefix: str) -> list[str]:
        """Names below `prefix`, as this folder sees them."""
        return [name.removeprefix(self._prefix) for name in self._folder.list(self._prefix + prefix)]

    def read(self, name: str) -> bytes:
        """A part's bytes."""
        return self._folder.read(self._prefix + name)

    def write(self, name: str, data: bytes) -> None:
        """Write a part."""
        self._folder.write(self._prefix + name, data)

    def delete(self, name: str) -> None:
        """Remove a part."""
        self._folder.delete(self._prefix + name)


def folder_of(ledger: Any) -> Folder:
    """The folder of a ledger.

    :param ledger: a local path, an `ObjectStoragePath` (or another path of universal_pathlib), or a folder.

    Raises OmniInputError for a URL given as text: which credentials reach it is for the caller to say.
    """
    if isinstance(ledger, str):
        if ledger.startswith("file://"):
            return LocalFolder(ledger.removeprefix("file://"))
        if "://" in ledger:
            raise OmniInputError(
                "The ledger cannot be opened",
                problems=("path: found the URL of an object store as text, allowed is ObjectStoragePath(url)",),
            )
        return LocalFolder(ledger)
    if isinstance(ledger, Path):
        return LocalFolder(ledger)
    if hasattr(ledger, "fs") and hasattr(ledger, "path"):
        protocol = getattr(ledger, "protocol", "")
        return (
            LocalFolder(ledger.path) if protocol in ("", "file", "local") else RemoteFolder(ledger.fs, str(ledger.path))
        )
    folder: Folder = ledger
    return folder


def ledgers_in(ledger: Any) -> Iterator[Folder]:
    """The ledger itself, or those of its shards, or both."""
    folder = folder_of(ledger)
    names = folder.list("")
    if any(not _SHARD.match(name) for name in names):
        yield folder
    for shard in sorted({match[1] for name in names if (match := _SHARD.match(name))}):
        yield SubFolder(folder, shard)


def check_shards(ledger: Folder, shard: Shard) -> None:
    """Refuse a shard of another division than what the ledger has: people would land in two of them.

    Raises OmniInputError.
    """
    there = {match[1] for name in ledger.list("") if (match := _SHARD.match(name))}
    others = sorted(name for name in there if not name.endswith(f"-of-{shard.count}"))
    if others:
        raise OmniInputError(
            "Nothing was sent: the ledger belongs to a batch that was divided in another way",
            problems=(
                f"shard: found a division into {shard.count}, the ledger has {others[0]}; keep the number of shards "
                "for a run, or name another ledger_path and idempotency_key",
            ),
        )
