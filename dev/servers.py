"""A PostgreSQL and a Redis for one stack: on loopback, with a password, gone with the stack's folder.

They start as any process of a stack does (dev/processes.py). The programs come from the system; dev/install_servers.sh
brings them where they are missing. Knows no Airflow.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from dev.processes import Processes

USER = "postgres"
"""PostgreSQL refuses to run as root. Debian's package makes this user."""

SETTINGS = ("unix_socket_directories=", "max_connections=300", "fsync=off", "full_page_writes=off", "autovacuum=off")
"""Nothing of it has to outlive the machine."""


class MissingServer(Exception):
    """A program is not installed."""


@dataclass(frozen=True)
class Postgres:
    """A cluster of its own in `folder`/postgres; its only user is `airflow`, and its database is `postgres`."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg2://airflow:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self, processes: Processes) -> None:
        """Make the cluster and start the server. Does not wait until it answers."""
        home = self.folder / "postgres"
        home.mkdir(mode=0o700)
        secret = home / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(home, USER)
            shutil.chown(secret, USER)
        arguments = ["--pgdata=data", "--username=airflow", f"--pwfile={secret}", "--auth=scram-sha-256"]
        made = subprocess.run(
            [*_as_user(), _program("initdb"), *arguments, "--encoding=UTF8", "--locale=C", "--no-sync"],
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise MissingServer(f"initdb failed:\n{made.stdout}\n{made.stderr}")
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", *SETTINGS)
        options = [word for setting in settings for word in ("-c", setting)]
        processes.start("postgres", [*_as_user(), _program("postgres"), "-D", str(home / "data"), *options], os.environ)

    @staticmethod
    def stop(processes: Processes, timeout: float = 10.0) -> None:
        """End the server without waiting for its clients, so that it leaves no shared memory behind."""
        if (process := processes.find("postgres")) is not None:
            processes.forget("postgres")
            with contextlib.suppress(psutil.Error):  # else it ends with all the others
                process.send_signal(signal.SIGINT)
                process.wait(timeout)


@dataclass(frozen=True)
class Redis:
    """A Redis that keeps everything in memory."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """For Celery."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, processes: Processes) -> None:
        """Start it. Does not wait until it answers."""
        settings = self.folder / "redis.conf"
        settings.touch(mode=0o600)  # the password has no business on a command line
        lines = ("bind 127.0.0.1", f"port {self.port}", f"requirepass {self.password}", 'save ""', "appendonly no")
        settings.write_text("\n".join(lines) + "\n")
        processes.start("redis", [_program("redis-server"), str(settings)], os.environ)


def _as_user() -> list[str]:
    """The beginning of a command line that another user shall run where we are root."""
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--"] if os.geteuid() == 0 else []


def _program(name: str) -> str:
    """Path of a program. Debian keeps PostgreSQL's out of PATH; the newest version counts. Raises MissingServer."""
    debian = {int(path.parts[4]): path for path in Path("/usr/lib/postgresql").glob(f"[1-9][0-9]/bin/{name}")}
    found = str(debian[max(debian)]) if debian else shutil.which(name)
    if found is None:
        raise MissingServer(f"{name} is not installed; `make test-distributed` installs it, or says how")
    return found
