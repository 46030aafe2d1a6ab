"""The page of reports: filters and addresses, shares, times, CSV files, the code to send again."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from playwright.sync_api import Browser, expect

from airflow_provider_omni.ledger import unreached
from airflow_provider_omni.simulator.running import RunningSimulator
from airflow_provider_omni.simulator.settings import SOURCE_SCENARIO_KEY
from tests.browser.deliveries.page_alone import ROOT, PageAlone
from tests.browser.deliveries.samples import (
    BATCH_SENT,
    BATCH_UNDELIVERED,
    BATCH_WAITING,
    FAILED,
    LEDGER,
    ONE_DELIVERED,
    ONE_SENT,
    at,
    ids,
)
from tests.harness.browser import watched_page
from tests.integration.airflow.batchtask import BatchTask
from tests.unit.delivery.batch.batchworld import World
from tests.unit.delivery.batch.test_ledger_wait import wait

SOON = 15_000
"""Milliseconds. The page looks every five seconds while something is under way."""


@pytest.fixture
def alone(browser: Browser) -> Iterator[PageAlone]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}, timezone_id="Europe/Zurich") as watched:
        yield PageAlone(watched.page)
        assert [one for one in watched.errors if "404" not in one] == []  # the browser's own line on an answer
        assert watched.foreign_requests(urlsplit(ROOT).netloc) == []


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The ledger of 50 people, 20 of whom were not reached, and of one row that was left out."""
    world = World(tmp_path_factory.mktemp("world"))
    fates = ("00", "40", "41", "42", "43")
    people = [{"phone": f"4179{place:05d}{fates[place % 5]}", "order": f"order-{place}"} for place in range(50)]
    world.send([*people, {"phone": "12", "order": "order-of-nobody"}], key_field="order")
    assert wait(world).summary["failed"] == 20
    return str(world.folder.path)


def shown(alone: PageAlone) -> list[str]:
    """The runs in the list."""
    return [text.rpartition(" · ")[2] for text in alone.page.locator("tbody .row-link .quiet").all_inner_texts()]


REACHED = ONE_DELIVERED | {"total": 2, "delivered": 1, "failed": 1, "success_when": "any"}


@pytest.fixture
def fates(alone: PageAlone) -> PageAlone:
    """A delivery of each kind, named by its state."""
    alone.put("shop", "waiting", send=BATCH_SENT, wait=BATCH_WAITING)
    alone.put("shop", "undelivered", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    alone.put("order", "delivered", send=ONE_SENT, wait=ONE_DELIVERED)
    alone.put("order", "reached", send=ONE_SENT, wait=REACHED)
    alone.put("order", "sent", send=ONE_SENT)
    alone.put("order", "sent_open", "running", send=ONE_SENT)
    alone.put("order", "failed", send=FAILED)
    return alone


@pytest.mark.parametrize("state", ["waiting", "undelivered", "delivered", "reached", "sent", "sent_open", "failed"])
def test_each_state_that_a_delivery_shows_can_be_filtered_by_its_name(fates: PageAlone, state: str) -> None:
    fates.open()
    badge = fates.page.locator("tbody tr").filter(has=fates.page.get_by_text(re.compile(rf" · {state}$")))
    name = badge.locator(".badge").inner_text()

    fates.page.get_by_label("State").select_option(label=name)

    expect(fates.page.locator("tbody tr")).to_have_count(1)
    assert shown(fates) == [state]


@pytest.mark.parametrize(
    ("kind", "runs"),
    [
        ("With failed or refused messages", {"waiting", "undelivered", "reached", "failed"}),
        ("With quarantined rows", {"waiting", "undelivered"}),
        ("Under way", {"waiting", "sent_open"}),
    ],
)
def test_what_several_states_may_have_can_be_filtered_by(fates: PageAlone, kind: str, runs: set[str]) -> None:
    """Failed messages are found in a delivery whose goal was reached, too."""
    fates.open()
    fates.page.get_by_label("State").select_option(label=kind)
    expect(fates.page.locator("tbody tr")).to_have_count(len(runs))
    assert set(shown(fates)) == runs


def test_the_docs_list_the_states_that_the_filter_has(alone: PageAlone) -> None:
    alone.put("order", "one", send=ONE_SENT)
    alone.open()
    named = set(alone.page.locator("#state optgroup option").all_inner_texts())
    docs = (Path(__file__).parents[3] / "docs" / "deliveries.md").read_text()
    table = docs.partition("| state | it means |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert {name.strip() for row in rows for name in row.split(";")} == named


# The address


def test_a_reload_shows_the_same_filters(fates: PageAlone) -> None:
    fates.open()
    page = fates.page
    page.get_by_label("State").select_option("any-failed")
    page.get_by_label("DAG", exact=True).select_option("order")
    page.get_by_label("Search").fill("reached")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert urlsplit(page.url).query == "q=reached&dag=order&state=any-failed"

    page.reload()

    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.get_by_label("Search").input_value() == "reached"
    assert page.get_by_label("DAG", exact=True).input_value() == "order"
    assert page.get_by_label("State").input_value() == "any-failed"


def test_a_delivery_has_an_address_and_the_way_back_leads_to_the_filtered_list(fates: PageAlone) -> None:
    fates.open("?state=reached")
    page = fates.page
    page.locator("tbody a").click()
    page.get_by_role("heading", name="Facts").wait_for()
    assert "dag_id=order&run_id=reached&task_id=send&map_index=-1&state=reached" in page.url

    page.reload()
    page.get_by_role("heading", name="Facts").wait_for()
    page.get_by_role("link", name="All deliveries").click()

    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.get_by_label("State").input_value() == "reached"
    page.go_back()
    page.get_by_role("heading", name="Facts").wait_for()
    page.go_forward()
    expect(page.locator("tbody tr")).to_have_count(1)


@pytest.mark.parametrize(
    "query", ["?state=__proto__&span=eternity", "?state=%E0%A4%A&q=", "?run_id=x&task_id=y", "?&=&="]
)
def test_an_address_that_names_nothing_known_is_the_whole_list(fates: PageAlone, query: str) -> None:
    fates.open(query)
    expect(fates.page.locator("tbody tr")).to_have_count(7)


def test_a_dag_of_which_nothing_is_listed_can_be_seen_in_its_filter_and_taken_back(fates: PageAlone) -> None:
    fates.open("?dag=gone&run=long_ago")
    page = fates.page
    expect(page.get_by_text("No deliveries in this time")).to_be_visible()
    assert page.get_by_label("DAG", exact=True).input_value() == "gone"
    assert page.get_by_label("Run", exact=True).input_value() == "long_ago"
    page.get_by_label("DAG", exact=True).select_option("")
    expect(page.locator("tbody tr")).to_have_count(7)


# Sent, and not waited for yet


def test_a_send_whose_run_goes_on_is_looked_at_often_until_its_wait_begins(alone: PageAlone) -> None:
    alone.put("order", "one", "running", send=ONE_SENT)
    alone.open()
    row = alone.page.locator("tbody tr")
    expect(row).to_contain_text("Sent, run goes on")
    expect(alone.page.get_by_text("looks every 5 s")).to_be_visible()

    alone.put("order", "one", "running", wait=ONE_DELIVERED)

    expect(row).to_contain_text("Delivered", timeout=SOON)
    expect(alone.page.get_by_text("looks every 30 s")).to_be_visible()


def test_a_send_whose_run_has_ended_is_sent_and_the_run_is_not_asked_for_at_every_look(alone: PageAlone) -> None:
    alone.put("order", "one", "success", send=ONE_SENT)
    alone.put("shop", "two", "running", send=BATCH_SENT, wait=BATCH_WAITING)
    alone.open()
    expect(alone.page.locator("tbody tr").filter(has_text="order")).to_contain_text("Sent")
    expect(alone.page.locator("tbody tr").filter(has_text="order")).not_to_contain_text("goes on")

    with alone.page.expect_response(re.compile("~/taskInstances/~/xcomEntries"), timeout=SOON):
        pass

    assert alone.asked.count("api/v2/dags/order/dagRuns/one") == 1
    assert "api/v2/dags/shop/dagRuns/two" not in alone.asked


# Shares, numbers, times


def test_shares_of_one_whole_add_up_to_a_hundred_and_say_what_they_are_shares_of(alone: PageAlone) -> None:
    thirds = {"total": 2000, "delivered": 1330, "failed": 335, "pending": 335}
    steps = [
        {"channel": "LINE", "delivered": 665, "failed": 1000, "pending": 335},
        {"channel": "SMS", "delivered": 665, "failed": 335, "pending": 0},
    ]
    report = BATCH_WAITING | thirds | {"steps": steps}
    alone.put("shop", "one", send=BATCH_SENT | {"counts": {"requested": 2000, "accepted": 2000}}, wait=report)
    alone.open_delivery("shop", "one", "wait")

    figures = alone.page.locator(".figures").first
    told = [int(each) for each in re.findall(r"(\d+) % of accepted", figures.inner_text())]
    assert told == [66, 17, 17]
    assert "100 % of requested" in figures.inner_text()
    picture = alone.page.locator("svg.way").text_content() or ""
    assert sum(map(int, re.findall(r"(\d+) % of requested", picture))) == 100


@pytest.mark.parametrize(
    ("parts", "whole", "words"),
    [
        ([1, 1, 1], 3, ["34 %", "33 %", "33 %"]),
        ([1270, 520, 151, 59], 2000, ["63 %", "26 %", "8 %", "3 %"]),
        ([1, 999], 1000, ["< 1 %", "> 99 %"]),
        ([1, 1, 500, 498], 1000, ["< 1 %", "< 1 %", "49 %", "49 %"]),
        ([0, 2], 2, ["0 %", "100 %"]),
        ([1, 0, 0], 3, ["33 %", "0 %", "0 %"]),
        ([1, 1], 0, ["–", "–"]),
        ([2, None], 4, ["50 %", "0 %"]),
    ],
)
def test_shares_are_whole_percents_that_are_never_more_than_all(
    alone: PageAlone, parts: list[int | None], whole: int, words: list[str]
) -> None:
    alone.open()
    code = "async ([parts, whole]) => (await import('./words.js')).shares(parts, whole)"
    assert alone.page.evaluate(code, [parts, whole]) == words


def test_times_of_one_class_are_a_fact_and_not_an_empty_box(alone: PageAlone) -> None:
    alone.put("order", "one", send=ONE_SENT, wait=ONE_DELIVERED | {"delivery_times": [{"up_to": 30.0, "count": 2}]})
    alone.open_delivery("order", "one", "wait")
    expect(alone.page.get_by_text("half within 6 s, 95 % within 11 s, longest 11 s")).to_be_visible()
    expect(alone.page.get_by_role("heading", name="Time to delivery")).to_have_count(0)


def test_numbers_and_the_small_text_beside_them_do_not_touch(alone: PageAlone) -> None:
    alone.put("shop", "one", send=BATCH_SENT, wait=BATCH_WAITING)
    for open_page in (alone.open, lambda: alone.open_delivery("shop", "one", "wait")):
        open_page()
        alone.page.locator(".beside").first.wait_for()
        gaps = alone.page.evaluate(
            "[...document.querySelectorAll('.beside')].filter(one => one.checkVisibility()).map(one => {"
            "const before = document.createRange(); before.selectNode(one.previousSibling);"
            "const [a, b] = [before.getBoundingClientRect(), one.getBoundingClientRect()];"
            "return b.top >= a.bottom - 4 ? 99 : b.left - a.right; })"
        )
        assert gaps
        assert min(gaps) >= 5


def test_the_list_and_the_page_name_a_delivery_alike(alone: PageAlone) -> None:
    alone.put("order", "one", send=ONE_SENT, wait=ONE_DELIVERED)
    alone.open()
    name = alone.page.locator("tbody .row-link .strong").inner_text()
    tasks = alone.page.locator("tbody .row-link .quiet").inner_text().partition(" · ")[0]
    alone.page.locator("tbody a").click()
    expect(alone.page.get_by_role("heading", level=1)).to_have_text(name)
    expect(alone.page.locator(".where")).to_contain_text(tasks)
    assert alone.page.title() == f"{name} · OMNI deliveries"


def test_an_empty_page_looks_often_since_somebody_may_have_just_begun_a_run(alone: PageAlone) -> None:
    alone.open()
    expect(alone.page.get_by_text("No deliveries in this time")).to_be_visible()
    expect(alone.page.get_by_text("looks every 5 s")).to_be_visible()


def test_a_goal_that_is_less_than_everybody_does_not_look_like_all_is_well(alone: PageAlone) -> None:
    alone.put("order", "one", send=ONE_SENT, wait=REACHED)
    alone.open()
    expect(alone.page.locator("tbody .badge")).to_have_class("badge badge-late")


def test_the_estimate_stands_beside_the_cost(alone: PageAlone) -> None:
    alone.put("shop", "one", send=BATCH_SENT | {"sms_parts": 3882}, wait=BATCH_WAITING)
    alone.open_delivery("shop", "one", "wait")
    cost = alone.page.locator(".figure").filter(has_text="Cost")
    expect(cost).to_contain_text("41.884 EUR")
    expect(cost).to_contain_text("estimated: up to 3,882 SMS parts")
    facts = alone.page.locator(".facts")
    expect(facts).to_contain_text("up to 3,882, if everybody were sent the SMS; 641 messages went out as SMS")


def test_every_part_follows_what_it_shows(alone: PageAlone) -> None:
    alone.put("shop", "one", send=BATCH_SENT, wait=BATCH_WAITING | {"reasons": [], "delivery_times": []})
    alone.open_delivery("shop", "one", "wait")
    page = alone.page
    page.get_by_role("region", name="Facts").wait_for()
    expect(page.get_by_role("heading", name="Why not")).to_be_visible()
    expect(page.get_by_role("region", name="Failed messages")).not_to_contain_text("absent subscriber")

    left = BATCH_SENT | {"sms_parts": 77, "counts": BATCH_SENT["counts"] | {"quarantined": 39}}
    alone.put("shop", "one", send=left, wait=BATCH_WAITING)

    expect(page.get_by_role("region", name="Failed messages")).to_contain_text("absent subscriber", timeout=SOON)
    expect(page.get_by_role("region", name="Recipients in the ledger")).to_contain_text("39 quarantined rows")
    expect(page.get_by_role("heading", name="Time to delivery")).to_be_visible()
    expect(page.get_by_role("region", name="Facts")).to_contain_text("up to 77")
    expect(page.locator(".figures").first).to_contain_text("up to 77 SMS parts")


@pytest.mark.parametrize("width", [700, 420])
def test_no_column_is_hidden_on_a_narrow_page(alone: PageAlone, ledger: str, width: int) -> None:
    alone.ledger = ledger
    alone.put("shop", "one", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    page = alone.page
    page.set_viewport_size({"width": width, "height": 900})
    alone.open()
    page.locator("tbody tr").wait_for()
    cells = page.locator("tbody td")
    heads = cells.evaluate_all("all => all.map(one => getComputedStyle(one, '::before').content)")
    assert heads[:4] == ['"State"', '"Began"', '"Accepted"', '"Delivered, of accepted"']
    alone.open_delivery("shop", "one", "wait")
    page.get_by_role("button", name="Read").click()
    page.locator(".rows td").first.wait_for()
    outside = page.evaluate(
        "[...document.querySelectorAll('td, th')].filter(one => one.checkVisibility())"
        ".filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.textContent)"
    )
    assert outside == []


# Rows, and their files


def csv_rows(alone: PageAlone, section: str) -> list[dict[str, str]]:
    """Download by the button of a section."""
    part = alone.page.get_by_role("region", name=section)
    with alone.page.expect_download() as download:
        part.get_by_role("button", name="Download CSV").click()
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))


def test_rows_of_a_ledger_name_the_vendors_error_and_show_local_times(alone: PageAlone, ledger: str) -> None:
    alone.ledger = ledger
    alone.put("shop", "one", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    alone.open_delivery("shop", "one", "wait")
    alone.page.get_by_role("button", name="Read").click()
    rows = alone.page.get_by_role("table", name="Recipients")
    expect(rows).to_contain_text("EC_ABSENT_SUBSCRIBER")
    expect(rows).to_contain_text("1 Jan 2026, 01:00:0")  # in Zurich; midnight in UTC

    file = csv_rows(alone, "Recipients in the ledger")

    failed = [row for row in file if row["error"] == "EC_ABSENT_SUBSCRIBER"]
    assert failed
    assert failed[0]["words"] == "absent subscriber: the phone is switched off, or out of reach"
    assert failed[0]["done_at"].startswith("2026-01-01T00:00:0")
    assert failed[0]["done_at"].endswith("+00:00")
    assert (failed[0]["cost"], failed[0]["currency"]) == ("0.00", "EUR")


def test_quarantined_rows_are_counted_apart_and_can_be_read(alone: PageAlone, ledger: str) -> None:
    alone.ledger = ledger
    alone.put("shop", "one", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    alone.open_delivery("shop", "one", "wait")
    expect(alone.page.get_by_text("38 quarantined rows are not among them: choose Quarantined.")).to_be_visible()

    alone.page.get_by_label("Show").select_option("quarantined")
    alone.page.get_by_role("button", name="Read").click()

    expect(alone.page.get_by_role("table", name="Recipients").locator("tbody tr")).to_have_count(1)
    (row,) = csv_rows(alone, "Recipients in the ledger")
    assert row["recipient"] == "order-of-nobody"
    assert row["row"] == "50"
    assert row["reason"]


def test_the_file_of_the_failed_has_step_reason_error_and_key(alone: PageAlone, ledger: str) -> None:
    alone.ledger = ledger
    alone.put("shop", "one", send=BATCH_SENT, wait=BATCH_UNDELIVERED)
    alone.open_delivery("shop", "one", "wait")
    rows = csv_rows(alone, "Failed messages")
    assert len(rows) == 20
    assert all(row["recipient"].startswith("order-") for row in rows)
    assert {row["channel"] for row in rows} == {"SMS"}
    assert {row["error"] for row in rows} >= {"EC_ABSENT_SUBSCRIBER", "EC_UNKNOWN_SUBSCRIBER"}


@pytest.mark.parametrize("ledger_path", [None, LEDGER])
def test_without_a_ledger_that_can_be_read_it_has_what_the_report_says_of_each(
    alone: PageAlone, ledger_path: str | None
) -> None:
    place = {"ledger_path": ledger_path}
    alone.put("shop", "one", send=BATCH_SENT | place, wait=BATCH_UNDELIVERED | place)
    alone.open_delivery("shop", "one", "wait")
    rows = csv_rows(alone, "Failed messages")
    assert [row["message_id"] for row in rows] == ids("newsletter-failed", 73)
    assert [rows[0][name] for name in ("channel", "status", "error", "words", "permanent")] == [
        "SMS",
        "UNDELIVERABLE_NOT_DELIVERED",
        "EC_ABSENT_SUBSCRIBER",
        "absent subscriber",
        "False",
    ]
    notice = alone.page.get_by_text("finds no ledger there. The file has what is listed here.")
    expect(notice).to_have_count(0 if ledger_path is None else 1)


# The code to send again


def made_by(code: str) -> list[Any]:
    """The tasks of the DAG that a file with this code makes."""
    named = code.replace("schedule=None):", "schedule=None) as made:")
    found: dict[str, Any] = {}
    exec(compile(named, "again.py", "exec"), found)
    tasks: list[Any] = found["made"].tasks
    return tasks


def run(code: str) -> list[dict[str, Any]]:
    """Return values of the tasks of this code, run in a thread: Playwright has a loop in this one."""
    with ThreadPoolExecutor(1) as other:
        tasks = made_by(code)
        return [other.submit(task.execute, BatchTask().context(run_id="again")).result() for task in tasks]


def test_the_code_to_send_again_says_whom_it_means_and_runs(
    alone: PageAlone,
    ledger: str,
    tmp_path: Path,
    omni_simulator: RunningSimulator,
    airflow_db: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    omni_simulator.configure(beat_seconds=0.05, source_scenario=True)
    omni_simulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_OMNI_DEFAULT", omni_simulator.airflow_connection_json)
    copied = shutil.copytree(ledger, tmp_path / "first")
    report = BATCH_UNDELIVERED | {"ledger_path": str(copied), "total": 50, "delivered": 30, "failed": 20}
    reasons = [BATCH_UNDELIVERED["reasons"][0] | {"count": 10}, BATCH_UNDELIVERED["reasons"][1] | {"count": 10}]
    sent = BATCH_SENT | {"ledger_path": str(copied), "counts": {"requested": 50, "accepted": 50, "rejected": 0}}
    sent["scenario_key"] = report["scenario_key"] = SOURCE_SCENARIO_KEY
    alone.put("shop", "one", send=sent, wait=report | {"reasons": reasons})
    alone.open_delivery("shop", "one", "wait")

    part = alone.page.get_by_role("region", name="Send again to up to 10 recipients")
    expect(part).to_contain_text("20 failed, without 10 for whom the same message would fail again")
    code = part.locator("pre").inner_text()

    with pytest.raises(AirflowFailException, match=r"sms\.text: got a blank text"):
        run(code)  # nobody is sent a text that was not filled in
    (receipt,) = run(code.replace('"text": ""', '"text": "Hello"'))
    assert receipt["counts"]["requested"] == 10
    assert receipt["ledger_path"] == f"{copied}-again"
    counted = re.search(r"sum\(.*\)", code)
    assert counted is not None
    assert eval(counted[0], {"unreached": unreached}) == 10


def test_sends_with_ledgers_of_their_own_are_sent_again_each_by_a_task(alone: PageAlone) -> None:
    several = {"ledger_path": None, "ledger_paths": ["/a", "s3://omni@bucket/b"]}
    alone.put("shop", "one", send=BATCH_SENT | {"bulk_ids": BATCH_SENT["bulk_ids"]}, wait=BATCH_UNDELIVERED | several)
    alone.open_delivery("shop", "one", "wait")
    tasks = made_by(alone.page.locator("pre").inner_text())
    assert [task.task_id for task in tasks] == ["send_again_1", "send_again_2", "send_again_3"]
    assert [task.ledger_path for task in tasks] == [f"{LEDGER}-again", "/a-again", "s3://omni@bucket/b-again"]


def test_nobody_is_sent_again_to_while_it_is_open(alone: PageAlone) -> None:
    alone.put("shop", "one", "running", send=BATCH_SENT | {"at": at(1)})
    alone.open_delivery("shop", "one", "send")
    alone.page.get_by_text("Nothing waits for them yet. The run goes on").wait_for()
    expect(alone.page.get_by_role("heading", name="Send again")).to_have_count(0)
