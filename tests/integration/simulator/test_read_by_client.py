"""Answers of the simulator are what the client's parsers expect: every fate, every offset, both error envelopes."""

from __future__ import annotations

import json

import pytest

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.errors import OmniError, OmniRateLimitError, OmniRequestError
from airflow_provider_omni.omni.responses import Response, read
from airflow_provider_omni.simulator.clock import ManualClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.fates import FATES
from airflow_provider_omni.simulator.settings import OFFSETS, Settings
from airflow_provider_omni.simulator.wire import WireRequest

HEADERS = {"authorization": "App demo"}


def ask(simulator: Simulator, call: api.Call, body: dict | None = None):
    raw = call.body or b"" if body is None else json.dumps(body).encode()
    query = "&".join(f"{name}={value}" for name, value in call.query)
    reply = simulator.handle(WireRequest(call.method, call.path, query, HEADERS, raw))
    return read(call, Response(reply.status, reply.headers, reply.body))


def one_to_each_fate(simulator: Simulator) -> None:
    body = {
        "scenarioKey": simulator.add_scenario(),
        "destinations": [{"to": {"phoneNumber": f"417930267{ending}"}} for ending in FATES],
        "line": {"type": "TEXT", "text": "x", "validityPeriod": 1},
        "sms": {"text": "x", "validityPeriod": 1},
    }
    request = WireRequest("POST", "/omni/1/advanced", "", HEADERS, json.dumps(body).encode())
    assert simulator.handle(request).status == 200


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("report_bulk_id", ["sent", "empty", "absent"])
def test_every_report_and_row_is_read(offset, report_bulk_id):
    settings = Settings(reports="per-step", offset=offset, report_bulk_id=report_bulk_id)
    simulator = Simulator(settings, ManualClock())
    one_to_each_fate(simulator)
    assert ask(simulator, api.get_logs())
    simulator.advance(500)
    reports, rows = ask(simulator, api.get_reports()), ask(simulator, api.get_logs())
    assert len({report.message_id for report in reports}) == len(FATES) - 9 - 4
    assert {row.channel for row in rows} == {"LINE", "SMS"}


def test_scenarios_are_read():
    simulator = Simulator()
    key = simulator.add_scenario()
    assert [one.key for one in ask(simulator, api.list_scenarios())] == [key]
    assert [step.channel for step in ask(simulator, api.get_scenario(key)).flow] == ["LINE", "SMS"]


@pytest.mark.parametrize("style", ["legacy", "current", "empty"])
@pytest.mark.parametrize(("status", "error"), [(400, OmniRequestError), (429, OmniRateLimitError), (503, OmniError)])
def test_errors_are_read_in_every_envelope(style, status, error):
    simulator = Simulator()
    simulator.faults.add("error-before", status=status, body=style, retry_after=3)
    with pytest.raises(error) as caught:
        ask(simulator, api.get_logs())
    assert caught.value.status == status
