"""`python -m dev demo|up|down`: what `make demo`, `make up` and `make down` run."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from dev.airflow_stack import AirflowStack, StackError
from dev.database import CACHE
from dev.demo import DAG_ID, run_demo

STATE = CACHE.parent
REPOSITORY = STATE.parent
EXAMPLE_DAGS = REPOSITORY / "airflow_provider_omni" / "example_dags"
PREFERRED_PORTS = (8080, 8900)


class Busy(Exception):
    """Another command works on the same folder."""


def demo() -> int:
    """Run the demo; 0 if the DAG run succeeded."""
    with _alone("demo"):
        return 0 if run_demo(STATE / "demo", EXAMPLE_DAGS, _say) else 1


def up() -> int:
    """Start a stack that stays, or tell where the running one is."""
    stack = AirflowStack(STATE / "up", EXAMPLE_DAGS, preferred_ports=PREFERRED_PORTS, say=_say)
    with _alone("up"):
        if not stack.attach():
            stack.start(DAG_ID)
            stack.leave_running()
        _say(
            f"\nAirflow    {stack.api.url}   login {stack.login.username}, password {stack.login.password}"
            f"\nSimulator  {stack.simulator.url}   login demo, password demo; the connection omni_default points to it"
            f"\nDAGs       {EXAMPLE_DAGS.relative_to(REPOSITORY)}"
            f"\nLogs       {(stack.folder / 'logs').relative_to(REPOSITORY)}"
            "\n\n`make down` stops both."
        )
    return 0


def down() -> int:
    """Stop what `up`, or an interrupted `up` or `demo`, has left."""
    stopped = 0
    for name in ("up", "demo"):
        with contextlib.suppress(Busy), _alone(name):
            stopped += AirflowStack(STATE / name, EXAMPLE_DAGS).stop()
    _say(f"Stopped {stopped} processes." if stopped else "Nothing was running.")
    return 0


COMMANDS: dict[str, Callable[[], int]] = {"demo": demo, "up": up, "down": down}


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the lock of a stack. It goes with this process, however that ends."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another `make {name}` is at work here; wait for it, or stop it first") from None
        yield


def _say(line: str) -> None:
    print(line, flush=True)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the command that the command line names; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return COMMANDS[parser.parse_args().command]()
    except (StackError, Busy, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started is stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
