"""Access to the control calls."""

from __future__ import annotations

import pytest

from airflow_provider_omni.simulator.access import ControlAccess, is_loopback

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", ["127.0.0.1:8900", "localhost:8900", "localhost", "[::1]:8900", "LOCALHOST:1"])
def test_loopback_names_are_taken(host):
    assert ControlAccess().refusal("GET", {"host": host}) is None


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example", "evil.example:8900", "[", "a@b:c:d"])
def test_other_host_headers_are_refused(host):
    status, reason = ControlAccess().refusal("GET", {"host": host})
    assert status == 403
    assert reason.startswith("Host:")


def test_a_name_can_be_allowed():
    assert ControlAccess(frozenset({"simulator"})).refusal("GET", {"host": "simulator:8900"}) is None


@pytest.mark.parametrize("origin", ["http://localhost:8900", "https://localhost:8900"])
def test_pages_of_its_own_are_taken(origin):
    assert ControlAccess().refusal("GET", {"host": "localhost:8900", "origin": origin}) is None


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null", ""])
def test_pages_of_others_are_refused(origin):
    assert ControlAccess().refusal("POST", {"host": "localhost:8900", "origin": origin, **JSON})[0] == 403


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_changes_need_a_json_content_type(method, kind):
    headers = {"host": "localhost"} if kind is None else {"host": "localhost", "content-type": kind}
    assert ControlAccess().refusal(method, headers)[0] == 415


def test_a_charset_may_follow():
    headers = {"host": "localhost", "content-type": "application/json; charset=utf-8"}
    assert ControlAccess().refusal("POST", headers) is None


def test_beyond_loopback_the_login_is_wanted():
    access = ControlAccess(credentials="demo:demo")
    assert access.refusal("GET", {"host": "localhost"})[0] == 401
    assert access.refusal("GET", {"host": "localhost", "authorization": "Basic ZGVtbzpkZW1v"}) is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x", False)],
)
def test_what_is_loopback(host, loopback):
    assert is_loopback(host) is loopback
