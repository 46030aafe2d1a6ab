"""The one tree of errors of this provider, from the socket up to the verdict.

The place that raises an error decides what it says. The Airflow modules decide from `retryable` how Airflow reacts to
it: fail for good, retry, or skip. No error ever holds a header, a body, a secret, a text or a whole phone number.

Each class has a code for life, such as `OMNI-121`, that people can search for and that outlives a renamed class. The
tens say what failed: 11x the caller's side, 12x a call, 13x a send or a wait, 14x what the provider keeps. All begin
with 1, so that none looks like an HTTP status. `docs/errors.md` has a section for each.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Effect(enum.Enum):
    """Effect that a failed call may have had at the vendor's side."""

    NONE = "none"
    """Certainly nothing: it may be repeated, or reported at once."""

    UNKNOWN = "unknown"
    """Perhaps everything: ask the logs, never post again."""


DOCS_PAGE = "docs/errors.md"
"""Page of this repository that tells what each code means."""


class OmniError(Exception):
    """Base of all errors of this provider. It survives pickle and deepcopy, which Airflow does to exceptions.

    :param message: what happened and what to do, for the person who reads it at night.
    :param status: the HTTP status, if there was an answer.
    :param vendor_code: the vendor's own code (`BAD_REQUEST`, `E429`), if it gave one.
    :param path: method and path of the request without its query, such as `POST /omni/1/advanced`.
    :param effect: what the call may have done.
    :param retry_after: seconds the vendor asked us to wait, if it did.
    :param problems: one line each, if more than one thing is wrong.
    :param retryable: True if a later try may mend it. The default depends on the class.
    """

    code: ClassVar[str] = "OMNI-100"
    """Stable name of this kind of error."""

    default_retryable: ClassVar[bool] = False
    default_effect: ClassVar[Effect] = Effect.NONE

    failure: str | None = None
    """Name of the broken exchange, such as `NO_NAME` (`omni/failures.py`); None where an answer came, or no call was
    made."""

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        vendor_code: str | None = None,
        path: str | None = None,
        effect: Effect | None = None,
        retry_after: float | None = None,
        problems: tuple[str, ...] | list[str] = (),
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.vendor_code = vendor_code
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
    def docs(self) -> str:
        """Section of the documentation about this kind of error."""
        return f"{DOCS_PAGE}#{self.code.lower()}"

    @property
    def label(self) -> str:
        """Its class, and the HTTP status if there was one: for a line of the log."""
        return f"{type(self).__name__}, HTTP {self.status}" if self.status else type(self).__name__

    @property
    def why(self) -> str:
        """Its label for a line of the log. If the API has refused, its sentence as well, since a repeat does not mend
        that.
        """
        refused = isinstance(self, OmniAuthenticationError | OmniRequestError)
        return f"{self.label}: {self.message}" if refused and self.message else self.label

    @property
    def text(self) -> str:
        """Everything it says without its code: what another process makes the same error of."""
        where = [part for part in (self.path, self.status and f"HTTP {self.status}", self.vendor_code) if part]
        text = self.message + (f" [{', '.join(where)}]" if where else "")
        return "\n - ".join((text, *self.problems))

    def __str__(self) -> str:
        # The first line has the code. It is what a list of failed tasks shows, and the lines below it are the problems.
        sentence, line_end, rest = self.text.partition("\n")
        return f"{sentence} ({self.code}, {self.docs})".lstrip() + line_end + rest


class OmniConfigurationError(OmniError):
    """The connection or an extra of it cannot be used; `problems` names every one."""

    code = "OMNI-111"


class OmniInputError(OmniError, ValueError):
    """The caller's arguments cannot be used; nothing was sent. `problems` names every one."""

    code = "OMNI-112"


class OmniAuthenticationError(OmniError):
    """401 or 403: the login is wrong, or lacks the right for this call."""

    code = "OMNI-121"


class OmniRequestError(OmniError):
    """Any other 4xx: refused, so it certainly had no effect. `problems` holds the vendor's validation details."""

    code = "OMNI-122"


class OmniRateLimitError(OmniError):
    """429: too many calls. Nothing happened; a later try may succeed, after `retry_after` where given."""

    code = "OMNI-123"
    default_retryable = True


class OmniServerError(OmniError):
    """5xx: the request may or may not have taken effect."""

    code = "OMNI-124"
    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniTransportError(OmniError):
    """No complete answer. `effect` is NONE if the connection was never made, else UNKNOWN."""

    code = "OMNI-125"
    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniProtocolError(OmniError):
    """An answer came that is not what the API promises: unreadable, of a wrong shape, too long, or a redirect."""

    code = "OMNI-126"
    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniUnknownOutcomeError(OmniError):
    """Some messages may or may not have been accepted; they were not sent again."""

    code = "OMNI-131"
    default_retryable = True
    default_effect = Effect.UNKNOWN


class OmniRejectedError(OmniError):
    """The vendor definitely refused some recipients."""

    code = "OMNI-132"


class OmniContentChangedError(OmniError):
    """Same key, other content: a retry has other content than what was accepted, and something is left to send."""

    code = "OMNI-113"


class OmniUndeliveredError(OmniError):
    """The verdict: fewer messages were delivered than was asked for."""

    code = "OMNI-133"


class OmniDeliveryTimeoutError(OmniError):
    """The deadline passed while messages were still open."""

    code = "OMNI-134"


class OmniBusyError(OmniError):
    """Our own budget of logs calls is spent for now; `retry_after` says for how long. Nothing was asked."""

    code = "OMNI-141"
    default_retryable = True


class OmniStorageError(OmniError):
    """A record could not be written or read. If it is the intent of a send, nothing was posted."""

    code = "OMNI-142"
    default_retryable = True


class OmniStaleTryError(OmniStorageError):
    """Airflow refused the write because a newer try of this task has taken over: this one must do nothing more."""

    code = "OMNI-143"
    default_retryable = False


class OmniStoppedError(OmniError):
    """Airflow told this process to stop. Nothing was done by the call; a later try goes on from there."""

    code = "OMNI-144"
    default_retryable = True


def error_class(name: object) -> type[OmniError]:
    """Return the class of this name, for an error that crossed a process as JSON; unknown names are protocol errors."""
    kind = globals().get(name) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and issubclass(kind, OmniError) else OmniProtocolError
