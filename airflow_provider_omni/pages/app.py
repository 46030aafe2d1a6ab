"""The application that serves the page: static files, and the rows of a ledger.

The files hold no data, so anybody may read them. What they show comes from Airflow's own REST API with the viewer's
session, and from `ledger_rows.py`, which asks for the right to read that task's XComs.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from airflow_provider_omni.pages.ledger_rows import MOST, LedgerError, Only, csv_of, ledger_path_of, page_of

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
    may_read = requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM)

    # The permission is asked for by `dag_id`. Airflow checks it once more when the XCom is read.
    @app.get("/ledger/rows", dependencies=[Depends(may_read)])
    async def ledger_rows(
        request: Request,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: Annotated[int, Query(ge=-1)] = -1,
        only: Only = "unreached",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
        format: Literal["json", "csv"] = "json",
    ) -> Response:
        where = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        try:
            if "~" in (dag_id, run_id, task_id):
                raise LedgerError(404, "There is no such task.")
            path = await ledger_path_of(request.scope[AIRFLOW], request.headers, where)
            if format == "csv":
                return StreamingResponse(await run_in_threadpool(csv_of, path, only), media_type="text/csv")
            return JSONResponse(await run_in_threadpool(page_of, path, only, limit, offset))
        except LedgerError as error:
            raise HTTPException(error.status, str(error)) from None

    app.mount("/", StaticFiles(directory=FILES, html=True), name="files")
    return app
