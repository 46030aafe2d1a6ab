"""One HTTP exchange as values, so that the engine can be driven without a socket.

What a fault does to the connection is said by `WireReply.ending`; `server.py` does it for real, the crash harness acts
it out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field


class Ending(enum.Enum):
    """End of an exchange for the caller."""

    COMPLETE = "complete"
    """The whole answer arrives, after `WireReply.delay` seconds."""
    RESET = "reset"
    """The connection is reset (RST) and no byte of an answer arrives."""
    CLOSED = "closed"
    """The connection is closed (FIN) and no byte of an answer arrives."""
    TRUNCATED = "truncated"
    """The headers and a part of the body arrive (`WireReply.sent_bytes`), then the connection is closed."""
    HELD = "held"
    """Nothing arrives until `Simulator.release` (or `/simulator/release`) lets the answer go."""
    DRIPPED = "dripped"
    """The answer arrives in small pieces, `WireReply.drip_seconds` apart."""


@dataclass(frozen=True)
class WireRequest:
    """A request as the server saw it.

    `target_path` is the path alone, `query` what stood behind the question mark, both still encoded; header names are
    lower case.
    """

    method: str
    target_path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class WireReply:
    """An answer, and how it reaches the caller.

    `delay`: real seconds before the first byte. `sent_bytes`: for TRUNCATED, how much of the body arrives.
    For HELD: `held_id` is what to release, `released` holds the answer once it is.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: float = 0.0
    ending: Ending = Ending.COMPLETE
    sent_bytes: int = 0
    drip_seconds: float = 0.0
    held_id: int | None = None
    released: Future[WireReply] | None = field(default=None, repr=False, compare=False)

    @property
    def arrives(self) -> bool:
        """True when the caller gets the whole answer, if it waits long enough."""
        return self.ending in (Ending.COMPLETE, Ending.DRIPPED)
