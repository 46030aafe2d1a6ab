"""The page's files with a made-up Airflow behind them: what its REST API would say is answered in the browser.

For what the page makes of reports. What a real Airflow says, and how it frames the page, `test_deliveries.py` looks at.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from playwright.sync_api import Page, Route

import airflow_provider_omni
from airflow_provider_omni.pages.ledger_rows import csv_of, page_of

FILES = Path(airflow_provider_omni.__file__).parent / "pages" / "static"
ROOT = "http://airflow.test/below"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


class PageAlone:
    """The page in a browser, and what Airflow has.

    :param page: a browser's page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.reports: dict[tuple[str, str, str], Any] = {}
        self.run_states: dict[str, str] = {}
        self.ledger = ""
        self.asked: list[str] = []
        page.route(f"{ROOT}/**", self._answer)

    def put(self, dag_id: str, run_id: str, run_state: str = "success", **reports: Mapping[str, Any]) -> None:
        """Let these tasks of a run have these reports."""
        self.run_states[run_id] = run_state
        for task_id, report in reports.items():
            self.reports[dag_id, run_id, task_id] = report

    def open(self, query: str = "") -> None:
        """Open the page."""
        self.page.goto(f"{ROOT}/omni/{query}")

    def open_delivery(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Open one delivery."""
        self.open(f"?dag_id={dag_id}&run_id={run_id}&task_id={task_id}&map_index=-1")

    def _answer(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        path, query = unquote(address.path.removeprefix("/below/")), parse_qs(address.query)
        if path.startswith("api/"):
            self.asked.append(path)
            found = self._api(path.removeprefix("api/v2/").split("/"))
            route.fulfill(status=404 if found is None else 200, json=found or {})
        elif path == "omni/ledger/rows":
            self._rows(route, query)
        else:
            file = FILES / (path.removeprefix("omni/") or "index.html")
            route.fulfill(path=file, content_type=TYPES[file.suffix])

    def _api(self, parts: list[str]) -> Any:
        match parts:
            case ["dags", dag, "dagRuns", run, "taskInstances", "~", "xcomEntries"]:
                found = [key for key in self.reports if dag in ("~", key[0]) and run in ("~", key[1])]
                return {"total_entries": len(found), "xcom_entries": [self._entry(*key) for key in reversed(found)]}
            case ["dags", dag, "dagRuns", run, "taskInstances", task, "xcomEntries", _]:
                return {"value": self.reports[dag, run, task]}
            case ["dags", _, "dagRuns", run]:
                return {"state": self.run_states[run]}
            case ["dags", dag, "dagRuns", run, "taskInstances", task]:
                is_at_it = self.reports[dag, run, task].get("state") in ("sending", "waiting")
                return {"state": "deferred" if is_at_it else "success"}
        return None

    def _entry(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        report = self.reports[dag_id, run_id, task_id]
        # Another report has another time: the page reads each once.
        place = list(self.reports).index((dag_id, run_id, task_id))
        version = zlib.crc32(json.dumps(report, sort_keys=True).encode()) % 1000
        stamp = f"2026-01-01T00:00:{place % 60:02}.{version:03}+00:00"
        return {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": -1, "timestamp": stamp}

    def _rows(self, route: Route, query: Mapping[str, list[str]]) -> None:
        only: Any = query["only"][0]
        if not self.ledger:
            route.fulfill(status=404, json={"detail": "The API server finds no ledger there."})
        elif query.get("format") == ["csv"]:
            route.fulfill(body="".join(csv_of(self.ledger, only)), content_type="text/csv")
        else:
            limit, offset = int(query["limit"][0]), int(query["offset"][0])
            route.fulfill(json=page_of(self.ledger, only, limit, offset))
