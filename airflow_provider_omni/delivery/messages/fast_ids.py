"""The ids of `messages/ids.py` for a million recipients: equal values, computed in a fraction of the time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from airflow_provider_omni.delivery.messages.ids import Identity

_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The variant bits of a UUID, set in its seventeenth hex digit."""

_UNSHARED = 2000
"""Bytes that are hashed without releasing the interpreter's lock. A busy process would get it back late."""


class BatchIds:
    """Message ids and bulk ids of one send, as text.

    :param identity: key and secret of the send.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._space = hashlib.sha1(identity.namespace.bytes, usedforsecurity=False)
        self._head = f'["message", {json.dumps(identity.key)}, '

    def message_id(self, recipient_key: str, attempt: int = 0) -> str:
        """Return the id that `Identity.message_id` returns."""
        digest = self._space.copy()
        digest.update(f"{self._head}{json.dumps(recipient_key)}, {attempt}]".encode())
        return _version_5(digest.hexdigest())

    def message_id_of_number(self, number: str) -> str:
        """Return the message id of attempt 0 for a recipient whose key is the number. Numbers need no escaping."""
        digest = self._space.copy()
        digest.update(f'{self._head}"number:{number}", 0]'.encode())
        return _version_5(digest.hexdigest())

    def bulk_id(self, message_ids: Iterable[str]) -> str:
        """Return the id that `Identity.bulk_id` returns. The message ids must need no escaping."""
        listed = '", "'.join(sorted(message_ids))
        name = f'["bulk", {json.dumps(self.identity.key)}, "{listed}"]'.encode()
        digest = self._space.copy()
        for start in range(0, len(name), _UNSHARED):
            digest.update(name[start : start + _UNSHARED])
        return _version_5(digest.hexdigest())

    def send(self, shard: str) -> str:
        """Return a hash that stands for this send: its key, the account's `id_secret`, and the shard."""
        digest = self._space.copy()
        digest.update(json.dumps(["send", self.identity.key, shard]).encode())
        return digest.hexdigest()[:32]


def _version_5(digest: str) -> str:
    """Return a UUID of version 5, made from the hex digest of its name."""
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"
