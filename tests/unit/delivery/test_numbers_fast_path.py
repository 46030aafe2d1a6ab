"""Numbers that take the short way get the very same answer as from phonenumbers, in every country."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.delivery.recipients.numbers import (
    InvalidNumberError,
    NumberRules,
    country_of,
    judged,
    normalise,
)

POSSIBLE = NumberRules(check="possible")
REGIONS = (
    "TH",
    "CH",
    "DE",
    "IT",
    "US",
    "CA",
    "GB",
    "RU",
    "KZ",
    "AR",
    "BR",
    "MX",
    "CI",
    "HU",
    "JP",
    "KR",
    "TW",
    "VN",
    "ID",
)


def answer(rules: NumberRules, number: object, *, short: bool) -> str:
    try:
        return f"number {normalise(number, rules) if short else judged(number, rules)}"
    except InvalidNumberError as error:
        return f"error {error} {error.kind}"


def same(number: object, *every: NumberRules) -> None:
    for rules in (NumberRules(), POSSIBLE, *every):
        assert answer(rules, number, short=True) == answer(rules, number, short=False)


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_every_country_gets_the_same_answer(code: int) -> None:
    source = random.Random(code)
    for _ in range(60):
        national = "".join(source.choices("0123456789", k=source.randint(1, 13)))
        prefix = source.choice(("", "", "0", "1", "8", "00", "15", "9", "06"))
        same(f"{source.choice(('+', '', '00'))}{code}{prefix}{national}")


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_example_numbers_of_every_region_get_the_same_answer(region: str) -> None:
    at_home = NumberRules(region)
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            for style in (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
                same(phonenumbers.format_number(example, style), at_home)
            national = phonenumbers.national_significant_number(example)
            for typed in (
                phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL),
                national,
                f"0{national}",
                f"{example.country_code}{national}",
                f"00{example.country_code}{national}",
            ):
                same(typed, at_home, NumberRules(region, "possible"))


@pytest.mark.parametrize("region", REGIONS)
def test_bare_digits_get_the_same_answer_in_their_region(region: str) -> None:
    source = random.Random(region)
    code = phonenumbers.country_code_for_region(region)
    for _ in range(150):
        digits = "".join(source.choices("0123456789", k=source.randint(4, 13)))
        typed = f"{source.choice(('', '', '0', '00', '1', '8', '06', str(code)))}{digits}"
        same(typed, NumberRules(region), NumberRules(region, "possible"))


@given(
    st.sampled_from([None, *REGIONS]),
    st.one_of(
        st.text(alphabet="0123456789+ ().-/\n\t\x1c\u00a0\u2003\u202a\ud800", max_size=45),
        st.tuples(
            st.sampled_from(["", " ", "+", "00", "\u00a0", "\x1c", "\u2003", "\n", "(", "'"]),
            st.sampled_from(
                ["4915112345678", "4915112345678", "41793026727", "393401234567", "6281234567890", "812345678"]
            ),
            st.sampled_from(
                [
                    "",
                    ".",
                    ".0",
                    ".00",
                    ".000",
                    ".5",
                    " .0",
                    "-0",
                    "/1",
                    "/12",
                    " 41793026727",
                    "\u00a0",
                    "\x1c",
                    "\u2003",
                ]
            ),
        ).map("".join),
        st.text(max_size=20),
        st.integers(min_value=-10, max_value=10**16),
        st.floats(),
        st.decimals(),
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
    ),
)
def test_anything_typed_gets_the_same_answer(region: str | None, typed: object) -> None:
    same(typed, NumberRules(region), NumberRules(region, "possible"))


@pytest.mark.parametrize("written", ["4915112345678.0", "491511234567.00", "393401234567.0", "+6281234567890.0"])
def test_a_decimal_is_refused_rather_than_read_with_a_digit_more(written: str) -> None:
    with pytest.raises(InvalidNumberError, match="decimal fraction"):
        normalise(written)


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_a_number_is_of_the_region_that_phonenumbers_says(code: int) -> None:
    source = random.Random(code)
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    examples = [phonenumbers.example_number(each) for each in regions]
    numbers = {phonenumbers.national_significant_number(each) for each in examples if each is not None}
    numbers |= {"".join(source.choices("123456789", k=source.randint(4, 12))) for _ in range(20)}
    for national in numbers:
        try:
            digits = judged(f"+{code}{national}", POSSIBLE)
        except InvalidNumberError:
            continue
        for region in regions:
            assert NumberRules(countries=frozenset({region})).allows(digits) is (country_of(digits) == region)
