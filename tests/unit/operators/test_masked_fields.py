"""Numbers in template fields: Airflow may render and resolve them, and nobody sees them."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, task
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_omni.operators.masked_fields import MaskedField, mask, unmask
from airflow_provider_omni.operators.omni import OmniSendMessageOperator


class Operator(BaseOperator):
    template_fields = ("to",)
    to = MaskedField()

    def __init__(self, *, to: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.to = to


def shown(operator: Any) -> str:
    """The values that Airflow would store in its table of rendered templates."""
    return json.dumps(serialize_template_field(operator.to, "to"), ensure_ascii=False)


@pytest.mark.parametrize(
    "to",
    [
        "41793026727",
        "+41 79 302 67 27",
        41793026727,
        ["41793026727", "0041793026731"],
        ("41793026727",),
        [{"to": {"phoneNumber": "41793026727", "emailAddress": "somebody@mail.example"}}],
        "['41793026727', '41793026731']",
    ],
)
def test_no_way_of_giving_a_number_shows_it(to: Any) -> None:
    operator = Operator(task_id="a", to=to)
    operator.render_template_fields({})
    for text in (shown(operator), str(operator.to), repr(operator.to)):
        assert "302" not in text
        assert "somebody" not in text


def test_enough_is_shown_to_find_the_row_in_ones_own_table() -> None:
    assert shown(Operator(task_id="a", to=["41793026727"])) in ('["4179…727"]', '"[4179…727]"')


def test_what_is_hidden_comes_back_unchanged() -> None:
    to = [{"to": {"phoneNumber": "41793026727"}}, "41793026731", 41793026740]
    assert unmask(mask(to)) == to


def test_a_template_is_rendered_and_its_value_hidden() -> None:
    operator = Operator(task_id="a", to=["{{ number }}", "41793026731"])
    operator.render_template_fields({"number": "41793026727"})
    assert unmask(operator.to) == ["41793026727", "41793026731"]
    assert "302" not in shown(operator)


def test_a_template_that_was_not_rendered_yet_is_shown_as_it_is() -> None:
    assert Operator(task_id="a", to="{{ params.to }}").to == "{{ params.to }}"


def test_a_callable_is_called_by_airflow_and_its_value_hidden() -> None:
    operator = Operator(task_id="a", to=lambda context, jinja_env: ["41793026727"])
    operator.render_template_fields({})
    assert unmask(operator.to) == ["41793026727"]
    assert "302" not in shown(operator)


def test_an_xcom_of_another_task_makes_that_task_upstream() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):

        @task
        def people() -> list[str]:
            return []

        everybody = people()
        one = Operator(task_id="one", to=everybody)
        mapped = Operator.partial(task_id="mapped").expand(to=everybody)
        listed = Operator(task_id="listed", to=[everybody, "41793026727"])
        partial = OmniSendMessageOperator.partial(task_id="partial", scenario_key="K", to=everybody).expand(
            sms=[{"text": "a"}, {"text": "b"}]
        )
    for each in (one, mapped, listed, partial):
        assert each.upstream_task_ids == {"people"}


def test_copies_of_the_operator_keep_the_value() -> None:
    operator = Operator(task_id="a", to="41793026727")
    assert unmask(copy.copy(operator).to) == unmask(copy.deepcopy(operator).to) == "41793026727"


def test_rendering_a_copy_leaves_the_template_of_the_original() -> None:
    operator = Operator(task_id="a", to="{{ number }}")
    copy.copy(operator).render_template_fields({"number": "41793026727"})
    assert operator.to == "{{ number }}"
