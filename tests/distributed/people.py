"""The people of the test of several machines, and the simulator's fates for them (docs/simulator.md)."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

OUTCOMES: Mapping[str, tuple[str, str | None]] = {
    "01": ("delivered", "LINE"),
    "06": ("refused", None),
    "40": ("delivered", "SMS"),
    "43": ("failed", "SMS"),
    "44": ("delivered", "SMS"),
}
"""By the number's last two digits: outcome and channel. 44 only once LINE's validity has ended, five minutes later."""

NUMBER = re.compile(r"4179\d{7}")
LINE_VALIDITY = 300.0
PEOPLE = 3000


def number_of(customer: int) -> str:
    """The phone number of a customer."""
    ending = list(OUTCOMES)[customer % len(OUTCOMES)]
    return f"4179{customer:05d}{ending}"


def write_people(file: Path) -> None:
    """Write everybody to a CSV file: customer and phone."""
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["customer", "phone"])
        writer.writerows([f"customer-{customer}", number_of(customer)] for customer in range(PEOPLE))


def expected() -> dict[str, tuple[str, str | None]]:
    """Outcome and channel by the customer's key."""
    return {f"customer-{customer}": OUTCOMES[number_of(customer)[-2:]] for customer in range(PEOPLE)}


def expected_counts() -> Counter[tuple[str, str | None]]:
    """Return the number of people by outcome."""
    return Counter(expected().values())
