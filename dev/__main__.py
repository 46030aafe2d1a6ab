"""`python -m dev demo|up|down|screenshots`: what the make targets of these names run."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dev.airflow_stack import AirflowStack, StackError
from dev.database import CACHE, airflow_version
from dev.demo import DAG_ID, run_demo
from dev.settings import TESTABLE, dag_folders, examples_connections

STATE = CACHE.parent
REPOSITORY = STATE.parent
EXAMPLE_DAGS = REPOSITORY / "example_dags"
DAGS_TO_TRY = REPOSITORY / "dev" / "dags"
"""DAGs of `make up` that send to people with a visible mix of fates."""
PICTURES = REPOSITORY / "docs" / "images"
TO_TRIGGER = ("omni_mix_of_fates", "omni_batch_of_2000")
PREFERRED_PORTS = (8080, 8900)


class Busy(Exception):
    """Another command works on the same folder."""


def demo() -> int:
    """Run the demo; 0 if the DAG run succeeded."""
    with _alone("demo"):
        return 0 if run_demo(STATE / "demo", EXAMPLE_DAGS, _say) else 1


def stack_of_up(python: str = sys.executable) -> AirflowStack:
    """The stack of `make up`: every example's connections are there. Each Airflow has a folder of its own."""
    ours = python == sys.executable
    folder = STATE / ("up" if ours else f"up-{airflow_version(python)}")
    return AirflowStack(
        folder,
        EXAMPLE_DAGS,
        environment=examples_connections(folder) | dag_folders(examples=EXAMPLE_DAGS, try_me=DAGS_TO_TRY) | TESTABLE,
        preferred_ports=PREFERRED_PORTS,
        listed=True,
        python=python,
        say=_say,
    )


def up(python: str = sys.executable) -> int:
    """Start a stack that stays, or tell where the running one is."""
    stack = stack_of_up(python)
    with _alone(stack.folder.name):
        if not stack.attach():
            stack.start(DAG_ID, *TO_TRIGGER)
            stack.leave_running()
        _say(
            f"\nAirflow    {stack.api.url}   login {stack.login.username}, password {stack.login.password}"
            f"\nSimulator  {stack.simulator.url}   login demo, password demo-password"
            f"\nConnection {stack.api.url}/connections has omni_default, which points to the simulator"
            f"\nDAGs       {EXAMPLE_DAGS.relative_to(REPOSITORY)}, {DAGS_TO_TRY.relative_to(REPOSITORY)}; trigger "
            f"{' or '.join(TO_TRIGGER)}"
            f"\nLogs       {(stack.folder / 'logs').relative_to(REPOSITORY)}"
            "\n\n`make down` stops both."
        )
    return 0


def down() -> int:
    """Stop what `up`, or an interrupted `up` or `demo`, has left."""
    stopped = 0
    for name in ("up", "demo", *(folder.name for folder in STATE.glob("up-*") if folder.is_dir())):
        with contextlib.suppress(Busy), _alone(name):
            stopped += AirflowStack(STATE / name, EXAMPLE_DAGS).stop()
    _say(f"Stopped {stopped} processes." if stopped else "Nothing was running.")
    return 0


def screenshots() -> int:
    """Write the pictures of the docs from a running stack; stop it if it was not running before."""
    from dev.screenshots import take_screenshots

    stack = stack_of_up()
    with _alone(stack.folder.name):
        running = stack.attach()
        if not running:
            stack.start(DAG_ID, *TO_TRIGGER)
        try:
            take_screenshots(stack, PICTURES, _say)
        finally:
            if not running:
                stack.stop()
    return 0


COMMANDS: dict[str, Callable[..., int]] = {"demo": demo, "up": up, "down": down, "screenshots": screenshots}


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
    parser.add_argument("--python", help="up: the Python of another venv, whose Airflow is to run")
    arguments = parser.parse_args()
    if arguments.python and arguments.command != "up":
        parser.error("--python goes with up only")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # Absolute, but not resolved: a venv's Python is a link.
        more = {"python": str(Path(arguments.python).absolute())} if arguments.python else {}
        return COMMANDS[arguments.command](**more)
    except (StackError, Busy, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started is stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
