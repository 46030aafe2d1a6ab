"""Requests of earlier tries that can show that the logs find bulk ids of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_omni.delivery.messages.intent_log import IntentLog
from airflow_provider_omni.delivery.messages.states import HORIZON, Control, Origin
from airflow_provider_omni.delivery.messages.workspace import Workspace

HERE = Origin("account", "scenario")
NOW = 1_767_225_600.0


@pytest.fixture
def known() -> Iterator[IntentLog]:
    with Workspace() as workspace:
        yield IntentLog(workspace)


def learn(
    known: IntentLog, bulk: str, *ids: str, state: str = "accepted", origin: Any = tuple(HERE), **more: Any
) -> None:
    intent = {"bulk": bulk, "at": NOW - 600.0, "ids": list(ids or (f"{bulk}-1", f"{bulk}-2"))} | more
    known.replay(intent, "fingerprint", origin=None if origin is None else list(origin))
    known.replay({"bulk": bulk, "all": state}, None)


def controls(known: IntentLog) -> list[str]:
    return [each.bulk_id for each in known.controls(HERE, NOW)]


def test_it_is_a_request_with_several_messages_that_the_vendor_has_accepted(known: IntentLog) -> None:
    learn(known, "b", "m1", "m2")
    assert known.controls(HERE, NOW) == [Control("b", ("m1", "m2"))]


@pytest.mark.parametrize("state", ["in_doubt", "refused", "duplicate_id", "not_sent", "absent", "unconfirmed"])
def test_what_was_not_accepted_shows_nothing(known: IntentLog, state: str) -> None:
    learn(known, "b", state=state)
    assert controls(known) == []


@pytest.mark.parametrize("origin", [("another", "scenario"), ("account", "another"), None])
def test_another_accounts_request_shows_nothing(known: IntentLog, origin: Any) -> None:
    learn(known, "b", origin=origin)
    assert controls(known) == []


@pytest.mark.parametrize(
    "more",
    [
        {"at": NOW - HORIZON},
        {"not_before": NOW - HORIZON},
        {"at": NOW + 7200.0},
        {"scheduled": NOW + 60.0},
        {"bulk_id_conclusive": False},
        {"ids": ["alone"]},
    ],
    ids=["too old", "perhaps too old", "of a clock far ahead", "not yet sent", "perhaps in another request", "single"],
)
def test_what_the_logs_may_not_show_by_this_id_is_not_looked_for(known: IntentLog, more: Any) -> None:
    learn(known, "b", **more)
    assert controls(known) == []


def test_a_request_that_the_logs_have_named_is_none_of_ours(known: IntentLog) -> None:
    learn(known, "b", "m1", "m2")
    known.replay({"bulk": "b", "all": "accepted", "moved": {"m1": "theirs", "m2": "theirs"}}, None)
    assert controls(known) == []


def test_of_many_the_newest_are_taken(known: IntentLog) -> None:
    for age in (50.0, 10.0, 30.0, 40.0):
        learn(known, f"{age:.0f}", at=NOW - age)
    assert controls(known) == ["10", "30"]


def test_the_steps_are_those_of_what_was_accepted_before_those_of_what_is_in_doubt(known: IntentLog) -> None:
    def told(bulk: str, state: str, fingerprint: str, *steps: str) -> None:
        intent = {"bulk": bulk, "at": NOW - 600.0, "ids": [f"{bulk}-1"]}
        known.replay(intent, fingerprint, origin=list(HERE), steps=list(steps))
        known.replay({"bulk": bulk, "all": state}, None)

    told("a", "in_doubt", "other", "LINE", "SMS")
    assert known.steps("ours") == ("LINE", "SMS")
    told("b", "accepted", "ours", "SMS", "LINE")
    assert known.steps("ours") is None  # ours, then
    told("c", "accepted", "another", "SMS")
    assert known.steps("ours") == ("SMS",)


def test_each_message_that_may_have_arrived_has_the_flow_that_it_was_posted_with(known: IntentLog) -> None:
    def told(bulk: str, state: str, *steps: str) -> tuple[Any, Any]:
        known.replay({"bulk": bulk, "at": NOW, "ids": [f"{bulk}-1"]}, "ours", origin=list(HERE), steps=list(steps))
        known.replay({"bulk": bulk, "all": state}, None)
        return known.flows()

    assert known.flows() == (None, {})
    assert told("o", "refused") == (None, {})
    assert told("a", "accepted", "LINE", "SMS") == (("LINE", "SMS"), {})
    assert told("b", "refused", "SMS", "LINE") == (("LINE", "SMS"), {})
    assert told("c", "in_doubt", "LINE", "SMS") == (("LINE", "SMS"), {})
    assert told("d", "in_doubt", "SMS") == (("LINE", "SMS"), {"d-1": ("SMS",)})
    older = "of an older version"
    assert told(older, "accepted") == (("LINE", "SMS"), {"d-1": ("SMS",), f"{older}-1": ()})
