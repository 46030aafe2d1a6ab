"""Look through a ledger, part by part, to tell people if it is whole. A send and a wait judge for themselves.

Everything that is wrong is found at once, where a send stops at the first. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.integrity import Inventory, gone_tries, whole_lines
from airflow_provider_omni.delivery.ledger.parts import (
    ENDS,
    OUTCOMES,
    PLAN,
    PURGED,
    QUARANTINE,
    SENT,
    TRIES,
    own_parts,
    unpack,
)
from airflow_provider_omni.omni.errors import OmniStorageError

KINDS = (TRIES, PLAN, SENT, ENDS, QUARANTINE, OUTCOMES, PURGED)
"""The folders of a ledger."""


@dataclass(frozen=True)
class Audit:
    """The state in which a ledger was found.

    :param parts: number of parts by folder, such as `{"sent/": 12}`.
    :param lines: lines of all parts that could be read.
    :param damaged: names of parts that are whole and yet cannot be read, or hold less than they say.
    :param missing: names of parts that others say were there, and of tries whose files are gone.
    :param unfinished: number of parts that were never finished; nothing was done by them.
    :param foreign: number of files that are none of ours; everybody passes over them.
    :param purged: True if the private half was removed on purpose.
    :param plan_gone: True if it is gone without that.
    """

    parts: dict[str, int]
    lines: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]
    unfinished: int
    foreign: int
    purged: bool
    plan_gone: bool

    @property
    def whole(self) -> bool:
        """True if nothing is damaged, missing or gone."""
        return not (self.damaged or self.missing or self.plan_gone)


def audit(folder: Folder) -> Audit:
    """Read every part of one ledger's folder. Raises OmniStorageError if the place itself cannot be read."""
    there = [name for name in folder.list("") if not name.startswith("shard-")]
    names = {kind: own_parts(name for name in there if name.startswith(kind)) for kind in KINDS}
    # Listed once more, after `sent/`: a try that began meanwhile would else be one without a file.
    tries = sorted({*names[TRIES], *own_parts(folder.list(TRIES))})
    inventory = Inventory()
    lines, unfinished, damaged = 0, 0, list[str]()
    for kind in KINDS:
        for name in names[kind]:
            try:
                count = sum(1 for _ in _read(folder, kind, name, inventory))
            except OmniStorageError:
                damaged.append(name)
                continue
            lines += count
            unfinished += not count
    others = [name for kind in (PLAN, QUARANTINE, ENDS, OUTCOMES) for name in names[kind]]
    gone = [f"{TRIES}{number:05d}" for number in sorted(gone_tries(tries, names[SENT], others))]
    purged = bool(names[PURGED])
    return Audit(
        parts={kind: len(names[kind]) for kind in KINDS if names[kind]},
        lines=lines,
        damaged=tuple(damaged),
        missing=(*gone, *(name for name in inventory.missing() if not any(each.startswith(name) for each in damaged))),
        unfinished=unfinished,
        foreign=len(there) - sum(map(len, names.values())),
        purged=purged,
        plan_gone=bool(names[SENT]) and not names[PLAN] and not purged,
    )


def _read(folder: Folder, kind: str, name: str, inventory: Inventory) -> Iterator[object]:
    data = folder.read(name)
    if kind == SENT:
        yield from whole_lines(data, name, inventory)
        return
    for line in unpack(data, name):
        if kind == ENDS:
            inventory.claim(line)
        yield line
