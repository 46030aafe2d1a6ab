"""The check that the right account is asked: only the sender's account can tell what became of its messages. Pure.

The logs of another account are empty about them. If that were taken for a log query, half of a flow would be closed as
failed, and somebody would send to these people again.
"""

from __future__ import annotations

from collections.abc import Collection

from airflow_provider_omni.omni.errors import OmniConfigurationError


def check_account(asked: str, known: str | Collection[str], says: str) -> None:
    """Refuse to ask an account about messages of another one.

    :param asked: `OmniConfig.account_mark` of the connection; empty if not known.
    :param known: the mark of the account that has the messages, or the marks of several; empty if not known.
    :param says: the source of `known`, as the subject of a sentence.

    Nothing is refused if either is not known.

    Raises OmniConfigurationError, which no retry can mend: somebody has to restore the connection.
    """
    marks = {known} if isinstance(known, str) else set(known)
    if not asked or not (marks := marks - {""}) or asked in marks:
        return
    raise OmniConfigurationError(
        f"The connection leads to another account than {says}: what its reports and logs do not show proves nothing, "
        "so nothing was concluded. Restore the connection (base URL and login; without a login the key or token), or "
        "give the sensor one that leads to that account, then clear the sensor: it goes on from the vendor's logs.",
        retryable=False,
    )
