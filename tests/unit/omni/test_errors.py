"""The tree of errors."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest

from airflow_provider_omni.omni import errors
from airflow_provider_omni.omni.errors import Effect, OmniError, OmniInputError, OmniRequestError, OmniServerError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OmniError)]
RAISED = [kind for kind in ALL if kind is not OmniError]
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "errors.md"


def an_error(kind: type[OmniError]) -> OmniError:
    return kind(
        "It failed.",
        status=400,
        vendor_code="BAD",
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
    assert str(an_error(OmniRequestError)) == (
        "It failed. [POST /omni/1/advanced, HTTP 400, BAD] (OMNI-122, docs/errors.md#omni-122)\n - one\n - two"
    )


def test_an_error_without_details_is_its_sentence_and_its_code() -> None:
    assert str(OmniRequestError("It failed.")) == "It failed. (OMNI-122, docs/errors.md#omni-122)"


@pytest.mark.parametrize("kind", ALL)
def test_an_error_that_crossed_a_process_as_text_reads_the_same(kind: type[OmniError]) -> None:
    error = an_error(kind)
    assert str(errors.error_class(kind.__name__)(error.text)) == str(error)


def test_the_code_stands_in_no_problem_and_not_in_the_sentence() -> None:
    error = an_error(OmniRequestError)
    assert not [said for said in (error.message, error.why, *error.problems) if "OMNI-" in said]


def test_each_class_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in ALL}) == len(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_a_code_does_not_look_like_an_http_status(kind: type[OmniError]) -> None:
    assert re.fullmatch(r"OMNI-1\d\d", kind.code)


SECTIONS = dict(re.findall(r"^### (OMNI-\d+)\n(.*?)(?=^##|\Z)", PAGE.read_text("utf-8"), re.M | re.S))


def test_the_page_has_a_section_for_each_error_that_is_raised_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(kind.code for kind in RAISED)


@pytest.mark.parametrize("kind", RAISED)
def test_a_section_tells_what_happened_what_was_sent_and_what_to_do(kind: type[OmniError]) -> None:
    section = SECTIONS[kind.code]
    assert f"`{kind.__name__}`" in section
    assert re.findall(r"^- \*\*(.*?):\*\* \S", section, re.M) == [
        "What happened", "What was sent", "What to do", "Retryable"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", RAISED)
def test_the_page_says_of_each_error_whether_it_is_retryable(kind: type[OmniError]) -> None:
    said = "yes" if kind.default_retryable else "no"
    assert f"- **Retryable:** {said}." in SECTIONS[kind.code]
    assert f"| [{kind.code}](#{kind.code.lower()}) | `{kind.__name__}` | {said} |" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_points_at_its_section(kind: type[OmniError]) -> None:
    page, _, anchor = kind().docs.partition("#")
    assert ROOT / page == PAGE
    assert anchor in [code.lower() for code in SECTIONS]


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
