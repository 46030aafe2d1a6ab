"""Rows from numbers, dicts, CSV and JSON Lines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_omni.delivery.recipients.formats import FORMATS, format_of, is_path
from airflow_provider_omni.delivery.recipients.sources import (
    LIST,
    MOST_IN_A_LINE,
    SWALLOWED,
    Row,
    rows_of_csv,
    rows_of_entries,
    rows_of_json_lines,
    rows_of_table,
)
from airflow_provider_omni.omni.errors import OmniInputError


def csv_rows(text: str, **options: Any) -> list[Row]:
    return list(rows_of_csv(io.StringIO(text, newline=""), "phone", **options))


def test_entries_are_numbers_or_dicts() -> None:
    rows = list(
        rows_of_entries(
            ["41793026727", 41793026727, {"phone": "1", "name": "Ada"}, {"name": "Bob"}, {"phone": None}], "phone"
        )
    )
    assert rows[:3] == [Row(0, "41793026727"), Row(1, 41793026727), Row(2, "1", {"phone": "1", "name": "Ada"})]
    assert [row.problem for row in rows[3:]] == ["the field phone is missing", "the field phone is empty"]


def test_csv_has_a_header_and_may_have_a_byte_order_mark_and_quotes() -> None:
    rows = csv_rows('\ufeffname,phone\r\n"Ada, \r\nCountess",417\r\n\r\nBob,418\r\n')
    assert [(row.place, row.number, row.fields) for row in rows] == [
        (3, "417", {"name": "Ada, \r\nCountess", "phone": "417"}),
        (5, "418", {"name": "Bob", "phone": "418"}),
    ]


def test_csv_rows_with_more_cells_than_the_header_are_problems() -> None:
    rows = csv_rows("phone,name\n1,Ada\n3,Bob,x\n4,Eve\n5,,,x\n")
    assert [(row.place, row.problem) for row in rows] == [
        (2, None), (3, "the row has 3 cells, the header 2"), (4, None), (5, "the row has 4 cells, the header 2"),
    ]  # fmt: skip


def test_blank_cells_behind_the_last_column_are_none() -> None:
    rows = csv_rows("phone,name\n1,Ada,\n2,Bob,, \n,,,\n")
    assert [(row.number, row.fields, row.problem) for row in rows] == [
        ("1", {"phone": "1", "name": "Ada"}, None),
        ("2", {"phone": "2", "name": "Bob"}, None),
    ]


def test_marks_that_nobody_sees_around_a_name_are_no_part_of_it() -> None:
    (row,) = csv_rows("name,\ufeffphone,\u200bcity\u200e, \u00a0note\u2060\nAda,1,Bern,x\n", needed=("city", "note"))
    assert row.fields == {"name": "Ada", "phone": "1", "city": "Bern", "note": "x"}


def test_names_in_the_readers_own_script_are_shown() -> None:
    told = refused("เบอร์โทร,ชื่อ,नाम,이름\n1,2,3,4\n")
    assert "is not among the CSV header: เบอร์โทร, ชื่อ, नाम, 이름" in told


def test_cells_that_excel_leaves_out_at_the_end_of_a_row_are_empty() -> None:
    rows = csv_rows("phone,name,note\n1,Ada,vip\n2,Bob\n3\n")
    assert [(row.number, row.fields, row.problem) for row in rows] == [
        ("1", {"phone": "1", "name": "Ada", "note": "vip"}, None),
        ("2", {"phone": "2", "name": "Bob", "note": ""}, None),
        ("3", {"phone": "3", "name": "", "note": ""}, None),
    ]


def test_a_row_that_ends_before_its_number_has_none() -> None:
    assert [(row.number, row.fields) for row in csv_rows("name,phone\nAda\n")] == [("", {"name": "Ada", "phone": ""})]


@pytest.mark.parametrize("blank", [",,", "", "  , ,", ",", " "])
def test_a_row_without_a_value_is_nobody(blank: str) -> None:
    assert [row.number for row in csv_rows(f"phone,name,note\n{blank}\n1,Ada,x\n{blank}\n")] == ["1"]


@pytest.mark.parametrize(
    ("told", "delimiter"), [("sep=;", ";"), ("\ufeffSEP=;", ";"), ("sep=\t", "\t"), ('"sep=|"', "|")]
)
def test_the_line_by_which_excel_knows_the_delimiter_is_read(told: str, delimiter: str) -> None:
    rows = csv_rows(f"{told}\r\nphone{delimiter}name\r\n1{delimiter}Ada, Countess\r\n")
    assert [(row.place, row.fields) for row in rows] == [(3, {"phone": "1", "name": "Ada, Countess"})]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"phone": "41793026727"}\n', "got JSON, expected CSV with a header"),
        ('[{"phone": "41793026727"}]', "got JSON, expected CSV"),
        ("[\n", "got JSON, expected CSV"),
        ("<!DOCTYPE html>\n<html>", "got a web page or XML, expected CSV"),
        ("<table><tr><td>41793026727", "got a web page or XML, expected CSV"),
        (
            "PK\x03\x04 xl/workbook",
            "got a spreadsheet (.xlsx) or another zip archive, expected CSV or JSON Lines; save it as CSV UTF-8",
        ),
    ],
)
def test_a_csv_that_is_something_else_is_refused_as_a_whole_by_its_name(text: str, told: str) -> None:
    refusal = refused(text)
    assert told in refusal
    assert "302" not in refusal


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[\n{"phone": "41793026727"},\n{"phone": "41793026731"}\n]\n',
            "got a JSON array, expected one JSON object",
        ),
        ('[{"phone": "41793026727"},\n{"phone": "41793026731"}]\n', "got a JSON array"),
        ('[{"phone": "41793026727"}, {"phone": "41793026731"}]', "got a JSON array"),
        ('\n["41793026727", "41793026731"]\n', "got a JSON array"),
        ('{\n  "phone": "41793026727"\n}\n', "got a first line that begins an object and is none"),
        ('{"phone": "41793026727"},\n{"phone": "41793026731"}\n', "and no comma behind it"),
        ("phone,name\n41793026727,Ada\n", "got a first line that is not JSON"),
        ("<html>", "got a web page or XML, expected one JSON object a line"),
    ],
)
def test_a_jsonl_that_is_something_else_is_refused_as_a_whole_by_its_name(text: str, told: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        list(rows_of_json_lines(io.StringIO(text), "phone"))
    assert told in str(caught.value)
    assert "302" not in str(caught.value)


def test_objects_in_one_line_and_files_with_a_mark_that_were_joined_lose_nobody() -> None:
    text = '\ufeff{"phone": "1"}\n{"phone": "2"}\ufeff{"phone": "3"}{"phone": "4"}\n\ufeff{"phone": "5"}\n'
    rows = list(rows_of_json_lines(io.StringIO(text), "phone"))
    assert [(row.place, row.number) for row in rows] == [(1, "1"), (2, "2"), (2, "3"), (2, "4"), (3, "5")]


@pytest.mark.parametrize("text", ["", "name\nAda\n", "phone,name,name\n", "\n\n"])
def test_csv_without_a_usable_header_is_refused(text: str) -> None:
    with pytest.raises(OmniInputError):
        csv_rows(text)


def test_a_missing_header_does_not_show_the_first_person() -> None:
    with pytest.raises(OmniInputError) as caught:
        csv_rows("41793026727,Ada\n41793026728,Bob\n")
    assert "is the header missing?" in str(caught.value)
    assert "302" not in str(caught.value)
    assert "Ada" not in str(caught.value)


def test_only_names_of_columns_are_shown() -> None:
    with pytest.raises(OmniInputError, match="the CSV header: telephone, Nächster Termin, …, …, _id"):
        csv_rows("telephone,Nächster Termin,1,a=b,_id\n")


def test_a_quote_that_is_never_closed_is_an_error_since_it_would_say_one_persons_number_to_another() -> None:
    with pytest.raises(OmniInputError, match=r"row that begins in line 3 has a quote that is not closed") as caught:
        csv_rows('phone,name\n41793026700,Eve\n41793026727,"Ada\n41793026728,Bob\n41793026729,Mia\n')
    assert "302" not in str(caught.value)
    assert "Ada" not in str(caught.value)
    assert not caught.value.retryable


def test_a_quote_that_is_closed_by_a_later_row_is_an_error() -> None:
    with pytest.raises(OmniInputError, match=r"row that begins in line 2 .* read up to line 4"):
        csv_rows('phone,name\n41793026727,"Ada\n41793026728,Bob\n41793026729,"Mia"\n')


@pytest.mark.parametrize(
    "text",
    [
        'phone,name\n41793026727,"Ada\n41793026728,Bob"\n',
        'name,phone\n"Ada,41793026727\nBob",41793026728\n',
        'phone\n"41793026727\n41793026728"\n',
        'phone,name\n41793026727,"Ada\n+41 79 302 67 28,Bob"\n',
    ],
)
def test_a_cell_that_has_swallowed_a_row_is_a_problem(text: str) -> None:
    assert [row.problem for row in csv_rows(text)] == [SWALLOWED]


def test_a_cell_over_several_lines_is_fine_as_long_as_no_line_of_it_is_a_number() -> None:
    cell = "Main street 5, 8001 Zürich\r\n2026-11-20\ncall +41 79 302 67 28 or us"
    (row,) = csv_rows(f'phone,name\n"41793026727\n","{cell}"\n')
    assert (row.problem, row.fields) == (None, {"phone": "41793026727\n", "name": cell})


def test_text_after_a_closing_quote_is_a_problem_of_its_row() -> None:
    rows = csv_rows('phone,name\n1,"Ada" x\n2,Bob\n')
    assert [(row.place, row.problem) for row in rows] == [(2, "the line is not CSV"), (3, None)]


def test_a_header_that_is_not_csv_is_not_passed_over() -> None:
    with pytest.raises(OmniInputError, match="got line 1 that is not CSV, expected a header"):
        csv_rows('"phone"x,name\n1,Ada\n')


class Endless(io.TextIOBase):
    """A file without a line end. It must not be asked for more than a line may have."""

    def __init__(self, head: str) -> None:
        self.head = io.StringIO(head)

    def readline(self, size: int = -1) -> str:  # type: ignore[override]
        assert 0 < size <= MOST_IN_A_LINE + 1
        return self.head.readline(size) or "4" * size


@pytest.mark.parametrize(("read", "head"), [(rows_of_csv, "phone\n1\n"), (rows_of_json_lines, "1\n2\n")])
def test_a_line_without_an_end_is_an_error_and_not_in_memory(read: Any, head: str) -> None:
    with pytest.raises(OmniInputError, match="line 3 has more than the 1,048,576 characters that are allowed"):
        list(read(Endless(head), "phone"))


def test_a_row_that_is_a_list_is_a_problem_since_an_order_number_may_look_like_a_phone() -> None:
    rows = list(rows_of_entries([["41793026727", 4930123400], ("41793026728",)], "phone"))
    assert [(row.number, row.problem) for row in rows] == [(None, LIST)] * 2


@pytest.mark.parametrize("text", ["1.41793026727", "41793026727,41793026728", "a.41793026727"])
def test_a_text_that_is_no_path_is_not_shown(text: str) -> None:
    with pytest.raises(OmniInputError, match="got a text, expected paths") as caught:
        format_of(text)
    assert "302" not in str(caught.value)


def test_a_file_that_is_not_utf_8_is_refused() -> None:
    source = io.TextIOWrapper(io.BytesIO("phone,name\n417,Zürich\n".encode("latin-1")), encoding="utf-8")
    with pytest.raises(OmniInputError, match="UTF-8"):
        list(rows_of_csv(source, "phone"))


def test_a_cell_that_is_too_long_is_a_problem_and_reading_goes_on() -> None:
    rows = csv_rows(f"phone,name\n1,{'x' * 200_000}\n2,Ada\n")
    assert [row.problem for row in rows] == ["the line is not CSV", None]


def test_json_lines_are_objects_or_numbers() -> None:
    lines = io.StringIO('{"phone": "1", "name": "Ada"}\n\n"2"\n3\n{"phone": 4}\nnonsense\n{"name": "x"}\n[1]\n')
    rows = list(rows_of_json_lines(lines, "phone"))
    assert [(row.place, row.number, row.problem) for row in rows] == [
        (1, "1", None), (3, "2", None), (4, 3, None), (5, 4, None), (6, None, "the line is not JSON"),
        (7, None, "the field phone is missing"), (8, None, LIST),
    ]  # fmt: skip


def test_rows_of_a_query_come_with_its_columns() -> None:
    assert list(rows_of_table(["phone", "name"], [("1", "Ada")], "phone")) == [
        Row(0, "1", {"phone": "1", "name": "Ada"})
    ]
    with pytest.raises(OmniInputError, match="phone_field"):
        list(rows_of_table(["telephone"], [], "phone"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.csv", "csv"),
        ("s3://b/a.CSV.gz", "csv"),
        ("a.b.jsonl", "jsonl"),
        ("x.ndjson.gz", "jsonl"),
        ("a.jsonlines", "jsonl"),
    ],
)
def test_the_ending_tells_the_format(path: str, kind: str) -> None:
    assert format_of(path).name == kind


@pytest.mark.parametrize("path", ["a", "a.txt", "a.gz", "folder.csv/a"])
def test_other_endings_are_refused(path: str) -> None:
    with pytest.raises(OmniInputError):
        format_of(path)


@pytest.mark.parametrize("ending", [ending for each in FORMATS for ending in each.endings])
def test_what_is_shown_as_a_path_is_what_can_be_read(ending: str) -> None:
    assert is_path(f"s3://bucket/people.{ending.upper()}")
    assert not is_path(f"41793026727.{ending}x")
    assert is_path(f"people.{ending}.gz") is (not format_of(f"people.{ending}").binary)


def test_nothing_is_read_ahead() -> None:
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        yield "phone\n"
        while True:
            taken += 1
            yield f"{taken}\n"

    rows = rows_of_csv(lines(), "phone")
    assert [next(rows).number for _ in range(3)] == ["1", "2", "3"]
    assert taken == 3


def refused(text: str, **options: Any) -> str:
    with pytest.raises(OmniInputError) as caught:
        csv_rows(text, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "read",
    [
        lambda needed: rows_of_csv(["a,b\n"], "phone", needed=needed),
        lambda needed: rows_of_table(["a", "b"], [], "phone", needed),
    ],
    ids=["csv", "table"],
)
def test_a_missing_phone_column_hides_no_other_missing_column(read: Any) -> None:
    with pytest.raises(OmniInputError) as caught:
        next(read(("id", "name")))
    phone, others = caught.value.problems
    assert phone.startswith("phone_field: 'phone' is not among")
    assert others.startswith("recipients: 'id', 'name', which texts or the key_field need, are not among")


def test_all_names_that_are_missing_are_told_from_the_header_before_a_row_is_read() -> None:
    told = refused("phone,Name,NAME,city\nnever read", needed=("city", "name", "order", "id"))
    assert "'name', 'order', 'id', which texts or the key_field need, are not among the CSV header" in told
    assert "phone, Name, NAME, city; upper and lower case count: Name, NAME" in told
    with pytest.raises(
        OmniInputError, match="'x', which texts or the key_field need, is not among the query's columns"
    ):
        next(rows_of_table(["phone"], [["1"]], "phone", ("x",)))


def test_names_in_another_case_are_found_in_every_kind_of_source() -> None:
    fields = {"phone": "1", "name": "Ada", "Other": "x"}
    for rows in (
        csv_rows("PHONE,Name,Other\n1,Ada,x\n", needed=("name",)),
        list(rows_of_json_lines(io.StringIO('{"PHONE": "1", "Name": "Ada", "Other": "x"}\n'), "phone", ("name",))),
        list(rows_of_entries([{"Phone": "1", "NAME": "Ada", "Other": "x"}], "phone", ("name",))),
        list(rows_of_table(["PHONE", "NAME", "Other"], [("1", "Ada", "x")], "phone", ("name",))),
    ):
        assert [(row.number, row.fields, row.problem) for row in rows] == [("1", fields, None)]


def test_of_two_names_in_another_case_none_is_taken_and_the_right_one_always_is() -> None:
    assert "phone_field: 'phone' is not among the CSV header: Phone, PHONE; upper and lower case count" in refused(
        "Phone,PHONE\n1,2\n"
    )
    (row,) = csv_rows("PHONE,phone\n1,2\n")
    assert row.number == "2"
    (row,) = rows_of_entries([{"Phone": "1", "PHONE": "2"}], "phone")
    assert row.problem == "the field phone is missing"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_named_as_the_reason(delimiter: str) -> None:
    assert "The comma is the only delimiter" in refused(f"phone{delimiter}name\n1{delimiter}Ada\n")


def test_a_byte_order_mark_does_not_hide_the_quote_of_the_first_name() -> None:
    assert csv_rows('\ufeff"phone","name"\n"1","Ada"\n')[0].fields == {"phone": "1", "name": "Ada"}
    assert next(rows_of_csv(iter(['\ufeff"phone"\n', "1\n"]), "phone")).number == "1"


def test_columns_at_the_end_without_name_and_values_are_passed_over_as_spreadsheets_write_them() -> None:
    rows = csv_rows("phone,name,,\n1,Ada,,\n2,Bob, Mr,\n3,Eve\n")
    assert [(row.place, row.fields, row.problem) for row in rows] == [
        (2, {"phone": "1", "name": "Ada"}, None),
        (3, {"phone": "2", "name": "Bob"}, "a cell stands in a column that has no name in the header"),
        (4, {"phone": "3", "name": "Eve"}, None),
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            "phone,näme\n".encode("latin-1"),
            'line 1 or one soon after it is not UTF-8; going by its letters, give encoding="cp1252"',
        ),
        ("phone,name\n".encode("utf-16"), 'got a file in UTF-16, expected UTF-8; give encoding="utf-16"'),
        (
            b"\x1f\x8b\x08\x00\xff\xff",
            "got a file that is gzipped, expected CSV or JSON Lines; the name of such a file ends in .gz",
        ),
    ],
)
def test_another_encoding_is_named(data: bytes, told: str) -> None:
    for read in (rows_of_csv, rows_of_json_lines):
        with pytest.raises(OmniInputError) as caught:
            list(read(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""), "phone"))
        assert told in str(caught.value)


def test_a_path_without_an_ending_is_called_that() -> None:
    with pytest.raises(OmniInputError, match="got a path without an ending"):
        format_of("/data/people")


def test_a_number_that_is_null_in_a_table_is_empty() -> None:
    assert next(rows_of_table(["phone"], [[None]], "phone")).problem == "the field phone is empty"
