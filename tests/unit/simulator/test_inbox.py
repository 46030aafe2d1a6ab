"""The inbox for tests: find, wait for, decide and delete messages, in process."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_omni.simulator import inbox_views
from airflow_provider_omni.simulator.deciding import OUTCOMES
from airflow_provider_omni.simulator.queries import MessageQuery


def numbers(found):
    return [message.to for message in found]


@pytest.fixture
def account(driven):
    made = driven()
    hello = {"line": {"type": "TEXT", "text": "Hello Ann"}, "sms": {"text": "Hi Ann"}}
    made.send_id("first", "41793026727", bulkId="bulk-a", **hello)
    made.send_id("second", "41793026740", bulkId="bulk-b", **(hello | {"sms": {"text": "Grüezi, wie geht's?"}}))
    made.send_id("third", "41793026710", bulkId="bulk-b", **hello)
    made.advance(5)
    return made


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, ["27", "40", "10"]),
        ({"to": "+41 79 302 67 27"}, ["27"]),
        ({"to": "4179302672"}, []),
        ({"text": "hello ann"}, ["27", "40", "10"]),
        ({"text": "GRÜEZI"}, ["40"]),
        ({"state": "delivered"}, ["27", "40"]),
        ({"state": "failed,refused"}, ["10"]),
        ({"channel": "sms"}, ["40"]),
        ({"bulk_id": "bulk-b"}, ["40", "10"]),
        ({"bulk_id": "bulk"}, []),
        ({"message_id": "second"}, ["40"]),
        ({"query": "ann to:6740"}, ["40"]),
        ({"query": "302-67"}, ["27", "40", "10"]),
        ({"query": '"wie geht"'}, ["40"]),
        ({"query": "geht wie"}, ["40"]),
        ({"query": "geht's"}, ["40"]),
        ({"query": "bulk:ulk-a"}, ["27"]),
        ({"query": "id:thi state:refused"}, ["10"]),
        ({"query": '"an open quote'}, []),
        ({"query": "http://nowhere"}, []),
        ({"query": "text:"}, []),
    ],
)
def test_queries_mean_what_they_say(account, criteria, expected):
    assert [to[-2:] for to in numbers(account.simulator.messages.find(**criteria))] == expected


@pytest.mark.parametrize(
    ("criteria", "complaint"),
    [
        ({"state": "lost"}, "state"),
        ({"channel": "PIGEON"}, "channel"),
        ({"to": 41793026727}, "to"),
        ({"state": ""}, "state"),
    ],
)
def test_a_query_that_cannot_be_meant_is_an_error(criteria, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}"):
        MessageQuery(**criteria)


def test_what_a_person_reads_is_told(account):
    ann, bob, _ = account.simulator.messages.find()
    assert (ann.text, ann.channel, ann.state) == ("Hello Ann", "LINE", "delivered")
    assert (bob.text, bob.channel, bob.state) == ("Grüezi, wie geht's?", "SMS", "delivered")
    assert bob.texts == {"LINE": "Hello Ann", "SMS": "Grüezi, wie geht's?"}


def test_waiting_ends_when_enough_are_there(account):
    sending = threading.Timer(0.05, lambda: account.send("41793026799"))
    sending.start()
    try:
        found = account.simulator.messages.wait_for(to="41793026799", timeout=20)
    finally:
        sending.join()
    assert numbers(found) == ["41793026799"]


def test_waiting_in_vain_says_what_was_there(account):
    with pytest.raises(TimeoutError, match=r"^1 message of 2 wanted, after 0 s: to='41793026727'; 3 in all$"):
        account.simulator.messages.wait_for(2, 0, to="41793026727")


def test_what_was_deleted_is_as_if_it_had_never_been_sent(account):
    assert account.simulator.messages.delete(bulk_id="bulk-b") == 2
    assert numbers(account.simulator.messages) == ["41793026727"]
    assert {row["messageId"] for row in account.logs()} == {"first"}
    assert {row["messageId"] for row in account.reports()} == {"first"}
    assert [one.message_id for one in account.record.acceptances] == ["first"]
    assert account.record.refusals == []
    assert account.send_id("second", "41793026740").json["messages"][0]["status"]["id"] == 7


def test_deleting_spares_another_message_with_the_same_id(driven):
    account = driven(duplicates="accept")
    account.send_id("same", "41793026727")
    account.send_id("same", "41793026731")
    account.advance(5)
    account.simulator.messages.delete(to="41793026727")
    assert [row["to"] for row in account.logs()] == ["41793026731"]
    assert [row["to"] for row in account.reports()] == ["41793026731"]


@pytest.mark.parametrize(
    ("outcome", "state", "statuses", "channels"),
    [
        ("delivered", "delivered", [5], ["LINE"]),
        ("operator", "operator", [2], ["LINE"]),
        ("failed", "delivered", [5, 9], ["SMS", "LINE"]),
        ("expired", "delivered", [5, 15], ["SMS", "LINE"]),
        ("all-failed", "failed", [9, 9], ["SMS", "LINE"]),
    ],
)
def test_a_fate_is_decided_by_hand(driven, outcome, state, statuses, channels):
    account = driven(reports="per-step")
    account.send("41793026744")
    account.advance(5)
    assert account.simulator.messages.decide(outcome) == 1
    account.advance(1)
    assert [message.state for message in account.simulator.messages] == [state]
    rows = account.logs()
    assert ([row["status"]["id"] for row in rows], [row["channel"] for row in rows]) == (statuses, channels)
    assert sorted(row["status"]["id"] for row in account.reports()) == sorted(statuses)
    account.advance(1000)
    assert account.reports() == []


def test_every_outcome_is_tried():
    assert set(OUTCOMES) == {"delivered", "operator", "failed", "expired", "all-failed"}


def test_a_decided_report_can_be_read_at_that_moment(driven):
    account = driven()
    account.send("41793026745")
    account.simulator.messages.decide("delivered")
    assert [row["status"]["name"] for row in account.reports()] == ["DELIVERED_TO_HANDSET"]


def test_a_decision_loses_no_report_that_was_due_before(driven):
    account = driven(reports="per-step")
    account.send("41793026746")
    account.advance(5)
    account.simulator.messages.decide("delivered")
    assert sorted((row["channel"], row["status"]["id"]) for row in account.reports()) == [("LINE", 100), ("SMS", 5)]


def test_what_is_over_or_later_cannot_be_decided(account):
    account.send("41793026744", sendAt="2026-01-02T00:00:00.000+0000")
    assert account.simulator.messages.decide("failed") == 0


def test_decided_by_hand_the_next_channel_waits_too(driven):
    account = driven(fates="by-hand")
    account.send("41793026727")
    account.advance(5)
    account.simulator.messages.decide("failed")
    account.advance(5)
    assert [(message.state, message.channel) for message in account.simulator.messages] == [("pending", "SMS")]


def test_a_step_without_content_is_not_tried_after_a_decision(driven):
    account = driven([{"channel": "VIBER"}, {"channel": "LINE"}, {"channel": "SMS"}])
    account.send("41793026745")
    account.simulator.messages.decide("failed")
    assert [(message.state, message.channel) for message in account.simulator.messages] == [("pending", "SMS")]


# What the page gets


def test_pages_hang_together(driven):
    account = driven()
    account.send(*(f"417930{place:03d}27" for place in range(120)))
    seen, before = [], None
    while True:
        page = inbox_views.page(account.simulator, MessageQuery(), before, 50)
        seen += [row["number"] for row in page["messages"]]
        before = page["next"]
        if before is None:
            break
    assert seen == list(range(120, 0, -1))
    assert page["matched"] == 120


def test_a_detail_tells_the_whole_story(driven):
    account = driven(reports="per-step")
    account.send_id("mine", "41793026740", callbackData="order 7")
    account.advance(1)
    account.reports(messageId="mine")
    account.advance(0.5)
    told = inbox_views.detail(account.simulator, 1)
    assert [(one["channel"], one["what"], one["status"]) for one in told["reports"]] == [
        ("LINE", "read", "UNDELIVERABLE_REJECTED_PLATFORM"),
        ("SMS", "to come", "DELIVERED_TO_HANDSET"),
    ]
    assert [(row["channel"], row["status"]["name"]) for row in told["logs"]] == [
        ("SMS", "PENDING_ENROUTE"),
        ("LINE", "UNDELIVERABLE_REJECTED_PLATFORM"),
    ]
    assert (told["callback_data"], told["content"]["LINE"]["text"]) == ("order 7", "by LINE")
    assert told["request"]["path"] == "/omni/1/advanced"
    assert '"callbackData": "order 7"' in told["request"]["body"]
    assert "authorization" not in told["request"]["headers"]


def test_a_report_that_was_lost_is_told_so(driven):
    account = driven()
    account.send()
    account.advance(5)
    account.simulator.faults.add("reset-after", call="reports")
    account.call("GET", "/omni/1/reports")
    assert [one["what"] for one in inbox_views.detail(account.simulator, 1)["reports"]] == ["lost on the way"]


def test_bodies_of_old_requests_are_let_go_of(driven, monkeypatch):
    account = driven()
    with account.simulator.looking() as inside:
        monkeypatch.setattr(inside.requests, "_largest_sum", 1000)
    for _ in range(6):
        account.send("41793026727")
    kept = [inbox_views.detail(account.simulator, number)["request"]["body"] is not None for number in range(1, 7)]
    assert kept[0] is False
    assert kept[-1] is True
    assert kept == sorted(kept)


def test_no_message_of_that_number():
    from airflow_provider_omni.simulator.engine import Simulator

    with pytest.raises(ValueError, match="no message 1"):
        inbox_views.detail(Simulator(), 1)


def test_a_scenario_has_the_key_that_a_dag_has_in_it(driven):
    account = driven()
    assert account.simulator.add_scenario(key="0123456789ABCDEF") == "0123456789ABCDEF"
    account.send("41793026727", scenarioKey="0123456789ABCDEF")
    assert [message.scenario_key for message in account.simulator.messages] == ["0123456789ABCDEF"]


def test_a_page_counts_each_state_in_what_is_searched_for(account):
    simulator = account.simulator

    def counted(**criteria):
        page = inbox_views.page(simulator, MessageQuery(**criteria), None, 50)
        return {state: count for state, count in page["matched_by_state"].items() if count}

    assert counted() == counted(state="refused") == {"delivered": 2, "refused": 1}
    assert counted(query="to:6740") == counted(query="to:6740", state="failed") == {"delivered": 1}
    assert counted(bulk_id="bulk-b", state="delivered") == {"delivered": 1, "refused": 1}
