"""The seven calls: what is taken, what is refused, and how the answers look."""

from __future__ import annotations

import base64
import json

import pytest

DOCUMENT_SCENARIO = {
    "name": "My LINE-SMS scenario",
    "flow": [{"from": "InfoLine", "channel": "LINE"}, {"from": "InfoSMS", "channel": "SMS"}],
    "default": True,
}
DOCUMENT_KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
DOCUMENT_SMS = {"text": "This text will be received if Line communication channel message is not delivered."}
DOCUMENT_LINE = {
    "TEXT": {"type": "TEXT", "text": "This Line message will be delivered to Line application on the user device."},
    "IMAGE": {
        "type": "IMAGE",
        "url": "http://www.infobip.com/infobip-logo.png",
        "thumbnailUrl": "http://www.infobip.com/infobip-logo.png",
    },
    "AUDIO": {"type": "AUDIO", "url": "https://www.audioUrl.com", "duration": 4000},
    "VIDEO": {"type": "VIDEO", "url": "https://www.videoUrl.com", "thumbnailUrl": "https://www.thumbnailUrl.com"},
    "STICKER": {"type": "STICKER", "packageId": "1", "stickerId": "1"},
}
SERVICE_EXCEPTION = ("requestError", "serviceException")


def message_of(answer):
    return answer.json["requestError"]["serviceException"]["messageId"]


def complaints(answer):
    return answer.json["requestError"]["serviceException"]["validationErrors"]


@pytest.fixture
def account(driven):
    return driven()


class TestTheSourceDocument:
    def test_create_omni_scenario(self, driven):
        account = driven()
        account.simulator.reset()
        answer = account.call("POST", "/omni/1/scenarios", body=DOCUMENT_SCENARIO)
        assert answer.status == 201
        assert answer.json == {"key": DOCUMENT_KEY, **DOCUMENT_SCENARIO}

    @pytest.mark.parametrize("kind", DOCUMENT_LINE)
    def test_send_omni_message(self, account, kind):
        body = {
            "scenarioKey": DOCUMENT_KEY,
            "destinations": [{"to": {"phoneNumber": "41793026727"}}],
            "line": DOCUMENT_LINE[kind],
            "sms": DOCUMENT_SMS,
        }
        answer = account.call("POST", "/omni/1/advanced", body=body)
        assert answer.status == 200
        assert set(answer.json) == {"messages"}
        message = answer.json["messages"][0]
        assert message["to"] == {"phoneNumber": "41793026727"}
        assert message["status"] == {
            "groupId": 1,
            "groupName": "PENDING",
            "id": 7,
            "name": "PENDING_ENROUTE",
            "description": "Message sent to next instance",
        }
        assert message["messageId"]

    def test_get_delivery_reports(self, account):
        account.send("41793026727")
        account.advance(2)
        report = account.reports()[0]
        assert report["to"] == "41793026727"
        assert report["channel"] == "LINE"
        assert report["status"]["name"] == "DELIVERED_TO_HANDSET"
        assert report["error"]["name"] == "NO_ERROR"
        assert report["sentAt"] == "2026-01-01T00:00:00.000+0000"
        assert report["doneAt"] == "2026-01-01T00:00:01.000+0000"
        assert report["price"] == {"pricePerMessage": 0.02, "currency": "EUR"}

    def test_without_authorization(self, account):
        for method, path in (("POST", "/omni/1/scenarios"), ("POST", "/omni/1/advanced"), ("GET", "/omni/1/reports")):
            answer = account.call(method, path, body={}, authorization=None)
            assert (answer.status, message_of(answer)) == (401, "UNAUTHORIZED")


class TestAuthorization:
    @pytest.mark.parametrize(
        "header", ["App demo", "Bearer demo", "basic " + base64.b64encode(b"demo:demo-password").decode()]
    )
    def test_each_scheme_is_taken(self, account, header):
        assert account.call("GET", "/omni/1/scenarios", authorization=header).status == 200

    @pytest.mark.parametrize(
        "header", ["App wrong", "Bearer", "Basic ???", "Basic /////w==", "Digest demo", "demo", ""]
    )
    def test_anything_else_is_401(self, account, header):
        assert account.call("GET", "/omni/1/scenarios", authorization=header).status == 401


class TestScenarios:
    def test_equal_names_make_two_scenarios(self, account):
        keys = {account.call("POST", "/omni/1/scenarios", body=DOCUMENT_SCENARIO).json["key"] for _ in range(2)}
        assert len(keys) == 2
        assert all(len(key) == 32 for key in keys)

    def test_the_first_is_the_default_and_a_new_default_takes_over(self, account):
        assert account.call("GET", f"/omni/1/scenarios/{account.scenario_key}").json["default"] is True
        account.call("POST", "/omni/1/scenarios", body=DOCUMENT_SCENARIO)
        assert account.call("GET", f"/omni/1/scenarios/{account.scenario_key}").json["default"] is False

    def test_list_pages_and_filters(self, account):
        for number in range(3):
            account.call("POST", "/omni/1/scenarios", body={"name": f"n{number}", "flow": [{"channel": "SMS"}]})
        page = account.call("GET", "/omni/1/scenarios", {"limit": 3, "page": 1}).json["scenarios"]
        assert [one["name"] for one in page] == ["n2"]
        default = account.call("GET", "/omni/1/scenarios", {"isDefault": "true"}).json["scenarios"]
        assert [one["key"] for one in default] == [account.scenario_key]

    def test_update_replaces_it(self, account):
        path = f"/omni/1/scenarios/{account.scenario_key}"
        answer = account.call("PUT", path, body={"name": "other", "flow": {"channel": "SMS"}})
        assert answer.status == 200
        assert answer.json["flow"] == [{"channel": "SMS"}]
        assert account.call("GET", path).json == answer.json

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_an_unknown_key_is_404(self, account, method):
        assert account.call(method, "/omni/1/scenarios/NONE", body=DOCUMENT_SCENARIO).status == 404

    @pytest.mark.parametrize(
        ("body", "member"),
        [
            ({}, "flow"),
            ({"flow": []}, "flow"),
            ({"flow": [{"channel": "PIGEON"}]}, "flow[0].channel"),
            ({"flow": ["LINE"]}, "flow[0].channel"),
            ({"flow": [{"channel": "SMS", "from": 1}]}, "flow[0].from"),
            ({"flow": [{"channel": "SMS"}], "name": 1}, "name"),
            ({"flow": [{"channel": "SMS"}], "default": "yes"}, "default"),
            ([], "body"),
        ],
    )
    def test_bad_bodies_name_the_member(self, account, body, member):
        answer = account.call("POST", "/omni/1/scenarios", body=body)
        assert answer.status == 400
        assert member in complaints(answer)

    @pytest.mark.parametrize("query", [{"limit": "x"}, {"limit": 0}, {"page": -1}, {"isDefault": "maybe"}])
    def test_bad_paging_is_400(self, account, query):
        assert account.call("GET", "/omni/1/scenarios", query).status == 400


class TestSend:
    def test_several_destinations_share_a_bulk_id(self, account):
        answer = account.send("41793026700", "41793026701", bulkId="b1")
        assert answer.json["bulkId"] == "b1"
        assert len(answer.json["messages"]) == 2

    def test_client_ids_are_kept(self, account):
        assert account.send_id("m1").json["messages"][0]["messageId"] == "m1"

    def test_a_destination_may_stand_alone_instead_of_in_a_list(self, account):
        assert account.send(destinations={"to": {"phoneNumber": "41793026727"}}).status == 200

    def test_unknown_members_are_ignored(self, account):
        assert account.send(surprise={"any": 1}, isPromotional=False).status == 200

    def test_line_without_type_is_text(self, account):
        assert account.send(line={"text": "x"}).status == 200

    def test_without_scenario_key_the_default_is_used(self, account):
        account.send(scenarioKey=None)
        assert account.record.acceptances[0].scenario_key == account.scenario_key

    @pytest.mark.parametrize(
        ("members", "complaint"),
        [
            ({"line": {"type": "IMAGE", "url": "https://x"}}, "line.thumbnailUrl"),
            ({"line": {"type": "AUDIO", "url": "https://x"}}, "line.duration"),
            ({"line": {"type": "VIDEO", "thumbnailUrl": "https://x"}}, "line.url"),
            ({"line": {"type": "STICKER", "stickerId": "1"}}, "line.packageId"),
            ({"line": {"type": "FLEX", "altText": "x"}}, "line.contents"),
            ({"line": {"type": "HOLOGRAM"}}, "line.type"),
            ({"line": "text"}, "line"),
            ({"line": {"type": "AUDIO", "url": "x" * 1001, "duration": 1}}, "line.url"),
            ({"sms": {"text": ""}}, "sms.text"),
            ({"sms": {"text": "x", "validityPeriod": "soon"}}, "sms.validityPeriod"),
            (
                {"sms": {"text": "x", "validityPeriod": 1, "validityPeriodTimeUnit": "AGES"}},
                "sms.validityPeriodTimeUnit",
            ),
            ({"callbackData": "x" * 4001}, "callbackData"),
            ({"sendAt": "tomorrow"}, "sendAt"),
            ({"sendAt": "2026-07-01T00:00:00.000+0000"}, "sendAt"),
            ({"bulkId": 7}, "bulkId"),
            ({"destinations": ["41793026727"]}, "destinations"),
            ({"destinations": [{"to": {"phoneNumber": "41793026727"}, "messageId": 7}]}, "destinations[0].messageId"),
            ({"line": None, "sms": None}, "line"),
        ],
    )
    def test_bad_members_are_named_and_nothing_is_sent(self, account, members, complaint):
        answer = account.send(**members)
        assert answer.status == 400
        assert complaint in complaints(answer)
        assert account.record.acceptances == []

    @pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b"null", b""])
    def test_a_body_that_is_not_an_object_is_400(self, account, body):
        assert account.call("POST", "/omni/1/advanced", body=body).status == 400

    @pytest.mark.parametrize(("to", "status"), [({}, 51), ({"phoneNumber": ""}, 51), ({"phoneNumber": "12x"}, 52)])
    def test_a_bad_address_is_refused_alone(self, account, to, status):
        good = {"to": {"phoneNumber": "41793026727"}}
        answer = account.send(destinations=[{"to": to}, good])
        assert [entry["status"]["id"] for entry in answer.json["messages"]] == [status, 7]
        assert len(account.record.acceptances) == 1

    @pytest.mark.parametrize("number", ["+41793026727", "0041793026727", "41793026727"])
    def test_a_number_is_the_same_however_it_is_written(self, account, number):
        account.send(number)
        assert [one.to for one in account.record.messages_for("41793026727")] == ["41793026727"]

    def test_other_addresses_get_the_default_fate(self, driven):
        account = driven(flow=[{"channel": "EMAIL"}])
        account.send(destinations=[{"to": {"emailAddress": "a@example.org"}}], email={"text": "x", "subject": "y"})
        account.advance(2)
        assert account.reports()[0]["to"] == "a@example.org"


class TestReports:
    def test_a_report_is_handed_out_once(self, account):
        account.send()
        account.advance(2)
        assert len(account.reports()) == 1
        assert account.reports() == []

    def test_fifty_unless_told_otherwise_and_a_thousand_at_most(self, account):
        account.send(*["41793026727"] * 1100)
        account.advance(2)
        assert len(account.reports()) == 50
        assert len(account.reports(limit=1000)) == 1000
        assert len(account.reports(limit=1000)) == 50

    def test_filters_take_their_own_rows_only(self, account):
        account.send_id("m1", bulkId="b1")
        account.send_id("m2", bulkId="b1")
        account.send_id("m3", "41793026740", bulkId="b2")
        account.advance(5)
        assert [row["messageId"] for row in account.reports(messageId="m2")] == ["m2"]
        assert [row["messageId"] for row in account.reports(bulkId="b1")] == ["m1"]
        assert account.reports(bulkId="b1", messageId="m3") == []
        assert account.reports(channel="LINE") == []
        assert [row["messageId"] for row in account.reports(channel="SMS")] == ["m3"]

    def test_callback_data_comes_back(self, account):
        account.send(callbackData="for me")
        account.advance(2)
        assert account.reports()[0]["callbackData"] == "for me"

    def test_reports_are_gone_after_48_hours(self, account):
        account.send()
        account.advance(48 * 3600 + 2)
        assert account.reports() == []

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": "all"}, {"channel": "PIGEON"}])
    def test_bad_parameters_are_400(self, account, query):
        assert account.call("GET", "/omni/1/reports", query).status == 400


class TestLogs:
    def test_logs_can_be_read_again(self, account):
        account.send()
        assert account.logs() == account.logs()

    def test_a_row_per_attempted_channel_newest_first_without_error(self, account):
        account.send("41793026740", callbackData="x")
        account.advance(5)
        rows = account.logs()
        assert [(row["channel"], row["from"], row["text"]) for row in rows] == [
            ("SMS", "InfoSMS", "by SMS"),
            ("LINE", "InfoLine", "by LINE"),
        ]
        assert not any({"error", "callbackData"} & set(row) for row in rows)

    def test_a_pending_row_has_no_done_at(self, account):
        account.send()
        row = account.logs()[0]
        assert (row["status"]["id"], "doneAt" in row) == (7, False)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"messageId": "m1"}, ["m1"]),
            ({"messageId": "m1,m2"}, ["m2", "m1"]),
            ([("messageId", "m1"), ("messageId", "m2")], ["m2", "m1"]),
            ({"bulkId": "b2"}, ["m3", "m3"]),
            ({"bulkId": "b1", "messageId": "m1,m3"}, ["m1"]),
            ({"channel": "SMS"}, ["m3"]),
            ({"generalStatus": "REJECTED"}, ["m3"]),
            ({"from": "InfoSMS"}, ["m3"]),
            ({"to": "+41793026740"}, ["m3", "m3"]),
            ({"sentSince": "2026-01-01T01:00:01.500+01:00"}, ["m3", "m3"]),
            ({"sentUntil": "2026-01-01T00:00:01.500+0000"}, ["m2", "m1"]),
            ({"sentSince": "2026-01-01T00:00:01Z", "sentUntil": "2026-01-01T00:00:01Z"}, ["m2"]),
            ({"mcc": "228", "mnc": "01", "limit": 1}, ["m3"]),
            ({"mcc": "999"}, []),
        ],
    )
    def test_filters(self, account, query, found):
        for message_id, number, bulk_id in (("m1", "00", "b1"), ("m2", "01", "b1"), ("m3", "40", "b2")):
            account.send_id(message_id, f"417930267{number}", bulkId=bulk_id)
            account.advance(1)
        account.advance(5)
        rows = account.call("GET", "/omni/1/logs", query).json["results"]
        assert [row["messageId"] for row in rows] == found

    def test_a_printed_time_finds_its_row_on_both_sides(self, account):
        account.advance(0.1234567)
        account.send_id("m1")
        printed = account.logs()[0]["sentAt"]
        assert len(account.logs(sentSince=printed)) == len(account.logs(sentUntil=printed)) == 1

    def test_logs_are_gone_after_48_hours(self, account):
        account.send()
        account.advance(48 * 3600 + 2)
        assert account.logs() == []

    def test_an_unescaped_plus_in_a_date_is_400(self, account):
        answer = account.call("GET", "/omni/1/logs", {"sentSince": "2026-01-01T00:00:00.000 0100"})
        assert answer.status == 400


class TestThrottles:
    def test_the_21st_scenario_in_ten_minutes_is_429(self, account):
        for _ in range(20):
            assert account.call("POST", "/omni/1/scenarios", body=DOCUMENT_SCENARIO).status == 201
        assert account.call("POST", "/omni/1/scenarios", body=DOCUMENT_SCENARIO).status == 429
        account.advance(600)
        assert account.call("POST", "/omni/1/scenarios", body=DOCUMENT_SCENARIO).status == 201

    def test_the_41st_update_in_ten_minutes_is_429(self, account):
        path = f"/omni/1/scenarios/{account.scenario_key}"
        statuses = [account.call("PUT", path, body=DOCUMENT_SCENARIO).status for _ in range(41)]
        assert statuses == [200] * 40 + [429]

    def test_the_121st_logs_call_in_a_minute_is_429(self, account):
        statuses = [account.call("GET", "/omni/1/logs").status for _ in range(121)]
        assert statuses == [200] * 120 + [429]


class TestOtherPaths:
    @pytest.mark.parametrize("path", ["/", "/omni/1/text", "/omni/1/scenarios/a/b", "/sms/1/omni/1/scenarios"])
    def test_are_404(self, account, path):
        answer = account.call("GET", path)
        assert (answer.status, message_of(answer)) == (404, "NOT_FOUND")

    @pytest.mark.parametrize(("method", "path"), [("DELETE", "/omni/1/scenarios/x"), ("GET", "/omni/1/advanced")])
    def test_other_methods_are_405(self, account, method, path):
        assert account.call(method, path).status == 405


def test_validation_errors_stand_in_the_legacy_envelope(account):
    answer = account.send(sms={"text": ""})
    exception = answer.json["requestError"]["serviceException"]
    assert exception == {
        "messageId": "BAD_REQUEST",
        "text": "Bad request",
        "validationErrors": {"sms.text": ["may not be empty"]},
    }


def test_answers_are_utf8_json(account):
    account.send(sms={"text": "ไลน์"}, line={"text": "ไลน์"})
    raw = account.call("GET", "/omni/1/logs").wire
    assert raw.headers["content-type"] == "application/json;charset=UTF-8"
    assert json.loads(raw.body.decode("utf-8"))["results"][0]["text"] == "ไลน์"
