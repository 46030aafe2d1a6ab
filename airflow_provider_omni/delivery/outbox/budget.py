"""The budget of a batch: the most that it may cost, and the prices that its user gives. Pure; amounts are decimals.

Infobip's prices are in no call of its API: they stand in a contract. So the user gives them, in the one currency of the
limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_omni.omni.channels import CHANNELS
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.unfilled import empty_words, is_nothing

_LIMIT = "a currency and an amount above 0, such as {'EUR': 50}"
_PRICES = "prices by channel, such as {'LINE': 0.01, 'SMS': {'49': 0.08, '': 0.1}}"
_PRICE = "a price from 0, or prices by the first digits of international numbers, '' for all others"
_CURRENCY = re.compile(r"[A-Z]{3}")
_PREFIX = re.compile(r"\+?([0-9]{0,15})")
_MOST = Decimal(10) ** 9
"""Bound of an amount: nobody pays more for a batch."""
_PLACES = 10
"""Digits after the point, at most."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a batch may cost."""

    currency: str
    amount: Decimal


@dataclass(frozen=True)
class PriceTable:
    """Prices of a message by channel and by the first digits of the number; of an SMS, for each of its parts.

    :param by_channel: prices by prefix, by the channel's name in capitals. An empty prefix is for all others.
    """

    by_channel: Mapping[str, Mapping[str, Decimal]]

    @property
    def longest(self) -> int:
        """Number of digits that tell the price of every number."""
        return max((len(prefix) for prices in self.by_channel.values() for prefix in prices), default=0)

    def price(self, channel: str, digits: str) -> Decimal | None:
        """Return the price for a number, by the longest prefix that it begins with; None if there is none.

        :param digits: the number, or as many of its first digits as `longest` says.
        """
        prices = self.by_channel.get(channel, {})
        for length in range(min(len(digits), self.longest), -1, -1):
            if (found := prices.get(digits[:length])) is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit, and the prices by which a send is estimated before it is posted."""

    limit: Limit
    prices: PriceTable

    @property
    def currency(self) -> str:
        """The currency of the limit and of all prices."""
        return self.limit.currency


def read_limit(value: Any) -> Limit:
    """Read `max_cost`: a dict with one currency, or its text.

    Raises OmniInputError for anything else.
    """
    value = _object("max_cost", value, _LIMIT)
    if len(value) != 1:
        raise _unusable([unexpected("max_cost", f"{len(value)} currencies", f"one: {_LIMIT}")])
    ((currency, amount),) = value.items()
    problems = []
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        problems.append(unexpected("max_cost", "a currency of another form", "three capital letters, such as EUR"))
    found = _amount(amount)
    if found is None or not found:
        problems.append(unexpected("max_cost", _kind(amount), _LIMIT))
    if problems or found is None:
        raise _unusable(problems)
    return Limit(currency, found)


def read_prices(value: Any) -> PriceTable:
    """Read `prices`: a dict by channel, or its text.

    Raises OmniInputError that names every price that cannot be one.
    """
    value = _object("prices", value, _PRICES)
    problems: list[str] = []
    table: dict[str, Mapping[str, Decimal]] = {}
    if not value:
        problems.append(unexpected("prices", "an empty object", _PRICES))
    for name, given in value.items():
        channel = name.upper() if isinstance(name, str) else ""
        if channel not in CHANNELS:
            problems.append(unexpected("prices", "an unknown channel", f"one of {', '.join(CHANNELS)}"))
        elif channel in table:
            problems.append(f"prices.{channel}: twice")
        else:
            table[channel] = _read_channel(channel, given, problems)
    if problems:
        raise _unusable(problems)
    return PriceTable(table)


def _read_channel(channel: str, given: Any, problems: list[str]) -> dict[str, Decimal]:
    by_prefix = given if isinstance(given, Mapping) else {"": given}
    if not by_prefix:
        problems.append(unexpected(f"prices.{channel}", "an empty object", _PRICE))
    found: dict[str, Decimal] = {}
    for prefix, price in by_prefix.items():
        written = _PREFIX.fullmatch(prefix if isinstance(prefix, str) else str(prefix) if type(prefix) is int else "x")
        amount = _amount(price)
        if written is None:
            problems.append(
                unexpected(f"prices.{channel}", "a prefix of another form", "up to 15 digits, such as '49'")
            )
        elif amount is None:
            place = f"prices.{channel}" + (f".{written[1]}" if written[1] else "")
            problems.append(unexpected(place, _kind(price), _PRICE))
        elif written[1] in found:
            problems.append(f"prices.{channel}.{written[1]}: twice")
        else:
            found[written[1]] = amount
    return found


def _object(name: str, value: Any, expected: str) -> Mapping[Any, Any]:
    """Return an argument that is a dict, parsed if a template has rendered it to text."""
    from airflow_provider_omni.omni.written import read_object

    value = read_object(name, value, expected)
    if not isinstance(value, Mapping):
        raise _unusable([unexpected(name, _kind(value), expected)])
    return value


def _amount(value: Any) -> Decimal | None:
    """Return an amount from 0; None for what is none. A float counts as it is written: 0.1 is a tenth."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    if not amount.is_finite() or not 0 <= amount <= _MOST or amount != round(amount, _PLACES):
        return None
    return amount


def _kind(value: Any) -> str:
    return empty_words(value) if is_nothing(value) else describe(value, isinstance(value, int | float | Decimal))


def _unusable(problems: list[str]) -> OmniInputError:
    return OmniInputError("The budget cannot be used; nothing was sent.", problems=tuple(dict.fromkeys(problems)))


def lone_problems(max_cost: Any, prices: Any) -> list[str]:
    """Return the problem with a limit without prices, or with prices without a limit."""
    if (max_cost is None) is (prices is None):
        return []
    name, other, form = ("prices", "max_cost", _PRICES) if prices is None else ("max_cost", "prices", _LIMIT)
    return [unexpected(name, "nothing", f"{form}, beside {other}")]


def shown_amount(amount: Decimal) -> str:
    """Return an amount as a decimal text, without an exponent and without zeros at its end."""
    return format(amount.normalize(), "f")
