"""End a task with an error of `omni/errors.py`: for good if no retry can mend it, else so that Airflow retries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from airflow.providers.common.compat.sdk import AirflowFailException


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
