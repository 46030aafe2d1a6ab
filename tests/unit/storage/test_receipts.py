"""Pushing receipts: whatever an XCom backend raises is one kind of error, which says what it means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_omni.omni.errors import Effect, OmniStorageError
from airflow_provider_omni.storage.receipts import publisher


def test_a_receipt_is_pushed_as_the_value_that_the_task_returns() -> None:
    pushed: dict[str, Any] = {}
    publisher(SimpleNamespace(xcom_push=lambda key, value: pushed.__setitem__(key, value)))({"bulks": []})
    assert pushed == {"return_value": {"bulks": []}}


@pytest.mark.parametrize("error", [RuntimeError("https://user:secret@bucket"), OSError("no route"), KeyError("x")])
def test_whatever_a_backend_raises_is_a_storage_error_that_may_be_retried(error: Exception) -> None:
    def fail(**_: Any) -> None:
        raise error

    with pytest.raises(OmniStorageError, match="Nothing was sent after that") as caught:
        publisher(SimpleNamespace(xcom_push=fail))({})
    assert (caught.value.retryable, caught.value.effect) == (True, Effect.NONE)
    assert type(error).__name__ in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_ends_a_task_goes_through() -> None:
    def fail(**_: Any) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        publisher(SimpleNamespace(xcom_push=fail))({})
