"""The words of a connection's Test: one sentence that says what is wrong, and what to do.

Decides words only; `OmniHook.test_connection` makes the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_omni.omni.errors import (
    OmniAuthenticationError,
    OmniConfigurationError,
    OmniError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniServerError,
)
from airflow_provider_omni.omni.responses import after_effect

if TYPE_CHECKING:
    from airflow_provider_omni.omni.api import Call
    from airflow_provider_omni.omni.config import OmniConfig

ALL_IS_WELL = "Signed in; scenarios can be listed."

_BASIC = "a login and its password need 'Sign in with' (auth_type) basic"
_CHECK = {
    "Basic": "check login and password; an API key or a token needs 'Sign in with' (auth_type) app or bearer",
    "App": f"check the API key in the password; {_BASIC}",
    "Bearer": f"check the token in the password, which may have expired; {_BASIC}",
}
"""Advice for a login that is refused, by the way of signing in."""


def diagnose(error: OmniError, call: Call[Any], config: OmniConfig | None = None) -> tuple[bool, str]:
    """Return whether the connection can be used for sending, and a sentence that ends with the error's code.

    :param call: the call that failed.
    :param config: the connection; None if it could not be read.
    """
    good, words = _words(error, call, config)
    return good, f"{words.rstrip('.')} ({error.code})."


def _words(error: OmniError, call: Call[Any], config: OmniConfig | None) -> tuple[bool, str]:
    host = urlsplit(config.base_url).netloc if config else ""
    if isinstance(error, OmniConfigurationError):
        problems = "; ".join(line.rstrip(".") for line in error.problems)
        return False, f"The connection cannot be used: {problems}" if problems else error.message
    if isinstance(error, OmniAuthenticationError):
        return _refused(error, config, host)
    if error.status == 404 or (isinstance(error, OmniProtocolError) and error.status in (None, *range(200, 300))):
        return False, f"What answers at {host} is no OMNI API: check the connection's host and port"
    if isinstance(error, OmniRateLimitError):
        return False, "Too many calls: the vendor asks to slow down; test again in a minute"
    if isinstance(error, OmniServerError):
        return (
            False,
            f"{host} fails with HTTP {error.status}: test again, and check the connection's host if it stays so",
        )
    said = error.message.removesuffix(after_effect(call, error.effect)).rstrip(". ")
    return False, f"{said} ({host})" if host and host not in said else said


def _refused(error: OmniAuthenticationError, config: OmniConfig | None, host: str) -> tuple[bool, str]:
    if error.vendor_code is None:
        # A proxy or a firewall may have said so, and knows nothing of the account.
        return False, (
            f"What answers at {host} refuses with HTTP {error.status}, but not in the words of the OMNI API: check the "
            "connection's host, and whether a proxy or a firewall is in between"
        )
    if error.status == 403:
        return True, (
            "Signed in, but without the right to manage scenarios: sending may work, creating and finding scenarios "
            "will not; ask for the right at Infobip, or give operators the flow"
        )
    way = config.authorization.partition(" ")[0] if config else "Basic"
    return False, f"Not signed in: {_CHECK[way]}"
