"""The fast way to normalise a number gives the very same answer as phonenumbers, in every country."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.batch.fastnumbers import normalise_fast
from airflow_provider_omni.delivery.numbers import InvalidNumberError, normalise


def answer(function: object, number: object) -> str:
    try:
        return f"number {function(number)}"  # type: ignore[operator]
    except InvalidNumberError as error:
        return f"error {error}"


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_every_country_gets_the_same_answer(code: int) -> None:
    source = random.Random(code)
    for _ in range(60):
        national = "".join(source.choices("0123456789", k=source.randint(1, 13)))
        prefix = source.choice(("", "", "0", "1", "8", "00", "15", "9", "06"))
        number = f"{source.choice(('+', '', '00'))}{code}{prefix}{national}"
        assert answer(normalise_fast, number) == answer(normalise, number)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_example_numbers_of_every_region_get_the_same_answer(region: str) -> None:
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            for style in (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
                number = phonenumbers.format_number(example, style)
                assert answer(normalise_fast, number) == answer(normalise, number)


@given(
    st.one_of(
        st.text(alphabet="0123456789+ ().-/\n\t\x1c\u00a0\u2003\u202a\ud800", max_size=45),
        st.tuples(
            st.sampled_from(["", " ", "+", "00", "\u00a0", "\x1c", "\u2003", "\n"]),
            st.sampled_from(["4915112345678", "491511234567", "41793026727", "393401234567", "6281234567890"]),
            st.sampled_from(["", ".", ".0", ".00", ".000", ".5", " .0", "-0", "\u00a0", "\x1c", "\u2003", "\ud800"]),
        ).map("".join),
        st.text(max_size=20),
        st.integers(min_value=-10, max_value=10**16),
        st.sampled_from(
            [
                True,
                None,
                4.17e10,
                b"41793026727",
                "４１７９３０２６７２７",
                "٤١٧٩٣٠٢٦٧٢٧",
                "+0041793026727",
                "41793026727\n",
                10**5000,
            ]
        ),
    )
)
def test_anything_typed_gets_the_same_answer(typed: object) -> None:
    assert answer(normalise_fast, typed) == answer(normalise, typed)


@pytest.mark.parametrize("written", ["4915112345678.0", "491511234567.00", "393401234567.0", "+6281234567890.0"])
def test_a_decimal_is_refused_rather_than_read_with_a_digit_more(written: str) -> None:
    with pytest.raises(InvalidNumberError, match="decimal fraction"):
        normalise_fast(written)
