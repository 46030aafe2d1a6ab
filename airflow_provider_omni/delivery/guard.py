"""The guard of test environments: whom a connection's ``allowed_recipients`` lets through.

Decides only. Who asks it leaves the others out, or refuses the whole send.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_omni.delivery.numbers import InvalidNumberError, mask, normalise
from airflow_provider_omni.omni.errors import OmniConfigurationError
from airflow_provider_omni.omni.models import Address


def read_guard(allowed: Iterable[str] | None) -> frozenset[str] | None:
    """The numbers in the form in which they are compared; None lets everybody through.

    Raises OmniConfigurationError that names every entry that is no number: one that matches nobody is a slip.
    """
    if allowed is None:
        return None
    numbers: set[str] = set()
    problems = []
    for number in sorted(allowed):
        try:
            numbers.add(normalise(number))
        except InvalidNumberError as error:
            problems.append(f"extra.allowed_recipients: {mask(number)} is no number: {error}")
    if problems:
        raise OmniConfigurationError(
            "The OMNI connection cannot be used as it is; nothing was sent.", problems=tuple(problems)
        )
    return frozenset(numbers)


def lets_through(guard: frozenset[str] | None, address: Address) -> bool:
    """May this address be sent to? Another address beside an allowed number would be somebody else's: no."""
    if guard is None:
        return True
    if address.email_address or address.push_registration_id or address.whats_app_user_id:
        return False
    try:
        return normalise(address.phone_number) in guard
    except InvalidNumberError:
        return False
