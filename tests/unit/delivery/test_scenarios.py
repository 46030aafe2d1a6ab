"""The table of `decide`, row by row."""

from __future__ import annotations

import pytest

from airflow_provider_omni.hooks.scenarios import Create, Decision, Replace, Reuse, decide
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError
from airflow_provider_omni.omni.models import NewScenario, SavedStep, Scenario, ScenarioStep

LINE_SMS = (("LINE", "InfoLine"), ("SMS", "InfoSMS"))
SMS_ONLY = (("SMS", "InfoSMS"),)
Flow = tuple[tuple[str, str | None], ...]


def saved(key: str, name: str = "alerts", flow: Flow = LINE_SMS, default: bool = False) -> Scenario:
    steps = tuple(SavedStep(channel=channel, from_=sender) for channel, sender in flow)
    return Scenario(key=key, name=name, flow=steps, default=default)


def wanted(name: str = "alerts", flow: Flow = LINE_SMS, default: bool = False) -> NewScenario:
    steps = tuple(ScenarioStep.model_validate({"channel": channel, "from": sender}) for channel, sender in flow)
    return NewScenario(name=name, flow=steps, default=default)


@pytest.mark.parametrize("if_exists", ["reuse", "update", "create"])
def test_a_name_that_the_account_does_not_have_is_created(if_exists: str) -> None:
    assert decide([saved("A", name="other")], wanted(), if_exists) == Create(wanted())


@pytest.mark.parametrize(("if_exists", "decision"), [("reuse", Reuse(saved("A"))), ("update", Reuse(saved("A")))])
def test_the_same_name_and_flow_is_used_without_another_call(if_exists: str, decision: Decision) -> None:
    assert decide([saved("A")], wanted(), if_exists) == decision


def test_create_makes_another_one_of_the_same_name_and_flow() -> None:
    assert decide([saved("A")], wanted(), "create") == Create(wanted())


def test_reuse_refuses_the_same_name_with_another_flow_and_names_both() -> None:
    with pytest.raises(OmniConfigurationError, match=r"→ SMS from 'InfoSMS': A \(SMS from 'InfoSMS'\)"):
        decide([saved("A", flow=SMS_ONLY)], wanted(), "reuse")


def test_update_replaces_the_flow_of_the_only_one_of_that_name() -> None:
    assert decide([saved("A", flow=SMS_ONLY)], wanted(), "update") == Replace("A", wanted())


def test_update_does_not_take_the_default_away() -> None:
    decision = decide([saved("A", flow=SMS_ONLY, default=True)], wanted(), "update")
    assert decision == Replace("A", wanted(default=True))


def test_update_refuses_to_guess_between_several_other_flows() -> None:
    others = [saved("A", flow=SMS_ONLY), saved("B", flow=(("LINE", "x"),))]
    with pytest.raises(OmniConfigurationError, match="another name"):
        decide(others, wanted(), "update")


def test_an_exact_match_counts_even_beside_another_flow() -> None:
    assert decide([saved("A", flow=SMS_ONLY), saved("B")], wanted(), "reuse") == Reuse(saved("B"))


def test_of_several_equal_ones_the_default_is_used() -> None:
    assert decide([saved("A"), saved("B", default=True)], wanted(), "reuse") == Reuse(saved("B", default=True))


def test_of_several_equal_ones_every_run_finds_the_same() -> None:
    assert decide([saved("B"), saved("A")], wanted(), "reuse") == decide([saved("A"), saved("B")], wanted(), "reuse")


def test_a_scenario_that_shall_be_the_default_and_is_not_becomes_it() -> None:
    assert decide([saved("A")], wanted(default=True), "reuse") == Replace("A", wanted(default=True))


def test_the_order_of_steps_is_part_of_the_flow() -> None:
    with pytest.raises(OmniConfigurationError):
        decide([saved("A", flow=LINE_SMS[::-1])], wanted(), "reuse")


def test_a_step_without_sender_matches_the_sender_that_the_vendor_filled_in() -> None:
    assert decide([saved("A")], wanted(flow=(("LINE", None), ("SMS", None))), "reuse") == Reuse(saved("A"))


def test_an_unknown_if_exists_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(OmniInputError, match="'reuse', 'update', 'create'"):
        decide([], wanted(), "replace")
