"""A ledger's folder on a local or mounted file system. `storage/object_storage.py` reaches other places."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from pathlib import Path

from airflow_provider_omni.delivery.ledger.parts import PLAN
from airflow_provider_omni.omni.errors import OmniStorageError
from airflow_provider_omni.omni.problems import unexpected

_UNFINISHED = ".unfinished-"
A_FOLDER = "a folder, or a path at which the worker can make one and write into it"
"""Words for what a ledger's path should be."""
_NO_PATH = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""Errors of a path that can be no folder, which no retry mends."""


class LocalFolder:
    """Parts as files. A part appears whole, by a rename, after its bytes have reached the disk.

    Only the user who runs the task may read the private parts (`plan/`). The mode of the rest is left to the umask: the
    triggerer, which waits for the batch, may run as another user.

    :param path: the folder. It is made with the first part.
    :param name: the argument that has brought the path, for errors.
    """

    def __init__(self, path: str | os.PathLike[str], name: str = "ledger_path") -> None:
        self.path = Path(path)
        self.name = name
        self._made: set[Path] = set()

    def __str__(self) -> str:
        return str(self.path)

    def unusable(self) -> str | None:
        """Return words for a path that can be no folder, because a file is in the way; None if nothing is known."""
        for each in (self.path, *self.path.parents):
            try:
                mode = each.stat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                return "a path that is no path here" if error.errno in _NO_PATH else None
            if stat.S_ISDIR(mode):
                return None
            return "the path of a file" if each == self.path else "a path below a file"
        return None

    def list(self, prefix: str) -> list[str]:
        """Return the names of the files below `prefix`, sorted.

        Unfinished and foreign files are among them: readers pass over these, a purge does not.

        :param prefix: a folder's name with a slash; empty for all.
        """
        top = self.path / prefix
        try:
            found = [
                (Path(folder) / name).relative_to(self.path).as_posix()
                for folder, _, names in os.walk(top, onerror=_raise_unless_missing)
                for name in names
            ]
        except OSError as error:
            raise self._failed("listed", error) from error
        return sorted(found)

    def read(self, name: str) -> bytes:
        """Return a part's bytes. Raises OmniStorageError."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise self._failed("read", error) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a part under a name that nobody else uses. Raises OmniStorageError."""
        target, folder_made = self.path / name, False
        unfinished = target.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
        private = f"{target.parent.name}/" == PLAN
        try:
            if target.parent not in self._made:
                target.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
                self._made.add(target.parent)
            folder_made = True
            opener = _open_private if private else None
            with open(unfinished, "xb", opener=opener) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            # Where the folder's parents cannot be made, as below /proc, the system says that something is missing.
            for_good = not folder_made and isinstance(error, FileNotFoundError)
            raise self._failed("written", error, for_good=for_good) from error

    def delete(self, name: str) -> None:
        """Remove a part, if it is there. Raises OmniStorageError."""
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._failed("removed from", error) from error

    def _failed(self, what: str, error: OSError, *, for_good: bool = False) -> OmniStorageError:
        """Return the error for a folder that fails. A path that can be none is not tried again."""
        found = f"a path that could not be {what} ({type(error).__name__}, errno {error.errno})"
        return OmniStorageError(
            f"The ledger could not be {what} ({type(error).__name__}, errno {error.errno}).",
            # A part that is gone is nothing that another path would mend.
            problems=() if what == "read" else (unexpected(self.name, found, A_FOLDER),),
            retryable=not for_good and error.errno not in _NO_PATH,
        )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _raise_unless_missing(error: OSError) -> None:
    """Raise the errors that `os.walk` passes over. A ledger that cannot be read must not look like an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync_folder(path: Path) -> None:
    """Make the rename itself durable. If the file system does not offer that, a crash of the machine may undo it."""
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(folder)
    except OSError:
        pass
    finally:
        os.close(folder)
