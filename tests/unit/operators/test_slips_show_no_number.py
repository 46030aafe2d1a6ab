"""A phone number that has slipped to where something else belongs stands in no error, whatever the argument."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_omni.hooks.request_body import read_body
from airflow_provider_omni.notifications.omni import OmniNotifier
from airflow_provider_omni.omni.errors import OmniError
from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor
from tests.unit.operators.rendered import with_values

NUMBER = "41791112233"  # not the one that errors have in their examples
SLIPS: list[Any] = [NUMBER, f"+{NUMBER}", int(NUMBER), [NUMBER], {NUMBER: "Hi"}, {"text": "Hi", NUMBER: "x"}]
MEANT: dict[type, dict[str, Any]] = {
    OmniSendMessageOperator: {"scenario_key": "K", "to": "41791112299", "sms": {"text": "Hi"}, "flow": ["SMS"]},
    OmniSendBatchOperator: {
        "scenario_key": "K", "recipients": ["41791112299"], "sms": {"text": "Hi"}, "flow": ["SMS"]
    },
    OmniDeliverySensor: {"message_ids": ["m"]},
    OmniNotifier: {"scenario_key": "K", "to": "41791112299", "sms": "Hi"},
}  # fmt: skip
SEND = ("line", "sms", "other_channels", "flow", "send_at", "notify", "notify_content_type", "region",
        "allowed_countries", "number_check", "on_rejected", "log_grace")  # fmt: skip
BATCH = (*SEND, "shard", "chunk_size", "max_connections", "max_recipients", "max_quarantined", "encoding")
ALERT = ("line", "sms", "other_channels", "max_sms_parts", "dedupe", "region", "allowed_countries", "number_check")
WAIT = ("message_ids", "bulk_ids", "success_when", "delivered_means", "last_channel")
ARGUMENTS = [
    *itertools.product([OmniSendMessageOperator], ["to", *SEND]),
    *itertools.product([OmniSendBatchOperator], BATCH),
    *itertools.product([OmniNotifier], ["to", *ALERT]),
    *itertools.product(
        [OmniDeliverySensor], ["message_ids", "bulk_ids", "success_when", "delivered_means", "last_channel"]
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=[f"slip{index}" for index in range(len(SLIPS))])
@pytest.mark.parametrize(("kind", "name"), ARGUMENTS)
def test_a_number_in_the_place_of_another_argument_is_not_told(
    kind: type, name: str, slip: Any, vendor: Any, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {} if kind is OmniNotifier else {"task_id": "t"}
    if (name, type(slip)) == ("chunk_size", int):
        return  # which is a size
    told = []
    for late in (False, True):
        # Within a DAG file, and rendered by a template.
        if late and kind in (OmniNotifier, OmniDeliverySensor):
            continue
        try:
            made = kind(**own | MEANT[kind] | {} if late else own | MEANT[kind] | {name: slip})
            made = with_values(made, **{name: slip}) if late else made
            task.state.clear()
            if kind is OmniNotifier:
                made.notify({})
            elif kind is not OmniDeliverySensor:
                made.execute(task.context())
        except Exception as error:  # noqa: BLE001  whatever it is: it must not tell
            told.append(f"{error} {error!r} {error.__cause__!r}")
    assert [text for text in told if NUMBER in text] == []


def test_a_number_as_the_name_of_a_member_is_not_told_by_the_hook() -> None:
    for body in (
        {NUMBER: "Hi"},
        {"destinations": [{NUMBER: "x"}], "sms": {"text": "Hi", NUMBER: "x"}},
        {"destinations": [{"to": {"phoneNumber": NUMBER, NUMBER: 1}}], "email": {NUMBER: object(), "a": {NUMBER: {1}}}},
        {"destinations": [{"to": {"phoneNumber": NUMBER}}], "email": {"text": {NUMBER: "\x1b"}}},
    ):
        with pytest.raises(OmniError) as caught:
            read_body(body)
        assert NUMBER not in str(caught.value)
