"""The argument `recipients`: hiding it, and turning it into rows when the task runs."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_omni.delivery.recipients.formats import FileOptions, all_endings, format_of, is_path
from airflow_provider_omni.delivery.results.unreached import Unreached
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import is_template
from airflow_provider_omni.operators.masked_fields import Masked, MaskedField, unmask

_NUMBERS = re.compile(r"(?=.*\d)[^a-zA-Z/\\]+", re.DOTALL)
"""A text of numbers, with any marks around them: it has a digit, but no letter and no slash, as paths do."""


_READ_ONCE = ("fetchmany", "read_next_batch")
"""Methods of a query's result, or of a reader of batches, which can be read once."""


class MaskedRecipients(Masked):
    """Recipients that need no rendering: a list, rows from XCom, any iterable. Shown as a count."""

    __slots__ = ()

    def __repr__(self) -> str:
        value = self.unmask()
        if isinstance(value, str):
            return "…"
        # Only builtin containers have their length shown: the length of a mapped task's output costs a call.
        if not isinstance(value, list | tuple | set | frozenset):
            return "recipients"
        return f"{len(value):,} recipient{'' if len(value) == 1 else 's'}"


class _FromTask(MaskedRecipients):
    """Marks one task's return value inside a list of several. If it is a list, it is a list of recipients."""

    __slots__ = ()


class RecipientsField(MaskedField):
    """The template field `recipients`. Renders as its path or as a count.

    A text is a template. The entries of a list are data from elsewhere, so they are never rendered.
    """

    def __set__(self, instance: object, value: Any) -> None:
        before = instance.__dict__.get(self._attribute)
        if isinstance(before, list) and isinstance(value, list | tuple) and len(before) == len(value):
            # Airflow has rendered the list that stood there. From now on only this mark tells a task's return value
            # from a row.
            both = zip(before, value, strict=True)
            value = [_FromTask(now) if _is_for_airflow(then) else now for then, now in both]
        super().__set__(instance, value)

    def when_given(self, value: Any) -> Any:
        """Return the form in which a value is kept that Airflow may still have to render."""
        return mask_recipients(value)

    def when_rendered(self, value: Any) -> Any:
        """Return the form in which a value is kept when nothing in it is a template any more."""
        return mask_recipients(value, rendered=True)


def mask_recipients(value: Any, rendered: bool = False) -> Any:
    """Mask values that hold numbers; leave paths.

    :param value: the argument.
    :param rendered: True if Airflow has rendered the value. False: values that Airflow still has to render or resolve
        are left, too.
    """
    if value is None or isinstance(value, Masked) or (not rendered and _is_for_airflow(value)):
        return value
    if isinstance(value, str):
        may_be_shown = (not rendered and is_template(value)) or is_path(value)
        return value if may_be_shown else MaskedRecipients(value)
    if isinstance(value, Unreached):
        return value
    if isinstance(value, os.PathLike) or hasattr(value, "fs"):
        return value if is_path(str(value)) else MaskedRecipients(value)
    if not rendered and isinstance(value, list | tuple) and any(_is_for_airflow(item) for item in value):
        return [item if _is_for_airflow(item) else MaskedRecipients(item) for item in value]
    once = isinstance(value, Iterator) or any(hasattr(type(value), name) for name in _READ_ONCE)
    return MaskedRecipients(_Once(value) if once else value)


class _Once:
    """An iterator, or the result of a query, which can be read once. If tries share a process, as in `dag.test()`, a
    later try would find it used up: it would send to nobody, and succeed.
    """

    def __init__(self, rows: Any) -> None:
        self._rows: Any = rows

    def take(self) -> Any:
        """Return the rows. Raises OmniInputError if they were taken before."""
        rows, self._rows = self._rows, None
        if rows is None:
            from airflow_provider_omni.omni.errors import OmniInputError

            raise OmniInputError(
                "Nothing was sent: the recipients cannot be read.",
                problems=(
                    unexpected(
                        "recipients",
                        "an iterator that an earlier try has used up",
                        "what every try can read from its beginning: a list, or a file",
                    ),
                ),
            )
        return rows


def _is_for_airflow(value: Any) -> bool:
    """Return True for an XComArg, or a function that Airflow calls with the context."""
    return callable(value) or (not isinstance(value, os.PathLike) and callable(getattr(value, "resolve", None)))


@contextlib.contextmanager
def open_rows(
    recipients: Any,
    phone_field: str,
    needed: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
    encoding: Any = None,
) -> Iterator[Iterable[Any]]:
    """Open the rendered argument as rows, read as they are asked for.

    Raises OmniInputError if it cannot be read, OmniStorageError if it cannot be reached.

    :param recipients: numbers or dicts in any iterable; a table of pandas, polars, Arrow or DuckDB; the output of a
        mapped task or of several tasks, each in one of these forms; the path of a CSV or JSON Lines file; or the result
        of `unreached(…)`.
    :param phone_field: the field with the phone number.
    :param needed: fields that a header must have, and that are also found in another case.
    :param tell: is called with sentences about the source, for the task's log.
    :param encoding: encoding of a file; None: UTF-8.
    """
    from airflow_provider_omni.delivery.recipients.encodings import read_encoding
    from airflow_provider_omni.delivery.recipients.sources import rows_of_entries, rows_of_table
    from airflow_provider_omni.omni.tables import is_table, read_column, read_table
    from airflow_provider_omni.omni.written import is_of_mapped_task
    from airflow_provider_omni.storage.object_storage import ledger_folder, open_binary, open_text

    recipients = _read_text(unmask(recipients))
    if isinstance(recipients, _Once):
        recipients = recipients.take()
    recipients = recipients if (column := read_column(recipients)) is None else column
    if isinstance(recipients, Unreached):
        folder = ledger_folder(recipients.ledger_path, *_UNREACHED)
        yield recipients.rows(folder, phone_field, tell, needed)
    elif (table := read_table(recipients)) is not None:
        yield rows_of_table(*table, phone_field, needed, "the table's columns")
    elif is_table(recipients):
        raise _unusable(f"a table of type {type(recipients).__name__}, which gives no rows by itself")
    elif isinstance(recipients, str | os.PathLike) or hasattr(recipients, "fs"):
        kind = format_of(str(recipients))
        name = read_encoding(encoding)
        if kind.binary and encoding is not None:
            raise _no_encoding(kind.endings[0])
        with open_binary(recipients) if kind.binary else open_text(recipients, name) as file:
            yield kind.read(file, FileOptions(phone_field, needed, name))
    elif isinstance(recipients, Iterable) and not isinstance(recipients, Mapping | bytes | bytearray):
        yield rows_of_entries(_entries(recipients, is_of_mapped_task(recipients)), phone_field, needed)
    else:
        raise _unusable(f"a value of type {type(recipients).__name__}")


def recipients_slips(recipients: Any) -> list[str]:
    """Return the mistakes in recipients that show when a DAG is read: a value or a path that cannot be meant. What is
    rendered or read from elsewhere is not looked at.

    :param recipients: the argument, unmasked.
    """
    if isinstance(recipients, Unreached):
        path = recipients.ledger_path
        if _is_for_airflow(path) or (isinstance(path, str) and (is_template(path) or path.startswith("~"))):
            return []
    elif isinstance(recipients, str | os.PathLike):
        if hasattr(recipients, "fs") or is_template(text := str(recipients)):
            return []
        if is_path(text) and ("://" in text or text[:1] in "/~"):
            return []
    elif recipients is not None and not isinstance(recipients, int | float | Mapping | bytes | bytearray):
        return []
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.storage.places import file_place, ledger_place

    try:
        if isinstance(recipients, Unreached):
            ledger_place(recipients.ledger_path, *_UNREACHED)
            return []
        rows = _read_text(recipients)
        if isinstance(rows, str | os.PathLike):
            format_of(str(rows))
            if str(rows)[:1] != "~":  # whose home that is, the worker knows
                file_place(rows)
        elif rows is recipients:
            raise _unusable(f"a value of type {type(recipients).__name__}")
    except OmniInputError as error:
        return list(error.problems)
    return []


_UNREACHED = ("recipients", "unreached(…) of ")
"""The argument that brings the ledger of `unreached(…)`, and words for what stands there."""


def _entries(source: Iterable[Any], of_tasks: bool) -> Iterator[Any]:
    """Yield the recipients of a source. A list among them is a row (of a query, by XCom), in which an order's number
    may look like a phone number. Only a list that a task returned holds recipients.

    :param source: the entries.
    :param of_tasks: True if each entry is the return value of a copy of a mapped task.
    """
    from airflow_provider_omni.omni.tables import read_table
    from airflow_provider_omni.omni.written import is_of_mapped_task, looks_written

    for entry in source:
        returned = of_tasks or isinstance(entry, _FromTask)
        entry = entry.unmask() if isinstance(entry, Masked) else entry
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
    """Parse rows or numbers that came as text: JSON of an upstream task, a list that a template has rendered, numbers
    in lines or between commas. A path stays a text.
    """
    from airflow_provider_omni.omni.unfilled import empty_words, is_nothing
    from airflow_provider_omni.omni.written import looks_written, read_list

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


def _no_encoding(ending: str) -> Exception:
    from airflow_provider_omni.omni.errors import OmniInputError

    return OmniInputError(
        "Nothing was sent: the recipients cannot be read.",
        problems=(
            unexpected("encoding", f"one for a .{ending} file", "none: it says itself how its texts are written"),
        ),
    )


def _unusable(found: str) -> Exception:
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.omni.tables import HOW

    return OmniInputError(
        "Nothing was sent: the recipients cannot be read.",
        problems=(
            unexpected(
                "recipients",
                found,
                f"a list or another iterable of numbers or rows, XCom, JSON of such a list, a table ({HOW}), "
                f"the path of a file ({all_endings()}), or unreached(…)",
            ),
        ),
    )
