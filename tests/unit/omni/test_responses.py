"""Reading answers: a model or a typed error, whatever the bytes are."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.content import AdvancedRequest
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniAuthenticationError,
    OmniError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniRequestError,
    OmniServerError,
)
from airflow_provider_omni.omni.models import (
    Address,
    Destination,
    NewScenario,
    Price,
    Report,
    ScenarioStep,
    said_at,
    skipped_in,
)
from airflow_provider_omni.omni.responses import Response, read, retry_after
from airflow_provider_omni.omni.statuses import StepState, step_state
from airflow_provider_omni.omni.validation import check_content

NUMBER = "41793026727"
TEXT = "Dear Anna, your parcel is here."
SCENARIO = NewScenario(name="s", flow=(ScenarioStep(channel="LINE"),))
SEND = api.send_advanced(
    AdvancedRequest(
        check_content(
            line={"type": "IMAGE", "url": "https://x.example/anna.png", "thumbnailUrl": "https://x.example/t.png"},
            sms={"text": TEXT},
        ),
        (Destination(to=Address(phone_number=NUMBER)),),
    )
)
CALLS: dict[str, api.Call[Any]] = {
    "create": api.create_scenario(SCENARIO),
    "list": api.list_scenarios(),
    "get": api.get_scenario("K"),
    "update": api.update_scenario("K", SCENARIO),
    "send": SEND,
    "reports": api.get_reports(bulk_id="b"),
    "logs": api.get_logs(message_ids=["m"], to=NUMBER),
}
ROW: dict[str, Any] = {"messageId": "m", "status": {"groupId": 3, "id": 5}, "channel": "LINE"}


def answer(status: int = 200, body: Any = b"", **headers: str) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def fails(call: api.Call[Any], given_answer: Response) -> OmniError:
    with pytest.raises(OmniError) as caught:
        read(call, given_answer)
    return caught.value


# --- good answers ----------------------------------------------------------------------------------------------------


def test_members_that_nobody_knows_are_ignored() -> None:
    [report] = read(CALLS["reports"], answer(body={"new": 1, "results": [{**ROW, "new": {"deep": []}}], "more": None}))
    assert report == Report.model_validate(ROW)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("sentAt", "yesterday"),
        ("doneAt", "2019-01-10T16:27:20"),
        ("messageCount", "many"),
        ("price", "cheap"),
        ("price", {"pricePerMessage": "cheap"}),
        ("error", []),
        ("mccMnc", {}),
        ("to", {"phoneNumber": NUMBER}),
        ("callbackData", {}),
        ("channel", []),
    ],
)
@pytest.mark.parametrize("call", ["reports", "logs"])
def test_an_odd_optional_member_loses_neither_its_row_nor_the_page(call: str, member: str, value: Any) -> None:
    rows = read(CALLS[call], answer(body={"results": [ROW, {**ROW, "messageId": "n", member: value}]}))
    assert [row.message_id for row in rows] == ["m", "n"]
    assert rows[1].status == rows[0].status


@pytest.mark.parametrize(
    "odd",
    [
        {"messageId": None},
        {"messageId": ""},
        {"messageId": []},
        {"status": None},
        {"status": "DELIVERED"},
        {"status": []},
    ],
    ids=str,
)
@pytest.mark.parametrize("call", ["reports", "logs"])
def test_a_row_without_a_readable_id_or_status_is_passed_over_and_counted(call: str, odd: dict[str, Any]) -> None:
    rows = read(CALLS[call], answer(body={"results": [{**ROW, **odd}, ROW, 7, {**ROW, "messageId": "n"}]}))
    assert [row.message_id for row in rows] == ["m", "n"]
    assert skipped_in(rows) == 2


def test_an_answer_that_is_read_whole_has_no_row_passed_over() -> None:
    assert skipped_in(read(CALLS["logs"], answer(body={"results": [ROW]}))) == 0
    assert skipped_in(read(CALLS["logs"], answer(body={"results": [ROW, {**ROW, "price": "cheap"}]}))) == 0
    assert skipped_in(read(CALLS["logs"], answer(body={"results": []}))) == 0


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"groupId": "x", "name": "DELIVERED_TO_HANDSET"}, StepState.HANDSET),
        ({"groupId": 3, "id": 5.5}, StepState.OPERATOR),
        ({"groupId": 2, "groupName": {}, "name": []}, StepState.FAILED),
        ({"groupId": "DELIVERED", "groupName": "DELIVERED", "id": 5}, StepState.HANDSET),
        ({"groupId": [], "name": {}}, StepState.PENDING),
    ],
    ids=str,
)
@pytest.mark.parametrize("call", ["reports", "logs"])
def test_of_an_odd_status_the_readable_members_count(call: str, told: dict[str, Any], state: StepState) -> None:
    rows = read(CALLS[call], answer(body={"results": [ROW, {**ROW, "messageId": "n", "status": told}]}))
    assert [row.message_id for row in rows] == ["m", "n"]
    assert step_state(rows[1].status) is state
    assert skipped_in(rows) == 0


def test_numbers_where_strings_are_promised_are_read_as_strings() -> None:
    [report] = read(CALLS["reports"], answer(body={"results": [{**ROW, "messageId": 7, "mccMnc": 22801, "to": 4179}]}))
    assert (report.message_id, report.mcc_mnc, report.to) == ("7", "22801", "4179")


def test_a_price_is_exact() -> None:
    body = b'{"results":[{"messageId":"m","status":{},"price":{"pricePerMessage":0.0435,"currency":"EUR"}}]}'
    [report] = read(CALLS["reports"], answer(body=body))
    assert report.price is not None
    assert str(report.price.price_per_message) == "0.0435"


def test_nothing_but_the_id_and_the_status_is_needed() -> None:
    [row] = read(CALLS["logs"], answer(body={"results": [{"messageId": "m", "status": {}}]}))
    assert (row.channel, row.sent_at, row.price) == (None, None, None)


def test_entries_of_a_send_keep_their_own_statuses() -> None:
    statuses = [
        {"groupId": 1, "id": 7},
        {"groupId": 5, "id": 6, "name": "REJECTED_NETWORK"},
        {"groupId": 1, "id": 7},
        {},
    ]
    entries = [{"messageId": str(n), "status": status, "to": NUMBER} for n, status in enumerate(statuses)]
    response = read(SEND, answer(body={"bulkId": 5, "messages": [*entries, {"messageId": 9, "status": {"id": "26"}}]}))
    assert response.bulk_id == "5"
    assert [(one.message_id, one.status.group_id, one.status.id) for one in response.messages] == [
        ("0", 1, 7),
        ("1", 5, 6),
        ("2", 1, 7),
        ("3", None, None),
        ("9", None, 26),
    ]
    assert NUMBER not in repr(response)


@pytest.mark.parametrize("status", [{"groupId": []}, {"name": {}}, {"id": "x"}, {"groupId": 1.5}, [], 5, None])
def test_an_entry_of_a_send_with_an_unreadable_status_is_a_protocol_error(status: Any) -> None:
    body = {"messages": [{"messageId": "m", "status": {}}, {"messageId": "n", "status": status}]}
    assert isinstance(fails(SEND, answer(body=body)), OmniProtocolError)


def test_a_new_channel_in_a_stored_flow_is_read() -> None:
    [scenario] = read(CALLS["list"], answer(body={"scenarios": [{"key": "K", "flow": [{"channel": "NEW"}]}]}))
    assert scenario.flow[0].channel == "NEW"


def test_reprs_of_rows_show_no_number_and_no_text() -> None:
    body = {"results": [{**ROW, "to": NUMBER, "text": TEXT, "callbackData": TEXT}]}
    shown = repr(read(CALLS["reports"], answer(body=body))) + repr(read(CALLS["logs"], answer(body=body)))
    shown += repr(answer(body=body))
    assert NUMBER not in shown
    assert TEXT not in shown


# --- answers that are not what the API promises ----------------------------------------------------------------------

WRONG: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "HTML": b"<html>Service unavailable</html>",
    "half": b'{"results": [{"messageId": ',
    "a list": b"[]",
    "a string": b'"ok"',
    "null": b"null",
    "no envelope": b"{}",
    "an envelope of null": b'{"results": null, "scenarios": null, "messages": null}',
    "an envelope of an object": b'{"results": {}, "scenarios": {}, "messages": {}}',
    "rows that are no objects": b'{"results": [1], "scenarios": [1], "messages": [1]}',
    "rows without id": b'{"results": [{"status": {}}], "scenarios": [{}], "messages": [{"status": {}}]}',
    "rows with an empty id": b'{"results": [{"messageId": "", "status": {}}], "scenarios": [{"key": ""}], '
    b'"messages": [{"messageId": "", "status": {}}]}',
    "rows without status": b'{"results": [{"messageId": "m"}], "scenarios": [{"key": null}], '
    b'"messages": [{"messageId": "m"}]}',
    "rows whose status is a string": b'{"results": [{"messageId": "m", "status": "ok"}], "scenarios": [{"key": []}], '
    b'"messages": [{"messageId": "m", "status": "ok"}]}',
    "UTF-16": '{"results": []}'.encode("utf-16"),
    "bad UTF-8": b'{"results": [{"messageId": "\xff", "status": {}}]}',
    "a long number": b'{"results": [' + b"9" * 100_000 + b"]}",
    "deep": b"[" * 100_000,
    "deep in an object": b'{"results":' + b'{"a":' * 100_000,
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_good_status_with_a_wrong_body_is_a_protocol_error(call: str, what: str, status: int) -> None:
    error = fails(CALLS[call], answer(status, WRONG[what]))
    assert isinstance(error, OmniProtocolError)
    assert (error.status, error.effect, error.path) == (status, Effect.UNKNOWN, CALLS[call].name)


@pytest.mark.parametrize(
    ("status", "kind", "effect", "retryable"),
    [
        (301, OmniProtocolError, Effect.UNKNOWN, False),
        (307, OmniProtocolError, Effect.UNKNOWN, False),
        (400, OmniRequestError, Effect.NONE, False),
        (401, OmniAuthenticationError, Effect.NONE, False),
        (403, OmniAuthenticationError, Effect.NONE, False),
        (404, OmniRequestError, Effect.NONE, False),
        (408, OmniRequestError, Effect.NONE, True),
        (409, OmniRequestError, Effect.NONE, False),
        (413, OmniRequestError, Effect.NONE, False),
        (418, OmniRequestError, Effect.NONE, False),
        (429, OmniRateLimitError, Effect.NONE, True),
        (500, OmniServerError, Effect.UNKNOWN, True),
        (502, OmniServerError, Effect.UNKNOWN, True),
        (503, OmniServerError, Effect.UNKNOWN, True),
        (599, OmniServerError, Effect.UNKNOWN, True),
        (100, OmniProtocolError, Effect.UNKNOWN, True),
        (0, OmniProtocolError, Effect.UNKNOWN, True),
        (999, OmniProtocolError, Effect.UNKNOWN, True),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[1]", b'{"requestError": 5}', b'{"violations": {}}'])
def test_a_bad_status_is_its_error_whatever_the_body(
    status: int, kind: type[OmniError], effect: Effect, retryable: bool, body: bytes
) -> None:
    error = fails(SEND, answer(status, body))
    assert (type(error), error.effect, error.retryable, error.status) == (kind, effect, retryable, status)
    assert ("Nothing was sent." in str(error)) == (effect is Effect.NONE)


def test_a_failed_read_of_reports_says_that_some_may_be_lost() -> None:
    assert "the logs still have them" in str(fails(CALLS["reports"], answer(502)))


# --- the vendor's words ----------------------------------------------------------------------------------------------


def old_envelope(text: Any, errors: Any = None, code: Any = "BAD_REQUEST") -> Any:
    return {"requestError": {"serviceException": {"messageId": code, "text": text, "validationErrors": errors}}}


def test_the_older_error_body_is_understood() -> None:
    error = fails(SEND, answer(400, old_envelope("Bad request", {"sms.text": ["is empty", "is short"], "x": "is odd"})))
    assert error.vendor_code == "BAD_REQUEST"
    assert 'The vendor says: "Bad request".' in str(error)
    assert error.problems == ("sms.text: is empty", "sms.text: is short", "x: is odd")


def test_the_newer_error_body_is_understood() -> None:
    body = {
        "errorCode": "E400",
        "description": "Invalid",
        "action": "Mend it",
        "violations": [{"property": "line.url", "violation": "is long"}, {}, 5],
        "resources": [],
    }
    error = fails(SEND, answer(400, body))
    assert (error.vendor_code, error.problems) == ("E400", ("line.url: is long", "(no words)"))
    assert '"Invalid"' in str(error)


@pytest.mark.parametrize("errors", [["a", "b"], {"": ["a"], "x": [None, 5, {"y": 1}]}, "a", 7, [], {}])
def test_validation_errors_may_have_any_shape(errors: Any) -> None:
    error = fails(SEND, answer(400, old_envelope("t", errors)))
    assert all(isinstance(problem, str) for problem in error.problems)


def test_what_the_vendor_echoes_is_hidden() -> None:
    words = f"{NUMBER} +41 79 302 67 27 {TEXT} {TEXT[:25]} https://x.example/anna.png anna@example.com"
    for body in (old_envelope(words, {words: [words]}), {"description": words, "violations": [{"violation": words}]}):
        told = str(fails(SEND, answer(400, body)))
        assert not any(secret in told for secret in (NUMBER, "302 67", "Anna", "anna", "parcel"))


def test_a_number_that_was_asked_for_is_hidden_too() -> None:
    call = api.get_logs(to="12345")
    assert "12345" not in str(fails(call, answer(400, old_envelope("no 12345"))))


@pytest.mark.parametrize(
    "extra",
    [{}, {"auth_type": "app"}, {"auth_type": "bearer"}, {"id_secret": "pep<per&"}],
)
@pytest.mark.parametrize("password", ["h4rd&to<guess>", "abc", "41793026727", "x" * 400, "p\u00e4ss w\u00f6rd"])
def test_no_secret_of_the_account_that_the_vendor_echoes_stands_in_an_error(
    extra: dict[str, str], password: str
) -> None:
    if extra.get("auth_type") and not password.isascii():
        password = "other-secret"
    config = OmniConfig.from_connection("xyz.api.infobip.com", None, None, "somebody", password, extra)
    echoed = [password, config.authorization, *config.secrets, html.escape(password), quote(password), password.upper()]
    for status in (400, 401, 403, 404, 429, 500):
        for form in echoed:
            words = f"Cannot sign in with [{form}], ({form})"
            long = "y" * 290 + f" {form} " + "z" * 2000
            for body in (
                old_envelope(words, {form: [words, long]}, code=form),
                {"errorCode": form, "description": long, "violations": [{"property": form, "violation": words}]},
            ):
                told = str(read_error(answer(status, body), config.secrets))
                assert form.lower() not in told.lower(), told
                assert config.authorization.split(" ")[1] not in told


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def folded(text: str) -> str:
    return "\r\n ".join(re.findall(".{1,20}", base64.b64encode(text.encode()).decode()))


def bare(text: str) -> str:
    return "".join(each for each in text.lower() if each.isalnum())


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "spaced": lambda text: " ".join(text),
    "quoted": lambda text: quote(text, safe=""),
    "plus": quote_plus,
    "percent": percent,
    "percent twice": lambda text: quote(percent(text)),
    "latin-1": lambda text: quote(text, encoding="latin-1", errors="replace"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 within": lambda text: "auth_" + base64.b64encode(b'{"w":"' + text.encode() + b'"}').decode(),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base64 in lines": folded,
    "base64 of percent": lambda text: base64.b64encode(percent(text).encode()).decode(),
    "percent of base64": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "hex": lambda text: text.encode().hex(),
    "html": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "json": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "json within": lambda text: json.dumps(json.dumps(text)),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "percent of UTF-16": lambda text: "".join(f"%u{ord(each):04x}" for each in text),
    "code points": lambda text: " ".join(f"U+{ord(each):04X}" for each in text),
    "escaped code points": lambda text: "".join(f"\\u{{{ord(each):x}}}" for each in text),
    "bytes in hex": lambda text: text.encode().hex(":"),
    "bytes of C": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "bytes in decimal": lambda text: ", ".join(map(str, text.encode())),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 in short lines": lambda text: re.sub("(.{4})", r"\1\n ", base64.b64encode(text.encode()).decode()),
    "base64 in pieces": lambda text: re.sub("(.{10})", r'\1", "', base64.b64encode(text.encode()).decode()),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base85": lambda text: base64.b85encode(text.encode()).decode(),
    "a list": lambda text: json.dumps(list(text)),
    "commas": lambda text: ",".join(text),
    "underscores": lambda text: text.replace(" ", "_"),
    "invisible signs": lambda text: "\u200b".join(text),
    "in two": lambda text: f"{text[: len(text) // 2]}', '{text[len(text) // 2 :]}",
    "first half": lambda text: text[: len(text) // 2 + 1],
    "second half": lambda text: text[len(text) // 2 - 1 :],
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    "private",
    ["h4rd&to<guess>?", "p\u00e4ss w\u00f6rd+1", "pepper/of+the~ids", NUMBER, TEXT, "https://x.example/anna.png"],
)
def test_nothing_private_can_be_read_out_of_an_error_however_the_vendor_writes_it(
    request: pytest.FixtureRequest, private: str, encode: Callable[[str], str]
) -> None:
    password = private if private.startswith(("h4rd", "p\u00e4ss")) else "long-password"
    extra = {"id_secret": private} if private.startswith("pepper") else {}
    config = OmniConfig.from_connection("xyz.api.infobip.com", None, None, "somebody", password, extra)
    pair = f"somebody:{password}"
    whole = [pair, config.authorization] if password == private and "half" not in request.node.callspec.id else []
    for echoed in (private, *whole):
        form = encode(echoed)
        for words in (f"We got {form}, which is wrong", form, "y" * 280 + f" '{form}'", f"k={form}&x=1"):
            told = str(read_error(answer(400, old_envelope(words, {form: [words]}, code=form)), config.secrets))
            for secrets in (private, pair, config.authorization.split(" ")[1], form):
                assert secrets.lower() not in told.lower(), told
            assert not re.search(r"\d{6}", told)
            assert bare(private) not in bare(told)
            assert bare(form) not in bare(told) or len(bare(form)) < 5
            for text in re.findall(r"[A-Za-z0-9+/_-]{8,}", told):
                read_back = base64.b64decode(text[: len(text) // 4 * 4], altchars=b"-_")
                assert private.encode() not in read_back


def test_words_that_hold_nothing_private_are_shown_as_they_are() -> None:
    words = (
        "Scenario CC9F01A5DC7BEE2C2B829D203482A654 of bulk 50c24400-124f-4678-9f4b-309e994a4deb: line.text is too long"
    )
    config = OmniConfig.from_connection("xyz.api.infobip.com", None, None, "somebody", "long-password", {})
    assert words.split(":")[1] in str(read_error(answer(400, old_envelope(words)), config.secrets))
    assert "somebody is unknown" in str(read_error(answer(401, old_envelope("somebody is unknown")), config.secrets))


def read_error(told: Response, secrets: tuple[str, ...]) -> OmniError:
    with pytest.raises(OmniError) as caught:
        read(SEND, told, secrets)
    return caught.value


@pytest.mark.parametrize("header", ["Basic ZGVtbzpkZW1v", "App 0123-abcdef", "bearer eyJhbGciOi.eyJzdWIiOi"])
def test_what_stands_where_a_login_stands_is_hidden_whosesoever_it_is(header: str) -> None:
    assert header.split()[1] not in str(fails(SEND, answer(400, old_envelope(f"Bad header {header}!"))))


def test_words_about_authentication_are_kept() -> None:
    assert "Basic authentication is off" in str(fails(SEND, answer(401, old_envelope("Basic authentication is off"))))


def test_the_vendors_words_are_bounded() -> None:
    body = old_envelope("x" * 10_000, {str(n): ["y" * 10_000] for n in range(1000)})
    assert len(str(fails(SEND, answer(400, body)))) < 10_000


@pytest.mark.parametrize("code", ["a b", "x" * 65, "", 5, None, ["E"], "E\n4"])
def test_a_code_that_is_none_is_left_out(code: Any) -> None:
    assert fails(SEND, answer(400, old_envelope("t", code=code))).vendor_code is None


def test_a_code_with_a_number_in_it_is_masked_and_with_one_that_was_sent_left_out() -> None:
    assert fails(SEND, answer(400, {"errorCode": "E_41790000727"})).vendor_code == "E_4179…727"
    assert fails(SEND, answer(400, {"errorCode": f"E_{NUMBER}"})).vendor_code is None


def test_control_characters_do_not_reach_the_log() -> None:
    assert str(fails(SEND, answer(400, old_envelope("a\x1b[31m\nb")))).isprintable()


# --- Retry-After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"RETRY-AFTER": "0"}, 0.0),
        ({"Retry-After": "999999999"}, 86400.0),
        ({"Retry-After": "Mon, 23 Nov 2026 18:42:00 GMT", "Date": "Mon, 23 Nov 2026 18:41:30 GMT"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 18:41:00 GMT", "Date": "Mon, 23 Nov 2026 18:41:30 GMT"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 18:42:00 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "٣"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_an_error_carries_retry_after() -> None:
    assert fails(SEND, answer(429, **{"Retry-After": "7"})).retry_after == 7.0
    assert fails(SEND, answer(503, **{"Retry-After": "7"})).retry_after == 7.0


# --- anything --------------------------------------------------------------------------------------------------------

MEMBERS = tuple(
    f"""results messages scenarios messageId status groupId groupName id name key flow channel from to sentAt doneAt
    price pricePerMessage error permanent bulkId requestError serviceException text validationErrors violations
    property violation errorCode description x {NUMBER}""".split()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(NUMBER),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)
BODIES = st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "Date", "X"]) | st.text(max_size=8), st.text(max_size=40), max_size=4
)


@given(
    call=st.sampled_from(sorted(CALLS)),
    status=st.integers(0, 999) | st.sampled_from([200, 400, 429]),
    headers=HEADERS,
    body=BODIES,
)
@example(call="reports", status=200, headers={}, body=b'{"results": [{"messageId": "m", "status": {}, "price": NaN}]}')
@example(call="reports", status=200, headers={}, body=b'{"results": [{"messageId": "m", "status": {"id": 1e999}}]}')
@example(call="send", status=400, headers={}, body=b'{"requestError": {"serviceException": {"text": "\\ud800"}}}')
def test_any_answer_gives_a_model_or_a_typed_error(
    call: str, status: int, headers: dict[str, str], body: bytes
) -> None:
    started = time.monotonic()
    error = None
    try:
        read(CALLS[call], Response(status, headers, body))
    except OmniError as raised:
        error = raised
    assert time.monotonic() - started < 5
    if 200 <= status < 300:
        assert error is None or isinstance(error, OmniProtocolError)
    else:
        assert error is not None
    if error is not None:
        assert (error.path, error.__cause__, error.__context__) == (CALLS[call].name, None, None)
        assert NUMBER not in str(error) + repr(error)
        str(error).encode("utf-8")


ENDLESS = [
    b"{},",
    b"1,",
    b"[],",
    b"[",
    b'{"a":',
    b'{"messageId":"m","status":1},',
    b'{"messageId":"m","status":{},"price":1},',
]


@pytest.mark.parametrize("row", ENDLESS)
@pytest.mark.parametrize("mib", [3, 60])
def test_a_long_answer_of_nonsense_takes_bounded_time_and_memory(row: bytes, mib: int) -> None:
    body = b'{"results":[' + row * (mib * 2**20 // len(row)) + b"7]}"
    started = time.process_time()
    error = fails(CALLS["reports"], answer(200, body))
    took = time.process_time() - started
    assert isinstance(error, OmniProtocolError)
    assert took < 10, "about half a second on a quiet machine"


@pytest.mark.parametrize("count", [10_000, 10_001])
def test_more_rows_than_the_api_ever_gives_are_not_read(count: int) -> None:
    given_answer = answer(200, b'{"results":[' + b",".join([b'{"messageId":"m","status":{}}'] * count) + b"]}")
    if count == 10_000:
        assert len(read(CALLS["reports"], given_answer)) == count
    else:
        assert "more than 10,000 rows" in str(fails(CALLS["reports"], given_answer))


def test_a_full_page_of_reports_is_read_fast() -> None:
    row = {
        **ROW,
        "bulkId": "b",
        "to": NUMBER,
        "sentAt": "2019-01-10T16:27:18.497+0000",
        "doneAt": "2019-01-10T16:27:18.497+0000",
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "error": {"id": 0, "name": "NO_ERROR", "groupId": 0, "permanent": False},
    }
    given_answer = answer(200, {"results": [{**row, "messageId": str(n)} for n in range(1000)]})
    took = min(_seconds(lambda: read(CALLS["reports"], given_answer)) for _ in range(5))
    assert took < 0.25, "about 20 ms on a quiet machine"


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_a_price_without_currency_is_read() -> None:
    assert Price.model_validate({"pricePerMessage": 0}).currency is None


@pytest.mark.parametrize("call", ["reports", "logs"])
@pytest.mark.parametrize(
    ("date", "said"),
    [("Fri, 27 Nov 2026 16:00:00 GMT", 1_795_795_200.0), ("yesterday", None), ("", None), (None, None)],
)
def test_rows_say_when_the_vendor_has_answered_by_its_own_clock(
    call: str, date: str | None, said: float | None
) -> None:
    headers = {} if date is None else {"DATE": date}
    rows = read(CALLS[call], Response(200, headers, b'{"results": []}'))
    assert (rows, said_at(rows)) == ([], said)
