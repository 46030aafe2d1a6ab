"""The statuses and errors that the simulator hands out, as tables. Which message gets which is in `fates.py`.

Ids, groups and names are those of the vendor's registry (status and error codes of its API essentials).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GROUP_NAMES: dict[int, str] = {
    0: "ACCEPTED",
    1: "PENDING",
    2: "UNDELIVERABLE",
    3: "DELIVERED",
    4: "EXPIRED",
    5: "REJECTED",
}
FAILED_GROUPS = frozenset({2, 4, 5})
ERROR_GROUP_NAMES: dict[int, str] = {0: "OK", 1: "HANDSET_ERRORS", 2: "USER_ERRORS", 3: "OPERATOR_ERRORS"}


@dataclass(frozen=True)
class Status:
    """A status as it stands in answers, reports and logs."""

    id: int
    group_id: int
    name: str
    description: str
    group_name: str = ""

    @property
    def failed(self) -> bool:
        """True when a step with this status has failed for good."""
        return self.group_id in FAILED_GROUPS

    @property
    def on_handset(self) -> bool:
        """True when the person has it: delivered, and not to the operator only."""
        return self.group_id == 3 and self.id != 2

    @property
    def at_operator(self) -> bool:
        """True for DELIVERED_TO_OPERATOR."""
        return self.id == 2

    def to_wire(self) -> dict[str, Any]:
        """Build the status object of an answer."""
        return {
            "groupId": self.group_id,
            "groupName": self.group_name or GROUP_NAMES.get(self.group_id, f"GROUP_{self.group_id}"),
            "id": self.id,
            "name": self.name,
            "description": self.description,
        }


@dataclass(frozen=True)
class StepError:
    """The error object of a report: why a step ended as it did."""

    id: int
    group_id: int
    name: str
    description: str
    permanent: bool

    def to_wire(self) -> dict[str, Any]:
        """Build the error object of a report."""
        return {
            "groupId": self.group_id,
            "groupName": ERROR_GROUP_NAMES[self.group_id],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "permanent": self.permanent,
        }


OPERATOR = Status(2, 3, "DELIVERED_TO_OPERATOR", "Message delivered to operator")
NOT_DELIVERED = Status(9, 2, "UNDELIVERABLE_NOT_DELIVERED", "Message sent not delivered")
REJECTED_OPERATOR = Status(4, 2, "UNDELIVERABLE_REJECTED_OPERATOR", "Message rejected by operator")
HANDSET = Status(5, 3, "DELIVERED_TO_HANDSET", "Message delivered to handset")
ENROUTE = Status(7, 1, "PENDING_ENROUTE", "Message sent to next instance")
ACCEPTED = Status(26, 1, "PENDING_ACCEPTED", "Message accepted, pending for delivery")
EXPIRED = Status(15, 4, "EXPIRED_EXPIRED", "Message expired")
EXPIRED_UNKNOWN = Status(29, 4, "EXPIRED_DLR_UNKNOWN", "No delivery report received")
REJECTED_PLATFORM = Status(100, 5, "UNDELIVERABLE_REJECTED_PLATFORM", "Message rejected by platform")
DUPLICATE = Status(23, 5, "REJECTED_DUPLICATE_MESSAGE_ID", "Message id already used")
MISSING_TO = Status(51, 5, "MISSING_TO", "Destination missing")
BAD_DESTINATION = Status(52, 5, "REJECTED_DESTINATION", "Invalid destination address")
BAD_VALIDITY = Status(70, 5, "REJECTED_INVALID_VALIDITY_PERIOD", "Invalid validity period")
NEW_DELIVERED = Status(990, 3, "DELIVERED_TO_SOMETHING_NEW", "Delivered in a way that is not in the registry")
NEW_UNDELIVERABLE = Status(991, 2, "UNDELIVERABLE_SOMETHING_NEW", "Failed in a way that is not in the registry")
NEW_GROUP = Status(992, 42, "SOMETHING_NEW", "A status whose group is not in the registry", "SOMETHING_NEW")

REFUSALS: dict[int, Status] = {
    status.id: status
    for status in (
        Status(6, 5, "REJECTED_NETWORK", "Network is forbidden"),
        Status(8, 5, "REJECTED_PREFIX_MISSING", "Number prefix missing"),
        Status(10, 5, "REJECTED_DND", "Destination is on the do-not-disturb list"),
        Status(12, 5, "REJECTED_NOT_ENOUGH_CREDITS", "Not enough credits"),
        Status(17, 5, "REJECTED_PREPAID_PACKAGE_EXPIRED", "Prepaid package expired"),
        Status(18, 5, "REJECTED_DESTINATION_NOT_REGISTERED", "Destination not registered"),
        Status(20, 5, "REJECTED_FLOODING_FILTER", "Rejected by the flooding filter"),
        Status(21, 5, "REJECTED_SYSTEM_ERROR", "System error"),
        BAD_DESTINATION,
    )
}
"""Statuses with which a destination can be refused in the 200 answer, by id."""

NO_ERROR = StepError(0, 0, "NO_ERROR", "No Error", False)
UNKNOWN_USER = StepError(7002, 1, "EC_UNKNOWN_USER", "Unknown user", True)
BLOCKED_USER = StepError(7003, 1, "EC_BLOCKED_USER", "Blocked user", True)
BAD_REQUEST = StepError(7006, 1, "EC_BAD_REQUEST", "Bad request", True)
PROVIDER_TIMEOUT = StepError(7051, 2, "EC_PROVIDER_TIMEOUT", "Provider timeout", False)
UNKNOWN_SUBSCRIBER = StepError(1, 1, "EC_UNKNOWN_SUBSCRIBER", "Unknown Subscriber", True)
ABSENT_SUBSCRIBER = StepError(27, 1, "EC_ABSENT_SUBSCRIBER", "Absent Subscriber", False)
VALIDITY_EXPIRED = StepError(4098, 3, "EC_VP_EXPIRED", "Validity period expired", False)
DUPLICATE_MESSAGE = StepError(5492, 3, "EC_DUPLICATE_MESSAGE", "Duplicate message", True)
