"""Tables of other libraries instead of rows: read, or refused in words that say how. None of these libraries is here;
the stand-ins do what was seen of pandas 3, polars 1, pyarrow 22, DuckDB 2 and numpy 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.tables import is_table, read_table
from airflow_provider_omni.omni.written import read_ids
from airflow_provider_omni.operators.batch import OmniSendBatchOperator
from tests.unit.operators.test_batch_recipients import NUMBER, OF_AIRFLOW_3, OTHER, operator, rows, shown

NAMES = ["phone", "name"]
CELLS = [(NUMBER, "Ann"), (OTHER, None)]
EXPECTED = [(number, {"phone": number, "name": name}) for number, name in CELLS]


class DataFrame:
    """A frame of pandas. Going over it gives the names of its columns; nobody may ask whether it is true."""

    def __init__(self, names: Any = NAMES, cells: Any = CELLS) -> None:
        self.columns, self.cells = names, cells

    def __getattr__(self, name: str) -> Any:
        if name in ("fs", "resolve"):  # a column may have any name
            return "a column"
        raise AttributeError(name)

    def __bool__(self) -> bool:
        raise ValueError("The truth value of a DataFrame is ambiguous.")

    def __eq__(self, other: object) -> Any:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.cells)

    def itertuples(self, index: bool = True, name: str | None = "Pandas") -> Iterator[Any]:
        assert not index
        assert name is None
        return iter(self.cells)


class PolarsFrame:
    """A frame of polars. Going over it gives its columns."""

    columns = NAMES

    def __iter__(self) -> Iterator[Any]:
        return iter([["x"]])

    def iter_rows(self) -> Iterator[Any]:
        return iter(CELLS)


class Batch:
    """A record batch of Arrow."""

    schema = SimpleNamespace(names=NAMES)

    def __init__(self, cells: Any = CELLS) -> None:
        self.cells = cells
        self.num_rows = len(cells)

    def slice(self, start: int, length: int) -> Batch:
        return Batch(self.cells[start : start + length])

    @property
    def columns(self) -> list[Any]:
        return [SimpleNamespace(to_pylist=lambda index=index: [row[index] for row in self.cells]) for index in range(2)]

    def to_pylist(self) -> Any:
        raise AssertionError("all of it would be in memory")


class ArrowTable:
    """A table of Arrow: in batches."""

    schema = Batch.schema

    def to_batches(self) -> list[Batch]:
        return [Batch(CELLS[:1]), Batch([]), Batch(CELLS[1:])]


class ArrowReader:
    """Batches of Arrow, one after the other, once."""

    schema = Batch.schema

    def __init__(self) -> None:
        self.left = ArrowTable().to_batches()

    def read_next_batch(self) -> Batch:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def __iter__(self) -> Iterator[Batch]:
        while self.left:
            yield self.left.pop(0)


class Result:
    """The result of a query, in DuckDB (`columns`) or another database (`description`), once."""

    def __init__(self, **described: Any) -> None:
        self.__dict__.update(described)
        self.left = list(CELLS)

    def fetchmany(self, size: int) -> list[Any]:
        found, self.left = self.left[:1], self.left[1:]
        return found


class Records:
    """An array of records of numpy."""

    dtype = SimpleNamespace(names=("phone", "name"))

    def __iter__(self) -> Iterator[Any]:
        return iter([SimpleNamespace(item=lambda cells=cells: cells) for cells in CELLS])


TABLES: dict[str, Callable[[], Any]] = {
    "pandas": DataFrame,
    "polars": PolarsFrame,
    "Arrow table": ArrowTable,
    "Arrow batch": Batch,
    "Arrow reader": ArrowReader,
    "DuckDB": lambda: Result(columns=NAMES, description=[("x",)]),
    "cursor": lambda: Result(description=[("phone", None), ("name", None)]),
    "numpy": Records,
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_gives_its_rows_and_is_hidden(make: Callable[[], Any]) -> None:
    sending = operator(make())
    assert NUMBER not in shown(sending)
    assert rows(sending) == EXPECTED


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_without_the_columns_that_are_needed_is_refused_with_those_that_it_has(
    make: Callable[[], Any],
) -> None:
    with (
        pytest.raises(OmniInputError, match=r"'city', which texts .* is not among the table's columns: phone, name"),
        operator(make()).open_rows(("city",)) as found,
    ):
        list(found)


@pytest.mark.parametrize("name", ["Arrow reader", "DuckDB", "cursor"])
def test_what_can_be_read_once_is_not_taken_for_nobody_by_a_second_try(name: str) -> None:
    sending = operator(TABLES[name]())
    assert rows(sending) == EXPECTED
    with pytest.raises(OmniInputError, match="an earlier try has used up"):
        rows(sending)


@pytest.mark.parametrize("name", ["pandas", "polars", "Arrow table", "Arrow batch", "numpy"])
def test_what_can_be_read_again_is(name: str) -> None:
    sending = operator(TABLES[name]())
    assert rows(sending) == rows(sending) == EXPECTED


def test_columns_whose_names_are_no_texts_are_named() -> None:
    with pytest.raises(OmniInputError, match="phone_field: 'phone' is not among the table's columns"):
        rows(operator(DataFrame([0, ("a", 1)])))


def test_tables_that_mapped_tasks_returned_are_joined() -> None:
    assert rows(operator(OF_AIRFLOW_3(DataFrame(), PolarsFrame()))) == EXPECTED * 2


class Column:
    """A column of Arrow: going over it gives no plain values."""

    type = "string"

    def __iter__(self) -> Iterator[Any]:
        return iter([object(), object()])

    def to_pylist(self) -> list[Any]:
        return [NUMBER, OTHER]


def test_a_column_of_arrow_gives_its_values() -> None:
    assert [number for number, _ in rows(operator(Column()))] == [NUMBER, OTHER]
    assert [person.address.phone_number for person in read_recipients(Column()).people] == [NUMBER, OTHER]


class LazyFrame:
    """A frame of polars: a plan of one."""

    def collect_schema(self) -> Any:
        raise AssertionError("nobody asked for it")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("a lazy frame cannot be gone over")


class SparkFrame:
    """A frame of Spark."""

    columns = NAMES

    def toLocalIterator(self) -> Any:
        raise AssertionError("nobody asked for it")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@pytest.mark.parametrize("make", [LazyFrame, SparkFrame])
def test_a_table_that_gives_no_rows_by_itself_is_one_error_that_says_how(make: Any) -> None:
    with pytest.raises(OmniInputError) as caught:
        rows(operator(make()))
    (problem,) = caught.value.problems
    assert problem.startswith(f"recipients: got a table of type {make.__name__}, which gives no rows by itself")
    assert ".to_dicts() of polars" in problem


@pytest.mark.parametrize("make", [*TABLES.values(), LazyFrame, SparkFrame], ids=[*TABLES, "lazy", "Spark"])
def test_where_numbers_or_ids_are_wanted_a_table_is_one_error_that_says_how(make: Callable[[], Any]) -> None:
    for read in (read_recipients, lambda value: read_ids("message_ids", value)):
        with pytest.raises(OmniInputError) as caught:
            read(make())
        (problem,) = caught.value.problems
        assert f"got a table of type {type(make()).__name__}, expected" in problem
        assert problem.endswith("; give one of its columns")


@pytest.mark.parametrize("value", [None, "x", 7, [1], (1,), {"phone": 1}, {1}, DataFrame, object(), iter([])])
def test_plain_values_are_no_tables(value: Any) -> None:
    assert read_table(value) is None
    assert not is_table(value)


def test_the_operator_sends_to_a_tables_people(task: Any, vendor: Any) -> None:
    sending = OmniSendBatchOperator(
        task_id="send", scenario_key="K", flow=["SMS"], sms={"text": "Dear {Name}"}, dry_run=True,
        recipients=DataFrame(["PHONE", "NAME"], [(41793026727.0, "Ann"), (OTHER, "Bo")]),
    )  # fmt: skip
    assert sending.execute(task.context())["counts"]["requested"] == 2
