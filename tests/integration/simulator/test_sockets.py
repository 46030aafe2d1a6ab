"""The simulator on a real socket: calls, faults that are done to the connection, control calls."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from airflow_provider_omni.simulator.faults import FAULT_KINDS
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY

LOGIN = ("demo", "demo-password")
ENDS_WITHOUT_ANSWER = ("reset-before", "close-before", "reset-after", "close-after")


def body(key: str, number: str = "41793026727") -> dict[str, Any]:
    return {
        "scenarioKey": key,
        "destinations": [{"to": {"phoneNumber": number}}],
        "line": {"type": "TEXT", "text": "by LINE"},
        "sms": {"text": "by SMS"},
    }


def post(simulator, timeout: float = 10, **members: Any) -> requests.Response:
    key = SOURCE_SCENARIO_KEY
    return requests.post(f"{simulator.url}/omni/1/advanced", json=body(key), auth=LOGIN, timeout=timeout, **members)


def control(simulator, method: str, path: str, **members: Any) -> requests.Response:
    headers = {"content-type": "application/json"}
    data = json.dumps(members) if method != "GET" else None
    params = members if method == "GET" else None
    url = f"{simulator.url}/simulator/{path}"
    return requests.request(method, url, data=data, params=params, headers=headers, timeout=10)


def raw_exchange(simulator, request: str) -> bytes:
    with socket.create_connection((simulator.host, simulator.port), timeout=10) as connection:
        connection.sendall(request.encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


@pytest.fixture
def simulator(omni_simulator):
    omni_simulator.add_scenario()
    return omni_simulator


class TestCalls:
    def test_send_and_read(self, simulator):
        assert post(simulator).status_code == 200
        simulator.advance(2)
        for path, found in (("reports", 1), ("reports", 0), ("logs", 1)):
            answer = requests.get(f"{simulator.url}/omni/1/{path}", auth=LOGIN, timeout=10)
            assert len(answer.json()["results"]) == found

    def test_an_absolute_form_request_target_works(self, simulator):
        answer = raw_exchange(
            simulator,
            f"GET {simulator.url}/omni/1/scenarios?limit=1 HTTP/1.1\r\nHost: {simulator.host}\r\n"
            "Authorization: Basic ZGVtbzpkZW1vLXBhc3N3b3Jk\r\nConnection: close\r\n\r\n",
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"scenarios"' in answer

    def test_connections_are_kept_alive(self, simulator):
        connection = http.client.HTTPConnection(simulator.host, simulator.port, timeout=10)
        for _ in range(3):
            connection.request("GET", "/omni/1/scenarios", headers={"Authorization": "App demo"})
            assert connection.getresponse().read()
        used = connection.sock.getsockname()
        connection.request("GET", "/omni/1/scenarios", headers={"Authorization": "App demo"})
        connection.getresponse().read()
        assert connection.sock.getsockname() == used
        connection.close()

    def test_a_large_send_arrives_whole(self, simulator):
        large = body(SOURCE_SCENARIO_KEY)
        large["destinations"] = [{"to": {"phoneNumber": f"4179{number:07d}"}} for number in range(5000)]
        answer = requests.post(f"{simulator.url}/omni/1/advanced", json=large, auth=LOGIN, timeout=30)
        assert len(answer.json()["messages"]) == 5000

    def test_a_request_that_says_it_is_endless_is_refused_before_it_is_read_and_without_a_login(self, simulator):
        answer = raw_exchange(
            simulator, f"POST /omni/1/advanced HTTP/1.1\r\nHost: {simulator.host}\r\nContent-Length: 17000000\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"PAYLOAD_TOO_LARGE" in answer

    @pytest.mark.parametrize(("path", "mebibytes"), [("omni/1/advanced", 17), ("simulator/release", 2)])
    def test_a_request_that_does_not_say_how_long_it_is_is_read_up_to_a_bound(self, simulator, path, mebibytes):
        sent = 0
        with socket.create_connection((simulator.host, simulator.port), timeout=10) as connection:
            connection.sendall(
                f"POST /{path} HTTP/1.1\r\nHost: {simulator.host}\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n".encode()
            )
            with contextlib.suppress(OSError):
                for _ in range(mebibytes + 128):
                    connection.sendall(b"100000\r\n" + b"x" * 2**20 + b"\r\n")
                    sent += 1
                    if select.select([connection], [], [], 0)[0]:
                        break
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
        # What the sockets hold on both sides comes on top of it.
        assert sent <= mebibytes + 64
        assert requests.get(f"{simulator.url}/omni/1/scenarios", auth=LOGIN, timeout=10).status_code == 200

    def test_many_connections_at_once(self, simulator):
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda _: post(simulator).status_code, range(64)))
        assert statuses == [200] * 64
        assert len(simulator.record.acceptances) == 64


class TestFaultsOnTheConnection:
    @pytest.mark.parametrize("kind", ENDS_WITHOUT_ANSWER)
    def test_the_connection_ends_without_an_answer(self, simulator, kind):
        simulator.faults.add(kind, call="send")
        with pytest.raises(requests.ConnectionError):
            post(simulator)
        assert len(simulator.record.acceptances) == (0 if kind.endswith("before") else 1)

    @pytest.mark.parametrize(
        ("kind", "error"), [("reset-after", ConnectionResetError), ("close-after", http.client.RemoteDisconnected)]
    )
    def test_reset_and_close_differ_on_the_wire(self, simulator, kind, error):
        simulator.faults.add(kind)
        connection = http.client.HTTPConnection(simulator.host, simulator.port, timeout=10)
        connection.request("GET", "/omni/1/scenarios", headers={"Authorization": "App demo"})
        with pytest.raises(error):
            connection.getresponse()

    def test_a_kept_alive_connection_can_break(self, simulator):
        connection = http.client.HTTPConnection(simulator.host, simulator.port, timeout=10)
        connection.request("GET", "/omni/1/scenarios", headers={"Authorization": "App demo"})
        connection.getresponse().read()
        simulator.faults.add("reset-after", call="reports")
        connection.request("GET", "/omni/1/reports", headers={"Authorization": "App demo"})
        with pytest.raises(ConnectionError):
            connection.getresponse()
        assert len(simulator.record.calls_of("reports")) == 1

    def test_a_truncated_answer_is_shorter_than_it_says(self, simulator):
        simulator.faults.add("truncated")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            post(simulator)

    def test_an_answer_can_drip(self, simulator):
        simulator.faults.add("drip", seconds=0.001)
        assert post(simulator).json()["messages"]

    def test_an_answer_can_be_huge(self, simulator):
        simulator.faults.add("huge", mebibytes=3)
        assert len(post(simulator).content) == 3 * 2**20

    def test_latency_is_real(self, simulator):
        simulator.faults.add("latency", seconds=5)
        with pytest.raises(requests.ReadTimeout):
            post(simulator, timeout=0.2)
        simulator.wait_until(lambda engine: len(engine.record.acceptances) == 1)

    @pytest.mark.parametrize("kind", ["hold-before", "hold-after"])
    def test_an_answer_is_held_back_until_released(self, simulator, kind):
        simulator.faults.add(kind, call="send")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, simulator)
            simulator.wait_until(lambda engine: engine.held)
            assert len(simulator.record.acceptances) == (1 if kind == "hold-after" else 0)
            assert not waiting.done()
            simulator.release()
            assert waiting.result(10).status_code == 200
        assert len(simulator.record.acceptances) == 1

    def test_a_request_held_before_its_effect_arrives_late_even_if_its_caller_is_gone(self, simulator):
        simulator.faults.add("hold-before", call="send")
        with pytest.raises(requests.ReadTimeout):
            post(simulator, timeout=0.2)
        simulator.wait_until(lambda engine: engine.held)
        assert simulator.record.acceptances == []
        simulator.release()
        assert len(simulator.record.acceptances) == 1

    @pytest.mark.parametrize("kind", FAULT_KINDS)
    def test_the_server_survives_every_fault(self, simulator, kind):
        simulator.faults.add(kind, call="send", seconds=0.01, mebibytes=1)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(post, simulator)
            if kind.startswith("hold"):
                simulator.wait_until(lambda engine: engine.held)
                simulator.release()
            first.exception(10)
        assert post(simulator).status_code == 200


class TestControlCalls:
    def test_health(self, simulator):
        assert control(simulator, "GET", "health").json()["status"] == "ok"

    def test_record(self, simulator):
        post(simulator)
        whole = control(simulator, "GET", "record").json()
        assert set(whole) == {"acceptances", "refusals", "deliveries", "duplicates", "calls", "reports_read"}
        part = control(simulator, "GET", "record", what="acceptances").json()
        assert [one["to"] for one in part["acceptances"]] == ["41793026727"]
        assert control(simulator, "GET", "record", what="gossip").status_code == 400

    def test_fates(self, simulator):
        assert control(simulator, "GET", "fates").json()["default"] == "LINE delivered"

    def test_switches(self, simulator):
        assert control(simulator, "GET", "switches").json()["reports"] == "final"
        assert control(simulator, "POST", "switches", reports="per-step").json()["reports"] == "per-step"
        answer = control(simulator, "POST", "switches", reports="some")
        assert (answer.status_code, answer.json()["error"]) == (
            400,
            "reports: got 'some', expected one of final, per-step",
        )
        assert control(simulator, "POST", "switches", password="x").status_code == 400

    def test_faults(self, simulator):
        assert control(simulator, "POST", "faults", kind="forbid", call="send").json()["left"] == 1
        assert [one["kind"] for one in control(simulator, "GET", "faults").json()["planned"]] == ["forbid"]
        assert control(simulator, "DELETE", "faults").json() == {"planned": []}
        assert post(simulator).status_code == 200
        assert control(simulator, "POST", "faults", kind="explode").status_code == 400

    def test_clock(self, simulator):
        before = control(simulator, "GET", "clock").json()["time"]
        assert control(simulator, "POST", "clock", advance=3600).json()["time"] >= before + 3600
        assert control(simulator, "POST", "clock", advance=-1).status_code == 400
        assert control(simulator, "POST", "clock").status_code == 400

    @pytest.mark.parametrize(
        "number", ["1e308", "1e400", "NaN", "Infinity", "-1", "1" + "0" * 400, "true", '"5"', "[1]"]
    )
    @pytest.mark.parametrize(
        ("path", "members"),
        [
            ("clock", '"advance": %s'),
            ("wait", '"for": "calls", "timeout": 0, "count": %s'),
            ("wait", '"for": "calls", "count": 0, "timeout": %s'),
            ("switches", '"default_validity_seconds": %s'),
            ("switches", '"logs_per_minute": %s'),
            ("switches", '"time_scale": %s'),
            ("faults", '"kind": "drip", "seconds": %s'),
            ("faults", '"kind": "huge", "mebibytes": %s'),
            ("faults", '"kind": "throttle", "retry_after": %s'),
            ("faults", '"kind": "throttle", "probability": %s'),
            ("faults", '"kind": "throttle", "times": %s'),
            ("release", '"id": %s'),
        ],
    )
    def test_a_number_that_nobody_can_mean_is_a_400(self, simulator, path, members, number):
        headers = {"content-type": "application/json"}
        data = "{" + members % number + "}"
        answer = requests.post(f"{simulator.url}/simulator/{path}", data=data, headers=headers, timeout=10)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]

    def test_a_clock_at_its_end_still_writes_dates(self, simulator):
        now = control(simulator, "GET", "clock").json()["time"]
        post(simulator)
        assert control(simulator, "POST", "clock", advance=7_258_118_300 - now).status_code == 200
        assert control(simulator, "POST", "clock", advance=1e6).status_code == 400
        assert post(simulator).status_code == 200
        assert requests.get(f"{simulator.url}/omni/1/logs", auth=LOGIN, timeout=10).status_code == 200

    @pytest.mark.parametrize("validity", [10**400, float("nan"), float("inf")])
    def test_a_validity_that_is_no_number_of_minutes_is_a_400(self, simulator, validity):
        large = body(SOURCE_SCENARIO_KEY)
        large["sms"]["validityPeriod"] = validity
        data = json.dumps(large)
        answer = requests.post(f"{simulator.url}/omni/1/advanced", data=data, auth=LOGIN, timeout=10)
        assert answer.status_code == 400

    @pytest.mark.parametrize("path", ["logs", "reports", "scenarios"])
    def test_a_limit_of_thousands_of_digits_is_a_400(self, simulator, path):
        url = f"{simulator.url}/omni/1/{path}?limit={'9' * 5000}"
        assert requests.get(url, auth=LOGIN, timeout=10).status_code == 400

    def test_a_body_that_is_nested_too_deeply_is_a_400(self, simulator):
        headers = {"content-type": "application/json"}
        url = f"{simulator.url}/simulator/release"
        assert requests.post(url, data="[" * 100_000, headers=headers, timeout=10).status_code == 400

    def test_held_release_and_wait(self, simulator):
        control(simulator, "POST", "faults", kind="hold-after", call="send")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, simulator)
            assert control(simulator, "POST", "wait", **{"for": "held", "call": "send"}).json()["reached"] is True
            held = control(simulator, "GET", "held").json()["held"]
            assert [(one["call"], one["effect"]) for one in held] == [("send", True)]
            assert control(simulator, "POST", "release", id=99).status_code == 400
            assert control(simulator, "POST", "release", id=held[0]["id"]).json() == {"released": 1}
            assert waiting.result(10).status_code == 200

    def test_what_is_dropped_has_no_effect_and_its_connection_is_reset(self, simulator):
        control(simulator, "POST", "faults", kind="hold-before", call="send")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, simulator)
            assert control(simulator, "POST", "wait", **{"for": "held", "call": "send"}).json()["reached"] is True
            assert control(simulator, "POST", "drop").json() == {"dropped": 1}
            with pytest.raises(requests.ConnectionError):
                waiting.result(10)
        assert simulator.record.acceptances == []

    @pytest.mark.parametrize("what", ["acceptances", "calls", "deliveries", "reports_read", "unread", "held"])
    def test_wait_gives_up(self, simulator, what):
        answer = control(simulator, "POST", "wait", **{"for": what, "count": 1, "timeout": 0})
        assert answer.json() == {"reached": False, "count": 0}

    def test_wait_refuses_what_it_does_not_know(self, simulator):
        assert control(simulator, "POST", "wait", **{"for": "godot"}).status_code == 400
        assert control(simulator, "POST", "wait", **{"for": "calls", "call": "godot"}).status_code == 400

    def test_reset(self, simulator):
        post(simulator)
        assert control(simulator, "POST", "reset").json() == {"status": "ok"}
        assert control(simulator, "GET", "record", what="calls").json() == {"calls": []}

    @pytest.mark.parametrize("data", ["[]", "{", '{"nonsense": 1}'])
    def test_bad_bodies_are_400(self, simulator, data):
        headers = {"content-type": "application/json"}
        answer = requests.post(f"{simulator.url}/simulator/release", data=data, headers=headers, timeout=10)
        assert answer.status_code == 400
        assert answer.json()["error"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"host": "evil.example"}, 403),
            ({"origin": "http://evil.example"}, 403),
            ({"content-type": "text/plain"}, 415),
        ],
    )
    def test_strangers_are_kept_out(self, simulator, headers, status):
        merged = {"content-type": "application/json", **headers}
        url = f"{simulator.url}/simulator/reset"
        assert requests.post(url, data="{}", headers=merged, timeout=10).status_code == status

    def test_the_vendor_calls_do_not_look_at_host_and_origin(self, simulator):
        headers = {"host": "api.infobip.com", "origin": "http://evil.example"}
        assert post(simulator, headers=headers).status_code == 200


def test_each_test_has_a_simulator_of_its_own(simulator):
    assert simulator.record.calls == []


def test_two_simulators_run_side_by_side(simulator):
    from airflow_provider_omni.simulator.running import running_simulator

    with running_simulator() as other:
        other.add_scenario()
        post(other)
        assert (len(other.record.acceptances), len(simulator.record.acceptances)) == (1, 0)
    assert not [thread for thread in threading.enumerate() if thread.name == "omni-simulator"][1:]


def test_no_part_of_an_answer_waits_for_the_peers_acknowledgement_of_the_one_before():
    """A connection without TCP_NODELAY costs 40 ms for each answer, whose head and body are two parts."""
    from airflow_provider_omni.simulator.running import serving
    from airflow_provider_omni.simulator.server import TRANSPORT

    at_once: list[int] = []

    async def app(scope, _receive, send):
        connection = scope[TRANSPORT].get_extra_info("socket")
        at_once.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with serving(app) as port:
        requests.get(f"http://127.0.0.1:{port}", timeout=10)
    assert at_once
    assert all(at_once)


def test_a_running_simulator_stops_with_an_answer_held_back(simulator):
    from airflow_provider_omni.simulator.running import running_simulator

    with ThreadPoolExecutor(1) as pool:
        with running_simulator() as other:
            other.add_scenario()
            other.faults.add("hold-after")
            waiting = pool.submit(post, other)
            other.wait_until(lambda engine: engine.held)
        assert isinstance(waiting.exception(10), requests.ConnectionError)


def test_the_connection_can_be_given_to_airflow(simulator):
    described = json.loads(simulator.airflow_connection_json)
    assert described == {"conn_type": "omni", "host": simulator.url, "login": "demo", "password": "demo-password"}
    assert simulator.connection_uri == f"omni://demo:demo-password@127.0.0.1:{simulator.port}/http"
