"""Rows of a Parquet file, a few thousand in memory at a time. Needs pyarrow, which the extra `parquet` brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from airflow_provider_omni.delivery.recipients.file_kinds import refuse_no_parquet, unusable
from airflow_provider_omni.delivery.recipients.sources import Row, rows_of_table
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.tables import AT_A_TIME, read_table

COLUMNS = "the file's columns"


def rows_of_parquet(
    file: BinaryIO, phone_field: str, needed: Sequence[str] = (), *, alone: bool = False
) -> Iterator[Row]:
    """Yield the rows of a Parquet file; their places count from 0.

    Only the file's row group at hand and some thousand of its rows are in memory.

    :param file: the file, opened as bytes. It is read in any order.
    :param phone_field: the column with the phone number.
    :param needed: further columns that the file must have.
    :param alone: True if an only column is the phone column, whatever its name.

    Raises OmniInputError if pyarrow is missing, for a file that is not Parquet or is damaged, and for a missing column.
    """
    try:
        import pyarrow as arrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise unusable(
            unexpected(
                "recipients",
                "a .parquet file",
                'pyarrow to be installed on the worker to read it: pip install "airflow-provider-omni[parquet]"',
            )
        ) from None
    refuse_no_parquet(file.read(8))
    file.seek(0)
    try:
        with ParquetFile(file) as source:
            table = read_table(_Batches(source, AT_A_TIME))
            assert table is not None
            yield from rows_of_table(table.columns, table.rows, phone_field, needed, COLUMNS, alone=alone)
    except (arrow.ArrowException, OSError) as error:
        # Arrow raises OSError without a number for damage, and lets those of the file system through.
        if getattr(error, "errno", None) is not None:
            raise
        raise unusable("recipients: the .parquet file is damaged, or still being written") from None


class _Batches:
    """The rows of a Parquet file in the form that `read_table` knows."""

    def __init__(self, source: Any, size: int) -> None:
        self._source = source
        self._size = size
        self.schema = source.schema_arrow

    def to_batches(self) -> Iterator[Any]:
        """Yield the rows, some thousand at a time."""
        return self._source.iter_batches(batch_size=self._size)  # type: ignore[no-any-return]
