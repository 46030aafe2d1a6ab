"""Publishing of receipts. Before the first POST a receipt must stand, so that its messages can be followed whatever
happens next; at the end of a try it should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_omni.delivery.effects import Label, Log, Publish, Steps
from airflow_provider_omni.delivery.retrying import retrying
from airflow_provider_omni.omni.errors import OmniError, OmniStorageError

PUBLISH_ATTEMPTS = 3


def publish(receipt: dict[str, Any], jitter: Callable[[], float], label: Label = "receipt published") -> Steps[None]:
    """Publish a receipt, again after a pause if that fails.

    Raises the last OmniStorageError: then nothing may be posted.
    """

    def once() -> Steps[None]:
        yield Publish(receipt, label=label)

    yield from retrying(once, PUBLISH_ATTEMPTS, jitter, repeats=_may_be_repeated)


def publish_at_last(receipt: dict[str, Any], jitter: Callable[[], float]) -> Steps[None]:
    """Publish the receipt of a try that is over. A failure is only noted.

    The end of the try counts more than this. All that it has posted stands in the receipt that was published before,
    and the return value of a green task is published by Airflow itself.
    """
    try:
        yield from publish(receipt, jitter, "last receipt published")
    except OmniError as error:
        yield Log(f"The receipt could not be published at the end ({error.label}).", warning=True)


def _may_be_repeated(error: OmniError) -> bool:
    return isinstance(error, OmniStorageError) and error.retryable
