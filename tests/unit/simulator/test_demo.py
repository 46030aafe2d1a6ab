"""`--demo`: there is something of everything to look at."""

from __future__ import annotations

from airflow_provider_omni.simulator import demo
from airflow_provider_omni.simulator.clock import ManualClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.message_index import STATES
from airflow_provider_omni.simulator.sending import MANDATORY


def test_it_has_every_state_every_content_and_both_channels():
    simulator = Simulator(clock=ManualClock())
    before = simulator.now()

    demo.fill(simulator)

    assert simulator.now() == before
    simulator.advance(0.5)
    messages = simulator.messages.find()
    assert {message.state for message in messages} == set(STATES)
    assert {message.content["LINE"].get("type") for message in messages if "LINE" in message.content} == set(
        MANDATORY["LINE"]
    )
    assert {"LINE", "SMS"} <= {message.channel for message in messages}
    assert all(call.status == 200 for call in simulator.record.calls)
    assert max(message.at for message in messages) <= before
    assert {read.lost for read in simulator.record.reports_read} == {False}
