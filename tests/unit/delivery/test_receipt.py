"""Receipts: small, and without a number."""

from __future__ import annotations

import json

import pytest

from airflow_provider_omni.delivery.messages.receipt import Counts, Receipt, SentBulk


def receipt(*sizes: int, ledger: str | None = None) -> dict[str, object]:
    bulks = [SentBulk(f"b{n}", tuple(f"b{n}m{m}" for m in range(size))) for n, size in enumerate(sizes)]
    counts = Counts(requested=sum(sizes))
    return Receipt("S", ("LINE", "SMS"), bulks, counts, sent_at=1_800_000_000.0, ledger_path=ledger).to_json()


def test_a_receipt_is_what_the_design_says() -> None:
    assert receipt(1, 2) == {
        "scenario_key": "S",
        "flow": ["LINE", "SMS"],
        "bulks": [
            {"bulk_id": "b0", "messages": 1, "message_id": "b0m0"},
            {"bulk_id": "b1", "messages": 2},
        ],
        "message_ids": ["b0m0", "b1m0", "b1m1"],
        "counts": {
            "requested": 3,
            "accepted": 0,
            "unconfirmed": 0,
            "rejected": 0,
            "quarantined": 0,
            "duplicates": 0,
        },
        "sent_at": "2027-01-15T08:00:00+00:00",
        "ledger_path": None,
    }


def test_ids_are_listed_up_to_a_hundred_and_bulks_too() -> None:
    assert len(receipt(100)["message_ids"]) == 100  # type: ignore[arg-type]
    assert "message_ids" not in receipt(101)
    assert len(receipt(*[1] * 150, ledger="/l")["bulks"]) == 100  # type: ignore[arg-type]


def test_without_a_ledger_a_thousand_bulks_are_listed_since_nothing_else_tells_what_to_follow() -> None:
    assert len(receipt(*[8] * 150)["bulks"]) == 150  # type: ignore[arg-type]
    assert len(receipt(*[8] * 1500)["bulks"]) == 1000  # type: ignore[arg-type]


def test_a_receipt_stays_small_whatever_the_batch() -> None:
    assert len(json.dumps(receipt(*[499] * 2000, ledger="/l"))) < 20_000
    assert len(json.dumps(receipt(*[499] * 2000))) < 80_000


def test_a_bulk_without_messages_is_left_out() -> None:
    assert receipt(0, 1)["bulks"] == [{"bulk_id": "b1", "messages": 1, "message_id": "b1m0"}]


@pytest.mark.parametrize("sizes", [(1, 2), (60, 60), (1,) * 150, ()], ids=["listed", "not listed", "many", "none"])
def test_what_is_written_is_what_is_read_back(sizes: tuple[int, ...]) -> None:
    written = receipt(*sizes) | {"account": "a", "validity_seconds": 180, "sms_parts": 3}
    written["send_at"] = "2027-01-15T09:30:00+00:00"
    read = Receipt.from_json(json.loads(json.dumps(written)))
    assert read.to_json() == written
    assert (read.send_at, read.validity_seconds, read.account) == (1_800_005_400.0, 180, "a")
    assert [each.size for each in read.bulks] == list(sizes)


def test_a_receipt_with_a_ledger_lists_nothing_to_follow_since_the_ledger_does() -> None:
    read = Receipt.from_json(receipt(3, ledger="/l") | {"bulks": "anything"})
    assert (read.ledger_path, read.bulks) == ("/l", ())


def test_a_rehearsal_has_sent_nothing_from_no_account_to_no_ledger() -> None:
    read = Receipt.from_json(receipt(ledger="/l") | {"dry_run": True, "account": "a", "counts": {"requested": 5}})
    assert (read.dry_run, read.ledger_path, read.account, read.accepted, read.unsent) == (True, None, None, 0, 0)


@pytest.mark.parametrize(
    "odd",
    [
        {"flow": "LINE"},
        {"counts": [1]},
        {"counts": {"requested": True, "accepted": "2"}},
        {"account": 7},
        {"sent_at": "yesterday"},
        {"send_at": 17},
        {"validity_seconds": True},
        {"validity_seconds": -1},
    ],
)
def test_a_member_of_another_type_counts_as_not_known(odd: dict[str, object]) -> None:
    read = Receipt.from_json({"bulks": []} | odd)
    known = (read.flow, read.counts, read.account, read.sent_at, read.send_at, read.validity_seconds)
    assert known == ((), Counts(), None, None, None, None)
