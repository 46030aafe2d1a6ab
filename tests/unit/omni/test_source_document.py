"""Every request and response of the source document, test by test under the document's own headings.

Members, types, ids and statuses are the document's; sentences in texts are our own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.content import AdvancedRequest
from airflow_provider_omni.omni.errors import OmniAuthenticationError
from airflow_provider_omni.omni.models import Address, Destination, Scenario
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.omni.statuses import StepState, step_state
from airflow_provider_omni.omni.validation import check_content, check_scenario

KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
SMS = {"text": "What they get where LINE did not work."}
FLOW = [{"from": "InfoLine", "channel": "LINE"}, {"from": "InfoSMS", "channel": "SMS"}]


def body_of(line: dict[str, Any]) -> Any:
    """The body that goes over the wire for one recipient, without ids of ours."""
    to = (Destination(to=Address(phone_number="41793026727")),)
    call = api.send_advanced(AdvancedRequest(check_content(line=line, sms=SMS), to, KEY))
    assert call.body is not None
    return json.loads(call.body)


def document_body(line: dict[str, Any]) -> Any:
    return {"scenarioKey": KEY, "destinations": [{"to": {"phoneNumber": "41793026727"}}], "line": line, "sms": SMS}


def answer(status: int, body: Any) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def test_1_create_omni_scenario_request() -> None:
    call = api.create_scenario(check_scenario("My LINE-SMS scenario", FLOW, True))
    assert (call.method, call.target) == ("POST", "/omni/1/scenarios")
    assert json.loads(call.body or b"") == {"name": "My LINE-SMS scenario", "flow": FLOW, "default": True}


@pytest.mark.parametrize("status", [200, 201])
def test_1_create_omni_scenario_response_format(status: int) -> None:
    call = api.create_scenario(check_scenario("My LINE-SMS scenario", FLOW, True))
    body = {"key": KEY, "name": "My LINE-SMS scenario", "flow": FLOW, "default": True}
    assert read(call, answer(status, body)) == Scenario.model_validate(body)


@pytest.mark.parametrize("call", [api.create_scenario(check_scenario("s", FLOW)), api.list_scenarios()])
def test_1_create_omni_scenario_without_authorization_is_401(call: api.Call[Any]) -> None:
    with pytest.raises(OmniAuthenticationError, match="login"):
        read(call, Response(401, {}, b""))


def test_2_send_omni_message_text_message() -> None:
    line = {"type": "TEXT", "text": "What they get on LINE."}
    assert body_of(line) == document_body(line)


def test_2_send_omni_message_response_format() -> None:
    call = api.send_advanced(AdvancedRequest(check_content(sms=SMS), ()))
    response = read(
        call,
        answer(
            200,
            {
                "messages": [
                    {
                        "to": {"phoneNumber": "41793026731"},
                        "status": {
                            "groupId": 1,
                            "groupName": "PENDING",
                            "id": 7,
                            "name": "PENDING_ENROUTE",
                            "description": "On its way",
                        },
                        "messageId": "50c24400-124f-4678-9f4b-309e994a4deb",
                    }
                ]
            },
        ),
    )
    [message] = response.messages
    assert response.bulk_id is None
    assert message.message_id == "50c24400-124f-4678-9f4b-309e994a4deb"
    assert message.to == {"phoneNumber": "41793026731"}
    assert (message.status.group_id, message.status.id, message.status.name) == (1, 7, "PENDING_ENROUTE")


def test_3_get_delivery_reports_without_parameters() -> None:
    call = api.get_reports()
    assert (call.method, call.path) == ("GET", "/omni/1/reports")


def test_3_get_delivery_reports_response() -> None:
    body = b"""{"results": [{
        "bulkId": "",
        "price": {"pricePerMessage": 0.000000, "currency": "HRK"},
        "status": {"id": 5, "groupId": 3, "groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET", "description": "d"},
        "error": {"id": 0, "name": "NO_ERROR", "description": "No Error", "groupId": 0, "groupName": "OK",
                  "permanent": false},
        "messageId": "1215f543ab19-345f-adbd-12ad31451ed25f35",
        "doneAt": "2019-01-10T16:27:20.098+0000",
        "messageCount": 1,
        "sentAt": "2019-01-10T16:27:18.497+0000",
        "to": "41793026727",
        "channel": "LINE"
    }]}"""
    [report] = read(api.get_reports(), Response(200, {}, body))
    assert (report.bulk_id, report.message_id, report.to, report.channel, report.message_count) == (
        "",
        "1215f543ab19-345f-adbd-12ad31451ed25f35",
        "41793026727",
        "LINE",
        1,
    )
    assert report.sent_at == datetime(2019, 1, 10, 16, 27, 18, 497000, tzinfo=UTC)
    assert report.done_at is not None
    assert report.done_at - report.sent_at == timedelta(seconds=1, milliseconds=601)
    assert report.price is not None
    assert (report.price.price_per_message, report.price.currency) == (Decimal(0), "HRK")
    assert report.error is not None
    assert (report.error.id, report.error.permanent) == (0, False)
    assert step_state(report.status) is StepState.HANDSET


def test_send_line_image_message() -> None:
    line = {
        "type": "IMAGE",
        "url": "http://www.infobip.com/infobip-logo.png",
        "thumbnailUrl": "http://www.infobip.com/infobip-logo.png",
    }
    assert body_of(line) == document_body(line)


def test_send_line_audio_message() -> None:
    line = {"type": "AUDIO", "url": "https://www.audioUrl.com", "duration": 4000}
    assert body_of(line) == document_body(line)


def test_send_line_video_message() -> None:
    line = {"type": "VIDEO", "url": "https://www.videoUrl.com", "thumbnailUrl": "https://www.thumbnailUrl.com"}
    assert body_of(line) == document_body(line)


def test_send_line_sticker_message() -> None:
    line = {"type": "STICKER", "packageId": "1", "stickerId": "1"}
    assert body_of(line) == document_body(line)
