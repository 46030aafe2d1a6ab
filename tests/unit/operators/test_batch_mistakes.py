"""Mistakes of users in a batch's arguments: all is said at once, before a source is opened or a call is made."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.watch import Watch
from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.batch import OmniSendBatchOperator
from airflow_provider_omni.operators.recipients import open_rows
from airflow_provider_omni.storage.object_storage import ledger_folder, watched_folder
from airflow_provider_omni.storage.places import ledger_place
from tests.unit.operators.rendered import with_values

NUMBER = "41793026727"


class Unopened(OmniSendBatchOperator):
    """Its source must not be opened."""

    def open_rows(self, needed: Sequence[str] = ()) -> Any:
        raise AssertionError("the source was opened")


def failure(task: Any, **arguments: Any) -> str:
    batch: dict[str, Any] = {"task_id": "send", "scenario_key": "K", "flow": ["SMS"], "sms": {"text": "Hi"}}
    with pytest.raises(AirflowFailException) as caught:
        with_values(Unopened(**batch | {"recipients": [NUMBER]}), **arguments).execute(task.context())
    return str(caught.value)


def test_one_error_names_every_problem_of_arguments_rules_ledger_shard_and_contents(vendor: Any, task: Any) -> None:
    told = failure(
        task,
        scenario_key="None",
        idempotency_key=" ",
        chunk_size=0,
        max_recipients=-1,
        phone_field="",
        shard="0/1",
        ledger_path="None",
        max_connections=0,
        on_rejected="x",
        log_grace=-1,
        dry_run="false",
        encoding="klingon",
        sms={"text": "{0}", "txt": 1},
        send_at="x",
    )
    for line in (
        "scenario_key: got 'None'", "idempotency_key: ", "chunk_size: ", "max_recipients: ", "phone_field: ",
        "shard: ", "ledger_path: got 'None'", "max_connections: got 0", "on_rejected: ", "log_grace: ",
        "dry_run: got a string", "sms.text: ", "encoding: got 'klingon'",
    ):  # fmt: skip
        assert f"\n - {line}" in told, line
    assert vendor.calls == []


def test_contents_are_checked_before_the_source_is_opened(task: Any, vendor: Any) -> None:
    told = failure(task, sms={"text": "x", "txt": 1}, send_at="x", notify="x", recipients="/no/such/file.csv")
    assert all(f"\n - {line}" in told for line in ("sms.txt: unknown member", "send_at: got ", "notify: got 'x'"))
    assert vendor.calls == []


@pytest.mark.parametrize("dry_run", ["false", "{{ params.dry }}", 1, None])
def test_a_dry_run_is_true_or_false_since_any_text_would_send_nothing_and_succeed(
    task: Any, vendor: Any, dry_run: Any
) -> None:
    assert "dry_run: got" in failure(task, dry_run=dry_run)
    assert vendor.calls == []


def test_an_empty_shard_is_refused_since_every_task_would_send_to_everybody(task: Any, vendor: Any) -> None:
    assert "shard: got ''" in failure(task, shard="")
    assert vendor.calls == []


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("ledgers/today", "a relative path"),
        (Path("ledgers"), "a relative path"),
        ("", "a blank text"),
        ("None", "'None'"),
        (5, "a value of type int"),
        (None, "nothing"),
    ],
)
def test_a_ledger_is_an_absolute_path_or_a_url(path: Any, found: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        ledger_place(path)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"ledger_path: got {found}")


@pytest.mark.parametrize("path", ["ledgers/today", "", "None", None])
def test_an_unusable_path_of_unreached_is_a_mistake_in_recipients_and_not_in_the_batchs_own_ledger_path(
    path: Any,
) -> None:
    with pytest.raises(OmniInputError) as caught, open_rows(unreached(path), "phone"):
        pass
    [problem] = caught.value.problems
    assert problem.startswith("recipients: got unreached(…) of ")


def test_unreached_of_a_ledger_that_no_batch_has_used_is_a_mistake_in_recipients(tmp_path: Path) -> None:
    with pytest.raises(OmniInputError) as caught, open_rows(unreached(str(tmp_path)), "phone") as rows:
        list(rows)
    assert caught.value.problems == (
        "recipients: got unreached(…) of a ledger that no batch has used, expected the ledger_path of a batch that has "
        "run",
    )


@pytest.mark.parametrize(("below", "found"), [("", "the path of a file"), ("/x/y", "a path below a file")])
def test_a_file_in_place_of_a_ledger_is_told_with_the_other_mistakes_before_anything_is_written(
    below: str, found: str, tmp_path: Path, task: Any, vendor: Any
) -> None:
    (tmp_path / "file").write_text("")
    told = failure(task, ledger_path=f"{tmp_path}/file{below}", scenario_key="None")
    assert f"\n - ledger_path: got {found}, expected a folder, or a path" in told
    assert "\n - scenario_key: got 'None'" in told
    assert vendor.calls == []


def test_an_unusable_ledger_path_of_a_receipt_is_a_mistake_in_the_receipt() -> None:
    watch = Watch(bulks=(), deadline=0.0, criterion=SuccessCriterion("all"), ledger_path="ledgers/today")
    with pytest.raises(OmniInputError) as caught:
        watched_folder(watch)
    [problem] = caught.value.problems
    assert problem.startswith("receipt: got one with a ledger_path that is a relative path, expected an absolute path")


@pytest.mark.parametrize("path", ["people.csv", "./people.csv", Path("people/today.jsonl"), "../people.csv.gz"])
def test_a_relative_path_of_recipients_is_refused_as_that_of_a_ledger_is(
    path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(f"phone\n{NUMBER}\n")
    with pytest.raises(OmniInputError, match="recipients: got a relative path, expected"), open_rows(path, "phone"):
        pass


def test_recipients_in_the_home_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "people.csv").write_text(f"phone\n{NUMBER}\n")
    with open_rows("~/people.csv", "phone") as rows:
        assert [row.number for row in rows] == [NUMBER]


def test_a_ledger_in_the_home_folder_is_the_same_place_under_both_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ledger_place("~/ledgers/r1") == f"{tmp_path}/ledgers/r1"
    url = ObjectStoragePath("file:///data/ledgers")
    assert ledger_place(url) is url
    assert ledger_place("s3://c@bucket/ledgers") == "s3://c@bucket/ledgers"


def test_a_scheme_that_airflow_has_no_store_for_is_one_clear_problem() -> None:
    for url in ("nowhere://host/people.csv", "http://127.0.0.1:1/people.csv"):
        scheme = url.partition(":")[0]
        with (
            pytest.raises(OmniInputError, match=f"recipients: got a URL of {scheme}, for which Airflow has no"),
            open_rows(url, "phone"),
        ):
            pass
    with pytest.raises(OmniInputError, match="ledger_path: got a URL of nowhere, for which Airflow has no"):
        ledger_folder("nowhere://host/ledger")


def test_an_iterator_that_an_earlier_try_has_used_up_is_refused() -> None:
    sending = OmniSendBatchOperator(task_id="send", scenario_key="K", sms={"text": "x"}, recipients=iter([NUMBER]))
    with sending.open_rows() as rows:
        assert [row.number for row in rows] == [NUMBER]
    with pytest.raises(OmniInputError, match="that an earlier try has used up"), sending.open_rows() as rows:
        list(rows)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "people.csv"
    with pytest.raises(Exception, match=f"is not there: {missing}"), open_rows(str(missing), "phone"):
        pass


@pytest.mark.parametrize("names", [(), ("a.csv", "b.csv")])
def test_an_archive_of_other_than_one_file_is_refused_since_only_one_would_be_read(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    path = tmp_path / "people.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"phone\n{NUMBER}\n")
    with (
        pytest.raises(OmniInputError, match=f"got an archive of {len(names)} files, expected one"),
        open_rows(str(path), "phone"),
    ):
        pass


def test_what_macos_adds_to_an_archive_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "people.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("people.csv", f"phone\n{NUMBER}\n")
        archive.writestr("__MACOSX/._people.csv", "x")
    with open_rows(str(path), "phone") as rows:
        assert [row.number for row in rows] == [NUMBER]
