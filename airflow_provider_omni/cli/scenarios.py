"""`scenarios list | show | create`: the account's scenarios, by the hook."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_omni.cli.asking import ask
from airflow_provider_omni.cli.output import Answer, Table, command
from airflow_provider_omni.hooks.omni import OmniHook
from airflow_provider_omni.hooks.scenarios import Create, Replace, decide
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import NewScenario, Scenario
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some

COLUMNS = ("key", "name", "flow", "default")


def flow_of(steps: Sequence[str]) -> list[dict[str, str]]:
    """Return a flow from `LINE:my-line-sender`, or `LINE` where the account's own sender is meant.

    Raises OmniInputError that names every step that is neither.
    """
    flow, problems = [], []
    for place, step in enumerate(steps):
        channel, colon, sender = (part.strip() for part in step.partition(":"))
        if not channel or "=" in channel or (colon and not sender):
            problems.append(
                unexpected(f"--step[{place}]", "no channel, or no sender after a colon", "such as LINE:my-line-sender")
            )
            continue
        flow.append({"channel": channel.upper(), **({"from": sender} if sender else {})})
    if problems:
        raise OmniInputError("The flow cannot be read; nothing was changed.", problems=problems)
    return flow


def question_of(existing: Sequence[Scenario], wanted: NewScenario, if_exists: str) -> str:
    """Return what to ask before a scenario is made; empty if it changes nothing for anybody else."""
    decision = decide(existing, wanted, if_exists)
    if isinstance(decision, Replace):
        return f"Replace scenario {decision.key} for everybody who sends with it?"
    if isinstance(decision, Create) and wanted.default:
        return "Make this scenario the account's default, for everybody who names none?"
    return ""


def row_of(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scenario as a row of the table."""
    steps = [
        f"{step['channel']} from {step['from']}" if step.get("from") else step["channel"] for step in scenario["flow"]
    ]
    return {"key": scenario["key"], "name": scenario["name"], "flow": steps, "default": scenario["default"]}


def _answer(scenarios: Sequence[Mapping[str, Any]], data: Any) -> Answer:
    words = some(len(scenarios), "scenario") if isinstance(data, list) else ""
    table = Table([row_of(each) for each in scenarios], columns=COLUMNS)
    return Answer(data, (table,), (words,) if words else ())


@command
def list_all(arguments: argparse.Namespace) -> Answer:
    """List all scenarios."""
    with OmniHook(arguments.conn_id) as hook:
        found = hook.list_scenarios()
    return _answer(found, list(found))


@command
def show(arguments: argparse.Namespace) -> Answer:
    """Show one scenario."""
    with OmniHook(arguments.conn_id) as hook:
        found = hook.get_scenario(arguments.key)
    return _answer([found], found)


@command
def create(arguments: argparse.Namespace) -> Answer:
    """Make a scenario, or find the one of this name and flow."""
    from airflow_provider_omni.omni.validation import check_scenario

    flow, if_exists = flow_of(arguments.step), arguments.if_exists
    wanted = check_scenario(arguments.name, flow, arguments.default)
    with OmniHook(arguments.conn_id) as hook:
        there = [] if if_exists == "create" else [Scenario.model_validate(dict(each)) for each in hook.list_scenarios()]
        if question := question_of(there, wanted, if_exists):
            ask(question, yes=arguments.yes)
        made = hook.ensure_scenario(arguments.name, flow, arguments.default, if_exists)
    return _answer([made], made)
