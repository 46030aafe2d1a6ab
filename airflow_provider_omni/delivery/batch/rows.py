"""Rows of recipients, one at a time, from what a caller has: numbers, dicts, CSV or JSON Lines. Never all in memory.

A row that cannot be read is a row with a problem, not an error: it is quarantined and the rest is sent. Only a
source of
which nothing can be read is an error. What a row's number is worth is judged in `people.py`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import mask_numbers_in

FORMATS = ("csv", "jsonl")
_ENDINGS = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "jsonlines": "jsonl"}
_COMPRESSED = ("gz", "bz2", "xz", "zst", "zip")


class Row(NamedTuple):
    """One row. Its repr would show a person: it is never logged.

    :param place: where it stands: the line of a file (from 1, the header counts), else the index of the entry (from 0).
    :param number: the phone number as given.
    :param fields: all fields of the row; None where the source has bare numbers.
    :param problem: why the row cannot be used, without its values.
    """

    place: int
    number: Any
    fields: Mapping[str, Any] | None = None
    problem: str | None = None


def format_of(path: str) -> str:
    """`csv` or `jsonl`, from the ending of a path (`people.csv`, `people.jsonl.gz`). Raises OmniInputError."""
    endings = path.lower().rsplit("/", 1)[-1].split(".")[1:]
    if endings and endings[-1] in _COMPRESSED:
        endings.pop()
    if endings and endings[-1] in _ENDINGS:
        return _ENDINGS[endings[-1]]
    raise _unusable(
        f"recipients: found a path that ends in {'.'.join(endings[-1:]) or 'nothing'!r}, "
        "allowed are .csv, .jsonl and .ndjson, also with .gz"
    )


def rows_of_entries(entries: Iterable[Any], phone_field: str) -> Iterator[Row]:
    """Numbers, or dicts with a number in `phone_field` (rows of a table), in any mixture."""
    for place, entry in enumerate(entries):
        if isinstance(entry, Mapping):
            yield _row_of_object(place, entry, phone_field)
        else:
            yield Row(place, entry)


def rows_of_table(columns: Iterable[str], rows: Iterable[Iterable[Any]], phone_field: str) -> Iterator[Row]:
    """Tuples as a database cursor gives them, with the names of their columns. Raises OmniInputError without a phone
    column.
    """
    names = _header(list(columns), phone_field, "the query's columns")
    at = names.index(phone_field)
    for place, values in enumerate(rows):
        cells = tuple(values)
        yield Row(place, cells[at], dict(zip(names, cells, strict=True)))


def rows_of_csv(lines: Iterable[str], phone_field: str, delimiter: str = ",") -> Iterator[Row]:
    """CSV with a header. Blank lines are skipped; a row with more or fewer cells than the header is a problem.

    Raises OmniInputError for a header without `phone_field`, and for text that is not UTF-8.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    names: list[str] | None = None
    at = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            yield Row(reader.line_num, None, None, "the line is not CSV")
            continue
        except UnicodeError:
            raise _not_text(reader.line_num) from None
        if names is None:
            if not cells:
                continue
            cells[0] = cells[0].removeprefix("\ufeff")
            names = _header([cell.strip() for cell in cells], phone_field, "the CSV header")
            at, width = names.index(phone_field), len(names)
        elif len(cells) == width:
            yield Row(reader.line_num, cells[at], dict(zip(names, cells, strict=True)))
        elif cells:
            yield Row(reader.line_num, None, None, f"the row has {len(cells)} cells, the header {width}")
    if names is None:
        raise _unusable("recipients: found an empty file, allowed is CSV with a header")


def rows_of_json_lines(lines: Iterable[str], phone_field: str) -> Iterator[Row]:
    """One JSON value a line: an object, or a bare number. Blank lines are skipped. Raises OmniInputError for
    non-UTF-8.
    """
    place = 0
    source = iter(lines)
    while True:
        try:
            line = next(source)
        except StopIteration:
            return
        except UnicodeError:
            raise _not_text(place + 1) from None
        place += 1
        if not line.strip():
            continue
        try:
            entry = from_json(line.removeprefix("\ufeff") if place == 1 else line)
        except ValueError:
            yield Row(place, None, None, "the line is not JSON")
            continue
        if isinstance(entry, dict):
            yield _row_of_object(place, entry, phone_field)
        else:
            yield Row(place, entry)


def read_rows(lines: Iterable[str], kind: str, phone_field: str) -> Iterator[Row]:
    """Read an open text stream of a kind that `format_of` gave."""
    return rows_of_csv(lines, phone_field) if kind == "csv" else rows_of_json_lines(lines, phone_field)


def _row_of_object(place: int, entry: Mapping[str, Any], phone_field: str) -> Row:
    number = entry.get(phone_field)
    if number is None:
        return Row(place, None, entry, f"the field {phone_field} is {'empty' if phone_field in entry else 'missing'}")
    return Row(place, number, entry)


def _header(names: list[str], phone_field: str, what: str) -> list[str]:
    problems = []
    if phone_field not in names:
        problems.append(f"phone_field: {phone_field!r} is not among {what}: {_shown(names[:20])}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(f"recipients: {what} has twice: {_shown(twice[:10])}")
    if problems:
        raise _unusable(*problems)
    return names


def _shown(names: Iterable[str]) -> str:
    """Names of columns; where a file has no header these are a person's data, so that numbers are masked."""
    return mask_numbers_in(", ".join(str(name)[:40] for name in names))


def _not_text(line: int) -> OmniInputError:
    return _unusable(f"recipients: line {line} or one soon after it is not UTF-8; save the file as UTF-8")


def _unusable(*problems: str) -> OmniInputError:
    return OmniInputError("Nothing was sent: the recipients cannot be read.", problems=problems)
