"""Parts of a ledger: their names, and their form of gzipped JSON Lines. Knows no send and no folder.

A name begins with the generation of the try that wrote it and holds that try's token, as in
`sent/00002-3f9c0a1b-000017.jsonl.gz`. So names sort in the order of tries, and no two tries ever write the same name.
Anything else in the folders (`.DS_Store`, `.nfs…`, a copy that somebody made) is not ours and is passed over.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from airflow_provider_omni.omni.errors import OmniStorageError

VERSION = 1
ENDING = ".jsonl.gz"
TRIES, PLAN, SENT, OUTCOMES, QUARANTINE = "tries/", "plan/", "sent/", "outcomes/", "quarantine/"
ENDS = "ends/"
"""Folder in which a try that is over says which parts of `sent/` there are."""
UNCONFIRMED = "unconfirmed"
"""Member of a line in `outcomes/` whose message seems to have failed, while a report that nobody has read may say that
an earlier step has delivered. Another line that tells the failure without this member confirms it.
"""
PURGED = "purged/"
"""Folder whose parts say that `plan/` was removed and must stay so."""
_MAGIC = b"\x1f\x8b"
_NAME = re.compile(r"(?:tries|plan|sent|ends|outcomes|quarantine|purged)/(\d{5,})-([0-9a-z]+)(?:-(\d+))?\.jsonl\.gz")


@dataclass(frozen=True, order=True, slots=True)
class TryId:
    """One try: its generation, and the token that tells it from others of that generation."""

    generation: int
    token: str

    def __str__(self) -> str:
        """Return the text of the id. It sorts as the tries do."""
        return f"{self.generation:05d}-{self.token}"

    def part(self, kind: str, sequence: int | None = None) -> str:
        """Return the name of one of this try's parts.

        :param kind: the part's folder, such as `SENT`.
        :param sequence: the part's number; None for the only part of its kind.
        """
        tail = "" if sequence is None else f"-{sequence:06d}"
        return f"{kind}{self}{tail}{ENDING}"

    @classmethod
    def of(cls, name: str) -> TryId | None:
        """Return the try that wrote the part of this name; None for a file that is not ours."""
        match = _NAME.fullmatch(name)
        return cls(int(match[1]), match[2]) if match else None


def sequence_of(name: str) -> int | None:
    """Return a part's number among those of its try; None if its name has none."""
    match = _NAME.fullmatch(name)
    return int(match[3]) if match and match[3] else None


def own_parts(names: Iterable[str]) -> list[str]:
    """Return those of the names in a ledger's folder that are names of parts."""
    return [name for name in names if TryId.of(name) is not None]


def pack(lines: Iterable[Any]) -> bytes:
    """Return lines as gzipped JSON Lines. Equal lines give equal bytes."""
    return compress(b"".join([to_json(line) + b"\n" for line in lines]))


def compress(text: bytes) -> bytes:
    """Return JSON Lines that are text already, gzipped. Equal text gives equal bytes."""
    return gzip.compress(text, compresslevel=1, mtime=0)


def unpack(data: bytes, name: str) -> Iterator[Any]:
    """Yield the parsed lines of a part.

    Raises OmniStorageError for a part that is whole and yet not readable: going on without it could send twice.
    """
    for line in lines_of(data, name):
        try:
            yield from_json(line)
        except ValueError:
            raise damaged(name) from None


def lines_of(data: bytes, name: str) -> Iterator[bytes]:
    """Yield the lines of a part as they were written.

    A part that ends in the middle yields nothing: it was never finished, so nothing was done by it.

    Raises OmniStorageError for a part that is whole and yet not readable.
    """
    try:
        text = gzip.decompress(data)
    except EOFError:
        return
    except (OSError, zlib.error):
        if len(data) < len(_MAGIC) and _MAGIC.startswith(data):
            return
        raise damaged(name) from None
    for line in text.splitlines():
        if line:
            yield line


def damaged(name: str) -> OmniStorageError:
    """Return the error for a part that cannot be read."""
    return OmniStorageError(
        f"The ledger's part {name} cannot be read (damaged, or written by something else). Nothing was posted after "
        "that: without it a message could be sent twice.",
        retryable=False,
    )
