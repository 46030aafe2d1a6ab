"""Calls that are made again, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.content import AdvancedRequest, Content
from airflow_provider_omni.omni.errors import (
    Effect,
    OmniError,
    OmniProtocolError,
    OmniRateLimitError,
    OmniRequestError,
    OmniServerError,
    OmniTransportError,
)
from airflow_provider_omni.omni.models import NewScenario, ScenarioStep
from airflow_provider_omni.omni.retries import backoff, call_with_retries, may_repeat

SCENARIO = NewScenario(name="s", flow=(ScenarioStep(channel="LINE"),))
SEND = api.send_advanced(AdvancedRequest(Content(), ()))
CREATE = api.create_scenario(SCENARIO)
UPDATE = api.update_scenario("K", SCENARIO)
REPORTS = api.get_reports(bulk_id="b")
LOGS = api.get_logs()
NOT_SENT = OmniTransportError("x", effect=Effect.NONE)
Wait = Callable[..., Any]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NOT_SENT, {SEND, CREATE, UPDATE, REPORTS, LOGS}),
        (OmniRateLimitError("x"), {SEND, CREATE, UPDATE, REPORTS, LOGS}),
        (OmniRateLimitError("x", retry_after=300), {SEND, CREATE, UPDATE, REPORTS, LOGS}),
        (OmniRateLimitError("x", retry_after=301), set()),
        (OmniTransportError("x"), {UPDATE, LOGS}),
        (OmniServerError("x"), {UPDATE, LOGS}),
        (OmniProtocolError("x"), {UPDATE, LOGS}),
        (OmniProtocolError("x", retryable=False), set()),
        (OmniRequestError("x"), set()),
        (ValueError("x"), set()),
    ],
)
def test_a_send_and_a_report_read_of_unknown_effect_are_never_repeated(error: Exception, again: set[Any]) -> None:
    assert {call for call in (SEND, CREATE, UPDATE, REPORTS, LOGS) if may_repeat(call, error)} == again


def test_the_pause_doubles_up_to_a_minute() -> None:
    assert [backoff(attempt, jitter=lambda: 1.0) for attempt in (1, 2, 3, 6, 7, 8, 1000)] == [1, 2, 4, 32, 60, 60, 60]


def test_what_the_vendor_asks_for_is_waited_at_least() -> None:
    assert backoff(1, 20.0, lambda: 0.0) == 20.0
    assert backoff(1, 20.0, lambda: 1.0) == 21.0
    assert backoff(9, 2.0, lambda: 0.0) == 30.0


@given(st.integers(1, 10**6), st.none() | st.floats(-10, 1e9), st.floats(0, 1))
def test_every_pause_is_bounded(attempt: int, retry_after: float | None, dice: float) -> None:
    assert 0.5 <= backoff(attempt, retry_after, lambda: dice) <= 301.0


@pytest.fixture
def repeat() -> Wait:
    """Runs a script of results and errors; returns the outcome and the pauses."""

    def run(call: api.Call[Any], script: list[Any], attempts: int = 5) -> tuple[Any, list[float]]:
        pauses: list[float] = []

        def execute(_: Any) -> Any:
            step = script.pop(0)
            if isinstance(step, Exception):
                raise step
            return step

        try:
            return call_with_retries(execute, call, pauses.append, attempts), pauses
        except OmniError as error:
            return error, pauses

    return run


def test_a_repeatable_read_is_repeated_until_it_works(repeat: Wait) -> None:
    outcome, pauses = repeat(LOGS, [OmniServerError("x"), OmniTransportError("x"), ["row"]])
    assert outcome == ["row"]
    assert len(pauses) == 2


def test_the_last_error_is_raised_after_the_last_attempt(repeat: Wait) -> None:
    last = OmniServerError("last")
    outcome, pauses = repeat(LOGS, [OmniServerError("x"), OmniServerError("x"), last], 3)
    assert outcome is last
    assert len(pauses) == 2


def test_a_send_of_unknown_effect_is_made_once(repeat: Wait) -> None:
    error = OmniTransportError("x")
    assert repeat(SEND, [error]) == (error, [])


def test_retry_after_is_honoured(repeat: Wait) -> None:
    outcome, [pause] = repeat(SEND, [OmniRateLimitError("x", retry_after=30), "sent"])
    assert outcome == "sent"
    assert 30 <= pause <= 31
