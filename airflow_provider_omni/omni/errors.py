"""The one tree of errors of this provider, from the socket up to the verdict.

What an error says is decided where it is raised; how Airflow reacts to it (fail for good, retry, skip) is decided in
the Airflow modules from `retryable`. No error ever holds a header, a body, a secret, a text or a whole phone number.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Effect(enum.Enum):
    """What a failed call may have done at the vendor's side."""

    NONE = "none"
    """Certainly nothing: it may be repeated, or reported at once."""

    UNKNOWN = "unknown"
    """Perhaps everything: ask the logs, never post again."""


class OmniError(Exception):
    """Base of all errors of this provider.

    :param message: what happened and what to do, for the person who reads it at night.
    :param status: the HTTP status, where there was an answer.
    :param code: the vendor's own code (`BAD_REQUEST`, `E429`), where it gave one.
    :param path: method and path of the request without its query, such as `POST /omni/1/advanced`.
    :param effect: what the call may have done.
    :param retry_after: seconds the vendor asked us to wait, where it did.
    :param problems: one line each, where more than one thing is wrong.
    :param retryable: may a later try mend it? The default depends on the class.

    Survives pickle and deepcopy, which Airflow does to exceptions.
    """

    default_retryable: ClassVar[bool] = False
    default_effect: ClassVar[Effect] = Effect.NONE

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        path: str | None = None,
        effect: Effect | None = None,
        retry_after: float | None = None,
        problems: tuple[str, ...] | list[str] = (),
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.path = path
        self.effect = self.default_effect if effect is None else effect
        self.retry_after = retry_after
        self.problems = tuple(problems)
        self.retryable = self.default_retryable if retryable is None else retryable

    @property
    def message(self) -> str:
        """The sentence without the details in brackets."""
        return str(self.args[0]) if self.args else ""

    @property
    def label(self) -> str:
        """Its class, and the HTTP status where there was one: for a line of the log."""
        return f"{type(self).__name__}, HTTP {self.status}" if self.status else type(self).__name__

    @property
    def why(self) -> str:
        """What a line of the log says of it: its label; with its sentence where the API has refused, since a repeat
        does not mend that.
        """
        refused = isinstance(self, OmniAuthenticationError | OmniRequestError)
        return f"{self.label}: {self.message}" if refused and self.message else self.label

    def __str__(self) -> str:
        where = [part for part in (self.path, self.status and f"HTTP {self.status}", self.code) if part]
        text = self.message + (f" [{', '.join(where)}]" if where else "")
        return "\n - ".join((text, *self.problems))


class OmniConfigurationError(OmniError):
    """The connection or an extra of it cannot be used; `problems` names every one."""


class OmniInputError(OmniError, ValueError):
    """What the caller handed in cannot be sent; nothing was. `problems` names every one."""


class OmniAuthenticationError(OmniError):
    """401 or 403: the login is wrong, or lacks the right for this call."""


class OmniRequestError(OmniError):
    """Any other 4xx: refused, so it certainly had no effect. `problems` holds the vendor's validation details."""


class OmniRateLimitError(OmniError):
    """429: too many calls. Nothing happened; a later try may succeed, after `retry_after` where given."""

    default_retryable = True


class OmniServerError(OmniError):
    """5xx: whether the request took effect is not known."""

    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniTransportError(OmniError):
    """No complete answer. `effect` is NONE if the connection was never made, else UNKNOWN."""

    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniProtocolError(OmniError):
    """An answer came that is not what the API promises: unreadable, of a wrong shape, too long, or a redirect."""

    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniUnknownOutcomeError(OmniError):
    """For some messages it stays unknown whether they were accepted; they were not sent again."""

    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniRejectedError(OmniError):
    """The vendor definitely refused some recipients."""


class OmniContentChangedError(OmniError):
    """Same key, other content: a retry has other content than what was accepted, and something is left to send."""


class OmniUndeliveredError(OmniError):
    """The verdict: fewer messages were delivered than was asked for."""


class OmniDeliveryTimeoutError(OmniError):
    """The deadline passed while messages were still open."""


class OmniBusyError(OmniError):
    """Our own budget of logs calls is spent for now; `retry_after` says for how long. Nothing was asked."""

    default_retryable = True


class OmniStorageError(OmniError):
    """What must be kept could not be written or read. Where it is the intent of a send, nothing was posted."""

    default_retryable = True


class OmniStaleTryError(OmniStorageError):
    """Airflow refused the write because a newer try of this task has taken over: this one must do nothing more."""

    default_retryable = False


class OmniStoppedError(OmniError):
    """Airflow told this process to stop. Nothing was done by the call; a later try goes on from there."""

    default_retryable = True


def named(name: object) -> type[OmniError]:
    """The class of this name, for an error that crossed a process as JSON; unknown names are protocol errors."""
    kind = globals().get(name) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and issubclass(kind, OmniError) else OmniProtocolError
