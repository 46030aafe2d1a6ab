"""An Airflow whose pages are looked at, and a person who looks: signed in, and with an eye on what goes wrong."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

import requests
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from dev.airflow_api import AirflowApi
from dev.airflow_stack import AirflowStack
from tests.browser.deliveries.samples import KEY, put

SECOND = 1000

# Airflow's own pages are 7 MB of scripts, which a machine that is busy takes its time to read.
expect.set_options(timeout=20 * SECOND)


class PagesStack(AirflowStack):
    """API server and DAG processor only, below a path."""

    parts: ClassVar[tuple[str, ...]] = ("api-server", "dag-processor")
    jobs: ClassVar[int] = 1
    healthy: ClassVar[frozenset[str]] = frozenset({"metadatabase", "dag_processor"})

    def __init__(self, *arguments: Any, below: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._below = below

    def _settings(self, airflow_port: int) -> dict[str, str]:
        address = f"http://127.0.0.1:{airflow_port}{self._below}"
        return super()._settings(airflow_port) | {
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        }

    def _reach(self, airflow_port: int, simulator_port: int) -> None:
        super()._reach(airflow_port, simulator_port)
        self._api = AirflowApi(f"http://127.0.0.1:{airflow_port}{self._below}", self.login)


class Viewer:
    """A person at the page. `wrong`: errors of the console and of scripts, and requests to other hosts."""

    def __init__(self, page: Page, root: str) -> None:
        self.page = page
        self.root = root
        self.wrong: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.wrong.append(f"{said.text} {said.location}"))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._look_at(request.url))

    def _look_at(self, address: str) -> None:
        if not address.startswith((self.root, "data:", "blob:")):
            self.wrong.append(f"a request to {address}")

    def open(self, path: str = "", **query: Any) -> None:
        """Open a page of Airflow's; an empty path is our page alone, outside of Airflow's frame."""
        search = f"?{urlencode(query, quote_via=quote)}" if query else ""
        self.page.goto(f"{self.root}/{path or 'omni/'}{search}")

    def open_delivery(self, dag_id: str, run_id: str, task_id: str, path: str = "") -> None:
        """Open one delivery."""
        self.open(path, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=-1)

    @property
    def frame(self) -> FrameLocator:
        """Our page inside of Airflow's."""
        return self.page.frame_locator("iframe")

    def row(self, run_id: str) -> Locator:
        """The row of a run in the list."""
        return self.page.locator("tbody tr").filter(has_text=run_id)

    def cells(self, run_id: str) -> list[str]:
        """Cells of the row of a run, without how long ago it began."""
        row = self.row(run_id)
        row.wait_for()
        said = [" ".join(cell.split()) for cell in row.locator("td").all_inner_texts()]
        return [said[0], *said[2:]]


class AirflowPages:
    """One Airflow, and who looks at it. Each test makes runs of its own."""

    def __init__(self, version: str, stack: AirflowStack, browser: Browser) -> None:
        self.version = version
        self.stack = stack
        self.root = stack.api.url
        self._browser = browser
        self._sessions: dict[str, Any] = {}

    def run(self, dag_id: str, **reports: Any) -> str:
        """Make a run with these XComs of its tasks; its id."""
        # As Airflow names them, with the sign that addresses like least.
        run_id = f"manual__2026-11-28T15:00:00.{uuid.uuid4().hex[:8]}+00:00"
        put(self.stack.api, dag_id, run_id, reports)
        return run_id

    def change(self, dag_id: str, run_id: str, **reports: Any) -> None:
        """Write XComs of a run anew."""
        put(self.stack.api, dag_id, run_id, reports, is_new_run=False)
        # What a task writes has a time of its own; what the REST API of 3.1 changes has that of the first writing.
        with contextlib.closing(sqlite3.connect(self.stack.folder / "airflow.db", timeout=30)) as db, db:
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            db.execute("UPDATE xcom SET timestamp = ? WHERE run_id = ? AND key = ?", (now, run_id, KEY))

    @contextlib.contextmanager
    def viewer(self, name: str, password: str) -> Iterator[Viewer]:
        """Sign in, once for all tests, and have a page of one's own. Whatever went wrong there fails the test."""
        if name not in self._sessions:
            self._sessions[name] = self._sign_in(name, password)
        context = self._browser.new_context(storage_state=self._sessions[name], viewport={"width": 1280, "height": 900})
        context.set_default_timeout(20 * SECOND)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        try:
            viewer = Viewer(context.new_page(), self.root)
            yield viewer
            assert not viewer.wrong, viewer.wrong
        finally:
            context.close()

    def _sign_in(self, name: str, password: str) -> Any:
        """Return a session as Airflow's own page of signing in leaves it: a cookie."""
        body = {"username": name, "password": password}
        answer = requests.post(f"{self.root}/auth/token", json=body, timeout=60)
        answer.raise_for_status()
        host, path = urlsplit(self.root).hostname, urlsplit(self.root).path or "/"
        cookie = {"name": "_token", "value": answer.json()["access_token"], "domain": host, "path": path}
        own = {"httpOnly": True, "secure": False, "sameSite": "Lax", "expires": -1}
        return {"cookies": [cookie | own], "origins": []}
