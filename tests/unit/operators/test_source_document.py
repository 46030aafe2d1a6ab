"""The requests of the source document out of the operators, member for member, under the document's headings.

Our `messageId`, `bulkId` and `callbackData` come besides. The texts are ours; keys, ids and URLs are the document's.
"""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator, OmniSendMessageOperator
from tests.harness.wire import ok

KEY = "CC9F01A5DC7BEE2C2B829D203482A654"
FAILOVER = "For those who are not on LINE."


@pytest.fixture
def body_of(vendor: Any, task: Any) -> Any:
    """The body that an operator posts for these contents, without our own ids, after checking that they are there."""

    def send(**contents: Any) -> dict[str, Any]:
        operator = OmniSendMessageOperator(
            task_id="send", scenario_key=KEY, to="41793026727", sms={"text": FAILOVER}, flow=["LINE", "SMS"], **contents
        )
        operator.execute(task.context())
        (body,) = vendor.bodies
        assert body.pop("bulkId")
        assert body["destinations"][0].pop("messageId")
        assert body.pop("callbackData")
        return body  # type: ignore[no-any-return]

    return send


def request(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "scenarioKey": KEY,
        "destinations": [{"to": {"phoneNumber": "41793026727"}}],
        "line": line,
        "sms": {"text": FAILOVER},
    }


def test_text_message(body_of: Any) -> None:
    line = {"type": "TEXT", "text": "For those who are."}
    assert body_of(line=line) == request(line)


def test_send_line_image_message(body_of: Any) -> None:
    logo = "http://www.infobip.com/infobip-logo.png"
    line = {"type": "IMAGE", "url": logo, "thumbnailUrl": logo}
    assert body_of(line=line) == request(line)


def test_send_line_audio_message(body_of: Any) -> None:
    line = {"type": "AUDIO", "url": "https://www.audioUrl.com", "duration": 4000}
    assert body_of(line=line) == request(line)


def test_send_line_video_message(body_of: Any) -> None:
    line = {"type": "VIDEO", "url": "https://www.videoUrl.com", "thumbnailUrl": "https://www.thumbnailUrl.com"}
    assert body_of(line=line) == request(line)


def test_send_line_sticker_message(body_of: Any) -> None:
    line = {"type": "STICKER", "packageId": "1", "stickerId": "1"}
    assert body_of(line=line) == request(line)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ({"type": "IMAGE", "url": "http://a.example/b"}, "line.thumbnailUrl"),
        ({"type": "IMAGE", "thumbnailUrl": "http://a.example/b"}, "line.url"),
        ({"type": "AUDIO", "url": "http://a.example/b"}, "line.duration"),
        ({"type": "VIDEO", "url": "http://a.example/b"}, "line.thumbnailUrl"),
        ({"type": "STICKER", "packageId": "1"}, "line.stickerId"),
    ],
)
def test_mandatory_fields_of_the_line_types(body_of: Any, vendor: Any, line: dict[str, Any], missing: str) -> None:
    with pytest.raises(Exception, match=f"{missing}: missing"):
        body_of(line=line)
    assert vendor.bodies == []


def test_create_omni_scenario(vendor: Any, task: Any) -> None:
    flow = [{"from": "InfoLine", "channel": "LINE"}, {"from": "InfoSMS", "channel": "SMS"}]
    operator = OmniCreateScenarioOperator(task_id="create", name="My LINE-SMS scenario", flow=flow, default=True)
    created = {"key": KEY, "name": "My LINE-SMS scenario", "flow": flow, "default": True}
    vendor.register_uri("GET", "/omni/1/scenarios", **ok({"scenarios": []}))
    vendor.register_uri("POST", "/omni/1/scenarios", **ok(created, 201))
    result = operator.execute(task.context())
    assert result == created
    assert [call.body for call in vendor.request_history if call.method == "POST"] == [
        b'{"name":"My LINE-SMS scenario","flow":[{"from":"InfoLine","channel":"LINE"},'
        b'{"from":"InfoSMS","channel":"SMS"}],"default":true}'
    ]
