"""The seven calls as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_omni.omni import api
from airflow_provider_omni.omni.content import AdvancedRequest, Content
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.models import NewScenario, ScenarioStep

SCENARIO = NewScenario(name="s", flow=(ScenarioStep(channel="LINE", from_="me"),))
SINCE = datetime(2026, 11, 23, 18, 41, tzinfo=UTC)

CALLS: list[tuple[api.Call[Any], str, str, bool, bool]] = [
    (api.create_scenario(SCENARIO), "POST", "/omni/1/scenarios", False, False),
    (api.list_scenarios(), "GET", "/omni/1/scenarios?page=0&limit=100", True, False),
    (api.list_scenarios(2, 5, True), "GET", "/omni/1/scenarios?page=2&limit=5&isDefault=true", True, False),
    (api.list_scenarios(is_default=False), "GET", "/omni/1/scenarios?page=0&limit=100&isDefault=false", True, False),
    (api.get_scenario("K/1 ö"), "GET", "/omni/1/scenarios/K%2F1%20%C3%B6", True, False),
    (api.update_scenario("K", SCENARIO), "PUT", "/omni/1/scenarios/K", True, False),
    (api.send_advanced(AdvancedRequest(Content(), ())), "POST", "/omni/1/advanced", False, False),
    (api.get_reports(), "GET", "/omni/1/reports?limit=1000", False, True),
    (
        api.get_reports(bulk_id="b", message_id="m", channel="SMS", limit=50),
        "GET",
        "/omni/1/reports?bulkId=b&messageId=m&channel=SMS&limit=50",
        False,
        True,
    ),
    (api.get_logs(), "GET", "/omni/1/logs?limit=1000", True, False),
    (
        api.get_logs(
            bulk_ids=["b"], message_ids=["m", "n"], channel="LINE", general_status="DELIVERED", sent_since=SINCE,
            sent_until=SINCE, from_="me", to="4179", limit=7,
        ),
        "GET",
        "/omni/1/logs?from=me&to=4179&bulkId=b&messageId=m%2Cn&generalStatus=DELIVERED&channel=LINE"
        "&sentSince=2026-11-23T18%3A41%3A00.000%2B00%3A00&sentUntil=2026-11-23T18%3A41%3A00.000%2B00%3A00&limit=7",
        True,
        False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "method", "target", "repeatable", "consumes"), CALLS)
def test_a_call_is_what_the_api_has(
    call: api.Call[Any], method: str, target: str, repeatable: bool, consumes: bool
) -> None:
    assert (call.method, call.target, call.repeatable, call.consumes) == (method, target, repeatable, consumes)
    assert call.name == f"{method} {target.split('?')[0]}"


def test_a_repr_shows_neither_body_nor_query() -> None:
    assert repr(api.get_logs(to="41793026727")) == "Call(method='GET', path='/omni/1/logs', consumes=False)"


@pytest.mark.parametrize("key", ["", " ", ".", "..", "\ud800", None])
def test_a_scenario_key_that_is_no_part_of_a_path_is_refused(key: Any) -> None:
    with pytest.raises(OmniInputError, match="scenario key"):
        api.get_scenario(key)


@pytest.mark.parametrize("ids", [["a,b"], [""], ["a", ""], "abc", ["x" * 2049]])
def test_ids_that_one_logs_call_cannot_ask_for_are_refused(ids: Any) -> None:
    with pytest.raises(OmniInputError, match="message_ids"):
        api.get_logs(message_ids=ids)


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(OmniInputError, match="Nothing was sent"):
        api.send_advanced(AdvancedRequest(Content({"VIBER": {"x": object()}}), ()))


def test_umlauts_go_out_as_utf_8() -> None:
    call = api.send_advanced(AdvancedRequest(Content({"VIBER": {"x": "ö😀"}}), ()))
    assert call.body is not None
    assert "ö😀" in call.body.decode()
    assert json.loads(call.body)["viber"] == {"x": "ö😀"}


@given(st.text(min_size=1, alphabet=st.characters(codec="utf-8", exclude_characters=",")))
def test_any_id_survives_the_query(value: str) -> None:
    query = dict(parse_qsl(urlsplit(api.get_logs(bulk_ids=[value]).target).query, keep_blank_values=True))
    assert query == {"bulkId": value, "limit": "1000"}
