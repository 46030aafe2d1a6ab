"""The formats of files with recipients, told by a path's ending: one entry each.

A new format is an entry here and a reader. Light to import, since DAG files are read often: readers are imported when
they are called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_omni.omni.problems import unexpected

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.recipients.sources import Row


class FileOptions(NamedTuple):
    """The knowledge that a reader needs beside the open file.

    :param phone_field: the field with the phone number.
    :param needed: further names that a header must have.
    :param encoding: the encoding that the file was opened in, for errors; '' for a binary file.
    :param alone: True if an only column is the phone column, whatever its name.
    """

    phone_field: str
    needed: Sequence[str] = ()
    encoding: str = "utf-8"
    alone: bool = False


class Format(NamedTuple):
    """A format.

    :param name: its name in code; that in errors is the ending.
    :param endings: the endings of paths, the usual one first, without a dot.
    :param read: yields the rows of an open file.
    :param binary: True if the file is opened as bytes, and compressed inside if at all. False: as text, decompressed as
        a further ending says.
    """

    name: str
    endings: tuple[str, ...]
    read: Callable[[Any, FileOptions], Iterator[Row]]
    binary: bool = False


def _read_csv(file: Any, options: FileOptions) -> Iterator[Row]:
    from airflow_provider_omni.delivery.recipients.sources import rows_of_csv

    return rows_of_csv(file, options.phone_field, needed=options.needed, encoding=options.encoding, alone=options.alone)


def _read_json_lines(file: Any, options: FileOptions) -> Iterator[Row]:
    from airflow_provider_omni.delivery.recipients.sources import rows_of_json_lines

    return rows_of_json_lines(file, options.phone_field, options.needed, options.encoding)


def _read_parquet(file: Any, options: FileOptions) -> Iterator[Row]:
    from airflow_provider_omni.delivery.recipients.parquet import rows_of_parquet

    return rows_of_parquet(file, options.phone_field, options.needed, alone=options.alone)


def _read_lines(file: Any, options: FileOptions) -> Iterator[Row]:
    from airflow_provider_omni.delivery.recipients.sources import rows_of_lines

    return rows_of_lines(file, options.encoding)


FORMATS = (
    Format("csv", ("csv",), _read_csv),
    Format("jsonl", ("jsonl", "ndjson", "jsonlines"), _read_json_lines),
    Format("parquet", ("parquet",), _read_parquet, binary=True),
)
LINES = Format("txt", ("txt",), _read_lines)
"""A number in each line. Lists of numbers are kept so; recipients are not, since such a file says nothing of itself."""
COMPRESSED = ("gz", "bz2", "xz", "zst", "zip")
"""Endings behind that of a text format."""
_BY_ENDING = {ending: each for each in FORMATS for ending in each.endings}
_TEXTS = "|".join(ending for ending, each in _BY_ENDING.items() if not each.binary)
_BINARIES = "|".join(ending for ending, each in _BY_ENDING.items() if each.binary)
_PATH = re.compile(
    rf"\S(?:.*\S)?\.(?:(?:{_TEXTS})(?:\.(?:{'|'.join(COMPRESSED)}))?{f'|(?:{_BINARIES})' * bool(_BINARIES)})",
    re.IGNORECASE,
)


def is_path(text: str) -> bool:
    """Return True if a text is the path or URL of a file with recipients, and nothing else. Only such texts are shown:
    all others may be numbers, however they are written.
    """
    return text.isprintable() and _PATH.fullmatch(text) is not None


def format_of(path: str, *also: Format) -> Format:
    """Return the format that a path's ending names (`people.csv`, `people.jsonl.gz`). Raises OmniInputError.

    :param also: formats that may be named beside `FORMATS`.
    """
    from airflow_provider_omni.delivery.recipients.file_kinds import unusable

    endings = path.lower().rsplit("/", 1)[-1].split(".")[1:]
    ending = endings[-1] if endings else ""
    if ending in COMPRESSED and len(endings) > 1 and not _is_binary(endings[-2]):
        ending = endings[-2]
    by_ending = _BY_ENDING | {each_ending: each for each in also for each_ending in each.endings}
    if ending in by_ending:
        return by_ending[ending]
    # A text that is no path may be a number, or hold one, so it is not shown.
    said = "a path without an ending" if "/" in path and not endings else "a text"
    if ending.isalpha() and len(ending) <= 10:
        said = f"a path that ends in {ending!r}"
    raise unusable(unexpected("recipients", said, f"paths that end in {all_endings(*also)}"))


def _is_binary(ending: str) -> bool:
    return ending in _BY_ENDING and _BY_ENDING[ending].binary


def all_endings(*also: Format) -> str:
    """Return the endings of all formats, and of those besides, as words."""
    texts = [f".{ending}" for each in (*FORMATS, *also) if not each.binary for ending in each.endings]
    binaries = [f".{ending}" for each in FORMATS if each.binary for ending in each.endings]
    *first, last = texts
    return f"{', '.join(first)} or {last}, also with .gz" + "".join(f"; or in {each}" for each in binaries)
