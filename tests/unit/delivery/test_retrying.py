"""The one retry loop: when it goes on, when it gives up, and how long it pauses."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_omni.delivery.effects import Sleep, Steps
from airflow_provider_omni.delivery.retrying import UnfinishedError, is_failed_write, retrying
from airflow_provider_omni.omni.errors import (
    OmniError,
    OmniInputError,
    OmniServerError,
    OmniStaleTryError,
    OmniStorageError,
)


def again(**more: Any) -> OmniError:
    return OmniServerError("down", retryable=True, **more)


def played(*outcomes: Any, most: int = 3, **more: Any) -> tuple[Any, list[float]]:
    """The result, or the error, of attempts with these outcomes, and the pauses between them."""
    left, pauses = list(outcomes), list[float]()

    def attempt() -> Steps[Any]:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
        yield

    machine = retrying(attempt, most, lambda: 1.0, **more)
    try:
        while True:
            effect = next(machine)
            assert isinstance(effect, Sleep)
            pauses.append(effect.seconds)
    except StopIteration as stop:
        return stop.value, pauses
    except (OmniError, UnfinishedError) as error:
        return error, pauses


def test_what_succeeds_at_once_is_done_once() -> None:
    assert played("done") == ("done", [])


def test_a_failed_attempt_is_repeated_after_a_pause_that_grows() -> None:
    assert played(again(), again(), "done") == ("done", [1.0, 2.0])


def test_the_last_attempt_is_followed_by_its_error_without_a_pause() -> None:
    last = again()
    assert played(again(), again(), last, "done") == (last, [1.0, 2.0])


def test_an_attempt_that_is_not_finished_is_repeated_like_one_that_failed() -> None:
    assert played(UnfinishedError(), "done") == ("done", [1.0])
    assert isinstance(played(UnfinishedError(), most=1)[0], UnfinishedError)


def test_an_error_that_must_not_be_repeated_is_raised_at_once() -> None:
    error = OmniInputError("wrong", retryable=False)
    assert played(error, "done") == (error, [])
    refused = again()
    assert played(refused, "done", repeats=lambda _: False) == (refused, [])


def test_nothing_is_repeated_for_which_there_is_no_time() -> None:
    late = again()
    assert played(again(), late, "done", has_time=lambda pause: pause < 2.0) == (late, [1.0])


def test_a_pause_lasts_as_long_as_the_caller_or_the_vendor_wants() -> None:
    assert played(again(), "done", least=5.0) == ("done", [5.0])
    assert played(again(retry_after=30.0), "done", least=5.0) == ("done", [31.0])


@pytest.mark.parametrize(
    ("error", "repeated"),
    [
        (OmniStorageError("full", retryable=True), True),
        (OmniStorageError("gone", retryable=False), True),
        (OmniStaleTryError("replaced", retryable=True), False),
        (again(), False),
    ],
)
def test_only_a_write_that_has_failed_is_repeated_as_one(error: OmniError, *, repeated: bool) -> None:
    assert is_failed_write(error) is repeated
