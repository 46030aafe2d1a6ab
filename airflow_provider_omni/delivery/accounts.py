"""Whose account is asked: only the one that messages were sent from can tell what became of them. Pure.

The logs of another account are empty about them. Taken for a look, that closes half of a flow as failed, and somebody
sends to these people again.
"""

from __future__ import annotations

from collections.abc import Collection

from airflow_provider_omni.omni.errors import OmniConfigurationError


def check_account(asked: str, known: str | Collection[str], says: str) -> None:
    """Refuse to ask an account about messages of another one.

    :param asked: `OmniConfig.account_mark` of the connection; empty where it is not known.
    :param known: that of the account, or of one of the accounts, that has the messages; empty where it is not known.
    :param says: what knows it, as the subject of a sentence.

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
