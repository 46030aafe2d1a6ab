"""The argument `suppress`: a file of those who must not be sent to, or a query for them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_omni.delivery.recipients.formats import LINES, FileOptions, all_endings, format_of
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import empty_words, is_nothing
from airflow_provider_omni.operators.masked_fields import MaskedField, MaskedSql, mask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_omni.delivery.recipients.sources import Row

_PLACE = re.compile(r"\s*(?:~|/(?!\*)|[A-Za-z][A-Za-z0-9+.\-]*://)")
"""The beginning of an absolute path or a URL. No query begins so."""


def is_query(text: Any) -> bool:
    """Return True if a value is a query and no path. A text of one word is a path, since no query is one."""
    return isinstance(text, str) and len(text.split()) > 1 and _PLACE.match(text) is None


class SuppressField(MaskedField):
    """The template field `suppress`. Renders as a path, or as a query without its literals."""

    def when_given(self, value: Any) -> Any:
        """Return the value. Until it is rendered, it is the DAG author's own, unless it is a list of numbers."""
        return value if isinstance(value, str | os.PathLike) or hasattr(value, "fs") else mask(value)

    def when_rendered(self, value: Any) -> Any:
        """Return the form in which a value is kept when nothing in it is a template any more."""
        if isinstance(value, str):
            return MaskedSql(value) if is_query(value) or not _is_shown(value) else value
        return value if isinstance(value, os.PathLike) or hasattr(value, "fs") else mask(value, rendered=True)


def _is_shown(path: str) -> bool:
    return path.isprintable() and _PLACE.match(path) is not None


def suppress_problems(value: Any, *, queries: bool) -> list[str]:
    """Return the problems with a list that is ready; none for None.

    :param queries: True if it may be a query.
    """
    if value is None:
        return []
    expected = f"the absolute path or URL of a file that ends in {all_endings(LINES)}" + (", or a query" * queries)
    if is_nothing(value):
        return [unexpected("suppress", empty_words(value), expected)]
    if not isinstance(value, str | os.PathLike) and not hasattr(value, "fs"):
        return [unexpected("suppress", f"a value of type {type(value).__name__}", expected)]
    if is_query(value):
        return [] if queries else [unexpected("suppress", "a query", f"{expected}; SqlToOmniOperator takes queries")]
    from airflow_provider_omni.delivery.recipients.suppression import reading_the_list
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.storage.places import file_place

    try:
        with reading_the_list():
            format_of(str(value), LINES)
            if str(value)[:1] != "~":  # whose home that is, the worker knows
                file_place(value)
    except OmniInputError as error:
        return list(error.problems)
    return []


@contextlib.contextmanager
def open_list(path: Any, phone_field: str) -> Iterator[Iterable[Row]]:
    """Open a file of those who must not be sent to. Its entries are read as they are asked for."""
    from airflow_provider_omni.storage.object_storage import open_binary, open_text

    kind = format_of(str(path), LINES)
    with open_binary(path) if kind.binary else open_text(path) as file:
        yield _with_an_entry(kind.read(file, FileOptions(phone_field, alone=True)), kind.endings)


def _with_an_entry(rows: Iterator[Row], endings: Sequence[str]) -> Iterator[Row]:
    """Yield the entries. A file without a header that has none may have been cut short, or never written: it refuses
    the send.
    """
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty and not {"csv", "parquet"}.intersection(endings):
        from airflow_provider_omni.delivery.recipients.suppression import ENTRY, UNUSABLE
        from airflow_provider_omni.omni.errors import OmniInputError

        raise OmniInputError(
            UNUSABLE,
            problems=(unexpected("suppress", "a file without an entry", f"{ENTRY} in each line"),),
        )
