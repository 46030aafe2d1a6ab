"""Rows of recipients, one at a time, from what a caller has: numbers, dicts, CSV or JSON Lines. Never all in memory.

A row that cannot be read is a row with a problem, not an error: it is quarantined and the rest is sent. An error is
only a source that cannot be read, or of which it is not clear any more where its rows begin. What a row's number is
worth is judged in `people.py`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple
from unicodedata import category

from pydantic_core import from_json

from airflow_provider_omni.delivery.recipients.encodings import DEFAULT, Utf8InDisguise
from airflow_provider_omni.delivery.recipients.file_kinds import (
    AROUND_JSON,
    not_text,
    refuse_no_text,
    refuse_other_kinds,
    refuse_utf_8,
    unusable,
)
from airflow_provider_omni.delivery.recipients.numbers import InvalidNumberError, NumberRules, normalise
from airflow_provider_omni.delivery.recipients.typed_numbers import read_typed
from airflow_provider_omni.omni.masking import mask_numbers_in
from airflow_provider_omni.omni.nothing import trimmed
from airflow_provider_omni.omni.words import some

MOST_IN_A_LINE = 1024 * 1024
"""Characters. A few hundred KiB of gzip can hold a gigabyte without a line end, which would have to be in memory."""
LIST = "the row is a list, which does not say what is the number: give dicts, or numbers"
UNNAMED = "a cell stands in a column that has no name in the header"
SWALLOWED = "a cell over several lines has a phone number in a line or between commas: is a quote not closed?"

_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|[^\s"]|\t|\|)"?[\r\n]*', re.IGNORECASE)
"""Excel's own first line, by which it knows the delimiter of a CSV."""
_DECODER = json.JSONDecoder()

_ENDINGS = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "jsonlines": "jsonl"}
_COMPRESSED = ("gz", "bz2", "xz", "zst", "zip")


class Row(NamedTuple):
    """One row. Its repr would show a person: it is never logged.

    :param place: where it stands: the line of a file (from 1, the header counts), else the index of the entry (from 0).
    :param number: the phone number as given.
    :param fields: all fields of the row; None where the source has bare numbers.
    :param problem: why the row cannot be used, without its values.
    :param normalised: the number was read before and begins with its country code, without a plus. For a send with a
        `region` its digits alone would be a number of there.
    """

    place: int
    number: Any
    fields: Mapping[str, Any] | None = None
    problem: str | None = None
    normalised: bool = False


def format_of(path: str) -> str:
    """`csv` or `jsonl`, from the ending of a path (`people.csv`, `people.jsonl.gz`). Raises OmniInputError."""
    endings = path.lower().rsplit("/", 1)[-1].split(".")[1:]
    if endings and endings[-1] in _COMPRESSED:
        endings.pop()
    if endings and endings[-1] in _ENDINGS:
        return _ENDINGS[endings[-1]]
    # A text that is no path may be a number, or hold one.
    ending = endings[-1] if endings and endings[-1].isalpha() and len(endings[-1]) <= 10 else None
    without = "a path without an ending" if "/" in path and not endings else "a text"
    raise unusable(
        f"recipients: found {without if ending is None else f'a path that ends in {ending!r}'}, allowed are paths "
        "that end in .csv, .jsonl or .ndjson, also with .gz"
    )


def rows_of_entries(entries: Iterable[Any], phone_field: str, needed: Sequence[str] = ()) -> Iterator[Row]:
    """Numbers, or dicts with a number in `phone_field` (rows of a table), in any mixture. `needed`: further fields
    that are found in another case, too.
    """
    wanted = (phone_field, *needed)
    for place, entry in enumerate(entries):
        if isinstance(entry, Mapping):
            yield _row_of_object(place, entry, wanted)
        elif isinstance(entry, list | tuple):
            yield Row(place, None, None, LIST)
        else:
            yield Row(place, entry)


def rows_of_table(
    columns: Iterable[str],
    rows: Iterable[Iterable[Any]],
    phone_field: str,
    needed: Sequence[str] = (),
    what: str = "the query's columns",
) -> Iterator[Row]:
    """Tuples as a database cursor gives them, with the names of their columns. Raises OmniInputError without a phone
    column, or one of those that are needed besides.

    :param what: what the columns are called in it.
    """
    names = _header(list(columns), phone_field, what, needed)
    at = names.index(phone_field)
    empty = f"the field {phone_field} is empty"
    for place, values in enumerate(rows):
        cells = tuple(values)
        yield Row(place, cells[at], dict(zip(names, cells, strict=True)), empty if cells[at] is None else None)


def rows_of_csv(
    lines: Iterable[str],
    phone_field: str,
    delimiter: str = ",",
    needed: Sequence[str] = (),
    encoding: str = DEFAULT,
) -> Iterator[Row]:
    """CSV with a header. Rows without a value are skipped. Cells that are missing at the end of a row are empty ones,
    as spreadsheets leave them out; a row with more cells than the header, of which one is not blank, is a problem.
    Columns at the end that have neither a name nor values are passed over. A first line `sep=;`, as Excel writes it,
    names the delimiter.

    Raises OmniInputError for a header without `phone_field` or another name that is needed, for text in another
    encoding,
    for a line that is too long, and for a quote that is not closed: it makes one cell of the rows that follow, so
    nobody knows who would get what.
    """
    source = _bounded(lines, encoding)
    try:
        first = next(source, "")
    except UnicodeError as error:
        raise not_text(0, error, encoding) from None
    above = 0
    if told := _SEPARATOR_LINE.fullmatch(first):
        delimiter, above = told[1].replace("\\t", "\t"), 1
    else:
        refuse_other_kinds(first, "csv")
        source = chain((first,), source)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    names: list[str] | None = None
    at = before = width = named = 0
    while True:
        try:
            before = reader.line_num + above
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            line = reader.line_num + above
            if line > before + 1 or "unexpected end" in str(error):
                raise unusable(
                    f"recipients: the row that begins in line {before + 1} has a quote that is not closed, or that "
                    f"does not end its cell; read up to line {line}. Inside a cell write a quote twice"
                ) from None
            if names is None:
                raise unusable(f"recipients: line {before + 1} is not CSV, allowed is a header") from None
            yield Row(line, None, None, "the line is not CSV")
            continue
        except UnicodeError as error:
            raise not_text(reader.line_num + above, error, encoding) from None
        line = reader.line_num + above
        if names is None:
            if not cells:
                continue
            width, names = len(cells), list(map(trimmed, cells))
            while names and not names[-1]:
                names.pop()
            names = _header(names, phone_field, "the CSV header", needed, delimiter)
            at, named = names.index(phone_field), len(names)
        elif line > before + 1 and any(_has_swallowed(cell, delimiter) for cell in cells):
            yield Row(line, None, None, SWALLOWED)
        elif len(cells) == width == named:
            if cells[at].strip() or any(map(str.strip, cells)):
                yield Row(line, cells[at], dict(zip(names, cells, strict=True)))
        elif not any(map(str.strip, cells)):
            continue
        elif len(cells) <= width or not any(map(str.strip, cells[width:])):
            problem = UNNAMED if any(cell.strip() for cell in cells[named:]) else None
            cells += [""] * (named - len(cells))
            yield Row(line, cells[at], dict(zip(names, cells[:named], strict=True)), problem)
        else:
            yield Row(line, None, None, f"the row has {some(len(cells), 'cell')}, the header {width}")
    if names is None:
        raise unusable("recipients: found an empty file, allowed is CSV with a header")


def rows_of_json_lines(
    lines: Iterable[str], phone_field: str, needed: Sequence[str] = (), encoding: str = DEFAULT
) -> Iterator[Row]:
    """One JSON value a line: an object, or a bare number. Blank lines are skipped; objects that stand in one line, as
    files leave them that were joined without a line end between, are rows each.

    Raises OmniInputError for another kind of file (an array, JSON that goes over several lines, CSV), which its first
    line tells, for non-UTF-8 and for a line that is too long.
    """
    place, begun = 0, False
    wanted = (phone_field, *needed)
    source = _bounded(lines, encoding)
    while True:
        try:
            line = next(source)
        except StopIteration:
            return
        except UnicodeError as error:
            raise not_text(place, error, encoding) from None
        place += 1
        line = line.strip(AROUND_JSON)
        if not line:
            continue
        try:
            entries = [from_json(line)]
        except ValueError:
            entries = _objects_in(line)
        if not begun:
            begun = True
            if not entries or isinstance(entries[0], list):
                refuse_other_kinds(line, "jsonl")
        if not entries:
            yield Row(place, None, None, "the line is not JSON")
        for entry in entries:
            yield _row_of_value(place, entry, wanted)


def _row_of_value(place: int, entry: Any, wanted: Sequence[str]) -> Row:
    if isinstance(entry, dict):
        return _row_of_object(place, entry, wanted)
    if isinstance(entry, list):
        return Row(place, None, None, LIST)
    return Row(place, entry)


def _objects_in(line: str) -> list[Any]:
    """The objects of a line that holds several; nothing where it holds something else."""
    found: list[Any] = []
    at = 0
    while at < len(line):
        if line[at] != "{":
            return []
        try:
            entry, at = _DECODER.raw_decode(line, at)
        except (ValueError, RecursionError):
            return []
        found.append(entry)
        while at < len(line) and line[at] in AROUND_JSON:
            at += 1
    return found


def read_rows(
    lines: Iterable[str], kind: str, phone_field: str, needed: Sequence[str] = (), encoding: str = DEFAULT
) -> Iterator[Row]:
    """Read an open text stream of a kind that `format_of` gave.

    :param needed: further names that a header must have.
    :param encoding: in which it was opened, for errors.
    """
    if kind == "csv":
        return rows_of_csv(lines, phone_field, needed=needed, encoding=encoding)
    return rows_of_json_lines(lines, phone_field, needed, encoding)


def _row_of_object(place: int, entry: Mapping[str, Any], wanted: Sequence[str]) -> Row:
    phone_field = wanted[0]
    for name in wanted:
        if name not in entry:
            entry = dict(zip(as_wanted(entry, wanted), entry.values(), strict=True))
            break
    number = entry.get(phone_field)
    if number is None:
        return Row(place, None, entry, f"the field {phone_field} is {'empty' if phone_field in entry else 'missing'}")
    return Row(place, number, entry)


def _bounded(lines: Iterable[str], encoding: str) -> Iterator[str]:
    """The lines of a file without its byte order mark (which would hide the quote of a first cell), with an end to
    what one of them may take of memory. Raises OmniInputError, also for a file in another encoding.
    """
    readline = getattr(lines, "readline", None)
    if readline is None:
        rest = iter(lines)
        readline = lambda _: next(rest, "")  # noqa: E731  what a file has
    disguise = Utf8InDisguise(encoding)
    number = 0
    while line := readline(MOST_IN_A_LINE + 1):
        number += 1
        if number == 1:
            refuse_no_text(line, encoding)
            line = line.removeprefix("\ufeff")
        if len(line) > MOST_IN_A_LINE:
            raise unusable(
                f"recipients: line {number} has more than the {MOST_IN_A_LINE:,} characters that are allowed"
            )
        if disguise.sure(line):
            refuse_utf_8(encoding)
        yield line
    if disguise.sure(None):
        refuse_utf_8(encoding)


def _has_swallowed(cell: str, delimiter: str) -> bool:
    """Whether a cell over several lines looks like rows: a part of it that is nothing but a number could be somebody
    else's, and would stand in a text.
    """
    if "\n" not in cell.strip() and "\r" not in cell.strip():
        return False
    return any(_is_a_number(part.strip(' "')) for part in re.split(f"[\r\n{re.escape(delimiter)}]", cell))


def _is_a_number(part: str) -> bool:
    """Whether it can be somebody's, of whichever country. A postal code, a house or an order cannot."""
    try:
        digits = read_typed(part).digits
        if re.fullmatch(r"0[1-9][0-9]{7,9}", digits):
            return True
        normalise(part, NumberRules(check="possible"))
    except InvalidNumberError:
        return False
    return True


def _header(
    names: list[str], phone_field: str, what: str, needed: Sequence[str] = (), delimiter: str | None = None
) -> list[str]:
    """The names of columns, judged before any row is read. A column whose name differs in upper and lower case only
    (databases give `PHONE` for `phone`) gets the name that is wanted, unless two could be meant.
    """
    problems = []
    names = as_wanted(names, (phone_field, *needed))
    found = "what looks like a person's data; is the header missing?" if _is_data(names) else shown_names(names)
    if delimiter is not None and len(names) == 1 and re.search("[;\t|]", names[0]):
        found += (
            f". The comma is the only delimiter: write the file with {delimiter!r} between its cells, or name another "
            "in its first line, as Excel does (sep=;)"
        )
    if phone_field not in names:
        problems.append(f"phone_field: {phone_field!r} is not among {what}: {found}{other_case((phone_field,), names)}")
    missing = [name for name in needed if name not in names]
    if missing and phone_field in names:
        listed = ", ".join(map(repr, missing[:20]))
        problems.append(
            f"recipients: {listed}, which texts or the key_field need, {'is' if len(missing) == 1 else 'are'} not "
            f"among {what}: {found}{other_case(missing, names)}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(f"recipients: twice among {what}: {shown_names(twice)}")
    if problems:
        raise unusable(*problems)
    return names


def as_wanted(names: Iterable[Any], wanted: Iterable[str]) -> list[Any]:
    """The names with those in the spelling that is wanted which differ from it in upper and lower case only, where
    there is one such name only and the wanted one is not among them.
    """
    found = list(names)
    for name in wanted:
        if name not in found:
            near = [index for index, each in enumerate(found) if isinstance(each, str) and _same(each, name)]
            if len(near) == 1:
                found[near[0]] = name
    return found


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


_NAME = re.compile(r"[^\W\d](?!.*\d{5})[\w .\-]{0,39}")


def _is_a_name(name: str) -> bool:
    """Whether it looks like the name of a column, in any script: in Thai and others some of it are marks."""
    return _NAME.fullmatch("".join("_" if category(each) in ("Mn", "Mc") else each for each in name)) is not None


def shown_names(names: Iterable[object]) -> str:
    """Names of columns, twenty of them. What does not look like one may be a person's data, and is not shown."""
    listed = islice(map(str, names), 20)
    return mask_numbers_in(", ".join(name if _is_a_name(name) else "…" for name in listed))


def other_case(missing: Iterable[str], names: Iterable[object]) -> str:
    """A hint where several names differ in upper and lower case, or in spaces, only: none of them is meant for sure."""
    meant = {name.strip().casefold() for name in missing}
    near = [name for name in map(str, names) if name.strip().casefold() in meant]
    return f"; upper and lower case count: {shown_names(near)}" if len(near) > 1 else ""


def _is_data(names: Iterable[str]) -> bool:
    """Whether a line of names is somebody's row: then its words are a person's as well."""
    return any(sum(map(str.isdigit, name)) >= 5 or "@" in name for name in map(str, names))
