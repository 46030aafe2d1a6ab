"""The create operator's value for the tasks after it. What it does to the account is tested in hooks and delivery."""

from __future__ import annotations

from airflow_provider_omni.operators.omni import OmniCreateScenarioOperator


def test_each_member_of_the_scenario_is_pushed_so_that_output_key_can_be_used() -> None:
    flow = [{"channel": "LINE", "from": "InfoLine"}]
    assert OmniCreateScenarioOperator(task_id="scenario", name="LINE", flow=flow).multiple_outputs is True
