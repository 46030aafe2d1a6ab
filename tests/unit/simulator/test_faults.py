"""Every kind of fault, in process: what the caller gets, and whether the call took effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_omni.simulator.faults import FAULT_KINDS, Fault, parse_fault, read_fault
from airflow_provider_omni.simulator.wire import Ending

SHOWN: dict[str, Callable[..., None]] = {}


def shows(kind: str) -> Callable[..., None]:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        SHOWN[kind] = function
        return function

    return register


def test_every_kind_of_fault_is_shown():
    assert set(SHOWN) == set(FAULT_KINDS)


@pytest.mark.parametrize("kind", SHOWN)
def test_fault(driven, kind):
    account = driven()
    SHOWN[kind](account, account.simulator.faults.add)


@pytest.mark.parametrize("kind", SHOWN)
def test_a_fault_says_whether_the_call_took_effect(driven, kind):
    account = driven()
    account.simulator.faults.add(kind, call="send")
    account.send()
    effect = FAULT_KINDS[kind].phase.value != "before"
    assert len(account.record.acceptances) == (1 if effect else 0)
    assert account.record.calls[0].effect is effect


def report_waits(account):
    account.send_id("m1")
    account.advance(2)


@shows("latency")
def _(account, add):
    add("latency", seconds=0.5)
    assert account.send().wire.delay == 0.5
    assert account.send().wire.delay == 0


@shows("second-reader")
def _(account, add):
    report_waits(account)
    add("second-reader", call="reports")
    assert account.reports() == []
    assert [(read.by, read.message_id) for read in account.record.reports_read] == [("second reader", "m1")]


@shows("throttle")
def _(account, add):
    add("throttle", retry_after=7)
    answer = account.send()
    assert (answer.status, answer.wire.headers["retry-after"], answer.json["errorCode"]) == (429, "7", "E429")
    add("throttle", body="legacy")
    answer = account.send()
    assert "retry-after" not in answer.wire.headers
    assert answer.json["requestError"]["serviceException"]["messageId"] == "TOO_MANY_REQUESTS"


@shows("error-before")
def _(account, add):
    add("error-before")
    add("error-before", status=409, body="empty")
    assert account.send().status == 503
    answer = account.send()
    assert (answer.status, answer.wire.body) == (409, b"")


@shows("reset-before")
def _(account, add):
    add("reset-before")
    assert account.send().wire.ending is Ending.RESET


@shows("close-before")
def _(account, add):
    add("close-before")
    assert account.send().wire.ending is Ending.CLOSED


@shows("hold-before")
def _(account, add):
    add("hold-before")
    held = account.send().wire
    assert held.ending is Ending.HELD
    assert [one.effect for one in account.simulator.held] == [False]
    assert [reply.status for reply in account.simulator.release(held.held_id)] == [200]
    assert len(account.record.acceptances) == 1
    assert held.released.result().status == 200


@shows("refuse-auth")
def _(account, add):
    add("refuse-auth")
    assert account.send().status == 401


@shows("forbid")
def _(account, add):
    add("forbid")
    assert account.send().status == 403


@shows("redirect")
def _(account, add):
    add("redirect")
    answer = account.send()
    assert (answer.status, answer.wire.headers["location"]) == (302, "/somewhere/else")


@shows("error-after")
def _(account, add):
    add("error-after", call="reports")
    report_waits(account)
    assert account.call("GET", "/omni/1/reports").status == 500
    assert account.reports() == []


@shows("reset-after")
def _(account, add):
    report_waits(account)
    add("reset-after", call="reports")
    assert account.call("GET", "/omni/1/reports").wire.ending is Ending.RESET
    assert account.reports() == []
    assert [read.lost for read in account.record.reports_read] == [True]


@shows("close-after")
def _(account, add):
    add("close-after")
    assert account.send().wire.ending is Ending.CLOSED


@shows("hold-after")
def _(account, add):
    add("hold-after")
    held = account.send().wire
    assert (held.ending, len(account.record.acceptances)) == (Ending.HELD, 1)
    assert account.simulator.release()[0].status == 200
    assert account.simulator.held == []


@shows("truncated")
def _(account, add):
    add("truncated", fraction=0.25)
    reply = account.send().wire
    assert (reply.ending, reply.sent_bytes) == (Ending.TRUNCATED, len(reply.body) // 4)


@shows("unreadable")
def _(account, add):
    add("unreadable")
    answer = account.send()
    assert (answer.status, answer.json) == (200, None)


@shows("empty")
def _(account, add):
    add("empty")
    assert account.send().wire.body == b""


@shows("wrong-shape")
def _(account, add):
    add("wrong-shape")
    assert account.send().json == {"messages": {"unexpected": True}}


@shows("foreign-ids")
def _(account, add):
    add("foreign-ids")
    assert account.send_id("m1").json["messages"][0]["messageId"] != "m1"
    assert [one.message_id for one in account.record.acceptances] == ["m1"]


@shows("missing-entries")
def _(account, add):
    add("missing-entries", count=2)
    assert len(account.send("41793026701", "41793026702", "41793026703").json["messages"]) == 1


@shows("contradiction")
def _(account, add):
    add("contradiction")
    answer = account.send("41793026701", "41793026706").json["messages"]
    assert [entry["status"]["groupId"] for entry in answer] == [1, 5, 1]
    assert answer[1]["messageId"] == answer[2]["messageId"]


@shows("huge")
def _(account, add):
    add("huge", mebibytes=2)
    answer = account.send()
    assert len(answer.wire.body) == 2 * 2**20
    assert answer.json["messages"]


@shows("drip")
def _(account, add):
    add("drip", seconds=0.1)
    reply = account.send().wire
    assert (reply.ending, reply.drip_seconds) == (Ending.DRIPPED, 0.1)


class TestMatching:
    def test_a_fault_fires_once_unless_told_otherwise(self, driven):
        account = driven()
        account.simulator.faults.add("forbid")
        assert [account.send().status for _ in range(2)] == [403, 200]

    def test_times_and_skip(self, driven):
        account = driven()
        account.simulator.faults.add("forbid", call="send", times=2, skip=1)
        assert [account.send().status for _ in range(4)] == [200, 403, 403, 200]

    def test_for_ever(self, driven):
        account = driven()
        account.simulator.faults.add("forbid", times=None)
        assert {account.send().status for _ in range(5)} == {403}

    def test_other_calls_pass(self, driven):
        account = driven()
        account.simulator.faults.add("forbid", call="logs")
        assert account.send().status == 200
        assert account.call("GET", "/omni/1/logs").status == 403

    def test_only_requests_with_a_text(self, driven):
        account = driven()
        account.simulator.faults.add("forbid", contains="m2")
        assert [account.send_id(one).status for one in ("m1", "m2")] == [200, 403]
        account.simulator.faults.add("forbid", contains="m3")
        assert account.call("GET", "/omni/1/logs", {"messageId": "m3"}).status == 403

    def test_chance_is_drawn_from_the_seed(self, driven):
        def statuses():
            account = driven()
            account.simulator.faults.add("forbid", times=None, probability=0.5, seed=3)
            return [account.send().status for _ in range(20)]

        assert statuses() == statuses()
        assert set(statuses()) == {200, 403}

    def test_a_refused_call_does_not_use_up_a_fault_of_the_answer(self, driven):
        account = driven()
        account.simulator.faults.add("reset-after")
        assert account.call("GET", "/omni/1/logs", authorization=None).status == 401
        assert account.call("GET", "/omni/1/logs").wire.ending is Ending.RESET

    def test_clear_forgets_them(self, driven):
        account = driven()
        account.simulator.faults.add("forbid")
        account.simulator.faults.clear()
        assert account.send().status == 200

    def test_a_second_reader_that_comes_every_few_seconds(self, driven):
        account = driven()
        account.simulator.faults.add("second-reader", seconds=10.0, times=None)
        account.send_id("m1")
        account.advance(8)
        account.send_id("m2")
        account.advance(1.5)
        assert [row["messageId"] for row in account.reports(limit=1)] == ["m2"]
        account.send_id("m3")
        account.advance(3)
        assert [row["messageId"] for row in account.reports()] == ["m3"]
        assert [read.message_id for read in account.record.reports_read if read.by == "second reader"] == ["m1"]


class TestReadingThem:
    def test_from_the_command_line(self):
        assert parse_fault("reset-after,call=send,times=2") == Fault("reset-after", call="send", times=2)
        assert parse_fault("latency,times=forever,seconds=0.5") == Fault("latency", times=None, seconds=0.5)
        assert parse_fault("throttle,retry_after=3,body=legacy") == Fault("throttle", retry_after=3.0, body="legacy")

    @pytest.mark.parametrize(
        "text", ["", "explode", "forbid,when=now", "forbid,times=x", "forbid,call=all", "forbid,times"]
    )
    def test_what_is_wrong_is_said(self, text):
        with pytest.raises(ValueError, match=r"kind|fault|call"):
            parse_fault(text)

    def test_from_json(self):
        assert read_fault({"kind": "forbid", "times": None}) == Fault("forbid", times=None)

    @pytest.mark.parametrize(
        ("values", "wrong"),
        [
            ({}, "kind"),
            ({"kind": "forbid", "nonsense": 1}, "nonsense"),
            ({"kind": "forbid", "times": "many"}, "times"),
            ({"kind": "forbid", "times": True}, "times"),
            ({"kind": "forbid", "times": 0}, "times"),
            ({"kind": "forbid", "times": 1.5}, "times"),
            ({"kind": "forbid", "call": None}, "call"),
            ({"kind": "forbid", "probability": 2}, "probability"),
            ({"kind": "error-before", "status": 200}, "status"),
            ({"kind": "forbid", "body": "xml"}, "body"),
            ({"kind": "latency", "seconds": -1}, "seconds"),
        ],
    )
    def test_bad_members_are_named(self, values, wrong):
        with pytest.raises(ValueError, match=wrong):
            read_fault(values)
