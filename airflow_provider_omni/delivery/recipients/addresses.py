"""Recipients by their addresses: a number, a list of numbers, or destinations as the API has them. Pure.

Everything that is wrong is named at once, and nobody is sent to. Those whom a guard does not let through are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from airflow_provider_omni.delivery.messages.ids import recipient_key_of_address, recipient_key_of_number
from airflow_provider_omni.delivery.recipients.guard import lets_through
from airflow_provider_omni.delivery.recipients.numbers import ANYWHERE, InvalidNumberError, NumberRules, normalise
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import mask_number
from airflow_provider_omni.omni.models import Address
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.written import read_list


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person. Neither `key` nor `address` is ever shown.

    :param key: the recipient key, which goes into the ids.
    :param place: the place in `to`, from 0.
    """

    key: str = field(repr=False)
    address: Address = field(repr=False)
    place: int = 0


@dataclass(frozen=True, slots=True)
class Recipients:
    """The result of reading `to`.

    :param people: the people to send to.
    :param requested: the number of entries.
    :param quarantined: the number of entries that are not let through.
    :param duplicates: the number of entries for a person who is among `people` already.
    """

    people: tuple[Recipient, ...]
    requested: int
    quarantined: int = 0
    duplicates: int = 0


def read_recipients(
    to: Any,
    allowed: Iterable[str] | None = None,
    numbers: NumberRules = ANYWHERE,
    home: str | None = None,
    *,
    may_be_nobody: bool = False,
) -> Recipients:
    """Read `to`: a number, a list of numbers, or destination dicts (`{"to": {"phoneNumber": …}}`).

    A text may be a list as JSON or as a template renders it, or numbers between commas or in lines. A person who is
    named twice is sent to once.

    :param allowed: numbers; everybody else is quarantined. None: everybody is allowed.
    :param numbers: how numbers are read. A number of none of its countries is quarantined.
    :param home: the region of those allowed numbers that have no country.
    :param may_be_nobody: True if an empty list is no mistake.

    Raises OmniInputError that names every bad entry, numbers masked.
    """
    # A number of another type than text is read like those in lists.
    entries = [to] if isinstance(to, float | Decimal) else read_list("to", to, _ALLOWED)
    problems: list[str] = []
    people: dict[str, Recipient] = {}
    international = replace(numbers, region=None)  # for numbers that are normalised
    quarantined = duplicates = 0
    guard = _allowed(allowed, home, problems)
    for index, entry in enumerate(entries):
        try:
            person = (
                _read_destination(entry, numbers, f"to[{index}]")
                if isinstance(entry, dict)
                else _person(Address(phone_number=normalise(entry, numbers)))
            )
        except OmniInputError as error:
            problems += error.problems
            continue
        except (InvalidNumberError, ValueError) as error:
            problems.append(f"to[{index}]: {error}")
            continue
        if not lets_through(guard, person.address, international):
            quarantined += 1
        elif person.key in people:
            duplicates += 1
        else:
            people[person.key] = replace(person, place=index)
    if not entries and not may_be_nobody:
        problems.append(unexpected("to", "nobody", "a number, a list of numbers, or destinations"))
    if problems:
        raise OmniInputError("Nothing was sent: the recipients cannot be used", problems=tuple(problems))
    return Recipients(tuple(people.values()), len(entries), quarantined, duplicates)


_ALLOWED = "a number, a list of numbers, or destination dicts"
_ADDRESS_FIELDS = {
    "phoneNumber": "phone_number",
    "emailAddress": "email_address",
    "pushRegistrationId": "push_registration_id",
    "whatsAppUserId": "whats_app_user_id",
}


def _read_destination(entry: dict[str, Any], numbers: NumberRules, where: str) -> Recipient:
    """Return the recipient of a destination dict. Raises OmniInputError for another shape, InvalidNumberError or
    ValueError for a value.

    :param where: place of the dict in the argument: `to[0]`.
    """
    if "messageId" in entry:
        raise _misshapen(f"{where}.messageId: is made by the provider, so that every try makes the same; leave it out")
    unknown = sorted(set(map(str, entry)) - {"to"})
    address = entry.get("to")
    if unknown or not isinstance(address, dict):
        raise _misshapen(unexpected(where, "a dict of another shape", 'one such as {"to": {"phoneNumber": …}}'))
    strange = sorted(set(map(str, address)) - set(_ADDRESS_FIELDS))
    if strange or not any(address.values()):
        among = ", ".join(_ADDRESS_FIELDS)
        raise _misshapen(unexpected(f"{where}.to", "an address of another shape", f"one or more of {among}"))
    bad = [name for name, value in address.items() if name != "phoneNumber" and not isinstance(value, str)]
    if bad:
        raise _misshapen(unexpected(f"{where}.to.{bad[0]}", type(address[bad[0]]).__name__, "text"))
    fields = {_ADDRESS_FIELDS[name]: value for name, value in address.items()}
    if address.get("phoneNumber"):
        fields["phone_number"] = normalise(address["phoneNumber"], numbers)
    return _person(Address(**fields))


def _misshapen(problem: str) -> OmniInputError:
    return OmniInputError("A destination cannot be used", problems=(problem,))


def _person(address: Address) -> Recipient:
    if address.phone_number:
        return Recipient(recipient_key_of_number(address.phone_number), address)
    return Recipient(recipient_key_of_address(address.to_wire()), address)


def _allowed(allowed: Iterable[str] | None, home: str | None, problems: list[str]) -> frozenset[str] | None:
    if allowed is None:
        return None
    numbers = set()
    for number in allowed:
        try:
            numbers.add(normalise(number, NumberRules(home, "possible")))
        except InvalidNumberError:
            problems.append(f"connection extra allowed_recipients: {mask_number(number)} is not a possible number")
    return frozenset(numbers)
