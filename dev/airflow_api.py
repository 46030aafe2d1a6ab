"""A small client of Airflow's public REST API (/api/v2): what the demo and the e2e tests ask of it, and no more."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import requests

from dev.settings import Login

TERMINAL = frozenset({"success", "failed"})
"""States in which a DAG run has ended."""


class AirflowApiError(Exception):
    """Airflow answered with an error, or not at all."""


@dataclass(frozen=True)
class Task:
    """A task instance, as far as we look at it."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    pid: int | None
    trigger_id: int | None
    triggerer: str | None
    """The id of the triggerer's job."""
    triggerer_host: str | None
    hostname: str

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Task:
        """From an entry of the API's answer."""
        trigger = entry.get("trigger") or {}
        job = entry.get("triggerer_job") or {}
        return cls(
            task_id=entry["task_id"],
            map_index=entry["map_index"],
            state=entry["state"],
            try_number=entry["try_number"],
            pid=entry["pid"],
            trigger_id=trigger.get("id"),
            triggerer=str(job["id"]) if "id" in job else None,
            triggerer_host=job.get("hostname"),
            hostname=entry.get("hostname") or "",
        )


class AirflowApi:
    """Signs in at first use, and again when the token is no longer taken. `url` is the API server's address."""

    def __init__(self, url: str, login: Login) -> None:
        self.url = url
        self._login = login
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of this machine has no business on loopback

    def health(self) -> dict[str, str | None]:
        """Status of "scheduler", "triggerer", "dag_processor" and "metadatabase"; empty while nobody answers."""
        try:
            answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=10)
            return {name: part["status"] for name, part in answer.json().items()}
        except (requests.RequestException, ValueError):
            return {}

    def warm_up(self) -> None:
        """Have the tasks' own API built, which Airflow does at its first call and takes seconds for."""
        self._content(self._send("GET", "/execution/health"))

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run; its id."""
        body: dict[str, Any] = {"logical_date": None, "conf": conf or {}}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def dag_ids(self) -> set[str]:
        """The DAGs that can be triggered."""
        return {dag["dag_id"] for dag in self._call("GET", "/dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """Errors of DAG files: one text per file, with the stack trace."""
        answer = self._call("GET", "/importErrors", params={"limit": 100})
        return [f"{entry['filename']}: {entry['stack_trace']}" for entry in answer["import_errors"]]

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """The run's task instances, mapped ones too."""
        answer = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1000})
        return [Task.read(entry) for entry in answer["task_instances"]]

    def task(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Task:
        """One task instance."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        return Task.read(self._call("GET", path if map_index < 0 else f"{path}/{map_index}"))

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """The log of one try as text, a line per event."""
        answer = self._call(
            "GET",
            f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}",
            params={"map_index": map_index, "full_content": "true"},
            headers={"Accept": "application/json"},
        )
        content = answer["content"]
        return content if isinstance(content, str) else "\n".join(_readable(line) for line in content)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """An XCom's value, or None where there is none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self._request("GET", path, params={"map_index": map_index, "deserialize": "false"})
        if answer.status_code == 404:
            return None
        return self._content(answer)["value"]

    def xcom_keys(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> set[str]:
        """The keys under which a task has XComs."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        answer = self._call("GET", path, params={"map_index": map_index, "limit": 1000})
        return {entry["key"] for entry in answer["xcom_entries"]}

    def clear(self, dag_id: str, run_id: str, task_ids: list[str] | None = None) -> None:
        """Clear tasks of a run (all, unless some are named), as the button in the web interface does."""
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
        if task_ids is not None:
            body["task_ids"] = task_ids
        self._call("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def keep_connection(self, connection_id: str, fields: dict[str, Any]) -> None:
        """Have this connection in Airflow's list. One that is there stays as it is, but for the port of its host."""
        # Without an extra there is none: Airflow would warn in each task log that "{}" is too short to be masked.
        extra = {"extra": json.dumps(fields["extra"])} if fields["extra"] else {"extra": None}
        body = {**fields, "connection_id": connection_id, **extra}
        answer = self._request("GET", f"/connections/{connection_id}")
        if answer.status_code == 404:
            self._call("POST", "/connections", json=body)
        elif self._content(answer)["host"] == fields["host"]:
            self._call("PATCH", f"/connections/{connection_id}", params={"update_mask": "port"}, json=body)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Any other call: `path` after `/api/v2`; the answer's JSON, or None where it has no body."""
        return self._call(method, path, **arguments)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return self._content(self._request(method, path, **arguments))

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self._sign_in()
        answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.status_code == 401:
            self._sign_in()
            answer = self._send(method, f"/api/v2{path}", **arguments)
        return answer

    def _sign_in(self) -> None:
        self._session.headers.pop("Authorization", None)
        body = {"username": self._login.username, "password": self._login.password}
        token = self._content(self._send("POST", "/auth/token", json=body))["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        # SQLite has one writer at a time, and Airflow's answer to a busy database is a 500. Reads may be repeated.
        tries = 5 if method == "GET" else 1
        for left in reversed(range(tries)):
            try:
                answer = self._session.request(method, self.url + path, timeout=60, **arguments)
            except requests.RequestException as error:
                if left:
                    time.sleep(0.5)
                    continue
                raise AirflowApiError(f"{method} {path}: {type(error).__name__}") from error
            if answer.status_code < 500 or not left:
                break
            time.sleep(0.5)
        return answer

    @staticmethod
    def _content(answer: requests.Response) -> Any:
        if not answer.ok:
            raise AirflowApiError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None


def _readable(line: Any) -> str:
    """A line of a task's log: what is said, and the exceptions that come with it."""
    if not isinstance(line, dict):
        return str(line)
    raised = [f"{one['exc_type']}: {one['exc_value']}" for one in line.get("error_detail") or ()]
    return "\n    ".join([f"{line.get('timestamp') or '':<28}{line.get('level') or '':<8}{line['event']}", *raised])
