"""Every switch, and every value of it: a function per value, found by its decorator; the first test misses none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_omni.simulator.settings import SWITCHES, Settings, read_switch

FREE = object()
SHOWN: dict[tuple[str, Any], Callable[..., None]] = {}
SCENARIOS = "/omni/1/scenarios"
LINE_SMS = {"name": "x", "flow": [{"channel": "LINE"}, {"channel": "SMS"}]}


def shows(name: str, *values: Any) -> Callable[..., Any]:
    """Register a function that shows what a switch does at each of these values (FREE: one that takes any)."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        for value in values or (FREE,):
            SHOWN[name, value] = function
        return function

    return register


def test_every_value_of_every_switch_is_shown():
    wanted = {(name, value) for name, switch in SWITCHES.items() for value in switch.values or (FREE,)}
    assert set(SHOWN) == wanted


@pytest.mark.parametrize(("name", "value"), SHOWN, ids=lambda part: "any" if part is FREE else str(part))
def test_switch(driven, name, value):
    function = SHOWN[name, value]
    if value is FREE:
        function(driven)
    else:
        function(driven(**{name: value}), value)


def ids(rows):
    return [row["messageId"] for row in rows]


def channels(rows):
    return [row["channel"] for row in rows]


def entries(answer):
    return [entry["status"]["id"] for entry in answer.json["messages"]]


@shows("create_status", 201, 200)
def _(account, value):
    assert account.call("POST", SCENARIOS, body=LINE_SMS).status == value


@shows("source_scenario", True, False)
def _(account, value):
    account.simulator.reset()
    answer = account.call("GET", f"{SCENARIOS}/CC9F01A5DC7BEE2C2B829D203482A654")
    assert answer.status == (200 if value else 404)


@shows("duplicate_channels", "accept", "400")
def _(account, value):
    answer = account.call("POST", SCENARIOS, body={"flow": [{"channel": "SMS"}, {"channel": "SMS"}]})
    assert answer.status == (201 if value == "accept" else 400)


@shows("scenario_update", "new-messages", "in-flight")
def _(account, value):
    account.send("41793026744", viber={"text": "x"})
    account.call(
        "PUT", f"{SCENARIOS}/{account.scenario_key}", body={"flow": [{"channel": "LINE"}, {"channel": "VIBER"}]}
    )
    account.advance(59)
    assert channels(account.logs()) == ["LINE"]
    account.advance(2)
    assert channels(account.logs()) == ["SMS" if value == "new-messages" else "VIBER", "LINE"]


@shows("unknown_scenario", "400", "404", "default", "reject")
def _(account, value):
    answer = account.send(scenarioKey="NONE")
    assert answer.status == {"400": 400, "404": 404}.get(value, 200)
    assert len(account.record.acceptances) == (1 if value == "default" else 0)
    if value == "reject":
        assert entries(answer) == [100]


@shows("missing_content", "skip", "400", "reject")
def _(account, value):
    answer = account.send(line=None)
    assert answer.status == (400 if value == "400" else 200)
    account.advance(5)
    expected = {"skip": ["SMS"], "400": [], "reject": ["SMS", "LINE"]}
    assert channels(account.logs()) == expected[value]


@shows("bad_number", "reject", "400")
def _(account, value):
    answer = account.send("12")
    assert answer.status == (400 if value == "400" else 200)
    assert value == "400" or entries(answer) == [52]


@shows("empty_destinations", "400", "200")
def _(account, value):
    assert account.send(destinations=[]).status == int(value)


@shows("max_destinations")
def _(driven):
    account = driven(max_destinations=1)
    assert account.send("41793026701", "41793026702").status == 400
    assert account.send("41793026701").status == 200


@shows("max_body_bytes")
def _(driven):
    account = driven(max_body_bytes=1000)
    assert account.send(callbackData="x" * 1000).status == 413
    assert account.send().status == 200


@shows("short_validity", "accept", "reject", "raise")
def _(account, value):
    line = {"text": "x", "validityPeriod": 5, "validityPeriodTimeUnit": "SECONDS"}
    assert entries(account.send("41793026744", line=line)) == [70 if value == "reject" else 7]
    account.advance(20)
    assert channels(account.logs()) == {"accept": ["SMS", "LINE"], "reject": [], "raise": ["LINE"]}[value]


@shows("duplicates", "status-23", "accept", "ignore", "report")
def _(account, value):
    account.send_id("m1")
    answer = account.send_id("m1")
    account.advance(5)
    assert entries(answer) == [23 if value == "status-23" else 7]
    assert len(account.record.duplicates()) == (1 if value == "accept" else 0)
    assert len(account.record.deliveries) == (2 if value == "accept" else 1)
    reported = sorted(row["status"]["id"] for row in account.reports())
    assert reported == {"accept": [5, 5], "report": [5, 23]}.get(value, [5])
    assert len(account.logs()) == (2 if value == "accept" else 1)


@shows("duplicate_window_seconds")
def _(driven):
    account = driven(duplicate_window_seconds=60.0)
    account.send_id("m1")
    account.advance(60)
    assert entries(account.send_id("m1")) == [23]
    account.advance(1)
    assert entries(account.send_id("m1")) == [7]


@shows("duplicate_scope", "account", "bulk")
def _(account, value):
    account.send_id("m1", bulkId="b1")
    assert entries(account.send_id("m1", bulkId="b1")) == [23]
    assert entries(account.send_id("m1", bulkId="b2")) == [23 if value == "account" else 7]


@shows("repeated_bulk_id", "accept", "400")
def _(account, value):
    account.send(bulkId="b1")
    assert account.send(bulkId="b1").status == (200 if value == "accept" else 400)
    assert account.send(bulkId="b2").status == 200


@shows("message_credits")
def _(driven):
    account = driven(message_credits=2)
    assert entries(account.send("41793026701", "41793026702", "41793026703")) == [7, 7, 12]
    account.simulator.configure(message_credits=0)
    assert entries(account.send("41793026703")) == [7]


@shows("refused_uses_id", True, False)
def _(account, value):
    account.send_id("m1", "41793026712")
    assert entries(account.send_id("m1", "41793026700")) == [23 if value else 7]


@shows("refused_in", "nothing", "logs", "reports", "both")
def _(account, value):
    account.send_id("m1", "41793026712")
    assert ids(account.logs()) == (["m1"] if value in ("logs", "both") else [])
    reports = account.reports()
    assert [row["status"]["id"] for row in reports] == ([12] if value in ("reports", "both") else [])


@shows("answer_order", "request", "reversed", "random")
def _(account, value):
    numbers = [f"4179302{number:04d}" for number in range(9000, 9006)]
    answered = [entry["to"]["phoneNumber"] for entry in account.send(*numbers).json["messages"]]
    assert sorted(answered) == numbers
    assert (answered == numbers) is (value == "request")
    assert (answered == numbers[::-1]) is (value == "reversed")


@shows("echo_bulk_id", "many", "given", "always")
def _(account, value):
    assert "bulkId" in account.send("41793026701", "41793026702").json
    assert ("bulkId" in account.send(bulkId="b1").json) is (value in ("given", "always"))
    assert ("bulkId" in account.send().json) is (value == "always")


@shows("single_bulk_id", "kept", "dropped")
def _(account, value):
    account.send(bulkId="b1")
    account.advance(2)
    kept = value == "kept"
    assert len(account.logs(bulkId="b1")) == (1 if kept else 0)
    assert len(account.reports(bulkId="b1")) == (1 if kept else 0)
    assert account.logs()[0]["bulkId"] == ("b1" if kept else "")


@shows("given_bulk_id", "kept", "dropped", "replaced")
def _(account, value):
    answer = account.send("41793026701", "41793026702", bulkId="b1").json
    account.advance(2)
    assert (answer["bulkId"] == "b1") is (value != "replaced")
    assert len(account.logs(bulkId="b1")) == (2 if value == "kept" else 0)
    assert len(account.reports(bulkId="b1")) == (2 if value == "kept" else 0)
    named = {row["bulkId"] for row in account.logs()}
    assert named == {"kept": {"b1"}, "dropped": {""}, "replaced": {answer["bulkId"]}}[value]


@shows("id_lists", "all", "first", "none")
def _(account, value):
    for name in ("m1", "m2"):
        account.send_id(name)
    account.advance(2)
    assert set(ids(account.logs(messageId="m2,m1"))) == {"all": {"m1", "m2"}, "first": {"m2"}, "none": set()}[value]
    assert ids(account.logs(messageId="m1")) == ["m1"]


@shows("reports", "final", "per-step")
def _(account, value):
    account.send("41793026740")
    account.advance(5)
    assert channels(account.reports()) == (["SMS"] if value == "final" else ["SMS", "LINE"])


@shows("report_consumption", "read", "written", "never")
def _(account, value):
    account.send()
    account.advance(2)
    account.simulator.faults.add("reset-after", call="reports")
    account.call("GET", "/omni/1/reports")
    assert len(account.reports()) == (0 if value == "read" else 1)
    assert len(account.reports()) == (1 if value == "never" else 0)


@shows("filtered_read", "own", "all")
def _(account, value):
    account.send_id("m1")
    account.send_id("m2")
    account.advance(2)
    assert ids(account.reports(messageId="m1")) == ["m1"]
    assert ids(account.reports()) == (["m2"] if value == "own" else [])


@shows("report_order", "newest", "oldest", "random")
def _(account, value):
    sent = [f"m{number}" for number in range(6)]
    for message_id in sent:
        account.send_id(message_id)
    account.advance(2)
    found = ids(account.reports())
    assert sorted(found) == sent
    assert (found == sent) is (value == "oldest")
    assert (found == sent[::-1]) is (value == "newest")


@shows("report_bulk_id", "sent", "empty", "absent")
def _(account, value):
    account.send(bulkId="b1")
    account.advance(2)
    assert account.reports(bulkId="b1")[0].get("bulkId") == {"sent": "b1", "empty": "", "absent": None}[value]


@shows("limit_above_max", "clamp", "400")
def _(account, value):
    for path in ("/omni/1/reports", "/omni/1/logs"):
        assert account.call("GET", path, {"limit": 1001}).status == (200 if value == "clamp" else 400)


@shows("retention_seconds")
def _(driven):
    account = driven(retention_seconds=60.0)
    account.send()
    account.advance(62)
    assert account.reports() == []
    assert account.logs() == []


@shows("notify_false", "pull", "hide")
def _(account, value):
    account.send(notify=False)
    account.advance(2)
    assert len(account.reports()) == (1 if value == "pull" else 0)
    assert len(account.logs()) == 1


@shows("pushed_reports", "pull", "hide")
def _(account, value):
    account.send(notifyUrl="https://example.org/reports")
    account.advance(2)
    assert len(account.reports()) == (1 if value == "pull" else 0)


@shows("log_lag_seconds")
def _(driven):
    account = driven(log_lag_seconds=10.0)
    account.send()
    account.advance(9)
    assert account.logs() == []
    account.advance(1.5)
    assert account.logs()[0]["status"]["id"] == 7
    account.advance(1)
    assert account.logs()[0]["status"]["id"] == 5


@shows("log_rows", "per-step", "last-step")
def _(account, value):
    account.send("41793026740")
    assert channels(account.logs()) == ["LINE"]
    account.advance(5)
    assert channels(account.logs()) == (["SMS", "LINE"] if value == "per-step" else ["SMS"])


@shows("scheduled_in_logs", True, False)
def _(account, value):
    account.send(sendAt="2026-01-01T01:00:00.000+0000")
    assert len(account.logs()) == (1 if value else 0)


@shows("operator_stops_failover", True, False)
def _(account, value):
    account.send("41793026761")
    account.advance(200)
    assert account.logs(channel="SMS")[0]["status"]["id"] == (2 if value else 29)
    assert [row["status"]["id"] for row in account.reports()] == ([2] if value else [29, 2])


@shows("undeliverable_fails_over", "at-once", "at-expiry")
def _(account, value):
    account.send("41793026741")
    account.advance(5)
    assert channels(account.logs()) == (["SMS", "LINE"] if value == "at-once" else ["LINE"])
    account.advance(60)
    assert channels(account.logs()) == ["SMS", "LINE"]


@shows("default_validity_seconds")
def _(driven):
    account = driven(default_validity_seconds=40.0)
    account.send("41793026744", line={"text": "x"})
    account.advance(41)
    assert channels(account.logs()) == ["SMS", "LINE"]


@shows("price_of_failed_steps", "zero", "full")
def _(account, value):
    account.send("41793026740")
    account.advance(5)
    prices = [row["price"]["pricePerMessage"] for row in account.logs()]
    assert prices == [0.05, 0.0 if value == "zero" else 0.02]


@shows("currency")
def _(driven):
    account = driven(currency="HRK")
    account.send()
    assert account.logs()[0]["price"]["currency"] == "HRK"


@shows("offset", "+0000", "+0100", "-0300", "+01:00", "Z")
def _(account, value):
    account.send()
    hour = {"+0100": "2026-01-01T01", "+01:00": "2026-01-01T01", "-0300": "2025-12-31T21"}.get(value, "2026-01-01T00")
    assert account.logs()[0]["sentAt"] == f"{hour}:00:00.000{value}"


@shows("error_body", "legacy", "current", "empty")
def _(account, value):
    answer = account.send(sms={"text": ""})
    assert answer.status == 400
    if value == "legacy":
        assert answer.json["requestError"]["serviceException"]["messageId"] == "BAD_REQUEST"
    elif value == "current":
        assert answer.json["errorCode"] == "E400"
        assert answer.json["violations"] == [{"property": "sms.text", "violation": "may not be empty"}]
    else:
        assert answer.wire.body == b""


@shows("throttle_body", "current", "legacy", "empty")
def _(account, value):
    account.simulator.configure(logs_per_minute=0)
    answer = account.call("GET", "/omni/1/logs")
    assert answer.status == 429
    if value == "legacy":
        assert answer.json["requestError"]["serviceException"]["messageId"] == "TOO_MANY_REQUESTS"
    elif value == "current":
        assert (answer.json["errorCode"], answer.json["violations"]) == ("E429", [])
    else:
        assert answer.wire.body == b""


@shows("retry_after", True, False)
def _(account, value):
    account.simulator.configure(logs_per_minute=1)
    account.call("GET", "/omni/1/logs")
    account.advance(20)
    assert account.call("GET", "/omni/1/logs").wire.headers.get("retry-after") == ("40" if value else None)


@shows("throttles", True, False)
def _(account, value):
    account.simulator.configure(logs_per_minute=0)
    assert account.call("GET", "/omni/1/logs").status == (429 if value else 200)


@shows("creates_per_10_minutes")
def _(driven):
    account = driven(creates_per_10_minutes=1)
    assert [account.call("POST", SCENARIOS, body=LINE_SMS).status for _ in range(2)] == [201, 429]


@shows("updates_per_10_minutes")
def _(driven):
    account = driven(updates_per_10_minutes=1)
    path = f"{SCENARIOS}/{account.scenario_key}"
    assert [account.call("PUT", path, body=LINE_SMS).status for _ in range(2)] == [200, 429]


@shows("logs_per_minute")
def _(driven):
    account = driven(logs_per_minute=1)
    assert [account.call("GET", "/omni/1/logs").status for _ in range(2)] == [200, 429]


@shows("latency_seconds")
def _(driven):
    assert driven(latency_seconds=0.25).send().wire.delay == 0.25


@shows("beat_seconds")
def _(driven):
    account = driven(beat_seconds=10.0)
    account.send()
    account.advance(9)
    assert account.reports() == []
    account.advance(1)
    assert len(account.reports()) == 1


@shows("time_scale")
def _(driven):
    account = driven(time_scale=60.0)
    account.send("41793026745")
    account.advance(2.9)
    assert account.reports() == []
    account.advance(0.2)
    assert [row["status"]["id"] for row in account.reports()] == [15]


class TestSettingThem:
    def test_unknown_names_and_bad_values_are_all_named(self):
        with pytest.raises(
            ValueError, match=r"nonsense: no such switch; reports: got 'some', expected one of final, per-step"
        ):
            Settings().changed({"nonsense": 1, "reports": "some"})

    @pytest.mark.parametrize(
        "changes",
        [{"time_scale": 0}, {"log_lag_seconds": -1}, {"throttles": 1}, {"create_status": "201"}, {"offset": 3}],
    )
    def test_values_of_the_wrong_kind_are_refused(self, changes):
        with pytest.raises(ValueError, match=next(iter(changes))):
            Settings(**changes)

    def test_whole_numbers_are_taken_for_seconds(self):
        assert Settings(log_lag_seconds=3).log_lag_seconds == 3

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("throttles=false", ("throttles", False)),
            ("time-scale=60", ("time_scale", 60.0)),
            ("create_status=200", ("create_status", 200)),
            ("reports=per-step", ("reports", "per-step")),
        ],
    )
    def test_switches_are_read_from_the_command_line(self, text, read):
        assert read_switch(text) == read

    @pytest.mark.parametrize("text", ["reports", "nonsense=1", "time_scale=fast", "throttles=maybe", "reports=some"])
    def test_what_cannot_be_read_is_said(self, text):
        with pytest.raises(ValueError, match=text.partition("=")[0]):
            read_switch(text)

    def test_secrets_stay_out_of_the_repr(self):
        assert "hidden-word" not in repr(
            Settings(password="hidden-word", app_key="hidden-word", bearer_token="hidden-word")
        )

    def test_validity_can_differ_by_channel(self, driven):
        account = driven(default_validity_by_channel={"LINE": 40.0})
        account.send("41793026744", line={"text": "x"})
        account.advance(41)
        assert channels(account.logs()) == ["SMS", "LINE"]


@shows("fates", "by-number", "by-hand")
def _(account, value):
    account.send("41793026740")
    account.advance(10)
    shown = {"by-number": ["DELIVERED_TO_HANDSET", "UNDELIVERABLE_REJECTED_PLATFORM"], "by-hand": ["PENDING_ENROUTE"]}
    assert [row["status"]["name"] for row in account.logs()] == shown[value]
