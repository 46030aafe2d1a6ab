"""Whether a ledger still holds all that was written into it, and whose it is. Pure.

Whoever removes parts by their age (a bucket's life-cycle rule, somebody who tidies up) removes the oldest first: then
what is left looks like the ledger of a send that did less than it did.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_omni.delivery.ledger.parts import TryName, unpack
from airflow_provider_omni.omni.errors import OmniStorageError


def check_whole(tries: Iterable[str], sent: Iterable[str]) -> None:
    """Refuse a ledger from which the files of tries are gone: what these have sent may be gone, too.

    Each try writes its file before anything else, with a generation one above all that it sees. So generations have no
    gap, and nothing was sent by a try that has no file.

    :param tries: names of the parts in ``tries/``, listed after ``sent``.

    Raises OmniStorageError.
    """
    known = {each for each in map(TryName.of, tries) if each is not None}
    there = {each.generation for each in known}
    gone = set(range(1, max(there, default=0) + 1)) - there
    gone |= {each.generation for each in map(TryName.of, sent) if each is not None and each not in known}
    if gone:
        raise OmniStorageError(
            f"Parts of the ledger are gone: tries/ has no file of try {min(gone)}. Nothing was sent: what that try has "
            "sent may not be known any more. Restore the parts (a bucket's life-cycle rule may have removed them), or, "
            "if everybody may be sent to anew, use another idempotency_key and ledger_path.",
            retryable=False,
        )


def owner_of(data: bytes, name: str) -> str | None:
    """The send that a part of ``tries/`` says the ledger belongs to; None for one that was never finished.

    Raises OmniStorageError for a part that is damaged.
    """
    return next((str(line.get("send")) for line in unpack(data, name)), None)


def key_field_of(data: bytes, name: str) -> str | None:
    """What told recipients apart in the try that wrote this part of ``tries/``; None for their numbers."""
    found = next((line.get("key_field") for line in unpack(data, name)), None)
    return None if found is None else str(found)
