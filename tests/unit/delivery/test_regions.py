"""Numbers without a country: read as of a region, or refused with the country that they were taken for."""

from __future__ import annotations

import random

import phonenumbers
import pytest

from airflow_provider_omni.delivery.recipients.addresses import read_recipients
from airflow_provider_omni.delivery.recipients.guard import lets_through, narrowed, read_guard
from airflow_provider_omni.delivery.recipients.numbers import InvalidNumberError, NumberRules, country_of, normalise
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError
from airflow_provider_omni.omni.models import Address
from airflow_provider_omni.omni.regions import read_countries, read_region

THAI = NumberRules("TH")
STYLES = phonenumbers.PhoneNumberFormat


def thai_mobiles(count: int) -> list[str]:
    """National numbers, nine digits: the 0 before them is gone."""
    draw = random.Random(18)
    return [f"{draw.choice('689')}{draw.randrange(10**8):08d}" for _ in range(count)]


def refusal(number: object, rules: NumberRules) -> str:
    with pytest.raises(InvalidNumberError) as caught:
        normalise(number, rules)
    return str(caught.value)


def outcome(number: object, rules: NumberRules) -> str:
    try:
        return normalise(number, rules)
    except InvalidNumberError:
        return "refused"


def test_a_column_of_thai_numbers_stays_in_thailand_whether_or_not_a_spreadsheet_took_the_0() -> None:
    for number in thai_mobiles(300):
        thai = f"66{number}" if phonenumbers.is_valid_number(phonenumbers.parse(f"+66{number}")) else "refused"
        for typed in (number, f"0{number}", int(number), float(number), f"+66{number}", f"0066{number}", f"66{number}"):
            assert outcome(typed, THAI) == thai, typed


def test_the_same_column_without_a_region_hardly_finds_a_stranger() -> None:
    mobiles = thai_mobiles(2000)
    assert sum(outcome(number, NumberRules(check="possible")) != "refused" for number in mobiles) > 500
    assert sum(outcome(number, NumberRules()) != "refused" for number in mobiles) < 60


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_in_no_region_a_mobile_number_becomes_another_one(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        example = phonenumbers.example_number(region)
    right = phonenumbers.format_number(example, STYLES.E164)[1:]
    national = phonenumbers.national_significant_number(example)
    rules = NumberRules(region)
    assert normalise(f"+{right}", rules) == right
    assert normalise(phonenumbers.format_number(example, STYLES.NATIONAL), rules) == right
    assert normalise(national, rules) == right
    assert outcome(right, rules) in (right, "refused")
    assert outcome(f"00{right}", rules) in (right, "refused")


@pytest.mark.parametrize(
    ("typed", "region", "digits"),
    [
        ("+41793026727", "TH", "41793026727"),
        ("0041793026727", "TH", "41793026727"),
        ("41793026727", "TH", "41793026727"),
        ("0066812345678", "TH", "66812345678"),
        ("(02) 123 4567", "TH", "6621234567"),
        ("0151 12345678", "DE", "4915112345678"),
        ("15112345678", "DE", "4915112345678"),
        ("202-555-0123", "US", "12025550123"),
        ("1 202-555-0123", "US", "12025550123"),
        ("8 (912) 345-67-89", "RU", "79123456789"),
        ("340 123 4567", "IT", "393401234567"),
        ("06 12345678", "IT", "390612345678"),
        ("06 30 123 4567", "HU", "36301234567"),
    ],
)
def test_numbers_are_read_as_their_country_writes_them(typed: str, region: str, digits: str) -> None:
    assert normalise(typed, NumberRules(region)) == digits


@pytest.mark.parametrize(
    ("typed", "region", "said"),
    [
        ("123456789", "TH", "taken for a number of TH (+66), where it is not valid"),
        ("4915112345678", "DE", "valid number of DE (+49) with and without its country code"),
        ("001 65 9123 4567", "TH", "where 001 is dialled before other countries as well"),
        ("612345678", "IT", "taken for a number of IT or another country (+39), where it is not valid"),
        ("712345678", "CI", "a number of CI (+225) without its leading 0, which belongs to it"),
        ("081234567890123", "TH", "it has the wrong length"),
        ("5550123", "US", "taken for a number of US or another country (+1)"),
        ("812345678", None, "taken for a number of JP (+81): too short"),
        ("912345678", None, "taken for a number of IN (+91): without its area code"),
        ("0812345678", None, "a number that starts with its country code, or region=…"),
        ("4179302672", None, "taken for a number of CH (+41): too short"),
        ("491511234567", None, "taken for a number of DE (+49), where it is not valid"),
    ],
)
def test_what_two_numbers_could_be_meant_by_or_none_is_refused_and_says_of_which_country(
    typed: str, region: str | None, said: str
) -> None:
    told = refusal(typed, NumberRules(region))
    assert said in told
    assert typed not in told


def test_possible_numbers_pass_where_that_is_asked_for() -> None:
    assert refusal("491511234567", NumberRules())
    assert normalise("491511234567", NumberRules(check="possible")) == "491511234567"
    assert normalise("123456789", NumberRules("TH", "possible")) == "66123456789"
    assert refusal("4179302672", NumberRules(check="possible"))


def test_shared_codes_know_their_countries_and_unknown_ones_are_not_allowed() -> None:
    assert [country_of(each) for each in ("12025550123", "16135550123", "77012345678", "441624123456")] == [
        "US", "CA", "KZ", "IM",
    ]  # fmt: skip
    rules = NumberRules(check="possible", countries=frozenset({"US"}))
    assert rules.allows("12025550123")
    assert not rules.allows("16135550123")
    assert not rules.allows(normalise("19999999999", rules))


def test_only_allowed_countries_are_sent_to_and_what_has_no_number_is_of_none() -> None:
    rules = NumberRules("TH", countries=frozenset({"TH", "SG"}))
    to = ["0812345678", "+6591234567", "+41793026727", {"to": {"emailAddress": "a@example.org"}}]
    found = read_recipients(to, None, rules)
    assert [each.address.phone_number for each in found.people] == ["66812345678", "6591234567"]
    assert (found.requested, found.quarantined) == (4, 2)
    assert read_recipients(to, None, NumberRules("TH", countries=frozenset())).quarantined == 4


def test_allowed_recipients_are_read_as_of_the_connections_region() -> None:
    found = read_recipients(["081 234 5678", "+41793026727"], ["0812345678"], THAI, "TH")
    assert [each.address.phone_number for each in found.people] == ["66812345678"]
    assert read_guard(["812345678"], "TH") == frozenset({"66812345678"})
    with pytest.raises(OmniConfigurationError, match="allowed_recipients"):
        read_guard(["0812345678"])


def test_a_destinations_number_is_read_as_of_the_region_too() -> None:
    (person,) = read_recipients({"to": {"phoneNumber": "0812345678"}}, None, THAI).people
    assert person.address.phone_number == "66812345678"


def test_a_guard_of_countries_refuses_what_it_cannot_read() -> None:
    rules = NumberRules(countries=frozenset({"TH"}))
    assert lets_through(None, Address(phone_number="66812345678"), rules)
    assert not lets_through(None, Address(phone_number="0812345678"), rules)
    assert not lets_through(None, Address(email_address="a@example.org"), rules)


def test_a_send_narrows_what_its_connection_allows_and_never_widens_it() -> None:
    home = NumberRules("TH", "possible", frozenset({"TH", "SG"}))
    assert narrowed(home, None, None, None) == home
    assert narrowed(home, "SG", frozenset({"SG", "CH"}), "valid") == NumberRules("SG", "valid", frozenset({"SG"}))
    assert narrowed(home, None, frozenset(), None).countries == frozenset()


def test_a_connection_that_lets_nobody_through_lets_nobody_through_whatever_a_send_says() -> None:
    nobody = NumberRules(countries=frozenset())
    assert narrowed(nobody, None, frozenset({"TH"}), None).countries == frozenset()
    assert narrowed(NumberRules(), None, frozenset({"TH"}), None).countries == frozenset({"TH"})


@pytest.mark.parametrize("typed", ["", " ", "None", "Thailand", "T", "66", "41793026727", 66, True, "XX", "001"])
def test_what_is_no_country_is_refused_without_a_number_in_the_words(typed: object) -> None:
    with pytest.raises(ValueError, match="expected the two letters of a country") as caught:
        read_region(typed)
    assert "41793026727" not in str(caught.value)


@pytest.mark.parametrize("typed", ["TH, sg", ["th", "SG"], "['TH', 'SG']", "TH SG", ("TH", "SG")])
def test_countries_may_be_a_list_or_a_text_of_them(typed: object) -> None:
    assert read_countries(typed) == frozenset({"TH", "SG"})


@pytest.mark.parametrize("typed", ["", " ", {"TH": 1}, 66, ["TH", None]])
def test_a_blank_text_is_no_list_of_countries(typed: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_countries(typed)


def test_a_bad_number_in_to_is_told_with_its_place_and_country() -> None:
    with pytest.raises(OmniInputError) as caught:
        read_recipients(["41793026727", "812345678"])
    assert caught.value.problems == (
        "to[1]: got 8…, taken for a number of JP (+81): too short; expected a valid number with its country "
        "code, or region=… for numbers without one",
    )
