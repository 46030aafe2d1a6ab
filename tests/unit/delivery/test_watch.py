"""Watches: the messages that are waited for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_omni.delivery.messages.codec import decode
from airflow_provider_omni.delivery.messages.receipt import Counts, Receipt, SentBulk
from airflow_provider_omni.delivery.tracking.criterion import SuccessCriterion
from airflow_provider_omni.delivery.tracking.journals import empty_entries
from airflow_provider_omni.delivery.tracking.watch import Bulk, Watch, bulks_of, bulks_of_ids
from airflow_provider_omni.omni.errors import OmniInputError

read = Receipt.from_json


def receipt(*sizes: int) -> dict[str, Any]:
    bulks = [SentBulk(f"b{n}", tuple(f"b{n}m{m}" for m in range(size))) for n, size in enumerate(sizes)]
    return Receipt("S", ("LINE",), bulks, Counts()).to_json()


def test_a_lone_message_is_followed_by_its_own_id_and_a_bulk_by_its_bulk_id() -> None:
    alone, together = bulks_of(read(receipt(1, 3)))
    assert alone.report_filter == {"message_id": "b0m0"}
    assert together.report_filter == {"bulk_id": "b1"}
    assert together.message_ids == ("b1m0", "b1m1", "b1m2")


def test_ids_that_are_not_all_listed_are_not_guessed() -> None:
    assert [bulk.message_ids for bulk in bulks_of(read(receipt(60, 60)))] == [(), ()]
    damaged = receipt(2, 2) | {"message_ids": ["b0m0", "b0m1", "b1m0"]}
    assert [bulk.message_ids for bulk in bulks_of(read(damaged))] == [(), ()]


def test_a_receipt_of_nothing_has_no_bulks() -> None:
    assert bulks_of(read(receipt())) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "x",
        [],
        {},
        {"bulks": "x"},
        {"bulks": [{"bulk_id": "b"}]},
        {"bulks": [{"bulk_id": "", "messages": 1}]},
        {"bulks": [{"bulk_id": "b", "messages": True}]},
    ],
)
def test_what_is_not_a_receipt_is_refused(wrong: Any) -> None:
    with pytest.raises(OmniInputError, match="receipt"):
        read(wrong)


def test_ids_given_by_hand_become_bulks_of_known_and_of_unknown_size() -> None:
    assert bulks_of_ids(message_ids=["a", "b", "a"]) == (Bulk(None, 1, ("a",)), Bulk(None, 1, ("b",)))
    assert bulks_of_ids(bulk_ids="b") == (Bulk("b", None),)


@pytest.mark.parametrize("wrong", [[], "", ["a,b"], ["a b"], ["x" * 201], [3.5], [True], [None]])
def test_ids_that_no_filter_can_name_are_refused(wrong: Any) -> None:
    with pytest.raises(OmniInputError, match="ids"):
        bulks_of_ids(message_ids=wrong)


def test_a_watch_is_plain_json_and_comes_back_the_same() -> None:
    watch = Watch(
        bulks=(Bulk("b", 2, ("x", "y")), Bulk(None, 1, ("z",)), Bulk("c", None)),
        deadline=5.5,
        criterion=SuccessCriterion(0.95, "handset", True),
        flow=("LINE", "SMS"),
        poll_interval=7.0,
        settle_seconds=8.0,
        logs_only=True,
        ledger_path="ledger",
    )
    assert Watch.from_json(json.loads(json.dumps(watch.to_json()))) == watch


def test_what_an_older_version_did_not_write_has_its_default_and_what_a_newer_one_wrote_is_ignored() -> None:
    assert Watch.from_json({"bulks": [["b", 2, []]], "deadline": 5, "news": 1}) == Watch((Bulk("b", 2),), 5.0)


def test_journals_of_different_bulks_never_share_a_key() -> None:
    bulks = (Bulk("b", 2), Bulk("b", 1, ("m",)), Bulk("b", 1, ("n",)), Bulk("c", None))
    assert len({bulk.journal_key for bulk in bulks}) == 4


def test_the_people_of_a_receipt_who_got_nothing_are_counted() -> None:
    counts = {"requested": 7, "accepted": 1, "unconfirmed": 1, "rejected": 2, "quarantined": 1, "duplicates": 1}
    assert read({"bulks": [], "counts": counts}).unsent == 3  # two refused, one never posted
    assert read({"bulks": [], "counts": counts, "dry_run": True}).unsent == 0


def test_each_request_without_a_ledger_has_an_empty_entry_that_tells_nothing() -> None:
    parts = (Watch((Bulk("a", 2),), 5.0), Watch((), 5.0, ledger_path="file:///ledger"), Watch((Bulk("b", 2),), 5.0))
    entries = empty_entries(Watch((), 5.0, parts=parts))
    assert {key: list(decode(entry)) for key, entry in entries.items()} == {"omni_journal_a": [], "omni_journal_b": []}


def test_a_batch_that_is_followed_in_its_ledger_has_no_empty_entries() -> None:
    assert empty_entries(Watch((Bulk("a", 2),), 5.0, ledger_path="file:///ledger")) == {}
