"""Rows of recipients, one at a time, from numbers, dicts, CSV or JSON Lines. Never all in memory.

A row that cannot be read becomes a row with a problem: it is quarantined, and the rest is sent. An error is raised only
if the source cannot be read, or if the beginnings of its rows are not clear any more. `intake.py` judges the numbers.
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
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some

MOST_IN_A_LINE = 1024 * 1024
"""Characters in a line, at most. Some hundred KiB of gzip can hold a gigabyte without line end, too much for memory."""
LIST = "the row is a list, which does not say what is the number: give dicts, or numbers"
UNNAMED = "a cell stands in a column that has no name in the header"
SWALLOWED = "a cell over several lines has a phone number in a line or between commas: is a quote not closed?"

_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|[^\s"]|\t|\|)"?[\r\n]*', re.IGNORECASE)
"""Excel's own first line, which names the delimiter of a CSV."""
_DECODER = json.JSONDecoder()


class Row(NamedTuple):
    """One row. Its repr would show a person, so it is never logged.

    :param place: position of the row: the line of a file (from 1, the header counts), else the index of the entry (from
        0).
    :param number: the phone number as given.
    :param fields: all fields of the row; None if the source has bare numbers.
    :param problem: reason for which the row cannot be used, without its values; None if there is none.
    :param normalised: True if the number was read before: it begins with its country code, without a plus. In a send
        with a `region`, its digits alone would be read as a number of that country.
    """

    place: int
    number: Any
    fields: Mapping[str, Any] | None = None
    problem: str | None = None
    normalised: bool = False


def rows_of_entries(entries: Iterable[Any], phone_field: str, needed: Sequence[str] = ()) -> Iterator[Row]:
    """Yield rows from numbers, or dicts with a number in `phone_field` (rows of a table), in any mixture.

    :param entries: the numbers and dicts.
    :param phone_field: the field with the phone number.
    :param needed: further fields that are also found in another case.
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
    *,
    alone: bool = False,
) -> Iterator[Row]:
    """Yield rows from the tuples of a database cursor, with the names of their columns.

    Raises OmniInputError if the phone column, or a column in `needed`, is missing.

    :param what: name of the columns in errors.
    :param alone: True if an only column is the phone column, whatever its name.
    """
    names = _header(list(columns), phone_field, what, needed, alone=alone)
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
    *,
    alone: bool = False,
) -> Iterator[Row]:
    """Yield the rows of a CSV with a header.

    :param alone: True if an only column is the phone column, whatever its name.

    Rows without a value are skipped. Cells that are missing at the end of a row count as empty, because spreadsheets
    leave them out; a row with more cells than the header is a problem, unless the further cells are blank. Columns at
    the end without name and values are ignored. A first line `sep=;`, as Excel writes it, names the delimiter.

    Raises OmniInputError for a header without `phone_field` or a name in `needed`, for text in another encoding, for a
    line that is too long, and for a quote that is not closed: the rows after it would become one cell, so nobody knows
    who would get what.
    """
    source = _bounded(lines, encoding)
    try:
        first = next(source, "")
    except UnicodeError as error:
        raise not_text(0, error, encoding) from None
    above = 0
    if separator := _SEPARATOR_LINE.fullmatch(first):
        delimiter, above = separator[1].replace("\\t", "\t"), 1
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
                raise unusable(unexpected("recipients", f"line {before + 1} that is not CSV", "a header")) from None
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
            names = _header(names, phone_field, "the CSV header", needed, delimiter, alone=alone)
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
        raise unusable(unexpected("recipients", "an empty file", "CSV with a header"))


def rows_of_json_lines(
    lines: Iterable[str], phone_field: str, needed: Sequence[str] = (), encoding: str = DEFAULT
) -> Iterator[Row]:
    """Yield the rows of a file with one JSON value a line: an object, or a bare number.

    Blank lines are skipped. Several objects in one line are a row each: files that were joined without a line end
    between them have such lines.

    Raises OmniInputError for another kind of file (an array, JSON over several lines, CSV), which its first line shows,
    for text in another encoding, and for a line that is too long.
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


def rows_of_lines(lines: Iterable[str], encoding: str = DEFAULT) -> Iterator[Row]:
    """Yield the rows of a text with a number in each line. Blank lines are skipped.

    Raises OmniInputError for text in another encoding, for another kind of file, and for a line that is too long.
    """
    place = 0
    source = _bounded(lines, encoding)
    while True:
        try:
            line = next(source)
        except StopIteration:
            return
        except UnicodeError as error:
            raise not_text(place, error, encoding) from None
        place += 1
        if line := line.strip():
            yield Row(place, line)


def _row_of_value(place: int, entry: Any, wanted: Sequence[str]) -> Row:
    if isinstance(entry, dict):
        return _row_of_object(place, entry, wanted)
    if isinstance(entry, list):
        return Row(place, None, None, LIST)
    return Row(place, entry)


def _objects_in(line: str) -> list[Any]:
    """Return the objects of a line that holds several; an empty list if it holds anything else."""
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
    """Yield the lines of a file, each bounded in length, without the byte order mark, which would hide the quote of a
    first cell. Raises OmniInputError for a longer line, and for a file in another encoding.
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
    """Return True if a cell over several lines seems to hold further rows. A part of it that is a number and nothing
    else could be somebody else's, and would stand in a text.
    """
    if "\n" not in cell.strip() and "\r" not in cell.strip():
        return False
    return any(_is_a_number(part.strip(' "')) for part in re.split(f"[\r\n{re.escape(delimiter)}]", cell))


def _is_a_number(part: str) -> bool:
    """Return True if a text can be the phone number of a person in any country. A postal code, a house number or an
    order number cannot.
    """
    try:
        digits = read_typed(part).digits
        if re.fullmatch(r"0[1-9][0-9]{7,9}", digits):
            return True
        normalise(part, NumberRules(check="possible"))
    except InvalidNumberError:
        return False
    return True


def _header(
    names: list[str],
    phone_field: str,
    what: str,
    needed: Sequence[str] = (),
    delimiter: str | None = None,
    *,
    alone: bool = False,
) -> list[str]:
    """Check the names of columns before any row is read, and return them. A column whose name differs from a wanted
    name only in case (databases give `PHONE` for `phone`) gets the wanted name, unless two columns could be meant.
    """
    problems = []
    if alone and len(names) == 1 and _is_a_name(names[0]):
        return [phone_field]
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
    if missing and (phone_field in names or not _is_data(names)):
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
    """Return the names, with wanted names in the wanted spelling. A name that differs from a wanted one only in case is
    replaced, if it is the only such name and the wanted one is missing.
    """
    found, wanted = list(names), list(wanted)
    for name in wanted:
        if name not in found:
            near = [
                index
                for index, each in enumerate(found)
                if isinstance(each, str) and _same(each, name) and each not in wanted  # or one text takes another's
            ]
            if len(near) == 1:
                found[near[0]] = name
    return found


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


_NAME = re.compile(r"[^\W\d](?!.*\d{5})[\w .\-]{0,39}")


def _is_a_name(name: str) -> bool:
    """Return True if a text looks like the name of a column, in any script. Names in Thai have marks, for example."""
    return _NAME.fullmatch("".join("_" if category(each) in ("Mn", "Mc") else each for each in name)) is not None


def shown_names(names: Iterable[object]) -> str:
    """Return up to twenty names of columns as a text. A name that may be a person's data is shown as an ellipsis."""
    listed = islice(map(str, names), 20)
    return mask_numbers_in(", ".join(name if _is_a_name(name) else "…" for name in listed))


def other_case(missing: Iterable[str], names: Iterable[object]) -> str:
    """Return a hint if names differ from a missing one in case or spaces only, and none is taken for it; else ''."""
    meant = {name.strip().casefold() for name in missing}
    near = [name for name in map(str, names) if name.strip().casefold() in meant]
    return f"; upper and lower case count: {shown_names(near)}" if near else ""


def _is_data(names: Iterable[str]) -> bool:
    """Return True if a line of names is a row of data: then its words are a person's, too."""
    return any(sum(map(str.isdigit, name)) >= 5 or "@" in name for name in map(str, names))
