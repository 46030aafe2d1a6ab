"""Ledgers and files of recipients on local paths, and at URLs of object stores with the credentials of Airflow's
connections (`s3://my_conn@bucket/key`).

`delivery/` knows their content.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO, TypeVar, cast

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.folders import A_FOLDER, LocalFolder
from airflow_provider_omni.delivery.ledger.layout import Folders, folder_of
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.storage.places import file_place, ledger_place

T = TypeVar("T")

READ_AHEAD = 4 * 1024 * 1024
"""Bytes of a remote file that are fetched at once. The file systems' own 50 MiB would be most of a task's memory."""
_OF_A_RECEIPT = ("receipt", "one with a ledger_path that is ")
"""The argument that brings a wait its ledger, and words for what stands there."""


def storage_path(path: Any) -> Any:
    """Return a path that `delivery/` can open: local paths as text, URLs as `ObjectStoragePath`. Nothing is read yet.

    :param path: a text, a path, or an `ObjectStoragePath`.
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


def ledger_folder(path: Any, name: str = "ledger_path", of: str = "") -> Folder:
    """Return the folder of a ledger. The arguments are those of `ledger_place`.

    Raises OmniInputError for a path that cannot be meant, or is that of a file.
    """
    folder = folder_of(_reachable(ledger_place(path, name, of), name, of), name)
    if isinstance(folder, LocalFolder) and (found := folder.unusable()):
        problem = unexpected(name, of + found, A_FOLDER)
        raise OmniInputError("Nothing was sent: the ledger cannot be used.", problems=(problem,))
    return folder


def watched_folder(watch: Watch) -> Folder | None:
    """Return the folder of a wait: its ledger, or the ledgers of its parts; None if it has none."""
    if watch.ledger_path is not None:
        return ledger_folder(watch.ledger_path, *_OF_A_RECEIPT)
    paths = {number: part.ledger_path for number, part in enumerate(watch.parts) if part.ledger_path is not None}
    return Folders({number: ledger_folder(path, *_OF_A_RECEIPT) for number, path in paths.items()}) if paths else None


def text_of(path: Any) -> str:
    """Return a path as text that opens this place again, with the connection that an `ObjectStoragePath` has."""
    text = os.fspath(path) if isinstance(path, os.PathLike) and not hasattr(path, "fs") else str(path)
    scheme, separator, rest = text.partition("://")
    conn_id = getattr(path, "conn_id", None)
    if conn_id and separator and not rest.startswith(f"{conn_id}@"):
        return f"{scheme}://{conn_id}@{rest}"
    return text


def open_text(path: Any, encoding: str = "utf-8") -> contextlib.AbstractContextManager[TextIO]:
    """Open a file as text, decompressed as its ending says (`.gz` and the other endings that fsspec knows).

    Line ends are left unchanged, since CSV may hold some inside a cell. Raises OmniStorageError if the file cannot be
    opened or read, because it may be there when the task is tried again. Raises OmniInputError if it cannot be
    decompressed; if it only ends too early, it may still be growing, and the error is retryable.
    """
    return _opened(path, lambda place: _text_of(place, encoding))


def open_binary(path: Any) -> contextlib.AbstractContextManager[BinaryIO]:
    """Open a file as bytes that can be read in any order. Raises as `open_text` does."""
    return _opened(path, lambda place: place.fs.open(place.path, "rb", block_size=READ_AHEAD))


@contextlib.contextmanager
def _opened(path: Any, opened: Callable[[Any], contextlib.AbstractContextManager[T]]) -> Iterator[T]:
    """Open a file of recipients, and translate what goes wrong while it is read."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    place = _reachable(file_place(path), "recipients")
    if isinstance(place, str):
        place = ObjectStoragePath(place)
    try:
        with opened(place) as file:
            yield file
    except Exception as error:
        if _is_damage(error):
            raise _damaged(path, ends_early=isinstance(error, EOFError)) from None
        if isinstance(error, OSError):
            raise _failed(path, error) from error
        raise


def _reachable(path: Any, name: str, of: str = "") -> Any:
    """Return the path if Airflow has a file system for its scheme. Otherwise Airflow would say so later, in words of
    its own.

    Raises OmniInputError.
    """
    try:
        place = storage_path(path)
        if not isinstance(place, str):
            _ = place.fs
    except ValueError as error:
        if "filesystem" not in str(error).lower():
            raise
    else:
        return place
    scheme = text_of(path).partition("://")[0]
    raise OmniInputError(
        f"Nothing was sent: the {name} cannot be reached.",
        problems=(
            unexpected(
                name,
                f"{of}a URL of {scheme}, for which Airflow has no object storage here",
                "local paths and the stores of installed providers, such as s3:// with "
                "apache-airflow-providers-amazon[s3fs]",
            ),
        ),
    )


@contextlib.contextmanager
def _text_of(place: Any, encoding: str) -> Iterator[TextIO]:
    if place.path.lower().endswith(".zip"):
        # fsspec would read the first file of an archive and pass over all others.
        with place.fs.open(place.path, "rb", block_size=READ_AHEAD) as data, zipfile.ZipFile(data) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
            names = [name for name in names if not name.startswith("__MACOSX/")]
            if len(names) != 1:
                raise OmniInputError(
                    "Nothing was sent: the recipients cannot be read.",
                    problems=(unexpected("recipients", f"an archive of {some(len(names), 'file')}", "one in a .zip"),),
                )
            with archive.open(names[0]) as member:
                yield io.TextIOWrapper(member, encoding=encoding, newline="")
        return
    file = place.fs.open(place.path, "rt", block_size=READ_AHEAD, compression="infer", encoding=encoding, newline="")
    with file:
        yield cast("TextIO", file)


def _is_damage(error: Exception) -> bool:
    """Return True if a decompressor says that the file is not, or not wholly, of its kind. Not all decompressors have
    errors of their own.
    """
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


def _failed(path: Any, error: Exception) -> OmniStorageError:
    what = "is not there" if isinstance(error, FileNotFoundError) else f"could not be read ({type(error).__name__})"
    return OmniStorageError(f"The file of recipients {what}: {text_of(path)}. Nothing was sent.", retryable=True)
