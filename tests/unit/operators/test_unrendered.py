"""Templates and outputs of tasks in arguments that Airflow does not render are refused when the DAG is read."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.known_arguments import own_arguments
from airflow_provider_omni.operators.omni import OmniSendMessageOperator
from airflow_provider_omni.transfers.sql_to_omni import SqlToOmniOperator
from tests.unit.operators.test_known_arguments import MEANT

UNRENDERED = [(kind, name) for kind in MEANT for name in sorted(own_arguments(kind) - set(kind.template_fields))]  # type: ignore[attr-defined]


def problems_of(kind: Any, **arguments: Any) -> list[str]:
    with pytest.raises(OmniInputError) as caught:
        kind(**MEANT[kind] | arguments)
    return list(caught.value.problems)


@pytest.mark.parametrize(("kind", "name"), UNRENDERED, ids=[f"{kind.__name__}-{name}" for kind, name in UNRENDERED])
def test_a_template_in_an_argument_that_is_none_is_refused(kind: type, name: str) -> None:
    for template in ("{{ params.x }}", "{% if x %}a{% endif %}"):
        [problem] = problems_of(kind, **{name: template})
        assert problem.startswith(f"{name}: got a template, expected ")


@pytest.mark.parametrize(("kind", "name"), UNRENDERED, ids=[f"{kind.__name__}-{name}" for kind, name in UNRENDERED])
def test_so_is_the_output_of_another_task(kind: type, name: str) -> None:
    @task
    def earlier() -> str:
        return "x"

    with DAG("d"):
        [problem] = problems_of(kind, **{name: earlier()})
    assert problem.startswith(f"{name}: got the output of a task, expected ")


def test_a_template_deep_in_such_an_argument_is_found_and_told_with_the_other_mistakes() -> None:
    found = problems_of(
        SqlToOmniOperator, hook_params={"schema": ["{{ params.shop }}"]}, chunk_size=0, notify="{{ x }}"
    )
    assert {line.partition(":")[0] for line in found} == {"hook_params", "chunk_size", "notify"}


def test_a_class_of_the_users_own_may_have_them_rendered_and_has_its_own_arguments() -> None:
    class Mine(OmniSendMessageOperator):
        template_fields = (*OmniSendMessageOperator.template_fields, "notify")

        def __init__(self, *, mine: str, **kwargs: Any) -> None:
            self.mine = mine
            super().__init__(**kwargs)

    assert Mine(**MEANT[OmniSendMessageOperator], notify="{{ params.notify }}", mine="{{ x }}").mine == "{{ x }}"
