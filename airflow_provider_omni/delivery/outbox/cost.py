"""The cost of a batch: what it may be at worst, and what reports have told of it so far. Amounts are decimals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from airflow_provider_omni.delivery.effects import Steps, list_parts, offload, read_part
from airflow_provider_omni.delivery.ledger.parts import OUTCOMES, own_parts, unpack
from airflow_provider_omni.delivery.messages.codec import update_of
from airflow_provider_omni.delivery.messages.step_table import StepTable
from airflow_provider_omni.delivery.messages.workspace import Workspace
from airflow_provider_omni.delivery.outbox.budget import Budget, shown_amount
from airflow_provider_omni.delivery.recipients.numbers import country_code_of
from airflow_provider_omni.omni.errors import OmniInputError, OmniStorageError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some

SMS = "SMS"
_LONGEST_COUNTRY_CODE = 3
_MISSING_SHOWN = 20
"""Missing prices that are named in an error."""


@dataclass
class Estimate:
    """The most that messages to some people cost, if every step of the flow is tried for everybody.

    :param amount: the sum, in the currency of the budget.
    :param units: messages by channel; of SMS, parts.
    :param missing: people without a price, by channel and country code.
    """

    amount: Decimal = Decimal(0)
    people: int = 0
    units: Counter[str] = field(default_factory=Counter)
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)

    def in_words(self, currency: str) -> str:
        """Return the estimate in words, such as `61.2 EUR for 680 people (680 by LINE, 1,360 SMS parts)`."""
        by = ", ".join(some(n, "SMS part") if name == SMS else f"{n:,} by {name}" for name, n in self.units.items())
        people = some(self.people, "person", "people")
        return f"{shown_amount(self.amount)} {currency} for {people}" + (f" ({by})" if by else "")


def estimate_cost(workspace: Workspace, budget: Budget, steps: Iterable[str], *, left: bool = False) -> Estimate:
    """Return the most that the send may cost.

    :param steps: the steps that there is content for.
    :param left: True: only for the people whom this try may post to. False: for everybody.
    """
    channels, prices = [step.upper() for step in steps], budget.prices
    found = Estimate()
    groups = workspace.rows(
        "SELECT substr(person.address, 1, ?), content.parts, count(*) FROM person "
        "JOIN content ON content.id = person.content WHERE NOT ? OR person.todo = 1 GROUP BY 1, 2",
        max(prices.longest, _LONGEST_COUNTRY_CODE),
        left,
    )
    for digits, parts, people in groups:
        found.people += people
        for channel in channels:
            units = people * (max(parts, 1) if channel == SMS else 1)
            price = prices.price(channel, str(digits))
            if price is None:
                found.missing[channel, country_code_of(str(digits))] += people
            else:
                found.units[channel] += units
                found.amount += price * units
    return found


def refuse_beyond(budget: Budget, everybody: Estimate, left: Estimate, told: Mapping[str, Decimal]) -> None:
    """Raise OmniInputError if a price is missing, or if the send could cost more than the limit: by the estimate for
    everybody, or by what reports have told of it and the estimate for those who are left.

    :param left: the estimate for the people whom this try may post to.
    :param told: the cost that reports have told so far, by currency.
    """
    limit, currency = budget.limit, budget.currency
    if everybody.missing:
        raise OmniInputError(
            "Nothing was sent by this try: prices are missing, so nobody knows what it may cost.",
            problems=_missing_problems(everybody.missing),
        )
    allowed = f"at most {shown_amount(limit.amount)} {currency}"
    problems = []
    if others := sorted(each for each, amount in told.items() if each != currency and amount):
        got = f"reports that tell costs in {', '.join(others)}"
        problems.append(unexpected("max_cost", got, f"{currency}: they cannot be compared"))
    so_far = told.get(currency, Decimal(0))
    if everybody.amount > limit.amount:
        got = f"an estimate of up to {everybody.in_words(currency)}"
        problems.append(unexpected("max_cost", got, f"{allowed}. That is if every step is tried for everybody"))
    elif so_far + left.amount > limit.amount:
        got = (
            f"{shown_amount(so_far)} {currency} of it as told by reports so far, and up to "
            f"{left.in_words(currency)} who are left"
        )
        problems.append(unexpected("max_cost", got, f"{allowed} together"))
    if problems:
        raise OmniInputError("Nothing was sent by this try: it could cost more than it may.", problems=problems)


def _missing_problems(missing: Counter[tuple[str, str]]) -> list[str]:
    lines = [
        unexpected(
            f"prices.{channel}",
            f"no price for numbers that begin with {code or 'digits of no country'} "
            f"({some(people, 'person', 'people')})",
            "one for each channel and country that is sent to; '' is the price for all others",
        )
        for (channel, code), people in missing.most_common(_MISSING_SHOWN)
    ]
    if len(missing) > _MISSING_SHOWN:
        lines.append(f"prices: {len(missing) - _MISSING_SHOWN:,} more that are missing")
    return lines


def told_cost(workspace: Workspace, *, apart: bool) -> Steps[dict[str, Decimal]]:
    """Return what the reports in the ledger have told of its messages so far, by currency.

    :param apart: as `StepTable.merge` has it.

    Raises OmniStorageError for a part that cannot be read: then nobody knows what was spent.
    """
    table = StepTable(workspace)
    for name in own_parts((yield from list_parts(OUTCOMES))):
        data = yield from read_part(name)
        try:
            for line in unpack(data, name):
                for step in line.get("steps", ()):
                    table.merge(update_of(line["id"], step), apart=apart)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
            raise OmniStorageError(
                "A part of the ledger's outcomes/ cannot be read (damaged, or written by something else), so nobody "
                "knows what was spent. Nothing was sent by this try.",
                retryable=False,
            ) from None
    return (yield from offload(workspace.guarded(table.costs)))
