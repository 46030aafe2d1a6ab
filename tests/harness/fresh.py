"""Python as it is just after Airflow was imported: a process that has done so forks for each piece of code."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

_FORKING = """
import json, os, sys, traceback
import airflow.providers.standard.operators.bash
told = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        try:
            exec(json.loads(line), {"__name__": "__main__"})
            failed = 0
        except BaseException:
            traceback.print_exc()
            failed = 1
        sys.stdout.flush()
        os._exit(failed)
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    print(json.dumps([os.waitpid(child, 0)[1], text]), file=told, flush=True)
"""


class FreshPython:
    """Runs code in a process in which nothing but Airflow's operators was imported, and nothing has happened."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, code: str) -> str:
        """Return what the code has printed. Raises AssertionError with its traceback if it has failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(code), file=self._process.stdin, flush=True)
        failed, said = json.loads(self._process.stdout.readline())
        assert not failed, said
        return said


@contextlib.contextmanager
def fresh_python() -> Iterator[FreshPython]:
    """Import Airflow in a process that lives while the block runs."""
    command = [sys.executable, "-c", _FORKING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield FreshPython(process)
        assert process.stdin is not None
        process.stdin.close()
