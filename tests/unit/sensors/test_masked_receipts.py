"""A sensor in Airflow's table of rendered templates: ids and counts, and nothing that was given for them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.operators.masked_fields import unmask
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

IDS = ["d13f7a1e-1234-5678-8000-000000000001", "2034072219640523072"]
RECEIPT = {
    "scenario_key": "3F2504E04F8911D39A0C0305E82C3301",
    "flow": ["LINE", "SMS"],
    "bulks": [{"bulk_id": IDS[0], "messages": 1, "message_id": IDS[1]}],
    "message_ids": IDS[1:],
    "counts": {"requested": 2, "accepted": 1, "quarantined": 1},
    "sent_at": "2026-11-28T15:45:48.123456+00:00",
    "account": "5f4472e0aa",
    "ledger_path": None,
}


def rendered(**given: Any) -> tuple[OmniDeliverySensor, str]:
    """The sensor after Airflow has rendered templates to these values, and what its table then shows of them."""
    templates = {name: f"{{{{ {name} }}}}" for name in given}
    sensor = OmniDeliverySensor(task_id="wait", **templates)
    for name, value in given.items():
        sensor.render_template_fields({name: value})
        setattr(sensor, name, value)
        type(sensor).__dict__[name].finish(sensor)
    fields = [serialize_template_field(getattr(sensor, name), name) for name in sensor.template_fields]
    return sensor, json.dumps(fields, ensure_ascii=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hello": "SECRETTEXT 41793026727"},
        [{"bulks": "SECRETTEXT 41793026727"}],
        {"bulks": [{"bulk_id": "41793026727", "messages": 41793026727}]},
        {"41793026727": {"flow": ["SECRETTEXT 41793026727"]}},
        "SECRETTEXT 41793026727",
        "{'hello': 'SECRETTEXT 41793026727'}",
        41793026727,
    ],
)
def test_a_receipt_that_is_none_is_not_shown(wrong: Any) -> None:
    sensor, shown = rendered(receipt=wrong)
    assert "SECRETTEXT" not in shown
    assert "302" not in shown
    assert unmask(sensor.receipt) == wrong


def test_a_receipt_is_shown_as_it_is() -> None:
    sensor, _ = rendered(receipt=[RECEIPT])
    assert sensor.receipt == [RECEIPT]


def test_ids_are_shown_as_they_are() -> None:
    for given in (IDS, ",".join(IDS), str(IDS), IDS[0], int(IDS[1])):
        sensor, _ = rendered(message_ids=given)
        assert sensor.message_ids == given


@pytest.mark.parametrize("name", ["message_ids", "bulk_ids"])
@pytest.mark.parametrize("wrong", ["41793026727", [IDS[0], "41793026727"], 41793026727, "['41793026727', 'a']"])
def test_a_number_that_was_given_for_an_id_is_not_shown(name: str, wrong: Any) -> None:
    sensor, shown = rendered(**{name: wrong})
    assert "302" not in shown
    assert unmask(getattr(sensor, name)) == wrong


def test_a_number_that_stands_for_an_id_in_a_dag_file_is_refused_when_it_is_read() -> None:
    with pytest.raises(OmniInputError, match=r"message_ids\[0\]: got a text of 11 characters, expected an id"):
        OmniDeliverySensor(task_id="wait", message_ids="41793026727")


def test_a_number_beside_a_template_is_not_kept_with_the_dag() -> None:
    sensor = OmniDeliverySensor(task_id="wait", message_ids=["{{ params.id }}", "41793026727"])
    assert sensor.message_ids[0] == "{{ params.id }}"
    assert "302" not in json.dumps(serialize_template_field(sensor.message_ids, "message_ids"))
