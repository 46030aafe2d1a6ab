"""The tree of errors."""

from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_omni.omni import errors
from airflow_provider_omni.omni.errors import Effect, OmniError, OmniInputError, OmniRequestError, OmniServerError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OmniError)]


def an_error(kind: type[OmniError]) -> OmniError:
    return kind(
        "It failed.",
        status=400,
        code="BAD",
        path="POST /omni/1/advanced",
        effect=Effect.UNKNOWN,
        retry_after=1.5,
        problems=["one", "two"],
        retryable=True,
    )


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_being_copied(kind: type[OmniError], copied: object) -> None:
    error = an_error(kind)
    twin = copied(error)  # type: ignore[operator]
    assert type(twin) is kind
    assert (vars(twin), str(twin), twin.args) == (vars(error), str(error), error.args)


def test_an_error_tells_what_where_and_every_problem() -> None:
    assert str(an_error(OmniRequestError)) == "It failed. [POST /omni/1/advanced, HTTP 400, BAD]\n - one\n - two"


def test_an_error_without_details_is_its_sentence() -> None:
    assert str(OmniRequestError("It failed.")) == "It failed."


def test_bad_input_is_a_value_error_too() -> None:
    assert issubclass(OmniInputError, ValueError)


@pytest.mark.parametrize(
    ("name", "retryable", "effect"),
    [
        ("OmniConfigurationError", False, Effect.NONE),
        ("OmniInputError", False, Effect.NONE),
        ("OmniAuthenticationError", False, Effect.NONE),
        ("OmniRequestError", False, Effect.NONE),
        ("OmniRateLimitError", True, Effect.NONE),
        ("OmniServerError", True, Effect.UNKNOWN),
        ("OmniTransportError", True, Effect.UNKNOWN),
        ("OmniProtocolError", True, Effect.UNKNOWN),
        ("OmniUnknownOutcomeError", True, Effect.UNKNOWN),
        ("OmniRejectedError", False, Effect.NONE),
        ("OmniContentChangedError", False, Effect.NONE),
        ("OmniUndeliveredError", False, Effect.NONE),
        ("OmniDeliveryTimeoutError", False, Effect.NONE),
        ("OmniBusyError", True, Effect.NONE),
    ],
)
def test_each_kind_says_whether_a_later_try_may_mend_it(name: str, retryable: bool, effect: Effect) -> None:
    error = getattr(errors, name)("x")
    assert (error.retryable, error.effect) == (retryable, effect)


def test_what_is_said_wins_over_the_kind() -> None:
    error = OmniServerError("x", retryable=False, effect=Effect.NONE)
    assert (error.retryable, error.effect) == (False, Effect.NONE)
