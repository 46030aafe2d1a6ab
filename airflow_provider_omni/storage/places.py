"""Paths of ledgers and files as users type them, which must mean one place for all workers and tries.

Light, since DAG files are read often: nothing is opened here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected

_EXPECTED = "an absolute path or a URL"


def file_place(path: Any) -> Any:
    """Return the place of a file of recipients. `~` is expanded, as for a ledger.

    Raises OmniInputError for a relative path, which is another file for each worker.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) and not hasattr(path, "fs") else path
    if not isinstance(text, str) or "://" in text:
        return path
    local = _absolute(text)
    if local is None:
        problem = unexpected("recipients", "a relative path", f"{_EXPECTED}: workers have folders of their own")
        raise OmniInputError("Nothing was sent: the recipients cannot be read.", problems=(problem,))
    return local


def ledger_place(path: Any, name: str = "ledger_path", of: str = "") -> Any:
    """Return the place of a ledger, in a form that means one place for all workers and tries. `~` is expanded.

    :param path: a text, a path, or an `ObjectStoragePath`.
    :param name: the argument that has brought the path, for errors.
    :param of: words for what stands in that argument, if it is not the path itself.

    Raises OmniInputError unless the path is absolute or a URL: a relative path is another folder for each process, and
    `None` is the text to which a template renders that found nothing.
    """
    if hasattr(path, "fs"):
        return path
    if not isinstance(path, str | os.PathLike):
        raise _no_ledger(name, of + describe(path), _EXPECTED)
    text = os.fspath(path)
    if not isinstance(text, str) or not text.strip() or text.strip() == "None":
        found = "'None'" if isinstance(text, str) and text.strip() else "a blank text"
        raise _no_ledger(name, f"{of}{found} (a template that found nothing?)", _EXPECTED)
    if "://" in text:
        return text
    local = _absolute(text)
    if local is None:
        raise _no_ledger(name, f"{of}a relative path", f"{_EXPECTED}: workers have folders of their own")
    return local


def _no_ledger(name: str, got: str, expected: str) -> OmniInputError:
    problem = unexpected(name, got, expected)
    return OmniInputError("Nothing was sent: the ledger cannot be used.", problems=(problem,))


def _absolute(path: str) -> str | None:
    """Return a local path with its `~` expanded; None if it is relative, or in the home of somebody unknown here."""
    try:
        local = Path(path).expanduser()
    except RuntimeError:
        return None
    return str(local) if local.is_absolute() else None
