"""The argument `recipients`: how it is kept out of sight, and how it becomes rows when the task runs."""

from __future__ import annotations

import ast
import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_omni.operators.private import Hidden, PrivateField, reveal

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_NOT_A_PATH = re.compile(r"\s*([\[({]|\+?[0-9][0-9 ().\-]*$)")
"""A text that is data: a list that a template has rendered to text, or a number."""


class HiddenRecipients(Hidden):
    """Recipients that are ready: a list, rows from XCom, any iterable. Shown as how many they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        value = self.reveal()
        if isinstance(value, str):
            return "…"
        # Not of anything that has a length: that of a mapped task's output costs a call.
        return f"{len(value):,} recipients" if isinstance(value, list | tuple | set | frozenset) else "recipients"


class RecipientsField(PrivateField):
    """The template field `recipients`. Renders as its path or as a count.

    A text is a template. What is in a list is data: it comes from elsewhere, so it is never rendered.
    """

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self._attribute] = hide_recipients(value)


def hide_recipients(value: Any) -> Any:
    """Hide what holds numbers; leave paths, and what Airflow still has to render or resolve."""
    if value is None or isinstance(value, Hidden) or _is_for_airflow(value):
        return value
    if isinstance(value, str):
        is_template = any(mark in value for mark in _TEMPLATE_MARKS)
        return HiddenRecipients(value) if _NOT_A_PATH.match(value) and not is_template else value
    if isinstance(value, os.PathLike) or hasattr(value, "rows"):
        return value
    if isinstance(value, list | tuple) and any(_is_for_airflow(item) for item in value):
        return [item if _is_for_airflow(item) else HiddenRecipients(item) for item in value]
    return HiddenRecipients(value)


def _is_for_airflow(value: Any) -> bool:
    """An XComArg, or a function that Airflow calls with the context."""
    return callable(value) or (not isinstance(value, os.PathLike) and callable(getattr(value, "resolve", None)))


@contextlib.contextmanager
def opened_rows(recipients: Any, phone_field: str) -> Iterator[Iterable[Any]]:
    """Rows from the rendered argument, read as they are asked for.

    :param recipients: numbers or dicts in any iterable, lists of such (a mapped task's output); the path of a CSV or
        JSON Lines file; or what ``unreached(…)`` made.

    Raises OmniInputError for what cannot be read, OmniStorageError for what cannot be reached.
    """
    from airflow_provider_omni.delivery.batch.rows import format_of, read_rows, rows_of_entries
    from airflow_provider_omni.delivery.ledger.unreached import Unreached
    from airflow_provider_omni.storage.object_storage import opened_text, storage_path

    recipients = _read_text(reveal(recipients))
    if isinstance(recipients, Unreached):
        yield recipients.rows(storage_path(recipients.ledger_path), phone_field)
    elif isinstance(recipients, str | os.PathLike) or hasattr(recipients, "fs"):
        kind = format_of(str(recipients))
        with opened_text(recipients) as lines:
            yield read_rows(lines, kind, phone_field)
    elif isinstance(recipients, Iterable) and not isinstance(recipients, Mapping | bytes | bytearray):
        yield rows_of_entries(_flat(recipients), phone_field)
    else:
        raise _unusable(recipients)


def _flat(entries: Iterable[Any]) -> Iterator[Any]:
    """Entries, and those of lists among them: a mapped task's output is a list for each of its copies."""
    for entry in entries:
        entry = entry.reveal() if isinstance(entry, Hidden) else entry
        if isinstance(entry, list | tuple):
            yield from _flat(entry)
        else:
            yield entry


def _read_text(recipients: Any) -> Any:
    """A list that a template has rendered to text, as Airflow does by default."""
    if not isinstance(recipients, str) or not _NOT_A_PATH.match(recipients):
        return recipients
    try:
        value = ast.literal_eval(recipients.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise _unusable(recipients) from None
    return value if isinstance(value, list | tuple | set) else [recipients]


def _unusable(recipients: Any) -> Exception:
    from airflow_provider_omni.omni.errors import OmniInputError

    return OmniInputError(
        "Nothing was sent: the recipients cannot be read.",
        problems=(
            f"recipients: found {type(recipients).__name__}, allowed are a list or another iterable of numbers or "
            "rows, XCom, the path of a .csv or .jsonl file, and unreached(…)",
        ),
    )
