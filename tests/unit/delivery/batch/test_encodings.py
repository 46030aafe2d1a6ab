"""Files as spreadsheets and systems of other countries write them: read in the encoding that is given, else refused as
a whole with the ones that come into question.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from airflow_provider_omni.delivery.recipients.encodings import read_encoding
from airflow_provider_omni.delivery.recipients.formats import FileOptions, format_of
from airflow_provider_omni.omni.errors import OmniInputError

CSV = "phone,name\r\n41793026727,{}\r\n41793026731,Bo\r\n"
JSONL = '{{"phone": "41793026727", "name": "{}"}}\n{{"phone": "41793026731", "name": "Bo"}}\n'


def rows(data: bytes, kind: str = "csv", encoding: str | None = None) -> list[tuple[Any, Any]]:
    name = read_encoding(encoding)
    lines = io.TextIOWrapper(io.BytesIO(data), encoding=name, newline="")
    found = format_of(f"people.{kind}").read(lines, FileOptions("phone", ("name",), name))
    return [(row.number, row.fields and row.fields["name"]) for row in found]


def refused(data: bytes, kind: str = "csv", encoding: str | None = None) -> str:
    with pytest.raises(OmniInputError) as caught:
        rows(data, kind, encoding)
    (problem,) = caught.value.problems
    assert "302" not in problem
    assert problem.isprintable()
    return problem


PEOPLE = [
    ("cp874", "สมชาย ใจดี"),
    ("tis-620", "พรทิพย์"),
    ("cp932", "髙橋 一郎"),
    ("shift_jis", "ヤマダ"),
    ("euc-jp", "さくら"),
    ("cp949", "김철수"),
    ("euc-kr", "이영희"),
    ("big5", "王小明"),
    ("cp950", "陳美玲"),
    ("gb18030", "张伟"),
    ("cp1252", "José"),
]
LATIN = "Müller Jürgen Köhler Ölböck Zürich"
WIDE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]


@pytest.mark.parametrize(("text", "kind"), [(CSV, "csv"), (JSONL, "jsonl")])
@pytest.mark.parametrize(("encoding", "name"), [*PEOPLE, *((each, "สมชาย 王小明") for each in WIDE)])
def test_a_file_is_read_in_the_encoding_that_is_given(encoding: str, name: str, text: str, kind: str) -> None:
    data = text.format(name).encode(encoding)
    assert rows(data, kind, encoding) == [("41793026727", name), ("41793026731", "Bo")]


@pytest.mark.parametrize(("text", "kind"), [(CSV, "csv"), (JSONL, "jsonl")])
@pytest.mark.parametrize(
    ("encoding", "name", "named"),
    [
        *((encoding, name, encoding) for encoding, name in PEOPLE if encoding.startswith(("cp", "gb"))),
        ("tis-620", "พรทิพย์", "cp874"),
        ("shift_jis", "ヤマダ", "cp932"),
        ("euc-jp", "さくら", "euc_jp"),
        ("euc-kr", "이영희", "cp949"),
        ("big5", "王小明", "cp950"),
        ("utf-16-le", "王小明", "utf-16-le"),
        ("utf-16-be", "王小明", "utf-16-be"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_those_that_it_may_be_in(
    encoding: str, name: str, named: str, text: str, kind: str
) -> None:
    problem = refused(text.format(name).encode(encoding), kind)
    assert f'encoding="{named}"' in problem
    assert "not UTF-8" in problem
    assert name not in problem


@pytest.mark.parametrize(
    ("encoding", "named"), [("cp932", "cp932"), ("cp949", "cp949"), ("cp950", "cp950"), ("cp874", "cp874")]
)
def test_the_likeliest_comes_first(encoding: str, named: str) -> None:
    name = dict(PEOPLE)[encoding]
    assert f'going by its letters, give encoding="{named}"' in refused(CSV.format(name).encode(encoding))


@pytest.mark.parametrize(("text", "kind"), [(CSV, "csv"), (JSONL, "jsonl")])
@pytest.mark.parametrize("name", ["Ann", "สมชาย", "王小明"])
@pytest.mark.parametrize(
    ("written", "given", "named"),
    [
        ("utf-16-le", None, "utf-16-le"),
        ("utf-16-be", None, "utf-16-be"),
        ("utf-16-be", "utf-16-le", "utf-16-be"),
        ("utf-16-le", "utf-16-be", "utf-16-le"),
        ("utf-16-le", "latin-1", "utf-16-le"),
    ],
)
def test_utf_16_without_a_mark_is_known_by_its_zeros(
    written: str, given: str | None, named: str, name: str, text: str, kind: str
) -> None:
    assert f'give encoding="{named}"' in refused(text.format(name).encode(written) * 40, kind, given)


@pytest.mark.parametrize(("mark", "named"), [("utf-16", "utf-16"), ("utf-32", "utf-32")])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_mark_at_the_beginning_is_named(mark: str, named: str, kind: str) -> None:
    assert f'got a file in {named.upper()}, expected UTF-8; give encoding="{named}"' in refused(
        CSV.format("Ann").encode(mark), kind
    )


@pytest.mark.parametrize(("text", "kind"), [(CSV, "csv"), (JSONL, "jsonl")])
@pytest.mark.parametrize(
    ("name", "encoding"),
    [(LATIN, "cp1252"), (LATIN, "latin-1"), (LATIN, "cp1250"), ("สมชาย ใจดี", "latin-1"), ("สมชาย ใจดี", "cp874"),
     ("王小明先生", "gb18030"), ("王小明先生们", "gb18030"), ("さくら", "cp932"), ("김철수", "cp949")],
)  # fmt: skip
def test_utf_8_is_not_read_as_other_letters(name: str, encoding: str, text: str, kind: str) -> None:
    data = text.format(name).encode()
    assert "got a file in UTF-8, expected " in refused(data, kind, encoding)
    assert refused(data * 30, kind, encoding).endswith("; leave out encoding")


@pytest.mark.parametrize(("encoding", "name"), PEOPLE)
@pytest.mark.parametrize("times", [1, 30])
def test_no_name_in_its_own_encoding_is_taken_for_utf_8(encoding: str, name: str, times: int) -> None:
    data = ("phone,name\n" + f"41793026727,{name}\n" * times).encode(encoding)
    assert [said for _, said in rows(data, encoding=encoding)] == [name] * times


def test_a_line_that_is_no_utf_8_settles_it() -> None:
    text = "phone,name\n1,Ã¼Ã¶Ã¤Ã¼Ã¶Ã¤\n2,Zürich\n"  # somebody's broken data, in an encoding of its own
    assert len(rows(text.encode("cp1252"), encoding="cp1252")) == 2


@pytest.mark.parametrize("data", [CSV.encode("utf-16-be"), CSV.encode("utf-16-le"), CSV.encode()])
def test_utf_16_with_no_mark_to_tell_which_is_refused_with_both(data: bytes) -> None:
    problem = refused(data, encoding="utf-16")
    assert 'which utf-16 needs; give encoding="utf-16-le" or encoding="utf-16-be", or leave encoding out' in problem


def test_an_encoding_that_does_not_fit_is_refused_with_one_that_does() -> None:
    problem = refused(CSV.format("髙橋 ①").encode("cp932"), encoding="shift_jis")
    assert 'is not shift_jis; going by its letters, give encoding="cp932"' in problem
    assert "leave out encoding for UTF-8" in refused(b"phone,name\n1,\x81\xff\n", encoding="cp932")


def test_excels_own_first_line_is_read_in_any_encoding() -> None:
    text = "sep=;\r\nphone;name\r\n41793026727;สมชาย, ใจดี\r\n"
    for encoding in ("cp874", "utf-16", "utf-16-le", "utf-8-sig"):
        assert rows(text.encode(encoding), encoding=encoding) == [("41793026727", "สมชาย, ใจดี")]
    assert rows(text.encode("utf-8-sig")) == [("41793026727", "สมชาย, ใจดี")]


def spreadsheet() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>" * 40)
        archive.writestr("xl/worksheets/sheet1.xml", "<c><v>41793026727</v></c>" * 400)
    return file.getvalue()


OTHERS = {
    "spreadsheet": (spreadsheet(), "a spreadsheet (.xlsx)"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old spreadsheet (.xls)"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xffsomething\xfe", "a file that is gzipped"),
    "zstd": (b"(\xb5/\xfd\x04\x00", "compressed by zstd"),
    "xz": (b"\xfd7zXZ\x00\x00\x04", "compressed by xz"),
    "bzip2": (b"BZh91AY&SY\xf2\xbe\x00\x01", "compressed by bzip2"),
    "parquet": (b"PAR1\x15\x04\x15\x10\x15\xff", "a Parquet file"),
    "parquet of plain bytes": (b"PAR1\x15\x04\x15\x10\n", "a Parquet file"),
    "avro": (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
    "sqlite": (b"SQLite format 3\x00\x10\x00\x01\x01", "a SQLite database"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF"),
}


@pytest.mark.parametrize("encoding", [None, "cp1252", "latin-1", "cp932", "utf-8-sig"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("name", OTHERS)
def test_bytes_of_another_kind_of_file_are_called_by_its_name(name: str, kind: str, encoding: str | None) -> None:
    data, said = OTHERS[name]
    assert said in refused(data, kind, encoding)


def test_a_column_may_be_called_as_a_kind_of_file_begins() -> None:
    data = b"ORC,PAR1,phone,name\n1,2,41793026727,Ann\n"
    assert rows(data) == [("41793026727", "Ann")]


@pytest.mark.parametrize(
    "name",
    ["", "klingon", "rot13", "base64", "hex", "unicode_escape", "utf-7", "idna", "undefined", "x" * 200, "a\0b", 7,
     b"utf-8", ["utf-8"], "{{ params.encoding }}"],
)  # fmt: skip
def test_what_is_no_encoding_of_a_file_is_refused_with_examples(name: Any) -> None:
    with pytest.raises(OmniInputError, match="expected the name of an encoding that Python knows, such as cp874") as no:
        read_encoding(name)
    assert "\0" not in str(no.value)
    assert len(str(no.value)) < 400
