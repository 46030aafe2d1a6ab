"""Empty Airflow databases. Making one takes Airflow ten seconds, so it is made once for a version and then copied."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".airflow" / "cache"


def place_empty_database(
    target: Path, environment: Mapping[str, str], cache: Path = CACHE, python: str = sys.executable
) -> None:
    """Copy an empty database of the Airflow that `python` has to `target`. Several processes may do so at once.

    environment: what Airflow runs with; where its database lies is overridden. Raises RuntimeError when Airflow cannot.
    """
    cache.mkdir(parents=True, exist_ok=True)
    template = cache / f"empty-{airflow_version(python)}.db"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            new = template.with_suffix(".new")
            new.unlink(missing_ok=True)
            migrate(new, environment, python)
            new.replace(template)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, target)


def airflow_version(python: str = sys.executable) -> str:
    """The version of the Airflow that `python` has. Raises RuntimeError where there is none."""
    ask = "from importlib.metadata import version; print(version('apache-airflow'))"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{python} has no Airflow:\n{done.stderr[-1000:]}")
    return done.stdout.strip()


def migrate(file: Path, environment: Mapping[str, str], python: str = sys.executable) -> None:
    """`airflow db migrate` on an SQLite file: makes it, or brings an older version's up to date."""
    migrate_configured({**environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{file}"}, python)


def migrate_configured(environment: Mapping[str, str], python: str = sys.executable) -> None:
    """`airflow db migrate` on the database that the environment names. Raises RuntimeError when Airflow cannot."""
    done = subprocess.run(
        [python, "-m", "airflow", "db", "migrate"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"airflow db migrate failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
