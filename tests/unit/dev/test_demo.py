"""The lines that `make demo` prints of the simulator's record."""

from __future__ import annotations

from typing import Any

from dev.demo import outcome_table, summary_lines


def record(**parts: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {"acceptances": [], "deliveries": [], "refusals": []} | parts


def accepted(message_id: str = "a") -> dict[str, Any]:
    return {"message_id": message_id, "to": "41793026740", "at": 100.0}


def delivered(channel: str, at: float, message_id: str = "a") -> dict[str, Any]:
    return {"message_id": message_id, "channel": channel, "at": at}


def test_delivered_message_says_by_which_channel_and_how_soon() -> None:
    table = outcome_table(record(acceptances=[accepted()], deliveries=[delivered("SMS", 102.0)]))

    assert table[1].endswith("delivered by SMS after 2.0 s")


def test_message_that_came_by_both_channels_says_so() -> None:
    both = [delivered("SMS", 102.0), delivered("LINE", 105.0)]

    table = outcome_table(record(acceptances=[accepted()], deliveries=both))

    assert table[1].endswith("delivered by SMS after 2.0 s, then delivered by LINE after 5.0 s")


def test_message_that_nobody_got_says_so() -> None:
    table = outcome_table(record(acceptances=[accepted()], deliveries=[delivered("SMS", 102.0, "b")]))

    assert table[1].endswith("not delivered")


def test_refused_message_says_with_which_status() -> None:
    refused = {"message_id": "a", "to": "41793026752", "status_id": 52}

    assert outcome_table(record(refusals=[refused]))[1].endswith("refused, status 52")


def test_table_shows_no_number() -> None:
    table = outcome_table(record(acceptances=[accepted()], refusals=[{**accepted(), "status_id": 52}]))

    assert "41793026740" not in "\n".join(table)


def test_summary_without_any_delivery_can_be_read() -> None:
    summary = {"total": 1, "delivered": 0, "failed": 1, "pending": 0, "by_channel": {}, "cost": {}}

    assert summary_lines(summary)[1:] == ["by channel: none", "cost: none reported"]
