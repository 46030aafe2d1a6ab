"""`recipients`: Airflow may render and resolve it, nobody sees a number in it, and rows come of it whatever it is."""

from __future__ import annotations

import bz2
import contextlib
import copy
import gzip
import importlib
import io
import json
import lzma
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_omni.delivery.recipients.formats import COMPRESSED, FORMATS
from airflow_provider_omni.delivery.recipients.sources import LIST
from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.operators.batch import OmniSendBatchOperator
from airflow_provider_omni.operators.recipients import open_rows

NUMBER, OTHER = "41793026727", "41793026731"
ROWS = [{"phone": NUMBER, "name": "Ann"}, {"phone": OTHER, "name": "Bo"}]


def operator(recipients: Any, **arguments: Any) -> OmniSendBatchOperator:
    return OmniSendBatchOperator(
        **{"task_id": "send", "scenario_key": "K", "sms": {"text": "Hi"}, "recipients": recipients, **arguments}
    )


def shown(operator: Any) -> str:
    """The values that Airflow would store in its table of rendered templates."""
    return json.dumps(serialize_template_field(operator.recipients, "recipients"), ensure_ascii=False)


def rows(operator: OmniSendBatchOperator) -> list[tuple[Any, Any]]:
    """Number and fields of each row."""
    with operator.open_rows() as found:
        return [(row.number, row.fields) for row in found]


# -- shown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipients", "as_"),
    [
        ([NUMBER, OTHER], '"2 recipients"'),
        (tuple(ROWS), '"2 recipients"'),
        ([], '"0 recipients"'),
        ((row for row in ROWS), '"recipients"'),
        ({NUMBER: 1}, '"recipients"'),
        (str([NUMBER]), '"…"'),
        (NUMBER, '"…"'),
        ("+41 79 302 67 27", '"…"'),
        (f"{NUMBER},{OTHER}", '"…"'),
        (f"{NUMBER} ; {OTHER}", '"…"'),
        (f"{NUMBER}\n{OTHER}", '"…"'),
        (f"{NUMBER}\n{OTHER}.csv", '"…"'),
        (f"tel:+{NUMBER}", '"…"'),
        (f"'{NUMBER}'", '"…"'),
        (f"\u202a+{NUMBER}\u202c", '"…"'),
        ("people.txt", '"…"'),
        (Path(NUMBER), '"recipients"'),
        (Path("/data/people.csv"), '"/data/people.csv"'),
        ("s3://aws_default@bucket/people.csv", '"s3://aws_default@bucket/people.csv"'),
        ("/data/of all/people.CSV.gz", '"/data/of all/people.CSV.gz"'),
        ("people.ndjson", '"people.ndjson"'),
    ],
)
def test_recipients_are_shown_as_a_path_or_a_count(recipients: Any, as_: str) -> None:
    sending = operator([])
    sending.recipients = recipients
    sending.render_template_fields({})
    assert shown(sending) == as_
    assert "302" not in repr(sending.recipients) + str(sending.recipients)


def test_whatever_ending_is_read_is_shown() -> None:
    texts = [ending for each in FORMATS if not each.binary for ending in each.endings]
    binaries = [ending for each in FORMATS if each.binary for ending in each.endings]
    for ending in [*texts, *binaries, *(f"{ending}.{packed}" for ending in texts for packed in COMPRESSED)]:
        assert shown(operator(f"/data/people.{ending}")) == f'"/data/people.{ending}"'


class Table:
    """A stand-in for a polars.DataFrame: its text shows its rows."""

    def rows(self) -> list[tuple[str]]:
        return [(NUMBER,)]

    def __str__(self) -> str:
        return f"shape: (1, 1) {NUMBER}"

    __repr__ = __str__


def test_a_table_with_rows_of_its_own_is_not_shown() -> None:
    assert shown(operator(Table())) == '"recipients"'


def test_a_path_is_a_template() -> None:
    sending = operator("/data/{{ ds }}.csv")
    assert sending.recipients == "/data/{{ ds }}.csv"
    sending.render_template_fields({"ds": "2026-11-20"})
    assert shown(sending) == '"/data/2026-11-20.csv"'


def test_the_path_of_an_object_store_is_a_template_too() -> None:
    sending = operator(ObjectStoragePath("file:///data/{{ ds }}.csv"))
    sending.render_template_fields({"ds": "2026-11-20"})
    assert "file:///data/2026-11-20.csv" in shown(sending)


def test_what_stands_in_rows_is_never_rendered() -> None:
    rows_of_others = [{"phone": NUMBER, "name": "{{ secret }}"}, "{{ secret }}"]
    sending = operator(rows_of_others)
    sending.render_template_fields({"secret": "s3cret"})
    assert rows(sending) == [(NUMBER, rows_of_others[0]), ("{{ secret }}", None)]


def test_the_ledger_of_the_unreached_is_a_template() -> None:
    sending = operator(unreached("/ledgers/{{ run_id }}"))
    sending.render_template_fields({"run_id": "r1"})
    assert sending.recipients.ledger_path == "/ledgers/r1"
    assert "/ledgers/r1" in shown(sending)


def test_an_xcom_of_another_task_makes_that_task_upstream_and_is_hidden_when_it_is_there() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):

        @task
        def people() -> list[str]:
            return [NUMBER]

        one = operator(people(), task_id="one")
        several = operator([people(), people()], task_id="several")
    assert one.upstream_task_ids == {"people"}
    assert several.upstream_task_ids == {"people__1", "people__2"}
    one.recipients = [NUMBER]
    several.recipients = [[NUMBER], [OTHER]]
    assert (shown(one), shown(several)) == ('"1 recipient"', '"2 recipients"')
    assert rows(several) == [(NUMBER, None), (OTHER, None)]


def test_a_callable_is_called_by_airflow_and_what_it_gives_is_hidden() -> None:
    sending = operator(lambda context, jinja_env: (row for row in ROWS))
    sending.render_template_fields({})
    assert shown(sending) == '"recipients"'
    assert [number for number, _ in rows(sending)] == [NUMBER, OTHER]


def test_a_copied_operator_still_hides() -> None:
    assert shown(copy.deepcopy(operator([NUMBER]))) == '"1 recipient"'


def test_partial_and_expand_take_recipients_and_shards() -> None:
    common = {"task_id": "send", "scenario_key": "K", "sms": {"text": "Hi"}}
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):

        @task
        def people() -> list[list[str]]:
            return [[NUMBER]]

        over_people = OmniSendBatchOperator.partial(**common).expand(recipients=people())
        over_shards = OmniSendBatchOperator.partial(**common | {"task_id": "shards"}, recipients=people()).expand(
            shard=["1/2", "2/2"]
        )
    assert over_people.upstream_task_ids == {"people"}
    assert over_shards.upstream_task_ids == {"people__1"}


def zipped(data: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("people.csv", data)
    return whole.getvalue()


# -- rows ----------------------------------------------------------------------------------------------------------


def generated() -> Iterator[str]:
    yield from (NUMBER, OTHER)


@pytest.mark.parametrize(
    "recipients",
    [
        [NUMBER, OTHER],
        (NUMBER, OTHER),
        {NUMBER: 1, OTHER: 2}.keys(),
        generated(),
        f"['{NUMBER}', '{OTHER}']",
    ],
)
def test_bare_numbers_come_from_any_iterable(recipients: Any) -> None:
    assert [number for number, _ in rows(operator(recipients))] == [NUMBER, OTHER]


class Lazy(Sequence[Any]):
    """A stand-in for Airflow's output of a mapped task: an item for each of its copies."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


OF_AIRFLOW_3 = type("LazyXComSequence", (Lazy,), {"__module__": "airflow.sdk.execution_time.lazy_sequence"})
OF_AIRFLOW_2 = type("LazyXComSelectSequence", (Lazy,), {"__module__": "airflow.models.xcom"})


def test_this_airflow_names_the_output_of_a_mapped_task_as_expected() -> None:
    found = []
    for each in (OF_AIRFLOW_3, OF_AIRFLOW_2):
        with contextlib.suppress(ImportError):
            found.append(hasattr(importlib.import_module(each.__module__), each.__name__))
    assert any(found)


@pytest.mark.parametrize("lazy", [OF_AIRFLOW_3, OF_AIRFLOW_2])
def test_what_the_copies_of_a_mapped_task_returned_is_joined(lazy: Any) -> None:
    assert rows(operator(lazy([NUMBER], [OTHER]))) == [(NUMBER, None), (OTHER, None)]
    assert rows(operator(lazy(NUMBER, ROWS[1]))) == [(NUMBER, None), (OTHER, ROWS[1])]
    several = operator([lambda: None, NUMBER])  # a stand-in for an XComArg
    several.recipients = [lazy([OTHER], [NUMBER]), NUMBER]
    assert [number for number, _ in rows(several)] == [OTHER, NUMBER, NUMBER]


@pytest.mark.parametrize(
    "recipients",
    [
        [[NUMBER, 4930123400], (OTHER, 4930123500)],
        OF_AIRFLOW_3([[NUMBER, 4930123400]], [[OTHER, 4930123500]]),
        str([[NUMBER, 4930123400], [OTHER, 4930123500]]),
    ],
)
def test_rows_of_a_query_that_come_by_xcom_are_not_taken_apart(recipients: Any) -> None:
    with operator(recipients).open_rows() as found:
        assert [(row.number, row.problem) for row in found] == [(None, LIST)] * 2


def test_a_row_that_stands_beside_what_a_task_returned_is_not_taken_apart() -> None:
    sending = operator([lambda: None, [NUMBER, 4930123400]])
    sending.recipients = [[OTHER, [NUMBER, 4930123400]], sending.recipients[1]]
    assert [number for number, _ in rows(sending)] == [OTHER, None, None]


class Returned:
    """A stand-in for an XComArg: Airflow puts in its place what another task returned."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def resolve(self, context: Any, **_: Any) -> Any:
        return self.value


def test_what_several_tasks_returned_is_joined_when_airflow_has_rendered_it() -> None:
    several = copy.copy(operator([Returned([NUMBER, OTHER]), Returned(ROWS[0]), OTHER, [NUMBER, 4930123400]]))
    several.render_template_fields({})
    assert shown(several) == '"4 recipients"'
    assert [number for number, _ in rows(several)] == [NUMBER, OTHER, NUMBER, OTHER, None]


def test_rows_come_from_dicts_in_a_list_or_in_its_text() -> None:
    assert rows(operator(ROWS)) == rows(operator(str(ROWS))) == [(row["phone"], row) for row in ROWS]


@pytest.mark.parametrize("make", [str, Path, ObjectStoragePath, lambda path: f"file://{path}"])
@pytest.mark.parametrize("ending", [".csv", ".CSV", ".csv.gz", ".jsonl", ".ndjson.gz"])
def test_rows_come_from_files(tmp_path: Path, ending: str, make: Any) -> None:
    path = tmp_path / f"people{ending}"
    if "csv" in ending.lower():
        text = "phone,name\r\n" + "".join(f'{row["phone"]},"{row["name"]}"\r\n' for row in ROWS)
    else:
        text = "".join(json.dumps(row) + "\n" for row in ROWS)
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    assert rows(operator(make(str(path)))) == [(row["phone"], row) for row in ROWS]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.zip"])
def test_a_file_is_read_in_the_encoding_that_is_given_and_else_refused_with_its_name(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"people{ending}"
    data = f"phone,name\r\n{NUMBER},สมชาย\r\n".encode("cp874")
    path.write_bytes({".csv": bytes, ".csv.gz": gzip.compress, ".csv.zip": zipped}[ending](data))
    assert rows(operator(str(path), encoding="TIS-620")) == [(NUMBER, {"phone": NUMBER, "name": "สมชาย"})]
    with pytest.raises(OmniInputError, match=r'is not UTF-8; going by its letters, give encoding="cp874" \(Thai\)'):
        rows(operator(str(path)))


def test_a_line_end_inside_a_cell_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(f'phone,name\r\n{NUMBER},"A\r\nB"\r\n'.encode())
    assert rows(operator(str(path))) == [(NUMBER, {"phone": NUMBER, "name": "A\r\nB"})]


def test_a_file_that_is_not_there_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(OmniStorageError, match="is not there") as raised:
        rows(operator(str(tmp_path / "people.csv")))
    assert raised.value.retryable


def test_a_file_that_ends_in_the_middle_is_an_error_not_an_end(tmp_path: Path) -> None:
    path = tmp_path / "people.csv.gz"
    text = "phone\n" + "".join(f"4179{index:07d}\n" for index in range(20_000))
    path.write_bytes(gzip.compress(text.encode())[:-2000])
    with pytest.raises(OmniInputError, match=r"people\.csv\.gz ends too early") as caught:
        rows(operator(str(path)))
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("ending", "compress"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress), ("zip", zipped)]
)
def test_a_damaged_file_is_one_clear_error_that_names_it(tmp_path: Path, ending: str, compress: Any) -> None:
    whole = compress(("phone\n" + "".join(f"4179{index * 7919 % 10**7:07d}\n" for index in range(5_000))).encode())
    path = tmp_path / f"people.csv.{ending}"
    seen: set[str] = set()
    for at in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        failure = failure_of(lambda: rows(operator(str(path))))
        # What comes out of a damaged file may be read before the damage shows.
        assert failure is None or isinstance(failure, OmniInputError)
        assert "4179" not in str(failure)
        seen |= {line for line in getattr(failure, "problems", ()) if f"people.csv.{ending} is damaged" in line}
    assert len(seen) == 1


def failure_of(action: Any) -> Exception | None:
    try:
        action()
    except Exception as error:  # noqa: BLE001  whatever it is
        return error
    return None


@pytest.mark.parametrize("recipients", [{"phone": NUMBER}, 41793026727, b"x", f"[{NUMBER}", "people.txt", object()])
def test_what_cannot_be_read_is_refused_without_showing_it(recipients: Any) -> None:
    with pytest.raises(OmniInputError) as raised:
        rows(operator(recipients))
    assert "302" not in str(raised.value)


def test_none_is_no_recipients() -> None:
    with pytest.raises(OmniInputError), open_rows(None, "phone"):
        pass


WITH_NULL = [{"phone": NUMBER, "city": None, "vip": True}, {"phone": OTHER, "city": "Bern", "vip": False}]


@pytest.mark.parametrize("text", [json.dumps(WITH_NULL), str(WITH_NULL), "\n".join(map(json.dumps, WITH_NULL))])
def test_rows_that_a_task_returned_as_text_may_hold_nulls_and_truths(text: str) -> None:
    several = operator([lambda: None, NUMBER])  # a stand-in for an XComArg
    several.recipients = [text, NUMBER]
    expected = [(row["phone"], row) for row in WITH_NULL]
    assert rows(operator(text)) == rows(operator(OF_AIRFLOW_3(text))) == rows(several)[:2] == expected


def test_copies_of_a_mapped_task_may_return_one_row_each_as_json() -> None:
    assert rows(operator(OF_AIRFLOW_2(*map(json.dumps, WITH_NULL)))) == [(row["phone"], row) for row in WITH_NULL]


@pytest.mark.parametrize("text", [f"{NUMBER}, {OTHER}", f"{NUMBER}\n{OTHER}\n", f"{NUMBER} ; {OTHER};"])
def test_numbers_between_commas_or_in_lines_are_numbers(text: str) -> None:
    assert rows(operator(text)) == [(NUMBER, None), (OTHER, None)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{'phone': '41793026727', 'at': datetime.date(2026, 1, 1)}]", "recipients=task.output"),
        ("[{'phone': '41793026727'}", "does not end with ']'"),
        ("['41793026727' '41793026731']", "side by side"),
        ('{"data": []}', "an object in a text"),
        ("phone,name\n41793026727,Ann", "a text of 2 lines; is it the content of a file?"),
        ("None", "'None' (a template that found nothing?)"),
        ("", "an empty text"),
    ],
)
def test_a_text_that_is_no_list_says_what_is_wrong_and_what_to_write(text: str, told: str) -> None:
    with pytest.raises(OmniInputError) as raised:
        rows(operator(text))
    assert told in str(raised.value)
    assert "302" not in str(raised.value)
