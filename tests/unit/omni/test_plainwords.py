"""Words of the vendor stay, and what is no word does not."""

from __future__ import annotations

import time

import pytest

from airflow_provider_omni.omni.plainwords import only_words


@pytest.mark.parametrize(
    "words",
    [
        "Invalid login details",
        "must be between 1 and 4000",
        "destinations[0].to.phoneNumber: size must be between 1 and 50 characters",
        "Text content too long. Maximum is 1,600 characters (20 parts).",
        "scenarioKey 'CC9F01A5DC7BEE2C2B829D203482A654' does not exist",
        "bulk 50c24400-124f-4678-9f4b-309e994a4deb is unknown",
        "Unsupported media type: text/xml;charset=UTF-8, use application/json",
        "sendAt must be before 2026-12-01T10:00:00.000+0000",
        "Failed to read request: JSON parse error at line 1, column 25",
        "Property 'isPromotional' is unknown; did you mean 'is_promotional'?",
        "See https://www.infobip.com/docs/essentials/response-status-and-error-codes for more",
        "EC_UNKNOWN_USER (7002), E429, REJECTED_NOT_ENOUGH_CREDITS",
        'Sender "InfoLine" isn\'t registered, 50% of 1000 failed in 2.5 s',
        "org.springframework.http.converter.HttpMessageNotReadableException: null",
        "Num\u00e9ro invalide: le num\u00e9ro est trop long",
        "4179\u2026727 is no valid MSISDN, \u2026@\u2026 is no address",
        "",
    ],
)
def test_what_an_api_says_in_words_is_shown_as_it_is(words: str) -> None:
    assert only_words(words) == words


@pytest.mark.parametrize(
    "piece", ["aGVsbG8gd29ybGQ=", "0x68656c6c6f", "h-e-l-l-o", "=68=65=6C", "%u0068%u0065", "x" * 90]
)
def test_what_is_no_word_is_left_out(piece: str) -> None:
    assert only_words(f"We got {piece} which is wrong") == "We got \u2026 which is wrong"


@pytest.mark.parametrize(
    "spelled", ["h e l l o", "104, 101, 108, 108", "U+0068 U+0065 U+006C U+006C", "68 65 6c 6c 6f"]
)
def test_what_is_spelled_letter_by_letter_is_left_out(spelled: str) -> None:
    shown = only_words(f"We got {spelled} which is wrong")
    assert shown.replace("\u2026", "").split() == ["We", "got", "which", "is", "wrong"]


@pytest.mark.parametrize(
    "unit", ["a", "A", "aA", "Ab", "a.", "1 ", "[1]", "'", "(", "abc://", "a, ", "AbAbAb.", "\u2026"]
)
def test_nothing_takes_long(unit: str) -> None:
    started = time.process_time()
    only_words((unit * 1200)[:1200] + "\0")
    assert time.process_time() - started < 0.5
