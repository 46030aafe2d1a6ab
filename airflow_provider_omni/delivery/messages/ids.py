"""The ids of messages and requests, which make a repeated send recognisable.

A retry, an overlapping try and a cleared task make the very ids that the first try made. Only four things go into them:
the namespace (with the account's `id_secret`), the send's key, the recipient's key, and the number of the attempt. A
text, a time or the number of a try never does.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashlib import _Hash

_BASE = uuid.UUID("6f1d2a5e-5d0b-5a41-9d3c-0a4c6e1f7b21")
"""The namespace of all ids. Never change it: every retry across the upgrade would be a new send."""


_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The variant bits of a UUID, set in its seventeenth hex digit."""
_UNSHARED = 2000
"""Bytes that are hashed without releasing the interpreter's lock. A busy process would get it back late."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The ids of one send: UUIDs of version 5, made by hand, since `uuid.uuid5` takes seven times as long.

    :param key: the `idempotency_key`.
    :param id_secret: from the connection. It makes ids unguessable and keeps environments on one account apart. It must
        outlive password changes: another secret makes other ids, so everything that was sent before would be sent
        again.
    """

    key: str
    id_secret: str | None = field(default=None, repr=False)
    _space: _Hash = field(init=False, repr=False, compare=False)
    """The hash of the namespace, with which every id begins."""
    _head: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare what all ids of this send have in common."""
        object.__setattr__(self, "_space", hashlib.sha1(self.namespace.bytes, usedforsecurity=False))
        object.__setattr__(self, "_head", f'["message", {json.dumps(self.key)}, ')

    @property
    def namespace(self) -> uuid.UUID:
        """The UUID namespace of this account's ids."""
        return uuid.uuid5(_BASE, self.id_secret) if self.id_secret else _BASE

    def message_id(self, recipient_key: str, attempt: int = 0) -> str:
        """Return the `messageId` for a recipient.

        :param attempt: 0 at first. It rises only after a recorded refusal.
        """
        digest = self._space.copy()
        digest.update(f"{self._head}{json.dumps(recipient_key)}, {attempt}]".encode())
        return _version_5(digest.hexdigest())

    def message_id_of_number(self, number: str) -> str:
        """Return the message id of attempt 0 for a recipient whose key is the number. Numbers need no escaping."""
        digest = self._space.copy()
        digest.update(f'{self._head}"number:{number}", 0]'.encode())
        return _version_5(digest.hexdigest())

    def bulk_id(self, message_ids: Iterable[str]) -> str:
        """Return the `bulkId` of a request with these messages, whatever their order. Message ids of ours need no
        escaping.
        """
        listed = '", "'.join(sorted(message_ids))
        name = f'["bulk", {json.dumps(self.key)}, "{listed}"]'.encode()
        digest = self._space.copy()
        for start in range(0, len(name), _UNSHARED):
            digest.update(name[start : start + _UNSHARED])
        return _version_5(digest.hexdigest())

    def send_id(self, shard: str) -> str:
        """Return a hash that stands for this send: its key, the account's `id_secret`, and the shard."""
        digest = self._space.copy()
        digest.update(json.dumps(["send", self.key, shard]).encode())
        return digest.hexdigest()[:32]


def _version_5(digest: str) -> str:
    """Return a UUID of version 5, made from the hex digest of its name."""
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def recipient_key_of_number(number: str) -> str:
    """Return the recipient key where the caller gives none: the normalised number (digits only)."""
    return f"number:{number}"


def recipient_key_of_field(value: object) -> str:
    """Return the recipient key where `key_field` names one. Its prefix keeps it apart from numbers."""
    return f"key:{value}"


def recipient_key_of_address(address: dict[str, Any]) -> str:
    """Return the recipient key of a destination without phone number (e-mail, push, …)."""
    return "address:" + json.dumps(address, sort_keys=True)


def recipient_key_of(address: int | str, key: str | None = None) -> str:
    """Return the recipient key of a person as the workspace keeps one.

    :param address: a bare number, or the API's `to` object as JSON. Such an object with a number in it is named by it.
    :param key: the user's own key; None: the address tells people apart.
    """
    if key is not None:
        return recipient_key_of_field(key)
    if isinstance(address, int):
        return recipient_key_of_number(str(address))
    members: dict[str, Any] = json.loads(address)
    number = members.get("phoneNumber")
    return recipient_key_of_address(members) if number is None else recipient_key_of_number(number)


def fingerprint(content: dict[str, Any]) -> str:
    """Return a hash of scenario, content and options. It is kept with the state and tells "same key, other content"
    apart.
    """
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def short_fingerprint(whole: str) -> str:
    """Return as much of a fingerprint as people need to compare two in a log."""
    return whole[:12]
