"""Receipts: small, and without a number."""

from __future__ import annotations

import json

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
