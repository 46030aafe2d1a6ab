"""The connection that `make up` puts into Airflow's list: made once, then the user's but for the simulator's port."""

from __future__ import annotations

from typing import Any

import pytest
import requests_mock

from dev.airflow_api import AirflowApi
from dev.settings import Login, omni_connection

URL = "http://127.0.0.1:8080"
HERE = f"{URL}/api/v2/connections/omni_default"


def keep(found: dict[str, Any] | None) -> list[Any]:
    """Have the connection kept where this one is in the list; the calls that change something."""
    with requests_mock.Mocker() as airflow:
        airflow.post(f"{URL}/auth/token", json={"access_token": "token"})
        airflow.get(HERE, status_code=200 if found else 404, json=found or {})
        airflow.post(f"{URL}/api/v2/connections", json={})
        airflow.patch(HERE, json={})
        AirflowApi(URL, Login("admin", "password")).keep_connection("omni_default", omni_connection(8901))
        return [call for call in airflow.request_history if call.method != "GET" and "token" not in call.path]


def test_a_connection_that_is_not_there_is_made_without_an_empty_extra() -> None:
    [call] = keep(None)
    assert call.method == "POST"
    assert call.json()["connection_id"] == "omni_default"
    assert (call.json()["host"], call.json()["port"]) == ("127.0.0.1", 8901)
    assert call.json()["extra"] is None  # "{}" would be told as too short to be masked in each task log


def test_a_connection_that_somebody_has_edited_gets_the_simulators_port_and_no_more() -> None:
    [call] = keep({"host": "127.0.0.1", "port": 8900, "extra": '{"region": "TH"}'})
    assert (call.method, call.qs["update_mask"], call.json()["port"]) == ("PATCH", ["port"], 8901)


@pytest.mark.parametrize("host", ["xyz123.api.infobip.com", "http://127.0.0.1:9000", None])
def test_a_connection_that_leads_elsewhere_by_now_stays_as_it_is(host: str | None) -> None:
    assert keep({"host": host, "port": 443}) == []
