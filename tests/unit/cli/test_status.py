"""`status`: what is asked for, and what log rows tell."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_omni.cli.output import show
from airflow_provider_omni.cli.status import MOST_CALLS, answer_of, check_queries, messages_of, queries_of, read_receipt
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import LogRow, Price, Status

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
FAILED = Status(group_id=2, group_name="UNDELIVERABLE", id=9, name="UNDELIVERABLE_NOT_DELIVERED")
DELIVERED = Status(group_id=3, group_name="DELIVERED", id=5, name="DELIVERED_TO_HANDSET")
RECEIPT = {
    "scenario_key": "K",
    "flow": ["LINE", "SMS"],
    "bulks": [{"bulk_id": "bulk-1", "messages": 2}, {"bulk_id": "bulk-2", "messages": 1, "message_id": "alone"}],
    "message_ids": ["one", "two", "alone"],
    "counts": {"requested": 3, "accepted": 3},
    "ledger_path": None,
}


def row(message: str, channel: str, status: Status, second: int = 0, **more: Any) -> LogRow:
    sent = NOON + timedelta(seconds=second)
    return LogRow(message_id=message, channel=channel, status=status, sent_at=sent, to="41793026727", **more)


def test_a_message_that_was_posted_alone_is_asked_for_by_its_own_id() -> None:
    receipt = read_receipt(json.dumps(RECEIPT))
    assert queries_of(["one"], ["bulk-9"], receipt) == [
        ("message_ids", "one"),
        ("bulk_ids", "bulk-9"),
        ("bulk_ids", "bulk-1"),
        ("message_ids", "alone"),
    ]
    assert queries_of(["one", "one"], [], None) == [("message_ids", "one")]


def test_a_receipt_with_a_ledger_leads_to_its_ledger() -> None:
    with pytest.raises(OmniInputError) as refused:
        read_receipt(json.dumps(RECEIPT | {"ledger_path": "/data/ledger"}))
    assert "ledger show /data/ledger" in refused.value.problems[0]


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "{}", '{"bulks": 3}'])
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(OmniInputError) as refused:
        read_receipt(text)
    assert "--receipt" in refused.value.problems[0]


@pytest.mark.parametrize(
    ("queries", "words"),
    [
        ([], "nothing to ask for"),
        ([("message_ids", "41793026727")], "1 text that can be no id"),
        ([("message_ids", "a,b")], "1 text that can be no id"),
        ([("bulk_ids", f"bulk-{number}") for number in range(MOST_CALLS + 1)], "101 requests"),
    ],
)
def test_what_cannot_be_asked_is_refused_without_showing_it(queries: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(OmniInputError) as refused:
        check_queries(queries)
    assert words in refused.value.problems[0]
    assert "41793026727" not in str(refused.value)


def test_steps_of_a_message_are_joined_into_one_outcome() -> None:
    price = Price(price_per_message="0.05", currency="EUR")
    rows = [row("one", "SMS", DELIVERED, 9, price=price, bulk_id="b"), row("one", "LINE", FAILED, bulk_id="b")]
    (message,) = messages_of(rows, ("LINE", "SMS"), NOON.timestamp(), False)
    assert message == {
        "message_id": "one",
        "bulk_id": "b",
        "to": "4179…727",
        "outcome": "delivered",
        "channel": "SMS",
        "status": "DELIVERED_TO_HANDSET",
        "cost": {"EUR": "0.05"},
        "steps": [
            {
                "channel": "LINE",
                "status": "UNDELIVERABLE_NOT_DELIVERED",
                "sent_at": "2026-12-01T12:00:00+00:00",
                "done_at": None,
            },
            {
                "channel": "SMS",
                "status": "DELIVERED_TO_HANDSET",
                "sent_at": "2026-12-01T12:00:09+00:00",
                "done_at": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("channel", "flow", "outcome"),
    [("SMS", ("LINE", "SMS"), "failed"), ("LINE", ("LINE", "SMS"), "pending"), ("LINE", (), "pending")],
    ids=["last step", "another may follow", "flow not known"],
)
def test_a_failed_step_is_a_failure_only_where_it_is_known_to_be_the_last(
    channel: str, flow: tuple[str, ...], outcome: str
) -> None:
    (message,) = messages_of([row("one", channel, FAILED)], flow, NOON.timestamp(), False)
    assert message["outcome"] == outcome


def test_numbers_are_masked_unless_asked_for() -> None:
    rows = [row("one", "LINE", DELIVERED)]
    assert messages_of(rows, (), 0.0, False)[0]["to"] == "4179…727"
    assert messages_of(rows, (), 0.0, True)[0]["to"] == "41793026727"


def test_both_forms_tell_counts_reasons_and_what_is_not_in_the_logs() -> None:
    messages = messages_of(
        [row("one", "LINE", DELIVERED), row("two", "SMS", FAILED, 1)], ("LINE", "SMS"), NOON.timestamp(), False
    )
    answer = answer_of(messages, ["three"], 1)
    assert answer.code == 0
    assert answer.data["counts"] == {"pending": 0, "operator": 0, "delivered": 1, "failed": 1}
    assert answer.data["not_in_logs"] == ["three"]
    out = io.StringIO()
    show(answer, "table", out)
    for words in ("4179…727", "the operator could not deliver it", "1 delivered, 1 failed", "three", "1 row"):
        assert words in out.getvalue()


def test_nothing_found_is_an_exit_code_of_its_own() -> None:
    answer = answer_of([], ["one"], 0)
    assert answer.code == 4
    assert "Nothing found." in answer.words
