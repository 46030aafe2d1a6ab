"""Hiding numbers in text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni.masking import mask_number, mask_numbers_in


@pytest.mark.parametrize(
    ("number", "masked"),
    [("41793026727", "4179…727"), ("+41 79 302 67 27", "4179…727"), ("1234567", "1…"), ("123", "…"), ("", "<str>")],
)
def test_a_number_keeps_its_ends_only(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    "number",
    ["41793026727", "+41793026727", "+41 79 302 67 27", "(079) 302-67-27", "0041.79.302.67.27", "079 302 67 27"],
)
def test_a_number_in_a_sentence_is_masked_however_it_is_written(number: str) -> None:
    masked = mask_numbers_in(f"The destination {number} is not known.")
    assert number not in masked
    assert "…" in masked
    assert not re.search(r"\d{5,}", masked)


def test_an_e_mail_address_is_masked() -> None:
    assert "anna" not in mask_numbers_in("sent to anna@example.com today")


def test_what_is_no_number_stays() -> None:
    text = "At 2026-11-23T18:41:24.000+0000, 400 of 1000 failed with EC_UNKNOWN_USER (7002)"
    assert mask_numbers_in(text) == text


@given(st.text(alphabet="0123456789 +-().x@", max_size=60))
def test_no_run_of_six_digits_survives(text: str) -> None:
    assert not re.search(r"\d{6}", mask_numbers_in(text).replace("…", "|"))
