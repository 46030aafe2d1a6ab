"""Ledgers and files of recipients where Airflow reaches them: local paths, and URLs of object stores with the
credentials of Airflow's connections (`s3://my_conn@bucket/key`).

What is in them is `delivery/`'s business.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, TextIO, cast

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.opening import SubFolder, folder_of
from airflow_provider_omni.omni.errors import OmniStorageError

READ_AHEAD = 4 * 1024 * 1024
"""Bytes of a remote file that are fetched at once. The file systems' own 50 MiB would be most of a task's memory."""


def storage_path(path: Any) -> Any:
    """What `delivery/` opens: local paths as text, URLs as ``ObjectStoragePath``. Reaches nothing yet.

    :param path: a text, a path, or an ``ObjectStoragePath``.
    """
    text = path if isinstance(path, str) else None
    if isinstance(path, os.PathLike) and not hasattr(path, "fs"):
        text = os.fspath(path)
    if text is None:
        return path
    if "://" not in text:
        return text
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return ObjectStoragePath(text)


def ledger_folder(path: Any, part: str | None = None) -> Folder:
    """The folder of a ledger.

    :param part: the folder of a shard inside it.
    """
    folder = folder_of(storage_path(path))
    return folder if part is None else SubFolder(folder, part)


def text_of(path: Any) -> str:
    """A path as text that opens the same place again, with the connection that an ``ObjectStoragePath`` has."""
    text = os.fspath(path) if isinstance(path, os.PathLike) and not hasattr(path, "fs") else str(path)
    scheme, separator, rest = text.partition("://")
    conn_id = getattr(path, "conn_id", None)
    if conn_id and separator and not rest.startswith(f"{conn_id}@"):
        return f"{scheme}://{conn_id}@{rest}"
    return text


@contextlib.contextmanager
def opened_text(path: Any) -> Iterator[TextIO]:
    """Open a file as UTF-8 text, decompressed as its ending says (``.gz`` and what else fsspec knows).

    Line ends are left as they are, since CSV may hold some inside a cell. Raises OmniStorageError where it cannot be
    opened or read: it may be there when the task is tried again.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    place = storage_path(path)
    if isinstance(place, str):
        place = ObjectStoragePath(place)
    try:
        file = place.fs.open(place.path, "rt", block_size=READ_AHEAD, compression="infer", encoding="utf-8", newline="")
    except (OSError, EOFError) as error:
        raise _failed(error) from error
    try:
        with file:
            yield cast("TextIO", file)
    except (OSError, EOFError) as error:
        raise _failed(error) from error


def _failed(error: Exception) -> OmniStorageError:
    what = "is not there" if isinstance(error, FileNotFoundError) else f"could not be read ({type(error).__name__})"
    return OmniStorageError(f"The file of recipients {what}. Nothing was sent.", retryable=True)
