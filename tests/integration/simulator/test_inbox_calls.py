"""The inbox over HTTP: the page's files and their headers, its calls, its events, and who is kept out."""

from __future__ import annotations

import json
import threading

import pytest
import requests

from airflow_provider_omni.simulator import server
from airflow_provider_omni.simulator.access import ControlAccess
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.page_files import KINDS
from airflow_provider_omni.simulator.running import RunningSimulator, serving
from airflow_provider_omni.simulator.server import build_app

JSON = {"content-type": "application/json"}
LINE_SMS = {"line": {"type": "TEXT", "text": "by LINE"}, "sms": {"text": "by SMS"}}


def send(simulator: RunningSimulator, *numbers: str, **members: object) -> requests.Response:
    body = {
        "scenarioKey": simulator.add_scenario(),
        "destinations": [{"to": {"phoneNumber": one}} for one in numbers],
        **LINE_SMS,
        **members,
    }
    login = (simulator.login, simulator.password)
    return requests.post(f"{simulator.url}/omni/1/advanced", json=body, auth=login, timeout=10)


def call(simulator: RunningSimulator, method: str, path: str, **arguments: object) -> requests.Response:
    return requests.request(method, f"{simulator.url}/{path}", timeout=20, **arguments)


@pytest.mark.parametrize("path", ["", *(f"simulator/pages/{name}" for name in KINDS)])
def test_the_page_keeps_to_itself(omni_simulator, path):
    answer = call(omni_simulator, "GET", path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'self'"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["", "server.py", "..%2Fserver.py", "%2E%2E/server.py", "inbox.html%00"])
def test_nothing_else_is_served(omni_simulator, name):
    answer = call(omni_simulator, "GET", f"simulator/pages/{name}")
    assert answer.status_code in (401, 404)
    assert b"import" not in answer.content


def test_a_post_to_the_root_is_the_vendors(omni_simulator):
    assert call(omni_simulator, "POST", "", json={}).json()["requestError"]


CHANGES = [
    ("POST", "simulator/messages/decide", {"outcome": "failed", "all": True}),
    ("DELETE", "simulator/messages", {"all": True}),
    ("POST", "simulator/accounts", {"login": "x", "password": "y"}),
    ("POST", "simulator/clock", {"advance": 60}),
    ("POST", "simulator/faults", {"kind": "empty"}),
]


@pytest.mark.parametrize(("method", "path", "members"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {**JSON, "origin": "http://evil.example"},
        {**JSON, "origin": "null"},
        {**JSON, "sec-fetch-site": "cross-site"},
        {**JSON, "sec-fetch-site": "same-site"},
        {**JSON, "host": "evil.example"},
    ],
    ids=["a form", "another origin", "a sandbox", "cross-site", "another port", "another name"],
)
def test_pages_of_other_sites_change_nothing(omni_simulator, method, path, members, headers):
    send(omni_simulator, "41793026744")
    version = omni_simulator.simulator.version
    answer = call(omni_simulator, method, path, data=json.dumps(members), headers=headers)
    assert answer.status_code in (403, 415)
    assert omni_simulator.simulator.version == version
    assert omni_simulator.accounts.logins() == ["demo"]
    assert omni_simulator.faults.planned() == []


@pytest.mark.parametrize("path", ["", "simulator/pages/inbox.js", "simulator/messages", "simulator/events"])
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_pages_of_other_sites_see_nothing(omni_simulator, path, headers):
    assert call(omni_simulator, "GET", path, headers=headers).status_code == 403


def test_beyond_loopback_a_browser_is_asked_for_the_login():
    with serving(build_app(Accounts(Simulator()), ControlAccess(credentials="demo:demo"))) as port:
        for path in ("", "simulator/events", "simulator/messages"):
            answer = requests.get(f"http://127.0.0.1:{port}/{path}", timeout=10)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="OMNI simulator"')
        assert requests.get(f"http://127.0.0.1:{port}/", auth=("demo", "demo"), timeout=10).status_code == 200


def test_messages_are_listed_found_decided_and_deleted(omni_simulator):
    omni_simulator.configure(beat_seconds=1000)
    send(omni_simulator, "41793026727", "41793026710", bulkId="bulk-a")
    listed = call(omni_simulator, "GET", "simulator/messages?limit=1").json()
    assert (listed["matched"], len(listed["messages"]), listed["next"]) == (2, 1, 2)
    found = call(omni_simulator, "GET", "simulator/messages?query=state:pending+by+line&bulk_id=bulk-a").json()
    (one,) = found["messages"]
    assert one["to"] == "41793026727"
    decided = call(
        omni_simulator, "POST", "simulator/messages/decide", json={"outcome": "failed", "number": one["number"]}
    )
    assert decided.json() == {"decided": 1}
    told = call(omni_simulator, "GET", f"simulator/message?number={one['number']}").json()
    assert (told["state"], told["channel"]) == ("pending", "SMS")
    assert call(omni_simulator, "DELETE", "simulator/messages", json={"to": "41793026710"}).json() == {"deleted": 1}
    assert call(omni_simulator, "GET", "simulator/messages").json()["matched"] == 1


@pytest.mark.parametrize(
    ("method", "path", "members", "complaint"),
    [
        ("GET", "simulator/messages?state=lost", None, "state"),
        ("GET", "simulator/messages?limit=201", None, "limit"),
        ("GET", "simulator/messages?before=-1", None, "before"),
        ("GET", "simulator/messages?wrong=1", None, "wrong"),
        ("GET", "simulator/messages?account=nobody", None, "account"),
        ("GET", "simulator/message?number=7", None, "number"),
        ("GET", "simulator/message?number=x", None, "number"),
        ("DELETE", "simulator/messages", {}, "which messages?"),
        ("POST", "simulator/messages/decide", {"outcome": "lost", "all": True}, "outcome"),
        ("POST", "simulator/messages/decide", {"outcome": "failed"}, "which messages?"),
        ("POST", "simulator/messages/wait", {"to": 41}, "to"),
        ("POST", "simulator/accounts", {"login": "demo", "password": "x"}, "login"),
        ("POST", "simulator/accounts", {"login": "a:b", "password": "x"}, "login"),
        ("POST", "simulator/accounts", {"login": "x"}, "login and password"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_error(omni_simulator, method, path, members, complaint):
    answer = call(omni_simulator, method, path, json=members)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(complaint)


def test_waiting_over_http_ends_with_the_message(omni_simulator):
    sending = threading.Timer(0.1, lambda: send(omni_simulator, "41793026727"))
    sending.start()
    try:
        answer = call(
            omni_simulator, "POST", "simulator/messages/wait", json={"to": "+41793026727", "text": "LINE"}
        ).json()
    finally:
        sending.join()
    assert (answer["reached"], answer["count"]) == (True, 1)
    assert answer["messages"][0]["text"] == "by LINE"


def test_waiting_over_http_gives_up(omni_simulator):
    answer = call(omni_simulator, "POST", "simulator/messages/wait", json={"count": 1, "timeout": 0}).json()
    assert answer == {"reached": False, "count": 0, "messages": []}


def test_events_tell_what_has_changed(omni_simulator):
    with requests.get(f"{omni_simulator.url}/simulator/events", stream=True, timeout=20) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines(decode_unicode=True)

        def next_overview() -> dict[str, object]:
            return json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))

        assert next_overview()["total"] == 0
        send(omni_simulator, "41793026745")
        assert next_overview()["counts"]["pending"] == 1
        omni_simulator.faults.add("empty")
        assert next_overview()["faults"] == 1
        omni_simulator.advance(1_000_000)
        assert next_overview()["counts"]["failed"] == 1


def test_accounts_side_by_side_see_their_own(omni_simulator):
    ann, bob = omni_simulator.add_account("ann"), omni_simulator.add_account("bob", "secret")
    assert send(ann, "41793026727").status_code == 200
    ann.faults.add("error-before", times=None)
    assert send(bob, "41793026731").status_code == 200
    assert send(ann, "41793026732").status_code == 503
    bob.advance(3600)
    assert [one.to for one in ann.messages.wait_for()] == ["41793026727"]
    assert [one.to for one in bob.messages] == ["41793026731"]
    assert len(omni_simulator.messages) == 0
    assert bob.simulator.clock.now() - ann.simulator.clock.now() > 3500
    assert call(ann, "GET", "simulator/messages?account=bob").json()["messages"][0]["to"] == "41793026731"
    assert call(ann, "GET", "simulator/accounts").json() == {"accounts": ["demo", "ann", "bob"]}


def test_a_password_opens_its_own_account_only(omni_simulator):
    bob = omni_simulator.add_account("bob", "secret")
    url = f"{bob.url}/omni/1/logs"
    assert requests.get(url, auth=("bob", "demo"), timeout=10).status_code == 401
    assert requests.get(url, auth=("nobody", "secret"), timeout=10).status_code == 401
    assert requests.get(url, auth=("bob", "secret"), timeout=10).status_code == 200
    assert requests.get(url, headers={"authorization": "App secret"}, timeout=10).status_code == 200


def test_pages_do_not_pile_up(omni_simulator, monkeypatch):
    monkeypatch.setattr(server, "MOST_STREAMS", 1)
    url = f"{omni_simulator.url}/simulator/events"
    with requests.get(url, stream=True, timeout=5) as stream:
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines)
        assert requests.get(url, stream=True, timeout=5).status_code == 503
