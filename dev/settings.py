"""The configuration of the Airflow that we start, as environment variables, and free ports. Starts nothing."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FAST = {
    # Airflow waits as long as a large installation can bear. A person who watches, and a test, should not. In seconds.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    # A task whose supervisor is silent for this long is given up and tried again.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    # A triggerer that is silent for this long is dead: another one takes over its triggers.
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    # New and changed files are seen with the refresh above; reading unchanged ones again only costs time.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
}

QUIET = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "SCARF_ANALYTICS": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    # Process titles would else be written over the environment, in which dev/processes.py looks for our marker.
    "SPT_NOENV": "1",
}


LEFT_OUT = ("AIRFLOW", "PYTHONDONTWRITEBYTECODE", "PYTEST_")
"""Beginnings of inherited variables that our processes do not get: they would make another Airflow, or a slow one."""


@dataclass(frozen=True)
class Login:
    """All that a person or a client needs to sign in to Airflow."""

    username: str
    password: str


@dataclass(frozen=True)
class Keys:
    """The secrets of one Airflow. They stay the same while its folder lives, since its database depends on them."""

    password: str
    fernet_key: str
    jwt_secret: str
    api_secret_key: str

    @classmethod
    def of(cls, home: Path) -> Keys:
        """The keys in `home`, made at the first call; only the owner may read the file."""
        file = home / "keys.json"
        if not file.exists():
            keys = cls(
                password="".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12)),
                fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                jwt_secret=secrets.token_urlsafe(48),
                api_secret_key=secrets.token_urlsafe(32),
            )
            file.touch(mode=0o600)
            file.write_text(json.dumps(asdict(keys)))
        return cls(**json.loads(file.read_text()))


def free_port(preferred: int | None = None) -> int:
    """A loopback port that nobody listens on: `preferred` if it is free, else one that the system picks."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            # As servers do it: a port whose last connections are still fading is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def airflow_environment(home: Path, dags: Path, port: int, parallelism: int = 8) -> dict[str, str]:
    """Every environment variable that the Airflow in `home` runs with.

    Airflow settings of the calling shell belong to another Airflow and are left out. Proxies are told to leave
    loopback alone.
    """
    keys = Keys.of(home)
    passwords = home / "passwords.json"
    if not passwords.exists():
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({"admin": keys.password}))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    url = f"http://127.0.0.1:{port}"
    return {
        **inherited,
        **QUIET,
        **FAST,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": keys.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def examples_connections(folder: Path) -> dict[str, str]:
    """Connections of the example DAGs besides `omni_default`, as environment variables. SQLite's file lies in `folder`.

    JSON, since a URI with an absolute path is refused by the SQLite provider.
    """
    return {"AIRFLOW_CONN_OMNI_SHOP": json.dumps({"conn_type": "sqlite", "host": str(folder / "shop.db")})}


TESTABLE = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
"""Lets a person press Test at a connection."""


def dag_folders(**folders: Path) -> dict[str, str]:
    """Return the environment that has Airflow read DAGs from several folders, each under its name."""
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder)},
        }
        for name, folder in folders.items()
    ]
    return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles)}


def omni_connection(
    port: int, extra: Mapping[str, Any] | None = None, password: str = "demo-password"
) -> dict[str, Any]:
    """The connection to a simulator on this port, by the names that an `AIRFLOW_CONN_…` variable has."""
    return {
        "conn_type": "omni",
        "schema": "http",
        "host": "127.0.0.1",
        "port": port,
        "login": "demo",
        "password": password,
        "extra": dict(extra or {}),
    }
