"""Meaning of a status: the registry as a table, and the pure decisions that hang on it.

Ids are used twice by the vendor (87, 56, …) and new ones appear at any time. So decisions branch on the status group,
then on the name, and use the id only where both are silent. The verdict over a whole flow is made in `delivery/`.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

from airflow_provider_omni.omni.models import Status


class Group(IntEnum):
    """Status groups, which is what all decisions hang on."""

    ACCEPTED = 0
    PENDING = 1
    UNDELIVERABLE = 2
    DELIVERED = 3
    EXPIRED = 4
    REJECTED = 5


class KnownStatus(NamedTuple):
    """One row of the vendor's registry.

    :param final: True if the status ends its step of the flow.
    :param account_blocked: True if it holds for the whole account, such as no credit: nobody else's message would be
        accepted either.
    :param may_succeed_later: True if a later try may succeed: no credit, the flooding filter, an error of the vendor's.
    """

    name: str
    group: Group
    final: bool
    account_blocked: bool = False
    may_succeed_later: bool = False


_P, _U, _D, _E, _R = Group.PENDING, Group.UNDELIVERABLE, Group.DELIVERED, Group.EXPIRED, Group.REJECTED

KNOWN_STATUSES: dict[int, KnownStatus] = {
    1: KnownStatus("PENDING_TIME_VIOLATION", _P, False),
    2: KnownStatus("DELIVERED_TO_OPERATOR", _D, False),
    3: KnownStatus("PENDING_WAITING_DELIVERY", _P, False),
    4: KnownStatus("UNDELIVERABLE_REJECTED_OPERATOR", _U, True),
    5: KnownStatus("DELIVERED_TO_HANDSET", _D, True),
    6: KnownStatus("REJECTED_NETWORK", _R, True),
    7: KnownStatus("PENDING_ENROUTE", _P, False),
    8: KnownStatus("REJECTED_PREFIX_MISSING", _R, True),
    9: KnownStatus("UNDELIVERABLE_NOT_DELIVERED", _U, True),
    10: KnownStatus("REJECTED_DND", _R, True),
    11: KnownStatus("REJECTED_SOURCE", _R, True),
    12: KnownStatus("REJECTED_NOT_ENOUGH_CREDITS", _R, True, account_blocked=True, may_succeed_later=True),
    13: KnownStatus("REJECTED_SENDER", _R, True),
    14: KnownStatus("REJECTED_DESTINATION_BLOCKLISTED", _R, True),
    15: KnownStatus("EXPIRED_EXPIRED", _E, True),
    16: KnownStatus("REJECTED_NOT_REACHABLE", _R, True),
    17: KnownStatus("REJECTED_PREPAID_PACKAGE_EXPIRED", _R, True, account_blocked=True, may_succeed_later=True),
    18: KnownStatus("REJECTED_DESTINATION_NOT_REGISTERED", _R, True),
    19: KnownStatus("REJECTED_ROUTE_NOT_AVAILABLE", _R, True),
    20: KnownStatus("REJECTED_FLOODING_FILTER", _R, True, may_succeed_later=True),
    21: KnownStatus("REJECTED_SYSTEM_ERROR", _R, True, may_succeed_later=True),
    22: KnownStatus("EXPIRED_UNKNOWN", _E, True),
    23: KnownStatus("REJECTED_DUPLICATE_MESSAGE_ID", _R, True),
    24: KnownStatus("REJECTED_INVALID_UDH", _R, True),
    25: KnownStatus("REJECTED_MESSAGE_TOO_LONG", _R, True),
    26: KnownStatus("PENDING_ACCEPTED", _P, False),
    29: KnownStatus("EXPIRED_DLR_UNKNOWN", _E, True),
    31: KnownStatus("UNDELIVERABLE_NOT_SENT", _U, True),
    51: KnownStatus("MISSING_TO", _R, True),
    52: KnownStatus("REJECTED_DESTINATION", _R, True),
    66: KnownStatus("UNDELIVERABLE_NO_DESTINATION", _U, True),
    70: KnownStatus("REJECTED_INVALID_VALIDITY_PERIOD", _R, True),
    87: KnownStatus("SIGNALS_BLOCKED", _R, True),
    89: KnownStatus("REJECTED_INTERNAL_ERROR", _R, True, may_succeed_later=True),
    96: KnownStatus("NO_ANSWER", _U, True),
    97: KnownStatus("BUSY", _U, True),
    98: KnownStatus("CANCELLED", _U, True),
    99: KnownStatus("REJECTED", _R, True),
    100: KnownStatus("UNDELIVERABLE_REJECTED_PLATFORM", _R, True, may_succeed_later=True),
}
"""The general registry, and what else a LINE or SMS flow can meet. 87 is used in groups 4 and 5."""

DUPLICATE = 23
"""`REJECTED_DUPLICATE_MESSAGE_ID`: seen before, which is not the same as refused."""

_FAILED = frozenset({Group.UNDELIVERABLE, Group.EXPIRED, Group.REJECTED})
_PREFIXES: tuple[tuple[str, Group], ...] = (
    ("PENDING", Group.PENDING),
    ("ACCEPTED", Group.ACCEPTED),
    ("UNDELIVERABLE", Group.UNDELIVERABLE),
    ("DELIVERED", Group.DELIVERED),
    ("EXPIRED", Group.EXPIRED),
    ("REJECTED", Group.REJECTED),
)
_GROUP_IDS = frozenset(int(group) for group in Group)
_GROUPS_BY_NAME = {group.name: group for group in Group}
_IDS_BY_NAME = {known.name: number for number, known in KNOWN_STATUSES.items()}


def status_names() -> frozenset[str]:
    """Return the names in the vendor's registry."""
    return frozenset(_IDS_BY_NAME)


class StepState(Enum):
    """Progress of one step of a flow."""

    PENDING = "pending"
    OPERATOR = "operator"
    """The operator has it; the handset is not confirmed, and a further report may follow."""
    HANDSET = "handset"
    FAILED = "failed"


def group_of(status: Status) -> Group | None:
    """Return the group by `groupId`, else `groupName`, else the name, else the known id; None if all are silent."""
    if status.group_id is not None and status.group_id in _GROUP_IDS:
        return Group(status.group_id)
    if (named := _GROUPS_BY_NAME.get(_upper(status.group_name))) is not None:
        return named
    name = _upper(status.name)
    if name in _IDS_BY_NAME:
        return KNOWN_STATUSES[_IDS_BY_NAME[name]].group
    for prefix, group in _PREFIXES:
        if name.startswith(prefix):
            return group
    known = None if name or status.id is None else KNOWN_STATUSES.get(status.id)
    return known.group if known else None


def step_state(status: Status) -> StepState:
    """Return the state of a step about which a report or log row has this status.

    A status of the DELIVERED group counts as the handset's where the registry has it as final, else as the operator's.
    A failure ends the step unless the registry has it as not final. A status that says nothing is pending.
    """
    group = group_of(status)
    if group is Group.DELIVERED:
        return StepState.HANDSET if _is_final(status, group, otherwise=False) else StepState.OPERATOR
    if group in _FAILED and _is_final(status, group, otherwise=True):
        return StepState.FAILED
    return StepState.PENDING


def _is_final(status: Status, group: Group | None, *, otherwise: bool) -> bool:
    """Return True if the registry has the status as final; `otherwise` if it does not know it, or not in this group."""
    known = _known(status)
    return known.final if known is not None and known.group is group else otherwise


def is_refusal(status: Status) -> bool:
    """Return True if this entry of a send's answer is certainly not accepted.

    True for groups UNDELIVERABLE, EXPIRED and REJECTED. False for a duplicate, and if group id and name contradict each
    other, because a refused recipient may be posted to again.
    """
    named = _GROUPS_BY_NAME.get(_upper(status.group_name))
    return group_of(status) in _FAILED and (named is None or named in _FAILED) and not is_duplicate(status)


def is_duplicate(status: Status) -> bool:
    """Return True if it says that this message id was seen before. Id and name are both believed, to be on the safe
    side.
    """
    return status.id == DUPLICATE or _upper(status.name) == KNOWN_STATUSES[DUPLICATE].name


def account_blocked(status: Status) -> bool:
    """Return True if every other recipient would be refused for the same reason."""
    return is_refusal(status) and (known := _known(status)) is not None and known.account_blocked


def may_succeed_later(status: Status) -> bool:
    """Return True if the very same message may be accepted later."""
    return is_refusal(status) and (known := _known(status)) is not None and known.may_succeed_later


def _known(status: Status) -> KnownStatus | None:
    """Return the registry's row: by name if there is one, else by id. None if the registry does not know it."""
    name = _upper(status.name)
    number = _IDS_BY_NAME.get(name) if name else status.id
    return None if number is None else KNOWN_STATUSES.get(number)


def _upper(name: str | None) -> str:
    return (name or "").strip().upper()
