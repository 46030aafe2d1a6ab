"""`python -m airflow_provider_omni.simulator` and the pytest plugin, as people start them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from airflow_provider_omni.simulator.__main__ import main

PACKAGE = "airflow_provider_omni.simulator"
NO_STARLETTE = "import sys; sys.modules['starlette'] = None; "


@contextmanager
def program(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program on a free port; yield it and its first line."""
    command = [sys.executable, "-m", PACKAGE, "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            if process.poll() is None:
                process.kill()


def address(line: str) -> str:
    return re.fullmatch(r"OMNI simulator listening on (http://127\.0\.0\.1:\d+) \(login \S+\)\n", line)[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_cleanly(number):
    with program() as (process, line):
        assert requests.get(f"{address(line)}/simulator/health", timeout=10).json()["status"] == "ok"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_it_stops_although_an_answer_is_held_back():
    with program("--fault", "hold-before") as (process, line):
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{address(line)}/omni/1/logs", auth=("demo", "demo-password"), timeout=0.2)
        process.terminate()
        assert process.wait(20) == 0


def test_flags_set_login_switches_and_faults():
    flags = ["--login", "me", "--password", "secret", "--switch", "create_status=200", "--time-scale", "60"]
    with program(*flags, "--fault", "forbid,call=logs,times=forever") as (_, line):
        url = address(line)
        switches = requests.get(f"{url}/simulator/switches", timeout=10).json()
        assert (switches["create_status"], switches["time_scale"]) == (200, 60.0)
        assert requests.get(f"{url}/omni/1/logs", auth=("demo", "demo-password"), timeout=10).status_code == 403
        assert requests.get(f"{url}/omni/1/scenarios", auth=("demo", "demo-password"), timeout=10).status_code == 401
        assert requests.get(f"{url}/omni/1/scenarios", auth=("me", "secret"), timeout=10).status_code == 200
        assert "secret" not in line


def test_a_manual_clock_stands_still():
    with program("--manual-clock") as (_, line):
        url = f"{address(line)}/simulator/clock"
        before = requests.get(url, timeout=10).json()["time"]
        headers = {"content-type": "application/json"}
        assert requests.post(url, data='{"advance": 60}', headers=headers, timeout=10).json()["time"] == before + 60


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--switch", "nonsense=1"], "nonsense"),
        (["--fault", "explode"], "explode"),
        (["--time-scale", "0"], "time_scale: 0, must be above 0"),
        (["--port", "many"], "--port"),
        (["--port", "99999"], "port"),
    ],
)
def test_bad_flags_are_one_clear_error(capsys, flags, complaint):
    with pytest.raises(SystemExit) as stopped:
        main(flags)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_taken_port_is_one_clear_error(omni_simulator, capsys):
    assert main(["--port", str(omni_simulator.port)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"Cannot listen on 127.0.0.1:{omni_simulator.port}: ")
    assert "`make down`" in told
    assert "--port" in told


def test_without_the_extra_the_program_says_what_to_install():
    code = NO_STARLETTE + f"from {PACKAGE}.__main__ import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'airflow-provider-omni[simulator]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_plugin_imports_nothing_heavy():
    code = (
        f"import sys, pytest; import {PACKAGE}.pytest_plugin; "
        "print([name for name in ('airflow', 'starlette', 'uvicorn', 'pydantic', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_fixture_is_there_in_a_project_of_its_own(tmp_path: Path):
    (tmp_path / "test_mine.py").write_text(
        "import json, urllib.request\n"
        "def test_mine(omni_simulator):\n"
        "    health = urllib.request.urlopen(omni_simulator.url + '/simulator/health')\n"
        "    assert json.load(health)['status'] == 'ok'\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "AIRFLOW"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_without_the_extra_the_fixture_says_what_to_install(tmp_path: Path):
    (tmp_path / "test_mine.py").write_text(
        "import sys\nsys.modules['starlette'] = None\ndef test_mine(omni_simulator):\n    pass\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "AIRFLOW"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert "airflow-provider-omni[simulator]" in done.stdout


def test_beyond_loopback_control_calls_want_the_login():
    with program("--host", "0.0.0.0") as (_, line):
        url = f"{address(line)}/simulator/health"
        assert requests.get(url, timeout=10).status_code == 401
        assert requests.get(url, auth=("demo", "demo-password"), timeout=10).json()["status"] == "ok"
        assert json.loads(requests.get(url, auth=("demo", "demo-password"), timeout=10).text)["held"] == 0


def test_what_was_sent_outlives_a_kill(tmp_path: Path):
    flags = ["--state", str(tmp_path / "state.db"), "--account", "ann:secret"]
    with program(*flags, "--demo") as (process, line):
        url = f"{address(line)}/simulator/messages"
        before = requests.get(url, timeout=10).json()
        sent = requests.post(f"{address(line)}/omni/1/scenarios", json={}, auth=("ann", "secret"), timeout=10)
        assert sent.status_code == 400
        process.kill()
        process.wait(20)
    with program(*flags, "--demo") as (_, line):
        after = requests.get(f"{address(line)}/simulator/messages", timeout=10).json()
        assert [one["message_id"] for one in after["messages"]] == [one["message_id"] for one in before["messages"]]
        assert after["total"] == before["total"] > 40
        assert requests.get(f"{address(line)}/omni/1/logs", auth=("ann", "secret"), timeout=10).status_code == 200


def test_a_state_that_cannot_be_read_is_one_clear_error(tmp_path: Path, capsys):
    (tmp_path / "state.db").write_text("no database, but longer than the header of one would be: " * 20)
    with pytest.raises(SystemExit):
        main(["--state", str(tmp_path / "state.db")])
    assert "file is not a database" in capsys.readouterr().err


def test_faults_of_the_command_line_do_not_strike_the_demo():
    with program("--demo", "--fault", "error-before,call=send,times=forever") as (_, line):
        (fault,) = requests.get(f"{address(line)}/simulator/faults", timeout=10).json()["planned"]
        assert fault["fired"] == 0
        assert requests.get(f"{address(line)}/simulator/messages", timeout=10).json()["total"] > 40
