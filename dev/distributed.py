"""An Airflow of several machines, played on this one: two Celery workers, two triggerers, PostgreSQL and Redis.

What one machine has, `dev/airflow_stack.py` has. A machine is a part's processes: they name themselves after it in
Airflow's tables (`dev/machine.py`), and `kill_machine` ends them all at once. Workers and the test share a file system,
as machines share a bucket.
"""

from __future__ import annotations

import contextlib
from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy.pool import NullPool

from dev.airflow_stack import AirflowStack, listens
from dev.database import migrate_configured
from dev.servers import Postgres, Redis
from dev.settings import Keys, free_port

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
SLOTS = 2
"""Tasks that a worker runs at the same time."""

VISIBILITY_TIMEOUT = 30
"""Seconds after which Redis gives a message to another worker that no worker has confirmed. It also does so with tasks
that just take longer: Airflow must refuse those, and the stale ones of a dead worker."""


class DistributedStack(AirflowStack):
    """Scheduler, dag-processor and API server once, workers and triggerers twice. Arguments as for AirflowStack.

    folder: as root, other users must be able to walk through it and the folders above, for PostgreSQL's user.
    """

    parts: ClassVar[tuple[str, ...]] = ("api-server", "dag-processor", "scheduler", *TRIGGERERS, *WORKERS)
    jobs: ClassVar[int] = 4

    def stop(self) -> int:
        """Stop everything; how many processes that were."""
        Postgres.stop(self.processes)
        return super().stop()

    def kill_machine(self, name: str) -> int:
        """End a part with all of its processes at once, as a power cut would; how many processes that were."""
        return self.processes.kill(name)

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """Rows of Airflow's own database."""
        if parameters:
            raise ValueError("PostgreSQL's drivers and SQLite's mark parameters differently: none are taken here")
        with contextlib.closing(self._connect()) as connection:
            return list(connection.execute(sqlalchemy.text(sql)).all())

    def _settings(self, airflow_port: int) -> dict[str, str]:
        password = Keys.of(self.folder).password
        self._postgres = Postgres(self.folder, free_port(), password)
        self._redis = Redis(self.folder, free_port(), password)
        return {
            **super()._settings(airflow_port),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "dev.machine.name",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._postgres.url,
            "AIRFLOW__CELERY__BROKER_URL": self._redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self._postgres.url}",
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT),
            # Otherwise a failed try waits for five minutes.
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "2",
        }

    def _command(self, name: str) -> list[str]:
        if name in WORKERS:
            return ["celery", "worker", "--celery-hostname", name, "--concurrency", str(SLOTS), "--skip-serve-logs"]
        return super()._command(name)

    def _prepare_database(self) -> None:
        self._say("Starting PostgreSQL and Redis")
        self._postgres.start(self.processes)
        self._redis.start(self.processes)
        self.wait_until(lambda: listens(self._redis.port), "Redis", timeout=30, every=0.1)
        self.wait_until(self._postgres_answers, "PostgreSQL", timeout=60, every=0.1)
        self._say("Preparing Airflow's database")
        migrate_configured(self._environment)

    def _postgres_answers(self) -> bool:
        with contextlib.suppress(sqlalchemy.exc.OperationalError):
            return bool(self.rows("select 1"))
        return False

    def _is_healthy(self) -> bool:
        return super()._is_healthy() and all(self._is_ready(worker) for worker in WORKERS)

    def _is_ready(self, worker: str) -> bool:
        """Celery says so in its log, and nowhere else without another Celery process."""
        return f"{worker} ready" in (self.folder / "logs" / f"{worker}.log").read_text(errors="replace")

    def _jobs_since(self, began: float) -> int:
        beating = f"state = 'running' and latest_heartbeat > to_timestamp({began:.3f})"
        return int(self.rows(f"select count(*) from job where {beating}")[0][0])

    def _connect(self) -> sqlalchemy.Connection:
        return sqlalchemy.create_engine(self._postgres.url, poolclass=NullPool).connect()
