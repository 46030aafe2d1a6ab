"""Detects files that are not what their name says, by their beginning, and refuses them with a helpful error."""

from __future__ import annotations

import re

from airflow_provider_omni.delivery.recipients.encodings import DEFAULT, in_question, is_utf_8, wide
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.problems import unexpected

AROUND_JSON = " \t\r\n\ufeff"
"""White space of JSON, and the byte order mark, which stands inside files that were joined."""
_EXPECTED = {"csv": "CSV with a header", "jsonl": "one JSON object a line"}

_JSON_BEGINS = re.compile(r"\{|\[\s*(?:[\[{\"\d]|$)")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]")
_MARKUP = re.compile(r"<(?:[!?]|(?:html|head|body|table|div|meta|script)\b)", re.IGNORECASE)
_BEGINS = (
    (b"PK\x03\x04", "a spreadsheet (.xlsx) or another zip archive; save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls) or another Office file; save it as CSV UTF-8"),
    (b"\x1f\x8b", "a file that is gzipped; the name of such a file ends in .gz"),
    (b"BZh", "a file that is compressed by bzip2; the name of such a file ends in .bz2"),
    (b"\xfd7zXZ", "a file that is compressed by xz; the name of such a file ends in .xz"),
    (b"(\xb5/\xfd", "a file that is compressed by zstd; the name of such a file ends in .zst"),
    (b"PAR1", "a Parquet file; the name of such a file ends in .parquet"),
    (b"Obj\x01", "an Avro file; read it in a task, and hand over its rows"),
    (b"ORC", "an ORC file; read it in a task, and hand over its rows"),
    (b"ARROW1", "an Arrow file; read it in a task, and hand over its rows"),
    (b"SQLite format 3", "a SQLite database; SqlToOmniOperator reads those"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
)
"""Beginnings of files that are no text, each with a name for errors. A beginning that is a word (`ORC`) may also be the
name of a column.
"""
_LONGEST_BEGIN = max(len(begins) for begins, _ in _BEGINS)
_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def refuse_other_kinds(first: str, kind: str) -> None:
    """Raise OmniInputError if the first line shows that the file is not what its name says."""
    begin = first.strip(AROUND_JSON)
    if _MARKUP.match(begin):
        got, hint = "a web page or XML", "; was it downloaded without a login?"
    elif kind == "csv" and _JSON_BEGINS.match(begin):
        got, hint = "JSON", "; a file with one JSON object a line is called .jsonl"
    elif kind == "jsonl" and begin.startswith("["):
        got, hint = "a JSON array", ", without brackets around them and commas between"
    elif kind == "jsonl" and begin.startswith("{"):
        got, hint = "a first line that begins an object and is none", ": each whole in its line, and no comma behind it"
    elif kind == "jsonl":
        got, hint = "a first line that is not JSON", "; a file with commas and a header is called .csv"
    else:
        return
    raise unusable(unexpected("recipients", got, _EXPECTED[kind] + hint))


def refuse_no_text(first: str, encoding: str) -> None:
    """Raise OmniInputError if the first line is no text: a known binary file, or UTF-16 that was read in another
    encoding or byte order. Such a line may have no end.
    """
    begin = first[:_LONGEST_BEGIN]
    for codec in (encoding, "latin-1"):  # the file's own bytes; and those of a line whose encoding adds a mark
        if what := _binary(begin.encode(codec, "replace"), _NO_TEXT.search(first) is not None):
            raise _other_kind(what)
    name = wide(first.count("\0"), first[::2].count("\0"), first[1::2].count("\0"))
    turned = sum(ord(each) > 0xFF and not ord(each) & 0xFF for each in first[:200])
    if name is None and turned * 2 > len(first[:200]):
        name = "utf-16-be" if encoding in ("utf-16-le", "utf-16") else "utf-16-le"
    if name is not None:
        raise unusable(
            unexpected(
                "recipients",
                "a file that looks like UTF-16 without a mark at its beginning",
                f'{_shown(encoding)}; give encoding="{name}", or save the file as UTF-8',
            )
        )


def refuse_no_parquet(begin: bytes) -> None:
    """Raise OmniInputError if a file does not begin as Parquet does.

    :param begin: the first bytes of the file.
    """
    if not begin.startswith(b"PAR1"):
        what = _binary(begin, sure=True) or ("an empty file" if not begin else "something else, such as text")
        got, semicolon, hint = what.partition("; ")
        raise unusable(
            unexpected("recipients", f"{got} in a file that is called .parquet", f"Parquet{semicolon}{hint}")
        )


def not_text(read: int, error: UnicodeError, encoding: str = DEFAULT) -> OmniInputError:
    """Return the error for bytes that are no text in the file's encoding.

    :param read: number of lines that were read before.
    :param error: the error of the codec.
    :param encoding: encoding that the file was opened in.
    """
    if encoding in ("utf-16", "utf-32") and not isinstance(error, UnicodeDecodeError):
        return unusable(
            unexpected(
                "recipients",
                "a file without a mark at its beginning",
                f'one, which {encoding} needs; give encoding="{encoding}-le" or encoding="{encoding}-be", or leave '
                "encoding out for UTF-8",
            )
        )
    data = bytes(getattr(error, "object", b""))
    if not read:
        if what := _binary(data, sure=True):
            return _other_kind(what)
        for mark, name in _MARKS:
            if data.startswith(mark) and not encoding.startswith(name):
                return unusable(
                    unexpected(
                        "recipients",
                        f"a file in {name.upper()}",
                        f'{_shown(encoding)}; give encoding="{name}", or save the file as UTF-8',
                    )
                )
    if is_utf_8(data, getattr(error, "start", 0)):
        return _utf_8(encoding)
    candidates = in_question(data, getattr(error, "start", 0))
    said = "; if it is not damaged, give the encoding that it is in"
    if candidates:
        said = f"; going by its letters, give {candidates}"
    elif encoding != DEFAULT:
        said = "; leave out encoding for UTF-8, give the one that it is in"
    return unusable(
        f"recipients: line {read + 1} or one soon after it is not {_shown(encoding)}{said}, or save the file as UTF-8"
    )


def refuse_utf_8(encoding: str) -> None:
    """Raise OmniInputError for a file that is UTF-8, although another encoding was given."""
    raise _utf_8(encoding)


def _utf_8(encoding: str) -> OmniInputError:
    return unusable(
        unexpected(
            "recipients", "a file in UTF-8", f"{encoding}, in which its letters would be other ones; leave out encoding"
        )
    )


def _other_kind(what: str) -> OmniInputError:
    """Return the error for a file of another kind.

    :param what: the kind, and after a semicolon what helps.
    """
    got, semicolon, hint = what.partition("; ")
    return unusable(unexpected("recipients", got, f"CSV or JSON Lines{semicolon}{hint}"))


def unusable(*problems: str) -> OmniInputError:
    """Return the error for a source of recipients that cannot be read."""
    return OmniInputError("Nothing was sent: the recipients cannot be read.", problems=problems)


def _binary(begin: bytes, sure: bool) -> str | None:
    """Return the kind of a file that begins with these bytes; None for an unknown one.

    :param begin: first bytes of the file.
    :param sure: True if something in the file is no text, so that a word at its beginning is no column name.
    """
    for begins, what in _BEGINS:
        if begin.startswith(begins) and (sure or not begins.isalnum()):
            return what
    return None


def _shown(encoding: str) -> str:
    return "UTF-8" if encoding == DEFAULT else encoding
