"""Plain words for the reason of a failure or a refusal, from the vendor's names for its status and its error.

Source: the vendor's registry of statuses and errors. A name that the tables do not have is put into words by its form.
"""

from __future__ import annotations

STATUS_WORDS: dict[str, str] = {
    "UNDELIVERABLE_REJECTED_OPERATOR": "the operator refused it",
    "UNDELIVERABLE_NOT_DELIVERED": "the operator could not deliver it",
    "UNDELIVERABLE_NOT_SENT": "it was never sent",
    "UNDELIVERABLE_NO_DESTINATION": "the recipient has no address on this channel",
    "UNDELIVERABLE_REJECTED_PLATFORM": "the request was malformed, or the vendor was out of service",
    "EXPIRED_EXPIRED": "the validity period ended before it could be delivered",
    "EXPIRED_UNKNOWN": "the validity period ended, for a reason that the vendor does not know",
    "EXPIRED_DLR_UNKNOWN": "the validity period ended, and the operator never said what became of it",
    "SIGNALS_BLOCKED": "the vendor's fraud protection blocked it",
    "REJECTED_NETWORK": "the network is not covered, or not enabled for the account",
    "REJECTED_PREFIX_MISSING": "the number's prefix or length is not known",
    "REJECTED_DND": "the recipient is on a do-not-disturb list",
    "REJECTED_SOURCE": "the sender is not registered for the account",
    "REJECTED_SENDER": "the sender is blocked for the account",
    "REJECTED_NOT_ENOUGH_CREDITS": "the account has no credit left",
    "REJECTED_PREPAID_PACKAGE_EXPIRED": "the account's prepaid package has expired",
    "REJECTED_DESTINATION_BLOCKLISTED": "the recipient is on the account's block list",
    "REJECTED_DESTINATION_NOT_REGISTERED": "the account may only send to its test numbers, and this is none",
    "REJECTED_DESTINATION": "the recipient's number is not valid",
    "REJECTED_NOT_REACHABLE": "the recipient cannot be reached",
    "REJECTED_ROUTE_NOT_AVAILABLE": "the account has no route to the recipient",
    "REJECTED_FLOODING_FILTER": "too many messages to this number within an hour",
    "REJECTED_SYSTEM_ERROR": "an error of the vendor's",
    "REJECTED_INTERNAL_ERROR": "an error of the vendor's",
    "REJECTED_DUPLICATE_MESSAGE_ID": "the vendor has seen this message id before",
    "REJECTED_INVALID_UDH": "a malformed header",
    "REJECTED_INVALID_VALIDITY_PERIOD": "the validity period is not valid",
    "REJECTED_MESSAGE_TOO_LONG": "the text is too long",
    "MISSING_TO": "the recipient is missing",
}
"""Failures and refusals by the name of their status."""

ERROR_WORDS: dict[str, str] = {
    "EC_ABSENT_SUBSCRIBER": "absent subscriber: the phone is switched off, or out of reach",
    "EC_UNKNOWN_SUBSCRIBER": "unknown subscriber: the number is not in use",
    "EC_UNKNOWN_USER": "the recipient is not known on this channel, or has not added the account as a friend",
    "EC_BLOCKED_USER": "the recipient has blocked the account",
    "EC_UNKNOWN_APPLICATION": "the sender's channel account is not known",
    "EC_MARKETING_OPT_OUT": "the recipient has opted out",
    "EC_FREQUENCY_CAPPING": "the recipient has had too many messages",
}
"""Errors by name, where the form of the name does not say it all."""

MAX_WORDS = 80
"""Characters of a reason in words."""


def reason_in_words(status: str, error: str | None = None) -> str:
    """Return a reason in plain words: those of the error if there is one, else those of the status.

    :param status: name of the status.
    :param error: name of the error; None if the vendor gave none.
    """
    if error:
        return ERROR_WORDS.get(error) or _of_the_name(error)
    return STATUS_WORDS.get(status) or _of_the_name(status)


def refusal_in_words(reason: str) -> str:
    """Return a refusal's name with its meaning in brackets; the name alone where it is not in the table."""
    words = STATUS_WORDS.get(reason)
    return reason if words is None else f"{reason} ({words})"


def _of_the_name(name: str) -> str:
    """Return `EC_PROVIDER_TIMEOUT` as `provider timeout`."""
    return name.removeprefix("EC_").replace("_", " ").strip().lower()[:MAX_WORDS]
