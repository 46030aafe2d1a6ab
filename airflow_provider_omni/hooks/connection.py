"""The reading of an Airflow connection: from its id to the account, or one error that says what is wrong.

Airflow's own errors about a connection may quote a part of it, so none of them gets out of here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from airflow_provider_omni.hooks.masker import mask_secret
from airflow_provider_omni.omni.masking import shown_id
from airflow_provider_omni.omni.problems import unexpected

if TYPE_CHECKING:
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.omni.errors import OmniError

CONNECTION_TYPE = "omni"
DEFAULT_CONN_ID = "omni_default"


def read_connection(omni_conn_id: str, get_connection: Callable[[str], Any]) -> OmniConfig:
    """Read a connection and check it. Its secrets are registered with Airflow's masker.

    :param omni_conn_id: the id of the connection.
    :param get_connection: Airflow's reading of a connection.

    Raises `OmniConfigurationError` that names every problem.
    """
    connection = failure = None
    _refuse_no_name(omni_conn_id)
    try:
        connection = get_connection(omni_conn_id)
    except Exception as error:
        failure = _failure_of(error, omni_conn_id)
        if failure is None:
            raise
    if connection is None:
        raise failure or _missing(omni_conn_id)
    config = _config_of(connection, omni_conn_id)
    for secret in _secrets_of(connection.password, config):
        mask_secret(secret)
    return config


async def read_connection_async(omni_conn_id: str) -> OmniConfig:
    """Read a connection as `read_connection` does, in an event loop, without a blocking call in it."""
    from airflow.providers.common.compat.connection import get_async_connection

    from airflow_provider_omni.storage.threads import in_thread

    connection = failure = None
    _refuse_no_name(omni_conn_id)
    try:
        connection = await get_async_connection(omni_conn_id)
    except Exception as error:
        failure = _failure_of(error, omni_conn_id)
        if failure is None:
            raise
    if connection is None:
        raise failure or _missing(omni_conn_id)
    config = _config_of(connection, omni_conn_id)
    # The masker tells the supervisor by a blocking call, which must not happen on the loop.
    for secret in _secrets_of(connection.password, config):
        await in_thread(mask_secret, secret)
    return config


def _refuse_no_name(omni_conn_id: Any) -> None:
    """Refuse a value that names no connection, before Airflow fails with words of its own."""
    if isinstance(omni_conn_id, str) and omni_conn_id.strip().lower() not in ("", "none", "null"):
        return
    from airflow_provider_omni.omni.errors import OmniConfigurationError
    from airflow_provider_omni.omni.unfilled import empty_words, is_nothing

    found = empty_words(omni_conn_id) if is_nothing(omni_conn_id) else f"a value of type {type(omni_conn_id).__name__}"
    raise OmniConfigurationError(
        "The connection cannot be read; nothing was sent.",
        problems=(unexpected("omni_conn_id", found, f"the id of a connection, such as {DEFAULT_CONN_ID!r}"),),
    )


def _failure_of(error: Exception, omni_conn_id: str) -> OmniError | None:
    """Return the error to raise where Airflow cannot read the connection, or finds none; None if nobody can be asked.

    It is raised outside of the `except` clause, so that Airflow's own error, which may quote a secret, is in no chain.
    """
    if isinstance(error, AirflowNotFoundException):
        # Airflow passes over a variable that it cannot read, and says that there is no connection.
        there = f"AIRFLOW_CONN_{omni_conn_id.upper()}" in os.environ
        return _unreadable(omni_conn_id) if there else _missing(omni_conn_id)
    about_it = isinstance(error, (ValueError, TypeError)) or type(error) is AirflowException
    return _unreadable(omni_conn_id) if about_it else None


def _missing(omni_conn_id: str) -> OmniError:
    """Return the error for a connection that is not there. A retry may help: Airflow passes over a secrets backend that
    does not answer.
    """
    from airflow_provider_omni.omni.errors import OmniConfigurationError

    return OmniConfigurationError(
        "The connection cannot be found; nothing was sent.",
        problems=(unexpected("omni_conn_id", shown_id(omni_conn_id), "a connection that exists"),),
        retryable=True,
    )


def _unreadable(omni_conn_id: str) -> OmniError:
    """Return the error for a connection that Airflow cannot read. Airflow's own may quote a part of the password."""
    from airflow_provider_omni.omni.errors import OmniConfigurationError

    return OmniConfigurationError(
        f"The connection {omni_conn_id!r} cannot be read: it is neither a JSON object nor a URI that Airflow knows. In "
        "a URI login and password must be percent-encoded, and a port must be a whole number. Nothing was sent."
    )


def _config_of(connection: Any, omni_conn_id: str) -> OmniConfig:
    from airflow_provider_omni.omni.config import OmniConfig

    text = os.environ.get(f"AIRFLOW_CONN_{omni_conn_id.upper()}", "")
    # A guard that cannot be read is told by the Test of the connection, and before any send.
    return OmniConfig.from_airflow(connection, text, _guard_problems)


def _guard_problems(allowed: Iterable[str], region: str | None) -> list[str]:
    from airflow_provider_omni.delivery.recipients.guard import guard_problems

    return guard_problems(allowed, region)


def _secrets_of(password: Any, config: OmniConfig) -> list[str]:
    """Return the texts that must never be shown: each secret itself, and the form in which it is sent."""
    from airflow_provider_omni.omni.config import authorization_header

    header = authorization_header(config)
    typed = str(password or "")
    found = [typed.rstrip("\r\n"), typed, header, header.partition(" ")[2], config.id_secret]
    return [each for each in dict.fromkeys(found) if each]
