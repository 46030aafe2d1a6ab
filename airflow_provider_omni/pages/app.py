"""The application that serves the page: static files, and the rows of a ledger.

The files hold no data, so anybody may read them. What they show comes from Airflow's own REST API with the viewer's
session, and from `ledger_rows.py`, which asks for the right to read that task's XComs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked for anew each time, which costs an answer without a body: nobody sees a page of an older version.
    "Cache-Control": "no-cache",
}

AIRFLOW = "omni.airflow"
"""Member of an ASGI scope that holds the application which ours is mounted in."""


class PagesApp(FastAPI):
    """An application that knows the one it is mounted in, and sends `HEADERS` with every answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        scope[AIRFLOW] = scope.get("app")

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in given)]
            await send(message)

        await super().__call__(scope, receive, send_with_headers)


def make_app() -> FastAPI:
    """Return the application. Its own documentation pages are off: they load scripts from other hosts."""
    app = PagesApp(title="OMNI deliveries", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/", StaticFiles(directory=FILES, html=True), name="files")
    return app
