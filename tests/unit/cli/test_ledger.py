"""`ledger`: what rows add up to, what a file holds, and what is hidden."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_omni.cli import export as module
from airflow_provider_omni.cli.export import MISSING_PYARROW, export, writer_of
from airflow_provider_omni.cli.ledger import (
    answer_of_check,
    answer_of_show,
    answer_of_unreached,
    exported,
    folder_of,
    person_of,
)
from airflow_provider_omni.cli.ledger_summary import Summary
from airflow_provider_omni.cli.output import Answer, show
from airflow_provider_omni.delivery.ledger.audit import Audit
from airflow_provider_omni.delivery.recipients.sources import Row
from airflow_provider_omni.delivery.recipients.suppression import SUPPRESSED
from airflow_provider_omni.delivery.results.reader import OutcomeRow, QuarantineRow
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError, OmniStorageError
from airflow_provider_omni.pages.ledger_rows import COLUMNS

ROWS = [
    OutcomeRow("a", "1", "b", "accepted", None, "delivered", "LINE", "OK", 10.0, 20.0, {"EUR": "0.02"}),
    OutcomeRow("b", "2", "b", "accepted", None, "delivered", "SMS", "OK", 5.0, 30.0, {"EUR": "0.05"}),
    OutcomeRow("c", "3", "b", "accepted", None, "failed", "SMS", "U", 6.0, 7.0, None, False, "EC_ABSENT_SUBSCRIBER"),
    OutcomeRow("41793026727", "4", "b", "refused", "REJECTED_DESTINATION"),
    OutcomeRow("e", "5", "b", "accepted"),
    OutcomeRow("f", "6", "b", "in_doubt"),
]
QUARANTINED = [QuarantineRow(3, "no number"), QuarantineRow(9, "no number", "x")]
FINE = Audit({"tries/": 1, "sent/": 2}, 12, (), (), 0, 0, purged=False, plan_gone=False)


def text_of(answer: Answer) -> str:
    out = io.StringIO()
    show(answer, "table", out)
    return out.getvalue()


# -- show -------------------------------------------------------------------------------------------------------------


def test_rows_add_up_to_counts_a_funnel_and_reasons() -> None:
    summary = Summary.of(ROWS, [*QUARANTINED, QuarantineRow(5, SUPPRESSED, "y")])
    assert summary.funnel() == [
        ("to be posted", 6),
        ("accepted", 4),
        ("delivered by LINE", 1),
        ("delivered by SMS", 1),
        ("failed", 1),
        ("not followed", 1),
    ]
    data = summary.to_json()
    assert data["states"] == {"accepted": 4, "refused": 1, "in_doubt": 1}
    assert data["by_channel"] == {"delivered": {"LINE": 1, "SMS": 1}}
    assert data["cost"] == {"EUR": "0.07"}
    assert data["quarantine_reasons"] == {"no number": 2}
    assert (data["quarantined"], data["suppressed"]) == (2, 1)
    assert data["first_sent_at"] == "1970-01-01T00:00:05+00:00"
    assert data["last_done_at"] == "1970-01-01T00:00:30+00:00"
    assert [(each["outcome"], each["words"]) for each in data["reasons"]] == [
        ("failed", "absent subscriber: the phone is switched off, or out of reach"),
        ("refused", "the recipient's number is not valid"),
    ]


def test_an_empty_ledger_is_no_error() -> None:
    assert Summary.of([]).to_json()["recipients"] == 0
    assert "none yet" in text_of(answer_of_show("/l", Summary.of([]), ()))


def test_both_forms_show_the_same_numbers() -> None:
    answer = answer_of_show("/ledger", Summary.of(ROWS, QUARANTINED), ["shard-02-of-02"])
    text = text_of(answer)
    for words in ("delivered by SMS", "16.7 %", "in_doubt", "absent subscriber", "no number", "0.07 EUR", "shard-02"):
        assert words in text
    assert answer.data["shards_that_never_began"] == ["shard-02-of-02"]


# -- export -----------------------------------------------------------------------------------------------------------


def test_a_key_that_is_a_number_is_masked_unless_asked_for() -> None:
    assert [row["recipient"] for row in exported(ROWS, False)][3] == "4179…727"
    assert [row["recipient"] for row in exported(ROWS, True)][3] == "41793026727"


def written(tmp_path: Path, name: str, rows: Any = None, columns: Any = COLUMNS, **how: bool) -> Path:
    file = tmp_path / name
    options = {"overwrite": False, "private": False} | how
    assert export(str(file), exported(ROWS, False) if rows is None else rows, columns, **options) == 6
    return file


def test_csv_has_a_header_costs_to_add_up_and_reasons_in_words(tmp_path: Path) -> None:
    rows = list(csv.DictReader(written(tmp_path, "out.csv").open(newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["cost"], rows[0]["currency"], rows[4]["outcome"]) == ("0.02", "EUR", "")
    assert rows[0]["sent_at"] == "1970-01-01T00:00:10.000+00:00"
    assert rows[2]["words"].startswith("absent subscriber")


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    rows = [{"recipient": "=cmd()"} for _ in range(6)]
    file = written(tmp_path, "out.CSV", rows, ("recipient",))
    assert file.read_text().splitlines()[1] == "'=cmd()"


def test_jsonl_has_every_column_as_it_is(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path, "out.jsonl").read_text().splitlines()]
    assert lines == [{name: row[name] for name in COLUMNS} for row in exported(ROWS, False)]


def test_parquet_has_times_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet

    monkeypatch.setattr(module, "AT_ONCE", 4)
    table = parquet.read_table(written(tmp_path, "out.parquet")).to_pylist()
    assert [row["sent_at"].timestamp() for row in table[:3]] == [10.0, 5.0, 6.0]
    assert (table[2]["permanent"], table[0]["permanent"]) == (False, None)
    assert (table[0]["cost"], table[4]["outcome"]) == ("0.02", None)


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OmniConfigurationError) as missing:
        writer_of("out.parquet")
    assert missing.value.message == MISSING_PYARROW


@pytest.mark.parametrize("name", ["out.xlsx", "out", "csv"])
def test_another_ending_is_refused_before_anything_is_read(name: str) -> None:
    with pytest.raises(OmniInputError) as refused:
        writer_of(name)
    assert ".csv, .jsonl, .parquet" in refused.value.problems[0]


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("mine")
    with pytest.raises(OmniInputError):
        written(tmp_path, "out.csv")
    assert file.read_text() == "mine"
    assert written(tmp_path, "out.csv", overwrite=True).read_text().startswith("recipient,")


def test_a_file_with_numbers_is_its_owners_alone(tmp_path: Path) -> None:
    assert written(tmp_path, "out.csv", private=True).stat().st_mode & 0o077 == 0


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Any:
        yield {"recipient": "a"}
        raise OmniStorageError("A part is damaged.")

    with pytest.raises(OmniStorageError):
        export(str(tmp_path / "out.csv"), broken(), ("recipient",), overwrite=False, private=False)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(OmniStorageError, match="could not be written"):
        export(str(tmp_path / "none" / "out.csv"), [], ("recipient",), overwrite=False, private=False)


# -- unreached --------------------------------------------------------------------------------------------------------


def test_people_are_masked_and_without_fields_unless_asked_for() -> None:
    row = Row(0, "41793026727", {"name": "Ann", "phone": "079 302 67 27"}, normalised=True)
    assert person_of(row, False) == {"phone": "4179…727"}
    assert person_of(row, True) == {"phone": "41793026727", "name": "Ann"}


def test_those_who_are_not_listed_are_counted() -> None:
    answer = answer_of_unreached([{"phone": "4179…727"}], 4, ["A note."])
    assert answer.data["count"] == 5
    assert "5 recipients not reached, of whom 4 are not listed; --to FILE has all." in text_of(answer)
    assert "A note." in text_of(answer)
    assert "0 recipients not reached." in text_of(answer_of_unreached([], 0, ()))


# -- check ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "shards", "code"),
    [
        ({}, (), 0),
        ({"damaged": ("sent/x",)}, (), 3),
        ({"missing": ("sent/y",)}, (), 3),
        ({"plan_gone": True}, (), 3),
        ({"purged": True, "unfinished": 1, "foreign": 2}, (), 0),
        ({}, ("shard-02-of-02",), 3),
    ],
)
def test_a_ledger_is_whole_unless_something_is_missing_or_damaged(
    more: dict[str, Any], shards: tuple[str, ...], code: int
) -> None:
    from dataclasses import replace

    answer = answer_of_check([(".", replace(FINE, **more))], shards)
    assert answer.code == code
    assert answer.data["whole"] is (code == 0)
    text = text_of(answer)
    assert ("The ledger is whole." in text) is (code == 0)
    for name in (*more.get("damaged", ()), *more.get("missing", ()), *shards):
        assert name in text


# -- the path ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "nothing-here", "s3x://bucket/key"])
def test_a_path_at_which_no_batch_has_been_is_an_error(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OmniInputError):
        folder_of(path)
