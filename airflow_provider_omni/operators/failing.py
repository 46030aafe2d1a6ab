"""End a task with an error of `omni/errors.py`: for good if no retry can mend it, else so that Airflow retries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

if TYPE_CHECKING:
    from airflow_provider_omni.operators.masked_fields import MaskedFields


def refuse_emptied(operator: MaskedFields) -> None:
    """Refuse arguments that were given and came out empty. Raises OmniInputError that names each."""
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.omni.written import came_out_empty

    if operator.emptied:
        problems = came_out_empty(operator.emptied)
        raise OmniInputError("The message cannot be sent as it is; nothing was sent.", problems=problems)


@contextlib.contextmanager
def fail_without_retry() -> Iterator[None]:
    """Turn errors that a later try cannot mend into `AirflowFailException`. Others go through and may be retried."""
    from airflow_provider_omni.omni.errors import OmniError, OmniInputError

    try:
        yield
    except OmniError as error:
        if error.retryable:
            raise
        # Bad input needs no traceback, because its text would stand in the log twice.
        raise AirflowFailException(str(error)) from (None if isinstance(error, OmniInputError) else error)
