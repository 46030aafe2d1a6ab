"""A simulator and a real Airflow in one folder: scheduler, triggerer, dag-processor, API server, SQLite.

Used by `make demo`, `make up` and `make down`, and by the e2e tests, which also kill and freeze its parts. Waiting is
always for something that can be asked for; there is no sleep of a guessed length.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psutil

from dev.airflow_api import TERMINAL, AirflowApi, AirflowApiError, Task
from dev.database import migrate, place_empty_database
from dev.processes import Processes
from dev.settings import Keys, Login, airflow_environment, free_port, omni_connection
from dev.simulator_api import SimulatorApi

T = TypeVar("T")

COMPONENTS: dict[str, list[str]] = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    # Logs are read from the files: everything is on one machine.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
"""Airflow's processes, by the name they have in our files, with their command."""


class StackError(Exception):
    """The stack did not do what was waited for. The message holds what is known, with the end of the logs."""


class AirflowStack:
    """One Airflow with a simulator beside it. `dev/distributed.py` makes several machines of it.

    folder: everything is in it: database, logs, keys, what runs. A second instance for the same folder finds that.
    dags: the folder with the DAG files.
    environment: more variables for Airflow's processes, for example other connections.
    preferred_ports: Airflow's and the simulator's port, taken if they are free.
    simulator_options: more arguments for the simulator's command line.
    connection_extra: the extra of the connection `omni_default`.
    connections: extras of further connections to the simulator, by their ids.
    listed: these connections stand in Airflow's list, where a person can see, edit and test them; else in environment
        variables, which hide them. What somebody has edited there stays, but for the simulator's port.
    password: the simulator's, and so these connections'.
    python: the Python whose Airflow runs; that of another venv makes a stack of another version. The simulator always
        runs on ours.
    """

    parts: ClassVar[tuple[str, ...]] = tuple(COMPONENTS)
    """Airflow's processes by name; `triggerer-2` is a second triggerer."""
    jobs: ClassVar[int] = 3
    """Number of them that have a heartbeat in the database."""
    healthy: ClassVar[frozenset[str]] = frozenset({"metadatabase", "scheduler", "triggerer", "dag_processor"})
    """Parts that must be healthy before the stack counts as started."""

    def __init__(
        self,
        folder: Path,
        dags: Path,
        *,
        environment: Mapping[str, str] | None = None,
        preferred_ports: tuple[int | None, int | None] = (None, None),
        simulator_options: tuple[str, ...] = (),
        connection_extra: Mapping[str, Any] | None = None,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        listed: bool = False,
        password: str = "demo-password",
        python: str = sys.executable,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.folder = folder.resolve()
        self.dags = dags.resolve()
        self.processes = Processes(self.folder)
        self._more = dict(environment or {})
        self._preferred = preferred_ports
        self._simulator_options = simulator_options
        self._connections = {**(connections or {}), "omni_default": dict(connection_extra or {})}
        self._listed = listed
        self._password = password
        self._python = python
        self._say = say
        self._environment: dict[str, str] = {}
        self._began = 0.0
        self._api: AirflowApi | None = None
        self._simulator: SimulatorApi | None = None

    # Life

    def start(self, *dag_ids: str, timeout: float = 240.0) -> None:
        """Start everything and wait until it is healthy and knows `dag_ids`.

        What an interrupted run has left in the folder is stopped first. Everything is stopped when this
        process ends, however it ends, unless `leave_running` was called. Raises StackError for a DAG file that cannot
        be read.
        """
        began = time.monotonic()
        self.processes.stop_all()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes.guard()
        try:
            airflow_port, simulator_port = self._ports()
            self._reach(airflow_port, simulator_port)
            self._environment = {
                **self._settings(airflow_port),
                **({} if self._listed else self._connection_variables(simulator_port)),
                **self._more,
            }
            self._start_simulator(simulator_port)
            self._prepare_database()
            self._began = time.time()
            for name in self.parts:
                self.start_component(name)
            self._wait_for_the_api(timeout - (time.monotonic() - began))
            if self._listed:
                for name, extra in self._connections.items():
                    self.api.keep_connection(name, omni_connection(simulator_port, extra, self._password))
            self._wait_until_healthy(set(dag_ids), timeout - (time.monotonic() - began))
        except BaseException:
            self.stop()
            raise
        self._say(f"Ready after {time.monotonic() - began:.0f} s")

    def attach(self) -> bool:
        """Find what already runs here, all of it and healthy; false if it does not."""
        try:
            ports = json.loads((self.folder / "ports.json").read_text())
        except FileNotFoundError:
            return False
        self._reach(*ports)
        complete = len(self.processes.known()) > len(self.parts) and not self.processes.dead()
        return complete and self._is_healthy()

    def leave_running(self) -> None:
        """After a guarded start: let everything live on when this process ends."""
        self.processes.end_guard(keep=True)

    def stop(self) -> int:
        """Stop everything, also what another process has started here; how many processes that were."""
        stopped = self.processes.stop_all()
        self.processes.end_guard()
        return stopped

    def wipe(self) -> None:
        """Stop everything and remove the folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> AirflowStack:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    # What a person or a test asks

    @property
    def api(self) -> AirflowApi:
        """The client of this Airflow's REST API; there once the stack is being started."""
        if self._api is None:
            raise StackError("this stack has not been started")
        return self._api

    @property
    def simulator(self) -> SimulatorApi:
        """The client of the simulator's control calls."""
        if self._simulator is None:
            raise StackError("this stack has not been started")
        return self._simulator

    @property
    def login(self) -> Login:
        """The administrator's login."""
        return Login("admin", Keys.of(self.folder).password)

    def wait_until(self, holds: Callable[[], T | None], what: str, timeout: float = 120.0, every: float = 0.3) -> T:
        """Ask `holds` until it returns something that counts as true, which is returned.

        Raises StackError after `timeout` seconds, or at once when one of the stack's processes has died.
        """
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(AirflowApiError):
                if result := holds():
                    return result
            if dead := self.processes.dead():
                raise StackError(f"{', '.join(one.name for one in dead)} died while waiting for {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{what}: not within {timeout:.0f} s\n{self.tail()}")
            time.sleep(every)

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 300.0) -> str:
        """Wait for the end of a run; `success` or `failed`."""

        def ended() -> str | None:
            state = self.api.run_state(dag_id, run_id)
            return state if state in TERMINAL else None

        try:
            return self.wait_until(ended, f"the end of {dag_id} {run_id}", timeout)
        except StackError as error:
            with contextlib.suppress(AirflowApiError):
                raise StackError(f"{error}\n{self.describe_run(dag_id, run_id)}") from None
            raise

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, *states: str, try_number: int = 0, timeout: float = 120.0
    ) -> Task:
        """Wait until a task instance is in one of `states`, on try `try_number` or a later one."""

        def reached() -> Task | None:
            task = self.api.task(dag_id, run_id, task_id)
            return task if task.state in states and task.try_number >= try_number else None

        return self.wait_until(reached, f"{task_id} of {dag_id} to be {' or '.join(states)}", timeout)

    def describe_run(self, dag_id: str, run_id: str) -> str:
        """State and end of the log of every task: what a failed test prints."""
        lines = []
        for task in self.api.tasks(dag_id, run_id):
            lines.append(f"{task.task_id}[{task.map_index}]: {task.state}, try {task.try_number}")
            if task.state not in {"success", "skipped", None, "upstream_failed"}:
                with contextlib.suppress(AirflowApiError):
                    log = self.api.task_log(dag_id, run_id, task.task_id, max(task.try_number, 1), task.map_index)
                    lines += ["    " + line for line in log.splitlines()[-40:]]
        return "\n".join(lines)

    def tail(self, lines: int = 15) -> str:
        """The last lines of every component's log."""
        parts = []
        for log in sorted((self.folder / "logs").glob("*.log")):
            text = log.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {log.name}\n" + "\n".join(text))
        return "\n".join(parts)

    def logs(self) -> Iterator[tuple[Path, str]]:
        """Every log file with its text: the components', the tasks' and the triggers'."""
        for log in sorted((self.folder / "logs").rglob("*.log*")):
            if log.is_file():
                yield log, log.read_text(errors="replace")

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """Rows of Airflow's own database, read only: for what no API shows, such as triggers' arguments."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.folder / 'airflow.db'}?mode=ro", uri=True, timeout=30)
        ) as db:
            db.row_factory = sqlite3.Row
            return db.execute(sql, parameters).fetchall()

    # Parts

    def start_component(self, name: str) -> None:
        """Start one of Airflow's processes. A name such as `triggerer-2` makes a second one. Does not wait."""
        self.processes.start(name, [self._python, "-m", "airflow", *self._command(name)], self._environment)

    def signal_component(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a component's main process alone, as the system or an operator would.

        Its end then counts as meant, but for the signals that stop and continue a process: it must live on.
        """
        process = self.processes.find(name)
        if process is None:
            raise StackError(f"{name} does not run")
        if number not in {signal.SIGSTOP, signal.SIGCONT}:
            self.processes.forget(name)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(timeout=10)

    def restart_component(self, name: str, grace: float = 10.0) -> None:
        """Stop a component with its children, and start it again."""
        self.processes.stop(name, grace)
        self.start_component(name)

    def task_process(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, timeout: float = 60.0
    ) -> psutil.Process:
        """The process in which a task's code runs now. Its parent is the supervisor, which sends the heartbeats."""

        def running() -> psutil.Process | None:
            task = self.api.task(dag_id, run_id, task_id, map_index)
            if task.state != "running" or task.pid is None:
                return None
            with contextlib.suppress(psutil.NoSuchProcess):
                return psutil.Process(task.pid)
            return None

        return self.wait_until(running, f"a process of {task_id}", timeout)

    def _settings(self, airflow_port: int) -> dict[str, str]:
        return airflow_environment(self.folder, self.dags, airflow_port)

    def _connection_variables(self, simulator_port: int) -> dict[str, str]:
        return {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(omni_connection(simulator_port, extra, self._password))
            for name, extra in self._connections.items()
        }

    def _command(self, name: str) -> list[str]:
        return COMPONENTS.get(name) or COMPONENTS[name.rpartition("-")[0]]

    def _ports(self) -> tuple[int, int]:
        airflow, simulator = (free_port(preferred) for preferred in self._preferred)
        while simulator == airflow:
            simulator = free_port()
        return airflow, simulator

    def _reach(self, airflow_port: int, simulator_port: int) -> None:
        self._api = AirflowApi(f"http://127.0.0.1:{airflow_port}", self.login)
        self._simulator = SimulatorApi(f"http://127.0.0.1:{simulator_port}")
        (self.folder / "ports.json").write_text(json.dumps([airflow_port, simulator_port]))

    def _start_simulator(self, port: int) -> None:
        self._say(f"Starting the OMNI simulator on {self.simulator.url}")
        command = [sys.executable, "-m", "airflow_provider_omni.simulator", "--host", "127.0.0.1", "--port", str(port)]
        options = ["--password", self._password, *self._simulator_options]
        self.processes.start("simulator", [*command, *options], self._environment)
        self.wait_until(lambda: listens(port), "the simulator", timeout=60, every=0.05)

    def _prepare_database(self) -> None:
        database = self.folder / "airflow.db"
        self._say("Preparing Airflow's database")
        if database.exists():
            migrate(database, self._environment, self._python)
        else:
            place_empty_database(database, self._environment, python=self._python)

    def _wait_for_the_api(self, timeout: float) -> None:
        self._say(f"Starting Airflow on {self.api.url}")
        self.wait_until(self.api.health, "Airflow's API server", timeout)
        self.api.warm_up()

    def _wait_until_healthy(self, dag_ids: set[str], timeout: float) -> None:

        def healthy() -> bool:
            # A database that was there before knows heartbeats of processes that are gone.
            return self._is_healthy() and self._jobs_since(self._began) >= self.jobs

        self.wait_until(healthy, "a healthy Airflow", timeout)

        def read() -> bool:
            if errors := self.api.import_errors():
                raise StackError("DAG files that cannot be read:\n" + "\n".join(errors))
            return self.api.dag_ids() >= dag_ids

        self.wait_until(read, "the DAG files to be read", timeout)

    def _is_healthy(self) -> bool:
        health = self.api.health()
        return all(health.get(part) == "healthy" for part in self.healthy)

    def _jobs_since(self, began: float) -> int:
        rows = self.rows(
            "select count(*) from job where state = 'running' and latest_heartbeat > datetime(?, 'unixepoch')", began
        )
        return int(rows[0][0])


def listens(port: int) -> bool:
    """Return True if somebody takes connections on this port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
