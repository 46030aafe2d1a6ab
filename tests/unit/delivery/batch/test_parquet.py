"""Parquet as a source of recipients."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from airflow_provider_omni.delivery.recipients.parquet import rows_of_parquet
from airflow_provider_omni.delivery.recipients.sources import Row
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.operators.recipients import open_rows

PEOPLE = {"phone": ["41793026727", None, "41793026731"], "name": ["Ann", "Bo", None]}


def written(columns: dict[str, Any] | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(arrow.table(columns or PEOPLE), file, **options)
    return file.getvalue()


def rows(data: bytes, *needed: str) -> list[Row]:
    return list(rows_of_parquet(io.BytesIO(data), "phone", needed))


def from_file(path: Path, **options: Any) -> list[Any]:
    with open_rows(str(path), "phone", **options) as found:
        return list(found)


def test_rows_have_all_columns_and_an_index_as_their_place() -> None:
    first, second, third = rows(written())
    assert first == Row(0, "41793026727", {"phone": "41793026727", "name": "Ann"})
    assert second.problem == "the field phone is empty"
    assert third.fields == {"phone": "41793026731", "name": None}


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_compression_inside_the_file_is_read(compression: str) -> None:
    assert [row.number for row in rows(written(compression=compression))] == PEOPLE["phone"]


def test_numbers_may_be_integers_and_names_may_differ_in_case() -> None:
    (row,) = rows(written({"PHONE": [41793026727], "Name": ["Ann"]}), "name")
    assert (row.number, row.fields) == (41793026727, {"phone": 41793026727, "name": "Ann"})


def test_a_missing_column_is_named_before_any_row_is_read() -> None:
    with pytest.raises(OmniInputError, match="'order', which texts or the key_field need"):
        next(rows_of_parquet(io.BytesIO(written()), "phone", ("order",)))


def test_rows_are_read_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = 0
    original = parquet.ParquetFile.iter_batches

    def counted(self: Any, *args: Any, **options: Any) -> Iterator[Any]:
        nonlocal batches
        for batch in original(self, *args, **options):
            batches += 1
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", counted)
    data = written({"phone": [f"4179{number:07d}" for number in range(20_000)]}, row_group_size=5000)
    next(rows_of_parquet(io.BytesIO(data), "phone"))
    assert batches == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "an empty file"),
        (b"phone,name\n41793026727,Ann\n", "something else, such as text"),
        (b"PK\x03\x04" + bytes(40), "a spreadsheet"),
        (written()[:60], "damaged, or still being written"),
        (written()[:4] + b"x" * 40 + written()[44:], "damaged, or still being written"),
    ],
    ids=["empty", "text", "spreadsheet", "cut short", "spoilt"],
)
def test_what_is_not_whole_parquet_is_refused_without_its_content(data: bytes, told: str) -> None:
    with pytest.raises(OmniInputError, match=told) as caught:
        rows(data)
    assert "302" not in str(caught.value)


def test_a_path_that_ends_in_parquet_is_read(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_bytes(written())
    assert [row.number for row in from_file(tmp_path / "people.parquet")] == PEOPLE["phone"]


def test_a_parquet_file_takes_no_encoding(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_bytes(written())
    with pytest.raises(OmniInputError, match=r"encoding: got one for a \.parquet file, expected none"):
        from_file(tmp_path / "people.parquet", encoding="cp874")


def test_a_file_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    with pytest.raises(OmniStorageError, match="is not there") as caught:
        from_file(tmp_path / "people.parquet")
    assert caught.value.retryable


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OmniInputError, match=r"airflow-provider-omni\[parquet\]"):
        rows(b"PAR1")
