"""The attempt of a person that counts, where tries that overlap have written of several."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import MessageState
from airflow_provider_omni.delivery.messages.workspace import Workspace


def first(bulk: str = "a") -> dict[str, Any]:
    """The intent of a person's first attempt."""
    return {"bulk": bulk, "at": 1.0, "ids": ["m0"]}


SECOND = {"bulk": "b", "at": 2.0, "ids": ["m1"], "who": {"m1": "m0"}}
THIRD = {"bulk": "c", "at": 3.0, "ids": ["m2"], "who": {"m2": "m0"}}


def said(bulk: str, state: str) -> dict[str, Any]:
    return {"bulk": bulk, "all": state}


def kept(*lines: dict[str, Any], posts: bool) -> list[str]:
    """The states of all attempts, the first attempt first, once one was kept."""
    with Workspace(in_memory=True) as workspace:
        log = IntentLog(workspace)
        for line in lines:
            log.replay(line, "content")
        log.keep_one_attempt(posts=posts)
        states: dict[str, MessageState] = log.states()
        return [states[each].value for each in sorted(states)]


IN_DOUBT = ("in_doubt", "unconfirmed", "duplicate_id")


@pytest.mark.parametrize("doubt", IN_DOUBT)
def test_a_later_attempt_in_doubt_stays_so_beside_one_that_counts_as_accepted(doubt: str) -> None:
    """The logs may have shown the refusal of the accepted one. Who sends posts neither; who reads follows the later."""
    lines = (first(), said("a", "refused"), SECOND, said("b", doubt), said("a", "accepted"))
    assert kept(*lines, posts=True) == ["accepted", doubt]
    assert kept(*lines, posts=False) == ["refused", doubt]


@pytest.mark.parametrize("posts", [True, False])
@pytest.mark.parametrize("later", ["accepted", *IN_DOUBT])
def test_an_earlier_attempt_that_was_intended_once_more_counts_for_nothing(later: str, *, posts: bool) -> None:
    """The try that wrote it has not read of the refusal, and never posts it."""
    lines = (first(), said("a", "refused"), SECOND, said("b", later), first("stale"))
    assert kept(*lines, posts=posts) == ["refused", later]


@pytest.mark.parametrize("posts", [True, False])
def test_of_two_accepted_attempts_the_later_counts_though_the_earlier_was_intended_once_more(*, posts: bool) -> None:
    lines = (first(), said("a", "refused"), SECOND, said("b", "accepted"), first("stale"), said("stale", "accepted"))
    assert kept(*lines, posts=posts) == ["refused", "accepted"]


@pytest.mark.parametrize("posts", [True, False])
@pytest.mark.parametrize("later", ["not_sent", "absent", "refused"])
def test_a_later_attempt_that_reached_nobody_does_not_stand_beside_an_accepted_one(later: str, *, posts: bool) -> None:
    lines = (first(), said("a", "refused"), SECOND, said("b", later), said("a", "accepted"))
    assert kept(*lines, posts=posts) == ["accepted", "refused"]


def test_of_several_later_attempts_in_doubt_the_last_one_stays_so() -> None:
    """It was intended only after the one before was refused."""
    lines = (first(), said("a", "refused"), SECOND, THIRD, said("a", "accepted"))
    assert kept(*lines, posts=True) == ["accepted", "refused", "in_doubt"]
    assert kept(*lines, posts=False) == ["refused", "refused", "in_doubt"]
