"""The guards of a send: the connection's `allowed_recipients` and `allowed_countries`.

Decides only. The caller leaves out the others, or refuses the whole send.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_omni.delivery.recipients.numbers import ANYWHERE, InvalidNumberError, NumberRules, normalise
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.errors import OmniConfigurationError
from airflow_provider_omni.omni.masking import mask_number
from airflow_provider_omni.omni.models import Address


def read_guard(allowed: Iterable[str] | None, region: str | None = None) -> frozenset[str] | None:
    """Return the numbers in the form in which they are compared; None lets everybody through.

    Raises OmniConfigurationError with every entry that is no number, because an entry that matches nobody is a mistake.

    :param allowed: the numbers of `allowed_recipients`, or None.
    :param region: country of numbers without a country code.
    """
    if allowed is None:
        return None
    allowed = frozenset(allowed)
    if problems := guard_problems(allowed, region):
        raise OmniConfigurationError(
            "The OMNI connection cannot be used as it is; nothing was sent.", problems=problems
        )
    return frozenset(normalise(number, NumberRules(region, "possible")) for number in allowed)


def guard_problems(allowed: Iterable[str], region: str | None = None) -> list[str]:
    """Return the problem with every entry of `allowed_recipients` that is no number."""
    problems = []
    for number in sorted(allowed):
        try:
            normalise(number, NumberRules(region, "possible"))
        except InvalidNumberError as error:
            problems.append(f"extra.allowed_recipients: {mask_number(number)} is no number: {error}")
    return problems


def lets_through(
    guard: frozenset[str] | None, address: Address, rules: NumberRules = ANYWHERE, *, as_written: bool = False
) -> bool:
    """Return True if this address may be sent to.

    An address that has another way to be reached beside an allowed number is refused, because that may be somebody
    else's. An address without a number belongs to no country, so it is refused if countries are guarded.

    :param guard: normalised numbers that may be sent to; None: all.
    :param address: the address.
    :param rules: region of numbers without a country code, and countries that may be sent to.
    :param as_written: the vendor gets the number as it is written. Then it must agree digit by digit with the
        normalised number: a part that reading leaves out, such as the 0 of `+41 (0)79 …`, may make it another number
        for the vendor.
    """
    if guard is None and rules.countries is None:
        return True
    if guard is not None and (address.email_address or address.push_registration_id or address.whats_app_user_id):
        return False
    try:
        digits = normalise(address.phone_number, NumberRules(rules.region, "possible"))
    except InvalidNumberError:
        return False
    if as_written:
        written = "".join(sign for sign in str(address.phone_number) if sign in "0123456789")
        if written not in (digits, f"00{digits}"):
            return False
    return (guard is None or digits in guard) and rules.allows(digits)


def rules_of(config: OmniConfig) -> NumberRules:
    """Return the rules by which a connection has numbers read, with the countries that it allows."""
    return NumberRules(config.region, config.number_check, config.allowed_countries)


def narrowed(
    rules: NumberRules, region: str | None, allowed_countries: frozenset[str] | None, number_check: str | None
) -> NumberRules:
    """Return the rules of one send, from the connection's rules and what the send says; None: nothing.

    A region and a check of the send replace the connection's; a country must be allowed by both.
    """
    countries = rules.countries if allowed_countries is None else allowed_countries
    if rules.countries is not None and countries is not None:
        countries &= rules.countries
    return NumberRules(region or rules.region, number_check or rules.check, countries)
