"""Publication of a receipt in the XCom of the sending task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_omni.omni.errors import OmniStorageError


def publisher(ti: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that pushes a receipt as the task's `return_value`. It raises `OmniStorageError`.

    :param ti: the context's task instance.
    """

    def publish(receipt: dict[str, Any]) -> None:
        try:
            ti.xcom_push(key="return_value", value=receipt)
        except Exception as error:
            raise OmniStorageError(
                f"The receipt could not be pushed to XCom ({type(error).__name__}). Nothing was sent after that.",
                retryable=True,
            ) from error

    return publish
