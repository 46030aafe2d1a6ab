"""Starting, finding and stopping the processes of a stack, tried with processes that only wait."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev.processes import Processes

WAIT = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
]
# Starts a child in another session, says its pid, and waits.
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, signal;"
    f"child = subprocess.Popen({WAIT!r}, start_new_session=True); print(child.pid, flush=True); signal.pause()",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path / "stack")
    processes.folder.mkdir()
    yield processes
    processes.stop_all(grace=0.0)
    processes.end_guard()


def first_line(log: str, timeout: float = 30.0) -> str:
    """The first line that a process writes to its log."""
    with subprocess.Popen(["tail", "-n", "+1", "-F", log], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
        assert tail.stdout is not None
        line = tail.stdout.readline().decode().strip()
        tail.kill()
    return line


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_stopping_ends_what_was_started(processes: Processes) -> None:
    started = processes.start("one", WAIT, os.environ)

    assert processes.stop_all() == 1
    assert not is_running(started.pid)


def test_another_instance_for_the_folder_finds_and_stops_it(processes: Processes) -> None:
    started = processes.start("one", WAIT, os.environ)

    assert Processes(processes.folder).stop_all() == 1
    assert not is_running(started.pid)


def test_process_that_ignores_sigterm_is_killed(processes: Processes) -> None:
    started = processes.start("deaf", STUBBORN, os.environ)
    first_line(started.log)

    processes.stop_all(grace=0.2)

    assert not is_running(started.pid)


def test_stopped_process_is_ended(processes: Processes) -> None:
    started = processes.start("frozen", WAIT, os.environ)
    os.kill(started.pid, signal.SIGSTOP)

    processes.stop_all(grace=5.0)

    assert not is_running(started.pid)


def test_orphan_in_another_session_is_found(processes: Processes) -> None:
    parent = processes.start("parent", PARENT, os.environ)
    orphan = int(first_line(parent.log))
    os.kill(parent.pid, signal.SIGKILL)

    processes.stop_all(grace=0.2)

    assert not is_running(orphan)


def test_pid_that_now_belongs_to_somebody_else_is_left_alone(processes: Processes) -> None:
    with subprocess.Popen(WAIT) as stranger:
        entry = {"name": "one", "pid": stranger.pid, "created": 1.0, "log": "one.log"}
        (processes.folder / "processes.json").write_text(json.dumps([entry]))

        stopped = processes.stop_all()

        assert (stopped, stranger.poll()) == (0, None)
        stranger.kill()


def test_part_is_killed_with_what_came_out_of_it_and_its_neighbour_is_not(processes: Processes) -> None:
    part = processes.start("part", PARENT, os.environ)
    neighbour = processes.start("neighbour", WAIT, os.environ)
    child = int(first_line(part.log))

    processes.kill("part")

    assert (is_running(part.pid), is_running(child), is_running(neighbour.pid)) == (False, False, True)


def test_stack_of_another_folder_is_left_alone(processes: Processes, tmp_path: Path) -> None:
    other = Processes(tmp_path / "other")
    other.folder.mkdir()
    started = other.start("one", WAIT, os.environ)

    processes.stop_all()

    assert is_running(started.pid)
    other.stop_all()


def test_end_of_a_process_is_noticed(processes: Processes) -> None:
    started = processes.start("one", WAIT, os.environ)
    os.kill(started.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(started.pid)], timeout=10)

    assert [one.name for one in processes.dead()] == ["one"]


# Starts a guarded process, says its pid, and is killed.
GUARDED = """
import os, sys
from pathlib import Path
from dev.processes import Processes
processes = Processes(Path(sys.argv[1]))
processes.guard()
print(processes.start("one", {wait!r}, os.environ).pid, flush=True)
if sys.argv[2] == "keep":
    processes.end_guard(keep=True)
os.kill(os.getpid(), 9)
"""


def run_guarded(folder: Path, mode: str) -> int:
    command = [sys.executable, "-c", GUARDED.format(wait=WAIT), str(folder), mode]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return int(done.stdout)


def test_guard_stops_everything_when_its_process_is_killed(processes: Processes) -> None:
    pid = run_guarded(processes.folder, "stop")

    psutil.wait_procs([psutil.Process(pid)] if is_running(pid) else [], timeout=30)

    assert not is_running(pid)


def test_guard_that_was_let_go_leaves_everything_running(processes: Processes) -> None:
    pid = run_guarded(processes.folder, "keep")

    assert is_running(pid)
