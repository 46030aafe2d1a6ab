"""Contents, their limits, and the lines that tell what is wrong with them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.contents import LineText, Sms
from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.channels import CHANNELS, OTHER_CHANNELS, OWN_ARGUMENTS, Channel
from airflow_provider_omni.omni.content import AdvancedRequest, Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.line import CONTENT as LINE
from airflow_provider_omni.omni.members import utf16_units, validity_seconds
from airflow_provider_omni.omni.models import Address, Destination
from airflow_provider_omni.omni.validation import (
    check_content,
    check_destination,
    check_scenario,
    steps_without_content,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MANDATORY: dict[str, tuple[str, ...]] = {
    "TEXT": ("text",),
    "IMAGE": ("url", "thumbnailUrl"),
    "AUDIO": ("url", "duration"),
    "VIDEO": ("url", "thumbnailUrl"),
    "STICKER": ("packageId", "stickerId"),
    "FLEX": ("altText", "contents"),
}
GOOD: dict[str, dict[str, Any]] = {
    "TEXT": {"text": "t"},
    "IMAGE": {"url": "https://x.example/i.png", "thumbnailUrl": "https://x.example/t.png"},
    "AUDIO": {"url": "https://x.example/a.m4a", "duration": 4000},
    "VIDEO": {"url": "https://x.example/v.mp4", "thumbnailUrl": "https://x.example/t.png"},
    "STICKER": {"packageId": "1", "stickerId": "1"},
    "FLEX": {"altText": "a", "contents": {"type": "BUBBLE", "hero": None, "body": [1, 2.5, True]}},
}


def problems(**arguments: Any) -> tuple[str, ...]:
    with pytest.raises(OmniInputError) as caught:
        check_content(**{"now": NOW, **arguments})
    return caught.value.problems


def test_every_channel_has_one_row_and_a_member_of_its_own() -> None:
    assert set(CHANNELS) == set(Channel.__members__)
    assert len({known.member for known in CHANNELS.values()}) == len(CHANNELS)


def test_an_argument_of_its_own_is_a_typed_channel() -> None:
    assert list(OWN_ARGUMENTS) == ["line", "sms"]
    assert all(known.typed is not None for known in OWN_ARGUMENTS.values())


@pytest.mark.parametrize("name", [name for name, known in CHANNELS.items() if known.typed is not None])
def test_what_a_row_says_of_a_typed_channel_is_what_its_module_has(name: str) -> None:
    known = CHANNELS[name]
    assert known.typed is not None
    assert known.text_type in known.typed.models
    members = {str(each.alias) for model in known.typed.models.values() for each in model.model_fields.values()}
    assert next(iter(known.typed.texts)) == "text"
    assert {*known.typed.texts, *known.typed.objects} <= members


def test_the_mandatory_members_of_a_line_type_are_those_of_the_source_document() -> None:
    assert {kind: LINE.needed(kind) for kind in LINE.models} == MANDATORY


@pytest.mark.parametrize("kind", GOOD)
def test_a_line_type_goes_out_as_it_came_in(kind: str) -> None:
    line = {"type": kind, **GOOD[kind], "validityPeriod": 5, "validityPeriodTimeUnit": "MINUTES"}
    assert check_content(line=line).to_wire() == {"line": line}


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, fields in MANDATORY.items() for field in fields])
def test_a_missing_mandatory_field_is_named_with_all_that_the_type_needs(kind: str, field: str) -> None:
    line = {"type": kind, **GOOD[kind]}
    del line[field]
    needed = MANDATORY[kind]
    also = f"; a message of type {kind} needs {' and '.join(needed)}" if len(needed) > 1 else ""
    assert problems(line=line) == (f"line.{field}: missing{also}",)


def test_several_missing_fields_are_each_told_once() -> None:
    assert problems(line={"type": "IMAGE"}) == ("line.url: missing", "line.thumbnailUrl: missing")


def test_only_a_text_is_a_message_of_type_text() -> None:
    assert check_content(line={"text": "t"}).to_wire() == {"line": {"type": "TEXT", "text": "t"}}


@pytest.mark.parametrize("line", [{}, {"url": "https://x.example"}, {"type": None, "altText": "a", "text": "t"}])
def test_without_a_type_anything_else_is_refused(line: dict[str, Any]) -> None:
    assert problems(line=line) == ("line.type: got nothing, expected one of TEXT, IMAGE, AUDIO, VIDEO, STICKER, FLEX",)


@pytest.mark.parametrize("kind", ["text", "VIDE", 7])
def test_an_unknown_type_is_refused(kind: object) -> None:
    [line] = problems(line={"type": kind, "text": "t"})
    assert line == f"line.type: got {kind!r}, expected one of TEXT, IMAGE, AUDIO, VIDEO, STICKER, FLEX"


def test_a_typo_is_told_with_what_was_meant() -> None:
    assert "line.thumbnailUr: unknown member, did you mean thumbnailUrl?" in problems(
        line={"type": "IMAGE", "url": "https://x.example", "thumbnailUr": "https://x.example"}
    )


def test_a_member_of_another_type_is_told_with_what_is_allowed() -> None:
    [line] = problems(line={"type": "TEXT", "text": "t", "packageId": "1"})
    assert line.startswith("line.packageId: got an unknown member, expected one of ")


def test_an_unknown_member_of_an_object_within_another_is_told_with_the_one_that_was_meant() -> None:
    found = problems(sms={"text": "t", "language": {"languageCod": "TR"}, "regional": {"korea": {"titel": "x"}}})
    assert "sms.language.languageCod: unknown member, did you mean languageCode?" in found
    assert "sms.regional.korea.titel: unknown member, did you mean title?" in found


@pytest.mark.parametrize("kind", GOOD)
def test_an_unknown_member_with_the_name_of_a_type_is_named_like_any_other(kind: str) -> None:
    assert problems(line={"text": "t", kind: 1})[0].startswith(f"line.{kind}: ")
    assert problems(sms={"text": "t", "language": {"languageCode": "TR", kind: 1}}) == (
        f"sms.language.{kind}: got an unknown member, expected one of languageCode",
    )


def test_every_problem_is_named_at_once() -> None:
    found = problems(
        line={"type": "IMAGE", "url": "ftp://x", "validityPeriod": 10, "validityPeriodTimeUnit": "SECONDS"},
        sms={"text": "", "transliteration": "LATIN", "language": {"languageCode": "XX"}},
        other_channels={"fax": {}, "viber": []},
        notify="yes",
        notify_url="x",
        notify_content_type="text/plain",
        callback_data="x" * 4001,
        intermediate_report=1,
        send_at=NOW + timedelta(days=180),
    )
    assert [line.split(":")[0] for line in found] == [
        "line.url",
        "line.thumbnailUrl",
        "line.validityPeriod",
        "sms.text",
        "sms.transliteration",
        "sms.language.languageCode",
        "other_channels.fax",
        "other_channels.viber",
        "notify",
        "notify_url",
        "notify_content_type",
        "callback_data",
        "intermediate_report",
        "send_at",
    ]


def test_nothing_to_say_is_refused() -> None:
    assert problems() == ("no content: at least one of line, sms and the other channels' objects is needed",)


@pytest.mark.parametrize("value", ["text", 5, ["x"]])
@pytest.mark.parametrize("field", ["line", "sms", "other_channels"])
def test_a_content_that_is_no_object_is_refused(field: str, value: Any) -> None:
    assert any(line.startswith(f"{field}:") and "an object" in line for line in problems(**{field: value}))


@pytest.mark.parametrize(
    ("text", "units"), [("x" * 5000, None), ("x" * 5001, "5,001"), ("😀" * 2500, None), ("😀" * 2501, "5,002")]
)
def test_a_line_text_is_measured_in_utf_16_units(text: str, units: str | None) -> None:
    if units is None:
        assert check_content(line={"text": text}).by_channel == {"LINE": LineText(text=text)}
    else:
        assert problems(line={"text": text})[0].startswith(f"line.text: got {units} UTF-16 units")


@pytest.mark.parametrize(("length", "good"), [(400, True), (401, False)])
def test_an_alt_text_has_400_units(length: int, good: bool) -> None:
    line = {"type": "FLEX", "altText": "x" * length, "contents": {"type": "BUBBLE"}}
    if good:
        assert check_content(line=line).channels() == ("LINE",)
    else:
        assert "401 UTF-16 units" in problems(line=line)[0]


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t", "\ud83d", "\u200b\ufeff", "\u00a0\u2800", "None", "NULL", " nan", "#REF!"]
)
@pytest.mark.parametrize("field", ["line", "sms"])
def test_a_blank_or_broken_text_is_refused(field: str, text: str) -> None:
    assert problems(**{field: {"text": text}})[0].startswith(f"{field}.text: got ")


@pytest.mark.parametrize("word", ["None", "null", "nan"])
def test_a_text_of_another_channel_that_a_template_did_not_find_is_refused(word: str) -> None:
    (problem,) = problems(other_channels={"email": {"text": word, "subject": "None"}})
    assert problem == f"other_channels.email.text: got {word!r} (a template that found nothing?), expected a text"


def test_callback_data_that_a_template_did_not_find_is_refused() -> None:
    (problem,) = problems(sms={"text": "t"}, callback_data="None")
    assert problem.startswith("callback_data: got 'None' (a template that found nothing?), expected")
    assert check_content(sms={"text": "t"}, callback_data="").options.callback_data == ""


@pytest.mark.parametrize("argument", ["line", "sms", "other_channels"])
def test_an_object_that_a_template_did_not_find_is_called_that(argument: str) -> None:
    (problem,) = problems(**{"sms": {"text": "t"}, argument: "None"})
    assert problem.startswith(f"{argument}: got 'None' (a template that found nothing?), expected an object")


@pytest.mark.parametrize("channel", ["line", "sms"])
def test_a_text_in_place_of_an_object_is_told_what_the_object_looks_like(channel: str) -> None:
    (problem,) = problems(**{"sms": {"text": "t"}, channel: "Hello"})
    assert problem.endswith(
        ': got a string of 5 characters, expected an object such as {"text": "Your parcel is here."}'
    )


def test_a_list_of_channels_in_place_of_a_flow_is_told_what_its_steps_look_like() -> None:
    step = 'such as {"channel": "LINE", "from": "InfoLine"}'
    with pytest.raises(OmniInputError) as caught:
        check_scenario("Promotion", ["LINE", "SMS"])
    assert [each.split(", expected ")[1] for each in caught.value.problems] == [f"an object {step}"] * 2
    with pytest.raises(OmniInputError) as caught:
        check_scenario("Promotion", "LINE, SMS")
    (problem,) = caught.value.problems
    assert problem.endswith(f"expected a list of objects {step}")


def test_an_sms_may_be_long() -> None:
    assert check_content(sms={"text": "x" * 100_000}).channels() == ("SMS",)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://x.example/" + "a" * 982, True),
        ("https://x.example/" + "a" * 983, False),
        ("http://x.example", True),
        ("HTTPS://x.example", True),
        ("ftp://x.example", False),
        ("x.example/i.png", False),
        ("https://", False),
        ("https://x.example/a b", False),
        ("https://[x", False),
        ("https://x.example/\n", False),
        ("", False),
    ],
)
def test_a_url_is_http_and_has_up_to_1000_characters(url: str, good: bool) -> None:
    line = {"type": "AUDIO", "url": url, "duration": 1}
    if good:
        assert check_content(line=line).to_wire()["line"]["url"] == url
    else:
        assert problems(line=line)[0].startswith("line.url: got ")


@pytest.mark.parametrize(
    ("period", "unit", "good"),
    [
        (30, "SECONDS", False),
        (31, "SECONDS", True),
        (1, "MINUTES", True),
        (1, None, True),
        (48, "HOURS", True),
        (49, "HOURS", False),
        (2880, None, True),
        (2881, None, False),
        (0, None, False),
        (-1, "HOURS", False),
        ("5", "MINUTES", True),
        ("five", None, False),
        (1.5, "MINUTES", False),
        (2, "DAYS", False),
        (None, "HOURS", False),
        (10**400, "HOURS", False),
    ],
)
@pytest.mark.parametrize("field", ["line", "sms"])
def test_a_validity_is_over_30_seconds_and_up_to_48_hours(field: str, period: Any, unit: Any, good: bool) -> None:
    content = {"text": "t", "validityPeriod": period}
    if unit is not None:
        content["validityPeriodTimeUnit"] = unit
    if good:
        assert check_content(**{field: content}) is not None
    else:
        assert problems(**{field: content})[0].startswith(f"{field}.validityPeriod")


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (Sms(text="t", validity_period=5), 300.0),
        (Sms(text="t", validity_period=31, validity_period_time_unit="SECONDS"), 31.0),
        (Sms(text="t"), None),
        ({"validityPeriod": 2, "validityPeriodTimeUnit": "HOURS"}, 7200.0),
        ({"validityPeriod": "2"}, 120.0),
        ({"validityPeriod": 2, "validityPeriodTimeUnit": "DAYS"}, None),
        ({"validityPeriod": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_validity_in_seconds(content: Any, seconds: float | None) -> None:
    assert validity_seconds(content) == seconds


def test_an_sms_in_full_goes_out_as_it_came_in() -> None:
    sms = {
        "text": "t",
        "validityPeriod": 2,
        "validityPeriodTimeUnit": "HOURS",
        "transliteration": "TURKISH",
        "language": {"languageCode": "TR"},
        "regional": {"indiaDlt": {"principalEntityId": "1", "telemarketerId": "2"}, "korea": {"title": "t"}},
    }
    assert check_content(sms=sms).to_wire() == {"sms": sms}


def test_the_other_channels_pass_through_unchanged() -> None:
    passed = [name for name, known in OTHER_CHANNELS.items() if known.typed is None]
    others = {name: {"any": [1, None, {"deep": "ö"}], "validityPeriod": 10**6} for name in passed}
    assert check_content(other_channels=others).to_wire() == others


def test_an_other_channel_must_be_json() -> None:
    assert problems(other_channels={"email": {"x": object()}})[0] == (
        "other_channels.email.x: got a value of type object, expected what JSON has"
    )


def test_models_are_taken_as_they_are() -> None:
    line, sms = LineText(text="t"), Sms(text="s")
    content = check_content(line=line, sms=sms)
    assert content.by_channel["LINE"] is line
    assert content.by_channel["SMS"] is sms


def test_the_options_go_out_as_the_api_names_them() -> None:
    options = {
        "notify": False,
        "notify_url": "https://x.example/n",
        "notify_content_type": "application/json",
        "callback_data": "c",
        "intermediate_report": True,
        "send_at": "2026-11-24T01:00:00+01:00",
    }
    content = check_content(sms={"text": "t"}, now=NOW, **options)
    assert content.options.to_wire() == {
        "notify": False,
        "notifyUrl": "https://x.example/n",
        "notifyContentType": "application/json",
        "callbackData": "c",
        "intermediateReport": True,
        "sendAt": "2026-11-24T00:00:00.000+0000",
    }


@pytest.mark.parametrize(
    ("send_at", "good"),
    [
        (NOW + timedelta(days=180) - timedelta(seconds=1), True),
        (NOW + timedelta(days=180), False),
        (NOW - timedelta(days=1), True),
        ("2026-11-24T00:00:00Z", True),
        ("2026-11-24T00:00:00", False),
        (datetime(2026, 11, 24), False),
        ("tomorrow", False),
        (5, False),
    ],
)
def test_send_at_has_an_offset_and_is_less_than_180_days_ahead(send_at: Any, good: bool) -> None:
    if good:
        assert check_content(sms={"text": "t"}, send_at=send_at, now=NOW).options.send_at is not None
    else:
        assert re.match("send_at: (found|got) ", problems(sms={"text": "t"}, send_at=send_at)[0])


def test_a_request_carries_only_what_was_set() -> None:
    content = check_content(sms={"text": "t"}, callback_data="c")
    to = Destination(to=Address(phone_number="4179", email_address="a@b"), message_id="m")
    assert AdvancedRequest(content, (to,), "K", "B").to_wire() == {
        "scenarioKey": "K",
        "bulkId": "B",
        "destinations": [{"to": {"phoneNumber": "4179", "emailAddress": "a@b"}, "messageId": "m"}],
        "sms": {"text": "t"},
        "callbackData": "c",
    }


def test_a_content_is_made_again_from_its_arguments() -> None:
    others = {"whatsApp": {"a": 1}, "email": {"b": 2}}
    content = check_content(other_channels=others, sms={"text": "s"}, line={"text": "t"})
    assert list(content.arguments()) == ["line", "sms", "other_channels"]
    assert content.arguments()["other_channels"] == others
    assert check_content(**content.arguments()) == content
    assert Content().arguments() == {}


def test_a_content_under_a_name_that_no_argument_has_is_a_mistake() -> None:
    assert "viber: got an unknown member" in problems(viber={"text": "t"})[0]


def test_contents_go_out_in_the_order_of_the_arguments_and_then_in_the_users_own() -> None:
    content = check_content(other_channels={"whatsApp": {}, "email": {}}, sms={"text": "s"}, line={"text": "t"})
    assert list(content.to_wire()) == ["line", "sms", "whatsApp", "email"]
    assert content.channels() == ("LINE", "SMS", "WHATSAPP", "EMAIL")


def test_no_repr_shows_a_text_a_url_or_a_number() -> None:
    content = check_content(
        line={"type": "IMAGE", "url": "https://hidden.example", "thumbnailUrl": "https://hidden.example"},
        sms={"text": "hidden"},
        other_channels={"email": {"text": "hidden"}},
        callback_data="hidden",
        notify_url="https://hidden.example",
    )
    request = AdvancedRequest(content, (Destination(to=Address(phone_number="41793026727")),))
    shown = repr(request) + repr(content) + repr(request.destinations) + repr(api.send_advanced(request))
    assert "hidden" not in shown
    assert "41793026727" not in shown


@given(st.text(max_size=40).filter(lambda text: len(text) > 3), st.sampled_from(["line", "sms"]))
def test_no_problem_shows_a_text(secret: str, field: str) -> None:
    shown = "\n".join(problems(**{field: {"text": [secret], "validityPeriod": 1.5, "x": secret}}))
    words = " ".join(problems(**{field: {"text": ["other"], "validityPeriod": 1.5, "x": "other"}}))
    assert secret in words or secret not in shown


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=50))
def test_utf_16_units_are_what_json_with_escapes_would_count(text: str) -> None:
    assert utf16_units(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


# --- scenarios and destinations --------------------------------------------------------------------------------------


def test_a_scenario_names_every_problem() -> None:
    with pytest.raises(OmniInputError) as caught:
        check_scenario("", [{"channel": "LINEE"}, {"from": "x", "chanel": "SMS"}], "perhaps")
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "scenario.name",
        "scenario.flow[0].channel",
        "scenario.flow[1].channel",
        "scenario.flow[1].chanel",
        "scenario.default",
    ]


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\x1b[1mShop", "Shop\n", "Sh\top", "Sh\ufffdp", "\x9bShop"])
def test_names_that_phones_show_are_not_blank_and_hold_no_control_characters(name: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        check_scenario(name, [{"channel": "LINE", "from": "Shop"}, {"channel": "SMS", "from": name}])
    fields = [line.partition(":")[0] for line in caught.value.problems]
    assert fields == ["scenario.name", "scenario.flow[1].from"]
    assert all(line.isprintable() for line in caught.value.problems)


@pytest.mark.parametrize("flow", [[], None, "LINE", {}, 5])
def test_a_flow_without_steps_is_refused(flow: Any) -> None:
    with pytest.raises(OmniInputError, match=r"scenario\.flow"):
        check_scenario("s", flow)


def test_a_scenario_without_default_does_not_mention_it() -> None:
    assert check_scenario("s", [{"channel": "SMS"}]).to_wire() == {"name": "s", "flow": [{"channel": "SMS"}]}


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ({"to": {}}, "to.to: needs phoneNumber"),
        ({"to": {"phone": "41793026727"}}, "to.to.phone: unknown member"),
        ({"to": "41793026727"}, "to.to: got a string of 11 characters"),
        ({}, "to.to: missing"),
        ({"to": {"phoneNumber": "1"}, "messageId": "x" * 201}, "to.messageId: got a string of 201 characters"),
        (7, "to: got"),
    ],
)
def test_a_bad_destination_is_one_clear_line(value: Any, start: str) -> None:
    with pytest.raises(OmniInputError) as caught:
        check_destination(value)
    assert caught.value.problems[0].startswith(start), caught.value.problems
    assert "41793026727" not in str(caught.value)


def test_steps_that_the_content_says_nothing_on_are_named() -> None:
    content = check_content(line={"text": "t"}, other_channels={"whatsApp": {"text": "t"}})
    assert steps_without_content(["LINE", "SMS", "WHATSAPP", "NEW"], content.channels()) == ("SMS",)
    assert Content().channels() == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "text", "url", "duration", "validityPeriod", "x"]), inner)
        ),
    )
)
def test_any_value_is_a_content_or_one_typed_error(value: Any) -> None:
    for field in ("line", "sms", "other_channels"):
        try:
            wire = check_content(**{field: value}, now=NOW).to_wire()
        except OmniInputError:
            wire = {}
        json.dumps(wire)


def test_a_typo_in_the_only_member_of_a_line_text_is_named_and_not_the_type_that_may_be_left_out() -> None:
    found = problems(line={"txt": "t"})
    assert found[:2] == ("line.text: missing", "line.txt: unknown member, did you mean text?")


@pytest.mark.parametrize(
    ("send_at", "found"),
    [
        ("2026-12-01 10:00:00", "'2026-12-01 10:00:00', a time without an offset"),
        (datetime(2026, 12, 1, 10), "the time 2026-12-01T10:00:00, a time without an offset"),
        ("2026-12-01 09:00:00.000000 Europe/Zurich", "'2026-12-01 09:00:00.000000 Europe/Zurich'"),
        ("Tue, 01 Dec 2026 09:00:00 GMT", "'Tue, 01 Dec 2026 09:00:00 GMT'"),
        ("01.12.2026 09:00", "'01.12.2026 09:00'"),
        ("12/01/2026 9:00 AM", "'12/01/2026 9:00 AM'"),
        ("None", "'None' (a template that found nothing?)"),
        (" ", "'' (a template that found nothing?)"),
        ("Dear Ann, 918273", "a string of 16 characters"),
        ("0793026727", "a string of 10 characters"),
        ("+41 79 302 67 27", "a string of 16 characters"),
        (5, "a value of type int"),
    ],
)
def test_a_send_time_that_is_none_is_shown_if_it_looks_like_one_beside_one_that_is(send_at: Any, found: str) -> None:
    assert problems(line={"text": "t"}, send_at=send_at) == (
        f"send_at: got {found}, expected a time with its offset from UTC, such as 2026-12-01T09:00:00+01:00",
    )
