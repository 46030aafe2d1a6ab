"""Processes of one stack: started in sessions of their own, found again after whatever happened, and stopped.

Knows no Airflow. Airflow's task processes leave their parent's process group, and live on when a scheduler is killed;
so neither a group nor a list of pids is enough to find everything that was started. Every process therefore carries
its stack's folder in an environment variable, which its children inherit; and the pids that were started are kept in a
file with their start times, so that a pid that now belongs to somebody else is never signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from dev.machine import PART

MARKER = "OMNI_DEV_STACK"
"""Environment variable that marks a stack's processes. Its value is the stack's folder."""

KEEP = b"keep"
"""Word that the guard reads when the stack is meant to live on."""


@dataclass(frozen=True)
class Started:
    """A process that we started. `created` (seconds since the epoch) tells it from a later one with the same pid."""

    name: str
    pid: int
    created: float
    log: str

    def process(self) -> psutil.Process | None:
        """The process if it is still there (a zombie is not)."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) > 1 or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process


class Processes:
    """The processes of the stack in `folder`. Another instance for the same folder finds the same processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._file = self.folder / "processes.json"
        self._guard: subprocess.Popen[bytes] | None = None
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Started:
        """Start `command` in its own session, its output appended to `logs/NAME.log` of the stack's folder."""
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                list(command),
                env={**environment, MARKER: str(self.folder), PART: name},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        started = Started(name, child.pid, psutil.Process(child.pid).create_time(), str(log))
        self._write([other for other in self.known() if other.name != name] + [started])
        return started

    def known(self) -> list[Started]:
        """All that is on file, whether it still runs or not."""
        try:
            return [Started(**entry) for entry in json.loads(self._file.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []

    def find(self, name: str) -> psutil.Process | None:
        """The running process that was last started under this name."""
        self._reap()
        return next((started.process() for started in self.known() if started.name == name), None)

    def dead(self) -> list[Started]:
        """Processes on file that run no longer."""
        self._reap()
        return [started for started in self.known() if started.process() is None]

    def forget(self, name: str) -> None:
        """Take a process off the file, so that its end counts as meant."""
        self._write([started for started in self.known() if started.name != name])

    def stop(self, name: str, grace: float = 5.0) -> None:
        """Stop one process with its children: SIGTERM, and SIGKILL to what is left after `grace` seconds."""
        process = self.find(name)
        self.forget(name)
        if process is not None:
            _end([process], [process, *_children_of(process)], grace)
        self._reap()

    def kill(self, name: str) -> int:
        """SIGKILL to a process and all that came out of it, as a power cut would; how many processes that were.

        Its end counts as meant.
        """
        self.forget(name)
        killed = 0
        # Once more, since one of them may just have forked.
        while left := list(self._marked(name)):
            _end([], left, 0.0)
            killed += len(left)
        self._reap()
        return killed

    def stop_all(self, grace: float = 5.0) -> int:
        """Stop everything that belongs to this stack, whoever started it; how many processes that were.

        Also finds what an interrupted run has left behind. Returns when all of them are gone.
        """
        roots = [process for started in self.known() if (process := started.process()) is not None]
        everything = {process.pid: process for process in self._everything(roots)}
        _end(roots, list(everything.values()), grace)
        # A process may have been forked while the others were being stopped.
        late = list(self._everything([]))
        _end([], late, 0.0)
        self._reap()
        self._file.unlink(missing_ok=True)
        return len(everything) + len(late)

    def guard(self) -> None:
        """Have everything stopped when this process ends in any way, SIGKILL too.

        A small process holds the other end of a pipe: the pipe closes when we are gone.
        """
        if self._guard is not None:
            return
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "dev.processes", str(self.folder)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end_guard(self, keep: bool = False) -> None:
        """Let the guard go. What still runs by then is stopped by it, unless `keep`."""
        if self._guard is not None and self._guard.stdin is not None:
            if keep:
                self._guard.stdin.write(KEEP)
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def _everything(self, roots: list[psutil.Process]) -> Iterator[psutil.Process]:
        """The roots, what they have forked, and every process that carries our marker; never this process itself."""
        for root in roots:
            yield root
            yield from _children_of(root)
        yield from self._marked()

    def _marked(self, part: str | None = None) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                marks = {} if process.pid == os.getpid() else process.environ()
                if marks.get(MARKER) == str(self.folder) and part in (None, marks.get(PART)):
                    yield process
            except (psutil.Error, OSError):
                continue  # gone, or somebody else's: in both cases not ours to stop

    def _reap(self) -> None:
        """Collect the children that have ended, so that they do not stay as zombies."""
        self._children = [child for child in self._children if child.poll() is None]

    def _write(self, entries: list[Started]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps([asdict(entry) for entry in entries], indent=1))
        new.replace(self._file)


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _end(polite: list[psutil.Process], everything: list[psutil.Process], grace: float) -> None:
    """SIGTERM to `polite`, wait up to `grace` seconds for `everything`, SIGKILL to the rest, wait for their end."""
    for process in polite:
        with contextlib.suppress(psutil.Error):
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a process that a test has stopped could not end
    _, left = psutil.wait_procs(everything, timeout=grace)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=10)


def _guard_main(folder: str) -> None:
    """Wait until the pipe at standard input closes, then stop what belongs to the stack."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.stdin.buffer.read() != KEEP:
        Processes(Path(folder)).stop_all(grace=1.0)


if __name__ == "__main__":
    _guard_main(sys.argv[1])
