"""End a task with an error of `omni/errors.py`: for good if no retry can mend it, else so that Airflow retries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

if TYPE_CHECKING:
    from airflow_provider_omni.omni.errors import OmniError


def cause_below(error: OmniError) -> BaseException | None:
    """Return what an exception with the whole text of an error of ours is raised from: the error's own cause. The error
    itself would stand in the task log a second time.
    """
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@contextlib.contextmanager
def fail_without_retry() -> Iterator[None]:
    """Turn errors that a later try cannot mend into `AirflowFailException`. Others go through and may be retried."""
    from airflow_provider_omni.omni.errors import OmniError

    try:
        yield
    except OmniError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from cause_below(error)
