"""Sizes of a send. What protects people from a second message is in `policy.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Sizes at which a send is divided or sampled. Tests make them small.

    :param part_rows: rows in one part of `plan/` or `quarantine/`.
    :param all_asked: ids up to which the logs are asked for everyone if the record may be lost: twenty calls a round.
        Of more people, half are first ones and half by chance.
    """

    part_rows: int = 10_000
    all_asked: int = 1000


LIMITS = SendLimits()
