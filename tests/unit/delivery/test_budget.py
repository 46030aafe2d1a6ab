"""Limits and prices as users write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_omni.delivery.outbox.budget import lone_problems, read_limit, read_prices, shown_amount
from airflow_provider_omni.omni.channels import CHANNELS
from airflow_provider_omni.omni.errors import OmniInputError


@pytest.mark.parametrize("amount", [50, 50.0, "50", " 50.00 ", Decimal(50)])
def test_a_limit_is_a_currency_and_an_exact_amount(amount: Any) -> None:
    limit = read_limit({"EUR": amount})
    assert (limit.currency, limit.amount) == ("EUR", Decimal(50))


def test_a_float_counts_as_it_is_written() -> None:
    table = read_prices({"SMS": 0.1, "LINE": 1e-3})
    assert table.price("SMS", "49") == Decimal("0.1")
    assert table.price("LINE", "49") == Decimal("0.001")


@pytest.mark.parametrize("text", ['{"EUR": 50.5}', "{'EUR': 50.5}"])
def test_what_a_template_has_rendered_to_text_is_read(text: str) -> None:
    assert read_limit(text).amount == Decimal("50.5")
    assert read_prices('{"sms": {"49": 0.08, "": "0.1"}}').price("SMS", "66") == Decimal("0.1")


@pytest.mark.parametrize(
    ("digits", "price"),
    [
        ("4915112345678", "0.08"),
        ("49", "0.08"),
        ("4", "0.1"),
        ("66812345678", "0.02"),
        ("66", "0.03"),
        ("668", "0.02"),
        ("12025550123", "0.1"),
    ],
)
def test_the_longest_prefix_wins(digits: str, price: str) -> None:
    table = read_prices({"SMS": {"49": 0.08, "+66": 0.03, 668: 0.02, "": 0.1}})
    assert table.price("SMS", digits) == Decimal(price)


def test_a_price_may_be_missing_and_may_be_nothing() -> None:
    table = read_prices({"LINE": 0, "SMS": {"49": 0.08}})
    assert table.price("SMS", "66812345678") is None
    assert table.price("VIBER", "66812345678") is None
    assert table.price("LINE", "66812345678") == 0


@pytest.mark.parametrize(
    "value",
    [
        50, "50 EUR", None, [], {}, {"EUR": 1, "USD": 2}, {"eur": 5}, {"EURO": 5}, {1: 5}, {"EUR": 0}, {"EUR": -1},
        {"EUR": True}, {"EUR": None}, {"EUR": "much"}, {"EUR": float("nan")}, {"EUR": float("inf")}, {"EUR": 1e12},
        {"EUR": "1e-40"}, {"EUR": {"x": 1}}, {"EUR": "0,5"},
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(value: Any) -> None:
    with pytest.raises(OmniInputError) as caught:
        read_limit(value)
    assert all(line.startswith("max_cost: got ") for line in caught.value.problems)


def test_every_wrong_price_is_named_at_once() -> None:
    with pytest.raises(OmniInputError) as caught:
        read_prices({"LINE": -1, "SMS": {"49": "x", "DE": 1, "+66": 1, "66": 2}, "FAX": 1, "VIBER": {}, 7: 1})
    assert caught.value.problems == (
        "prices.LINE: got -1, expected a price from 0, or prices by the first digits of international numbers, '' for "
        "all others",
        "prices.SMS.49: got a string of 1 character, expected a price from 0, or prices by the first digits of "
        "international numbers, '' for all others",
        "prices.SMS: got a prefix of another form, expected up to 15 digits, such as '49'",
        "prices.SMS.66: twice",
        f"prices: got an unknown channel, expected one of {', '.join(CHANNELS)}",
        "prices.VIBER: got an empty object, expected a price from 0, or prices by the first digits of international "
        "numbers, '' for all others",
    )


@pytest.mark.parametrize("value", [{}, "", 0.1, ["SMS"], "SMS: 1"])
def test_what_is_no_table_is_refused(value: Any) -> None:
    with pytest.raises(OmniInputError) as caught:
        read_prices(value)
    (line,) = caught.value.problems
    assert line.startswith("prices: got ")


def test_a_limit_and_prices_come_together() -> None:
    assert lone_problems(None, None) == lone_problems({"EUR": 1}, {"SMS": 1}) == []
    assert lone_problems({"EUR": 1}, None)[0].startswith("prices: got nothing, expected prices by channel")
    assert lone_problems(None, {"SMS": 1})[0].startswith("max_cost: got nothing, expected a currency")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("50", "50"), ("50.00", "50"), ("1E+3", "1000"), ("0.10", "0.1"), ("0", "0"), ("1E-7", "0.0000001")],
)
def test_amounts_are_shown_without_exponents(amount: str, text: str) -> None:
    assert shown_amount(Decimal(amount)) == text
