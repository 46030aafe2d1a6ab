"""A ledger's folder wherever fsspec reaches: S3, GCS, Azure, … The file system object is handed in.

Object stores put a part in place whole, when its one upload ends. Other file systems may leave a part that ends in the
middle. Its write did not succeed, so nothing was done by it, and readers leave it out.
"""

from __future__ import annotations

import posixpath
from typing import Any

from airflow_provider_omni.omni.errors import OmniStorageError
from airflow_provider_omni.omni.problems import unexpected

WITHOUT_FOLDERS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "oci", "ocilake", "oss"})
"""Protocols of object stores. A key there needs no folder, and making one may make a bucket out of a misspelt name."""


class RemoteFolder:
    """Parts as objects. Every method raises OmniStorageError if the store fails.

    :param fs: an fsspec file system, or an object with its methods.
    :param path: the folder's path in it, without the scheme.
    :param name: the argument that has brought the path, for errors.
    """

    def __init__(self, fs: Any, path: str, name: str = "ledger_path") -> None:
        self._fs = fs
        self.name = name
        self.path = path.rstrip("/")
        protocols = getattr(fs, "protocol", ())
        self._without_folders = not WITHOUT_FOLDERS.isdisjoint([protocols] if isinstance(protocols, str) else protocols)

    def list(self, prefix: str) -> list[str]:
        """Return the names of the parts below `prefix`, sorted. Never from fsspec's cache: a fence must not believe
        that.
        """
        top = posixpath.join(self.path, prefix).rstrip("/")
        try:
            self._fs.invalidate_cache()
            # Not `find`: it passes over what it cannot read, and a ledger that cannot be read must not look empty.
            found = [
                posixpath.join(folder, name)
                for folder, _, names in self._fs.walk(top, on_error="raise")
                for name in names
            ]
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._failed("listed", error) from error
        base = self._fs._strip_protocol(self.path) if hasattr(self._fs, "_strip_protocol") else self.path
        return sorted(str(name)[len(base) :].lstrip("/") for name in found)

    def read(self, name: str) -> bytes:
        """Return a part's bytes."""
        try:
            return bytes(self._fs.cat_file(posixpath.join(self.path, name)))
        except Exception as error:
            raise self._failed("read", error) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a part under a name that nobody else uses, in one upload."""
        target = posixpath.join(self.path, name)
        try:
            if not self._without_folders:
                self._fs.makedirs(posixpath.dirname(target), exist_ok=True)
            self._fs.pipe_file(target, data)
        except Exception as error:
            raise self._failed("written", error) from error

    def delete(self, name: str) -> None:
        """Remove a part, if it is there."""
        try:
            self._fs.rm_file(posixpath.join(self.path, name))
        except FileNotFoundError:
            return
        except Exception as error:
            raise self._failed("removed from", error) from error

    def _failed(self, what: str, error: Exception) -> OmniStorageError:
        found = f"a URL that could not be {what} ({type(error).__name__})"
        expected = "one of a bucket or folder that its connection may list, read and write"
        return OmniStorageError(
            f"The ledger could not be {what} ({type(error).__name__}).",
            problems=() if what == "read" else (unexpected(self.name, found, expected),),
            retryable=True,
        )
