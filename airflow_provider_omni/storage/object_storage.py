"""Ledgers and files of recipients where Airflow reaches them: local paths, and URLs of object stores with the
credentials of Airflow's connections (`s3://my_conn@bucket/key`).

What is in them is `delivery/`'s business.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, TextIO, cast

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.opening import SubFolder, folder_of
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError

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
    opened or read: it may be there when the task is tried again. Raises OmniInputError where it cannot be decompressed;
    where it only ends too early it may still be on its way, so that a later try may read it.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    place = storage_path(path)
    if isinstance(place, str):
        place = ObjectStoragePath(place)
    try:
        with _opened(place) as file:
            yield file
    except Exception as error:
        if _is_damage(error):
            raise _damaged(path, ends_early=isinstance(error, EOFError)) from None
        if isinstance(error, OSError):
            raise _failed(error) from error
        raise


def _opened(place: Any) -> TextIO:
    file = place.fs.open(place.path, "rt", block_size=READ_AHEAD, compression="infer", encoding="utf-8", newline="")
    return cast("TextIO", file)


def _is_damage(error: Exception) -> bool:
    """Whether a decompressor says that this is not, or not wholly, what it reads. Not all have errors of their own."""
    own = isinstance(error, EOFError | gzip.BadGzipFile | zlib.error | lzma.LZMAError | zipfile.BadZipFile)
    of_bz2 = type(error) is OSError and error.errno is None and str(error) == "Invalid data stream"
    return own or of_bz2 or type(error).__name__ == "ZstdError"


def _damaged(path: Any, *, ends_early: bool) -> OmniInputError:
    what = "ends too early; is it still being written?" if ends_early else "is damaged, or not what its ending says"
    return OmniInputError(
        "Nothing was sent: the recipients cannot be read.",
        problems=(f"recipients: {text_of(path)} {what}",),
        retryable=ends_early,
    )


def _failed(error: Exception) -> OmniStorageError:
    what = "is not there" if isinstance(error, FileNotFoundError) else f"could not be read ({type(error).__name__})"
    return OmniStorageError(f"The file of recipients {what}. Nothing was sent.", retryable=True)
