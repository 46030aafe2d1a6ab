"""The rows of a ledger that a viewer may see: whose path they come from, which rows, and no phone number."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from airflow_provider_omni.pages import app as pages
from airflow_provider_omni.pages import ledger_rows
from airflow_provider_omni.pages.ledger_rows import LedgerError, csv_of, page_of, shown_key
from tests.unit.delivery.batch.batchworld import World
from tests.unit.delivery.batch.test_ledger_wait import wait

WHERE = {"dag_id": "shop", "run_id": "manual__2026-11-28T15:00:00+00:00", "task_id": "send"}
TIMES = ("sent_at", "done_at")
FATES = ("00", "40", "41", "42", "43")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The ledger of 50 people with keys of their own: 30 were reached, 20 were not."""
    world = World(tmp_path_factory.mktemp("world"))
    people = [{"phone": f"4179{place:05d}{FATES[place % 5]}", "order": f"order-{place}"} for place in range(50)]
    world.send(people, key_field="order")
    summary = wait(world).summary
    assert (summary["delivered"], summary["failed"]) == (30, 20)
    return str(world.folder.path)


class Airflow:
    """Airflow as far as our route asks it: the permission of a viewer, and an XCom."""

    def __init__(self, xcom: Any) -> None:
        self.xcom = xcom
        self.asked: list[tuple[str, str]] = []

    async def entry(self, request: Request) -> Response:
        """An XCom's value, for who has the right cookie."""
        self.asked.append((request.scope["raw_path"].decode(), request.query_params["map_index"]))
        if request.cookies.get("_token") != "of Ann":
            return JSONResponse({"detail": "Forbidden"}, 403)
        return Response(status_code=404) if self.xcom is None else JSONResponse({"value": self.xcom})

    def client(self, monkeypatch: pytest.MonkeyPatch, **cookies: str) -> httpx.AsyncClient:
        """A viewer's browser."""
        monkeypatch.setattr(pages, "requires_access_dag", lambda **_: lambda: None)
        entry = Route("/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/omni_delivery", self.entry)
        outer = Starlette(routes=[entry, Mount("/omni", pages.make_app())])
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=outer), base_url="http://airflow", cookies=cookies)


ANN = {"_token": "of Ann"}


async def test_a_viewer_of_the_xcom_gets_the_rows_of_the_ledger_that_it_names(
    monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    airflow = Airflow({"ledger_path": ledger})
    async with airflow.client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params={**WHERE, "map_index": 3})

    assert answer.status_code == 200
    assert {row["outcome"] for row in answer.json()["rows"]} == {"failed"}
    assert len(answer.json()["rows"]) == 20
    assert airflow.asked == [
        (
            "/api/v2/dags/shop/dagRuns/manual__2026-11-28T15%3A00%3A00%2B00%3A00/taskInstances/send"
            "/xcomEntries/omni_delivery",
            "3",
        )
    ]


async def test_an_xcom_as_text_is_read_too_since_airflow_3_1_hands_out_some_so(
    monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    async with Airflow(f'{{"ledger_path": "{ledger}"}}').client(monkeypatch, **ANN) as client:
        assert (await client.get("/omni/ledger/rows", params=WHERE)).status_code == 200


async def test_who_may_not_read_the_xcom_gets_no_row(monkeypatch: pytest.MonkeyPatch, ledger: str) -> None:
    async with Airflow({"ledger_path": ledger}).client(monkeypatch, _token="of Bob") as client:
        answer = await client.get("/omni/ledger/rows", params=WHERE)

    assert answer.status_code == 403
    assert "order-" not in answer.text


async def test_airflow_is_asked_for_the_permission_to_read_xcoms_of_that_dag(
    monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    asked: list[dict[str, Any]] = []

    def requires_access_dag(**wanted: Any) -> Any:
        def refuse(request: pages.Request) -> None:
            asked.append({**wanted, "dag_id": request.query_params["dag_id"]})
            raise pages.HTTPException(403)

        return refuse

    airflow = Airflow({"ledger_path": ledger})
    client = airflow.client(monkeypatch, **ANN)
    monkeypatch.setattr(pages, "requires_access_dag", requires_access_dag)
    outer = Starlette(routes=[Mount("/omni", pages.make_app())])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=outer), base_url="http://airflow") as strict, client:
        assert (await strict.get("/omni/ledger/rows", params=WHERE)).status_code == 403
    assert asked == [{"method": "GET", "access_entity": pages.DagAccessEntity.XCOM, "dag_id": "shop"}]
    assert airflow.asked == []


@pytest.mark.parametrize("xcom", [None, {}, {"ledger_path": None}, {"ledger_path": 3}, [1], "text", "{"])
async def test_a_task_without_a_ledger_has_no_rows(monkeypatch: pytest.MonkeyPatch, xcom: Any) -> None:
    async with Airflow(xcom).client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params=WHERE)
    assert answer.status_code == 404
    assert answer.json()["detail"]


async def test_a_path_in_the_address_is_not_looked_at(monkeypatch: pytest.MonkeyPatch, ledger: str) -> None:
    async with Airflow({}).client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params={**WHERE, "ledger_path": ledger, "path": ledger})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nowhere/at/all", "finds no ledger there. A local path must be on a disk that API server and workers share"),
        ("nosuchstore://bucket/ledger", "It needs the same connection and the same provider for this object store"),
        ("relative/path", "cannot be read"),
    ],
)
async def test_a_ledger_out_of_reach_is_told_in_words(monkeypatch: pytest.MonkeyPatch, path: str, words: str) -> None:
    async with Airflow({"ledger_path": path}).client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params=WHERE)
    assert answer.status_code in (404, 502)
    assert words in answer.json()["detail"]
    assert "Nothing was sent" not in answer.json()["detail"]


async def test_a_ledger_that_would_keep_the_api_server_busy_is_not_read(
    monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    async with Airflow({"ledger_path": ledger, "counts": {"requested": 200_001}}).client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params=WHERE)
    assert answer.status_code == 413
    assert "read_outcomes" in answer.json()["detail"]


async def test_pages_hold_every_row_once(monkeypatch: pytest.MonkeyPatch, ledger: str) -> None:
    found: list[str] = []
    async with Airflow({"ledger_path": ledger}).client(monkeypatch, **ANN) as client:
        more = True
        while more:
            query = {**WHERE, "only": "all", "limit": 20, "offset": len(found)}
            page = (await client.get("/omni/ledger/rows", params=query)).json()
            found += [row["recipient"] for row in page["rows"]]
            more = page["more"]
    assert sorted(found) == sorted(f"order-{place}" for place in range(50))


async def test_the_csv_file_has_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch, ledger: str) -> None:
    async with Airflow({"ledger_path": ledger}).client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params={**WHERE, "only": "unreached", "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(rows) == 20
    assert {row["outcome"] for row in rows} == {"failed"}
    assert {row["error"] for row in rows} >= {"EC_ABSENT_SUBSCRIBER", "EC_UNKNOWN_SUBSCRIBER"}
    assert all(row["words"] for row in rows)
    # In a spreadsheet's own forms: times with their zone, money as a number.
    assert all(datetime.fromisoformat(row[name]).utcoffset() == timedelta(0) for row in rows for name in TIMES)
    assert {(row["cost"], row["currency"]) for row in rows} == {("0.00", "EUR")}


async def test_rows_as_json_have_the_error_and_times_in_utc(monkeypatch: pytest.MonkeyPatch, ledger: str) -> None:
    async with Airflow({"ledger_path": ledger}).client(monkeypatch, **ANN) as client:
        rows = (await client.get("/omni/ledger/rows", params={**WHERE, "only": "failed"})).json()["rows"]
    assert len(rows) == 20
    assert all(row["error"].startswith("EC_") for row in rows)
    assert all(datetime.fromisoformat(row[name]).utcoffset() == timedelta(0) for row in rows for name in TIMES)


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_the_rows_that_were_left_out_have_their_place_and_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    world = World(tmp_path)
    world.send(
        [{"phone": "41790000000", "id": "good"}, {"phone": "12", "id": "bad"}, {"phone": "", "id": "+41791234567"}],
        key_field="id",
    )
    query = {**WHERE, "only": "quarantined", "format": form}
    async with Airflow({"ledger_path": str(world.folder.path)}).client(monkeypatch, **ANN) as client:
        answer = await client.get("/omni/ledger/rows", params=query)
    rows = answer.json()["rows"] if form == "json" else list(csv.DictReader(io.StringIO(answer.text)))
    assert [(int(row["row"]), row["recipient"].lstrip("'")) for row in rows] == [(1, "bad"), (2, "4179…567")]
    assert all(row["reason"] for row in rows)


@pytest.mark.parametrize(
    ("amount", "shown"), [("0", "0.00"), ("0.1000", "0.10"), ("41.884", "41.884"), ("1E+2", "100.00"), ("n/a", "n/a")]
)
def test_an_amount_has_at_least_two_places(amount: str, shown: str) -> None:
    assert ledger_rows._amount(amount) == shown


def test_no_more_ledgers_are_read_at_a_time_than_there_are_places_and_each_gives_its_place_back(ledger: str) -> None:
    first, second = csv_of(ledger, "all"), csv_of(ledger, "all")
    with pytest.raises(LedgerError) as refused:
        page_of(ledger, "all", 1, 0)
    assert refused.value.status == 503
    del first, second  # as a viewer who leaves
    assert len(page_of(ledger, "all", 50, 0)["rows"]) == 50
    with pytest.raises(LedgerError):
        csv_of("/nowhere/at/all", "all")
    assert len([csv_of(ledger, "all"), csv_of(ledger, "all")]) == 2


@pytest.mark.parametrize("key", ["41793026727", "+41 79 302 67 27", "0793026727", "+12025550123", "ann@example.com"])
def test_a_key_that_is_a_number_or_an_address_is_masked(key: str) -> None:
    assert "…" in shown_key(key)


@pytest.mark.parametrize("key", ["order-41", "10002345", "2026-11-28", "c4b4e3a0-0000-5000-8000-000000000000", "A123"])
def test_a_key_of_ones_own_is_shown_as_it_is(key: str) -> None:
    assert shown_key(key) == key


async def test_every_answer_carries_the_policy_and_the_page_has_no_script_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Airflow({}).client(monkeypatch) as client:
        for path in ("/omni/", "/omni/main.js", "/omni/nothing", "/omni/ledger/rows"):
            policy = (await client.get(path)).headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
            assert "unsafe" not in policy
        page = (await client.get("/omni/")).text
    assert "<script>" not in page
    assert " style=" not in page
    assert "http" not in page


def test_nothing_in_the_files_reads_html_or_names_another_host() -> None:
    for file in pages.FILES.glob("*"):
        text = file.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "https://"):
            assert word not in text, f"{word} in {file.name}"


def test_all_files_together_are_small() -> None:
    sizes = [file.stat().st_size for file in pages.FILES.glob("*")]
    assert sum(sizes) < 100_000
    assert len(sizes) <= 14


def test_files_lie_beside_the_module() -> None:
    assert Path(pages.FILES, "index.html").is_file()
