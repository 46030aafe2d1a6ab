"""Reading reports and putting them together: the page's own functions, called in the browser. No Airflow is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

import airflow_provider_omni
from tests.browser.deliveries.samples import ids
from tests.harness.browser import watched_page

FILES = Path(airflow_provider_omni.__file__).parent / "pages" / "static"
ENTRY = """const entry = ([task, map, report, taskState]) => ({ dag: "d", dagName: "d", run: "r", stamp: "", changed: 1,
  task, taskName: task, map, problem: null, taskState: taskState ?? null, report: m.readReport(report) });
const put = (...all) => m.deliveriesOf(all.map(entry));"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page beside the page's files."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name == "empty":
            route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            route.fulfill(path=FILES / name, content_type="text/javascript")

    with watched_page(browser) as watched:
        watched.page.route("**/*", answer)
        watched.page.goto("http://page.test/empty")
        yield watched.page


def asked(page: Page, code: str, *given: Any) -> Any:
    """Value of a piece of code that has the module as `m`, and `given`."""
    body = f"const m = await import('./delivery.js'); {ENTRY} const given = {json.dumps(given)}; return {code};"
    return page.evaluate(f"async () => {{ {body} }}")


def send(**members: Any) -> dict[str, Any]:
    return {"kind": "send", "state": "sent", **members}


def waits(**members: Any) -> dict[str, Any]:
    return {"kind": "wait", "state": "delivered", **members}


def test_mapped_sends_and_the_one_wait_for_all_of_them_are_one_delivery(page: Page) -> None:
    found = asked(
        page,
        "put(...given).map((one) => [one.entries.length, one.accepted, one.total, one.state])",
        ("send", 0, send(counts={"accepted": 3}, ledger_path="/a")),
        ("send", 1, send(counts={"accepted": 4}, bulk_ids=ids("b", 1))),
        ("wait", -1, waits(ledger_paths=["/a"], bulk_ids=ids("b", 1), total=7, delivered=7, failed=0, pending=0)),
        ("other", -1, send(counts={"accepted": 1}, ledger_path="/c")),
    )
    assert sorted(found) == [[1, 1, None, "sent"], [3, 7, 7, "delivered"]]


@pytest.mark.parametrize(
    ("state", "of_task", "shown"),
    [
        ("waiting", None, "waiting"),
        ("waiting", "deferred", "waiting"),
        ("waiting", "up_for_retry", "waiting"),
        ("waiting", "failed", "stopped"),
        ("sending", "success", "stopped"),
        ("delivered", "success", "delivered"),
    ],
)
def test_a_task_that_has_ended_without_a_last_report_is_stopped(
    page: Page, state: str, of_task: str | None, shown: str
) -> None:
    report = {"kind": "send" if state == "sending" else "wait", "state": state}
    assert asked(page, "put(...given)[0].state", ("task", -1, report, of_task)) == shown


@pytest.mark.parametrize(("failed", "pending", "shown"), [(0, 0, "delivered"), (1, 0, "reached"), (0, 2, "reached")])
def test_a_goal_that_is_less_than_everybody_is_told_so(page: Page, failed: int, pending: int, shown: str) -> None:
    report = waits(total=9, delivered=9 - failed - pending, failed=failed, pending=pending)
    assert asked(page, "put(...given)[0].state", ("wait", -1, report)) == shown


def test_a_mapped_send_is_under_way_while_one_of_its_tasks_is(page: Page) -> None:
    ledger = {"ledger_path": "/a"}
    tasks = [("send", 0, send(**ledger)), ("send", 1, send(state="sending", **ledger)), ("send", 2, send(**ledger))]
    assert asked(page, "put(...given).map((one) => [one.state, one.open])", *tasks) == [["sending", True]]


def test_who_failed_on_a_channel_and_had_no_next_one_is_lost_there(page: Page) -> None:
    steps = [
        {"channel": "LINE", "delivered": 5, "failed": 4, "pending": 1},
        {"channel": "SMS", "delivered": 2, "failed": 1, "pending": 0},
    ]
    code = "m.wayOf(put(...given)[0]).steps.map(({ channel, asked, on, lost }) => [channel, asked, on, lost])"
    assert asked(page, code, ("wait", -1, waits(total=10, steps=steps))) == [["LINE", 10, 3, 1], ["SMS", 3, 0, 1]]


def test_no_cell_of_a_csv_file_is_a_formula(page: Page) -> None:
    cells = ["=1+1", "@x", "+x", "-x", "-5", "+1.5", 'a "b", c', "plain", None]
    found = asked(page, "m.csv(given)", cells)
    assert found == '\'=1+1,\'@x,\'+x,\'-x,-5,+1.5,"a ""b"", c",plain,\r\n'


def test_a_task_that_sends_and_waits_is_one_delivery_with_the_numbers_of_both(page: Page) -> None:
    sent = {"state": "sent", "counts": {"accepted": 4, "rejected": 1}, "scenario_key": "key", "flow": ["LINE", "SMS"]}
    report = waits(send=sent, bulk_ids=ids("b", 1), total=4, delivered=3, failed=1, pending=0)
    found = asked(
        page,
        "put(...given).map((one) => [one.entries.length, one.accepted, one.total, one.state])",
        ("send", -1, report),
    )
    assert found == [[1, 4, 4, "reached"]]


def test_a_mapped_task_alone_is_named_with_its_index_and_many_of_one_name_are_that_name(page: Page) -> None:
    code = """await (async () => {
      const { tasksOf } = await import('./list.js');
      const text = (nodes) => { const p = document.createElement('p'); p.append(...nodes); return p.textContent; };
      return put(...given).map((one) => text(tasksOf(one)));
    })()"""
    alone = asked(page, code, ("send", 3, send(bulk_ids=ids("b", 1))), ("delivered", 3, waits(bulk_ids=ids("b", 1))))
    many = asked(
        page,
        code,
        *(("send", index, send(bulk_ids=[f"b{index}"])) for index in range(2)),
        ("delivered", -1, waits(bulk_ids=["b0", "b1"])),
    )
    assert (alone, many) == (["send [3] → delivered [3]"], ["send → delivered"])


def test_the_suppressed_are_counted_apart(page: Page) -> None:
    report = send(counts={"requested": 5, "accepted": 3, "suppressed": 2})
    found = asked(page, "put(...given).map((one) => [one.suppressed, m.wayOf(one).unsent])", ("send", -1, report))
    assert found == [[2, [["Suppressed", 2]]]]
