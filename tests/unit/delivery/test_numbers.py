"""Numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.recipients.numbers import InvalidNumberError, normalise
from airflow_provider_omni.omni.masking import mask_number


@pytest.mark.parametrize(
    "written",
    [
        "41793026727",
        "+41793026727",
        "0041793026727",
        " +41 79 302 67 27 ",
        "+41 (79) 302-67.27",
        "+41/79/3026727",
        41793026727,
    ],
)
def test_every_way_to_write_a_number_gives_the_same_digits(written: object) -> None:
    assert normalise(written) == "41793026727"


def test_an_italian_number_keeps_its_leading_zero() -> None:
    assert normalise("+390612345678") == "390612345678"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "abc",
        "0793026727",
        "4179302672",
        "417930267271234",
        "999123456789",
        "4.1793026727E10",
        "41793026727x",
        "-41793026727",
        "4" * 50,
        True,
        None,
        b"41793026727",
        pytest.param(10**5000, id="huge"),
        "4179\ud8003026727",
    ],
)
def test_what_cannot_be_a_number_is_refused(written: object) -> None:
    with pytest.raises(InvalidNumberError):
        normalise(written)


def test_a_refusal_shows_the_number_masked_only() -> None:
    with pytest.raises(InvalidNumberError) as raised:
        normalise("417930267271234")
    assert "417930267271234" not in str(raised.value)
    assert "4179…234" in str(raised.value)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("41793026726", "4179…726"), ("+41 79 302 67 26", "4179…726"), ("12345", "1…"), ("12", "…"), (None, "<NoneType>")],
)
def test_a_mask_shows_enough_to_find_a_row_and_too_little_to_call(number: object, shown: str) -> None:
    assert mask_number(number) == shown


@given(st.integers(min_value=0, max_value=10**15))
def test_a_mask_never_shows_a_whole_number(number: int) -> None:
    assert str(number) not in mask_number(number)


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        digits = normalise(text)
    except InvalidNumberError:
        return
    assert digits.isascii()
    assert digits.isdigit()
    assert normalise(digits) == digits


@pytest.mark.parametrize(
    "written", ["4915112345678.0", "+41793026727.00", " 41793026727.5 ", "41793026727.000", "+49 1511 2345678.0"]
)
def test_a_number_that_a_spreadsheet_made_a_fraction_of_is_refused_rather_than_read_with_a_digit_more(
    written: str,
) -> None:
    with pytest.raises(InvalidNumberError, match=r"got 4\d{3}…\d{3} with a decimal fraction"):
        normalise(written)


@pytest.mark.parametrize(
    ("written", "found"),
    [("None", "'None' (a template that found nothing?)"), (" ", "a blank text"), ("Anna", "a text without digits")],
)
def test_a_text_without_digits_is_said_to_be_one_and_not_shown(written: str, found: str) -> None:
    with pytest.raises(InvalidNumberError) as caught:
        normalise(written)
    assert str(caught.value) == f"got {found}, expected a phone number"
