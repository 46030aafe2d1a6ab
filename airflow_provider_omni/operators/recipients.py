"""The argument `recipients`: how it is kept out of sight, and how it becomes rows when the task runs."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_omni.delivery.results.unreached import Unreached
from airflow_provider_omni.operators.private import Hidden, PrivateField, is_template, reveal

_NUMBERS = re.compile(r"(?=.*\d)[^a-zA-Z/\\]+", re.DOTALL)
"""A text that is numbers, whatever marks stand around them: it has a digit, and no letter and no slash, as paths do."""
_PATH = re.compile(r"\S(?:.*\S)?\.(?:csv|jsonl|ndjson|jsonlines)(?:\.(?:gz|bz2|xz|zst|zip))?", re.IGNORECASE)
"""The only texts that are shown. All others may be numbers, however they are written. `delivery/recipients/sources.py`
knows the formats; it is not imported here, since DAG files are read often.
"""


_READ_ONCE = ("fetchmany", "read_next_batch")
"""What a result of a query has, or a reader of batches."""


class HiddenRecipients(Hidden):
    """Recipients that are ready: a list, rows from XCom, any iterable. Shown as how many they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        value = self.reveal()
        if isinstance(value, str):
            return "…"
        # Not of anything that has a length: that of a mapped task's output costs a call.
        if not isinstance(value, list | tuple | set | frozenset):
            return "recipients"
        return f"{len(value):,} recipient{'' if len(value) == 1 else 's'}"


class _FromTask(HiddenRecipients):
    """What a task returned that stands in a list of several: if it is a list, one of recipients, not a row."""

    __slots__ = ()


class RecipientsField(PrivateField):
    """The template field `recipients`. Renders as its path or as a count.

    A text is a template. What is in a list is data: it comes from elsewhere, so it is never rendered.
    """

    def __set__(self, instance: object, value: Any) -> None:
        before = instance.__dict__.get(self._attribute)
        if isinstance(before, list) and isinstance(value, list | tuple) and len(before) == len(value):
            # The list that stood there, rendered by Airflow: now nothing else tells what tasks returned from rows.
            both = zip(before, value, strict=True)
            value = [_FromTask(now) if _is_for_airflow(then) else now for then, now in both]
        super().__set__(instance, value)

    def when_given(self, value: Any) -> Any:
        """What is kept of a value that Airflow may still have to render."""
        return hide_recipients(value)

    def when_rendered(self, value: Any) -> Any:
        """What is kept of a value in which nothing is a template any more."""
        return hide_recipients(value, rendered=True)


def hide_recipients(value: Any, rendered: bool = False) -> Any:
    """Hide what holds numbers; leave paths.

    :param rendered: Airflow has rendered it. Else what it still has to render or resolve is left, too.
    """
    if value is None or isinstance(value, Hidden) or (not rendered and _is_for_airflow(value)):
        return value
    if isinstance(value, str):
        may_be_shown = (not rendered and is_template(value)) or _is_path(value)
        return value if may_be_shown else HiddenRecipients(value)
    if isinstance(value, Unreached):
        return value
    if isinstance(value, os.PathLike) or hasattr(value, "fs"):
        return value if _is_path(str(value)) else HiddenRecipients(value)
    if not rendered and isinstance(value, list | tuple) and any(_is_for_airflow(item) for item in value):
        return [item if _is_for_airflow(item) else HiddenRecipients(item) for item in value]
    once = isinstance(value, Iterator) or any(hasattr(type(value), name) for name in _READ_ONCE)
    return HiddenRecipients(_Once(value) if once else value)


class _Once:
    """An iterator, or the result of a query, which can be read once. Where tries share a process, as in
    `dag.test()`, a later one would find it used up: it would send to nobody, and succeed.
    """

    def __init__(self, rows: Any) -> None:
        self._rows: Any = rows

    def take(self) -> Any:
        """What is read. Raises OmniInputError where it was."""
        rows, self._rows = self._rows, None
        if rows is None:
            from airflow_provider_omni.omni.errors import OmniInputError

            raise OmniInputError(
                "Nothing was sent: the recipients cannot be read.",
                problems=(
                    "recipients: found an iterator that an earlier try has used up, allowed is what every try can read "
                    "from its beginning: a list, or a file",
                ),
            )
        return rows


def _is_path(text: str) -> bool:
    """Whether a text is the path or URL of a file, and nothing else."""
    return text.isprintable() and _PATH.fullmatch(text) is not None


def _is_for_airflow(value: Any) -> bool:
    """An XComArg, or a function that Airflow calls with the context."""
    return callable(value) or (not isinstance(value, os.PathLike) and callable(getattr(value, "resolve", None)))


@contextlib.contextmanager
def opened_rows(
    recipients: Any,
    phone_field: str,
    needed: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
    encoding: Any = None,
) -> Iterator[Iterable[Any]]:
    """Rows from the rendered argument, read as they are asked for.

    :param recipients: numbers or dicts in any iterable; a table of pandas, polars, Arrow or DuckDB; what a mapped task
        or several tasks returned, each one of these; the path of a CSV or JSON Lines file; or what `unreached(…)`
        made.
    :param needed: fields that a header must have, and that are found in another case, too.
    :param tell: gets what a person should know of the source, for the task's log.
    :param encoding: of a file; None: UTF-8.

    Raises OmniInputError for what cannot be read, OmniStorageError for what cannot be reached.
    """
    from airflow_provider_omni.delivery.recipients.encodings import read_encoding
    from airflow_provider_omni.delivery.recipients.sources import format_of, read_rows, rows_of_entries, rows_of_table
    from airflow_provider_omni.omni.tables import is_table, read_column, read_table
    from airflow_provider_omni.omni.written import is_of_mapped_task
    from airflow_provider_omni.storage.object_storage import ledger_folder, opened_text

    recipients = _read_text(reveal(recipients))
    if isinstance(recipients, _Once):
        recipients = recipients.take()
    recipients = recipients if (column := read_column(recipients)) is None else column
    if isinstance(recipients, Unreached):
        yield recipients.rows(ledger_folder(recipients.ledger_path), phone_field, tell, needed)
    elif (table := read_table(recipients)) is not None:
        yield rows_of_table(*table, phone_field, needed, "the table's columns")
    elif is_table(recipients):
        raise _unusable(f"a table of type {type(recipients).__name__}, which gives no rows by itself")
    elif isinstance(recipients, str | os.PathLike) or hasattr(recipients, "fs"):
        kind = format_of(str(recipients))
        name = read_encoding(encoding)
        with opened_text(recipients, name) as lines:
            yield read_rows(lines, kind, phone_field, needed, name)
    elif isinstance(recipients, Iterable) and not isinstance(recipients, Mapping | bytes | bytearray):
        yield rows_of_entries(_entries(recipients, is_of_mapped_task(recipients)), phone_field, needed)
    else:
        raise _unusable(f"a value of type {type(recipients).__name__}")


def _entries(source: Iterable[Any], of_tasks: bool) -> Iterator[Any]:
    """The recipients of a source. A list among them is a row (of a query, by XCom), in which an order's number may look
    like a phone; only where it is what a task returned does it hold recipients.

    :param of_tasks: each entry is what a copy of a mapped task returned.
    """
    from airflow_provider_omni.omni.tables import read_table
    from airflow_provider_omni.omni.written import is_of_mapped_task, looks_written

    for entry in source:
        returned = of_tasks or isinstance(entry, _FromTask)
        entry = entry.reveal() if isinstance(entry, Hidden) else entry
        if returned and isinstance(entry, str) and looks_written(entry):
            entry = _written(entry)  # JSON, as tasks that call other systems return it
        if is_of_mapped_task(entry):
            yield from _entries(entry, True)
        elif returned and isinstance(entry, list | tuple):
            yield from _entries(entry, False)
        elif returned and (table := read_table(entry)) is not None:
            yield from (dict(zip(table.columns, cells, strict=True)) for cells in table.rows)
        else:
            yield entry


def _read_text(recipients: Any) -> Any:
    """Rows or numbers that came as text: JSON of an upstream task, a list that a template has rendered, numbers in
    lines or between commas. A path stays a text.
    """
    from airflow_provider_omni.omni.written import empty_words, is_nothing, looks_written, read_list

    if is_nothing(recipients):
        raise _unusable(empty_words(recipients))
    if not isinstance(recipients, str):
        return recipients
    if looks_written(recipients):
        value = _written(recipients)
        if isinstance(value, Mapping):
            raise _unusable("an object in a text, not a list of rows: hand over what is in it")
        return [value] if isinstance(value, str | int | float) else value
    if _NUMBERS.fullmatch(recipients):
        return read_list("recipients", recipients, "numbers")
    if len(lines := recipients.strip().splitlines()) > 1:
        raise _unusable(
            f"a text of {len(lines):,} lines; is it the content of a file? Write it to one, and give its path"
        )
    return recipients


def _written(text: str) -> Any:
    from airflow_provider_omni.omni.written import read_written

    try:
        return read_written(text)
    except ValueError as error:
        raise _unusable(f"{error}. Hand over what the task returned itself: recipients=task.output") from None


def _unusable(found: str) -> Exception:
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.omni.tables import HOW

    return OmniInputError(
        "Nothing was sent: the recipients cannot be read.",
        problems=(
            f"recipients: got {found}, expected a list or another iterable of numbers or rows, XCom, JSON of such a "
            f"list, a table ({HOW}), the path of a .csv or .jsonl file, or unreached(…)",
        ),
    )
